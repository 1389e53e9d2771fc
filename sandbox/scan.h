/* scan.h - the check of a codec message (sandbox/zygote/codec.h) without making any object.
 *
 * Total and in plain C: what passes can be built without a short read, within stated depth and
 * number of values. */
#ifndef SANDBOX_SCAN_H
#define SANDBOX_SCAN_H

#include <stddef.h>

#define CODEC_DEPTH 200
#define CODEC_NODES 3000000 /* values of one message; HumanEval+ has results of a million */
#define CODEC_INT_BYTES (1u << 20)

/* NULL when p[0, n) is one well-formed value, else what is wrong with it (static). */
const char *codec_scan(const void *p, size_t n);

#endif
