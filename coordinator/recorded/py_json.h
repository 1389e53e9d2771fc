/* py_json.h - json.dumps(value, indent=2, ensure_ascii=False) of Python, byte for byte: what
 * lm-evaluation-harness hashes a document as (its `doc_hash`). Numbers keep the spelling of the
 * JSON text that they were parsed from. */
#ifndef COORDINATOR_RECORDED_PY_JSON_H
#define COORDINATOR_RECORDED_PY_JSON_H

#include <json-c/json.h>

#include "proto/buf.h"

void py_json_dumps(struct json_object *v, struct px_buf *out);

#endif
