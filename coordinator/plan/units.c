/* units.c - a unit's number becomes keys, a rendered prompt, token ids. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/keys.h"
#include "coordinator/plan/plan.h"
#include "coordinator/plan/prompt_check.h"
#include "coordinator/plan/sequences.h"
#include "coordinator/task/text.h"
#include "proto/accident.h"
#include "proto/mem.h"

struct plan_unit plan_unit_at(const struct plan *p, uint64_t index)
{
    uint32_t lo = 0;
    uint32_t hi = p->n_groups;
    px_assert(index < p->n_units);
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->groups[mid].first <= index)
            lo = mid;
        else
            hi = mid;
    }
    const struct plan_group *g = &p->groups[lo];
    uint64_t at = index - g->first;
    struct plan_unit u = {.group = lo};
    u.order = (uint32_t)(at % g->orders);
    at /= g->orders;
    u.turn = (uint32_t)(at % g->turns);
    at /= g->turns;
    u.sample = (uint32_t)(at % g->samples);
    u.ordinal = (uint32_t)(at / g->samples);
    u.problem = g->problems ? g->problems[u.ordinal] : u.ordinal;
    return u;
}

uint64_t plan_index(const struct plan *p, const struct plan_unit *u)
{
    const struct plan_group *g = &p->groups[u->group];
    uint64_t at = (uint64_t)u->ordinal * g->samples + u->sample;
    return g->first + (at * g->turns + u->turn) * g->orders + u->order;
}

static uint32_t add_needs(const struct plan *p, uint32_t group, const struct plan_unit *at,
                          uint32_t turns, uint64_t *out)
{
    for (uint32_t t = 0; t < turns; t++) {
        struct plan_unit u = *at;
        u.group = group;
        u.turn = t;
        u.order = 0;
        out[t] = plan_index(p, &u);
    }
    return turns;
}

uint32_t plan_needs(const struct plan *p, uint64_t index, uint64_t out[])
{
    struct plan_unit at = plan_unit_at(p, index);
    const struct plan_group *g = &p->groups[at.group];
    if (g->judge == JUDGE_NONE)
        return add_needs(p, at.group, &at, at.turn, out);
    uint32_t n = add_needs(p, g->judged, &at, at.turn + 1, out);
    if (g->judge == JUDGE_PAIRWISE)
        n += add_needs(p, g->opponent, &at, at.turn + 1, out + n);
    return n;
}

struct px_digest plan_key(const struct plan *p, uint64_t index)
{
    struct plan_unit at = plan_unit_at(p, index);
    const struct plan_group *g = &p->groups[at.group];
    const struct task *t = p->tasks[g->task];
    struct px_digest row = task_problem_digest(t, at.problem);
    struct px_hash *h = px_hash_new("proctor unit 1");
    px_hash_digest(h, &g->base);
    px_hash_str(h, task_problem_id(t, at.problem));
    px_hash_digest(h, &row);
    px_hash_u64(h, at.sample);
    px_hash_u64(h, at.turn);
    px_hash_u64(h, at.order);
    if (g->judge != JUDGE_NONE) {
        uint64_t needs[PLAN_MAX_NEEDS];
        uint32_t n = plan_needs(p, index, needs);
        for (uint32_t i = 0; i < n; i++) {
            struct px_digest k = plan_key(p, needs[i]);
            px_hash_digest(h, &k);
        }
    }
    return px_hash_end(&h);
}

/* Text of the model's BOS token, NULL when it has none. Owned. */
static char *bos_text(const struct tokenizer *tk)
{
    int32_t bos = tokenizer_bos(tk);
    if (bos < 0)
        return NULL;
    size_t n;
    const char *text = tokenizer_text(tk, (uint32_t)bos, &n);
    return px_xstrndup(text, n);
}

/* The text that the model reads before its first token. */
static int prompt_text(const struct plan_group *g, const struct model_file *m, const struct task *t,
                       const struct task_prompt *p, struct px_buf *out, struct px_err *err)
{
    if (!g->chat) {
        px_buf_str(out, p->prompt);
        return 0;
    }
    PX_FREE char *bos = bos_text(m->tokenizer);
    struct chat_options opt = {.add_generation_prompt = true,
                               .enable_thinking = true,
                               .bos = bos,
                               .drop_system = *task_compat(t)};
    if (chat_render(g->chat_template, p->messages, p->n_messages, &opt, out, err) != 0)
        return -1;
    if (p->prefix)
        px_buf_str(out, p->prefix);
    return 0;
}

/* Special tokens are recognised only in what a template wrote, never in a data set's raw text. A
 * text that already begins with BOS gets no second one. */
static unsigned token_flags(const struct plan_group *g, const struct model_file *m,
                            const struct px_buf *text)
{
    if (!g->chat)
        return TOK_ADD_SPECIAL;
    PX_FREE char *bos = bos_text(m->tokenizer);
    bool has_bos = bos && strncmp((const char *)text->data, bos, strlen(bos)) == 0;
    return TOK_PARSE_SPECIAL | (has_bos ? 0 : TOK_ADD_SPECIAL);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static uint32_t context_of(const struct plan_group *g, const struct model_file *m)
{
    return g->generate.context ? g->generate.context : m->config.context_length;
}

/* The loglikelihoods that a unit asks for. */
static int scored_sequences(const struct plan_group *g, const struct model_file *m,
                            const struct task *t, const struct px_buf *text,
                            const struct task_prompt *p, struct unit *u, struct receipt *r,
                            struct px_err *err)
{
    struct sequences s;
    struct task_windows w = task_windows(t);
    int rc = p->text ? sequences_of_text(m, p->text, &w, context_of(g, m), &s, err)
                     : sequences_of_choices(m, text, token_flags(g, m, text), p,
                                            task_mutual_info(t), &s, err);
    if (rc != 0)
        return -1;
    if (task_truncates(t))
        sequences_cut(&s, context_of(g, m));
    if (r) {
        r->accidents |= s.merged ? ACCIDENT_BOUNDARY_MERGE : 0;
        r->accidents |= s.n_cut ? ACCIDENT_TRUNCATED : 0;
        r->n_cut = s.n_cut;
    }
    sequences_share(&s, u);
    sequences_clear(&s);
    return 0;
}

/* Leaves room for the answer: the context less max_tokens. */
static void cut_prompt(const struct plan_group *g, const struct model_file *m, struct unit *u,
                       struct receipt *r)
{
    uint32_t context = context_of(g, m), room = g->generate.max_tokens;
    if (room >= context || u->n_prompt <= context - room)
        return;
    uint32_t cut = u->n_prompt - (context - room);
    u->n_prompt -= cut;
    memmove(u->prompt, u->prompt + cut, u->n_prompt * sizeof *u->prompt);
    if (r) {
        r->accidents |= ACCIDENT_TRUNCATED;
        r->n_cut = cut;
    }
}

static int prompt_tokens(const struct plan_group *g, const struct model_file *m,
                         const struct task *t, const struct px_buf *text, struct unit *u,
                         struct receipt *r, struct px_err *err)
{
    if (plan_encode(m, text, token_flags(g, m, text), &u->prompt, &u->n_prompt, err) != 0)
        return -1;
    if (u->n_prompt == 0) {
        u->prompt = px_xrealloc(u->prompt, sizeof *u->prompt);
        u->n_prompt = 1;
        return plan_prefix_token(m, u->prompt, err);
    }
    if (task_truncates(t))
        cut_prompt(g, m, u, r);
    return 0;
}

/* All token ids in one list: the prompt, then each choice's. */
static void receipt_tokens(const struct unit *u, struct receipt *r)
{
    size_t n = u->n_prompt, at = 0;
    for (uint32_t i = 0; i < u->n_choices; i++)
        n += u->choices[i].n_tokens;
    r->tokens = px_xcalloc(n + 1, sizeof *r->tokens);
    r->n_prompt = u->n_prompt;
    r->n_tokens = (uint32_t)n;
    for (uint32_t i = 0; i < u->n_prompt; i++)
        r->tokens[at++] = u->prompt[i];
    for (uint32_t i = 0; i < u->n_choices; i++)
        for (uint32_t k = 0; k < u->choices[i].n_tokens; k++)
            r->tokens[at++] = u->choices[i].tokens[k];
}

static void fill_receipt(const struct plan_group *g, const struct model_file *m,
                         const struct task *t, const struct task_prompt *p, const struct unit *u,
                         struct receipt *r)
{
    r->accidents |= prompt_accidents(g, m, t, p, u);
    r->template = px_xstrdup(g->chat ? chat_template_name(g->chat_template) : "");
    r->bos = u->n_prompt && u->prompt[0] == (uint32_t)tokenizer_bos(m->tokenizer);
    receipt_tokens(u, r);
}

static int tokenise(const struct plan_group *g, const struct model_file *m, const struct task *t,
                    const struct task_prompt *p, struct unit *u, struct receipt *r,
                    struct px_err *err)
{
    struct px_buf text;
    px_buf_init(&text, PROMPT_LIMIT);
    px_buf_put(&text, "", 0);
    int rc = prompt_text(g, m, t, p, &text, err);
    if (r)
        r->text = p->text ? px_sha256(p->text, strlen(p->text)) : px_sha256(text.data, text.len);
    if (rc == 0 && g->generate.kind == UNIT_CHOICE)
        rc = scored_sequences(g, m, t, &text, p, u, r, err);
    else if (rc == 0)
        rc = prompt_tokens(g, m, t, &text, u, r, err);
    px_buf_clear(&text);
    return rc;
}

/* Of recorded loglikelihoods the task knows the choices: how many, and how long. A long text has
 * one, its sum; with mutual information the choices come again, behind nothing. */
static int recorded_choices(const struct task *t, uint32_t problem, struct unit *u,
                            struct px_err *err)
{
    struct task_prompt p = {0};
    int rc = task_render(t, problem, 0, false, &p, err);
    bool rolling = task_request(t) == TASK_ROLLING;
    u->n_choices = rolling ? 1 : p.n_choices * (task_mutual_info(t) ? 2 : 1);
    u->choices = px_xcalloc((size_t)u->n_choices + 1, sizeof *u->choices);
    for (uint32_t i = 0; i < u->n_choices && rc == 0; i++) {
        const char *text = rolling ? p.text : p.choices[i % p.n_choices].text;
        u->choices[i].n_bytes = (uint32_t)strlen(text);
        u->choices[i].n_chars = (uint32_t)text_code_points(text, u->choices[i].n_bytes);
    }
    task_prompt_clear(&p);
    return rc;
}

/* Which texts a prompt quotes, as the task's templates name them. */
static struct task_answers answers_of(const struct plan_group *g, const struct plan_unit *at,
                                      const char *const *texts)
{
    static const char *const none[PLAN_MAX_NEEDS] = {"", "", "", "", "", "", "", "",
                                                     "", "", "", "", "", "", "", ""};
    struct task_answers a = {.turn = at->turn};
    const char *const *t = texts ? texts : none;
    a.n = g->judge == JUDGE_NONE ? at->turn : at->turn + 1;
    a.first = t;
    a.second = g->judge == JUDGE_PAIRWISE ? t + a.n : NULL;
    if (at->order == 1) {
        a.first = t + a.n;
        a.second = t;
    }
    return a;
}

int plan_make_unit(const struct plan *p, uint64_t index, const char *const *texts, struct unit *out,
                   struct receipt *receipt, struct px_err *err)
{
    struct plan_unit at = plan_unit_at(p, index);
    const struct plan_group *g = &p->groups[at.group];
    const struct plan_cell *cell = &p->cells[g->cell];
    const struct task *t = p->tasks[g->task];
    const struct model_file *m = &p->models[g->model];
    struct task_answers answers = answers_of(g, &at, texts);
    struct unit u = {.problem = px_xstrdup(task_problem_id(t, at.problem)),
                     .sample = at.sample,
                     .turn = at.turn};
    if (m->backend == BACKEND_REPLAY) /* a recording holds the turns of a sample one by one */
        u.sample = at.sample * g->turns + at.turn;
    struct receipt r = {0};
    int rc = 0;
    if (m->backend == BACKEND_NATIVE) {
        struct task_prompt prompt = {0};
        rc = task_render_turn(t, at.problem, cell->settings->fewshot, g->chat, &answers, &prompt,
                              err);
        if (rc == 0)
            rc = tokenise(g, m, t, &prompt, &u, receipt ? &r : NULL, err);
        if (rc == 0 && receipt)
            fill_receipt(g, m, t, &prompt, &u, &r);
        task_prompt_clear(&prompt);
    } else if (m->backend == BACKEND_REPLAY && g->generate.kind == UNIT_CHOICE) {
        rc = recorded_choices(t, at.problem, &u, err);
    }
    if (rc != 0) {
        px_wrap(err, "task %s, problem %s", task_name(t), u.problem);
        unit_clear(&u);
        receipt_clear(&r);
        return -1;
    }
    if (receipt)
        *receipt = r;
    u.key = content_key(&g->generate, &u);
    *out = u;
    return 0;
}

int plan_prompt(const struct plan *p, uint64_t index, struct task_prompt *out, struct px_buf *text,
                struct px_err *err)
{
    struct plan_unit at = plan_unit_at(p, index);
    const struct plan_group *g = &p->groups[at.group];
    const struct task *t = p->tasks[g->task];
    const struct model_file *m = &p->models[g->model];
    struct task_prompt prompt = {0};
    if (g->chat && m->backend != BACKEND_NATIVE)
        return px_fail(err, PX_EUNSUPPORTED, "recorded answers: no chat template is known");
    if (task_render(t, at.problem, p->cells[g->cell].settings->fewshot, g->chat, &prompt, err) !=
            0 ||
        (!prompt.text && prompt_text(g, m, t, &prompt, text, err) != 0)) {
        task_prompt_clear(&prompt);
        return px_wrap(err, "task %s, problem %s", task_name(t), task_problem_id(t, at.problem));
    }
    *out = prompt;
    return 0;
}

/* What the scorer needs of the problem; of a judge's text, whose answer stood first. */
static int score_problem(const struct plan_group *g, const struct task *t,
                         const struct plan_unit *at, struct px_buf *json, struct px_err *err)
{
    if (g->judge == JUDGE_NONE)
        return task_problem_json(t, at->problem, json, err);
    if (g->judge == JUDGE_SINGLE)
        px_buf_printf(json, "{\"turn\":%u}", at->turn);
    else
        px_buf_printf(json, "{\"turn\":%u,\"swapped\":%s}", at->turn, at->order ? "true" : "false");
    return 0;
}

int plan_make_score_unit(const struct plan *p, uint64_t index, const void *record, size_t n,
                         struct unit *out, struct px_err *err)
{
    struct plan_unit at = plan_unit_at(p, index);
    const struct plan_group *g = &p->groups[at.group];
    const struct task *t = p->tasks[g->task];
    struct px_digest completion;
    struct px_buf json;
    px_buf_init(&json, UNIT_LIMIT);
    if (completion_result_digest(record, n, &completion, err) != 0 ||
        score_problem(g, t, &at, &json, err) != 0) {
        px_buf_clear(&json);
        return px_wrap(err, "task %s, problem %s", task_name(t), task_problem_id(t, at.problem));
    }
    struct unit u = {.problem = px_xstrdup(task_problem_id(t, at.problem)),
                     .sample = at.sample,
                     .turn = at.turn};
    u.key = verdict_key(&completion, g->score.scorer, (const char *)json.data, json.len);
    u.problem_json = px_buf_steal(&json, NULL);
    u.completion = (uint8_t *)px_xmemdup(record, n);
    u.n_completion = (uint32_t)n;
    *out = u;
    return 0;
}

bool plan_opens_thought(const struct plan *p, const struct plan_group *g)
{
    const struct plan_cell *cell = &p->cells[g->cell];
    const struct model_file *m = &p->models[g->model];
    struct task_prompt prompt = {0};
    struct px_buf text;
    bool open = false;
    px_buf_init(&text, PROMPT_LIMIT);
    struct plan_unit first = {0};
    struct task_answers none = answers_of(g, &first, NULL);
    if (m->think_open && g->n_problems &&
        task_render_turn(p->tasks[g->task], 0, cell->settings->fewshot, g->chat, &none, &prompt,
                         NULL) == 0 &&
        prompt_text(g, m, p->tasks[g->task], &prompt, &text, NULL) == 0) {
        size_t n = text.len, k = strlen(m->think_open);
        while (n > 0 && is_space((char)text.data[n - 1]))
            n--;
        open = n >= k && memcmp(text.data + n - k, m->think_open, k) == 0;
    }
    task_prompt_clear(&prompt);
    px_buf_clear(&text);
    return open;
}

bool plan_unscored(const struct plan *p, uint32_t group)
{
    return strcmp(task_scorer_kind(p->tasks[p->groups[group].task]), "none") == 0;
}
