#include "coordinator/plan/model_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/mem.h"
#include "proto/model/imported.h"
#include "proto/recording.h"

static void read_chat_template(struct model_file *m)
{
    const char *text;
    size_t len;
    struct px_err err;
    if (!gguf_has(m->gguf, "tokenizer.chat_template")) {
        m->chat_problem = px_xstrdup("the model file has no chat template");
    } else if (gguf_get_str(m->gguf, "tokenizer.chat_template", &text, &len, &err) != 0 ||
               chat_recognise(text, len, &m->chat, &err) != 0) {
        m->chat_problem = px_xstrdup(err.text);
    } else {
        m->has_chat = true;
    }
}

static int marker(const struct model_file *m, const char *text, uint32_t **ids, uint32_t *n,
                  struct px_err *err)
{
    size_t count;
    if (tokenizer_encode(m->tokenizer, text, strlen(text), TOK_PARSE_SPECIAL, ids, &count, err) !=
        0)
        return -1;
    *n = (uint32_t)count;
    return count ? 0 : px_fail(err, PX_EINPUT, "thinking: '%s' has no tokens", text);
}

static int read_thinking(struct model_file *m, const struct recipe_model *src, struct px_err *err)
{
    if (!src->think_close)
        return 0;
    m->think_open = px_xstrdup(src->think_open);
    m->think.budget = src->think_budget;
    if (marker(m, src->think_open, &m->think.open, &m->think.n_open, err) != 0)
        return -1;
    return marker(m, src->think_close, &m->think.close, &m->think.n_close, err);
}

static int open_native(struct model_file *m, struct px_err *err)
{
    m->gguf = gguf_open(m->path, err);
    if (!m->gguf || model_config_read(m->gguf, &m->config, err) != 0)
        return -1;
    m->tokenizer = tokenizer_new(m->gguf, err);
    if (!m->tokenizer)
        return -1;
    read_chat_template(m);
    m->imported_bytes = imported_bytes(m->gguf);
    if (gguf_source(m->gguf))
        m->bytes = gguf_source(m->gguf)->bytes;
    return 0;
}

/* Read once for its mistakes; workers read it again. */
static int check_recording(const char *path, struct px_err *err)
{
    struct recording *r = recording_open(path, NULL, err);
    if (!r)
        return -1;
    recording_free(&r);
    return 0;
}

int model_file_open(const struct recipe_model *src, struct model_file *out, struct px_err *err)
{
    struct model_file m = {.name = px_xstrdup(src->name),
                           .backend = src->backend,
                           .path = px_xstrdup(src->source ? src->source : ""),
                           .style = src->style ? px_xstrdup(src->style) : NULL};
    int rc = 0;
    if (src->backend == BACKEND_NOOP) {
        m.digest = px_sha256(src->name, strlen(src->name));
    } else {
        struct stat st;
        if (stat(m.path, &st) != 0)
            rc = px_fail_errno(err, "cannot open %s", m.path);
        else
            m.bytes = (uint64_t)st.st_size;
        /* The structure is checked before gigabytes are hashed and before anything runs. */
        if (rc == 0 && src->backend == BACKEND_NATIVE)
            rc = open_native(&m, err);
        if (rc == 0 && src->backend == BACKEND_NATIVE)
            rc = read_thinking(&m, src, err);
        if (rc == 0 && src->backend == BACKEND_REPLAY)
            rc = check_recording(m.path, err);
        if (rc == 0)
            rc = m.gguf ? gguf_digest(m.gguf, &m.digest, err)
                        : px_sha256_file(m.path, &m.digest, NULL, err);
    }
    if (rc != 0) {
        px_wrap(err, "model '%s'", src->name);
        model_file_clear(&m);
        return -1;
    }
    *out = m;
    return 0;
}

void model_file_clear(struct model_file *m)
{
    tokenizer_free(&m->tokenizer);
    gguf_free(&m->gguf);
    free(m->name);
    free(m->path);
    free(m->style);
    free(m->chat_problem);
    free(m->think_open);
    free(m->think.open);
    free(m->think.close);
    memset(m, 0, sizeof *m);
}
