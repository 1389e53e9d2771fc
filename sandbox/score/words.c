/* words.c - word_tokenize in three passes over a sentence: marks, clitics, contractions. */
#include "sandbox/score/words.h"

#include <string.h>

#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/sentences.h"

#define NOWHERE ((size_t)-1)

static bool one_of(uint32_t c, const char *set)
{
    return c > 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

/* Quotation marks that are not ASCII. */
static bool fancy_quote(uint32_t c)
{
    return c == 0xAB || c == 0xBB || c == 0x2018 || c == 0x2019 || c == 0x201C || c == 0x201D ||
           c == 0x201E;
}

static bool word_at(struct span s, size_t at)
{
    return at < s.n && pystr_is_word(pystr_next(s, &at));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Where the sentence's final period is: behind something that is no period, with only closing
 * marks and white space after it. */
static size_t final_period(struct span s)
{
    size_t at = s.n;
    while (at > 0) {
        size_t before = at;
        uint32_t c = pystr_prev(s, &before);
        if (!pystr_is_space(c) && !one_of(c, "])}>\"'") && c != 0xBB && c != 0x201D && c != 0x2019)
            break;
        at = before;
    }
    return at > 1 && s.p[at - 1] == '.' && s.p[at - 2] != '.' ? at - 1 : NOWHERE;
}

static void apart(struct px_buf *b, struct span s, size_t from, size_t to)
{
    px_buf_char(b, ' ');
    px_buf_put(b, s.p + from, to - from);
    px_buf_char(b, ' ');
}

/* Bytes of a mark at `at` that stands alone, 0 when there is none. */
static size_t mark_at(struct span s, size_t at)
{
    size_t end = at;
    uint32_t c = pystr_next(s, &end);
    if (fancy_quote(c) || one_of(c, "\";@#$%&?!*[](){}<>"))
        return end - at;
    if (c == '`' || c == '.') {
        while (end < s.n && s.p[end] == (char)c)
            end++;
        return c == '`' || end - at > 1 ? end - at : 0;
    }
    if (c == '-' || c == '\'')
        return end < s.n && s.p[end] == (char)c ? 2 : 0;
    if (c == ':' || c == ',') {
        size_t next = end;
        return end < s.n && pystr_is_digit(pystr_next(s, &next)) ? 0 : 1;
    }
    return 0;
}

/* An apostrophe before a word of one letter that is no clitic: 'x. */
static bool opens_letter(struct span s, size_t at)
{
    size_t next = at + 1;
    if (s.p[at] != '\'' || !word_at(s, next))
        return false;
    char c = lower(s.p[next]);
    (void)pystr_next(s, &next);
    return !word_at(s, next) && !one_of((unsigned char)c, "mtsdn");
}

static void split_marks(struct span s, struct px_buf *b)
{
    size_t period = final_period(s);
    px_buf_char(b, ' ');
    for (size_t at = 0; at < s.n;) {
        size_t n = at == period ? 1 : mark_at(s, at);
        if (n > 0) {
            apart(b, s, at, at + n);
            at += n;
            continue;
        }
        bool opens = opens_letter(s, at);
        size_t from = at;
        (void)pystr_next(s, &at);
        px_buf_put(b, s.p + from, at - from);
        if (opens)
            px_buf_char(b, ' ');
    }
    px_buf_char(b, ' ');
}

/* Puts a space before each of the endings (longest first) that follows a letter and stands before
 * a space. */
static void split_clitics(struct span s, const char *const *endings, struct px_buf *b)
{
    for (size_t at = 0; at < s.n; at++) {
        bool after = at > 0 && s.p[at - 1] != '\'' && s.p[at - 1] != ' ';
        for (const char *const *e = endings; after && *e != NULL; e++) {
            size_t n = strlen(*e);
            if (s.n - at > n && memcmp(s.p + at, *e, n) == 0 && s.p[at + n] == ' ') {
                px_buf_char(b, ' ');
                break;
            }
        }
        px_buf_char(b, s.p[at]);
    }
}

struct contraction {
    const char *first, *second;
    char before; /* ' ': must stand behind a space; 0: behind no letter */
    char after;  /* ' ': must stand before white space; 0: before no letter */
};

static const struct contraction contractions[] = {
    {"can", "not", 0, 0}, {"d", "'ye", 0, 0},    {"gim", "me", 0, 0},
    {"gon", "na", 0, 0},  {"got", "ta", 0, 0},   {"lem", "me", 0, 0},
    {"more", "'n", 0, 0}, {"wan", "na", 0, ' '}, {NULL, NULL, 0, 0},
};
static const struct contraction later[] = {
    {"'t", "is", ' ', 0}, {"'t", "was", ' ', 0}, {NULL, NULL, 0, 0}};

static bool same_letters(struct span s, size_t at, const char *word)
{
    size_t n = strlen(word);
    if (s.n - at < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (lower(s.p[at + i]) != word[i])
            return false;
    return true;
}

static bool is_contraction(struct span s, size_t at, const struct contraction *c)
{
    size_t first = strlen(c->first), end = at + first + strlen(c->second), before = at, next;
    if (end > s.n || !same_letters(s, at, c->first) || !same_letters(s, at + first, c->second))
        return false;
    if (c->before != 0 ? at == 0 || s.p[at - 1] != ' '
                       : at > 0 && pystr_is_word(pystr_prev(s, &before)))
        return false;
    next = end;
    return c->after != 0 ? end < s.n && pystr_is_space(pystr_next(s, &next)) : !word_at(s, end);
}

static void split_contractions(struct span s, const struct contraction *list, struct px_buf *b)
{
    for (size_t at = 0; at < s.n;) {
        const struct contraction *hit = NULL;
        if (one_of((unsigned char)lower(s.p[at]), "cdglmw'"))
            for (const struct contraction *c = list; hit == NULL && c->first != NULL; c++)
                if (is_contraction(s, at, c))
                    hit = c;
        if (hit == NULL) {
            px_buf_char(b, s.p[at++]);
            continue;
        }
        size_t first = strlen(hit->first), second = strlen(hit->second);
        apart(b, s, at, at + first);
        px_buf_put(b, s.p + at + first, second);
        px_buf_char(b, ' ');
        at += first + second;
    }
}

struct walk {
    void (*each)(void *arg, struct span token);
    void *arg;
    struct px_buf a, b;
};

static struct span held(const struct px_buf *b)
{
    return (struct span){(const char *)b->data, b->len};
}

static void sentence(void *arg, struct span s)
{
    static const char *const short_ones[] = {"'s", "'S", "'m", "'M", "'d", "'D", "'", NULL};
    static const char *const long_ones[] = {"'ll", "'LL", "'re", "'RE", "'ve",
                                            "'VE", "n't", "N'T", NULL};
    struct walk *w = arg;
    px_buf_reset(&w->a);
    split_marks(s, &w->a);
    px_buf_reset(&w->b);
    split_clitics(held(&w->a), short_ones, &w->b);
    px_buf_reset(&w->a);
    split_clitics(held(&w->b), long_ones, &w->a);
    px_buf_reset(&w->b);
    split_contractions(held(&w->a), contractions, &w->b);
    px_buf_reset(&w->a);
    split_contractions(held(&w->b), later, &w->a);
    struct span rest = held(&w->a), token;
    while (pystr_word(&rest, &token))
        w->each(w->arg, token);
}

void words_each(struct span text, void (*each)(void *arg, struct span token), void *arg)
{
    struct walk w = {.each = each, .arg = arg};
    px_buf_init(&w.a, SIZE_MAX);
    px_buf_init(&w.b, SIZE_MAX);
    sentences_each(text, sentence, &w);
    px_buf_clear(&w.a);
    px_buf_clear(&w.b);
}
