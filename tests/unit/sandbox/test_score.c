/* test_score.c - scorers from their JSON, verdicts from completions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/scorer_kinds.h"
#include "sandbox/score/score.h"

static struct completion says(const char *text)
{
    return (struct completion){
        .finish = FINISH_EOS, .text = (char *)(uintptr_t)text, .n_text = (uint32_t)strlen(text)};
}

static struct scorer scorer(const char *json)
{
    struct scorer s;
    struct px_err err;
    if (scorer_parse(json, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

/* Scores without running; the verdict is the caller's. */
static struct verdict verdict(const char *json, const char *problem, const struct completion *c,
                              struct program *p, bool *runs)
{
    struct scorer s = scorer(json);
    struct verdict v;
    struct px_err err;
    if (score_begin(&s, problem, c, &v, p, runs, &err) != 0)
        fail_msg("%s", err.text);
    scorer_clear(&s);
    return v;
}

static void scorers_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } bad[] = {{"", "scorer"},
               {"[]", "object"},
               {"{}", "kind"},
               {"{\"kind\":\"poetry\"}", "poetry"},
               {"{\"kind\":\"code\",\"style\":\"free\"}", "free"},
               {"{\"kind\":\"code\",\"version\":99}", "99"},
               {"{\"kind\":\"code\",\"colour\":1}", "colour"},
               {"{\"kind\":\"code\",\"limits\":{\"cpu_s\":0}}", "cpu_s"},
               {"{\"kind\":\"code\",\"limits\":{\"cpu_s\":\"2\"}}", "cpu_s"},
               {"{\"kind\":\"code\",\"limits\":{\"output_kb\":1e9}}", "output_kb"},
               {"{\"kind\":\"code\",\"limits\":7}", "limits"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct scorer s;
        struct px_err err = {.text = ""};
        assert_int_equal(scorer_parse(bad[i].json, &s, &err), -1);
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].json, err.text);
    }
}

static void limits_have_defaults(void **state)
{
    (void)state;
    struct scorer s = scorer("{\"kind\":\"code\",\"limits\":{\"cpu_s\":2}}");
    assert_int_equal(s.limits.cpu_us, 2000000);
    assert_int_equal(s.limits.wall_us, 11000000);
    assert_int_equal(s.limits.memory_bytes, 512 << 20);
    assert_int_equal(s.limits.output_bytes, 1 << 20);
    scorer_clear(&s);
}

static void a_code_unit_gives_a_program(void **state)
{
    (void)state;
    struct completion c = says("    return a + b\n");
    struct program p;
    bool runs;
    struct verdict v =
        verdict("{\"kind\":\"code\",\"limits\":{\"cpu_s\":2}}",
                "{\"id\":\"x\",\"kind\":\"humaneval\",\"prompt\":\"def add(a, b):\\n\","
                "\"entry_point\":\"add\",\"test\":\"def check(f):\\n    assert f(1, 2) == 3\\n\"}",
                &c, &p, &runs);
    assert_true(runs);
    assert_string_equal(p.source, "def add(a, b):\n    return a + b\n");
    assert_int_equal(p.limits.cpu_us, 2000000);
    assert_false(p.script);
    assert_null(strstr(p.source, "check")); /* the candidate never sees the tests */
    struct run_result r = {.attempts = 1, .cpu_s = 0.25};
    r.outcome.class = VERDICT_PASSED;
    struct scorer code = scorer("{\"kind\":\"code\"}");
    score_end(&code, &r, &v);
    scorer_clear(&code);
    assert_int_equal(v.class, VERDICT_PASSED);
    assert_true(verdict_metric(&v, "pass@1", -1) == 1);
    assert_string_equal(v.rule, "whole");
    assert_string_equal(v.extracted, "    return a + b\n");
    assert_string_equal(v.assurance, "split");
    verdict_clear(&v);
    program_clear(&p);
}

static const char plus_problem[] =
    "{\"kind\":\"evalplus\",\"entry_point\":\"add\",\"prompt\":\"def add(a, b):\\n\","
    "\"reference\":\"def add(a, b): return a + b\",\"base_input\":[[1, 2]],\"plus_input\":{},"
    "\"limits\":{\"cpu_s\":40}}";

static void the_first_set_of_tests_counts_by_itself(void **state)
{
    (void)state;
    struct completion c = says("    return a + b\n");
    struct program p;
    bool runs;
    struct scorer code = scorer("{\"kind\":\"code\"}");
    static const struct {
        enum verdict_class class;
        bool first;
        double all, base;
    } cases[] = {{VERDICT_PASSED, true, 1, 1},
                 {VERDICT_WRONG_ANSWER, true, 0, 1},
                 {VERDICT_TIMEOUT, true, 0, 1},
                 {VERDICT_WRONG_ANSWER, false, 0, 0},
                 {VERDICT_SECURITY_VIOLATION, true, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v = verdict("{\"kind\":\"code\"}", plus_problem, &c, &p, &runs);
        assert_true(runs && p.two_sets);
        assert_int_equal(p.limits.cpu_us, 40000000); /* a problem's own limit */
        assert_int_equal(p.limits.wall_us, 125000000);
        struct run_result r = {.two_sets = true, .first_passed = cases[i].first};
        r.outcome.class = cases[i].class;
        score_end(&code, &r, &v);
        assert_true(verdict_metric(&v, "pass@1", -1) == cases[i].all);
        assert_true(verdict_metric(&v, "pass@1_base", -1) == cases[i].base);
        verdict_clear(&v);
        program_clear(&p);
    }
    c = says(" ");
    struct verdict v = verdict("{\"kind\":\"code\"}", plus_problem, &c, &p, &runs);
    assert_false(runs);
    assert_true(verdict_metric(&v, "pass@1_base", -1) == 0);
    verdict_clear(&v);
    scorer_clear(&code);
}

static void raw_looks_for_nothing(void **state)
{
    (void)state;
    static const char text[] = "Sure:\n```python\n    return 1\n```\n<|im_end|>";
    struct completion c = says(text);
    struct program p;
    bool runs;
    struct verdict v =
        verdict("{\"kind\":\"code\",\"style\":\"raw\"}", plus_problem, &c, &p, &runs);
    assert_true(runs);
    assert_string_equal(p.source, "def add(a, b):\nSure:\n```python\n    return 1\n```\n"
                                  "<|im_end|>");
    assert_string_equal(v.rule, "raw");
    verdict_clear(&v);
    program_clear(&p);
    c = says("");
    v = verdict("{\"kind\":\"code\",\"style\":\"raw\"}", plus_problem, &c, &p, &runs);
    assert_true(runs); /* an empty text is a program too: the prompt */
    assert_string_equal(p.source, "def add(a, b):\n");
    verdict_clear(&v);
    program_clear(&p);
}

static void no_code_runs_nothing(void **state)
{
    (void)state;
    struct completion c = says("\n\n");
    struct program p;
    bool runs;
    struct verdict v = verdict("{\"kind\":\"code\"}",
                               "{\"kind\":\"stdio\",\"cases\":[{\"stdin\":"
                               "\"\",\"stdout\":\"1\"}]}",
                               &c, &p, &runs);
    assert_false(runs);
    assert_int_equal(v.class, VERDICT_NO_CODE);
    assert_true(verdict_metric(&v, "pass@1", -1) == 0);
    verdict_clear(&v);
}

static void numbers_are_scored_in_three_ways(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double any, strict, flexible;
        enum verdict_class class;
    } cases[] = {{"6 * 3\n#### 18", 1, 1, 1, VERDICT_PASSED},
                 {"The answer is 18. (6 and 3)", 1, 0, 0, VERDICT_PASSED},
                 {"It is 18.0", 1, 0, 0, VERDICT_PASSED},
                 {"#### 17 or 18", 0, 0, 1, VERDICT_WRONG_ANSWER},
                 {"no idea", 0, 0, 0, VERDICT_UNPARSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct completion c = says(cases[i].text);
        struct program p;
        bool runs;
        struct verdict v = verdict("{\"kind\":\"numeric\",\"version\":1}",
                                   "{\"answer\":\"6*3=18\\n#### 18\"}", &c, &p, &runs);
        assert_false(runs);
        assert_int_equal(v.class, cases[i].class);
        assert_true(verdict_metric(&v, "exact_match", -1) == cases[i].any);
        assert_true(verdict_metric(&v, "exact_match,strict-match", -1) == cases[i].strict);
        assert_true(verdict_metric(&v, "exact_match,flexible-extract", -1) == cases[i].flexible);
        verdict_clear(&v);
    }
}

static void choices_are_scored_from_loglikelihoods(void **state)
{
    (void)state;
    struct choice_score s[2] = {{.logprob = -3, .n_chars = 1, .n_bytes = 1},
                                {.logprob = -4, .n_chars = 8, .n_bytes = 8}};
    struct completion c = {.finish = FINISH_SCORED, .choices = s, .n_choices = 2};
    struct program p;
    bool runs;
    struct verdict v = verdict("{\"kind\":\"choice\"}", "{\"gold\":1}", &c, &p, &runs);
    assert_int_equal(v.class, VERDICT_WRONG_ANSWER);
    assert_true(verdict_metric(&v, "acc", -1) == 0);
    assert_true(verdict_metric(&v, "acc_norm", -1) == 1);
    assert_true(verdict_metric(&v, "acc_bytes", -1) == 1);
    assert_string_equal(v.extracted, "0");
    verdict_clear(&v);
}

static void unusable_completions_have_classes_of_their_own(void **state)
{
    (void)state;
    static const struct {
        enum finish finish;
        enum verdict_class class;
    } cases[] = {{FINISH_OVERFLOW, VERDICT_OVERFLOW},
                 {FINISH_TOO_LONG, VERDICT_TOO_LONG},
                 {FINISH_ERROR, VERDICT_ERROR}};
    for (size_t i = 0; i < 3; i++) {
        struct completion c = says("#### 18");
        c.finish = cases[i].finish;
        struct program p;
        bool runs;
        struct verdict v = verdict("{\"kind\":\"numeric\"}", "{\"answer\":\"18\"}", &c, &p, &runs);
        assert_int_equal(v.class, cases[i].class);
        assert_true(verdict_metric(&v, "exact_match", -1) == 0); /* the denominator stays */
        verdict_clear(&v);
    }
}

static void bad_problems_are_errors_not_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *scorer, *problem, *says;
    } bad[] = {
        {"{\"kind\":\"numeric\"}", "{\"answer\":\"none\"}", "answer"},
        {"{\"kind\":\"numeric\"}", "[1]", "object"},
        {"{\"kind\":\"numeric\"}", "{", "problem"},
        {"{\"kind\":\"letter\"}", "{\"gold\":\"E\"}", "gold"},
        {"{\"kind\":\"choice\"}", "{\"gold\":0}", "loglikelihoods"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"haskell\"}", "haskell"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"humaneval\"}", "prompt"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"stdio\",\"cases\":[]}", "cases"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"stdio\",\"cases\":[{\"stdin\":1}]}", "stdin"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"mbpp\"}", "test_list"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"evalplus\",\"entry_point\":\"f\"}", "reference"},
        {"{\"kind\":\"code\"}",
         "{\"kind\":\"evalplus\",\"entry_point\":\"f\",\"reference\":\"\",\"base_input\":[],"
         "\"plus_input\":{\"a\":1}}",
         "plus_input"},
        {"{\"kind\":\"code\"}", "{\"kind\":\"mbpp\",\"test_list\":[],\"limits\":{\"cpu_s\":-1}}",
         "cpu_s"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct scorer s = scorer(bad[i].scorer);
        struct completion c = says("x = 1");
        struct verdict v;
        struct program p;
        bool runs;
        struct px_err err = {.text = ""};
        assert_int_equal(score_begin(&s, bad[i].problem, &c, &v, &p, &runs, &err), -1);
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].problem, err.text);
        scorer_clear(&s);
    }
}

static void the_compared_part_is_the_same_twice(void **state)
{
    (void)state;
    struct px_digest d[2];
    for (int i = 0; i < 2; i++) {
        struct completion c = says("#### 18");
        struct program p;
        bool runs;
        struct px_err err;
        struct verdict v = verdict("{\"kind\":\"numeric\"}", "{\"answer\":\"18\"}", &c, &p, &runs);
        v.cpu_s = i; /* observed: must not matter */
        struct px_buf b;
        px_buf_init(&b, UNIT_LIMIT);
        verdict_encode(&v, &b);
        assert_int_equal(verdict_result_digest(b.data, b.len, &d[i], &err), 0);
        px_buf_clear(&b);
        verdict_clear(&v);
    }
    assert_true(px_digest_eq(&d[0], &d[1]));
}

/* The table that task files are checked against, and the kinds themselves: each kind is there, and
 * what it says of a completion that cannot be scored are metrics of the table. */
static void every_kind_of_the_table_can_score(void **state)
{
    (void)state;
    const struct scorer_kind *k;
    for (uint32_t i = 0; (k = scorer_kind_at(i)) != NULL; i++) {
        char json[80];
        snprintf(json, sizeof json, "{\"kind\":\"%s\"}", k->name);
        struct completion c = says("");
        c.finish = FINISH_ERROR;
        struct program p;
        bool runs;
        struct verdict v = verdict(json, "{}", &c, &p, &runs);
        assert_int_equal(v.class, VERDICT_ERROR);
        for (uint32_t m = 0; m < v.n_metrics; m++)
            if (!scorer_kind_emits(k, v.metrics[m].name))
                fail_msg("%s: %s is not in the table", k->name, v.metrics[m].name);
        verdict_clear(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scorers_are_refused_by_name),
        cmocka_unit_test(limits_have_defaults),
        cmocka_unit_test(a_code_unit_gives_a_program),
        cmocka_unit_test(the_first_set_of_tests_counts_by_itself),
        cmocka_unit_test(raw_looks_for_nothing),
        cmocka_unit_test(no_code_runs_nothing),
        cmocka_unit_test(numbers_are_scored_in_three_ways),
        cmocka_unit_test(choices_are_scored_from_loglikelihoods),
        cmocka_unit_test(unusable_completions_have_classes_of_their_own),
        cmocka_unit_test(bad_problems_are_errors_not_verdicts),
        cmocka_unit_test(the_compared_part_is_the_same_twice),
        cmocka_unit_test(every_kind_of_the_table_can_score)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
