/* text.c - cutting a completion down to its answer. */
#include "sandbox/score/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* What tokenizers print for the ends of turns; none of them is part of an answer. */
static const char *const specials[] = {
    "<|im_end|>",    "<|im_start|>",    "<|endoftext|>", "<|eot_id|>",          "<|end_of_text|>",
    "<|end|>",       "<|user|>",        "<|assistant|>", "<|start_header_id|>", "<|eom_id|>",
    "<end_of_turn>", "<start_of_turn>", "</s>",          "<|fim_pad|>"};

static bool blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct span text_trim(struct span s)
{
    while (s.n > 0 && blank(s.p[s.n - 1]))
        s.n--;
    while (s.n > 0 && blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    return s;
}

bool text_is_blank(struct span s)
{
    return text_trim(s).n == 0;
}

bool text_starts(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

bool text_equals(struct span s, const char *word)
{
    return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

size_t text_find(struct span s, const char *word)
{
    const char *at = s.n == 0 ? NULL : memmem(s.p, s.n, word, strlen(word));
    return at == NULL ? (size_t)-1 : (size_t)(at - s.p);
}

size_t text_find_last(struct span s, const char *word, bool ignore_case)
{
    size_t n = strlen(word);
    for (size_t i = s.n >= n ? s.n - n + 1 : 0; i-- > 0;) {
        bool same =
            ignore_case ? strncasecmp(s.p + i, word, n) == 0 : memcmp(s.p + i, word, n) == 0;
        if (same)
            return i;
    }
    return (size_t)-1;
}

struct span text_line(struct span s, struct span *rest)
{
    const char *end = s.n == 0 ? NULL : memchr(s.p, '\n', s.n);
    struct span line = {s.p, end != NULL ? (size_t)(end - s.p) : s.n};
    size_t step = end != NULL ? line.n + 1 : s.n;
    *rest = (struct span){s.p == NULL ? NULL : s.p + step, s.n - step};
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static struct span cut_specials(struct span s)
{
    size_t first = s.n;
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        size_t at = text_find((struct span){s.p, first}, specials[i]);
        if (at < first)
            first = at;
    }
    return (struct span){s.p, first};
}

struct span text_answer(struct span all, bool *unclosed)
{
    static const char close[] = "</think>";
    struct span s = all;
    size_t at = text_find_last(s, close, false);
    *unclosed = at == (size_t)-1 && text_starts(text_trim(s), "<think>");
    if (at != (size_t)-1) {
        s.p += at + sizeof close - 1;
        s.n -= at + sizeof close - 1;
        while (s.n > 0 && (s.p[0] == '\n' || s.p[0] == '\r')) { /* blank lines, never an indent */
            s.p++;
            s.n--;
        }
    }
    return cut_specials(s);
}
