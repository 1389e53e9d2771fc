/* pyjson.c - a validator without recursion: open brackets are kept in a list. */
#include "sandbox/score/pyjson.h"

#include <stdint.h>
#include <string.h>

#include "proto/buf.h"

enum { MOST_DIGITS = 4300 };

struct parser {
    const char *p, *end;
    struct px_buf open; /* one byte per open bracket: '[' or '{' */
};

static void skip_space(struct parser *j)
{
    while (j->p < j->end && memchr(" \t\n\r", *j->p, 4) != NULL)
        j->p++;
}

static bool take(struct parser *j, char c)
{
    if (j->p == j->end || *j->p != c)
        return false;
    j->p++;
    return true;
}

static bool take_word(struct parser *j, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0)
        return false;
    j->p += n;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool escape(struct parser *j)
{
    if (j->p == j->end)
        return false;
    char c = *j->p++;
    if (c != 'u')
        return memchr("\"\\/bfnrt", c, 8) != NULL;
    for (int i = 0; i < 4; i++, j->p++)
        if (j->p == j->end || !is_hex(*j->p))
            return false;
    return true;
}

/* Behind the opening quote. */
static bool string(struct parser *j)
{
    while (j->p < j->end) {
        unsigned char c = (unsigned char)*j->p++;
        if (c == '"')
            return true;
        if (c < 0x20 || (c == '\\' && !escape(j)))
            return false;
    }
    return false;
}

static size_t digits(struct parser *j)
{
    const char *from = j->p;
    while (j->p < j->end && *j->p >= '0' && *j->p <= '9')
        j->p++;
    return (size_t)(j->p - from);
}

/* A fraction or exponent that is not complete does not belong to the number. */
static bool number(struct parser *j)
{
    (void)take(j, '-');
    size_t n = 1;
    if (!take(j, '0'))
        n = digits(j);
    if (n == 0)
        return false;
    const char *whole = j->p;
    if (take(j, '.') && digits(j) == 0)
        j->p = whole;
    const char *mantissa = j->p;
    if (take(j, 'e') || take(j, 'E')) {
        if (!take(j, '+'))
            (void)take(j, '-');
        if (digits(j) == 0)
            j->p = mantissa;
    }
    return n <= MOST_DIGITS || j->p > whole;
}

/* A value that holds no other. */
static bool scalar(struct parser *j)
{
    if (take(j, '"'))
        return string(j);
    return take_word(j, "null") || take_word(j, "true") || take_word(j, "false") ||
           take_word(j, "NaN") || take_word(j, "Infinity") || take_word(j, "-Infinity") ||
           number(j);
}

static bool key(struct parser *j)
{
    skip_space(j);
    if (!take(j, '"') || !string(j))
        return false;
    skip_space(j);
    return take(j, ':');
}

/* Opens brackets until a value in them is complete. */
static bool descend(struct parser *j)
{
    for (;;) {
        skip_space(j);
        if (take(j, '[')) {
            skip_space(j);
            if (take(j, ']'))
                return true;
            px_buf_char(&j->open, '[');
        } else if (take(j, '{')) {
            skip_space(j);
            if (take(j, '}'))
                return true;
            px_buf_char(&j->open, '{');
            if (!key(j))
                return false;
        } else {
            return scalar(j);
        }
    }
}

static bool document(struct parser *j)
{
    for (;;) {
        if (!descend(j))
            return false;
        for (;;) { /* behind a complete value */
            skip_space(j);
            if (j->open.len == 0)
                return j->p == j->end;
            char in = (char)j->open.data[j->open.len - 1];
            if (take(j, ',')) {
                if (in == '{' && !key(j))
                    return false;
                break;
            }
            if (!take(j, in == '{' ? '}' : ']'))
                return false;
            j->open.len--;
        }
    }
}

bool pyjson_valid(struct span s)
{
    struct parser j = {s.p, s.p + s.n, {0}};
    px_buf_init(&j.open, SIZE_MAX);
    bool ok = document(&j);
    px_buf_clear(&j.open);
    return ok;
}
