/* ifeval.c - the table of instructions, their arguments, and the variants of a response. */
#include "sandbox/score/ifeval.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/ifeval_checks.h"

enum { VARIANTS = 8 };

struct type {
    const char *id;
    ifeval_check *check;
    /* Names of arguments in kwargs; NULL when the instruction takes none of the kind. */
    const char *count, *nth, *relation, *text, *list;
};

static const struct type types[] = {
    {.id = "punctuation:no_comma", .check = ifeval_no_comma},
    {.id = "length_constraints:number_words",
     .check = ifeval_number_words,
     .count = "num_words",
     .relation = "relation"},
    {.id = "length_constraints:number_sentences",
     .check = ifeval_number_sentences,
     .count = "num_sentences",
     .relation = "relation"},
    {.id = "length_constraints:number_paragraphs",
     .check = ifeval_number_paragraphs,
     .count = "num_paragraphs"},
    {.id = "length_constraints:nth_paragraph_first_word",
     .check = ifeval_nth_paragraph,
     .count = "num_paragraphs",
     .nth = "nth_paragraph",
     .text = "first_word"},
    {.id = "keywords:forbidden_words", .check = ifeval_forbidden_words, .list = "forbidden_words"},
    {.id = "keywords:existence", .check = ifeval_existence, .list = "keywords"},
    {.id = "keywords:frequency",
     .check = ifeval_frequency,
     .count = "frequency",
     .relation = "relation",
     .text = "keyword"},
    {.id = "keywords:letter_frequency",
     .check = ifeval_letter_frequency,
     .count = "let_frequency",
     .relation = "let_relation",
     .text = "letter"},
    {.id = "detectable_format:number_highlighted_sections",
     .check = ifeval_highlights,
     .count = "num_highlights"},
    {.id = "detectable_format:title", .check = ifeval_title},
    {.id = "detectable_format:number_bullet_lists",
     .check = ifeval_bullets,
     .count = "num_bullets"},
    {.id = "detectable_format:json_format", .check = ifeval_json},
    {.id = "detectable_format:multiple_sections",
     .check = ifeval_sections,
     .count = "num_sections",
     .text = "section_spliter"},
    {.id = "detectable_format:constrained_response", .check = ifeval_constrained},
    {.id = "detectable_content:number_placeholders",
     .check = ifeval_placeholders,
     .count = "num_placeholders"},
    {.id = "detectable_content:postscript",
     .check = ifeval_postscript,
     .text = "postscript_marker"},
    {.id = "combination:repeat_prompt", .check = ifeval_repeat_prompt, .text = "prompt_to_repeat"},
    {.id = "combination:two_responses", .check = ifeval_two_responses},
    {.id = "startend:quotation", .check = ifeval_quotation},
    {.id = "startend:end_checker", .check = ifeval_end_checker, .text = "end_phrase"},
    {.id = "change_case:english_lowercase", .check = ifeval_lowercase},
    {.id = "change_case:english_capital", .check = ifeval_capital},
    {.id = "change_case:capital_word_frequency",
     .check = ifeval_capital_words,
     .count = "capital_frequency",
     .relation = "capital_relation"},
    {.id = "language:response_language", .check = ifeval_language, .text = "language"},
};

struct instruction {
    const struct type *type;
    struct ifeval_args args; /* text is borrowed from kwargs */
};

struct ifeval {
    size_t n;
    struct instruction *all;
    struct json_object *kwargs; /* a reference: holds the texts */
};

/* ---- arguments ---- */

/* The member, or NULL when it is absent, null, 0 or "". */
static struct json_object *given(struct json_object *o, const char *key)
{
    struct json_object *v = json_object_object_get(o, key);
    if (v == NULL || (json_object_is_type(v, json_type_int) && json_object_get_int64(v) == 0) ||
        (json_object_is_type(v, json_type_string) && json_object_get_string_len(v) == 0))
        return NULL;
    return v;
}

static int missing(const struct type *t, const char *key, const char *what, struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "%s: kwargs must have \"%s\", %s", t->id, key, what);
}

static int take_number(const struct type *t, struct json_object *o, const char *key, int64_t *out,
                       struct px_err *err)
{
    if (key == NULL)
        return 0;
    struct json_object *v = given(o, key);
    if (v == NULL || !json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
        return missing(t, key, "a whole number above 0", err);
    *out = json_object_get_int64(v);
    return 0;
}

static struct span text_of(struct json_object *v)
{
    return (struct span){json_object_get_string(v), (size_t)json_object_get_string_len(v)};
}

static int take_text(const struct type *t, struct json_object *o, const char *key, struct span *out,
                     struct px_err *err)
{
    if (key == NULL)
        return 0;
    struct json_object *v = given(o, key);
    if (v == NULL || !json_object_is_type(v, json_type_string))
        return missing(t, key, "a text", err);
    *out = text_of(v);
    return 0;
}

static int take_relation(const struct type *t, struct json_object *o, bool *at_least,
                         struct px_err *err)
{
    struct span s = {"", 0};
    if (t->relation == NULL)
        return 0;
    if (take_text(t, o, t->relation, &s, err) != 0)
        return -1;
    *at_least = pystr_equal(s, pystr_of("at least"));
    if (!*at_least && !pystr_equal(s, pystr_of("less than")))
        return missing(t, t->relation, "\"at least\" or \"less than\"", err);
    return 0;
}

/* Adds before + middle + after; one that is no regular expression stays NULL and never matches. */
static void add_regex(struct ifeval_args *a, const char *before, struct span middle,
                      const char *after, unsigned flags)
{
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    px_buf_str(&b, before);
    px_buf_put(&b, middle.p, middle.n);
    px_buf_str(&b, after);
    a->regexes = px_xrealloc(a->regexes, (a->n_regexes + 1) * sizeof(struct pyregex *));
    a->regexes[a->n_regexes++] =
        pyregex_new((struct span){(const char *)b.data, b.len}, flags, NULL);
    px_buf_clear(&b);
}

static int take_list(const struct type *t, struct json_object *o, struct ifeval_args *a,
                     struct px_err *err)
{
    struct json_object *v = given(o, t->list);
    if (v == NULL || !json_object_is_type(v, json_type_array) || json_object_array_length(v) == 0)
        return missing(t, t->list, "a list of words", err);
    const char *edge = t->check == ifeval_forbidden_words ? "\\b" : "";
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct json_object *word = json_object_array_get_idx(v, i);
        if (!json_object_is_type(word, json_type_string))
            return missing(t, t->list, "a list of words", err);
        add_regex(a, edge, text_of(word), edge, PYRE_IGNORECASE);
    }
    return 0;
}

/* The regular expressions that are made of a text. */
static void take_regex(const struct type *t, struct ifeval_args *a)
{
    if (t->check == ifeval_frequency) {
        add_regex(a, "", a->text, "", PYRE_IGNORECASE);
    } else if (t->check == ifeval_sections) {
        add_regex(a, "\\s?", a->text, "\\s?\\d+\\s?", 0);
    } else if (t->check == ifeval_postscript) {
        size_t n;
        char *low = pystr_lower(a->text, &n);
        add_regex(a, "", (struct span){low, n}, "", 0);
        free(low);
    }
}

static int instruction_parse(struct instruction *in, struct json_object *id, struct json_object *o,
                             struct px_err *err)
{
    const char *name = json_object_is_type(id, json_type_string) ? json_object_get_string(id) : "";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].id, name) == 0)
            in->type = &types[i];
    const struct type *t = in->type;
    if (t == NULL)
        return px_fail(err, PX_EINPUT, "\"%s\" is no instruction of IFEval", name);
    if (!json_object_is_type(o, json_type_object))
        return px_fail(err, PX_EINPUT, "%s: its kwargs must be an object", t->id);
    struct ifeval_args *a = &in->args;
    if (take_number(t, o, t->count, &a->n, err) != 0 ||
        take_number(t, o, t->nth, &a->nth, err) != 0 ||
        take_relation(t, o, &a->at_least, err) != 0 ||
        take_text(t, o, t->text, &a->text, err) != 0 ||
        (t->list != NULL && take_list(t, o, a, err) != 0))
        return -1;
    take_regex(t, a);
    return 0;
}

struct ifeval *ifeval_new(struct json_object *ids, struct json_object *kwargs, struct px_err *err)
{
    size_t n = json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
    if (n == 0 || n > IFEVAL_MOST) {
        px_fail(err, PX_EINPUT, "instructions must be a list of 1 to %d texts", IFEVAL_MOST);
        return NULL;
    }
    if (!json_object_is_type(kwargs, json_type_array) || json_object_array_length(kwargs) != n) {
        px_fail(err, PX_EINPUT, "kwargs must be a list of %zu objects, one per instruction", n);
        return NULL;
    }
    struct ifeval *f = px_xcalloc(1, sizeof *f);
    f->all = px_xcalloc(n, sizeof *f->all);
    f->kwargs = json_object_get(kwargs);
    f->n = n;
    for (size_t i = 0; i < n; i++) {
        if (instruction_parse(&f->all[i], json_object_array_get_idx(ids, i),
                              json_object_array_get_idx(kwargs, i), err) != 0) {
            px_wrap(err, "instruction %zu", i + 1);
            ifeval_free(f);
            return NULL;
        }
    }
    return f;
}

void ifeval_free(struct ifeval *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->all[i].args.n_regexes; k++)
            pyregex_free(f->all[i].args.regexes[k]);
        free(f->all[i].args.regexes);
    }
    free(f->all);
    json_object_put(f->kwargs);
    free(f);
}

size_t ifeval_count(const struct ifeval *f)
{
    return f->n;
}

const char *ifeval_id(const struct ifeval *f, size_t i)
{
    return f->all[i].type->id;
}

/* ---- responses ---- */

/* The response without first line, last line and both, stripped; then all four without "*". The
 * last four are owned. */
static void make_variants(struct span r, struct span v[VARIANTS])
{
    const char *first = r.n > 0 ? memchr(r.p, '\n', r.n) : NULL;
    const char *last = r.n > 0 ? memrchr(r.p, '\n', r.n) : NULL;
    size_t from = first != NULL ? (size_t)(first - r.p) + 1 : r.n;
    size_t to = last != NULL ? (size_t)(last - r.p) : 0;
    v[0] = r;
    v[1] = pystr_strip(pystr_slice(r, from, r.n));
    v[2] = pystr_strip(pystr_slice(r, 0, to));
    v[3] = pystr_strip(pystr_slice(r, from, to > from ? to : from));
    for (size_t i = 0; i < VARIANTS / 2; i++) {
        struct span *without = &v[VARIANTS / 2 + i];
        without->p = pystr_replace(v[i], pystr_of("*"), pystr_of(""), &without->n);
    }
}

void ifeval_judge(const struct ifeval *f, struct span response, bool *strict, bool *loose)
{
    struct span r, v[VARIANTS];
    r.p = pystr_clean(response, &r.n);
    make_variants(r, v);
    size_t variants = r.n > 0 && memchr(r.p, '*', r.n) != NULL ? VARIANTS : VARIANTS / 2;
    for (size_t i = 0; i < f->n; i++) {
        const struct instruction *in = &f->all[i];
        strict[i] = !pystr_blank(r) && in->type->check(&in->args, r);
        loose[i] = strict[i];
        for (size_t k = 1; !loose[i] && k < variants; k++)
            loose[i] = !pystr_blank(v[k]) && in->type->check(&in->args, v[k]);
    }
    for (size_t i = VARIANTS / 2; i < VARIANTS; i++)
        free((char *)(uintptr_t)v[i].p);
    free((char *)(uintptr_t)r.p);
}
