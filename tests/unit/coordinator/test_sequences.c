/* test_sequences.c - what is scored, in tokens: shared beginnings, contexts of their own, windows,
 * the split at the boundary, and what is cut on request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/plan/sequences.h"
#include "proto/accident.h"
#include "small_plan.h"

static void build(struct small_plan *p, const char *name, const char *task, const char *more)
{
    struct px_err err = {0};
    PX_FREE char *text =
        px_xasprintf("task: x\ndata: {file: ./rows.jsonl, get: here}\nid: '{{ id }}'\n%s", task);
    PX_FREE char *stages = px_xasprintf("  - eval: {models: [m], tasks: [./%s]%s}\n", name, more);
    small_put(p->dir, name, text);
    if (small_plan_build(p, stages, &err) != 0)
        fail_msg("%s\n%s", err.text, (char *)p->findings.data);
}

static struct unit unit_of(const struct small_plan *p, uint64_t i, struct receipt *r)
{
    struct unit u;
    struct px_err err = {0};
    if (plan_make_unit(p->plan, i, NULL, &u, r, &err) != 0)
        fail_msg("%s", err.text);
    return u;
}

static uint32_t *ids_of(const struct small_plan *p, const char *text, unsigned flags, size_t *n)
{
    uint32_t *ids;
    struct px_err err;
    assert_int_equal(
        tokenizer_encode(p->plan->models[0].tokenizer, text, strlen(text), flags, &ids, n, &err),
        0);
    return ids;
}

/* Prompt and choice together are the tokens of context and continuation, split by their number. */
static void assert_choice(const struct small_plan *p, const struct unit *u, uint32_t i,
                          const char *context, const char *whole)
{
    size_t n_context, n;
    const struct unit_choice *c = &u->choices[i];
    PX_FREE uint32_t *head = ids_of(p, context, TOK_ADD_SPECIAL, &n_context);
    PX_FREE uint32_t *all = ids_of(p, whole, TOK_ADD_SPECIAL, &n);
    assert_int_equal(u->n_prompt + c->n_skip, n_context);
    assert_int_equal(u->n_prompt + c->n_tokens, n);
    for (size_t k = 0; k < n; k++) {
        uint32_t got = k < u->n_prompt ? u->prompt[k] : c->tokens[k - u->n_prompt];
        assert_int_equal(got, k < n_context ? head[k] : all[k]);
    }
}

#define SCORED "headline: acc\nscorer: {kind: choice}\n"

static void choices_share_their_prompt(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    build(&p, "t.yaml",
          "request: choice\nprompt: \"Q {{ q }} \"\nchoices: ['{{ a }}', none]\ngold: '{{ 0 }}'\n"
          "target_delimiter: ''\n" SCORED,
          "");
    struct unit u = unit_of(&p, 2, NULL);
    assert_int_equal(u.n_choices, 2);
    assert_choice(&p, &u, 0, "Q 3+3", "Q 3+3 6"); /* the space moves to the continuation */
    assert_choice(&p, &u, 1, "Q 3+3", "Q 3+3 none");
    assert_int_equal(u.choices[0].n_skip, 0);
    assert_int_equal(u.choices[1].n_bytes, 4);
    unit_clear(&u);
    small_plan_close(&p);
}

static void contexts_are_skipped_tokens(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    build(&p, "t.yaml",
          "request: choice\ncontexts: ['The sum {{ q }} here', 'The sum {{ a }} there and then']\n"
          "continuation: 'is known'\ngold: '{{ 0 }}'\n" SCORED,
          "");
    struct unit u = unit_of(&p, 4, NULL);
    assert_choice(&p, &u, 0, "The sum 4+4 here", "The sum 4+4 here is known");
    assert_choice(&p, &u, 1, "The sum 8 there and then", "The sum 8 there and then is known");
    assert_true(u.n_prompt > 0 && u.choices[0].n_skip > 0);
    assert_true(u.choices[1].n_skip > u.choices[0].n_skip);
    unit_clear(&u);
    small_plan_drop(&p);
    struct px_err err;
    assert_int_equal(
        small_plan_build(&p, "  - eval: {models: [m], tasks: [./t.yaml], chat: chatml}\n", &err),
        -1);
    assert_non_null(strstr((char *)p.findings.data, "eval.chat: task x scores raw texts"));
    small_plan_close(&p);
}

static void mutual_information_scores_each_choice_behind_nothing(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    build(&p, "t.yaml",
          "request: choice\nprompt: 'Q {{ q }}'\nchoices: ['{{ a }}', none]\ngold: '{{ 0 }}'\n"
          "headline: acc_mutual_info\nscorer: {kind: choice, mutual_info: true}\n",
          "");
    struct unit u = unit_of(&p, 0, NULL);
    uint32_t prefix;
    size_t n;
    struct px_err err;
    assert_int_equal(u.n_choices, 4);
    assert_int_equal(plan_prefix_token(&p.plan->models[0], &prefix, &err), 0);
    PX_FREE uint32_t *none = ids_of(&p, " none", 0, &n);
    const struct unit_choice *c = &u.choices[3];
    assert_int_equal(u.n_prompt + c->n_skip, 1);
    assert_int_equal(u.n_prompt ? u.prompt[0] : c->tokens[0], prefix);
    assert_memory_equal(c->tokens + c->n_skip, none, n * sizeof *none);
    assert_int_equal(c->n_tokens - c->n_skip, n);
    unit_clear(&u);
    small_plan_close(&p);
}

static void texts_are_scored_in_windows(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    build(&p, "t.yaml",
          "request: rolling\ntext: 'one {{ q }} two {{ q }} three {{ q }} four {{ a }} five'\n"
          "windows: {context: 8}\nheadline: loglikelihood\n"
          "scorer: {kind: rolling, problem: {text: '{{ q }}'}}\n",
          "");
    struct unit u = unit_of(&p, 2, NULL);
    size_t n, at = 0;
    PX_FREE uint32_t *ids = ids_of(&p, "one 3+3 two 3+3 three 3+3 four 6 five", 0, &n);
    assert_int_equal(u.n_choices, (n - 1) / 8 + 1);
    for (uint32_t i = 0; i < u.n_choices; i++) {
        const struct unit_choice *c = &u.choices[i];
        assert_true(u.n_prompt + c->n_skip >= 1);
        assert_true(u.n_prompt + c->n_tokens - 1 <= 8);
        for (uint32_t k = c->n_skip; k < c->n_tokens; k++)
            assert_int_equal(c->tokens[k], ids[at++]);
    }
    assert_int_equal(at, n);
    unit_clear(&u);
    small_plan_drop(&p);
    struct px_err err;
    assert_int_equal(
        small_plan_build(&p, "  - eval: {models: [m], tasks: [./t.yaml], context: 4}\n", &err), -1);
    assert_non_null(strstr((char *)p.findings.data, "task x has windows of 8 tokens, model 'm' "
                                                    "takes 4 at once"));
    small_plan_close(&p);
}

static void what_is_too_long_is_cut_on_request_only(void **state)
{
    (void)state;
    static const char task[] = "prompt: 'Add these two numbers, please: {{ q }} ='\nmax_tokens: 4\n"
                               "headline: exact_match\n"
                               "scorer: {kind: numeric, problem: {answer: '{{ a }}'}}\n";
    struct small_plan p;
    struct receipt r = {0};
    small_plan_open(&p);
    build(&p, "t.yaml", task, ", context: 10");
    struct unit u = unit_of(&p, 0, &r);
    uint32_t whole = u.n_prompt;
    assert_true(whole > 10);
    assert_int_equal(r.accidents & ACCIDENT_TRUNCATED, 0);
    uint32_t last = u.prompt[whole - 1];
    unit_clear(&u);
    receipt_clear(&r);
    small_plan_drop(&p);
    PX_FREE char *cut = px_xasprintf("%struncate: left\n", task);
    build(&p, "t.yaml", cut, ", context: 10");
    u = unit_of(&p, 0, &r);
    assert_int_equal(u.n_prompt, 6); /* room for max_tokens */
    assert_int_equal(u.prompt[5], last);
    assert_int_equal(r.accidents & ACCIDENT_TRUNCATED, ACCIDENT_TRUNCATED);
    assert_int_equal(r.n_cut, whole - 6);
    unit_clear(&u);
    receipt_clear(&r);
    small_plan_close(&p);
}

static void sequences_keep_a_token_of_context(void **state)
{
    (void)state;
    struct sequence list[2] = {{.n = 9, .n_context = 6}, {.n = 9, .n_context = 2}};
    struct sequences s = {.n = 2, .list = px_xcalloc(2, sizeof *list)};
    for (uint32_t i = 0; i < 2; i++) {
        s.list[i] = list[i];
        s.list[i].ids = px_xcalloc(9, sizeof(uint32_t));
        for (uint32_t k = 0; k < 9; k++)
            s.list[i].ids[k] = k;
    }
    sequences_cut(&s, 4); /* five tokens fit: the last is never an input */
    assert_int_equal(s.list[0].n, 5);
    assert_int_equal(s.list[0].n_context, 2);
    assert_int_equal(s.list[0].ids[0], 4);
    assert_int_equal(s.list[1].n, 8);
    assert_int_equal(s.list[1].n_context, 1);
    assert_int_equal(s.n_cut, 4);
    sequences_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_share_their_prompt),
        cmocka_unit_test(contexts_are_skipped_tokens),
        cmocka_unit_test(mutual_information_scores_each_choice_behind_nothing),
        cmocka_unit_test(texts_are_scored_in_windows),
        cmocka_unit_test(what_is_too_long_is_cut_on_request_only),
        cmocka_unit_test(sequences_keep_a_token_of_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
