/* text.c - see text.h. Texts are valid UTF-8. */
#include "coordinator/task/text.h"

#include <stdint.h>

size_t text_code_points(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

size_t text_offset(const char *s, size_t n, size_t k)
{
    size_t i = 0;
    for (; i < n; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80 && k-- == 0)
            break;
    }
    return i;
}

/* Bytes of the white-space character that begins here, 0 when there is none. */
static size_t space_at(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    if (n == 0)
        return 0;
    if (u[0] < 0x80)
        return (u[0] >= 0x09 && u[0] <= 0x0d) || (u[0] >= 0x1c && u[0] <= 0x20);
    if (n >= 2 && u[0] == 0xc2)
        return u[1] == 0x85 || u[1] == 0xa0 ? 2 : 0;
    if (n < 3 || u[0] < 0xe1 || u[0] > 0xe3)
        return 0;
    uint32_t c = (uint32_t)(u[0] & 15) << 12 | (uint32_t)(u[1] & 63) << 6 | (u[2] & 63);
    bool space = c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
                 c == 0x202f || c == 0x205f || c == 0x3000;
    return space ? 3 : 0;
}

bool text_begins_with_space(const char *s, size_t n)
{
    return space_at(s, n) > 0;
}

static size_t space_before_end(const char *s, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        if (space_at(s + n - k, k) == k)
            return k;
    }
    return 0;
}

bool text_ends_with_space(const char *s, size_t n)
{
    return space_before_end(s, n) > 0;
}

void text_strip(const char **s, size_t *n)
{
    size_t k;
    while ((k = space_at(*s, *n)) > 0) {
        *s += k;
        *n -= k;
    }
    while ((k = space_before_end(*s, *n)) > 0)
        *n -= k;
}
