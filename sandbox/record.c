/* record.c - the verdict pipe's bytes. */
#include "sandbox/record.h"

#include <string.h>

#include "proto/json.h"

static size_t char_bytes(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
}

void record_text(const void *p, size_t n, char *out, size_t size)
{
    const unsigned char *s = p;
    size_t k = 0;
    for (size_t i = 0; i < n;) {
        size_t w = char_bytes(s[i]);
        if (w > n - i || !px_utf8_valid((const char *)s + i, w))
            w = 1;
        if (k + w + 1 > size)
            break;
        if (w == 1)
            out[k] = s[i] < 0x20 || s[i] == 0x7f ? ' ' : s[i] >= 0x80 ? '?' : (char)s[i];
        else
            memcpy(out + k, s + i, w);
        k += w;
        i += w;
    }
    out[k] = '\0';
}

void record_decode(const void *p, size_t n, struct record *out)
{
    memset(out, 0, sizeof *out);
    struct px_reader r;
    px_reader_init(&r, p, n);
    uint8_t tag = px_get_u8(&r);
    if (tag == 'M' && px_reader_ok(&r)) {
        out->marked = true;
        tag = px_get_u8(&r);
    }
    uint8_t class = px_get_u8(&r);
    uint32_t calls = px_get_u32(&r), n_exception, n_detail;
    const uint8_t *exception = px_get_blob(&r, &n_exception);
    const uint8_t *detail = px_get_blob(&r, &n_detail);
    uint8_t end = px_get_u8(&r);
    if (!px_reader_end(&r) || tag != 'V' || end != '.' || class == RECORD_NONE ||
        class >= RECORD_CLASSES)
        return;
    out->class = (enum record_class)class;
    out->calls = calls;
    record_text(exception, n_exception, out->exception, sizeof out->exception);
    record_text(detail, n_detail, out->detail, sizeof out->detail);
}
