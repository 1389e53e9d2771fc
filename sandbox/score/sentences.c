/* sentences.c - Punkt's decisions. See sentences.h.
 *
 * Positions of the text where [.?!] is followed by other punctuation or by white space and a word
 * are looked at one by one: the word before, the mark and what follows are split into tokens, and
 * the first token that ends a sentence (and is not the last one) makes a boundary. */
#include "sandbox/score/sentences.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pystr.h"

static bool ends_sentence(char c)
{
    return c == '.' || c == '?' || c == '!';
}

/* Characters that cannot be within a word. */
static bool non_word(char c)
{
    return c != '\0' && strchr(")\";}]*:@'({[?!", c) != NULL;
}

static bool space_at(struct span s, size_t at, size_t *next)
{
    *next = at;
    return at < s.n && pystr_is_space(pystr_next(s, next));
}

/* Bytes of "--", "..", ". . ." at the front of s, 0 when there is none. */
static size_t multi_char(struct span s)
{
    if (s.n < 2 || (s.p[0] != '-' && s.p[0] != '.'))
        return 0;
    size_t run = 1;
    while (run < s.n && s.p[run] == s.p[0])
        run++;
    if (run > 1)
        return run;
    size_t at = 0, pairs = 0, next;
    while (at + 1 < s.n && s.p[at] == '.' && space_at(s, at + 1, &next)) {
        at = next;
        pairs++;
    }
    /* The last period stands behind the spaces, or is given back by the last pair. */
    if (pairs >= 2 && at < s.n && s.p[at] == '.')
        return at + 1;
    if (pairs >= 3) {
        size_t back = at;
        while (s.p[--back] != '.')
            ;
        return back + 1;
    }
    return 0;
}

/* Is there the end of a word before byte at? */
static bool word_ends(struct span s, size_t at)
{
    size_t next;
    if (at >= s.n || space_at(s, at, &next) || non_word(s.p[at]))
        return true;
    if (s.p[at] == ',')
        return at + 1 >= s.n || space_at(s, at + 1, &next) || non_word(s.p[at + 1]) ||
               multi_char(pystr_slice(s, at + 1, s.n)) > 0;
    return multi_char(pystr_slice(s, at, s.n)) > 0;
}

/* The next token of a line; false when there is none. *at moves behind it. */
static bool next_token(struct span line, size_t *at, struct span *tok)
{
    size_t next;
    while (space_at(line, *at, &next))
        *at = next;
    if (*at >= line.n)
        return false;
    size_t n = multi_char(pystr_slice(line, *at, line.n));
    if (n == 0) {
        size_t end = *at;
        bool starts = line.p[*at] == '\0' || strchr("(\"`{[:;&#*@)}]-,", line.p[*at]) == NULL;
        do
            (void)pystr_next(line, &end);
        while (starts && !word_ends(line, end));
        n = end - *at;
    }
    *tok = pystr_slice(line, *at, *at + n);
    *at += n;
    return true;
}

/* ---- what a token is ---- */

struct token {
    struct span tok;
    char *type; /* owned: lower case, "##number##" for numbers */
    size_t n;   /* bytes of type */
    bool period, abbr, ellipsis, breaks;
};

static bool digit_at(struct span s, size_t at, size_t *next)
{
    *next = at;
    return at < s.n && pystr_is_digit(pystr_next(s, next));
}

/* -?[.,]?\d[\d,.-]*\.? over the whole token. */
static bool is_number(struct span s)
{
    size_t at = 0;
    if (at < s.n && s.p[at] == '-')
        at++;
    if (at < s.n && (s.p[at] == '.' || s.p[at] == ','))
        at++;
    size_t next;
    if (!digit_at(s, at, &next))
        return false;
    for (at = next; at < s.n; at = next)
        if (!digit_at(s, at, &next) && memchr(",.-", s.p[at], 3) == NULL)
            return false;
    return true;
}

/* One letter and a period. */
static bool is_initial(struct span s)
{
    size_t at = 0;
    if (s.n < 2)
        return false;
    uint32_t c = pystr_next(s, &at);
    return pystr_is_word(c) && !pystr_is_digit(c) && at + 1 == s.n && s.p[at] == '.';
}

static bool first_upper(const struct token *t)
{
    size_t at = 0;
    return pystr_is_upper(pystr_next(t->tok, &at));
}

static bool first_lower(const struct token *t)
{
    size_t at = 0;
    return pystr_is_lower(pystr_next(t->tok, &at));
}

static struct span without_period(struct span s)
{
    return s.n > 1 && s.p[s.n - 1] == '.' ? pystr_slice(s, 0, s.n - 1) : s;
}

static struct span type_of(const struct token *t, bool cut_period)
{
    struct span type = {t->type, t->n};
    return cut_period ? without_period(type) : type;
}

/* The type, or what is behind its last hyphen, is a known abbreviation. */
static bool is_abbreviation(const struct token *t)
{
    struct span low = without_period((struct span){t->type, t->n});
    struct pystr_split i = pystr_split(low, pystr_of("-"));
    struct span last = low;
    while (pystr_field(&i, &last))
        ;
    return sentences_abbreviation(low) || sentences_abbreviation(last);
}

static void token_make(struct token *t, struct span tok)
{
    *t = (struct token){.tok = tok, .period = tok.p[tok.n - 1] == '.'};
    bool dots = tok.n > 1 && tok.p[tok.n - 2] == '.' && t->period;
    if (is_number(tok)) {
        t->type = px_xstrdup("##number##");
        t->n = strlen(t->type);
    } else {
        t->type = pystr_lower(tok, &t->n);
    }
    if (tok.n == 1 && ends_sentence(tok.p[0]))
        t->breaks = true;
    else if (dots && pystr_lstrip_of(tok, ".").n == 0)
        t->ellipsis = true;
    else if (t->period && !dots && is_abbreviation(t))
        t->abbr = true;
    else if (t->period && !dots)
        t->breaks = true;
}

/* ---- decisions ---- */

enum guess { NO, YES, UNKNOWN };

/* Does t look like the first word of a sentence? */
static enum guess opens_sentence(const struct token *t)
{
    struct span word = type_of(t, t->breaks);
    if (t->tok.n == 1 && memchr(";:,.!?", t->tok.p[0], 6) != NULL)
        return NO;
    if (first_upper(t) && sentences_plain(word))
        return YES;
    return first_lower(t) ? NO : UNKNOWN;
}

static void decide(struct token *a, const struct token *b)
{
    if (!a->period)
        return;
    bool initial = is_initial(a->tok);
    struct span next = type_of(b, b->breaks);
    enum guess opens = opens_sentence(b);
    bool starts = sentences_starter(next) || (a->ellipsis && sentences_derived(next));
    if ((a->abbr || a->ellipsis) && !initial && (opens == YES || (first_upper(b) && starts))) {
        a->breaks = true;
        return;
    }
    if (!initial && !pystr_equal(type_of(a, true), pystr_of("##number##")))
        return;
    if (opens == NO)
        a->breaks = false;
    else if (opens == UNKNOWN && initial && first_upper(b) && !sentences_common(next))
        a->breaks = false; /* J. Bach */
}

/* Does a token before the last one end a sentence? */
static bool has_break(struct span context)
{
    struct pystr_split lines = pystr_split(context, pystr_of("\n"));
    struct span line, tok;
    struct token a = {0};
    bool broken = false;
    while (!broken && pystr_field(&lines, &line)) {
        for (size_t at = 0; !broken && next_token(line, &at, &tok);) {
            struct token b;
            token_make(&b, tok);
            if (a.type != NULL) {
                decide(&a, &b);
                broken = a.breaks;
            }
            free(a.type);
            a = b;
        }
    }
    free(a.type);
    return broken;
}

/* ---- the text ---- */

/* A place where a sentence may end. */
struct candidate {
    size_t word;  /* where the word before it begins */
    size_t mark;  /* of the [.?!] */
    size_t after; /* end of what follows: one mark, or white space and a word */
    size_t next;  /* where that word begins, 0 when it is a mark */
};

/* Finds [.?!] from `from` on with something to look at behind it. */
static bool find_mark(struct span s, size_t from, struct candidate *c)
{
    for (size_t at = from; at < s.n; at++) {
        if (!ends_sentence(s.p[at]))
            continue;
        size_t next, end = at + 1;
        c->mark = at;
        c->next = 0;
        c->after = at + 2;
        if (end < s.n && non_word(s.p[end]))
            return true;
        while (space_at(s, end, &next))
            end = next;
        if (end == at + 1 || end >= s.n) {
            at = end - 1;
            continue;
        }
        c->next = end;
        while (end < s.n && !space_at(s, end, &next))
            (void)pystr_next(s, &end);
        c->after = end;
        return true;
    }
    return false;
}

static bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct walk {
    struct span s;
    size_t last; /* where the sentence that is being collected begins */
    struct span held;
    bool holds;
    size_t realign; /* bytes that the sentence before took from the front of the next one */
    size_t count;
    void (*each)(void *arg, struct span sentence);
    void *arg;
};

static void emit(struct walk *w, struct span sentence)
{
    if (sentence.n == 0)
        return;
    w->count++;
    if (w->each != NULL)
        w->each(w->arg, sentence);
}

/* Bytes of closing quotes and brackets at the front of s that belong to the sentence before (with
 * the white space behind them in *all); 0 when there are none. */
static size_t closing(struct span s, size_t *all)
{
    size_t at = 0, next;
    while (at < s.n && memchr("\"')]}", s.p[at], 5) != NULL) {
        at++;
        bool end = at == s.n;
        bool dashes = s.n - at >= 2 && s.p[at] == '-' && s.p[at + 1] == '-';
        if (!end && !dashes && !space_at(s, at, &next))
            continue;
        *all = at;
        while (space_at(s, *all, &next))
            *all = next;
        return at;
    }
    return 0;
}

/* One more slice: the one before it can be given out, with the closing marks that this one begins
 * with. */
static void put_slice(struct walk *w, struct span slice)
{
    if (w->holds) {
        struct span held = pystr_slice(w->held, w->realign, w->held.n);
        size_t all = 0, marks = closing(slice, &all);
        if (marks > 0)
            held.n = (size_t)(slice.p + marks - held.p);
        emit(w, held);
        w->realign = all;
    }
    w->held = slice;
    w->holds = true;
}

static void judge(struct walk *w, const struct candidate *c)
{
    if (!has_break(pystr_slice(w->s, c->word, c->after)))
        return;
    put_slice(w, pystr_slice(w->s, w->last, c->mark + 1));
    w->last = c->next > 0 ? c->next : c->mark + 1;
}

size_t sentences_each(struct span text, void (*each)(void *arg, struct span sentence), void *arg)
{
    struct walk w = {.s = text, .each = each, .arg = arg};
    struct candidate before = {0}, c = {0};
    bool any = false;
    for (size_t from = 0; find_mark(text, from, &c); from = c.mark + 1) {
        /* The word before the mark; without white space since the last mark it is the same one. */
        size_t start = before.mark, at = c.mark;
        while (at > start && !ascii_space(text.p[at - 1]))
            at--;
        c.word = at > start + 1 ? at : before.word;
        if (any && before.mark <= c.word)
            judge(&w, &before);
        before = c;
        any = true;
    }
    if (any)
        judge(&w, &before);
    size_t end = pystr_rstrip(text).n;
    put_slice(&w, pystr_slice(text, w.last, end > w.last ? end : w.last));
    emit(&w, pystr_slice(w.held, w.realign, w.held.n));
    return w.count;
}
