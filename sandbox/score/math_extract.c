/* math_extract.c - the part of a completion that answers a mathematical question. */
#include "sandbox/score/math_extract.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_norm.h"
#include "sandbox/score/math_tree.h"

#define NOWHERE ((size_t)-1)

static struct span none(void)
{
    return (struct span){NULL, 0};
}

static struct span cut(struct span s, size_t from, size_t to)
{
    return (struct span){s.p + from, to - from};
}

/* What a model makes up when it goes on is not its answer. */
static struct span before_next_problem(struct span s)
{
    bool any = false;
    for (struct span rest = s; rest.n > 0;) {
        const char *start = rest.p;
        struct span line = text_line(rest, &rest);
        if (any && (text_starts(line, "Problem:") || text_starts(line, "Question:")))
            return (struct span){s.p, (size_t)(start - s.p)};
        any = any || !text_is_blank(line);
    }
    return s;
}

/* A sentence without its end and what is wrapped around it. */
static struct span tidy(struct span s)
{
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '.' && (s.p[i + 1] == ' ' || s.p[i + 1] == '*'))
            s.n = i;
    for (struct span before = none(); before.n != s.n || before.p == NULL;) {
        before = s = text_trim(s);
        while (s.n > 0 && strchr("*:_", s.p[0]) != NULL && s.p[0] != '\0')
            s = cut(s, 1, s.n);
        while (s.n > 0 && strchr("*.,", s.p[s.n - 1]) != NULL && s.p[s.n - 1] != '\0')
            s.n--;
    }
    return s;
}

/* The first $ from `at` on that is no \$. */
static size_t dollar(struct span s, size_t at)
{
    for (; at < s.n; at++)
        if (s.p[at] == '$' && (at == 0 || s.p[at - 1] != '\\'))
            return at;
    return NOWHERE;
}

/* "$24$ because ..." -> $24$; "$1$ and $2$" as it stands. */
static struct span first_formula(struct span s)
{
    size_t end = s.n > 0 && s.p[0] == '$' ? dollar(s, 1) : NOWHERE;
    if (end == NOWHERE)
        return s;
    size_t n = end + 1;
    struct span rest = text_trim(cut(s, n, s.n));
    bool more = text_starts(rest, "and ") || text_starts(rest, "or ") || text_starts(rest, ",");
    return more ? s : cut(s, 0, n);
}

static struct span by_box(struct span s)
{
    return math_boxed(s, false);
}

static struct span by_sentence(struct span s)
{
    struct span found = math_sentence(s, false);
    return found.p == NULL ? found : first_formula(tidy(found));
}

static struct span by_phrase(struct span s)
{
    static const char *const phrases[] = {"answer is", "answer:"};
    size_t best = NOWHERE;
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++) {
        size_t at = text_find_last(s, phrases[i], true);
        if (at != NOWHERE && (best == NOWHERE || at + strlen(phrases[i]) > best))
            best = at + strlen(phrases[i]);
    }
    struct span rest;
    if (best == NOWHERE)
        return none();
    return first_formula(tidy(text_line(cut(s, best, s.n), &rest)));
}

/* $24$ -> 24; several formulas stay as they are. */
static struct span unfenced(struct span s)
{
    s = text_trim(s);
    return s.n > 2 && s.p[0] == '$' && dollar(s, 1) == s.n - 1 ? text_trim(cut(s, 1, s.n - 1)) : s;
}

/* The last $ before `end` that is no \\$. */
static size_t last_dollar(struct span s, size_t end)
{
    while (end-- > 0)
        if (s.p[end] == '$' && (end == 0 || s.p[end - 1] != '\\'))
            return end;
    return NOWHERE;
}

/* The last of $...$, \(...\) and \[...\]. */
static struct span by_formula(struct span s)
{
    static const char *const fences[][2] = {{"\\(", "\\)"}, {"\\[", "\\]"}};
    struct span found = none();
    size_t end = last_dollar(s, s.n), start;
    while (end != NOWHERE && end > 0 && s.p[end - 1] == '$') /* $$...$$ */
        end--;
    if (end != NOWHERE && (start = last_dollar(s, end)) != NOWHERE)
        found = cut(s, start + 1, end);
    for (size_t i = 0; i < sizeof fences / sizeof fences[0]; i++) {
        end = text_find_last(s, fences[i][1], false);
        start = end == NOWHERE ? NOWHERE : text_find_last(cut(s, 0, end), fences[i][0], false);
        if (start != NOWHERE && (found.p == NULL || s.p + start > found.p))
            found = cut(s, start + 2, end);
    }
    if (found.p == NULL)
        return found;
    size_t eq = text_find_last(found, "=", false);
    return tidy(eq == NOWHERE ? found : cut(found, eq + 1, found.n));
}

void math_extract(struct span completion, struct extract *out)
{
    static const struct {
        const char *rule;
        struct span (*find)(struct span);
    } rules[] = {{"boxed", by_box},
                 {"final-answer", by_sentence},
                 {"answer-is", by_phrase},
                 {"formula", by_formula}};
    bool unclosed;
    struct span s = before_next_problem(text_answer(completion, &unclosed));
    memset(out, 0, sizeof *out);
    out->rule = "";
    if (unclosed) {
        out->unusable = VERDICT_OVERFLOW;
        return;
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct span found = rules[i].find(s);
        if (found.p == NULL || text_is_blank(found) || found.n > MATH_MAX_TEXT)
            continue;
        found = unfenced(found);
        out->text = px_xmemdup(found.p, found.n);
        out->n = found.n;
        out->rule = rules[i].rule;
        return;
    }
    if (text_find(s, "\\boxed") != NOWHERE)
        out->unusable = VERDICT_UNPARSED; /* the last box is open: cut off inside the answer */
    else
        numeric_extract(s, out);
}
