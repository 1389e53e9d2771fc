#include "proto/wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/json.h"
#include "proto/mem.h"

static const char magic[4] = {'P', 'R', 'C', 'T'};

const char *wire_kind_name(enum wire_kind k)
{
    static const char *const names[WIRE_N_KINDS] = {
        "?",    "HELLO", "WELCOME", "REFUSED", "READY", "WORK", "DONE", "ACK",
        "FAIL", "BEAT",  "RETRACT", "STATUS",  "DRAIN", "BYE",  "GET",  "PUT"};
    return k > 0 && k < WIRE_N_KINDS ? names[k] : names[0];
}

#define K(kind) (1u << WIRE_##kind)
#define TEXT(f, json, kinds)                                                                       \
    {                                                                                              \
        json, WIRE_TEXT, offsetof(struct wire_msg, f), kinds                                       \
    }
#define INT(f, json, kinds)                                                                        \
    {                                                                                              \
        json, WIRE_INT, offsetof(struct wire_msg, f), kinds                                        \
    }
#define BOOL(f, json, kinds)                                                                       \
    {                                                                                              \
        json, WIRE_BOOL, offsetof(struct wire_msg, f), kinds                                       \
    }

const struct wire_field wire_fields[] = {
    TEXT(id, "id", K(HELLO) | K(WELCOME)),
    TEXT(program, "program", K(HELLO)),
    TEXT(host, "host", K(HELLO)),
    INT(pid, "pid", K(HELLO)),
    INT(roles, "roles", K(HELLO)),
    INT(cores, "cores", K(HELLO)),
    TEXT(isa, "isa", K(HELLO)),
    INT(memory, "memory", K(HELLO)),
    INT(end_time_us, "end_time_us", K(HELLO)),
    TEXT(build, "build", K(HELLO) | K(WELCOME)),
    INT(numerics, "numerics", K(HELLO)),
    INT(credits, "credits", K(HELLO) | K(READY)),
    TEXT(reason, "reason", K(REFUSED) | K(DRAIN) | K(BYE)),
    INT(lease, "lease", K(WORK) | K(FAIL)),
    INT(job, "job", K(WORK)),
    INT(n, "n", K(HELLO) | K(WORK) | K(DONE) | K(ACK) | K(RETRACT)),
    BOOL(retryable, "retryable", K(FAIL)),
    TEXT(class_name, "class", K(FAIL)),
    TEXT(detail, "detail", K(FAIL)),
    BOOL(cancel, "cancel", K(RETRACT)),
    INT(progress, "progress", K(BEAT)),
    INT(rss, "rss", K(BEAT)),
    INT(held, "held", K(BEAT)),
    TEXT(progress_json, "run", K(STATUS)),
};
const unsigned wire_n_fields = sizeof wire_fields / sizeof *wire_fields;

unsigned wire_n_bodies(enum wire_kind k)
{
    static const uint8_t bodies[WIRE_N_KINDS] = {
        [WIRE_HELLO] = 1, [WIRE_WORK] = 2, [WIRE_DONE] = 1,
        [WIRE_ACK] = 1,   [WIRE_FAIL] = 1, [WIRE_RETRACT] = 1};
    return k < WIRE_N_KINDS ? bodies[k] : 0;
}

bool wire_may_be_bare(enum wire_kind k)
{
    return k == WIRE_HELLO || k == WIRE_BEAT || k == WIRE_STATUS;
}

static void *place(const struct wire_msg *m, const struct wire_field *f)
{
    return (char *)(uintptr_t)m + f->offset;
}

void wire_clear(struct wire_msg *m)
{
    for (unsigned i = 0; i < wire_n_fields; i++)
        if (wire_fields[i].type == WIRE_TEXT)
            free(*(char **)place(m, &wire_fields[i]));
    for (unsigned i = 0; i < WIRE_MAX_BODIES; i++)
        free(m->body[i]);
    memset(m, 0, sizeof *m);
}

/* ---- encoding ---- */

void wire_put_header(uint8_t out[WIRE_HEADER], enum wire_kind k)
{
    memcpy(out, magic, 4);
    out[4] = WIRE_VERSION & 0xff;
    out[5] = WIRE_VERSION >> 8;
    out[6] = (uint8_t)k;
    out[7] = 0;
}

void wire_put_json(const struct wire_msg *m, struct px_buf *out)
{
    char before = '{';
    for (unsigned i = 0; i < wire_n_fields; i++) {
        const struct wire_field *f = &wire_fields[i];
        if (m->bare || !(f->kinds >> m->kind & 1u))
            continue;
        px_buf_char(out, before);
        before = ',';
        px_buf_printf(out, "\"%s\":", f->name);
        if (f->type == WIRE_TEXT) {
            const char *s = *(char **)place(m, f);
            px_json_quote(out, s ? s : "", s ? strlen(s) : 0);
        } else if (f->type == WIRE_INT) {
            px_buf_printf(out, "%" PRId64, *(int64_t *)place(m, f));
        } else {
            px_buf_str(out, *(bool *)place(m, f) ? "true" : "false");
        }
    }
    px_buf_str(out, before == '{' ? "{}" : "}");
}

/* ---- decoding ---- */

int wire_get_header(const void *p, size_t n, enum wire_kind *kind, struct px_err *err)
{
    const uint8_t *h = p;
    if (n != WIRE_HEADER || memcmp(h, magic, 4) != 0)
        return px_fail(err, PX_EINPUT, "not a message of Proctor (%zu header bytes)", n);
    unsigned version = px_load_u16(h + 4);
    if (h[6] == 0 || h[6] >= WIRE_N_KINDS || h[7] != 0) {
        if (version == WIRE_VERSION)
            return px_fail(err, PX_EINPUT, "message of unknown kind %u", h[6]);
        *kind = WIRE_BYE;
        return px_fail(err, PX_EVERSION, "protocol version %u, this build speaks %d", version,
                       WIRE_VERSION);
    }
    *kind = (enum wire_kind)h[6];
    if (version != WIRE_VERSION)
        return px_fail(err, PX_EVERSION, "protocol version %u, this build speaks %d", version,
                       WIRE_VERSION);
    return 0;
}

static int get_field(struct json_object *o, const struct wire_field *f, struct wire_msg *m,
                     struct px_err *err)
{
    const char *text;
    struct json_object *v;
    switch (f->type) {
    case WIRE_TEXT:
        if (px_json_str(o, f->name, &text, err) != 0)
            return -1;
        *(char **)place(m, f) = px_xstrdup(text);
        return 0;
    case WIRE_INT:
        return px_json_int(o, f->name, place(m, f), err);
    case WIRE_BOOL:
        if (!json_object_object_get_ex(o, f->name, &v) ||
            !json_object_is_type(v, json_type_boolean))
            return px_fail(err, PX_EINPUT, "key '%s' is missing or not a boolean", f->name);
        *(bool *)place(m, f) = json_object_get_boolean(v);
        return 0;
    }
    return -1;
}

static int get_json(const struct wire_frame *frame, struct wire_msg *m, struct px_err *err)
{
    struct json_object *o = px_json_parse(frame->p, frame->n, err);
    if (!o)
        return -1;
    int rc = 0;
    if (!json_object_is_type(o, json_type_object))
        rc = px_fail(err, PX_EINPUT, "the JSON frame is not an object");
    for (unsigned i = 0; i < wire_n_fields && rc == 0; i++)
        if (wire_fields[i].kinds >> m->kind & 1u)
            rc = get_field(o, &wire_fields[i], m, err);
    json_object_put(o);
    return rc;
}

static bool is_bare(const struct wire_msg *m, const struct wire_frame *json)
{
    return wire_may_be_bare(m->kind) && json->n == 2 && memcmp(json->p, "{}", 2) == 0;
}

int wire_parse(const struct wire_frame *frames, unsigned n_frames, struct wire_msg *out,
               struct px_err *err)
{
    struct wire_msg m = {0};
    if (n_frames < 2)
        return px_fail(err, PX_EINPUT, "a message of %u frames", n_frames);
    if (wire_get_header(frames[0].p, frames[0].n, &m.kind, err) != 0)
        return -1;
    unsigned bodies = n_frames - 2;
    if (m.kind == WIRE_GET || m.kind == WIRE_PUT)
        return px_fail(err, PX_EUNSUPPORTED, "%s is reserved and not spoken by this version",
                       wire_kind_name(m.kind));
    m.bare = is_bare(&m, &frames[1]);
    if (bodies != (m.bare ? 0 : wire_n_bodies(m.kind)))
        return px_fail(err, PX_EINPUT, "%s with %u raw frames", wire_kind_name(m.kind), bodies);
    if (frames[1].n > WIRE_JSON_LIMIT)
        return px_fail(err, PX_ELIMIT, "%s with a JSON frame of %zu bytes", wire_kind_name(m.kind),
                       frames[1].n);
    for (unsigned i = 0; i < bodies; i++)
        if (frames[2 + i].n > WIRE_BODY_LIMIT)
            return px_fail(err, PX_ELIMIT, "%s with a raw frame of %zu bytes",
                           wire_kind_name(m.kind), frames[2 + i].n);
    if (!m.bare && get_json(&frames[1], &m, err) != 0) {
        px_wrap(err, "%s", wire_kind_name(m.kind));
        wire_clear(&m);
        return -1;
    }
    for (unsigned i = 0; i < bodies; i++) {
        m.body[i] = (uint8_t *)px_xmemdup(frames[2 + i].p, frames[2 + i].n);
        m.n_body[i] = frames[2 + i].n;
    }
    *out = m;
    return 0;
}

/* ---- bodies of several units ---- */

void wire_pack_unit(struct px_buf *out, uint32_t attempt, const void *unit, size_t n)
{
    px_buf_u32(out, attempt);
    px_buf_blob(out, unit, n);
}

void wire_pack_result(struct px_buf *out, uint64_t lease, const struct px_digest *key,
                      const void *rec, size_t n)
{
    px_buf_u64(out, lease);
    codec_put_digest(out, key);
    px_buf_blob(out, rec, n);
}

void wire_pack_key(struct px_buf *out, const struct px_digest *key)
{
    codec_put_digest(out, key);
}

static int check_count(int64_t n, size_t len, size_t least, struct px_err *err)
{
    if (n < 0 || n > WIRE_MAX_UNITS || (size_t)n > len / least)
        return px_fail(err, PX_EINPUT, "%" PRId64 " elements announced in %zu bytes", n, len);
    return 0;
}

/* Frees a when the body was not exactly what was announced. */
static int finish(const struct px_reader *r, void *a, void *out, struct px_err *err)
{
    if (!px_reader_end(r)) {
        free(a);
        return px_fail(err, PX_EINPUT, "a raw frame does not hold what its message announces");
    }
    *(void **)out = a;
    return 0;
}

int wire_unpack_units(const void *p, size_t len, int64_t n, struct wire_unit **out,
                      struct px_err *err)
{
    struct px_reader r;
    if (check_count(n, len, 8, err) != 0)
        return -1;
    struct wire_unit *a = px_xcalloc((size_t)n, sizeof *a);
    px_reader_init(&r, p, len);
    for (int64_t i = 0; i < n; i++) {
        a[i].attempt = px_get_u32(&r);
        a[i].p = px_get_blob(&r, &a[i].n);
    }
    return finish(&r, a, out, err);
}

int wire_unpack_results(const void *p, size_t len, int64_t n, struct wire_result **out,
                        struct px_err *err)
{
    struct px_reader r;
    if (check_count(n, len, 44, err) != 0)
        return -1;
    struct wire_result *a = px_xcalloc((size_t)n, sizeof *a);
    px_reader_init(&r, p, len);
    for (int64_t i = 0; i < n; i++) {
        a[i].lease = px_get_u64(&r);
        a[i].key = codec_get_digest(&r);
        a[i].p = px_get_blob(&r, &a[i].n);
    }
    return finish(&r, a, out, err);
}

int wire_unpack_keys(const void *p, size_t len, int64_t n, struct px_digest **out,
                     struct px_err *err)
{
    struct px_reader r;
    if (check_count(n, len, PX_DIGEST_SIZE, err) != 0)
        return -1;
    struct px_digest *a = px_xcalloc((size_t)n, sizeof *a);
    px_reader_init(&r, p, len);
    for (int64_t i = 0; i < n; i++)
        a[i] = codec_get_digest(&r);
    return finish(&r, a, out, err);
}
