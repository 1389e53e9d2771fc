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
        out->first_passed = tag == 'B' && px_reader_ok(&r);
        if (out->first_passed)
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
    out->class = (enum record_class) class;
    out->calls = calls;
    record_text(exception, n_exception, out->exception, sizeof out->exception);
    record_text(detail, n_detail, out->detail, sizeof out->detail);
}

char record_begun(const void *p, size_t n, char exception[104])
{
    struct px_reader r;
    px_reader_init(&r, p, n);
    exception[0] = '\0';
    (void)px_get_u32(&r);
    uint8_t kind = px_get_u8(&r);
    (void)px_get_u32(&r);
    /* ([name, ...], text, own): the list's first name is the class itself, '@' before its own */
    uint8_t tuple = px_get_u8(&r);
    uint32_t three = px_get_u32(&r);
    uint8_t list = px_get_u8(&r);
    uint32_t names = px_get_u32(&r);
    uint8_t string = px_get_u8(&r);
    uint32_t n_name;
    const uint8_t *name = px_get_blob(&r, &n_name);
    if (!px_reader_ok(&r) || (kind != 'X' && kind != 'M') || tuple != 't' || three != 3 ||
        list != 'l' || names == 0 || string != 's')
        return 0;
    bool own = n_name > 0 && name[0] == '@';
    record_text(name + own, n_name - own, exception, 104);
    return (char)kind;
}

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(const char **p, size_t *n)
{
    while (*n > 0 && blank((*p)[*n - 1]))
        (*n)--;
    while (*n > 0 && blank((*p)[0])) {
        (*p)++;
        (*n)--;
    }
}

/* Length of the first line without its trailing blanks; *next is what follows its newline. */
static size_t line(const char *p, size_t n, size_t *next)
{
    const char *end = memchr(p, '\n', n);
    size_t len = end != NULL ? (size_t)(end - p) : n;
    *next = end != NULL ? len + 1 : n;
    while (len > 0 && blank(p[len - 1]))
        len--;
    return len;
}

bool record_same_output(const char *got, size_t n_got, const char *want, size_t n_want)
{
    trim(&got, &n_got);
    trim(&want, &n_want);
    while (n_got > 0 && n_want > 0) {
        size_t step_got, step_want;
        size_t a = line(got, n_got, &step_got), b = line(want, n_want, &step_want);
        if (a != b || memcmp(got, want, a) != 0)
            return false;
        got += step_got;
        n_got -= step_got;
        want += step_want;
        n_want -= step_want;
    }
    return n_got == 0 && n_want == 0;
}
