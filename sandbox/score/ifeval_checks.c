/* ifeval_checks.c - the rules of IFEval, each as the original's Python reads. */
#include "sandbox/score/ifeval_checks.h"

#include <stdlib.h>
#include <string.h>

#include "proto/pystr.h"
#include "sandbox/score/language.h"
#include "sandbox/score/pyjson.h"
#include "sandbox/score/sentences.h"
#include "sandbox/score/words.h"

#define NOWHERE ((size_t)-1)
#define LIT(s) ((struct span){s, sizeof s - 1})

static bool enough(const struct ifeval_args *a, size_t n)
{
    return a->at_least ? (int64_t)n >= a->n : (int64_t)n < a->n;
}

static size_t find_char(struct span s, char c, size_t from)
{
    const char *hit = from < s.n ? memchr(s.p + from, c, s.n - from) : NULL;
    return hit != NULL ? (size_t)(hit - s.p) : NOWHERE;
}

/* End of the line that holds byte from. */
static size_t line_end(struct span s, size_t from)
{
    size_t end = find_char(s, '\n', from);
    return end != NOWHERE ? end : s.n;
}

static size_t skip_space(struct span s, size_t at)
{
    return s.n - pystr_lstrip(pystr_slice(s, at, s.n)).n;
}

/* Behind at most one white-space character. */
static size_t skip_one_space(struct span s, size_t at)
{
    size_t next = at;
    return at < s.n && pystr_is_space(pystr_next(s, &next)) ? next : at;
}

/* ---- lengths ---- */

/* \w+ */
bool ifeval_number_words(const struct ifeval_args *a, struct span text)
{
    size_t n = 0;
    bool inside = false;
    for (size_t at = 0; at < text.n;) {
        bool word = pystr_is_word(pystr_next(text, &at));
        n += word && !inside;
        inside = word;
    }
    return enough(a, n);
}

bool ifeval_number_sentences(const struct ifeval_args *a, struct span text)
{
    return enough(a, sentences_each(text, NULL, NULL));
}

/* Fields of re.split(r"\s?\*\*\*\s?"); blank ones only at the ends. */
bool ifeval_number_paragraphs(const struct ifeval_args *a, struct span text)
{
    int64_t n = 0;
    for (size_t from = 0, first = 1;; first = 0) {
        size_t hit = pystr_find(text, LIT("***"), from);
        bool last = hit == NOWHERE;
        struct span field = pystr_slice(text, from, last ? text.n : hit);
        bool blank = pystr_blank(field);
        if (blank && !first && !last)
            return false;
        n += !blank;
        if (last)
            return n == a->n;
        from = skip_one_space(text, hit + 3);
    }
}

/* The first word without quotes before it, up to a mark; in lower case. */
static bool first_word_is(struct span paragraph, struct span want)
{
    struct span rest = paragraph, word;
    (void)pystr_word(&rest, &word);
    word = pystr_lstrip_of(pystr_lstrip_of(word, "'"), "\"");
    size_t end = 0;
    while (end < word.n && memchr(".,?!'\"", word.p[end], 6) == NULL)
        end++;
    size_t n, wanted;
    char *low = pystr_lower(pystr_slice(word, 0, end), &n);
    char *goal = pystr_lower(want, &wanted);
    bool same = n == wanted && memcmp(low, goal, n) == 0;
    free(low);
    free(goal);
    return same;
}

/* As many paragraphs as wanted; the nth (blank ones counted) begins with a word. */
bool ifeval_nth_paragraph(const struct ifeval_args *a, struct span text)
{
    struct pystr_split i = pystr_split(text, LIT("\n\n"));
    struct span field, nth = {"", 0};
    int64_t filled = 0;
    for (int64_t at = 1; pystr_field(&i, &field); at++) {
        filled += !pystr_blank(field);
        if (at == a->nth)
            nth = pystr_strip(field);
    }
    return filled == a->n && a->nth <= filled && nth.n > 0 && first_word_is(nth, a->text);
}

/* ---- keywords ---- */

static bool found(const struct pyregex *re, struct span text)
{
    struct pyregex_match m;
    return re != NULL && pyregex_search(re, text, &m, NULL);
}

bool ifeval_existence(const struct ifeval_args *a, struct span text)
{
    for (size_t i = 0; i < a->n_regexes; i++)
        if (!found(a->regexes[i], text))
            return false;
    return true;
}

bool ifeval_forbidden_words(const struct ifeval_args *a, struct span text)
{
    for (size_t i = 0; i < a->n_regexes; i++)
        if (found(a->regexes[i], text))
            return false;
    return true;
}

bool ifeval_frequency(const struct ifeval_args *a, struct span text)
{
    const struct pyregex *re = a->regexes[0];
    return enough(a, re != NULL ? pyregex_count(re, text, NULL) : 0);
}

bool ifeval_letter_frequency(const struct ifeval_args *a, struct span text)
{
    size_t n, wanted;
    char *low = pystr_lower(text, &n);
    char *letter = pystr_lower(a->text, &wanted);
    size_t count = pystr_count((struct span){low, n}, (struct span){letter, wanted});
    free(low);
    free(letter);
    return enough(a, count);
}

/* ---- format ---- */

/* Matches of open [^\n*]* close, both `stars` asterisks, with something between them. A match of
 * one asterisk on each side may be empty: the pairs of **bold** are such. */
static int64_t starred(struct span s, size_t stars)
{
    int64_t n = 0;
    for (size_t at = 0; (at = pystr_find(s, pystr_slice(LIT("**"), 0, stars), at)) != NOWHERE;) {
        size_t from = at + stars, to = from;
        while (to < s.n && s.p[to] != '\n' && s.p[to] != '*')
            to++;
        bool closed = to + stars <= s.n &&
                      pystr_starts(pystr_slice(s, to, s.n), pystr_slice(LIT("**"), 0, stars));
        if (closed && !pystr_blank(pystr_slice(s, from, to)))
            n++;
        /* Behind the match, or at the next place where one can begin. */
        at = closed ? to + stars : stars == 1 ? to : at + 1;
    }
    return n;
}

bool ifeval_highlights(const struct ifeval_args *a, struct span text)
{
    return starred(text, 1) + starred(text, 2) >= a->n;
}

/* <<[^\n]+>> with something inside. */
bool ifeval_title(const struct ifeval_args *a, struct span text)
{
    (void)a;
    struct pystr_split lines = pystr_split(text, LIT("\n"));
    struct span line;
    while (pystr_field(&lines, &line)) {
        size_t open = pystr_find(line, LIT("<<"), 0);
        if (open == NOWHERE)
            continue;
        size_t close = line.n; /* end of the last >> */
        while (close >= open + 5 && (line.p[close - 1] != '>' || line.p[close - 2] != '>'))
            close--;
        if (close < open + 5)
            continue;
        struct span in = pystr_slice(line, open, close);
        if (!pystr_blank(pystr_rstrip_of(pystr_lstrip_of(in, "<"), ">")))
            return true;
    }
    return false;
}

/* Matches of ^\s*\*[^*].*$ (or of ^\s*-.*$), where \s and [^*] may be a newline. */
static int64_t bullets(struct span s, char mark)
{
    int64_t n = 0;
    for (size_t at = 0; at < s.n;) {
        size_t to = skip_space(s, at);
        if (to >= s.n)
            break;
        bool hit = s.p[to] == mark;
        if (hit && mark == '*') {
            to++;
            hit = to < s.n && s.p[to] != '*';
            if (hit)
                (void)pystr_next(s, &to);
        }
        n += hit;
        /* A match that ends behind a newline ends where a line begins. */
        bool fresh = hit && to > 0 && s.p[to - 1] == '\n';
        size_t end = line_end(s, to);
        at = fresh && end == to ? to : end + 1;
    }
    return n;
}

bool ifeval_bullets(const struct ifeval_args *a, struct span text)
{
    return bullets(text, '*') + bullets(text, '-') == a->n;
}

bool ifeval_json(const struct ifeval_args *a, struct span text)
{
    (void)a;
    static const char *const fences[] = {"```json", "```Json", "```JSON", "```"};
    struct span s = pystr_strip(text);
    for (size_t i = 0; i < sizeof fences / sizeof fences[0]; i++)
        if (pystr_starts(s, pystr_of(fences[i])))
            s = pystr_slice(s, strlen(fences[i]), s.n);
    if (pystr_ends(s, LIT("```")))
        s.n -= 3;
    return pyjson_valid(pystr_strip(s));
}

bool ifeval_sections(const struct ifeval_args *a, struct span text)
{
    const struct pyregex *re = a->regexes[0];
    return re != NULL && (int64_t)pyregex_count(re, text, NULL) >= a->n;
}

bool ifeval_constrained(const struct ifeval_args *a, struct span text)
{
    (void)a;
    return pystr_find(text, LIT("My answer is yes."), 0) != NOWHERE ||
           pystr_find(text, LIT("My answer is no."), 0) != NOWHERE ||
           pystr_find(text, LIT("My answer is maybe."), 0) != NOWHERE;
}

/* ---- content ---- */

/* \[.*?\] */
bool ifeval_placeholders(const struct ifeval_args *a, struct span text)
{
    int64_t n = 0;
    struct pystr_split lines = pystr_split(text, LIT("\n"));
    struct span line;
    while (pystr_field(&lines, &line)) {
        size_t at = 0;
        while ((at = find_char(line, '[', at)) != NOWHERE &&
               (at = find_char(line, ']', at)) != NOWHERE)
            n++;
    }
    return n >= a->n;
}

/* mark\.\s?: the byte behind it, 0 when it is not there. */
static size_t dotted(struct span s, size_t at, char letter)
{
    if (s.n - at < 2 || s.p[at] != letter || s.p[at + 1] != '.')
        return 0;
    return skip_one_space(s, at + 2);
}

static bool has_postscript(struct span low, bool twice)
{
    for (size_t at = 0; (at = find_char(low, 'p', at)) != NOWHERE; at++) {
        size_t next = dotted(low, at, 'p');
        if (next > 0 && twice)
            next = dotted(low, next, 'p');
        if (next > 0 && next < low.n && low.p[next] == 's' &&
            (twice || (next + 1 < low.n && low.p[next + 1] == '.')))
            return true;
    }
    return false;
}

bool ifeval_postscript(const struct ifeval_args *a, struct span text)
{
    size_t n;
    char *low = pystr_lower(text, &n);
    struct span s = {low, n};
    bool twice = pystr_equal(a->text, LIT("P.P.S"));
    bool ok = twice || pystr_equal(a->text, LIT("P.S.")) ? has_postscript(s, twice)
                                                         : found(a->regexes[0], s);
    free(low);
    return ok;
}

/* ---- combinations and ends ---- */

bool ifeval_repeat_prompt(const struct ifeval_args *a, struct span text)
{
    size_t n, wanted;
    char *low = pystr_lower(pystr_strip(text), &n);
    char *goal = pystr_lower(pystr_strip(a->text), &wanted);
    bool ok = pystr_starts((struct span){low, n}, (struct span){goal, wanted});
    free(low);
    free(goal);
    return ok;
}

/* Two different texts around "******". */
bool ifeval_two_responses(const struct ifeval_args *a, struct span text)
{
    (void)a;
    struct pystr_split i = pystr_split(text, LIT("******"));
    struct span field, first = {"", 0}, second = {"", 0};
    size_t filled = 0, seen = 0;
    while (pystr_field(&i, &field)) {
        bool blank = pystr_blank(field);
        if (blank && seen > 0 && !i.done)
            return false;
        seen++;
        if (blank)
            continue;
        filled++;
        *(filled == 1 ? &first : &second) = pystr_strip(field);
    }
    return filled == 2 && !pystr_equal(first, second);
}

bool ifeval_quotation(const struct ifeval_args *a, struct span text)
{
    (void)a;
    struct span s = pystr_strip(text);
    return s.n > 1 && s.p[0] == '"' && s.p[s.n - 1] == '"';
}

bool ifeval_end_checker(const struct ifeval_args *a, struct span text)
{
    size_t n, wanted;
    char *low = pystr_lower(pystr_strip_of(pystr_strip(text), "\""), &n);
    char *goal = pystr_lower(pystr_strip(a->text), &wanted);
    bool ok = pystr_ends((struct span){low, n}, (struct span){goal, wanted});
    free(low);
    free(goal);
    return ok;
}

bool ifeval_no_comma(const struct ifeval_args *a, struct span text)
{
    (void)a;
    return find_char(text, ',', 0) == NOWHERE;
}

/* ---- case and language ---- */

/* A text in which no language can be seen is in every language. */
static bool is_language(struct span text, const char *code)
{
    const char *found_code = language_of(text);
    return found_code == NULL || strcmp(found_code, code) == 0;
}

bool ifeval_lowercase(const struct ifeval_args *a, struct span text)
{
    (void)a;
    return pystr_islower(text) && is_language(text, "en");
}

bool ifeval_capital(const struct ifeval_args *a, struct span text)
{
    (void)a;
    return pystr_isupper(text) && is_language(text, "en");
}

bool ifeval_language(const struct ifeval_args *a, struct span text)
{
    const char *code = language_of(text);
    return code == NULL || pystr_equal(pystr_of(code), a->text);
}

static void count_capital(void *arg, struct span token)
{
    size_t *n = arg;
    *n += pystr_isupper(token);
}

bool ifeval_capital_words(const struct ifeval_args *a, struct span text)
{
    size_t n = 0;
    words_each(text, count_capital, &n);
    return enough(a, n);
}
