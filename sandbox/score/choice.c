/* choice.c - the best of several continuations, and letters by explicit patterns. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/score.h"

double choice_value(const struct choice_score *c, int kind)
{
    return c->logprob / (kind == 1 ? c->n_chars : kind == 2 ? c->n_bytes : 1);
}

uint32_t choice_best(const struct choice_score *c, uint32_t n, int kind)
{
    uint32_t best = 0;
    double top = 0;
    for (uint32_t i = 0; i < n; i++) {
        double x = choice_value(&c[i], kind);
        if (isnan(x)) /* as numpy.argmax: the first NaN counts as the maximum */
            return i;
        if (i == 0 || x > top) {
            best = i;
            top = x;
        }
    }
    return best;
}

/* The letter at s.p[0], alone or in brackets, not the beginning of a word; 0 when it is none. */
static char letter_at(struct span s, const char *letters)
{
    bool bracket = s.n > 0 && (s.p[0] == '(' || s.p[0] == '[');
    size_t i = bracket ? 1 : 0;
    if (i >= s.n || s.p[i] == '\0' || strchr(letters, s.p[i]) == NULL)
        return 0;
    if (i + 1 < s.n && (isalnum((unsigned char)s.p[i + 1]) || s.p[i + 1] == '_' ||
                        (unsigned char)s.p[i + 1] >= 0x80 || s.p[i + 1] == '\''))
        return 0;
    return s.p[i];
}

static char by_phrase(struct span s, const char *letters)
{
    static const char *const phrases[] = {"answer is", "answer:", "choice is", "option is"};
    size_t best = (size_t)-1, skip = 0;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        size_t at = text_find_last(s, phrases[i], true);
        if (at != (size_t)-1 && (best == (size_t)-1 || at > best)) {
            best = at;
            skip = strlen(phrases[i]);
        }
    }
    if (best == (size_t)-1)
        return 0;
    struct span rest = {s.p + best + skip, s.n - best - skip};
    while (rest.n > 0 && (isspace((unsigned char)rest.p[0]) || strchr(":*\"", rest.p[0]) != NULL) &&
           rest.p[0] != '\0') {
        rest.p++;
        rest.n--;
    }
    static const char *const fillers[] = {"option ", "choice ", "Option ", "Choice "};
    for (size_t i = 0; i < sizeof fillers / sizeof fillers[0]; i++)
        if (text_starts(rest, fillers[i])) {
            rest.p += strlen(fillers[i]);
            rest.n -= strlen(fillers[i]);
            break;
        }
    return letter_at(rest, letters);
}

static char by_box(struct span s, const char *letters)
{
    static const char open[] = "\\boxed{";
    size_t at = text_find_last(s, open, false);
    if (at == (size_t)-1)
        return 0;
    size_t k = at + sizeof open - 1;
    return letter_at((struct span){s.p + k, s.n - k}, letters);
}

/* The text begins with the letter and something that closes it: "B", "B.", "(B) because". */
static char leading(struct span s, const char *letters)
{
    struct span t = text_trim(s), rest;
    char c = letter_at(t, letters);
    if (c == 0)
        return 0;
    struct span line = text_trim(text_line(t, &rest));
    size_t i = t.p[0] == c ? 1 : 2;
    return line.n == i || (i < line.n && strchr(".):],", line.p[i]) != NULL) ? c : 0;
}

void letter_extract(struct span completion, const char *letters, struct extract *out)
{
    static const struct {
        const char *rule;
        char (*find)(struct span, const char *);
    } rules[] = {{"answer-is", by_phrase}, {"boxed", by_box}, {"leading", leading}};
    memset(out, 0, sizeof *out);
    out->rule = "";
    bool unclosed;
    struct span s = text_answer(completion, &unclosed);
    if (unclosed) {
        out->unusable = VERDICT_OVERFLOW;
        return;
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        char c = rules[i].find(s, letters);
        if (c == 0)
            continue;
        out->text = px_xmemdup(&c, 1);
        out->n = 1;
        out->rule = rules[i].rule;
        return;
    }
    out->unusable = VERDICT_UNPARSED;
}
