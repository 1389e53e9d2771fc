/* test_plan.c - a recipe comes to units and keys, and a knob that cannot act is told at plan time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "small_plan.h"

static void build(struct small_plan *p, const char *stages)
{
    struct px_err err = {0};
    if (small_plan_build(p, stages, &err) != 0)
        fail_msg("%s\n%s", err.text, (char *)p->findings.data);
}

static uint32_t count_of(const struct small_plan *p, const char *words)
{
    uint32_t n = 0;
    for (const char *at = (const char *)p->findings.data; (at = strstr(at, words)); at++)
        n++;
    return n;
}

/* The recipe is refused, and words are said just once. */
static void refused(struct small_plan *p, const char *stages, const char *words)
{
    struct px_err err = {0};
    assert_int_equal(small_plan_build(p, stages, &err), -1);
    if (count_of(p, words) != 1)
        fail_msg("'%s' is in:\n%s%s", words, (char *)p->findings.data, err.text);
    assert_non_null(strstr((char *)p->findings.data, "recipe.yaml:"));
    small_plan_drop(p);
}

static struct px_digest content_of(const struct plan *p, uint64_t unit)
{
    struct unit u;
    struct px_err err = {0};
    if (plan_make_unit(p, unit, NULL, &u, NULL, &err) != 0)
        fail_msg("%s", err.text);
    struct px_digest key = u.key;
    assert_true(u.n_prompt > 0);
    unit_clear(&u);
    return key;
}

static void units_are_problems_times_samples_in_order(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    build(&p, "  - eval: {models: [m], tasks: [./sums.yaml]}\n"
              "  - eval: {name: warm, models: [m], tasks: [./sums.yaml], limit: 5, samples: 3,\n"
              "           sampler: {temperature: 0.5}}\n");
    assert_int_equal(p.plan->n_groups, 2);
    assert_int_equal(p.plan->n_units, 8 + 15);
    for (uint64_t i = 0; i < p.plan->n_units; i++) {
        struct plan_unit u = plan_unit_at(p.plan, i);
        uint64_t at = i < 8 ? i : i - 8;
        assert_int_equal(u.group, i >= 8);
        assert_int_equal(u.problem, i < 8 ? at : at / 3);
        assert_int_equal(u.sample, i < 8 ? 0 : at % 3);
    }
    small_plan_close(&p);
}

static void content_keys_follow_the_prompt_and_plan_keys_the_problem(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    build(&p, "  - eval: {models: [m], tasks: [./sums.yaml]}\n"
              "  - eval: {name: warm, models: [m], tasks: [./sums.yaml], limit: 2, samples: 2,\n"
              "           sampler: {temperature: 0.5}}\n"
              "  - eval: {name: again, models: [m], tasks: [./sums.yaml], limit: 3}\n");
    struct px_digest key[15], plan[15];
    for (uint64_t i = 0; i < 15; i++) {
        key[i] = content_of(p.plan, i);
        plan[i] = plan_key(p.plan, i);
    }
    for (uint32_t i = 0; i < 15; i++)
        for (uint32_t k = 0; k < i; k++) {
            bool again = i >= 12 && k == i - 12;
            bool same = again || (k == 0 && (i == 1 || i == 13)) || (k == 1 && i == 12) ||
                        (k == 2 && i == 3) || (k == 3 && i == 14) || (k == 12 && i == 13);
            assert_int_equal(px_digest_eq(&key[i], &key[k]), same);
            assert_int_equal(px_digest_eq(&plan[i], &plan[k]), again);
        }
    small_plan_close(&p);
}

static void shots_that_cannot_be_made_are_a_finding(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    refused(&p,
            "  - eval: {models: [m], tasks: [./sums.yaml], fewshot: 3,\n"
            "           grid: {kv: [f16, f32]}}\n",
            "eval.fewshot: task sums: 3 shots are asked for");
    small_put(p.dir, "shots.yaml",
              "task: shots\ndata: {file: ./rows.jsonl, get: here}\nid: '{{ id }}'\n"
              "prompt: 'Q: {{ q }} A:'\nmax_tokens: 4\nheadline: exact_match\n"
              "fewshot: {target: '{{ a }}'}\n"
              "scorer: {kind: numeric, problem: {answer: '{{ a }}'}}\n");
    refused(&p, "  - eval: {models: [m], tasks: [./shots.yaml], fewshot: 8}\n",
            "eval.fewshot: task shots: 8 shots, but there are only 8 rows");
    build(&p, "  - eval: {models: [m], tasks: [./shots.yaml], fewshot: 7}\n");
    small_plan_close(&p);
}

static void knobs_that_cannot_act_are_findings(void **state)
{
    (void)state;
    struct small_plan p;
    small_plan_open(&p);
    small_put(p.dir, "pick.yaml",
              "task: pick\ndata: {file: ./rows.jsonl, get: here}\nrequest: choice\n"
              "prompt: 'Q: {{ q }}'\nchoices: ['{{ a }}', none]\ngold: '0'\nheadline: acc\n"
              "scorer: {kind: choice}\n");
    refused(&p,
            "  - eval: {models: [m], tasks: [./pick.yaml], reuse: {subset: first, size: 2},\n"
            "           grid: {reuse.k: [2, 3]}}\n",
            "eval.reuse: acts on decode steps and task pick has none");
    refused(&p,
            "  - eval: {models: [m], tasks: [./pick.yaml], samples: 2,\n"
            "           sampler: {temperature: 1}}\n",
            "samples and sampler cannot act on task pick");
    refused(&p, "  - eval: {models: [m], tasks: [./pick.yaml], sampler: {max_tokens: 9}}\n",
            "eval.sampler.max_tokens: cannot act on task pick");
    refused(&p, "  - eval: {models: [m], tasks: [./sums.yaml], context: 9999999}\n",
            "eval.context: 9999999 is more than");
    refused(&p, "  - eval: {models: [m], tasks: [./sums.yaml], reuse: {k: 2, subset: [400]}}\n",
            "layer 400");
    refused(&p, "  - eval: {models: [m], tasks: [./nothing.yaml]}\n", "nothing.yaml");
    small_plan_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_problems_times_samples_in_order),
        cmocka_unit_test(content_keys_follow_the_prompt_and_plan_keys_the_problem),
        cmocka_unit_test(shots_that_cannot_be_made_are_a_finding),
        cmocka_unit_test(knobs_that_cannot_act_are_findings),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
