#include "proto/unit.h"

#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/mem.h"

/* First byte of each encoding, so that one is never taken for another; the second is the layout's
 * version. */
enum { JOB_TAG = 'J', UNIT_TAG = 'U', LAYOUT = 2 };

const char *unit_kind_name(enum unit_kind k)
{
    switch (k) {
    case UNIT_GENERATE:
        return "generate";
    case UNIT_CHOICE:
        return "choice";
    case UNIT_SCORE:
        return "score";
    case UNIT_IMPORT:
        return "import";
    }
    return "unknown";
}

enum peer_role unit_kind_role(enum unit_kind k)
{
    switch (k) {
    case UNIT_SCORE:
        return ROLE_SCORE;
    case UNIT_IMPORT:
        return ROLE_STAGE;
    case UNIT_GENERATE:
    case UNIT_CHOICE:
        break;
    }
    return ROLE_GENERATE;
}

static const char *const kv_names[] = {[KV_F32] = "f32", [KV_F16] = "f16", [KV_Q8_0] = "q8_0"};

const char *kv_type_name(enum kv_type t)
{
    return t >= KV_F32 && t <= KV_Q8_0 ? kv_names[t] : "none";
}

enum kv_type kv_type_of(const char *name)
{
    for (enum kv_type t = KV_F32; t <= KV_Q8_0; t++)
        if (strcmp(name, kv_names[t]) == 0)
            return t;
    return 0;
}

const char *backend_kind_name(enum backend_kind b)
{
    switch (b) {
    case BACKEND_NATIVE:
        return "native";
    case BACKEND_REPLAY:
        return "replay";
    case BACKEND_NOOP:
        return "noop";
    }
    return "unknown";
}

/* ---- jobs ---- */

static void put_sampler(struct px_buf *out, const struct sampler_spec *s)
{
    px_buf_f64(out, s->temperature);
    px_buf_u32(out, (uint32_t)s->top_k);
    px_buf_f64(out, s->top_p);
    px_buf_f64(out, s->min_p);
    px_buf_u64(out, s->seed);
}

static void get_sampler(struct px_reader *r, struct sampler_spec *s)
{
    s->temperature = codec_get_finite(r);
    s->top_k = (int32_t)px_get_u32(r);
    s->top_p = codec_get_finite(r);
    s->min_p = codec_get_finite(r);
    s->seed = px_get_u64(r);
}

static void put_reuse(struct px_buf *out, const struct reuse_spec *u)
{
    px_buf_u32(out, u->k);
    codec_put_u32s(out, u->layers, u->n_layers);
    px_buf_u8(out, (uint8_t)u->mode);
    px_buf_u8(out, (uint8_t)u->kv);
}

/* Mode and KV rule may be 0 when reuse is off: nothing looks at them then. */
static void get_reuse(struct px_reader *r, struct reuse_spec *u)
{
    u->k = px_get_u32(r);
    u->layers = codec_get_u32s(r, &u->n_layers);
    bool on = u->k > 1 && u->n_layers > 0;
    u->mode = (enum reuse_mode)codec_get_enum(r, on ? REUSE_DELTA : 0, REUSE_OUTPUT);
    u->kv = (enum reuse_kv)codec_get_enum(r, on ? REUSE_KV_PROJECT : 0, REUSE_KV_COPY);
}

static void put_think(struct px_buf *out, const struct think_spec *t)
{
    codec_put_u32s(out, t->open, t->n_open);
    codec_put_u32s(out, t->close, t->n_close);
    px_buf_u32(out, t->budget);
    px_buf_u8(out, t->open_in_prompt);
}

static void get_think(struct px_reader *r, struct think_spec *t)
{
    t->open = codec_get_u32s(r, &t->n_open);
    t->close = codec_get_u32s(r, &t->n_close);
    t->budget = px_get_u32(r);
    t->open_in_prompt = codec_get_bool(r);
}

void job_encode(const struct job *j, struct px_buf *out)
{
    px_buf_u8(out, JOB_TAG);
    px_buf_u8(out, LAYOUT);
    px_buf_u8(out, (uint8_t)j->kind);
    px_buf_u8(out, (uint8_t)j->backend);
    px_buf_cstr(out, j->task);
    codec_put_digest(out, &j->model);
    px_buf_cstr(out, j->model_name);
    px_buf_cstr(out, j->model_path);
    px_buf_u64(out, j->model_bytes);
    put_sampler(out, &j->sampler);
    px_buf_u32(out, j->max_tokens);
    px_buf_u32(out, j->context);
    px_buf_u8(out, (uint8_t)j->kv);
    put_reuse(out, &j->reuse);
    px_buf_u32(out, j->n_stops);
    for (uint32_t i = 0; i < j->n_stops; i++)
        px_buf_cstr(out, j->stops[i]);
    codec_put_u32s(out, j->stop_tokens, j->n_stop_tokens);
    put_think(out, &j->think);
    px_buf_cstr(out, j->scorer);
    px_buf_cstr(out, j->options);
}

static void get_stops(struct px_reader *r, struct job *j)
{
    uint32_t n = codec_get_count(r, 4);
    if (n == 0)
        return;
    j->stops = px_xcalloc(n, sizeof *j->stops);
    j->n_stops = n;
    for (uint32_t i = 0; i < n && px_reader_ok(r); i++)
        j->stops[i] = codec_get_text(r);
}

int job_decode(const void *p, size_t n, struct job *out, struct px_err *err)
{
    struct px_reader r;
    struct job j = {0};
    px_reader_init(&r, p, n);
    if (n > UNIT_LIMIT || px_get_u8(&r) != JOB_TAG || px_get_u8(&r) != LAYOUT)
        return px_fail(err, PX_EINPUT, "these %zu bytes are not a job of layout %d", n, LAYOUT);
    j.kind = (enum unit_kind)codec_get_enum(&r, UNIT_GENERATE, UNIT_IMPORT);
    bool completes = j.kind == UNIT_GENERATE || j.kind == UNIT_CHOICE;
    j.backend = (enum backend_kind)codec_get_enum(&r, completes ? BACKEND_NATIVE : 0, BACKEND_NOOP);
    j.task = codec_get_text(&r);
    j.model = codec_get_digest(&r);
    j.model_name = codec_get_text(&r);
    j.model_path = codec_get_text(&r);
    j.model_bytes = px_get_u64(&r);
    get_sampler(&r, &j.sampler);
    j.max_tokens = px_get_u32(&r);
    j.context = px_get_u32(&r);
    j.kv = (enum kv_type)codec_get_enum(&r, 0, KV_Q8_0);
    get_reuse(&r, &j.reuse);
    get_stops(&r, &j);
    j.stop_tokens = codec_get_u32s(&r, &j.n_stop_tokens);
    get_think(&r, &j.think);
    j.scorer = codec_get_text(&r);
    j.options = codec_get_text(&r);
    if (!px_reader_end(&r)) {
        job_clear(&j);
        return px_fail(err, PX_EINPUT, "a job of %zu bytes is malformed", n);
    }
    *out = j;
    return 0;
}

void job_clear(struct job *j)
{
    free(j->task);
    free(j->model_name);
    free(j->model_path);
    free(j->reuse.layers);
    for (uint32_t i = 0; i < j->n_stops; i++)
        free(j->stops[i]);
    free(j->stops);
    free(j->stop_tokens);
    free(j->think.open);
    free(j->think.close);
    free(j->scorer);
    free(j->options);
    memset(j, 0, sizeof *j);
}

/* ---- units ---- */

void unit_encode(const struct unit *u, struct px_buf *out)
{
    px_buf_u8(out, UNIT_TAG);
    px_buf_u8(out, LAYOUT);
    codec_put_digest(out, &u->key);
    px_buf_cstr(out, u->problem);
    px_buf_u32(out, u->sample);
    px_buf_u32(out, u->turn);
    codec_put_u32s(out, u->prompt, u->n_prompt);
    px_buf_u32(out, u->n_choices);
    for (uint32_t i = 0; i < u->n_choices; i++) {
        codec_put_u32s(out, u->choices[i].tokens, u->choices[i].n_tokens);
        px_buf_u32(out, u->choices[i].n_skip);
        px_buf_u32(out, u->choices[i].n_bytes);
        px_buf_u32(out, u->choices[i].n_chars);
    }
    px_buf_cstr(out, u->problem_json);
    px_buf_blob(out, u->completion, u->n_completion);
}

static void get_choices(struct px_reader *r, struct unit *u)
{
    uint32_t n = codec_get_count(r, 16);
    if (n == 0)
        return;
    u->choices = px_xcalloc(n, sizeof *u->choices);
    u->n_choices = n;
    for (uint32_t i = 0; i < n && px_reader_ok(r); i++) {
        u->choices[i].tokens = codec_get_u32s(r, &u->choices[i].n_tokens);
        u->choices[i].n_skip = px_get_u32(r);
        u->choices[i].n_bytes = px_get_u32(r);
        u->choices[i].n_chars = px_get_u32(r);
    }
}

int unit_decode(const void *p, size_t n, struct unit *out, struct px_err *err)
{
    struct px_reader r;
    struct unit u = {0};
    px_reader_init(&r, p, n);
    if (n > UNIT_LIMIT || px_get_u8(&r) != UNIT_TAG || px_get_u8(&r) != LAYOUT)
        return px_fail(err, PX_EINPUT, "these %zu bytes are not a unit of layout %d", n, LAYOUT);
    u.key = codec_get_digest(&r);
    u.problem = codec_get_text(&r);
    u.sample = px_get_u32(&r);
    u.turn = px_get_u32(&r);
    u.prompt = codec_get_u32s(&r, &u.n_prompt);
    get_choices(&r, &u);
    u.problem_json = codec_get_text(&r);
    u.completion = codec_get_bytes(&r, &u.n_completion);
    if (!px_reader_end(&r)) {
        unit_clear(&u);
        return px_fail(err, PX_EINPUT, "a unit of %zu bytes is malformed", n);
    }
    *out = u;
    return 0;
}

void unit_clear(struct unit *u)
{
    free(u->problem);
    free(u->prompt);
    for (uint32_t i = 0; i < u->n_choices; i++)
        free(u->choices[i].tokens);
    free(u->choices);
    free(u->problem_json);
    free(u->completion);
    memset(u, 0, sizeof *u);
}
