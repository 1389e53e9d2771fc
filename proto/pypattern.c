/* pypattern.c - from Python's regular expressions to PCRE2's. See pypattern.h. */
#include "proto/pypattern.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "proto/buf.h"
#include "proto/json.h"

/* Members of sets. str.isspace of Python; PCRE2's \s lacks U+001C to U+001F and has U+180E. */
#define SPACE                                                                                      \
    "\\t-\\r\\x1c-\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"      \
    "\\x{205f}\\x{3000}"
#define NOT_SPACE                                                                                  \
    "\\x00-\\x08\\x0e-\\x1b\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"       \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                 \
    "\\x{3001}-\\x{10ffff}"
/* str.isalnum or "_"; later versions of PCRE2 count marks and all connectors as \w. */
#define WORD "_\\p{L}\\p{N}"
#define NOT_WORD                                                                                   \
    "\\p{M}\\p{S}\\p{Z}\\p{C}\\p{Pd}\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}\\p{Po}\\x{203f}\\x{2040}\\x{"     \
    "2054}"                                                                                        \
    "\\x{fe33}\\x{fe34}\\x{fe4d}-\\x{fe4f}\\x{ff3f}"

struct translation {
    const char *p;
    size_t n, at;
    bool properties;
    struct px_buf out;
    struct px_err *err;
};

static int bad(struct translation *t, const char *what)
{
    return px_fail(t->err, PX_EINPUT, "regular expression: %s at character %zu", what, t->at);
}

/* The byte `ahead` of the current one, 0 behind the end. */
static char peek(const struct translation *t, size_t ahead)
{
    return t->at + ahead < t->n ? t->p[t->at + ahead] : '\0';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

/* \xHH \uHHHH \UHHHHHHHH, t->at at the backslash. */
static int put_code(struct translation *t, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        if (!is_hex(peek(t, 2 + i)))
            return bad(t, "an incomplete escape");
    px_buf_str(&t->out, "\\x{");
    px_buf_put(&t->out, t->p + t->at + 2, digits);
    px_buf_char(&t->out, '}');
    t->at += 2 + digits;
    return 0;
}

/* The set that a class escape stands for, NULL when c is none. */
static const char *class_set(char c)
{
    return c == 's'   ? SPACE
           : c == 'S' ? NOT_SPACE
           : c == 'w' ? WORD
           : c == 'W' ? NOT_WORD
           : c == 'd' ? "\\p{Nd}"
           : c == 'D' ? "\\P{Nd}"
                      : NULL;
}

/* An escape; inside a set or not. */
static int put_escape(struct translation *t, bool in_set)
{
    char c = peek(t, 1);
    if (t->at + 1 >= t->n)
        return bad(t, "a backslash at the end");
    if (c == 'x' || c == 'u' || c == 'U')
        return put_code(t, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    const char *set = class_set(c);
    if (set != NULL) {
        px_buf_printf(&t->out, in_set ? "%s" : "[%s]", set);
    } else if (c == 'v' || (c == 'b' && in_set)) {
        px_buf_str(&t->out, c == 'v' ? "\\x0b" : "\\x08");
    } else if (c == 'Z' && !in_set) {
        px_buf_str(&t->out, "\\z");
    } else if (c == 'B' && !in_set) { /* in Python 3.11 it never matches in the empty text */
        px_buf_str(&t->out, "(?:(?!\\A\\z)\\B)");
    } else if (is_letter(c) && !(c == 'p' && t->properties) &&
               strchr(in_set ? "ntrfa" : "ntrfaAb", c) == NULL) {
        return bad(t, "an escape that Python does not know");
    } else {
        px_buf_char(&t->out, '\\');
        px_buf_char(&t->out, c);
    }
    t->at += 2;
    return 0;
}

/* Is the member of a set at t->at a class like \w? It cannot end a range. */
static bool class_ahead(const struct translation *t, size_t ahead)
{
    return peek(t, ahead) == '\\' && class_set(peek(t, ahead + 1)) != NULL;
}

static int put_set(struct translation *t)
{
    px_buf_char(&t->out, '[');
    t->at++;
    if (peek(t, 0) == '^') {
        px_buf_char(&t->out, '^');
        t->at++;
    }
    for (bool first = true;; first = false) {
        if (t->at >= t->n)
            return bad(t, "a set that is not closed");
        char c = peek(t, 0);
        if (c == ']' && !first)
            break;
        bool class = class_ahead(t, 0);
        if (c == '\\') {
            if (put_escape(t, true) != 0)
                return -1;
        } else {
            if (c == '[' || c == ']')
                px_buf_char(&t->out, '\\');
            px_buf_char(&t->out, c);
            t->at++;
        }
        if (peek(t, 0) == '-' && peek(t, 1) != ']' && (class || class_ahead(t, 1)))
            return bad(t, "a bad range of characters");
    }
    px_buf_char(&t->out, ']');
    t->at++;
    return 0;
}

/* (?flags) and (?flags:...), t->at behind "(?". */
static int put_flags(struct translation *t)
{
    bool start = t->at == 2;
    size_t from = t->out.len;
    px_buf_str(&t->out, "(?");
    for (; strchr("imsu-", peek(t, 0)) != NULL && peek(t, 0) != '\0'; t->at++)
        if (peek(t, 0) != 'u')
            px_buf_char(&t->out, peek(t, 0));
    char end = peek(t, 0);
    if (end != ':' && end != ')')
        return bad(t, "a group or flag that is not supported");
    if (end == ')' && !start)
        return bad(t, "flags for the whole expression that do not stand at its start");
    px_buf_char(&t->out, end);
    if (t->out.len - from == 3 && end == ')') /* only u, which says nothing */
        t->out.len = from;
    t->at++;
    return 0;
}

/* t->at at an opening parenthesis. */
static int put_group(struct translation *t)
{
    static const char *const known[] = {"(?:",  "(?P<", "(?P=", "(?=", "(?!",
                                        "(?<=", "(?<!", "(?>",  "(?("};
    if (peek(t, 1) == '*')
        return bad(t, "nothing to repeat");
    if (peek(t, 1) != '?') {
        px_buf_char(&t->out, '(');
        t->at++;
        return 0;
    }
    if (peek(t, 2) == '#') {
        while (t->at < t->n && t->p[t->at] != ')')
            t->at++;
        if (t->at >= t->n)
            return bad(t, "a comment that is not closed");
        t->at++;
        return 0;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i]);
        if (t->n - t->at >= n && memcmp(t->p + t->at, known[i], n) == 0) {
            px_buf_put(&t->out, known[i], n);
            t->at += n;
            return 0;
        }
    }
    t->at += 2;
    return put_flags(t);
}

/* {,n} means {0,n}; everything else is the same in both languages. */
static void put_brace(struct translation *t)
{
    size_t i = 2;
    px_buf_char(&t->out, '{');
    if (peek(t, 1) == ',') {
        while (peek(t, i) >= '0' && peek(t, i) <= '9')
            i++;
        if (peek(t, i) == '}')
            px_buf_char(&t->out, '0');
    }
    t->at++;
}

static int translate(struct translation *t)
{
    while (t->at < t->n) {
        char c = t->p[t->at];
        int rc = 0;
        if (c == '\\') {
            rc = put_escape(t, false);
        } else if (c == '[') {
            rc = put_set(t);
        } else if (c == '(') {
            rc = put_group(t);
        } else if (c == '{') {
            put_brace(t);
        } else {
            px_buf_char(&t->out, c);
            t->at++;
        }
        if (rc != 0)
            return -1;
    }
    return 0;
}

static pcre2_code *compile(const struct px_buf *b, unsigned flags, struct px_err *err)
{
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_ALT_CIRCUMFLEX | PCRE2_AUTO_CALLOUT |
                       (flags & PYRE_IGNORECASE ? PCRE2_CASELESS : 0) |
                       (flags & PYRE_MULTILINE ? PCRE2_MULTILINE : 0) |
                       (flags & PYRE_DOTALL ? PCRE2_DOTALL : 0);
    pcre2_compile_context *ctx = pcre2_compile_context_create(NULL);
    int code;
    PCRE2_SIZE at;
    if (ctx == NULL) {
        px_fail(err, PX_ELIMIT, "regular expression: out of memory");
        return NULL;
    }
    pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)(b->data != NULL ? (const char *)b->data : ""),
                                   b->len, options, &code, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (re == NULL) {
        PCRE2_UCHAR words[200];
        pcre2_get_error_message(code, words, sizeof words);
        px_fail(err, PX_EINPUT, "regular expression: %s (after \"%.*s\")", (const char *)words,
                (int)(at < 60 ? at : 60),
                b->data == NULL ? "" : (const char *)b->data + (at < 60 ? 0 : at - 60));
        return NULL;
    }
    uint32_t groups = 0;
    pcre2_pattern_info(re, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups < PYPATTERN_GROUPS)
        return re;
    pcre2_code_free(re);
    px_fail(err, PX_ELIMIT, "regular expression: %u groups, at most %d can be used", groups,
            PYPATTERN_GROUPS - 1);
    return NULL;
}

struct pcre2_real_code_8 *pypattern_compile(const char *pattern, size_t n, unsigned flags,
                                            struct px_err *err)
{
    struct translation t = {
        .p = pattern, .n = n, .properties = flags & PYRE_PROPERTIES, .err = err};
    pcre2_code *re = NULL;
    if (n > PYPATTERN_BYTES || !px_utf8_valid(pattern, n)) {
        px_fail(err, PX_EINPUT, "regular expression: %s",
                n > PYPATTERN_BYTES ? "longer than 16,384 bytes" : "not UTF-8");
        return NULL;
    }
    px_buf_init(&t.out, PYPATTERN_BYTES * 128);
    if (translate(&t) == 0)
        re = compile(&t.out, flags, err);
    px_buf_clear(&t.out);
    return re;
}

int pypattern_check(const char *pattern, size_t n, unsigned flags, struct px_err *err)
{
    pcre2_code *re = pypattern_compile(pattern, n, flags, err);
    if (re == NULL)
        return -1;
    pcre2_code_free(re);
    return 0;
}
