/* tiny_model.h - the model of tiny_gguf.h, opened; for cmocka tests. */
#ifndef TESTS_WORKER_TINY_MODEL_H
#define TESTS_WORKER_TINY_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tiny_gguf.h"
#include "worker/engine/model.h"

struct tiny_model {
    struct model *m;
    struct px_buf file; /* borrowed by m */
};

static inline struct tiny_model *tiny_model_with(const char *arch, enum ggml_type type,
                                                 const struct tiny_change *change)
{
    struct tiny_model *t = px_xcalloc(1, sizeof *t);
    struct px_err err = {0};
    px_buf_init(&t->file, 1 << 24);
    tiny_gguf_with(arch, type, change, &t->file);
    struct gguf *g = gguf_from_memory(t->file.data, t->file.len, "tiny", &err);
    t->m = g ? model_from_gguf(g, &err) : NULL;
    if (t->m == NULL)
        fail_msg("%s", err.text);
    return t;
}

static inline struct tiny_model *tiny_model_new(const char *arch, enum ggml_type type)
{
    return tiny_model_with(arch, type, &(struct tiny_change){0});
}

static inline void tiny_model_free(struct tiny_model *t)
{
    model_free(&t->m);
    px_buf_clear(&t->file);
    free(t);
}

#endif
