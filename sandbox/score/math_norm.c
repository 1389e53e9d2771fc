/* math_norm.c - boxes, sentences and the two string normalisations of published MATH scores. */
#include "sandbox/score/math_norm.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/mem.h"
#include "proto/pystr.h"

#define NOWHERE ((size_t)-1)

static struct span none(void)
{
    return (struct span){NULL, 0};
}

static struct span cut(struct span s, size_t from, size_t to)
{
    return (struct span){s.p + from, to - from};
}

static struct span until(struct span s, char c)
{
    const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
    return (struct span){s.p, at != NULL ? (size_t)(at - s.p) : s.n};
}

/* ---- boxes ---- */

/* From the first { at or after `from`: the index of the } that closes it. */
static size_t closing(struct span s, size_t from)
{
    size_t depth = 0;
    for (size_t i = from; i < s.n; i++) {
        if (s.p[i] == '{')
            depth++;
        else if (s.p[i] == '}' && depth > 0 && --depth == 0)
            return i;
    }
    return NOWHERE;
}

static struct span boxed_lm_eval(struct span s)
{
    static const char spaced[] = "\\boxed ", open[] = "\\boxed{";
    size_t at = text_find_last(s, spaced, false);
    if (at != NOWHERE)
        return until(cut(s, at + sizeof spaced - 1, s.n), '$');
    at = text_find_last(s, "\\boxed", false);
    if (at == NOWHERE || !text_starts(cut(s, at, s.n), open))
        return none();
    size_t end = closing(s, at);
    return end == NOWHERE ? none() : cut(s, at + sizeof open - 1, end);
}

/* The box whose command ends at `after`. One that is open: the text was cut off in its answer. */
static struct span box_at(struct span s, size_t after)
{
    while (after < s.n && s.p[after] == ' ')
        after++;
    if (after >= s.n)
        return none();
    if (s.p[after] == '{') {
        size_t close = closing(s, after);
        return close == NOWHERE ? none() : cut(s, after + 1, close);
    }
    return text_trim(until(until(cut(s, after, s.n), '$'), '\n'));
}

struct span math_boxed(struct span s, bool lm_eval)
{
    if (lm_eval)
        return boxed_lm_eval(s);
    size_t boxed = text_find_last(s, "\\boxed", false);
    size_t framed = text_find_last(s, "\\fbox", false);
    bool frame = boxed == NOWHERE || (framed != NOWHERE && framed > boxed);
    size_t at = frame ? framed : boxed;
    return at == NOWHERE ? none() : box_at(s, at + (frame ? 5 : 6));
}

/* ---- "Final Answer: The final answer is" ---- */

static size_t back_one(struct span s, size_t i) /* start of the UTF-8 character before i */
{
    i--;
    while (i > 0 && ((unsigned char)s.p[i] & 0xC0) == 0x80)
        i--;
    return i;
}

static struct span sentence_lm_eval(struct span s)
{
    static const char lead[] = "Final Answer: The final answer is",
                      tail[] = " I hope it is correct";
    char *joined = px_xmalloc(s.n + sizeof "I hope it is correct.");
    if (s.n > 0)
        memcpy(joined, s.p, s.n);
    memcpy(joined + s.n, "I hope it is correct.", sizeof "I hope it is correct.");
    struct span all = {joined, s.n + sizeof "I hope it is correct." - 1}, found = none();
    for (size_t from = 0; found.p == NULL;) {
        size_t at = text_find(cut(all, from, all.n), lead);
        if (at == NOWHERE)
            break;
        size_t start = from + at + sizeof lead - 1;
        struct span line = until(cut(all, start, all.n), '\n');
        from = start + line.n;
        for (size_t seek = 0; found.p == NULL && seek < line.n;) {
            size_t t = text_find(cut(line, seek, line.n), tail);
            if (t == NOWHERE)
                break;
            t += seek; /* one character stands before the tail and one behind it */
            if (t > 0 && t + sizeof tail - 1 < line.n)
                found = (struct span){s.p + start, back_one(line, t)};
            seek = t + 1;
        }
    }
    free(joined);
    return found.p != NULL ? pystr_strip(found) : found;
}

struct span math_sentence(struct span s, bool lm_eval)
{
    static const char lead[] = "final answer is";
    if (lm_eval)
        return sentence_lm_eval(s);
    size_t at = text_find_last(s, lead, true);
    if (at == NOWHERE)
        return none();
    struct span line = until(cut(s, at + sizeof lead - 1, s.n), '\n');
    size_t tail = text_find(line, "I hope it is correct");
    if (tail != NOWHERE)
        line.n = tail;
    line = text_trim(line);
    if (line.n > 0 && line.p[0] == ':')
        line = text_trim(cut(line, 1, line.n));
    if (line.n > 0 && line.p[line.n - 1] == '.')
        line.n--;
    return text_is_blank(line) ? none() : text_trim(line);
}

/* ---- working text ---- */

struct work {
    char *p; /* NUL-terminated */
    size_t n, cap;
};

static void work_put(struct work *w, const char *p, size_t n)
{
    if (w->n + n + 1 > w->cap) {
        w->cap = 2 * (w->n + n + 1);
        w->p = px_xrealloc(w->p, w->cap);
    }
    if (n > 0)
        memcpy(w->p + w->n, p, n);
    w->n += n;
    w->p[w->n] = '\0';
}

static struct work work_of(struct span s)
{
    struct work w = {0};
    work_put(&w, s.p, s.n);
    return w;
}

static void work_set(struct work *w, struct work *to)
{
    work_put(to, "", 0);
    free(w->p);
    *w = *to;
    *to = (struct work){0};
}

static struct span work_span(const struct work *w, size_t from)
{
    return (struct span){w->p + from, w->n - from};
}

/* str.replace: every occurrence, one pass from the left. */
static void replace(struct work *w, const char *old, const char *new)
{
    size_t at = text_find(work_span(w, 0), old), from = 0, n = strlen(old);
    struct work out = {0};
    if (at == NOWHERE)
        return;
    for (; at != NOWHERE; at = text_find(work_span(w, from), old)) {
        work_put(&out, w->p + from, at);
        work_put(&out, new, strlen(new));
        from += at + n;
    }
    work_put(&out, w->p + from, w->n - from);
    work_set(w, &out);
}

/* Bytes of the UTF-8 character at i (1 where it is none). */
static size_t char_len(const struct work *w, size_t i)
{
    unsigned char c = (unsigned char)w->p[i];
    size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    return i + n <= w->n ? n : 1;
}

/* ---- minerva_math ---- */

/* (.*?)($)(.*?)($)(.*) -> $ group 3 $, per line */
static void keep_first_formula(struct work *w)
{
    struct work out = {0};
    for (size_t i = 0; i <= w->n;) {
        struct span line = until(work_span(w, i), '\n'), first = until(line, '$');
        struct span rest = first.n < line.n ? cut(line, first.n + 1, line.n) : none();
        struct span inner = rest.p != NULL ? until(rest, '$') : none();
        if (rest.p != NULL && inner.n < rest.n) {
            work_put(&out, "$", 1);
            work_put(&out, inner.p, inner.n);
            work_put(&out, "$", 1);
        } else {
            work_put(&out, line.p, line.n);
        }
        i += line.n + 1;
        if (i <= w->n)
            work_put(&out, "\n", 1);
    }
    work_set(w, &out);
}

/* open(.*?)} -> what is between; greedy: up to the line's last }. Never across lines. */
static void unwrap(struct work *w, const char *open, bool greedy)
{
    struct work out = {0};
    size_t from = 0, n = strlen(open);
    for (;;) {
        size_t at = text_find(work_span(w, from), open);
        if (at == NOWHERE)
            break;
        size_t start = from + at + n;
        struct span line = until(work_span(w, start), '\n');
        const char *end = line.n == 0 ? NULL
                          : greedy    ? memrchr(line.p, '}', line.n)
                                      : memchr(line.p, '}', line.n);
        if (end == NULL) { /* no box of this line is closed */
            work_put(&out, w->p + from, start + line.n - from);
            from = start + line.n;
            continue;
        }
        work_put(&out, w->p + from, at);
        work_put(&out, line.p, (size_t)(end - line.p));
        from = (size_t)(end - w->p) + 1;
    }
    work_put(&out, w->p + from, w->n - from);
    work_set(w, &out);
}

/* word([^{])(.) -> word{1}{2}, or word([^{]) -> word{1} */
static void brace_arguments(struct work *w, const char *word, bool two)
{
    struct work out = {0};
    size_t from = 0, n = strlen(word);
    for (;;) {
        size_t at = text_find(work_span(w, from), word);
        if (at == NOWHERE)
            break;
        size_t a = from + at + n, b = a < w->n ? a + char_len(w, a) : a;
        bool match = a < w->n && w->p[a] != '{' && (!two || (b < w->n && w->p[b] != '\n'));
        work_put(&out, w->p + from, at + n);
        from = a;
        if (!match)
            continue;
        size_t end = two ? b + char_len(w, b) : b;
        work_put(&out, "{", 1);
        work_put(&out, w->p + a, b - a);
        work_put(&out, "}", 1);
        if (two) {
            work_put(&out, "{", 1);
            work_put(&out, w->p + b, end - b);
            work_put(&out, "}", 1);
        }
        from = end;
    }
    work_put(&out, w->p + from, w->n - from);
    work_set(w, &out);
}

static void drop_commas_of_digits(struct work *w)
{
    bool digits = false, other = false;
    for (size_t i = 0; i < w->n; i++) {
        digits = digits || (w->p[i] >= '0' && w->p[i] <= '9');
        other = other || !((w->p[i] >= '0' && w->p[i] <= '9') || w->p[i] == ',');
    }
    if (digits && !other)
        replace(w, ",", "");
}

char *math_normalise(struct span s, size_t *n)
{
    static const char *const substituted[][2] = {{"an ", ""},          {"a ", ""},
                                                 {".$", "$"},          {"\\$", ""},
                                                 {"\\ ", ""},          {" ", ""},
                                                 {"mbox", "text"},     {",\\text{and}", ","},
                                                 {"\\text{and}", ","}, {"\\text{m}", "\\text{}"}};
    static const char *const removed[] = {"square",       "ways",
                                          "integers",     "dollars",
                                          "mph",          "inches",
                                          "ft",           "hours",
                                          "km",           "units",
                                          "\\ldots",      "sue",
                                          "points",       "feet",
                                          "minutes",      "digits",
                                          "cents",        "degrees",
                                          "cm",           "gm",
                                          "pounds",       "meters",
                                          "meals",        "edges",
                                          "students",     "childrentickets",
                                          "multiples",    "\\text{s}",
                                          "\\text{.}",    "\\text{\ns}",
                                          "\\text{}^2",   "\\text{}^3",
                                          "\\text{\n}",   "\\text{}",
                                          "\\mathrm{th}", "^\\circ",
                                          "^{\\circ}",    "\\;",
                                          ",\\!",         "{,}",
                                          "\"",           "\\dots"};
    size_t at = s.n == 0 ? NOWHERE : text_find_last(s, "=", false);
    struct work w = work_of(at == NOWHERE ? s : cut(s, at + 1, s.n));
    for (size_t i = 0; i < sizeof substituted / sizeof substituted[0]; i++)
        replace(&w, substituted[i][0], substituted[i][1]);
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++)
        replace(&w, removed[i], "");
    keep_first_formula(&w);
    unwrap(&w, "\\text{", false);
    unwrap(&w, "\\textbf{", false);
    unwrap(&w, "\\overline{", false);
    unwrap(&w, "\\boxed{", true);
    brace_arguments(&w, "frac", true);
    brace_arguments(&w, "sqrt", false);
    replace(&w, "$", "");
    drop_commas_of_digits(&w);
    *n = w.n;
    return w.p;
}

/* ---- hendrycks_math ---- */

/* Everything from the unit on goes; false where there are two of them (an assertion fails). */
static bool drop_units(struct work *w)
{
    static const char unit[] = "\\text{ ";
    size_t at = text_find(work_span(w, 0), unit);
    if (at == NOWHERE)
        return true;
    if (text_find(work_span(w, at + sizeof unit - 1), unit) != NOWHERE)
        return false;
    w->n = at;
    w->p[at] = '\0';
    return true;
}

static void drop_short_left_side(struct work *w)
{
    const char *eq = memchr(w->p, '=', w->n);
    if (eq == NULL || memchr(eq + 1, '=', w->n - (size_t)(eq + 1 - w->p)) != NULL)
        return;
    size_t left = 0; /* characters, not bytes */
    for (const char *c = w->p; c < eq; c++)
        left += ((unsigned char)*c & 0xC0) != 0x80;
    if (left > 2)
        return;
    size_t from = (size_t)(eq + 1 - w->p);
    memmove(w->p, eq + 1, w->n - from + 1);
    w->n -= from;
}

/* \sqrtX -> \sqrt{X}; false where nothing follows. */
static bool brace_roots(struct work *w)
{
    static const char root[] = "\\sqrt";
    struct work out = {0};
    size_t from = 0;
    for (;;) {
        size_t at = text_find(work_span(w, from), root);
        if (at == NOWHERE)
            break;
        work_put(&out, w->p + from, at + sizeof root - 1);
        from += at + sizeof root - 1;
        if (from >= w->n || text_starts(work_span(w, from), root)) {
            free(out.p);
            return false;
        }
        if (w->p[from] == '{')
            continue;
        size_t n = char_len(w, from);
        work_put(&out, "{", 1);
        work_put(&out, w->p + from, n);
        work_put(&out, "}", 1);
        from += n;
    }
    work_put(&out, w->p + from, w->n - from);
    work_set(w, &out);
    return true;
}

/* \fracXY -> \frac{X}{Y}; false where nothing follows. A lone character stops the whole step. */
static bool brace_fractions(struct work *w)
{
    static const char frac[] = "\\frac";
    struct work out = {0};
    size_t at = text_find(work_span(w, 0), frac);
    if (at == NOWHERE)
        return true;
    work_put(&out, w->p, at);
    for (size_t i = at; i < w->n;) {
        size_t start = i + sizeof frac - 1;
        size_t next = start < w->n ? text_find(work_span(w, start), frac) : NOWHERE;
        size_t end = next == NOWHERE ? w->n : start + next;
        size_t one = start < end ? char_len(w, start) : 0;
        if (start >= end || (w->p[start] != '{' && start + one >= end)) {
            free(out.p);
            return start < end;
        }
        work_put(&out, frac, sizeof frac - 1);
        if (w->p[start] != '{') {
            size_t two = w->p[start + one] == '{' ? 0 : char_len(w, start + one);
            work_put(&out, "{", 1);
            work_put(&out, w->p + start, one);
            work_put(&out, "}", 1);
            if (two > 0) {
                work_put(&out, "{", 1);
                work_put(&out, w->p + start + one, two);
                work_put(&out, "}", 1);
            }
            start += one + two;
        }
        work_put(&out, w->p + start, end - start);
        i = end;
    }
    work_set(w, &out);
    return true;
}

/* What Python's int() takes; *same: and prints again letter for letter. */
static bool python_int(struct span s, bool *same)
{
    struct span t = text_trim(s);
    bool sign = t.n > 0 && (t.p[0] == '-' || t.p[0] == '+'), plain = t.n == s.n;
    if (sign) {
        plain = plain && t.p[0] == '-';
        t = cut(t, 1, t.n);
    }
    for (size_t i = 0; i < t.n; i++) {
        bool digit = t.p[i] >= '0' && t.p[i] <= '9';
        bool joint = t.p[i] == '_' && i > 0 && i + 1 < t.n && t.p[i - 1] != '_';
        if (!digit && !joint)
            return false;
        plain = plain && digit;
    }
    *same = plain && (t.p[0] != '0' || (t.n == 1 && !sign));
    return t.n > 0;
}

/* a/b -> \frac{a}{b} for integers; false where a side is none (ValueError). */
static bool slash_to_fraction(struct work *w)
{
    const char *slash = memchr(w->p, '/', w->n);
    if (slash == NULL || memchr(slash + 1, '/', w->n - (size_t)(slash + 1 - w->p)) != NULL)
        return true;
    struct span a = {w->p, (size_t)(slash - w->p)};
    struct span b = {slash + 1, w->n - a.n - 1};
    bool same_a, same_b;
    if (!python_int(a, &same_a) || !python_int(b, &same_b))
        return false;
    if (!same_a || !same_b)
        return true;
    struct work out = {0};
    work_put(&out, "\\frac{", 6);
    work_put(&out, a.p, a.n);
    work_put(&out, "}{", 2);
    work_put(&out, b.p, b.n);
    work_put(&out, "}", 1);
    work_set(w, &out);
    return true;
}

static bool strip_steps(struct work *w)
{
    static const char *const early[][2] = {
        {"\n", ""},     {"\\!", ""},     {"\\\\", "\\"},    {"tfrac", "frac"}, {"dfrac", "frac"},
        {"\\left", ""}, {"\\right", ""}, {"^{\\circ}", ""}, {"^\\circ", ""},   {"\\$", ""}};
    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++)
        replace(w, early[i][0], early[i][1]);
    if (!drop_units(w))
        return false;
    replace(w, "\\%", "");
    replace(w, " .", " 0.");
    replace(w, "{.", "{0.");
    if (w->n == 0)
        return true;
    if (w->p[0] == '.') {
        struct work out = {0};
        work_put(&out, "0", 1);
        work_put(&out, w->p, w->n);
        work_set(w, &out);
    }
    drop_short_left_side(w);
    if (!brace_roots(w))
        return false;
    replace(w, " ", "");
    if (!brace_fractions(w))
        return false;
    if (text_equals(work_span(w, 0), "0.5"))
        replace(w, "0.5", "\\frac{1}{2}");
    return slash_to_fraction(w);
}

char *math_strip_string(struct span s, size_t *n)
{
    struct work w = work_of(s);
    if (!strip_steps(&w)) {
        free(w.p);
        return NULL;
    }
    *n = w.n;
    return w.p;
}

/* ---- comparing ---- */

bool math_same_normalised(struct span a, struct span b)
{
    size_t n, m;
    char *x = math_normalise(a, &n), *y = math_normalise(b, &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

bool math_same_stripped(struct span a, struct span b)
{
    size_t n = 0, m = 0;
    char *x = math_strip_string(a, &n), *y = math_strip_string(b, &m);
    bool same = x == NULL || y == NULL ? a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0)
                                       : n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}
