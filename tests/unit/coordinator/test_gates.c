/* test_gates.c - gates from the recipe's text to the run that they stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/plan/plan_gates.h"
#include "coordinator/report/gate_watch.h"
#include "coordinator/run/conductor.h"
#include "proto/log.h"
#include "scratch_store.h"
#include "small_plan.h"
#include "synthetic.h"

/* ---- recipe and plan ---- */

#define EVAL "  - eval: {models: [m], tasks: [./sums.yaml]}\n"
#define WARM                                                                                       \
    "  - eval: {name: warm, models: [m], tasks: [./sums.yaml], samples: 4, limit: 4,\n"            \
    "           sampler: {temperature: 0.5}}\n"

static char *errors_of(struct small_plan *p, const char *stages_and_gates)
{
    struct px_err err = {0};
    px_buf_reset(&p->findings);
    int rc = small_plan_build(p, stages_and_gates, &err);
    char *text = rc == 0 ? NULL : px_xstrdup(p->findings.len ? (char *)p->findings.data : err.text);
    plan_free(&p->plan);
    recipe_free(&p->recipe);
    return text;
}

static void gates_that_cannot_act_are_refused_where_they_stand(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: accepted */
    } cases[] = {
        {EVAL "gates:\n  - {metric: sums/exact_match, at_least: 0.5}\n", NULL},
        {EVAL "gates:\n  - {metric: accidents/empty, at_most: 0.1, severity: warn}\n", NULL},
        {EVAL "gates:\n  - {metric: sums/outcomes/truncated, below: 1, model: m}\n", NULL},
        {WARM "gates:\n  - {metric: sums/pass@3, above: 0.1, cell: warm/default}\n", NULL},
        {WARM "gates:\n  - {metric: sums/maj@4, above: 0.1}\n", NULL},
        {EVAL "gates:\n  - {metric: a/sums/exact_match, above: 0}\n", "no task 'a/sums'"},
        {EVAL "gates:\n  - {metric: sums/, above: 0}\n", "names no task and metric"},
        {EVAL "gates:\n  - {metric: exact_match, at_least: 0.5}\n", ":8:14: gates.0.metric: "},
        {EVAL "gates:\n  - {metric: sums/exact_match}\n", ":8:5: gates.0: a gate needs a bound"},
        {EVAL "gates:\n  - {metric: errors, above: 1, below: 2}\n", "several bounds"},
        {EVAL "gates:\n  - {metric: errors, at_most: 0, severity: stop_early}\n",
         "stop_early cannot act without `after`"},
        {EVAL "gates:\n  - {metric: errors, at_most: 0, then: stop}\n", ":8:34: gates.0.then: "},
        {EVAL "gates:\n  - {metric: sum/exact_match, at_least: 0}\n",
         ":8:14: gates: the run has no task 'sum'; allowed: sums; did you mean 'sums'"},
        {EVAL "gates:\n  - {metric: sums/f1, at_least: 0}\n", "task sums has no metric 'f1'"},
        {EVAL "gates:\n  - {metric: errors, at_most: 0, model: n}\n",
         ":8:41: gates: the run has no model 'n'"},
        {EVAL "gates:\n  - {metric: errors, at_most: 0, cell: k}\n",
         ":8:40: gates: the run has no cell 'k'"},
        {EVAL "gates:\n  - {metric: accidents/fire, at_most: 0}\n", "nothing is called"},
        {EVAL "gates:\n  - {metric: sums/pass@2, at_least: 0}\n", "pass@2 cannot act"},
        {WARM "gates:\n  - {metric: sums/maj@3, at_least: 0}\n", "maj@3 cannot act"},
        {EVAL "gates: 7\n", "gates: is not a list"},
        {EVAL "gates: [7]\n", "gates.0: is not a map"}};
    struct small_plan p;
    px_log_level(PX_ERROR);
    small_plan_open(&p);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *have = errors_of(&p, cases[i].text);
        bool right = cases[i].want ? have && strstr(have, cases[i].want) : !have;
        if (!right)
            print_error("case %zu: %s\n", i, have ? have : "accepted");
        assert_true(right);
        free(have);
    }
    small_plan_close(&p);
}

static void a_written_recipe_has_the_same_gates(void **state)
{
    (void)state;
    struct small_plan p;
    struct px_err err = {0};
    struct px_buf json, yaml;
    uint32_t n;
    small_plan_open(&p);
    assert_int_equal(small_plan_build(&p,
                                      EVAL "gates:\n"
                                           "  - {metric: sums/exact_match, at_least: 0.25, after: "
                                           "3, severity: stop_early}\n"
                                           "  - {metric: errors, below: 1, model: m}\n",
                                      &err),
                     0);
    struct gate *list = plan_gates(p.plan, &n);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].task, "sums");
    assert_int_equal(list[0].after, 3);
    assert_int_equal(list[0].severity, GATE_STOP_EARLY);
    assert_int_equal(list[1].bound, GATE_BELOW);
    assert_int_equal(list[1].severity, GATE_STOP);
    px_buf_init(&json, 1 << 16);
    gates_json(list, n, &json);
    gates_free_list(list, n);
    list = gates_parse(json.data, json.len, &n); /* as the store has them */
    assert_int_equal(n, 2);
    assert_true(list[0].threshold >= 0.25 && list[0].threshold <= 0.25);
    assert_string_equal(list[1].model, "m");
    gates_free_list(list, n);
    px_buf_init(&yaml, 1 << 16);
    recipe_write(p.recipe, &yaml);
    assert_non_null(strstr((char *)yaml.data, "metric: \"sums/exact_match\", at_least: 0.25, "
                                              "severity: stop_early, after: 3}"));
    struct recipe_options opt = {0};
    struct recipe *again =
        recipe_parse((char *)yaml.data, yaml.len, p.recipe->path, &opt, &p.findings, &err);
    assert_non_null(again);
    assert_int_equal(again->n_gates, 2);
    assert_string_equal(again->gates[1].metric, "errors");
    recipe_free(&again);
    px_buf_clear(&json);
    px_buf_clear(&yaml);
    small_plan_close(&p);
}

static void damaged_lists_give_no_gates(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "7",
                                        "[7]",
                                        "[{}]",
                                        "[{\"metric\":\"errors\"}]",
                                        "[{\"metric\":\"errors\",\"bound\":\"under\","
                                        "\"severity\":\"stop\",\"threshold\":1}]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint32_t n = 7;
        struct gate *list = gates_parse(texts[i], strlen(texts[i]), &n);
        assert_int_equal(n, 0);
        gates_free_list(list, n);
    }
}

/* ---- watching ---- */

enum { N = 20 };

/* A group of ten problems with two samples; a letter per unit: R right, W wrong, E error. */
static struct manifest *make_run(const char *letters)
{
    struct syn_unit u[N];
    struct syn_run run;
    for (int i = 0; i < N; i++) {
        u[i] = (struct syn_unit){.finish = FINISH_EOS,
                                 .class = letters[i] == 'R'   ? VERDICT_PASSED
                                          : letters[i] == 'E' ? VERDICT_ERROR
                                                              : VERDICT_WRONG_ANSWER,
                                 .value = letters[i] == 'R',
                                 .accidents = letters[i] == 'W' ? ACCIDENT_HIT_CAP : 0};
        u[i].more[0] = "part";
        u[i].more_value[0] = letters[i] == 'R' ? 3 : 1;
        u[i].more[1] = "whole";
        u[i].more_value[1] = 4;
    }
    syn_begin(&run);
    syn_cell(&run, "c", "{}", false, 1);
    syn_task(&run, "t", "generate", "acc", "numeric", 0);
    run.tasks[0].aggregates = syn_text(
        "[{\"metric\":\"fraction\",\"kind\":\"ratio\",\"of\":\"part\",\"over\":\"whole\"}]");
    syn_group(&run, 0, 0, u, N, 2);
    assert_int_equal(syn_commit(&run, s), 0);
    struct manifest *m = manifest_read(s, NULL);
    assert_non_null(m);
    return m;
}

/* Notes unit after unit; returns after how many the gate stopped the run, or where it only warns
 * first spoke (0: never). */
static int spoke_after(const char *letters, struct gate g, bool *stop)
{
    struct manifest *m = make_run(letters);
    struct px_err err = {0};
    char empty[] = "";
    g.task = g.model = g.cell = empty;
    struct gate_watch *w = gate_watch_new(&g, 1, m);
    int when = 0;
    *stop = false;
    assert_true(gate_watch_covers(w, 0));
    for (uint32_t i = 0; i < N; i++) {
        struct px_digest content = syn_key("content", 0, i), verdict = syn_key("verdict", 0, i);
        bool now = false;
        assert_int_equal(gate_watch_note(w, s, 0, i, &content, &verdict, &err), 0);
        const char *words = gate_watch_next(w, &now);
        bool counts = words && (now || g.severity == GATE_WARN);
        if (counts && !when) {
            when = (int)i + 1;
            *stop = now;
        }
    }
    gate_watch_free(&w);
    manifest_free(&m);
    return when;
}

static char acc[] = "acc", errors[] = "errors", cap[] = "accidents/hit_cap", pass[] = "pass@2",
            fraction[] = "fraction", votes[] = "maj@2";
static const struct {
    const char *letters;
    struct gate g;
    int when;
    bool stop;
} watch_cases[] = {
    /* half are right; 0.9 is out of reach after three that are not, and said when all is done
     */
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = acc, .bound = GATE_AT_LEAST, .threshold = 0.9, .severity = GATE_STOP},
     20,
     true},
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = acc, .bound = GATE_AT_LEAST, .threshold = 0.9, .severity = GATE_STOP, .after = 2},
     6,
     true},
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = acc, .bound = GATE_AT_LEAST, .threshold = 0.9, .severity = GATE_STOP, .after = 10},
     10,
     true},
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = acc,
      .bound = GATE_AT_LEAST,
      .threshold = 0.9,
      .severity = GATE_STOP_EARLY,
      .after = 2},
     2,
     true},
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = acc, .bound = GATE_AT_LEAST, .threshold = 0.9, .severity = GATE_WARN, .after = 2},
     2,
     false},
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = acc, .bound = GATE_AT_LEAST, .threshold = 0.5, .severity = GATE_STOP},
     0,
     false},
    {"REWWWWWWWWWWWWWWWWWW",
     {.metric = errors, .bound = GATE_AT_MOST, .threshold = 0, .severity = GATE_STOP, .after = 1},
     2,
     true},
    {"RRRRRRRRRRRRRRRRRRRW",
     {.metric = cap, .bound = GATE_BELOW, .threshold = 0.05, .severity = GATE_STOP},
     20,
     true},
    /* every second problem is solved once: pass@2 = 0.5 */
    {"RWWWRWWWRWWWRWWWRWWW",
     {.metric = pass, .bound = GATE_ABOVE, .threshold = 0.5, .severity = GATE_STOP},
     20,
     true},
    {"RWWWRWWWRWWWRWWWRWWW",
     {.metric = pass, .bound = GATE_AT_LEAST, .threshold = 0.5, .severity = GATE_STOP},
     0,
     false},
    /* (10 x 3 + 10 x 1) / (20 x 4) = 0.5 */
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = fraction, .bound = GATE_ABOVE, .threshold = 0.5, .severity = GATE_STOP},
     20,
     true},
    {"RWRWRWRWRWRWRWRWRWRW",
     {.metric = fraction, .bound = GATE_AT_LEAST, .threshold = 0.5, .severity = GATE_STOP},
     0,
     false}};

static void a_watch_speaks_when_it_is_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof watch_cases / sizeof *watch_cases; i++) {
        bool stop;
        int when = spoke_after(watch_cases[i].letters, watch_cases[i].g, &stop);
        if (when != watch_cases[i].when || stop != watch_cases[i].stop)
            print_error("case %zu: after %d, stop %d\n", i, when, stop);
        assert_int_equal(when, watch_cases[i].when);
        assert_int_equal(stop, watch_cases[i].stop);
    }
    struct manifest *m = make_run(watch_cases[0].letters);
    char empty[] = "";
    struct gate later = {.task = empty,
                         .model = empty,
                         .cell = empty,
                         .metric = votes,
                         .bound = GATE_AT_LEAST,
                         .threshold = 1,
                         .severity = GATE_STOP};
    struct gate_watch *w = gate_watch_new(&later, 1, m);
    assert_false(gate_watch_covers(w, 0)); /* votes are counted at the end */
    gate_watch_free(&w);
    assert_null(gate_watch_new(NULL, 0, m));
    manifest_free(&m);
}

/* ---- a run ---- */

static void finish_one(struct hall_source *src, struct store *store, const struct hall_unit *u,
                       bool generated)
{
    struct px_buf rec;
    struct px_err err = {0};
    struct store_batch *b = store_batch_new();
    px_buf_init(&rec, UNIT_LIMIT);
    if (generated) {
        char text[] = "5";
        struct completion done = {.finish = FINISH_EOS, .text = text, .n_text = 1};
        completion_encode(&done, &rec);
    } else {
        struct verdict v = {.class = VERDICT_WRONG_ANSWER};
        verdict_add_metric(&v, "exact_match", 0);
        verdict_encode(&v, &rec);
        free(v.metrics[0].name);
        free(v.metrics);
    }
    assert_int_equal(src->record(src->ctx, u->id, rec.data, rec.len, b, &err), 0);
    assert_int_equal(store_commit(store, b, &err), 0);
    src->committed(src->ctx, u->id);
    px_buf_clear(&rec);
}

/* Pulls and finishes until nothing comes; returns how many units were leased. */
static int drive(struct conductor *c, struct store *store)
{
    struct hall_source src = conductor_source(c);
    struct px_err err = {0};
    struct hall_unit u;
    int n = 0;
    while (src.pull(src.ctx, &u, 1, &err) == 1) {
        finish_one(&src, store, &u, (u.id >> 62) == 0);
        n++;
    }
    assert_true(src.exhausted(src.ctx));
    return n;
}

static void a_missed_gate_ends_the_run_and_the_next_one(void **state)
{
    (void)state;
    struct small_plan p;
    struct px_err err = {0};
    small_plan_open(&p);
    assert_int_equal(
        small_plan_build(
            &p, EVAL "gates:\n  - {metric: sums/exact_match, at_least: 0.6, after: 2}\n", &err),
        0);
    PX_FREE char *path = px_path_join(p.dir, "gated");
    for (int life = 0; life < 2; life++) {
        struct store_options so = {.mode = STORE_WRITE, .map_bytes = 1 << 20};
        struct store *store = store_open(path, &so, &err);
        assert_non_null(store);
        struct conductor *c = conductor_new(p.plan, store, NULL, &err);
        assert_non_null(c);
        struct hall_config cfg = {.run_dir = p.dir};
        struct hall_source src = conductor_source(c);
        struct hall *h = hall_new(&cfg, store, &src, &err);
        assert_non_null(h);
        conductor_attach(c, h);
        assert_int_equal(conductor_begin(c, p.dir, &err), 0);
        assert_int_equal(conductor_gate_stop(c) != NULL, life == 1);
        int leased = drive(c, store);
        assert_true(life ? leased == 0 : leased < 2 * 8);
        assert_non_null(conductor_gate_stop(c));
        assert_non_null(strstr(conductor_gate_stop(c), "missed: sums/exact_match at_least 0.6"));
        hall_free(&h);
        conductor_free(&c);
        struct run_stats *r = collect_run(store, &err);
        assert_non_null(r);
        assert_int_equal(r->n_gates, 1);
        assert_int_equal(r->gates[0].state, GATE_MISSED);
        assert_true(r->gates[0].done < r->gates[0].n);
        run_stats_free(&r);
        store_close(&store);
    }
    small_plan_close(&p);
}

#define STORED(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_that_cannot_act_are_refused_where_they_stand),
        cmocka_unit_test(a_written_recipe_has_the_same_gates),
        cmocka_unit_test(damaged_lists_give_no_gates),
        STORED(a_watch_speaks_when_it_is_time),
        cmocka_unit_test(a_missed_gate_ends_the_run_and_the_next_one),
    };
    return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
