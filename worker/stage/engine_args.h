/* engine_args.h - what the model commands that run the engine have in common. */
#ifndef WORKER_STAGE_ENGINE_ARGS_H
#define WORKER_STAGE_ENGINE_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/model/tokenizer.h"
#include "proto/unit.h"
#include "worker/engine/model.h"

struct engine_args {
    const char *isa; /* borrowed from argv */
    uint32_t threads;
    enum kv_type kv;
};

/* isa auto, one thread per online CPU, the given KV type. */
void engine_args_init(struct engine_args *a, enum kv_type kv);
/* Takes --isa, --threads or --kv (by name, without the dashes). */
int engine_args_set(struct engine_args *a, const char *name, const char *value,
                    struct px_err *err) PX_MUST_CHECK;

/* "k=3,subset=middle,size=4,mode=delta,kv=project"; subset also 2+5+6. Missing: size 12, mode
 * delta, kv project. out->layers is owned. */
int reuse_parse(const char *text, uint32_t n_layers, struct reuse_spec *out,
                struct px_err *err) PX_MUST_CHECK;

/* "1,2,3" -> ids, owned. */
int parse_ids(const char *text, uint32_t **ids, size_t *n, struct px_err *err) PX_MUST_CHECK;

/* Model and tokenizer of a file; both owned, both NULL on error. */
int open_model(const char *path, struct model **m, struct tokenizer **tok,
               struct px_err *err) PX_MUST_CHECK;

/* Prints "proctor model NAME: text" on stderr; returns the exit code for it. */
int command_failed(const char *name, const struct px_err *err);
/* The same for wrong use, with a hint at --help; returns 2. */
int command_misused(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
