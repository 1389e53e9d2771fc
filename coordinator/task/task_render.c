/* task_render.c - one problem to a prompt, choices and the scorer's fields.
 *
 * The assembly of shots, delimiters and prefix follows lm-evaluation-harness, so that its prompts
 * can be had byte for byte. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/task_inner.h"
#include "coordinator/task/text.h"
#include "proto/json.h"
#include "proto/mem.h"

#define MAX_PROMPT (32u << 20)

/* One row to render: of the task or of the pool. */
struct source {
    const struct table *rows;
    uint32_t index;
    struct value row;
    struct template_row view;
};

static void open_source(struct source *s, const struct table *rows, uint32_t index, struct arena *a)
{
    *s = (struct source){.rows = rows, .index = index, .row = table_get(rows, index, a)};
    s->view = (struct template_row){.row = &s->row, .number = index};
}

/* "prompt: template 1:3: ... (gsm8k/test.jsonl:17)" */
static int wrap(struct px_err *err, const char *key, const struct source *s,
                const struct px_err *inner)
{
    return px_fail(err, inner->code, "%s: %s (%s:%u)", key, inner->text,
                   table_path(s->rows, s->index), table_line(s->rows, s->index));
}

/* A text without NUL characters; owned. NULL template: "". */
static int render(const struct text_template *t, const char *key, const struct source *s,
                  struct arena *a, char **out, struct px_err *err)
{
    struct px_buf b;
    struct px_err inner;
    if (!t) {
        *out = px_xstrdup("");
        return 0;
    }
    px_buf_init(&b, MAX_PROMPT);
    px_buf_put(&b, "", 0);
    int rc = template_render(t, &s->view, a, &b, &inner);
    if (rc == 0 && memchr(b.data, '\0', b.len))
        rc = px_fail(&inner, PX_EINPUT, "the text holds a NUL character");
    if (rc != 0) {
        px_buf_clear(&b);
        return wrap(err, key, s, &inner);
    }
    *out = px_buf_steal(&b, NULL);
    return 0;
}

static int choices(const struct task *t, const struct source *s, struct arena *a,
                   struct task_choices *out, struct px_err *err)
{
    struct px_err inner;
    if (task_choices_of(t, &s->view, a, out, &inner) != 0)
        return wrap(err, "choices", s, &inner);
    return 0;
}

/* ---- shots ---- */

struct shot {
    char *question, *prefix, *answer;
};

/* The choice that a shot shows; the first one when there is no right one. */
static uint32_t right_choice(const struct task_choices *c)
{
    return c->n_golds > 0 && c->golds[0] >= 0 ? (uint32_t)c->golds[0] : 0;
}

static int shot_answer(const struct task *t, const struct source *s, struct arena *a, char **out,
                       struct px_err *err)
{
    struct task_choices c;
    if (t->shot_target) {
        if (render(t->shot_target, "fewshot.target", s, a, out, err) != 0)
            return -1;
    } else {
        if (choices(t, s, a, &c, err) != 0)
            return -1;
        *out = px_xstrdup(c.texts[right_choice(&c)]);
        task_choices_clear(&c);
    }
    if (**out == '\0') {
        struct px_err inner;
        free(*out);
        *out = NULL;
        px_fail(&inner, PX_EINPUT, "a shot's answer is empty");
        return wrap(err, "fewshot.target", s, &inner);
    }
    return 0;
}

static const struct text_template *question_template(const struct task *t, bool chat)
{
    return chat && t->chat_prompt ? t->chat_prompt : t->prompt;
}

/* With contexts, the right one. */
static int shot_question(const struct task *t, const struct source *s, bool chat, struct arena *a,
                         char **out, struct px_err *err)
{
    struct task_choices c;
    if (t->shot_prompt || t->contexts.n == 0)
        return render(t->shot_prompt ? t->shot_prompt : question_template(t, chat),
                      "fewshot.prompt", s, a, out, err);
    if (choices(t, s, a, &c, err) != 0)
        return -1;
    *out = px_xstrdup(c.contexts[right_choice(&c)]);
    task_choices_clear(&c);
    return 0;
}

static int make_shot(const struct task *t, uint32_t row, bool chat, struct arena *a,
                     struct shot *out, struct px_err *err)
{
    struct source s;
    open_source(&s, t->pool ? t->pool : t->rows, row, a);
    return shot_question(t, &s, chat, a, &out->question, err) != 0 ||
                   render(t->prefix, "prefix", &s, a, &out->prefix, err) != 0 ||
                   shot_answer(t, &s, a, &out->answer, err) != 0
               ? -1
               : 0;
}

static void clear_shots(struct shot *shots, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(shots[i].question);
        free(shots[i].prefix);
        free(shots[i].answer);
    }
    free(shots);
}

/* The draw of a part's problems: a family of files draws per file, as if each were a task. `first`
 * is where the rows to draw from begin in the pool. */
static struct fewshot_draw draw_of(const struct task *t, uint32_t part, uint32_t *first)
{
    const struct table *pool = t->pool ? t->pool : t->rows;
    struct fewshot_draw d = {.selection = t->selection,
                             .seed = t->fewshot_seed,
                             .task = t->name,
                             .n_pool = table_count(pool),
                             .own_rows = !t->pool,
                             .one_more = t->one_more};
    d.n_problems = table_part_first(t->rows, part + 1) - table_part_first(t->rows, part);
    *first = 0;
    if (table_each_name(pool)) {
        uint32_t from = t->pool ? t->pool_part[part] : part;
        *first = table_part_first(pool, from);
        d.n_pool = table_part_first(pool, from + 1) - *first;
    }
    return d;
}

static int check_part(const struct task *t, uint32_t part, uint32_t n, struct px_err *err)
{
    uint32_t first;
    struct fewshot_draw d = draw_of(t, part, &first);
    const char *value = table_part_value(t->rows, part);
    if (d.n_problems == 0 || fewshot_check(&d, n, err) == 0)
        return 0;
    return value ? px_wrap(err, "%s %s", table_each_name(t->rows), value) : -1;
}

int task_check_fewshot(const struct task *t, int32_t fewshot, struct px_err *err)
{
    uint32_t n = (uint32_t)(fewshot < 0 ? t->fewshot : fewshot);
    if (n > 0 && !t->has_fewshot && t->request == TASK_GENERATE)
        return px_fail(err, PX_EINPUT,
                       "%u shots are asked for, but the task file does not say how to make them "
                       "(fewshot)",
                       n);
    if (n > 0 && t->pool_missing)
        return px_fail(err, PX_EMISSING, "%s", t->pool_missing);
    for (uint32_t part = 0; part < table_n_parts(t->rows); part++)
        if (check_part(t, part, n, err) != 0)
            return -1;
    return 0;
}

static int pick_shots(const struct task *t, uint32_t i, uint32_t n, uint32_t *rows,
                      struct px_err *err)
{
    uint32_t first, part = table_part_of(t->rows, i);
    struct fewshot_draw d = draw_of(t, part, &first);
    bool cannot = t->pool_missing || (!t->has_fewshot && t->request == TASK_GENERATE);
    if (n > 0 && cannot)
        return task_check_fewshot(t, (int32_t)n, err);
    if (fewshot_pick(&d, &t->shots[part], i - table_part_first(t->rows, part), t->ids[i], n, rows,
                     err) != 0)
        return -1;
    for (uint32_t k = 0; k < n; k++)
        rows[k] += first;
    return 0;
}

static int make_shots(const struct task *t, uint32_t i, uint32_t n, bool chat, struct arena *a,
                      struct shot **out, struct px_err *err)
{
    uint32_t rows[FEWSHOT_MAX];
    if (pick_shots(t, i, n, rows, err) != 0)
        return -1;
    struct shot *shots = px_xcalloc(n, sizeof *shots);
    for (uint32_t k = 0; k < n; k++) {
        if (make_shot(t, rows[k], chat, a, &shots[k], err) != 0) {
            clear_shots(shots, n);
            return -1;
        }
    }
    *out = shots;
    return 0;
}

/* ---- assembly ---- */

/* The question and, where there is a prefix, the prefix, joined as lm-eval joins them. */
static void put_question(const struct task *t, const char *question, const char *prefix,
                         struct px_buf *out)
{
    px_buf_str(out, question);
    if (!*prefix)
        return;
    if (!text_ends_with_space(question, strlen(question)) &&
        !text_begins_with_space(prefix, strlen(prefix)))
        px_buf_str(out, t->target_delimiter);
    px_buf_str(out, prefix);
}

/* An answer behind a prefix. */
static void put_after_prefix(const char *prefix, const char *answer, struct px_buf *out)
{
    if (!text_ends_with_space(prefix, strlen(prefix)) &&
        !text_begins_with_space(answer, strlen(answer)))
        px_buf_char(out, ' ');
    px_buf_str(out, answer);
}

static void put_shot(const struct task *t, const struct shot *s, struct px_buf *out)
{
    put_question(t, s->question, s->prefix, out);
    if (*s->prefix) {
        put_after_prefix(s->prefix, s->answer, out);
    } else {
        px_buf_str(out, t->target_delimiter);
        px_buf_str(out, s->answer);
    }
    px_buf_str(out, t->shot_delimiter);
}

static void add_message(struct task_prompt *p, const char *role, char *content)
{
    p->messages = px_xrealloc(p->messages, (p->n_messages + 1) * sizeof *p->messages);
    p->messages[p->n_messages++] = (struct chat_message){.role = role, .content = content};
}

static void assemble_chat(struct task_prompt *p, const char *head, const struct shot *shots,
                          uint32_t n, const char *question, const char *prefix)
{
    if (*head)
        add_message(p, "system", px_xstrdup(head));
    for (uint32_t i = 0; i < n; i++) {
        struct px_buf b;
        px_buf_init(&b, MAX_PROMPT);
        px_buf_str(&b, shots[i].prefix);
        if (*shots[i].prefix)
            put_after_prefix(shots[i].prefix, shots[i].answer, &b);
        else
            px_buf_str(&b, shots[i].answer);
        add_message(p, "user", px_xstrdup(shots[i].question));
        add_message(p, "assistant", px_buf_steal(&b, NULL));
    }
    add_message(p, "user", px_xstrdup(question));
    p->prefix = px_xstrdup(prefix);
}

static int assemble_raw(const struct task *t, struct task_prompt *p, const char *head,
                        const struct shot *shots, uint32_t n, const char *question,
                        const char *prefix, struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, MAX_PROMPT);
    px_buf_str(&b, head);
    for (uint32_t i = 0; i < n; i++)
        put_shot(t, &shots[i], &b);
    put_question(t, question, prefix, &b);
    if (b.overflow) {
        px_buf_clear(&b);
        return px_fail(err, PX_ELIMIT, "a prompt of more than 32 MiB");
    }
    p->prompt = px_buf_steal(&b, NULL);
    p->prefix = px_xstrdup("");
    return 0;
}

/* A choice is scored behind the delimiter; in a chat the turn begins with the choice itself,
 * unless a prefix without white space at its end stands before it. */
static int add_choices(const struct task *t, const struct source *s, const char *prefix, bool chat,
                       struct arena *a, struct task_prompt *p, struct px_err *err)
{
    struct task_choices c;
    if (choices(t, s, a, &c, err) != 0)
        return -1;
    bool delimit = !chat || (*prefix && !text_ends_with_space(prefix, strlen(prefix)));
    p->choices = px_xcalloc(c.n, sizeof *p->choices);
    p->n_choices = c.n;
    for (uint32_t i = 0; i < c.n; i++) {
        p->choices[i].text = px_xstrdup(c.texts[i]);
        p->choices[i].continuation =
            px_xasprintf("%s%s", delimit ? t->target_delimiter : "", c.texts[i]);
        if (c.contexts)
            p->choices[i].context = px_xstrdup(c.contexts[i]);
    }
    task_choices_clear(&c);
    return 0;
}

int task_render(const struct task *t, uint32_t i, int32_t fewshot, bool chat,
                struct task_prompt *out, struct px_err *err)
{
    struct task_prompt p = {0};
    struct source s;
    struct shot *shots = NULL;
    PX_FREE char *head = NULL;
    PX_FREE char *question = NULL;
    PX_FREE char *prefix = NULL;
    uint32_t n = (uint32_t)(fewshot < 0 ? t->fewshot : fewshot);
    struct arena *a = arena_new();
    int rc = -1;
    open_source(&s, t->rows, i, a);
    if (chat && !task_takes_chat(t)) {
        px_fail(err, PX_EINPUT, "the task's texts are raw: they cannot be a chat's messages");
        goto done;
    }
    if (render(t->head, "head", &s, a, &head, err) != 0 ||
        render(question_template(t, chat), "prompt", &s, a, &question, err) != 0 ||
        (t->text && render(t->text, "text", &s, a, &p.text, err) != 0) ||
        render(t->prefix, "prefix", &s, a, &prefix, err) != 0 ||
        make_shots(t, i, n, chat, a, &shots, err) != 0)
        goto done;
    if (t->request == TASK_CHOICE && add_choices(t, &s, prefix, chat, a, &p, err) != 0)
        goto done;
    if (chat)
        assemble_chat(&p, head, shots, n, question, prefix);
    else if (assemble_raw(t, &p, head, shots, n, question, prefix, err) != 0)
        goto done;
    p.question = question;
    question = NULL;
    *out = p;
    p = (struct task_prompt){0};
    rc = 0;
done:
    if (shots)
        clear_shots(shots, n);
    task_prompt_clear(&p);
    arena_free(&a);
    return rc;
}

void task_prompt_clear(struct task_prompt *p)
{
    free(p->prompt);
    free(p->question);
    for (uint32_t i = 0; i < p->n_messages; i++)
        free((char *)(uintptr_t)p->messages[i].content); /* ours; the struct borrows by its type */
    free(p->messages);
    free(p->prefix);
    for (uint32_t i = 0; i < p->n_choices; i++) {
        free(p->choices[i].text);
        free(p->choices[i].continuation);
        free(p->choices[i].context);
    }
    free(p->choices);
    free(p->text);
    *p = (struct task_prompt){0};
}

/* ---- the scorer's fields ---- */

static int write_field(const struct field *f, const struct template_row *row, struct arena *a,
                       struct px_buf *out, struct px_err *err)
{
    struct value v;
    if (f->kind == FIELD_LITERAL) {
        px_buf_str(out, f->literal);
        return 0;
    }
    if (f->kind == FIELD_TEMPLATE) {
        if (template_value(f->tmpl, row, a, &v, err) != 0)
            return -1;
        value_write_json(&v, out);
        return 0;
    }
    px_buf_char(out, f->kind == FIELD_MAP ? '{' : '[');
    for (uint32_t i = 0; i < f->n; i++) {
        if (i)
            px_buf_char(out, ',');
        if (f->kind == FIELD_MAP) {
            px_json_quote(out, f->kids[i].name, strlen(f->kids[i].name));
            px_buf_char(out, ':');
        }
        if (write_field(&f->kids[i], row, a, out, err) != 0)
            return -1;
    }
    px_buf_char(out, f->kind == FIELD_MAP ? '}' : ']');
    return 0;
}

static bool has_field(const struct task *t, const char *name)
{
    for (uint32_t i = 0; i < t->problem.n; i++) {
        if (strcmp(t->problem.kids[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What is filled in when the scorer's fields do not give it: id for code, the task's gold. */
static int write_given(const struct task *t, const struct source *s, uint32_t i, struct arena *a,
                       struct px_buf *out, struct px_err *err)
{
    struct task_choices c;
    if (strcmp(t->scorer_kind, "code") == 0 && !has_field(t, "id")) {
        px_buf_str(out, "\"id\":");
        px_json_quote(out, t->ids[i], strlen(t->ids[i]));
    }
    if (!t->gold || has_field(t, "gold"))
        return 0;
    if (choices(t, s, a, &c, err) != 0)
        return -1;
    px_buf_str(out, c.gold_is_list ? "\"gold\":[" : "\"gold\":");
    for (uint32_t k = 0; k < c.n_golds; k++)
        px_buf_printf(out, k ? ",%d" : "%d", c.golds[k]);
    if (c.gold_is_list)
        px_buf_char(out, ']');
    task_choices_clear(&c);
    return 0;
}

int task_problem_json(const struct task *t, uint32_t i, struct px_buf *out, struct px_err *err)
{
    struct source s;
    struct px_buf b;
    struct px_err inner;
    struct arena *a = arena_new();
    open_source(&s, t->rows, i, a);
    px_buf_init(&b, MAX_PROMPT);
    px_buf_char(&b, '{');
    int rc = write_given(t, &s, i, a, &b, err);
    for (uint32_t k = 0; rc == 0 && k < t->problem.n; k++) {
        const struct field *f = &t->problem.kids[k];
        if (b.len > 1)
            px_buf_char(&b, ',');
        px_json_quote(&b, f->name, strlen(f->name));
        px_buf_char(&b, ':');
        if (write_field(f, &s.view, a, &b, &inner) != 0)
            rc = wrap(err, f->name, &s, &inner);
    }
    px_buf_char(&b, '}');
    if (rc == 0 && b.overflow)
        rc = px_fail(err, PX_ELIMIT, "a problem of more than 32 MiB for its scorer");
    if (rc == 0)
        px_buf_put(out, b.data, b.len);
    px_buf_clear(&b);
    arena_free(&a);
    return rc;
}

char *task_reference(const struct task *t, uint32_t i)
{
    struct source s;
    char *text = NULL;
    if (!t->reference)
        return NULL;
    struct arena *a = arena_new();
    open_source(&s, t->rows, i, a);
    if (render(t->reference, "reference", &s, a, &text, NULL) != 0)
        text = NULL;
    arena_free(&a);
    return text;
}
