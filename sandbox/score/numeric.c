/* numeric.c - the number that answers. Rules in order: marker (after the first ####), boxed (the
 * last \boxed{}), answer-line, answer-is, last-number. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/score.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number that starts at s.p[i]: digits, commas between them, one fraction. Its length, 0: none.
 */
static size_t number_at(struct span s, size_t i)
{
    size_t j = i;
    if (j < s.n && (s.p[j] == '-' || s.p[j] == '+'))
        j++;
    if (j < s.n && s.p[j] == '$') /* -$5 */
        j++;
    size_t digits = j;
    while (j < s.n && (digit(s.p[j]) || (s.p[j] == ',' && j > digits && j + 1 < s.n &&
                                         digit(s.p[j - 1]) && digit(s.p[j + 1]))))
        j++;
    bool whole = j > digits;
    if (j + 1 < s.n && s.p[j] == '.' && digit(s.p[j + 1])) {
        j++;
        while (j < s.n && digit(s.p[j]))
            j++;
        whole = true;
    }
    return whole ? j - i : 0;
}

static bool starts_number(struct span s, size_t i)
{
    if (i > 0 && (isalpha((unsigned char)s.p[i - 1]) || s.p[i - 1] == '_')) /* x1, v2 */
        return false;
    return true;
}

static struct span first_number(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        size_t n = starts_number(s, i) ? number_at(s, i) : 0;
        if (n > 0)
            return (struct span){s.p + i, n};
    }
    return (struct span){NULL, 0};
}

static struct span last_number(struct span s)
{
    struct span last = {NULL, 0};
    for (size_t i = 0; i < s.n;) {
        size_t n = starts_number(s, i) ? number_at(s, i) : 0;
        if (n > 0 && i > 0 && digit(s.p[i - 1]) && (s.p[i] == '-' || s.p[i] == '+')) {
            i++; /* 5-3: the sign is an operator */
            continue;
        }
        if (n > 0)
            last = (struct span){s.p + i, n};
        i += n > 0 ? n : 1;
    }
    return last;
}

/* -$1,234.50 -> -1234.5 */
static char *canonical(struct span s)
{
    char *out = px_xmalloc(s.n + 3); /* a sign, a zero before a bare fraction, NUL */
    size_t n = 0, at = 0;
    bool minus = false, fraction = false;
    for (; at < s.n && !digit(s.p[at]) && s.p[at] != '.'; at++)
        minus = minus || s.p[at] == '-';
    while (at + 1 < s.n && s.p[at] == '0' && (digit(s.p[at + 1]) || s.p[at + 1] == ','))
        at++;
    out[n++] = '-';
    if (at < s.n && s.p[at] == '.')
        out[n++] = '0';
    for (; at < s.n; at++) {
        fraction = fraction || s.p[at] == '.';
        if (s.p[at] != ',')
            out[n++] = s.p[at];
    }
    while (fraction && n > 1 && out[n - 1] == '0')
        n--;
    if (n > 1 && out[n - 1] == '.')
        n--;
    out[n] = '\0';
    bool zero = strcmp(out, "-0") == 0;
    if (!minus || zero)
        memmove(out, out + 1, n);
    return out;
}

char *numeric_gold(struct span answer)
{
    size_t at = text_find_last(answer, "####", false);
    struct span s = answer;
    if (at != (size_t)-1)
        s = (struct span){answer.p + at + 4, answer.n - at - 4};
    struct span n = at != (size_t)-1 ? first_number(s) : last_number(s);
    return n.n > 0 ? canonical(n) : NULL;
}

/* A model that goes on makes up the next question: what follows is not its answer. */
static struct span before_next_question(struct span s)
{
    static const char *const marks[] = {"Question:", "Q:", "Problem:"};
    bool any = false;
    for (struct span rest = s; rest.n > 0;) {
        const char *start = rest.p;
        struct span line = text_line(rest, &rest);
        for (size_t i = 0; any && i < sizeof marks / sizeof marks[0]; i++)
            if (text_starts(line, marks[i]))
                return (struct span){s.p, (size_t)(start - s.p)};
        any = any || !text_is_blank(line);
    }
    return s;
}

static struct span by_marker(struct span s)
{
    size_t at = text_find(s, "####");
    struct span rest;
    if (at == (size_t)-1)
        return (struct span){NULL, 0};
    return first_number(text_line((struct span){s.p + at + 4, s.n - at - 4}, &rest));
}

static struct span by_box(struct span s)
{
    static const char open[] = "\\boxed{";
    size_t at = text_find_last(s, open, false);
    if (at == (size_t)-1)
        return (struct span){NULL, 0};
    size_t from = at + sizeof open - 1, i = from;
    for (int depth = 1; i < s.n && depth > 0; i++)
        depth += s.p[i] == '{' ? 1 : s.p[i] == '}' ? -1 : 0;
    return last_number((struct span){s.p + from, i - from});
}

/* The last line that begins with "A:", "Answer:" or "Final answer:". */
static struct span by_line(struct span s)
{
    static const char *const heads[] = {"A:", "Answer:", "Final answer:", "Final Answer:"};
    struct span found = {NULL, 0};
    while (s.n > 0) {
        struct span line = text_trim(text_line(s, &s));
        while (line.n > 0 && (line.p[0] == '*' || line.p[0] == '#' || line.p[0] == ' '))
            line = (struct span){line.p + 1, line.n - 1};
        for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
            size_t n = strlen(heads[i]);
            if (!text_starts(line, heads[i]))
                continue;
            struct span number = first_number((struct span){line.p + n, line.n - n});
            if (number.n > 0)
                found = number;
        }
    }
    return found;
}

static struct span by_phrase(struct span s)
{
    static const char *const phrases[] = {"answer is", "answer:", "final answer"};
    size_t best = (size_t)-1, skip = 0;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        size_t at = text_find_last(s, phrases[i], true);
        if (at != (size_t)-1 && (best == (size_t)-1 || at > best)) {
            best = at;
            skip = strlen(phrases[i]);
        }
    }
    struct span rest;
    if (best == (size_t)-1)
        return (struct span){NULL, 0};
    return first_number(text_line((struct span){s.p + best + skip, s.n - best - skip}, &rest));
}

void numeric_extract(struct span completion, struct extract *out)
{
    static const struct {
        const char *rule;
        struct span (*find)(struct span);
    } rules[] = {{"marker", by_marker},
                 {"boxed", by_box},
                 {"answer-line", by_line},
                 {"answer-is", by_phrase},
                 {"last-number", last_number}};
    memset(out, 0, sizeof *out);
    out->rule = "";
    bool unclosed;
    struct span s = before_next_question(text_answer(completion, &unclosed));
    if (unclosed) {
        out->unusable = VERDICT_OVERFLOW;
        return;
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct span n = rules[i].find(s);
        if (n.n == 0)
            continue;
        out->text = canonical(n);
        out->n = strlen(out->text);
        out->rule = rules[i].rule;
        return;
    }
    out->unusable = VERDICT_UNPARSED;
}
