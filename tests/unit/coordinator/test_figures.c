/* test_figures.c - metrics made of sums, subsets, votes, spreads, accidents, gates and speeds, over
 * runs made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/report/collect.h"
#include "coordinator/report/gates.h"
#include "coordinator/report/report.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/log.h"
#include "scratch_store.h"
#include "synthetic.h"

static const char plain[] = "{\"sampler.temperature\":0}";
static const char warm[] = "{\"sampler.temperature\":0.8}";

static void near(double have, double want, double tolerance)
{
    if (!(fabs(have - want) <= tolerance))
        print_error("have %.12g, want %.12g\n", have, want);
    assert_true(fabs(have - want) <= tolerance);
}

static struct syn_unit answer(const char *extracted, double value)
{
    return (struct syn_unit){.finish = FINISH_EOS,
                             .class = value >= 1 ? VERDICT_PASSED : VERDICT_WRONG_ANSWER,
                             .value = value,
                             .extracted = extracted,
                             .text = extracted,
                             .n_tokens = 4,
                             .decode_steps = 3,
                             .decode_s = 0.1};
}

static struct run_stats *collect(void)
{
    struct px_err err = {0};
    struct run_stats *r = collect_run(s, &err);
    if (!r)
        print_error("%s\n", err.text);
    assert_non_null(r);
    return r;
}

static char *page(enum report_format f)
{
    struct px_buf b;
    px_buf_init(&b, 1 << 24);
    assert_int_equal(report_write(s, f, &b, NULL), 0);
    return px_buf_steal(&b, NULL);
}

static bool says(enum report_format f, const char *words)
{
    char *text = page(f);
    bool found = strstr(text, words) != NULL;
    if (!found)
        print_error("no '%s' in:\n%s\n", words, text);
    free(text);
    return found;
}

/* ---- sums ---- */

static struct syn_unit document(double loglikelihood, double words, double bytes)
{
    struct syn_unit u = {.finish = FINISH_SCORED, .class = VERDICT_UNSCORED};
    u.more[0] = "-";
    u.more[1] = "loglikelihood";
    u.more_value[1] = loglikelihood;
    u.more[2] = "words";
    u.more_value[2] = words;
    u.more[3] = "bytes";
    u.more_value[3] = bytes;
    return u;
}

static void make_documents(const struct syn_unit *u, uint32_t n)
{
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "wikitext", "rolling", "word_perplexity", "rolling", 0);
    run.tasks[0].lower_is_better = true;
    run.tasks[0].aggregates = syn_text(
        "[{\"metric\":\"word_perplexity\",\"kind\":\"exp_neg_ratio\",\"of\":\"loglikelihood\","
        "\"over\":\"words\"},{\"metric\":\"bits_per_byte\",\"kind\":\"bits_ratio\",\"of\":"
        "\"loglikelihood\",\"over\":\"bytes\"},{\"metric\":\"perplexity\",\"kind\":"
        "\"exp_neg_mean\",\"of\":\"loglikelihood\"},{\"metric\":\"bytes_per_word\",\"kind\":"
        "\"ratio\",\"of\":\"bytes\",\"over\":\"words\"}]");
    syn_group(&run, 0, 0, u, n, 1);
    assert_int_equal(syn_commit(&run, s), 0);
}

static void metrics_are_made_of_sums(void **state)
{
    (void)state;
    struct syn_unit u[3] = {document(-100, 20, 110), document(-30, 10, 50), document(-2, 1, 4)};
    make_documents(u, 3);
    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    near(g->metrics[0].value, exp(132.0 / 31), 1e-9);
    near(group_metric(g, "bits_per_byte")->value, 132.0 / 164 / log(2), 1e-12);
    near(group_metric(g, "perplexity")->value, exp(44), 1e-3 * exp(44));
    near(group_metric(g, "bytes_per_word")->value, 164.0 / 31, 1e-12);
    assert_string_equal(g->metrics[0].method, "bootstrap");
    assert_true(isnan(g->metrics[0].std_error));
    assert_true(g->metrics[0].interval.lo > 0);
    assert_true(g->metrics[0].interval.lo < g->metrics[0].value);
    assert_true(g->metrics[0].interval.hi > g->metrics[0].value);
    assert_int_equal(g->outcomes[OUTCOME_GRADED], 3); /* neither right nor wrong */
    assert_false(task_in_percent(r, 0));
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "wikitext, word_perplexity, n = 3, lower is better"));
    assert_true(says(REPORT_TABLE, "70.67"));
    assert_true(says(REPORT_MARKDOWN, "| 70.67 |"));
    assert_true(says(REPORT_JSON, "\"sum_of\":\"loglikelihood\",\"over\":\"words\""));
}

static void sums_leave_out_what_is_missing_and_say_so(void **state)
{
    (void)state;
    struct syn_unit u[3] = {document(-100, 20, 110), document(-30, 10, 50), {0}};
    make_documents(u, 3);
    struct run_stats *r = collect();
    near(r->groups[0].metrics[0].value, exp(130.0 / 30), 1e-9);
    assert_true(group_incomplete(&r->groups[0]));
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "~76.2"));
    assert_true(says(REPORT_JSON, "\"complete\":false"));
}

/* ---- subsets ---- */

/* Subset a (group x): 3 of 4; b (x): 1 of 2; c (y): 0 of 3; d (y): no problem. */
static void make_subsets(bool whole)
{
    struct syn_unit u[9];
    for (uint32_t i = 0; i < 9; i++) {
        u[i] = answer(i % 2 ? "A" : "B", i < 3 || i == 4);
        u[i].subset = i < 4 ? 0 : i < 6 ? 1 : 2;
    }
    if (!whole)
        u[8] = (struct syn_unit){.subset = 2};
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "mmlu", "choice", "acc", "choice", 0);
    run.tasks[0].subsets =
        syn_text("[{\"name\":\"a\",\"group\":\"x\"},{\"name\":\"b\",\"group\":\"x\"},"
                 "{\"name\":\"c\",\"group\":\"y\"},{\"name\":\"d\",\"group\":\"y\"}]");
    syn_group(&run, 0, 0, u, 9, 1);
    run.tasks[0].n_problems = 12;
    assert_int_equal(syn_commit(&run, s), 0);
}

static void subsets_groups_and_total_are_told_apart(void **state)
{
    (void)state;
    make_subsets(true);
    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    assert_int_equal(g->n_subsets, 4);
    assert_int_equal(g->n_families, 3);
    near(g->subsets[0].value[0], 0.75, 1e-12);
    near(g->subsets[0].std_error[0], 0.25, 1e-12); /* sqrt(0.25 / 4) */
    near(g->subsets[1].std_error[0], 0.5, 1e-12);
    near(g->subsets[0].interval.lo, stats_wilson(3, 4).lo, 1e-12);
    const struct part_stats *x = &g->families[0], *total = &g->families[2];
    assert_string_equal(x->name, "x");
    near(x->value[0], 4.0 / 6, 1e-12);
    near(x->macro[0], 0.625, 1e-12);
    /* lm-eval: sqrt(((4-1) 0.0625 4 + (2-1) 0.25 2) / (6 - 2) / 6) */
    near(x->std_error[0], sqrt((3 * 0.0625 * 4 + 1 * 0.25 * 2) / 4 / 6), 1e-12);
    assert_string_equal(total->name, "total");
    near(total->value[0], 4.0 / 9, 1e-12);
    near(total->macro[0], (0.75 + 0.5 + 0) / 3, 1e-12);
    near(total->value[0], g->metrics[0].value, 1e-12);
    assert_int_equal(total->n_subsets, 3);
    assert_int_equal(total->of_subsets, 4);
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "n = 9 of 12 (not the whole set)"));
    assert_true(says(REPORT_TABLE, "3 of 4 subsets"));
    assert_true(says(REPORT_MARKDOWN, "| c | mmlu | x |  | 6 | 66.7 | 22.8 | 62.5 |"));
    assert_true(says(REPORT_CSV, ",a,x,,"));
    assert_true(says(REPORT_JSON, "\"name\":\"total\",\"subsets\":3,\"of_subsets\":4"));
}

static void a_subset_that_is_not_done_says_so(void **state)
{
    (void)state;
    make_subsets(false);
    assert_true(says(REPORT_TABLE, "2 of 3 done"));
    assert_true(says(REPORT_MARKDOWN, "(2 of 3 done)"));
    assert_true(says(REPORT_JSON, "\"n\":3,\"done\":2,\"complete\":false"));
}

/* ---- votes ---- */

static void the_majority_of_the_answers_counts(void **state)
{
    (void)state;
    struct syn_unit u[20] = {
        /* 7 wins with three of five; the single right answer loses */
        answer("42", 1), answer("7", 0), answer("7", 0), answer("8", 0), answer("7", 0),
        /* 42 and 7 draw: 42 came first */
        answer("42", 1), answer("7", 0), answer("7", 0), answer("42", 1), answer("9", 0),
        /* what has no answer does not vote */
        answer("", 0), answer("", 0), answer("", 0), answer("42", 1), answer("", 0),
        /* none has one: they vote among themselves */
        answer("", 0), answer("", 0), answer("", 0), answer("", 0), answer("", 0)};
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", warm, false, 1);
    syn_task(&run, "gsm8k", "generate", "exact_match", "numeric", 0);
    syn_group(&run, 0, 0, u, 20, 5);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    assert_true(g->majority.valid);
    near(g->majority.value, 2.0 / 4, 1e-12);
    near(g->majority.interval.lo, stats_wilson(2, 4).lo, 1e-12);
    near(group_pass_at(g, 5), 3.0 / 4, 1e-12);
    near(group_pass_at(g, 3), (stats_pass_at(5, 1, 3) * 2 + stats_pass_at(5, 2, 3)) / 4, 1e-12);
    assert_true(isnan(group_pass_at(g, 6)));
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "maj@n"));
    assert_true(says(REPORT_JSON, "\"majority\":{\"samples\":5,\"value\":0.5,"));
}

/* ---- beside the headline ---- */

static void every_rule_of_math_is_an_extractor(void **state)
{
    (void)state;
    struct syn_unit u[4];
    for (int i = 0; i < 4; i++) {
        u[i] = answer("1", i < 3);
        u[i].more[0] = "exact_match";
        u[i].more_value[0] = i < 2;
        u[i].more[1] = "string_match";
        u[i].more_value[1] = i < 1;
    }
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "math500", "generate", "math_equal", "math", 0);
    syn_group(&run, 0, 0, u, 4, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    assert_int_equal(g->spread.n, 3);
    assert_string_equal(g->metrics[g->spread.lowest].name, "string_match");
    run_stats_free(&r);
}

static void the_headline_stands_beside_its_bounds_and_extractors(void **state)
{
    (void)state;
    struct syn_unit u[4];
    for (int i = 0; i < 4; i++) {
        u[i] = answer(i % 2 ? "1" : "2", i < 2);
        u[i].more[0] = "exact_match,strict-match";
        u[i].more_value[0] = i < 1;
        u[i].more[1] = "exact_match,flexible-extract";
        u[i].more_value[1] = i < 3;
        u[i].more[2] = "other";
        u[i].more_value[2] = 1;
        u[i].accidents = i == 3 ? ACCIDENT_REPETITION | ACCIDENT_HIT_CAP : 0;
    }
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "gsm8k", "generate", "exact_match", "numeric", 0);
    run.tasks[0].oracle = syn_text("{\"reference\":{\"exact_match\":0.9474},"
                                   "\"empty\":{\"exact_match\":0},\"first\":{\"other\":1}}");
    syn_group(&run, 0, 0, u, 4, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    assert_int_equal(g->spread.n, 3);
    assert_string_equal(g->metrics[g->spread.lowest].name, "exact_match,strict-match");
    assert_string_equal(g->metrics[g->spread.highest].name, "exact_match,flexible-extract");
    near(r->bounds[0].reference, 0.9474, 0);
    near(r->bounds[0].empty, 0, 0);
    assert_true(isnan(r->bounds[0].first));
    assert_int_equal(g->accidents[0], 0);
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "known: reference answers (ceiling) 94.7, empty answers 0.0"));
    assert_true(says(REPORT_TABLE, "25.0-75.0"));
    assert_true(says(REPORT_TABLE, "  repetition             1  25.00 %  c, gsm8k"));
    assert_true(says(REPORT_MARKDOWN, "| 25.0 - 75.0 | 0.0 - 94.7 |"));
    assert_true(says(REPORT_MARKDOWN, "| c | gsm8k | hit_cap | 1 | 25.00 % |"));
    assert_true(says(REPORT_JSON, "\"accidents\":{\"hit_cap\":1,\"repetition\":1}"));
    assert_true(says(REPORT_JSON, "\"lowest\":\"exact_match,strict-match\""));
    assert_true(says(REPORT_JSON, "\"ceiling\":0.9474"));
    assert_true(says(REPORT_JSON, "\"decomposition\":{\"right\":0.5,\"wrong\":0.5,"));
}

static void a_rating_is_neither_right_nor_a_share(void **state)
{
    (void)state;
    struct syn_unit u[6];
    for (int i = 0; i < 6; i++)
        u[i] = answer("x", 4 + i);
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "mt_bench", "generate", "rating", "judge", 0);
    syn_group(&run, 0, 0, u, 6, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    assert_int_equal(r->groups[0].outcomes[OUTCOME_GRADED], 6);
    near(r->groups[0].metrics[0].value, 6.5, 1e-12);
    assert_true(r->groups[0].metrics[0].interval.hi > 7);
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "mt_bench, rating, n = 6"));
    char *t = page(REPORT_TABLE);
    assert_null(strstr(t, "0 of 6 are right")); /* no alarm for what cannot be right */
    free(t);
}

static void turns_belong_to_their_problem(void **state)
{
    (void)state;
    struct syn_unit u[8];
    for (int i = 0; i < 8; i++)
        u[i] = answer("x", i % 2);
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "talk", "generate", "acc", "judge", 0);
    syn_group(&run, 0, 0, u, 8, 2);
    for (uint32_t i = 0; i < 8; i++) {
        run.groups[0].units[i].sample = 0;
        run.groups[0].units[i].turn = i % 2;
    }
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    assert_int_equal(r->groups[0].n_problems, 4);
    assert_int_equal(r->groups[0].samples, 1);
    assert_int_equal(r->groups[0].turns, 2);
    assert_int_equal(r->groups[0].n_pass_at, 0);
    near(r->groups[0].metrics[0].value, 0.5, 1e-12);
    run_stats_free(&r);
}

/* ---- summaries ---- */

static void each_cell_has_a_summary(void **state)
{
    (void)state;
    struct syn_unit u[4] = {answer("1", 1), answer("2", 0), answer("", 0), answer("4", 1)};
    u[2].class = VERDICT_UNPARSED;
    struct syn_run run;
    struct px_err err = {0};
    bool failed;
    char path[128], *text;
    size_t n;
    syn_begin(&run);
    syn_cell(&run, "k=1/a;also", plain, false, 1);
    syn_task(&run, "gsm8k", "generate", "exact_match", "numeric", 0);
    syn_group(&run, 0, 0, u, 4, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    assert_int_equal(report_export(s, dir, &failed, NULL, &err), 0);
    snprintf(path, sizeof path, "%s/summary/k=1_a.json", dir);
    assert_int_equal(px_read_file(path, 1 << 20, &text, &n, &err), 0);
    struct json_object *o = px_json_parse(text, n, NULL), *tasks, *parts;
    assert_non_null(o);
    assert_string_equal(px_json_str_or(o, "model_digest", ""), "ab");
    assert_true(json_object_object_get_ex(o, "tasks", &tasks));
    struct json_object *t = json_object_array_get_idx(tasks, 0);
    near(px_json_double_or(t, "value", 0), 0.5, 0);
    assert_true(px_json_bool_or(t, "complete", false));
    assert_true(json_object_object_get_ex(t, "decomposition", &parts));
    near(px_json_double_or(parts, "unparsed", 0), 0.25, 0);
    json_object_put(o);
    free(text);
}

/* ---- speeds ---- */

static void make_speeds(double a, double b, uint32_t batch_b, bool same_host, int64_t step_us)
{
    static struct syn_unit u[160];
    for (int i = 0; i < 160; i++) {
        u[i] = answer("x", i % 2);
        u[i].decode_steps = 10;
        u[i].decode_s = 10 / (i < 80 ? a : b);
        u[i].host = i < 80 || same_host ? "one" : "two";
        u[i].batch = i < 80 ? 4 : batch_b;
        u[i].wall_us = 1000000 + i * step_us;
    }
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "t", "generate", "acc", "numeric", 0);
    syn_group(&run, 0, 0, u, 160, 1);
    assert_int_equal(syn_commit(&run, s), 0);
}

static void a_host_at_another_speed_is_flagged(void **state)
{
    (void)state;
    static const struct {
        double a, b;
        uint32_t batch;
        bool same_host, between, within;
        int64_t step_us;
    } cases[] = {
        {100, 60, 4, false, true, false, 1000000},  {100, 70, 4, false, false, false, 1000000},
        {100, 30, 8, false, false, false, 1000000}, /* other rows beside them */
        {50, 100, 4, true, false, true, 1000000},   {50, 60, 4, true, false, false, 1000000},
        {50, 100, 4, true, false, false, 1000}, /* over within a moment */
        {100, 60, 4, false, false, false, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_speeds(cases[i].a, cases[i].b, cases[i].batch, cases[i].same_host, cases[i].step_us);
        struct run_stats *r = collect();
        const struct host_speeds *v = &r->groups[0].speeds;
        assert_int_equal(v->between.found, cases[i].between);
        assert_int_equal(v->within.found, cases[i].within);
        if (v->between.found) {
            assert_string_equal(v->hosts[v->between.slow].host, "two");
            near(v->between.fast_rate / v->between.slow_rate, 100.0 / 60, 1e-9);
        }
        run_stats_free(&r);
    }
    make_speeds(50, 100, 4, true, 1000000);
    assert_true(says(REPORT_TABLE, "host one was 2.0 times as fast in the later half"));
    assert_true(says(REPORT_JSON, "\"speed_over_time\":{\"fast\":\"one\""));
}

/* ---- gates ---- */

static struct gate_tally tally(double value, uint64_t done, bool share)
{
    return (struct gate_tally){value, share, true, done, 100};
}

static void a_gate_is_judged_by_what_can_still_come(void **state)
{
    (void)state;
    static const struct {
        enum gate_bound bound;
        uint64_t after;
        double value; /* over all of 100 */
        uint64_t done;
        bool share;
        enum gate_state want;
    } cases[] = {{GATE_AT_LEAST, 0, 0.60, 100, true, GATE_MET},
                 {GATE_ABOVE, 0, 0.60, 100, true, GATE_MISSED},
                 {GATE_AT_MOST, 0, 0.60, 100, true, GATE_MET},
                 {GATE_BELOW, 0, 0.60, 100, true, GATE_MISSED},
                 {GATE_AT_LEAST, 0, 0.20, 50, true, GATE_OPEN},
                 {GATE_AT_LEAST, 40, 0.20, 50, true, GATE_BEHIND}, /* 0.4 so far */
                 {GATE_AT_LEAST, 60, 0.20, 50, true, GATE_OPEN},
                 {GATE_AT_LEAST, 0, 0.20, 70, true, GATE_MISSED}, /* 0.5 at best */
                 {GATE_AT_LEAST, 0, 0.60, 65, true, GATE_MET},    /* 0.6 at worst */
                 {GATE_AT_MOST, 0, 0.61, 80, true, GATE_MISSED},
                 {GATE_AT_MOST, 0, 0.30, 80, true, GATE_MET},
                 {GATE_AT_MOST, 0, 2.00, 80, false, GATE_OPEN}, /* a perplexity may still fall */
                 {GATE_AT_MOST, 50, 2.00, 80, false, GATE_BEHIND},
                 {GATE_AT_LEAST, 0, NAN, 100, true, GATE_MISSED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gate g = {.bound = cases[i].bound, .threshold = 0.6, .after = cases[i].after};
        struct gate_tally t = tally(cases[i].value, cases[i].done, cases[i].share);
        double v;
        enum gate_state have = gate_judge(&g, &t, &v);
        if (have != cases[i].want)
            print_error("case %zu: %s\n", i, gate_state_name(have));
        assert_int_equal(have, cases[i].want);
    }
}

static void measures_are_read_by_name(void **state)
{
    (void)state;
    struct gate_measure m;
    assert_true(gate_measure_parse("exact_match,strict-match", &m));
    assert_int_equal(m.source, GATE_OF_METRIC);
    assert_true(gate_measure_parse("pass@1", &m));
    assert_int_equal(m.source, GATE_OF_METRIC);
    assert_true(gate_measure_parse("pass@10", &m));
    assert_true(m.source == GATE_OF_PASS_AT && m.k == 10);
    assert_true(gate_measure_parse("maj@8", &m));
    assert_int_equal(m.source, GATE_OF_MAJORITY);
    assert_true(gate_measure_parse("accidents/empty", &m));
    assert_int_equal(m.bit, ACCIDENT_EMPTY);
    assert_true(gate_measure_parse("errors", &m));
    assert_true(m.outcomes & 1u << OUTCOME_QUARANTINED);
    assert_false(m.outcomes & 1u << OUTCOME_TIMEOUT);
    assert_true(gate_measure_parse("outcomes/truncated", &m));
    assert_false(gate_measure_parse("accidents/fire", &m));
    assert_false(gate_measure_parse("outcomes/fire", &m));
    assert_false(gate_measure_parse("maj@1", &m));
    assert_false(gate_measure_parse("", &m));
}

static const char gates[] =
    "[{\"task\":\"t\",\"metric\":\"acc\",\"bound\":\"at_least\",\"threshold\":0.6,\"severity\":"
    "\"stop\"},{\"task\":\"\",\"metric\":\"accidents/empty\",\"cell\":\"c\",\"bound\":\"at_most\","
    "\"threshold\":0.01,\"severity\":\"warn\"},{\"task\":\"other\",\"metric\":\"acc\",\"bound\":"
    "\"above\",\"threshold\":0,\"severity\":\"stop\"},{\"metric\":\"no bound\"}]";

static void gates_stand_in_the_report_and_fail_the_run(void **state)
{
    (void)state;
    struct syn_unit u[10];
    bool failed;
    for (int i = 0; i < 10; i++) {
        u[i] = answer(i % 2 ? "1" : "2", i < 5);
        u[i].n_tokens = 4 + (uint32_t)i;
        u[i].accidents = i == 2 ? ACCIDENT_EMPTY : 0;
    }
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "t", "generate", "acc", "numeric", 0);
    syn_group(&run, 0, 0, u, 10, 1);
    store_batch_put(run.b, STORE_META, "gates", 5, gates, sizeof gates - 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    assert_int_equal(r->n_gates, 2);
    assert_int_equal(r->gates[0].state, GATE_MISSED);
    assert_true(gate_failed(&r->gates[0]));
    near(r->gates[1].value, 0.1, 1e-12);
    assert_int_equal(r->gates[1].state, GATE_MISSED);
    assert_false(gate_failed(&r->gates[1])); /* only a warning */
    run_stats_free(&r);
    assert_true(says(REPORT_TABLE, "gate missed: t/acc at_least 0.6; c, t: 0.5 (fails the run)"));
    assert_true(says(REPORT_TABLE, "gate missed: accidents/empty at_most 0.01, cell c; c, t: 0.1"));
    assert_true(says(REPORT_MARKDOWN, "| t/acc at_least 0.6 | c | t | 0.5 | 10 of 10 | missed"));
    assert_true(says(REPORT_JSON, "\"state\":\"missed\""));
    assert_int_equal(report_export(s, dir, &failed, NULL, NULL), 0);
    assert_true(failed);
}

#define STORED(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        STORED(metrics_are_made_of_sums),
        STORED(sums_leave_out_what_is_missing_and_say_so),
        STORED(subsets_groups_and_total_are_told_apart),
        STORED(a_subset_that_is_not_done_says_so),
        STORED(the_majority_of_the_answers_counts),
        STORED(the_headline_stands_beside_its_bounds_and_extractors),
        STORED(every_rule_of_math_is_an_extractor),
        STORED(a_rating_is_neither_right_nor_a_share),
        STORED(turns_belong_to_their_problem),
        STORED(each_cell_has_a_summary),
        STORED(a_host_at_another_speed_is_flagged),
        cmocka_unit_test(a_gate_is_judged_by_what_can_still_come),
        cmocka_unit_test(measures_are_read_by_name),
        STORED(gates_stand_in_the_report_and_fail_the_run),
    };
    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
