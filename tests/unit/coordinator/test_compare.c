/* test_compare.c - cells against each other, oracles and repeats, over runs made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/report/oracle.h"
#include "coordinator/report/preference.h"
#include "coordinator/report/stability.h"
#include "coordinator/report/versus.h"
#include "proto/json.h"
#include "proto/log.h"
#include "scratch.h"
#include "synthetic.h"

enum { RUNS = 3 };
static char dir[64];
static struct run_stats *run_of[RUNS];

static int begin(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (int i = 0; i < RUNS; i++)
        run_stats_free(&run_of[i]);
    scratch_remove(dir);
    return 0;
}

static const char greedy[] = "{\"sampler.temperature\":0,\"strategy\":\"standard\"}";
static const char shots[] = "{\"sampler.temperature\":0,\"strategy\":\"few-shot\"}";

static void near(double have, double want)
{
    if (!(fabs(have - want) <= 1e-9))
        print_error("have %.12g, want %.12g\n", have, want);
    assert_true(fabs(have - want) <= 1e-9);
}

static struct syn_unit answer(double value)
{
    return (struct syn_unit){.finish = FINISH_EOS,
                             .class = value >= 1 ? VERDICT_PASSED : VERDICT_WRONG_ANSWER,
                             .value = value,
                             .extracted = value >= 1 ? "4" : "5",
                             .text = value >= 1 ? "four" : "five"};
}

/* A unit per letter: R right, W wrong, M missing, Q wrong with another text. */
static void add(struct syn_run *r, uint32_t cell, uint32_t task, const char *letters)
{
    struct syn_unit u[64];
    uint32_t n = (uint32_t)strlen(letters);
    for (uint32_t i = 0; i < n; i++) {
        u[i] = answer(letters[i] == 'R');
        if (letters[i] == 'Q')
            u[i].text = "cinq";
        if (letters[i] == 'M')
            u[i] = (struct syn_unit){0};
    }
    syn_group(r, cell, task, u, n, 1);
}

/* Writes the run to a store of its own and reads it back. */
static const struct run_stats *keep(struct syn_run *r, int at)
{
    struct store_options opt = {.mode = STORE_WRITE};
    struct px_err err = {0};
    char path[96];
    snprintf(path, sizeof path, "%s/%d", dir, at);
    struct store *s = store_open(path, &opt, &err);
    assert_non_null(s);
    assert_int_equal(syn_commit(r, s), 0);
    run_of[at] = collect_run(s, &err);
    if (!run_of[at])
        print_error("%s\n", err.text);
    assert_non_null(run_of[at]);
    store_close(&s);
    return run_of[at];
}

static const struct run_stats *three_cells(int at, const char *a, const char *b, const char *c)
{
    struct syn_run r;
    syn_begin(&r);
    syn_cell(&r, "a;also a", greedy, false, 1);
    syn_cell(&r, "b", greedy, false, 1);
    syn_cell(&r, "c", shots, false, 1);
    syn_task(&r, "humaneval", "generate", "pass@1", "code", 0);
    add(&r, 0, 0, a);
    add(&r, 1, 0, b);
    add(&r, 2, 0, c);
    return keep(&r, at);
}

static bool says(const struct px_buf *b, const char *words)
{
    bool found = b->len && strstr((const char *)b->data, words);
    if (!found)
        print_error("no '%s' in:\n%s\n", words, (const char *)b->data);
    return found;
}

/* ---- pairs ---- */

static void two_cells_are_paired_by_problem(void **state)
{
    (void)state;
    const struct run_stats *r = three_cells(0, "RRRRRWWWWW", "RRRRRRRRWM", "RRRRWRRRRR");
    struct comparison c;
    assert_int_equal(compare_groups(&r->groups[0], &r->groups[1], NULL, &c, NULL), 0);
    assert_int_equal(c.n, 9);
    assert_int_equal(c.undone, 1);
    assert_true(c.exact);
    assert_int_equal(c.gained, 3);
    assert_int_equal(c.lost, 0);
    near(c.base_value, 5.0 / 9);
    near(c.difference, 3.0 / 9);
    near(c.p, stats_mcnemar(3, 0));
    near(c.interval.lo, stats_paired_proportions(5, 3, 0, 9).lo);
    near(c.detectable, stats_detectable_share(3.0 / 9, 9));
    assert_int_equal(comparison_sign(&c, 5), 1);
    assert_int_equal(comparison_sign(&c, 0), 0);
    comparison_clear(&c);
    assert_int_equal(compare_groups(&r->groups[1], &r->groups[0], NULL, &c, NULL), 0);
    near(c.difference, -3.0 / 9);
    assert_int_equal(c.lost, 3);
    comparison_clear(&c);
}

static void what_cannot_be_compared_is_refused(void **state)
{
    (void)state;
    struct syn_run r;
    struct comparison c;
    struct px_err err = {0};
    syn_begin(&r);
    syn_cell(&r, "a", greedy, false, 1);
    syn_task(&r, "t", "generate", "acc", "numeric", 0);
    syn_task(&r, "t", "generate", "acc", "numeric", 0);
    free(r.tasks[1].digest);
    r.tasks[1].digest = syn_text("another");
    free(r.tasks[1].problems);
    r.tasks[1].problems = syn_text("others");
    syn_task(&r, "u", "generate", "acc", "numeric", 0);
    for (uint32_t t = 0; t < 3; t++)
        add(&r, 0, t, "RW");
    const struct run_stats *run = keep(&r, 0);
    assert_int_equal(compare_groups(&run->groups[0], &run->groups[1], NULL, &c, &err), -1);
    assert_int_equal(err.code, PX_EUSAGE);
    assert_non_null(strstr(err.text, "different versions of task t"));
    assert_int_equal(compare_groups(&run->groups[0], &run->groups[2], NULL, &c, &err), -1);
    assert_non_null(strstr(err.text, "different tasks"));
    assert_int_equal(compare_groups(&run->groups[0], &run->groups[0], "f1", &c, &err), -1);
    assert_non_null(strstr(err.text, "no metric 'f1'"));
}

static void graded_values_are_resampled(void **state)
{
    (void)state;
    struct syn_unit a[30], b[30];
    struct syn_run r;
    struct comparison c;
    for (int i = 0; i < 30; i++) {
        a[i] = answer(3 + i % 4);
        b[i] = answer(3.5 + i % 3);
    }
    syn_begin(&r);
    syn_cell(&r, "a", greedy, false, 1);
    syn_cell(&r, "b", greedy, false, 1);
    syn_task(&r, "talk", "generate", "rating", "rating", 0);
    syn_group(&r, 0, 0, a, 30, 1);
    syn_group(&r, 1, 0, b, 30, 1);
    const struct run_stats *run = keep(&r, 0);
    assert_int_equal(compare_groups(&run->groups[0], &run->groups[1], NULL, &c, NULL), 0);
    assert_false(c.exact);
    near(c.difference, c.other_value - c.base_value);
    assert_true(c.interval.lo < c.difference && c.difference < c.interval.hi);
    assert_true(c.p > 0.3 && c.p < 1);
    assert_true(c.detectable > 0.3 && c.detectable < 1.5);
    comparison_clear(&c);
}

static struct syn_unit document(double loglikelihood, double words)
{
    struct syn_unit u = {.finish = FINISH_SCORED, .class = VERDICT_UNSCORED};
    u.more[0] = "-";
    u.more[1] = "loglikelihood";
    u.more_value[1] = loglikelihood;
    u.more[2] = "words";
    u.more_value[2] = words;
    return u;
}

static void perplexities_are_compared_and_lower_is_better(void **state)
{
    (void)state;
    struct syn_unit a[20], b[20];
    struct syn_run r;
    struct comparison c;
    for (int i = 0; i < 20; i++) {
        a[i] = document(-30 - i - i % 3, 10 + i % 5);
        b[i] = document(-28 - i - i % 3, 10 + i % 5);
    }
    syn_begin(&r);
    syn_cell(&r, "a", greedy, false, 1);
    syn_cell(&r, "b", greedy, false, 1);
    syn_task(&r, "wiki", "rolling", "ppl", "rolling", 0);
    r.tasks[0].lower_is_better = true;
    r.tasks[0].aggregates =
        syn_text("[{\"metric\":\"ppl\",\"kind\":\"exp_neg_ratio\",\"of\":\"loglikelihood\","
                 "\"over\":\"words\"}]");
    syn_group(&r, 0, 0, a, 20, 1);
    syn_group(&r, 1, 0, b, 20, 1);
    const struct run_stats *run = keep(&r, 0);
    assert_int_equal(compare_groups(&run->groups[0], &run->groups[1], NULL, &c, NULL), 0);
    near(c.base_value, run->groups[0].metrics[0].value);
    assert_true(c.difference < 0 && c.interval.hi < 0 && c.p < 0.01);
    assert_int_equal(c.gained, 20);
    assert_int_equal(c.lost, 0);
    comparison_clear(&c);
}

static void all_pairs_share_one_correction(void **state)
{
    (void)state;
    const struct run_stats *r =
        three_cells(0, "RRRRRRRRWWWWWWWW", "RRRRRRRRRRRRRRRR", "RRRRRRRRRRRRRRRW");
    struct versus_side side = {r, "run", NULL};
    struct versus v;
    struct px_buf text, json;
    double p[3];
    assert_int_equal(versus_make(&side, &side, NULL, NULL, &v, NULL), 0);
    assert_int_equal(v.n, 3);
    for (int i = 0; i < 3; i++)
        p[i] = v.list[i].p;
    stats_holm(p, 3);
    for (int i = 0; i < 3; i++)
        near(v.list[i].p_holm, p[i]);
    px_buf_init(&text, 1 << 20);
    px_buf_init(&json, 1 << 20);
    versus_text(&v, true, &text);
    versus_json(&v, true, &json);
    assert_true(says(&text, "difference +50.0 ["));
    assert_true(says(&text, "p = 0.00781 (Holm over 3: 0.0234)"));
    assert_true(says(&text, "gained: p8 p9 p10 p11 p12 p13 p14 p15"));
    assert_true(says(&text, "model tiny ab"));
    struct json_object *o = px_json_parse((char *)json.data, json.len, NULL);
    assert_non_null(o);
    json_object_put(o);
    px_buf_clear(&text);
    px_buf_clear(&json);
    versus_clear(&v);
}

static void cells_are_named_and_runs_meet_by_name(void **state)
{
    (void)state;
    const struct run_stats *a = three_cells(0, "RRRR", "WWWW", "WRWR");
    const struct run_stats *b = three_cells(1, "RWRR", "WWRW", "WRRR");
    struct versus_side x = {a, "x", "also a"}, y = {a, "x", "c"}, z = {b, "z", NULL};
    struct versus v;
    struct px_err err = {0};
    assert_int_equal(versus_make(&x, &y, NULL, NULL, &v, NULL), 0);
    assert_int_equal(v.n, 1);
    near(v.list[0].difference, -0.5);
    versus_clear(&v);
    x.cell = NULL;
    assert_int_equal(versus_make(&x, &z, NULL, NULL, &v, NULL), 0);
    assert_int_equal(v.n, 3); /* a with a, b with b, c with c */
    near(v.list[0].difference, -0.25);
    near(v.list[2].difference, 0.25);
    versus_clear(&v);
    x.cell = "d";
    assert_int_equal(versus_make(&x, &z, NULL, NULL, &v, &err), -1);
    assert_non_null(strstr(err.text, "there is no cell 'd'; there are a; b; c"));
    x.cell = NULL;
    assert_int_equal(versus_make(&x, &z, "mbpp", NULL, &v, &err), -1);
    assert_non_null(strstr(err.text, "nothing to compare"));
}

static void sets_that_differ_say_so(void **state)
{
    (void)state;
    const struct run_stats *a = three_cells(0, "RRRRRR", "WWWWWW", "WRWRWR");
    const struct run_stats *b = three_cells(1, "RWRR", "WWRW", "WRRR");
    struct versus_side x = {a, "x", "a"}, z = {b, "z", "a"};
    struct versus v;
    struct px_buf text;
    assert_int_equal(versus_make(&x, &z, NULL, NULL, &v, NULL), 0);
    assert_int_equal(v.list[0].n, 4);
    assert_int_equal(v.list[0].only_base, 2);
    px_buf_init(&text, 1 << 20);
    versus_text(&v, false, &text);
    assert_true(says(&text, "the sets differ: 2 problems only in base, 0 only in other"));
    px_buf_clear(&text);
    versus_clear(&v);
}

/* ---- oracles ---- */

static void cells_of_one_model_know_more_together(void **state)
{
    (void)state;
    /*                                   all  none  a    c    b+c */
    const struct run_stats *r = three_cells(0, "RWRWWR", "RWWWRR", "RWWRRM");
    struct oracle_source src = {r, "run"};
    uint32_t n;
    struct oracle *o = oracles_make(&src, 1, NULL, &n);
    assert_int_equal(n, 1);
    assert_int_equal(o->n, 5);
    assert_int_equal(o->left_out, 1);
    assert_int_equal(o->solved, 4);
    assert_int_equal(o->always, 1);
    assert_int_equal(o->never, 1);
    assert_int_equal(o->members[o->best].solved, 3); /* c */
    assert_string_equal(o->members[o->best].group->cell->names[0], "c");
    assert_int_equal(o->members[0].unique, 1);
    assert_int_equal(o->members[1].unique, 0);
    assert_int_equal(o->members[2].unique, 1);
    assert_int_equal(o->n_unions, 2);
    assert_int_equal(o->unions[0].solved, 3); /* standard: a and b */
    assert_int_equal(o->unions[1].solved, 3);
    struct px_buf text;
    px_buf_init(&text, 1 << 20);
    oracles_text(o, n, &text);
    assert_true(says(&text, "incomplete: 1 problems are not done by all"));
    assert_true(says(&text, "inconsistent       3   60.0 %"));
    px_buf_reset(&text);
    oracles_json(o, n, &text);
    assert_true(says(&text, "\"oracle\":4,\"always\":1,\"inconsistent\":3,\"never\":1"));
    px_buf_clear(&text);
    oracles_free(&o, n);
}

static void weights_are_never_mixed(void **state)
{
    (void)state;
    struct syn_run r;
    uint32_t n;
    syn_begin(&r);
    free(r.m.models);
    r.m.models = syn_text("[{\"name\":\"tiny\",\"digest\":\"ab\"},{\"name\":\"big\",\"digest\":"
                          "\"cd\"}]");
    syn_cell(&r, "a", greedy, false, 1);
    syn_cell(&r, "b", greedy, false, 1);
    free(r.cells[1].model);
    r.cells[1].model = syn_text("big");
    syn_task(&r, "t", "generate", "acc", "numeric", 0);
    add(&r, 0, 0, "RW");
    add(&r, 1, 0, "WR");
    struct oracle_source src = {keep(&r, 0), "run"};
    struct oracle *o = oracles_make(&src, 1, NULL, &n);
    assert_int_equal(n, 2);
    assert_int_equal(o[0].solved, 1);
    assert_string_equal(o[1].model_digest, "cd");
    oracles_free(&o, n);
}

/* ---- repeats ---- */

static void repeats_are_compared_text_by_text(void **state)
{
    (void)state;
    const struct run_stats *a = three_cells(0, "RRWW", "RRRR", "WWWW");
    const struct run_stats *b = three_cells(1, "RRWQ", "RRRR", "WWWM");
    const struct run_stats *c = three_cells(2, "RWWW", "RRRR", "WWWW");
    struct oracle_source src[] = {{a, "a"}, {b, "b"}, {c, "c"}};
    uint32_t n;
    struct px_buf text;
    struct stability *s = stability_make(src, 3, NULL, &n);
    assert_int_equal(n, 3);
    assert_int_equal(s[0].runs, 3);
    assert_int_equal(s[0].n, 4);
    assert_int_equal(s[0].same_text, 2);
    assert_int_equal(s[0].same_verdict, 3);
    near(s[0].least, 0.25);
    near(s[0].most, 0.5);
    assert_int_equal(s[1].same_text, 4);
    assert_int_equal(s[2].left_out, 1);
    px_buf_init(&text, 1 << 20);
    stability_text(s, n, &text);
    assert_true(says(&text, "same text 50.00 %, same verdict 75.00 %, pass@1 25.0 to 50.0"));
    assert_true(says(&text, "incomplete: 1 units are not done in all of the runs"));
    px_buf_reset(&text);
    stability_json(s, n, &text);
    assert_true(says(&text, "\"same_text\":2,\"same_verdict\":3"));
    px_buf_clear(&text);
    free(s);
}

/* ---- preference pairs ---- */

struct found {
    int n;
    char first[64];
};

static bool note_pair(void *ctx, const struct preference_pair *p)
{
    struct found *f = ctx;
    if (f->n++ == 0)
        snprintf(f->first, sizeof f->first, "%s %s %s>%s %s>%s", p->task, p->problem,
                 p->chosen.text, p->rejected.text, p->chosen.cell, p->rejected.cell);
    return f->n < 1000;
}

static int count_pairs(int at, const char *task, const char *cell, char first[64],
                       struct px_err *err)
{
    struct store_options opt = {.mode = STORE_READ};
    struct found f = {0};
    char path[96];
    snprintf(path, sizeof path, "%s/%d", dir, at);
    struct store *s = store_open(path, &opt, err);
    assert_non_null(s);
    int rc = report_preference_pairs(s, task, cell, note_pair, &f, err);
    store_close(&s);
    memcpy(first, f.first, sizeof f.first);
    return rc == 0 ? f.n : -1;
}

static void right_and_wrong_answers_make_pairs(void **state)
{
    (void)state;
    struct syn_unit u[10], v[3];
    struct syn_run r;
    struct px_err err = {0};
    char first[64];
    for (int i = 0; i < 10; i++) /* p0: 3 of 10 */
        u[i] = answer(i == 2 || i > 7);
    u[5].class = VERDICT_ERROR; /* no fault of the text: in no pair */
    v[0] = answer(0);
    v[1] = answer(1); /* p1 */
    v[2] = answer(1); /* p2: nothing wrong */
    v[0].text = "fem";
    syn_begin(&r);
    syn_cell(&r, "a", greedy, false, 1);
    syn_cell(&r, "b", greedy, false, 1);
    syn_task(&r, "t", "generate", "acc", "numeric", 0);
    syn_task(&r, "pick", "choice", "acc", "choice", 0);
    syn_group(&r, 0, 0, u, 10, 10);
    syn_group(&r, 1, 0, v, 3, 1); /* p0, p1, p2 */
    syn_group(&r, 0, 1, u, 10, 1);
    keep(&r, 0);
    assert_int_equal(count_pairs(0, NULL, NULL, first, &err), 3 * 6 + 3 * 1);
    assert_string_equal(first, "t p0 four>five a>a");
    assert_int_equal(count_pairs(0, "t", "a", first, &err), 3 * 6);
    assert_int_equal(count_pairs(0, "pick", NULL, first, &err), 0);
    assert_int_equal(count_pairs(0, "u", NULL, first, &err), -1);
    assert_int_equal(err.code, PX_EUSAGE);
    assert_int_equal(count_pairs(0, NULL, "z", first, &err), -1);
}

#define RUN(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        RUN(two_cells_are_paired_by_problem),
        RUN(what_cannot_be_compared_is_refused),
        RUN(graded_values_are_resampled),
        RUN(perplexities_are_compared_and_lower_is_better),
        RUN(all_pairs_share_one_correction),
        RUN(cells_are_named_and_runs_meet_by_name),
        RUN(sets_that_differ_say_so),
        RUN(cells_of_one_model_know_more_together),
        RUN(weights_are_never_mixed),
        RUN(repeats_are_compared_text_by_text),
        RUN(right_and_wrong_answers_make_pairs),
    };
    return cmocka_run_group_tests_name("comparisons", tests, NULL, NULL);
}
