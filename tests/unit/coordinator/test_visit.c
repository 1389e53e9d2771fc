/* test_visit.c - units are taken subset by subset, each once, and in index order elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/run/visit.h"
#include "small_plan.h"

static void open_plan(struct small_plan *p, const char *stages)
{
    struct px_err err = {0};
    small_plan_open(p);
    small_put(p->dir, "mixed.jsonl",
              "{\"id\": \"p0\", \"s\": \"x\"}\n{\"id\": \"p1\", \"s\": \"y\"}\n"
              "{\"id\": \"p2\", \"s\": \"x\"}\n{\"id\": \"p3\", \"s\": \"z\"}\n"
              "{\"id\": \"p4\", \"s\": \"y\"}\n{\"id\": \"p5\", \"s\": \"x\"}\n");
    small_put(p->dir, "mixed.yaml",
              "task: mixed\ndata: {file: ./mixed.jsonl, get: here}\nid: '{{ id }}'\n"
              "subset: '{{ s }}'\nprompt: 'Q: {{ s }} {{ id }} A:'\nmax_tokens: 4\n"
              "headline: exact_match\nscorer: {kind: numeric, problem: {answer: '1'}}\n");
    if (small_plan_build(p, stages, &err) != 0)
        fail_msg("%s\n%s", err.text, (char *)p->findings.data);
}

static void subsets_stand_together(void **state)
{
    static const uint32_t PROBLEMS[] = {0, 2, 5, 1, 4, 3};
    (void)state;
    struct small_plan p;
    open_plan(&p, "  - eval: {models: [m], tasks: [./sums.yaml]}\n"
                  "  - eval: {name: warm, models: [m], tasks: [./mixed.yaml], samples: 2,\n"
                  "           sampler: {temperature: 0.5}}\n");
    struct visit *v = visit_new(p.plan);
    assert_non_null(v);
    assert_int_equal(p.plan->n_units, 8 + 12);
    for (uint64_t i = 0; i < p.plan->n_units; i++) {
        uint64_t unit = visit_unit(v, i);
        assert_int_equal(visit_place(v, unit), i);
        struct plan_unit u = plan_unit_at(p.plan, unit);
        assert_int_equal(u.problem, i < 8 ? i : PROBLEMS[(i - 8) / 2]);
        assert_int_equal(u.sample, i < 8 ? 0 : i % 2);
    }
    visit_free(&v);
    small_plan_close(&p);
}

static void without_subsets_the_order_takes_no_memory(void **state)
{
    (void)state;
    struct small_plan p;
    open_plan(&p, "  - eval: {models: [m], tasks: [./sums.yaml]}\n");
    struct visit *v = visit_new(p.plan);
    assert_null(v);
    assert_int_equal(visit_unit(v, 5), 5);
    assert_int_equal(visit_place(v, 7), 7);
    small_plan_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subsets_stand_together),
        cmocka_unit_test(without_subsets_the_order_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
