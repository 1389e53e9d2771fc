/* test_report.c - numbers, alarms and pages over runs made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <sys/stat.h>

#include "coordinator/report/alarms.h"
#include "coordinator/report/collect.h"
#include "coordinator/report/report.h"
#include "coordinator/report/status.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/log.h"
#include "scratch_store.h"
#include "synthetic.h"

static const char plain[] = "{\"sampler.temperature\":0,\"reuse.k\":1,\"reuse.subset\":\"first\"}";
static const char reuse[] = "{\"sampler.temperature\":0,\"reuse.k\":3,\"reuse.subset\":\"last\"}";
static const char warm[] = "{\"sampler.temperature\":0.8,\"reuse.k\":1}";

static struct syn_unit right(uint32_t tokens)
{
    return (struct syn_unit){.finish = FINISH_EOS,
                             .class = VERDICT_PASSED,
                             .value = 1,
                             .extracted = "42",
                             .n_tokens = tokens,
                             .decode_steps = tokens - 1,
                             .decode_s = 0.1 * (tokens - 1)};
}

static struct syn_unit wrong(uint32_t tokens)
{
    struct syn_unit u = right(tokens);
    u.class = VERDICT_WRONG_ANSWER;
    u.value = 0;
    u.extracted = "7";
    return u;
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

static bool has_alarm(const struct alarms *a, const char *kind, uint32_t group)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (strcmp(a->list[i].kind, kind) == 0 && a->list[i].group == group)
            return true;
    return false;
}

static void near(double have, double want)
{
    assert_true(fabs(have - want) < 1e-9);
}

/* ---- numbers ---- */

static void every_unit_has_one_outcome_and_the_denominator_is_fixed(void **state)
{
    (void)state;
    struct syn_unit u[12];
    for (int i = 0; i < 12; i++)
        u[i] = wrong(5 + (uint32_t)i);
    u[0] = right(3);
    u[1] = right(4);
    u[2].class = VERDICT_UNPARSED;
    u[3].finish = FINISH_LENGTH; /* wrong and cut off */
    u[4].finish = FINISH_LENGTH;
    u[4].class = VERDICT_UNPARSED; /* no answer and cut off */
    u[5].class = VERDICT_TIMEOUT;
    u[6].finish = FINISH_ERROR;
    u[6].class = VERDICT_ERROR;
    u[7] = (struct syn_unit){.quarantined = true};
    u[8] = (struct syn_unit){0};
    u[9].class = VERDICT_TOO_LONG;
    u[9].finish = FINISH_TOO_LONG;
    u[10] = right(9);
    u[10].finish = FINISH_LENGTH; /* right although cut off */
    u[11].class = 0;              /* not judged yet */
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "default", plain, false, 1);
    syn_task(&run, "gsm8k", "generate", "exact_match", "numeric", 0);
    syn_group(&run, 0, 0, u, 12, 1);
    assert_int_equal(syn_commit(&run, s), 0);

    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    assert_int_equal(g->n, 12);
    assert_int_equal(g->done, 10);
    static const int want[N_OUTCOMES] = {
        [OUTCOME_MISSING] = 2,   [OUTCOME_RIGHT] = 3,      [OUTCOME_UNPARSED] = 1,
        [OUTCOME_TRUNCATED] = 2, [OUTCOME_TIMEOUT] = 1,    [OUTCOME_TOO_LONG] = 1,
        [OUTCOME_ERROR] = 1,     [OUTCOME_QUARANTINED] = 1};
    for (int i = 0; i < N_OUTCOMES; i++)
        assert_int_equal(g->outcomes[i], want[i]);
    near(g->metrics[0].value, 3.0 / 12);
    near(g->metrics[0].interval.lo, stats_wilson(3, 12).lo);
    assert_int_equal(g->n_completions, 10);
    assert_int_equal(g->prompt_tokens, 100);

    struct alarms a;
    alarms_find(r, &a);
    assert_true(has_alarm(&a, "incomplete", 0) && has_alarm(&a, "quarantined", 0));
    assert_true(has_alarm(&a, "errors", 0) && has_alarm(&a, "timeouts", 0));
    assert_true(has_alarm(&a, "too_long", 0) && has_alarm(&a, "truncated", 0));
    assert_false(has_alarm(&a, "zero", 0) || has_alarm(&a, "one_length", 0));
    assert_true(alarms_failed(&a));
    alarms_clear(&a);
    run_stats_free(&r);
}

static void samples_give_pass_at_k_over_problems(void **state)
{
    (void)state;
    struct syn_unit u[20];
    for (uint32_t i = 0; i < 20; i++) /* 3 of 10 and 10 of 10 */
        u[i] = i < 3 || i >= 10 ? right(3 + i) : wrong(3 + i);
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "default", warm, false, 1);
    syn_task(&run, "humaneval", "generate", "pass@1", "code", 0);
    syn_group(&run, 0, 0, u, 20, 10);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    const struct group_stats *g = &r->groups[0];
    assert_int_equal(g->n_problems, 2);
    assert_int_equal(g->samples, 10);
    near(g->metrics[0].value, (0.3 + 1) / 2);
    assert_int_equal(g->n_pass_at, 10); /* every k up to the samples */
    near(g->pass_at[0].value, (0.3 + 1) / 2);
    assert_int_equal(g->pass_at[4].k, 5);
    near(g->pass_at[4].value, (stats_pass_at(10, 3, 5) + 1) / 2);
    near(g->pass_at[9].value, 1);
    run_stats_free(&r);
}

static void reuse_cells_are_paired_with_the_cell_without(void **state)
{
    (void)state;
    struct syn_unit base[20], cell[20];
    for (uint32_t i = 0; i < 20; i++) {
        base[i] = i < 15 ? right(5 + i) : wrong(5 + i);
        cell[i] = i < 5 || i == 19 ? right(5 + i) : wrong(5 + i); /* loses 10, gains 1 */
        cell[i].reused = 9;
        cell[i].decode_s /= 1.25;
    }
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "reuse.k=3,reuse.subset=last", reuse, true, 1.4);
    syn_cell(&run, "reuse.k=1,reuse.subset=first;reuse.k=1,reuse.subset=last", plain, false, 1);
    syn_cell(&run, "other", warm, false, 1);
    syn_task(&run, "gsm8k", "generate", "exact_match", "numeric", 0);
    syn_group(&run, 0, 0, cell, 20, 1);
    syn_group(&run, 2, 0, base, 20, 1);
    syn_group(&run, 1, 0, base, 20, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    const struct pairing *p = &r->groups[0].pairing;
    assert_true(p->valid);
    assert_int_equal(p->baseline, 2); /* not the one at another temperature */
    assert_int_equal(p->n, 20);
    assert_int_equal(p->gained, 1);
    assert_int_equal(p->lost, 10);
    near(p->difference, -9.0 / 20);
    near(p->p, stats_mcnemar(1, 10));
    near(p->speed_ratio, 1.25);
    assert_false(r->groups[1].pairing.valid);
    assert_false(r->groups[2].pairing.valid);
    run_stats_free(&r);
}

static void speeds_are_compared_on_the_same_host_only(void **state)
{
    (void)state;
    struct syn_unit base[4], cell[4];
    for (uint32_t i = 0; i < 4; i++) {
        base[i] = cell[i] = right(11);
        base[i].host = i < 2 ? "slow" : "fast";
        base[i].decode_s = i < 2 ? 10 : 1;
        cell[i].host = i < 2 ? "fast" : "elsewhere";
        cell[i].decode_s = 0.5;
        cell[i].reused = 1;
    }
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "a", plain, false, 1);
    syn_cell(&run, "b", reuse, true, 1.4);
    syn_task(&run, "gsm8k", "generate", "exact_match", "numeric", 0);
    syn_group(&run, 0, 0, base, 4, 1);
    syn_group(&run, 1, 0, cell, 4, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    near(r->groups[1].pairing.speed_ratio, 2);
    run_stats_free(&r);
}

/* ---- alarms ---- */

/* One group of n units made by `make`; returns its alarms. */
static struct alarms alarms_of(struct syn_unit (*make)(uint32_t i), uint32_t n, uint32_t samples,
                               const char *settings, bool reuse_on, double chance)
{
    struct syn_unit *u = px_xcalloc(n, sizeof *u);
    struct syn_run run;
    struct alarms a;
    for (uint32_t i = 0; i < n; i++)
        u[i] = make(i);
    syn_begin(&run);
    syn_cell(&run, "c", settings, reuse_on, 1.4);
    syn_task(&run, "t", "generate", "exact_match", "numeric", chance);
    syn_group(&run, 0, 0, u, n, samples);
    assert_int_equal(syn_commit(&run, s), 0);
    free(u);
    struct run_stats *r = collect();
    alarms_find(r, &a);
    run_stats_free(&r);
    return a;
}

static const char *varied(uint32_t i)
{
    static const char *const answers[] = {"1", "2", "3", "4", "5", "6", "7"};
    return answers[i % 7];
}

static struct syn_unit sound(uint32_t i)
{
    struct syn_unit u = i % 3 ? right(3 + i) : wrong(3 + i);
    u.extracted = varied(i);
    u.text = varied(i);
    u.reused = 1;
    return u;
}

static struct syn_unit all_wrong(uint32_t i)
{
    struct syn_unit u = wrong(3 + i);
    u.extracted = varied(i);
    return u;
}

static struct syn_unit one_length(uint32_t i)
{
    struct syn_unit u = sound(i);
    u.n_tokens = 128;
    return u;
}

static struct syn_unit one_answer(uint32_t i)
{
    struct syn_unit u = sound(i);
    u.extracted = "4";
    return u;
}

static struct syn_unit equal_texts(uint32_t i)
{
    struct syn_unit u = sound(i);
    u.text = varied(i / 4);
    return u;
}

static struct syn_unit seldom_right(uint32_t i)
{
    struct syn_unit u = i % 20 ? wrong(3 + i) : right(3 + i);
    u.extracted = varied(i);
    return u;
}

static struct syn_unit inert(uint32_t i)
{
    struct syn_unit u = sound(i);
    u.reused = 0;
    return u;
}

static struct syn_unit one_step(uint32_t i)
{
    struct syn_unit u = inert(i);
    u.decode_steps = 1;
    return u;
}

static void each_alarm_rings_for_its_cause_alone(void **state)
{
    (void)state;
    static const struct {
        struct syn_unit (*make)(uint32_t i);
        uint32_t n, samples;
        const char *settings;
        bool reuse_on;
        double chance;
        const char *kind; /* NULL: silence */
        bool failure;
    } cases[] = {{sound, 20, 1, plain, false, 0.25, NULL, false},
                 {sound, 20, 4, warm, false, 0, NULL, false},
                 {sound, 20, 1, reuse, true, 0, NULL, false},
                 {all_wrong, 20, 1, plain, false, 0, "zero", false},
                 {all_wrong, 4, 1, plain, false, 0, NULL, false},
                 {one_length, 20, 1, plain, false, 0, "one_length", false},
                 {one_length, 7, 1, plain, false, 0, NULL, false},
                 {one_answer, 20, 1, plain, false, 0, "one_answer", false},
                 {equal_texts, 20, 4, warm, false, 0, "equal_samples", false},
                 {equal_texts, 20, 4, plain, false, 0, NULL, false}, /* greedy: as it should be */
                 {seldom_right, 40, 1, plain, false, 0.25, "below_chance", false},
                 {seldom_right, 40, 1, plain, false, 0.05, NULL, false},
                 {inert, 20, 1, reuse, true, 0, "inert_reuse", true},
                 {inert, 20, 1, plain, false, 0, NULL, false},
                 {one_step, 20, 1, reuse, true, 0, NULL, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct alarms a = alarms_of(cases[i].make, cases[i].n, cases[i].samples, cases[i].settings,
                                    cases[i].reuse_on, cases[i].chance);
        for (uint32_t k = 0; k < a.n && (!cases[i].kind || a.n > 1); k++)
            print_error("case %zu: %s\n", i, a.list[k].text);
        assert_int_equal(a.n, cases[i].kind ? 1 : 0);
        if (cases[i].kind)
            assert_true(has_alarm(&a, cases[i].kind, 0));
        assert_int_equal(alarms_failed(&a), cases[i].failure);
        alarms_clear(&a);
    }
}

/* ---- pages ---- */

/* Two cells, two tasks, one unit missing when asked for. Times differ with `hour`. */
static void make_grid(bool whole, double hour)
{
    struct syn_unit base[16], cell[16], pick[8];
    for (uint32_t i = 0; i < 16; i++) {
        base[i] = sound(i);
        cell[i] = i % 2 ? right(4 + i) : wrong(4 + i);
        cell[i].reused = 3;
        cell[i].decode_s *= hour;
        cell[i].extracted = varied(i);
    }
    for (uint32_t i = 0; i < 8; i++) {
        pick[i] = sound(i);
        pick[i].finish = FINISH_SCORED;
    }
    if (!whole)
        cell[7] = (struct syn_unit){0};
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "tiny/reuse.k=1,reuse.subset=first;tiny/reuse.k=1,reuse.subset=last", plain,
             false, 1);
    syn_cell(&run, "tiny/reuse.k=3,reuse.subset=last", reuse, true, 1.4);
    syn_task(&run, "small_numeric", "generate", "exact_match", "numeric", 0);
    syn_task(&run, "small_choice", "choice", "acc_norm", "choice", 0.25);
    syn_group(&run, 0, 0, base, 16, 1);
    syn_group(&run, 1, 0, cell, 16, 1);
    syn_group(&run, 0, 1, pick, 8, 1);
    assert_int_equal(syn_commit(&run, s), 0);
}

static char *page(enum report_format f)
{
    struct px_buf b;
    struct px_err err = {0};
    px_buf_init(&b, 1 << 24);
    int rc = report_write(s, f, &b, &err);
    if (rc)
        print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    return px_buf_steal(&b, NULL);
}

static void the_table_shows_values_pairs_and_names_in_80_columns(void **state)
{
    (void)state;
    make_grid(true, 0.8);
    char *t = page(REPORT_TABLE);
    assert_non_null(strstr(t, "40 of 40 units done"));
    assert_non_null(strstr(t, "small_numeric, exact_match in %, n = 16"));
    assert_non_null(strstr(t, "k=3,subset=last"));
    assert_non_null(strstr(t, "62.5"));  /* 10 of 16 */
    assert_non_null(strstr(t, "/1.40")); /* the bound */
    assert_non_null(strstr(t, "-12.5")); /* 8 of 16 against it */
    assert_non_null(strstr(t, "k=1,subset=first = k=1,subset=last (run once)"));
    assert_null(strstr(t, "missing"));
    free(t);
}

static void no_line_of_the_table_is_wider_than_a_terminal(void **state)
{
    (void)state;
    make_grid(false, 0.8);
    char *t = page(REPORT_TABLE);
    for (const char *p = t; *p;) {
        size_t n = strcspn(p, "\n");
        bool prose = strncmp(p, "failure:", 8) == 0;
        if (!prose && n > 80)
            print_error("%.*s\n", (int)n, p);
        assert_true(prose || n <= 80);
        p += n + (p[n] == '\n');
    }
    assert_non_null(strstr(t, ">="));
    assert_non_null(
        strstr(t, "failure: k=3,subset=last, small_numeric: 1 of 16 units are missing"));
    free(t);
}

static void markdown_and_csv_have_a_row_per_cell_and_task(void **state)
{
    (void)state;
    make_grid(true, 0.8);
    char *md = page(REPORT_MARKDOWN), *csv = page(REPORT_CSV);
    int bars = 0, rows = 0, columns = 0, commas = 0;
    const char *at = strstr(md, "| cell |");
    for (; at && *at == '|'; at = strchr(at, '\n') + 1)
        rows++;
    assert_int_equal(rows, 2 + 3);
    at = strstr(md, "| cell |");
    for (const char *p = at; *p != '\n'; p++)
        columns += *p == '|';
    at = strstr(md, "reuse.k=3");
    for (const char *p = at; *p != '\n'; p++)
        bars += *p == '|';
    assert_int_equal(bars + 1, columns);
    assert_non_null(strstr(md, "tiny/reuse.k=1,reuse.subset=first<br>tiny/reuse.k=1"));
    rows = 0;
    for (const char *p = csv; (p = strstr(p, "\r\n")); p += 2)
        rows++;
    assert_int_equal(rows, 1 + 3);
    assert_non_null(strstr(csv, "\"tiny/reuse.k=3,reuse.subset=last\",tiny,small_numeric,"));
    for (const char *p = strstr(csv, "\",tiny") + 1; *p != '\r'; p++)
        commas += *p == ',';
    columns = 0;
    for (const char *p = csv; *p != '\r'; p++)
        columns += *p == ',';
    assert_int_equal(commas, columns);
    free(md);
    free(csv);
}

/* The text of member `key` of the document at the top. Owned. */
static char *member(const char *json, const char *key)
{
    struct json_object *o = px_json_parse(json, strlen(json), NULL), *v;
    assert_non_null(o);
    assert_true(json_object_object_get_ex(o, key, &v));
    char *text = px_xstrdup(json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return text;
}

static void the_compared_part_does_not_know_how_long_it_took(void **state)
{
    (void)state;
    char *result[2], *observed[2];
    for (int i = 0; i < 2; i++) {
        make_grid(true, i ? 0.3 : 0.8);
        char *json = page(REPORT_JSON);
        result[i] = member(json, "result");
        observed[i] = member(json, "observed");
        free(json);
    }
    assert_string_equal(result[0], result[1]);
    assert_string_not_equal(observed[0], observed[1]);
    assert_null(strstr(result[0], "/a/b.gguf"));
    assert_non_null(strstr(observed[0], "b.gguf"));
    assert_non_null(strstr(result[0], "\"paired\":{\"baseline\":\"tiny\\/reuse.k=1"));
    for (int i = 0; i < 2; i++) {
        free(result[i]);
        free(observed[i]);
    }
}

static char *read_text(const char *name)
{
    char path[256], *text;
    size_t n;
    struct px_err err = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int rc = px_read_file(path, 1 << 24, &text, &n, &err);
    if (rc)
        print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    return text;
}

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Did it fail? */
static bool export_run(struct px_buf *table)
{
    bool failed;
    assert_int_equal(report_export(s, dir, &failed, table, NULL), 0);
    return failed;
}

static void an_export_is_whole_and_replaces_the_last_one(void **state)
{
    (void)state;
    static const char file[] = "samples/tiny_reuse.k=3,reuse.subset=last/small_numeric.jsonl";
    char old[128];
    make_grid(false, 0.8);
    assert_true(export_run(NULL)); /* one unit is missing */
    char *text = read_text(file);
    assert_int_equal(lines(text), 15); /* the missing one is not there */
    free(text);
    snprintf(old, sizeof old, "%s/samples/stale", dir);
    assert_int_equal(mkdir(old, 0755), 0);
    make_grid(true, 0.8);
    export_run(NULL);
    assert_false(px_exists(old));
    snprintf(old, sizeof old, "%s/samples.new", dir);
    assert_false(px_exists(old));
    text = read_text(file);
    assert_int_equal(lines(text), 16);
    struct json_object *first = px_json_parse(text, strcspn(text, "\n"), NULL), *result, *observed;
    assert_non_null(first);
    assert_true(json_object_object_get_ex(first, "result", &result));
    assert_true(json_object_object_get_ex(first, "observed", &observed));
    assert_string_equal(px_json_str_or(result, "problem", ""), "p0");
    assert_string_equal(px_json_str_or(result, "verdict", ""), "wrong_answer");
    assert_string_equal(px_json_str_or(result, "outcome", ""), "wrong");
    assert_string_equal(px_json_str_or(result, "finish", ""), "eos");
    json_object_put(first);
    free(text);
    char *json = read_text("results.json"), *again = page(REPORT_JSON);
    assert_string_equal(json, again);
    free(json);
    free(again);
}

static void an_export_shows_the_table_of_the_report(void **state)
{
    (void)state;
    struct px_buf table;
    make_grid(true, 0.8);
    px_buf_init(&table, 1 << 24);
    export_run(&table);
    char *alone = page(REPORT_TABLE);
    assert_true(table.len > 0);
    assert_string_equal((char *)table.data, alone);
    free(alone);
    px_buf_clear(&table);
}

static bool count_line(void *ctx, const char *line, size_t n)
{
    assert_int_equal(line[n - 1], '\n');
    return --*(int *)ctx != -1000;
}

static void samples_pass_the_filters(void **state)
{
    (void)state;
    static const struct {
        struct samples_filter f;
        int n; /* -1: refused */
    } cases[] = {
        {{NULL, NULL, NULL, false}, 40},
        {{"small_choice", NULL, NULL, false}, 8},
        {{NULL, NULL, "tiny/reuse.k=1,reuse.subset=last", false}, 24}, /* its second name */
        {{"small_numeric", "passed", "tiny/reuse.k=3,reuse.subset=last", false}, 8},
        {{NULL, "right", NULL, false}, 10 + 8 + 5},
        {{NULL, "timeout", NULL, false}, 0},
        {{"gsm8k", NULL, NULL, false}, -1},
        {{NULL, "correct", NULL, false}, -1},
        {{NULL, NULL, "k=3", false}, 16}, /* a setting that no other cell has */
        {{NULL, NULL, "k=2", false}, -1}};
    make_grid(true, 0.8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct px_err err = {0};
        int n = 0;
        int rc = report_samples(s, &cases[i].f, count_line, &n, &err);
        assert_int_equal(rc, cases[i].n < 0 ? -1 : 0);
        if (cases[i].n < 0)
            assert_int_equal(err.code, PX_EUSAGE);
        else
            assert_int_equal(-n, cases[i].n);
    }
}

static void a_cell_without_a_scorer_is_done_when_generated(void **state)
{
    (void)state;
    struct syn_unit u[3] = {right(4), right(5), right(6)};
    for (int i = 0; i < 3; i++)
        u[i].class = 0;
    struct syn_run run;
    syn_begin(&run);
    syn_cell(&run, "c", plain, false, 1);
    syn_task(&run, "t", "generate", "", "none", 0);
    syn_group(&run, 0, 0, u, 3, 1);
    assert_int_equal(syn_commit(&run, s), 0);
    struct run_stats *r = collect();
    assert_int_equal(r->groups[0].done, 3);
    assert_int_equal(r->groups[0].outcomes[OUTCOME_UNSCORED], 3);
    run_stats_free(&r);
    assert_false(export_run(NULL));
    struct run_status st;
    assert_int_equal(status_read(s, &st, NULL), 0);
    assert_int_equal(st.done, 3);
    status_clear(&st);
}

static void status_counts_without_reading_units(void **state)
{
    (void)state;
    make_grid(false, 0.8);
    struct store_batch *b = store_batch_new();
    static const char beat[] =
        "{\"wall_us\":5,\"rate\":2.5,\"eta_s\":60,\"workers\":2,\"testers\":1}";
    store_batch_put(b, STORE_META, "heartbeat", 9, beat, sizeof beat - 1);
    assert_int_equal(store_commit(s, b, NULL), 0);
    struct run_status st;
    struct px_buf text, json;
    assert_int_equal(status_read(s, &st, NULL), 0);
    assert_int_equal(st.total, 40);
    assert_int_equal(st.done, 39);
    assert_true(st.live);
    assert_int_equal(st.pid, getpid());
    assert_int_equal(st.workers, 2);
    px_buf_init(&text, 1 << 16);
    px_buf_init(&json, 1 << 16);
    status_text(&st, &text);
    status_json(&st, &json);
    assert_non_null(strstr((char *)text.data, "39 of 40 units done (97.5 %)"));
    assert_non_null(strstr((char *)text.data, "2 workers"));
    char *state_text = member((char *)json.data, "state");
    assert_string_equal(state_text, "\"running\"");
    free(state_text);
    px_buf_clear(&text);
    px_buf_clear(&json);
    status_clear(&st);
}

static void a_run_without_a_manifest_is_an_error_everywhere(void **state)
{
    (void)state;
    struct px_buf b;
    struct px_err err = {0};
    struct run_status st;
    bool failed;
    px_buf_init(&b, 1 << 16);
    assert_int_equal(report_write(s, REPORT_TABLE, &b, &err), -1);
    assert_int_equal(err.code, PX_EMISSING);
    assert_int_equal(report_export(s, dir, &failed, NULL, &err), -1);
    assert_int_equal(status_read(s, &st, &err), -1);
    px_buf_clear(&b);
}

#define STORED(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        STORED(every_unit_has_one_outcome_and_the_denominator_is_fixed),
        STORED(samples_give_pass_at_k_over_problems),
        STORED(reuse_cells_are_paired_with_the_cell_without),
        STORED(speeds_are_compared_on_the_same_host_only),
        STORED(each_alarm_rings_for_its_cause_alone),
        STORED(the_table_shows_values_pairs_and_names_in_80_columns),
        STORED(no_line_of_the_table_is_wider_than_a_terminal),
        STORED(markdown_and_csv_have_a_row_per_cell_and_task),
        STORED(the_compared_part_does_not_know_how_long_it_took),
        STORED(an_export_is_whole_and_replaces_the_last_one),
        STORED(an_export_shows_the_table_of_the_report),
        STORED(samples_pass_the_filters),
        STORED(a_cell_without_a_scorer_is_done_when_generated),
        STORED(status_counts_without_reading_units),
        STORED(a_run_without_a_manifest_is_an_error_everywhere),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
