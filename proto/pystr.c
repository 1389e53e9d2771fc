/* pystr.c - Python's str on bytes. See pystr.h. */
#include "proto/pystr.h"

#include <stdint.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pystr_tables.h"

enum { REPLACEMENT = 0xFFFD };

struct span pystr_of(const char *s)
{
    return (struct span){s, strlen(s)};
}

struct span pystr_slice(struct span s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (struct span){s.p + from, to - from};
}

/* Bytes of the sequence that b opens, and the range of its second byte; 0 for no opening byte. */
static unsigned sequence(unsigned char b, unsigned char *lo, unsigned char *hi)
{
    *lo = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
    *hi = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
    if (b < 0x80)
        return 1;
    if (b < 0xC2 || b > 0xF4)
        return 0;
    return b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

uint32_t pystr_next(struct span s, size_t *at)
{
    const unsigned char *p = (const unsigned char *)s.p + *at;
    size_t left = s.n - *at;
    unsigned char lo, hi;
    unsigned n = sequence(p[0], &lo, &hi);
    if (n <= 1) {
        *at += 1;
        return n == 1 ? p[0] : REPLACEMENT;
    }
    uint32_t c = p[0] & (0x7Fu >> n);
    for (unsigned i = 1; i < n; i++) {
        if (i >= left || p[i] < lo || p[i] > hi) {
            *at += i; /* what was well-formed so far is one replacement */
            return REPLACEMENT;
        }
        c = c << 6 | (p[i] & 0x3Fu);
        lo = 0x80;
        hi = 0xBF;
    }
    *at += n;
    return c;
}

/* Tries the longest sequence first, so that ill-formed tails are read as pystr_next reads them in
 * all but pathological splits; in well-formed text both agree. */
uint32_t pystr_prev(struct span s, size_t *at)
{
    size_t most = *at < 4 ? *at : 4;
    for (size_t n = most; n > 1; n--) {
        size_t i = *at - n;
        uint32_t c = pystr_next((struct span){s.p, *at}, &i);
        if (i == *at) {
            *at -= n;
            return c;
        }
    }
    *at -= 1;
    unsigned char b = (unsigned char)s.p[*at];
    return b < 0x80 ? b : REPLACEMENT;
}

void pystr_put(struct px_buf *b, uint32_t c)
{
    char u[4];
    size_t n = 0;
    if (c < 0x80) {
        u[n++] = (char)c;
    } else if (c < 0x800) {
        u[n++] = (char)(0xC0 | c >> 6);
        u[n++] = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        u[n++] = (char)(0xE0 | c >> 12);
        u[n++] = (char)(0x80 | (c >> 6 & 0x3F));
        u[n++] = (char)(0x80 | (c & 0x3F));
    } else {
        u[n++] = (char)(0xF0 | c >> 18);
        u[n++] = (char)(0x80 | (c >> 12 & 0x3F));
        u[n++] = (char)(0x80 | (c >> 6 & 0x3F));
        u[n++] = (char)(0x80 | (c & 0x3F));
    }
    px_buf_put(b, u, n);
}

size_t pystr_len(struct span s)
{
    size_t n = 0;
    for (size_t at = 0; at < s.n; n++)
        (void)pystr_next(s, &at);
    return n;
}

char *pystr_clean(struct span s, size_t *n)
{
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    for (size_t at = 0; at < s.n;)
        pystr_put(&b, pystr_next(s, &at));
    return px_buf_steal(&b, n);
}

/* ---- classes ---- */

static bool in_set(const struct pystr_range *r, unsigned n, uint32_t c)
{
    unsigned lo = 0, hi = n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (c < r[mid].first)
            hi = mid;
        else if (c > r[mid].last)
            lo = mid + 1;
        else
            return (c - r[mid].first) % r[mid].step == 0;
    }
    return false;
}

bool pystr_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

bool pystr_is_alnum(uint32_t c)
{
    return in_set(pystr_set_alnum, pystr_set_alnum_n, c);
}

bool pystr_is_word(uint32_t c)
{
    return c == '_' || pystr_is_alnum(c);
}

bool pystr_is_digit(uint32_t c)
{
    return in_set(pystr_set_digit, pystr_set_digit_n, c);
}

bool pystr_is_upper(uint32_t c)
{
    return in_set(pystr_set_upper, pystr_set_upper_n, c);
}

bool pystr_is_lower(uint32_t c)
{
    return in_set(pystr_set_lower, pystr_set_lower_n, c);
}

static bool is_title(uint32_t c)
{
    return in_set(pystr_set_title, pystr_set_title_n, c);
}

/* ---- ends ---- */

struct span pystr_lstrip(struct span s)
{
    size_t at = 0;
    while (at < s.n) {
        size_t next = at;
        if (!pystr_is_space(pystr_next(s, &next)))
            break;
        at = next;
    }
    return pystr_slice(s, at, s.n);
}

struct span pystr_rstrip(struct span s)
{
    while (s.n > 0) {
        size_t at = s.n;
        if (!pystr_is_space(pystr_prev(s, &at)))
            break;
        s.n = at;
    }
    return s;
}

struct span pystr_strip(struct span s)
{
    return pystr_rstrip(pystr_lstrip(s));
}

static bool one_of(char c, const char *ascii)
{
    return c != '\0' && strchr(ascii, c) != NULL;
}

struct span pystr_lstrip_of(struct span s, const char *ascii)
{
    size_t at = 0;
    while (at < s.n && one_of(s.p[at], ascii))
        at++;
    return pystr_slice(s, at, s.n);
}

struct span pystr_rstrip_of(struct span s, const char *ascii)
{
    while (s.n > 0 && one_of(s.p[s.n - 1], ascii))
        s.n--;
    return s;
}

struct span pystr_strip_of(struct span s, const char *ascii)
{
    return pystr_rstrip_of(pystr_lstrip_of(s, ascii), ascii);
}

bool pystr_blank(struct span s)
{
    return pystr_lstrip(s).n == 0;
}

/* ---- finding and splitting ---- */

bool pystr_equal(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool pystr_starts(struct span s, struct span with)
{
    return s.n >= with.n && pystr_equal(pystr_slice(s, 0, with.n), with);
}

bool pystr_ends(struct span s, struct span with)
{
    return s.n >= with.n && pystr_equal(pystr_slice(s, s.n - with.n, s.n), with);
}

size_t pystr_find(struct span s, struct span what, size_t from)
{
    if (from > s.n || s.n - from < what.n)
        return (size_t)-1;
    if (what.n == 0)
        return from;
    const char *hit = memmem(s.p + from, s.n - from, what.p, what.n);
    return hit != NULL ? (size_t)(hit - s.p) : (size_t)-1;
}

size_t pystr_count(struct span s, struct span what)
{
    size_t n = 0;
    for (size_t at = 0; (at = pystr_find(s, what, at)) != (size_t)-1; at += what.n)
        n++;
    return n;
}

bool pystr_word(struct span *rest, struct span *field)
{
    struct span s = pystr_lstrip(*rest);
    size_t at = 0;
    while (at < s.n) {
        size_t next = at;
        if (pystr_is_space(pystr_next(s, &next)))
            break;
        at = next;
    }
    *field = pystr_slice(s, 0, at);
    *rest = pystr_slice(s, at, s.n);
    return at > 0;
}

struct pystr_split pystr_split(struct span s, struct span sep)
{
    return (struct pystr_split){s, sep, false};
}

bool pystr_field(struct pystr_split *i, struct span *field)
{
    if (i->done)
        return false;
    size_t hit = pystr_find(i->rest, i->sep, 0);
    i->done = hit == (size_t)-1;
    *field = pystr_slice(i->rest, 0, hit);
    i->rest = pystr_slice(i->rest, i->done ? i->rest.n : hit + i->sep.n, i->rest.n);
    return true;
}

/* ---- case ---- */

struct folding {
    const struct pystr_shift *shift;
    unsigned n_shift;
    const struct pystr_many *many;
    unsigned n_many;
};

/* Appends what c becomes; false when the folding says nothing of it. */
static bool fold(const struct folding *f, uint32_t c, struct px_buf *b)
{
    for (unsigned lo = 0, hi = f->n_shift; lo < hi;) {
        unsigned mid = (lo + hi) / 2;
        const struct pystr_shift *r = &f->shift[mid];
        if (c < r->first) {
            hi = mid;
        } else if (c > r->last) {
            lo = mid + 1;
        } else {
            if ((c - r->first) % r->step != 0)
                break;
            pystr_put(b, (uint32_t)((int32_t)c + r->shift));
            return true;
        }
    }
    for (unsigned lo = 0, hi = f->n_many; lo < hi;) {
        unsigned mid = (lo + hi) / 2;
        const struct pystr_many *m = &f->many[mid];
        if (c < m->from) {
            hi = mid;
        } else if (c > m->from) {
            lo = mid + 1;
        } else {
            for (unsigned k = 0; k < 3 && m->to[k] != 0; k++)
                pystr_put(b, m->to[k]);
            return true;
        }
    }
    return false;
}

static bool is_cased(uint32_t c)
{
    return pystr_is_upper(c) || pystr_is_lower(c) || is_title(c);
}

static bool is_ignorable(uint32_t c)
{
    return in_set(pystr_set_ignorable, pystr_set_ignorable_n, c);
}

/* A capital sigma between from and to is final: after a cased letter and not before one, letters
 * that do not count left out. */
static bool final_sigma(struct span s, size_t from, size_t to)
{
    uint32_t c = 0;
    do {
        if (from == 0)
            return false;
        c = pystr_prev(s, &from);
    } while (is_ignorable(c));
    if (!is_cased(c))
        return false;
    while (to < s.n) {
        c = pystr_next(s, &to);
        if (!is_ignorable(c))
            return !is_cased(c);
    }
    return true;
}

static void put_lower(struct px_buf *b, struct span s, size_t *at)
{
    const struct folding f = {pystr_to_lower, pystr_to_lower_n, pystr_to_lower_many,
                              pystr_to_lower_many_n};
    size_t from = *at;
    uint32_t c = pystr_next(s, at);
    if (c < 0x80)
        px_buf_char(b, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
    else if (c == 0x3A3)
        pystr_put(b, final_sigma(s, from, *at) ? 0x3C2 : 0x3C3);
    else if (!fold(&f, c, b))
        pystr_put(b, c);
}

static void put_upper(struct px_buf *b, uint32_t c)
{
    const struct folding f = {pystr_to_upper, pystr_to_upper_n, pystr_to_upper_many,
                              pystr_to_upper_many_n};
    if (!fold(&f, c, b))
        pystr_put(b, c);
}

char *pystr_lower(struct span s, size_t *n)
{
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    for (size_t at = 0; at < s.n;)
        put_lower(&b, s, &at);
    return px_buf_steal(&b, n);
}

char *pystr_upper(struct span s, size_t *n)
{
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    for (size_t at = 0; at < s.n;)
        put_upper(&b, pystr_next(s, &at));
    return px_buf_steal(&b, n);
}

char *pystr_capitalize(struct span s, size_t *n)
{
    const struct folding title = {pystr_to_title, pystr_to_title_n, pystr_to_title_many,
                                  pystr_to_title_many_n};
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    size_t at = 0;
    if (s.n > 0) {
        uint32_t c = pystr_next(s, &at);
        if (!fold(&title, c, &b))
            put_upper(&b, c);
    }
    while (at < s.n)
        put_lower(&b, s, &at);
    return px_buf_steal(&b, n);
}

bool pystr_isupper(struct span s)
{
    bool any = false;
    for (size_t at = 0; at < s.n;) {
        uint32_t c = pystr_next(s, &at);
        if (pystr_is_lower(c) || is_title(c))
            return false;
        any = any || pystr_is_upper(c);
    }
    return any;
}

bool pystr_islower(struct span s)
{
    bool any = false;
    for (size_t at = 0; at < s.n;) {
        uint32_t c = pystr_next(s, &at);
        if (pystr_is_upper(c) || is_title(c))
            return false;
        any = any || pystr_is_lower(c);
    }
    return any;
}

char *pystr_replace(struct span s, struct span what, struct span with, size_t *n)
{
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    struct pystr_split i = pystr_split(s, what);
    struct span f;
    for (bool first = true; pystr_field(&i, &f); first = false) {
        if (!first)
            px_buf_put(&b, with.p, with.n);
        px_buf_put(&b, f.p, f.n);
    }
    return px_buf_steal(&b, n);
}
