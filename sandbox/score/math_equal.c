/* math_equal.c - two written answers: as texts, as words, as times of day, and then as trees. */
#include "sandbox/score/math_equal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_lex.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- peeling ---- */

static bool fenced(struct span s, const char *open, const char *close)
{
    size_t n = strlen(open), m = strlen(close);
    return s.n > n + m && memcmp(s.p, open, n) == 0 && memcmp(s.p + s.n - m, close, m) == 0;
}

/* \command{...} around everything: the } at the end closes its {. */
static bool whole_group(struct span s, const char *command)
{
    size_t n = strlen(command), depth = 0;
    if (!fenced(s, command, "}"))
        return false;
    for (size_t i = n - 1; i + 1 < s.n; i++) {
        depth += s.p[i] == '{';
        if (s.p[i] == '}' && --depth == 0)
            return false;
    }
    return true;
}

/* Without $...$, \(...\), \text{...} and the like around the whole, and without a final period. */
static struct span peel(struct span s)
{
    static const char *const fences[][2] = {{"$$", "$$"},   {"$", "$"},   {"\\(", "\\)"},
                                            {"\\[", "\\]"}, {"**", "**"}, {"`", "`"}};
    static const char *const groups[] = {"\\text{",   "\\textbf{", "\\mbox{",
                                         "\\boxed{",  "\\fbox{",   "\\mathrm{",
                                         "\\textrm{", "\\textit{", "\\text {"};
    for (bool more = true; more;) {
        more = false;
        s = text_trim(s);
        for (size_t i = 0; !more && i < sizeof fences / sizeof fences[0]; i++)
            if (fenced(s, fences[i][0], fences[i][1])) {
                size_t n = strlen(fences[i][0]);
                s = (struct span){s.p + n, s.n - 2 * n};
                more = true;
            }
        for (size_t i = 0; !more && i < sizeof groups / sizeof groups[0]; i++)
            if (whole_group(s, groups[i])) {
                size_t n = strlen(groups[i]);
                s = (struct span){s.p + n, s.n - n - 1};
                more = true;
            }
        if (!more && s.n > 1 && s.p[s.n - 1] == '.') {
            s.n--;
            more = true;
        }
    }
    return s;
}

/* ---- texts ---- */

/* Without layout. A space between two digits stays: 1 2 is not 12. Returns the length. */
static size_t compact(struct span s, char *out)
{
    static const char *const skipped[] = {"\\left", "\\right", "\\!", "\\,", "\\;", "\\:", "\\ "};
    size_t n = 0;
    bool space = false;
    for (size_t i = 0; i < s.n;) {
        struct span rest = {s.p + i, s.n - i};
        size_t skip = 0;
        for (size_t k = 0; skip == 0 && k < sizeof skipped / sizeof skipped[0]; k++) {
            size_t m = strlen(skipped[k]);
            if (text_starts(rest, skipped[k]) && !(k < 2 && m < rest.n && is_letter(rest.p[m])))
                skip = m;
        }
        if (skip > 0 || text_trim((struct span){rest.p, 1}).n == 0) {
            space = true;
            i += skip > 0 ? skip : 1;
            continue;
        }
        if (space && n > 0 &&
            ((is_digit(out[n - 1]) && is_digit(s.p[i])) ||
             (is_letter(out[n - 1]) && is_letter(s.p[i]))))
            out[n++] = ' ';
        space = false;
        out[n++] = s.p[i++];
    }
    return n;
}

static bool same_text(struct span a, struct span b)
{
    char x[MATH_MAX_TEXT * 2], y[MATH_MAX_TEXT * 2];
    size_t n = compact(a, x), m = compact(b, y);
    return n == m && memcmp(x, y, n) == 0;
}

/* Words in one writing: small letters, digits and the signs of times and lists. 0: no words. */
static size_t words(struct span s, char *out)
{
    static const char *const wrappers[] = {
        "\\text{", "\\textbf{", "\\mbox{", "\\mathrm{", "\\text {", "\\overline{", "}", "\\ ", "$"};
    size_t n = 0, run = 0, longest = 0;
    for (size_t i = 0; i < s.n;) {
        struct span rest = {s.p + i, s.n - i};
        size_t skip = 0;
        for (size_t k = 0; skip == 0 && k < sizeof wrappers / sizeof wrappers[0]; k++)
            if (text_starts(rest, wrappers[k]))
                skip = strlen(wrappers[k]);
        if (skip > 0) {
            i += skip;
            continue;
        }
        char c = s.p[i++];
        run = is_letter(c) ? run + 1 : c == '.' ? run : 0; /* p.m. is a word */
        longest = run > longest ? run : longest;
        bool inner = c == '.' && n > 0 && is_digit(out[n - 1]) && i < s.n && is_digit(s.p[i]);
        if (is_letter(c) || is_digit(c) || inner || strchr(":,-()", c) != NULL)
            out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        else if (c == '\0' || strchr(" \t\r\n.'\"", c) == NULL)
            return 0;
        if (c == '\0')
            return 0;
    }
    return longest >= 2 ? n : 0;
}

bool math_same_words(struct span a, struct span b)
{
    char x[MATH_MAX_TEXT], y[MATH_MAX_TEXT];
    if (a.n > MATH_MAX_TEXT || b.n > MATH_MAX_TEXT)
        return false;
    size_t n = words(a, x), m = words(b, y);
    return n > 0 && n == m && memcmp(x, y, n) == 0;
}

/* Nothing but letters, enough of them to be a word and no product: even, VW. */
static bool is_word(struct span s)
{
    bool capitals = true;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_letter(s.p[i]))
            return false;
        capitals = capitals && s.p[i] < 'a';
    }
    return (s.n >= 3 || (s.n == 2 && capitals)) && !math_is_function(s);
}

/* 4:30 p.m., 9 a.m. -> minutes from midnight; -1: no time of day. */
static int time_of_day(struct span s)
{
    char w[MATH_MAX_TEXT];
    size_t n = words(s, w), i = 0;
    int hour = 0, minute = 0;
    for (; i < n && i < 2 && is_digit(w[i]); i++)
        hour = 10 * hour + (w[i] - '0');
    if (i == 0 || hour < 1 || hour > 12)
        return -1;
    if (i < n && w[i] == ':') {
        if (i + 3 > n || !is_digit(w[i + 1]) || !is_digit(w[i + 2]))
            return -1;
        minute = 10 * (w[i + 1] - '0') + (w[i + 2] - '0');
        i += 3;
    }
    if (n != i + 2 || w[i + 1] != 'm' || (w[i] != 'a' && w[i] != 'p') || minute > 59)
        return -1;
    return hour % 12 * 60 + minute + (w[i] == 'p' ? 720 : 0);
}

static bool same_meaning(struct span a, struct span b)
{
    int t = time_of_day(a), u = time_of_day(b);
    if (t >= 0 || u >= 0)
        return t == u;
    if (is_word(a) || is_word(b))
        return math_same_words(a, b);
    struct math_tree *x = px_xmalloc(sizeof *x), *y = px_xmalloc(sizeof *y);
    bool yes = math_parse(a, x) && math_parse(b, y) ? math_same_tree(x, y) : math_same_words(a, b);
    free(x);
    free(y);
    return yes;
}

bool math_equal(struct span a, struct span b)
{
    a = text_trim(a);
    b = text_trim(b);
    if (a.n == 0 || b.n == 0)
        return false;
    if (a.n > MATH_MAX_TEXT || b.n > MATH_MAX_TEXT)
        return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
    a = peel(a);
    b = peel(b);
    if (a.n == 0 || b.n == 0)
        return false;
    return same_text(a, b) || same_meaning(a, b);
}
