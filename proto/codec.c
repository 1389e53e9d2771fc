#include "proto/codec.h"

#include <math.h>
#include <string.h>

#include "proto/mem.h"

size_t codec_begin(struct px_buf *b)
{
    px_buf_u32(b, 0);
    return b->len;
}

void codec_end(struct px_buf *b, size_t at)
{
    if (!b->overflow)
        px_store_u32(b->data + at - 4, (uint32_t)(b->len - at));
}

struct px_reader codec_section(struct px_reader *r)
{
    struct px_reader s;
    uint32_t n;
    const uint8_t *p = px_get_blob(r, &n);
    px_reader_init(&s, p, n);
    s.bad = r->bad;
    return s;
}

void codec_put_digest(struct px_buf *b, const struct px_digest *d)
{
    px_buf_put(b, d->b, PX_DIGEST_SIZE);
}

struct px_digest codec_get_digest(struct px_reader *r)
{
    struct px_digest d = {{0}};
    const uint8_t *p = px_get_bytes(r, PX_DIGEST_SIZE);
    if (p)
        memcpy(d.b, p, PX_DIGEST_SIZE);
    return d;
}

void codec_put_u32s(struct px_buf *b, const uint32_t *v, uint32_t n)
{
    px_buf_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        px_buf_u32(b, v[i]);
}

uint32_t *codec_get_u32s(struct px_reader *r, uint32_t *n)
{
    *n = codec_get_count(r, 4);
    if (*n == 0)
        return NULL;
    uint32_t *v = px_xcalloc(*n, sizeof *v);
    for (uint32_t i = 0; i < *n; i++)
        v[i] = px_get_u32(r);
    return v;
}

void *codec_get_bytes(struct px_reader *r, uint32_t *n)
{
    const uint8_t *p = px_get_blob(r, n);
    return r->bad ? NULL : px_xmemdup(p, *n);
}

char *codec_get_text(struct px_reader *r)
{
    uint32_t n;
    const uint8_t *p = px_get_blob(r, &n);
    if (r->bad || memchr(p, 0, n)) {
        r->bad = true;
        return NULL;
    }
    return px_xmemdup(p, n);
}

uint32_t codec_get_count(struct px_reader *r, uint32_t least)
{
    uint32_t n = px_get_u32(r);
    if (r->bad || n > px_reader_left(r) / least) {
        r->bad = true;
        return 0;
    }
    return n;
}

int codec_get_enum(struct px_reader *r, int lo, int hi)
{
    int v = px_get_u8(r);
    if (r->bad || v < lo || v > hi) {
        r->bad = true;
        return lo;
    }
    return v;
}

bool codec_get_bool(struct px_reader *r)
{
    return codec_get_enum(r, 0, 1) == 1;
}

double codec_get_finite(struct px_reader *r)
{
    double v = px_get_f64(r);
    if (r->bad || !isfinite(v)) {
        r->bad = true;
        return 0;
    }
    return v;
}
