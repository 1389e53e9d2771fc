#include "proto/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

void px_buf_init(struct px_buf *b, size_t limit)
{
    memset(b, 0, sizeof *b);
    b->limit = limit;
}

void px_buf_clear(struct px_buf *b)
{
    free(b->data);
    px_buf_init(b, b->limit);
}

void px_buf_reset(struct px_buf *b)
{
    b->len = 0;
    b->overflow = false;
}

static bool reserve(struct px_buf *b, size_t n)
{
    if (b->overflow || n > b->limit || b->len > b->limit - n) {
        b->overflow = true;
        return false;
    }
    if (b->len + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < b->len + n + 1)
            cap *= 2;
        b->data = px_xrealloc(b->data, cap);
        b->cap = cap;
    }
    return true;
}

void px_buf_put(struct px_buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void px_buf_str(struct px_buf *b, const char *s)
{
    px_buf_put(b, s, strlen(s));
}

void px_buf_char(struct px_buf *b, char c)
{
    px_buf_put(b, &c, 1);
}

void px_buf_vprintf(struct px_buf *b, const char *fmt, va_list ap)
{
    char small[128]; /* most texts fit: they are formatted once */
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n >= 0 && (size_t)n < sizeof small) {
        px_buf_put(b, small, (size_t)n);
    } else if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void px_buf_printf(struct px_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    px_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void px_buf_u8(struct px_buf *b, uint8_t v)
{
    px_buf_put(b, &v, 1);
}

void px_buf_u16(struct px_buf *b, uint16_t v)
{
    uint8_t a[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
    px_buf_put(b, a, 2);
}

void px_store_u32(void *p, uint32_t v)
{
    uint8_t *a = p;
    for (int i = 0; i < 4; i++)
        a[i] = (uint8_t)(v >> (8 * i));
}

void px_store_u64(void *p, uint64_t v)
{
    uint8_t *a = p;
    for (int i = 0; i < 8; i++)
        a[i] = (uint8_t)(v >> (8 * i));
}

void px_buf_u32(struct px_buf *b, uint32_t v)
{
    uint8_t a[4];
    px_store_u32(a, v);
    px_buf_put(b, a, 4);
}

void px_buf_u64(struct px_buf *b, uint64_t v)
{
    uint8_t a[8];
    px_store_u64(a, v);
    px_buf_put(b, a, 8);
}

void px_buf_i64(struct px_buf *b, int64_t v)
{
    px_buf_u64(b, (uint64_t)v);
}

void px_buf_f32(struct px_buf *b, float v)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    px_buf_u32(b, u);
}

void px_buf_f64(struct px_buf *b, double v)
{
    uint64_t u;
    memcpy(&u, &v, 8);
    px_buf_u64(b, u);
}

void px_buf_blob(struct px_buf *b, const void *p, size_t n)
{
    px_assert(n <= UINT32_MAX);
    px_buf_u32(b, (uint32_t)n);
    px_buf_put(b, p, n);
}

void px_buf_cstr(struct px_buf *b, const char *s)
{
    px_buf_blob(b, s ? s : "", s ? strlen(s) : 0);
}

char *px_buf_steal(struct px_buf *b, size_t *len)
{
    if (!b->data)
        px_buf_put(b, "", 0);
    char *p = b->data ? (char *)b->data : px_xstrdup("");
    if (len)
        *len = b->len;
    px_buf_init(b, b->limit);
    return p;
}

void px_reader_init(struct px_reader *r, const void *p, size_t n)
{
    r->p = n > 0 ? p : ""; /* nothing may be NULL, and NULL knows no arithmetic */
    r->end = r->p + n;
    r->bad = false;
}

size_t px_reader_left(const struct px_reader *r)
{
    return (size_t)(r->end - r->p);
}

bool px_reader_ok(const struct px_reader *r)
{
    return !r->bad;
}

bool px_reader_end(const struct px_reader *r)
{
    return !r->bad && r->p == r->end;
}

const uint8_t *px_get_bytes(struct px_reader *r, size_t n)
{
    if (r->bad || n > px_reader_left(r)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint16_t px_load_u16(const void *p)
{
    const uint8_t *a = p;
    return (uint16_t)(a[0] | a[1] << 8);
}

uint32_t px_load_u32(const void *p)
{
    const uint8_t *a = p;
    return (uint32_t)a[0] | (uint32_t)a[1] << 8 | (uint32_t)a[2] << 16 | (uint32_t)a[3] << 24;
}

uint64_t px_load_u64(const void *p)
{
    const uint8_t *a = p;
    return (uint64_t)px_load_u32(a) | (uint64_t)px_load_u32(a + 4) << 32;
}

uint8_t px_get_u8(struct px_reader *r)
{
    const uint8_t *p = px_get_bytes(r, 1);
    return p ? *p : 0;
}

uint16_t px_get_u16(struct px_reader *r)
{
    const uint8_t *p = px_get_bytes(r, 2);
    return p ? px_load_u16(p) : 0;
}

uint32_t px_get_u32(struct px_reader *r)
{
    const uint8_t *p = px_get_bytes(r, 4);
    return p ? px_load_u32(p) : 0;
}

uint64_t px_get_u64(struct px_reader *r)
{
    const uint8_t *p = px_get_bytes(r, 8);
    return p ? px_load_u64(p) : 0;
}

int64_t px_get_i64(struct px_reader *r)
{
    return (int64_t)px_get_u64(r);
}

double px_get_f64(struct px_reader *r)
{
    uint64_t u = px_get_u64(r);
    double v;
    memcpy(&v, &u, 8);
    return v;
}

const uint8_t *px_get_blob(struct px_reader *r, uint32_t *len)
{
    uint32_t n = px_get_u32(r);
    const uint8_t *p = px_get_bytes(r, n);
    *len = p ? n : 0;
    return p ? p : (const uint8_t *)"";
}

char *px_get_cstr(struct px_reader *r)
{
    uint32_t n;
    const uint8_t *p = px_get_blob(r, &n);
    return px_xmemdup(p, n);
}
