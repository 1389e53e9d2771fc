/* test_math.c - the scorer kind math: where answers are found, what sympy would make of them, and
 * what the references of MATH score against themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/score/math_equal.h"
#include "sandbox/score/math_extract.h"
#include "sandbox/score/math_norm.h"
#include "sandbox/score/math_sympy.h"

static struct span of(const char *s)
{
    return (struct span){s, strlen(s)};
}

/* ---- extraction ---- */

static void answers_are_found_in_order_of_rules(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want, *rule;
    } samples[] = {
        {"so $x = \\boxed{5}$.\nFinal Answer: The final answer is $6$.", "5", "boxed"},
        {"\\boxed{1} or \\boxed{\\frac{1}{2}}", "\\frac{1}{2}", "boxed"},
        {"Final Answer: The final answer is $24$. I hope it is correct.", "24", "final-answer"},
        {"Final Answer: The final answer is $\\$32$. I hope it is correct.", "\\$32",
         "final-answer"},
        {"The final answer is $1$ and $2$.", "$1$ and $2$", "final-answer"},
        {"The answer is $42$ because 6 * 7.", "42", "answer-is"},
        {"The answer is 3.5. I used 7/2.", "3.5", "answer-is"},
        {"**Answer:** 12", "12", "answer-is"},
        {"Thus $x = 2 + 3 = 5$ and we are done.", "5", "formula"},
        {"so \\[ y = 2x \\] and \\( 7 \\).", "7", "formula"},
        {"Display $$x = 9$$", "9", "formula"},
        {"It costs 12 coins", "12", "last-number"},
        {"\\boxed{5}\n\nProblem:\nNext? \\boxed{6}", "5", "boxed"},
        {"<think>\\boxed{1}</think>\\boxed{2}", "2", "boxed"},
        {"\\boxed{3} then \\boxed{4", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct extract e;
        math_extract(of(samples[i].text), &e);
        if (samples[i].want != NULL && (e.text == NULL || strcmp(e.text, samples[i].want) != 0 ||
                                        strcmp(e.rule, samples[i].rule) != 0))
            fail_msg("%s: %s gave %s", samples[i].text, e.rule, e.text ? e.text : "nothing");
        if (samples[i].want == NULL && e.text != NULL)
            fail_msg("%s: a box that is open gave %s", samples[i].text, e.text);
        free(e.text);
    }
    struct extract e;
    math_extract(of("no idea"), &e);
    assert_null(e.text);
    assert_int_equal(e.unusable, VERDICT_UNPARSED);
    math_extract(of("<think>\\boxed{1}"), &e);
    assert_null(e.text);
    assert_int_equal(e.unusable, VERDICT_OVERFLOW);
}

/* ---- lm-eval's comparison ---- */

static bool sympy_equal(const char *a, const char *b)
{
    return math_sympy_equal(of(a), of(b));
}

static void sympys_oddities_are_kept(void **state)
{
    (void)state;
    static const char *const equal[][2] = {
        {"1,2", "1,3"},
        {"1,2,3", "1"},
        {"x\\in[1,2]", "x\\in[3,9]"},
        {"52_8", "52_5"},
        {"even", "vene"},
        {"\\frac{1}{2}", "0.5"},
        {"\\sqrt{12}", "2\\sqrt{3}"},
        {"(x+1)^2", "x^2+2x+1"},
        {"4", "\\frac{8}{2}"},
        {"1:2", "\\frac{1}{2}"},
        {"2\\pi", "\\pi+\\pi"},
    };
    static const char *const different[][2] = {
        {"36.", "36"},
        {"(1,2)", "(1,2)"},
        {"[1,2)", "[1,2)"},
        {"10\\%", "10\\%"},
        {"\\{1,2\\}", "\\{1,2\\}"},
        {"\\frac{9}{{}5}", "\\frac{9}{{}5}"},
        {"\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"},
        {"\\le(1,2\\right)", "\\le(1,2\\right)"},
        {".5", ".5"},
        {"", ""},
        {"x<3", "x<3"},
        {"(1+i)^2", "2i"},
        {"\\cos(\\pi)", "-1"},
        {"x(x+1)", "(x+1)x"},
        {"5", "6"},
    };
    for (size_t i = 0; i < sizeof equal / sizeof equal[0]; i++)
        if (!sympy_equal(equal[i][0], equal[i][1]))
            fail_msg("%s and %s: not equal", equal[i][0], equal[i][1]);
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++)
        if (sympy_equal(different[i][0], different[i][1]))
            fail_msg("%s and %s: equal", different[i][0], different[i][1]);
}

/* ---- the kind ---- */

enum { EQUAL, EXACT };

static struct verdict judge(const char *scorer, const char *problem, const char *text)
{
    struct px_err err = {0};
    struct scorer s;
    struct completion c = {
        .finish = FINISH_EOS, .text = (char *)(uintptr_t)text, .n_text = (uint32_t)strlen(text)};
    struct verdict v;
    struct program p;
    bool runs;
    if (scorer_parse(scorer, &s, &err) != 0 ||
        score_begin(&s, problem, &c, &v, &p, &runs, &err) != 0)
        fail_msg("%s", err.text);
    assert_false(runs);
    scorer_clear(&s);
    return v;
}

static void check_metrics(const char *scorer, const char *problem, const char *text,
                          enum verdict_class class, const double want[4])
{
    static const char *const names[] = {"math_equal", "exact_match", "string_match",
                                        "hendrycks_match"};
    struct verdict v = judge(scorer, problem, text);
    assert_int_equal(v.n_metrics, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(v.metrics[i].name, names[i]);
        if (v.metrics[i].value != want[i])
            fail_msg("%s: %s is %g", text, names[i], v.metrics[i].value);
    }
    assert_int_equal(v.class, class);
    verdict_clear(&v);
}

static const char ours[] = "{\"kind\":\"math\"}";
static const char theirs[] = "{\"kind\":\"math\",\"compat\":\"lm-eval\"}";

static void four_rules_stand_side_by_side(void **state)
{
    (void)state;
    static const char half[] = "{\"answer\":\"\\\\frac{1}{2}\"}";
    static const char point[] = "{\"solution\":\"so $\\\\boxed{(1,2)}$.\"}";
#define SENTENCE(x) "Final Answer: The final answer is $" x "$. I hope it is correct."
    check_metrics(theirs, half, SENTENCE("0.5"), VERDICT_PASSED, (double[]){1, 1, 0, 1});
    check_metrics(theirs, half, SENTENCE("\\frac12"), VERDICT_PASSED, (double[]){1, 1, 1, 1});
    check_metrics(theirs, half, "\\boxed{\\frac{1}{2}}", VERDICT_PASSED, (double[]){1, 0, 1, 1});
    check_metrics(ours, half, "\\boxed{\\frac{1}{2}}", VERDICT_PASSED, (double[]){1, 1, 1, 1});
    check_metrics(theirs, point, SENTENCE("(1,2)"), VERDICT_PASSED, (double[]){1, 0, 1, 1});
    check_metrics(ours, point, SENTENCE("(1,2)"), VERDICT_PASSED, (double[]){1, 1, 1, 1});
    check_metrics(ours, point, SENTENCE("(1,3)"), VERDICT_WRONG_ANSWER, (double[]){0, 0, 0, 0});
    check_metrics(ours, half, "", VERDICT_UNPARSED, (double[]){0, 0, 0, 0});
    check_metrics(ours, half, "<think>\\boxed{1}", VERDICT_OVERFLOW, (double[]){0, 0, 0, 0});
}

static void problems_without_a_reference_are_errors(void **state)
{
    (void)state;
    static const char *const problems[] = {"{}", "{\"answer\":\" \"}", "{\"solution\":\"no box\"}",
                                           "{\"answer\":5}"};
    struct px_err err;
    struct scorer s;
    struct completion c = {.finish = FINISH_EOS, .text = (char *)(uintptr_t) "1", .n_text = 1};
    assert_int_equal(scorer_parse(ours, &s, &err), 0);
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        struct verdict v;
        struct program p;
        bool runs;
        assert_int_equal(score_begin(&s, problems[i], &c, &v, &p, &runs, &err), -1);
        assert_non_null(strstr(err.text, "reference"));
    }
    scorer_clear(&s);
    assert_int_equal(scorer_parse("{\"kind\":\"math\",\"compat\":\"minerva\"}", &s, &err), -1);
    assert_non_null(strstr(err.text, "compat"));
}

static void long_completions_are_bounded(void **state)
{
    (void)state;
    enum { SIZE = 10000000 };
    static const char *const parts[] = {"\\boxed{",
                                        "$",
                                        "the answer is ",
                                        "a.",
                                        "\\frac{",
                                        "=$=",
                                        "*",
                                        "Final Answer: The final answer is",
                                        "Problem:\n"};
    char *s = px_xmalloc(SIZE + 1);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]), at = 0;
        for (; at + n <= SIZE / 64; at += n)
            memcpy(s + at, parts[i], n);
        s[at] = '\0';
        struct verdict v = judge(theirs, "{\"answer\":\"5\"}", s);
        assert_true(v.metrics[EQUAL].value == 0 && v.metrics[EXACT].value == 0);
        verdict_clear(&v);
    }
    memset(s, '1', SIZE);
    memcpy(s, "\\boxed{", 7);
    memcpy(s + SIZE - 1, "}", 2);
    struct verdict v = judge(ours, "{\"answer\":\"5\"}", s);
    assert_true(v.class != VERDICT_PASSED);
    assert_true(v.n_extracted < SIZE); /* not the box: no answer is that long */
    verdict_clear(&v);
    free(s);
}

/* ---- the references of MATH ---- */

struct answers {
    char **at;
    size_t n, cap;
};

/* The boxed answers of a file of the reference data; false when it is not there. */
static bool load(const char *name, struct answers *a)
{
    const char *dir = getenv("PROCTOR_REFERENCE");
    char path[512];
    char *text;
    size_t n;
    snprintf(path, sizeof path, "%s/data/math/%s", dir != NULL ? dir : "../shared", name);
    memset(a, 0, sizeof *a);
    if (!px_exists(path)) {
        print_message("SKIP %s is not there\n", path);
        return false;
    }
    assert_int_equal(px_read_file(path, 1 << 24, &text, &n, NULL), 0);
    for (struct span rest = {text, n}; rest.n > 0;) {
        struct span line = text_line(rest, &rest);
        struct json_object *o = px_json_parse(line.p, line.n, NULL);
        assert_non_null(o);
        struct span box = math_boxed(of(px_json_str_or(o, "solution", "")), true);
        assert_non_null(box.p);
        PX_GROW(a->at, a->n, a->cap);
        a->at[a->n++] = px_xmemdup(box.p, box.n);
        json_object_put(o);
    }
    free(text);
    return true;
}

static void clear(struct answers *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->at[i]);
    free(a->at);
}

/* What sympy can read of the references is the ceiling of lm-eval's exact_match. It was measured
 * with sympy as 4,737 of 5,000 and 472 of 500; this reader takes six more. */
static void check_ceiling(const char *file, size_t rows, size_t readable)
{
    struct answers a;
    size_t read = 0;
    if (!load(file, &a))
        skip();
    assert_int_equal(a.n, rows);
    for (size_t i = 0; i < a.n; i++) {
        size_t n;
        char *text = math_normalise(of(a.at[i]), &n);
        struct span s = {text, n};
        read += math_sympy_equal(s, s);
        free(text);
        if (!math_equal(of(a.at[i]), of(a.at[i])))
            fail_msg("%s is not equal to itself", a.at[i]);
    }
    assert_int_equal(read, readable);
    clear(&a);
}

static void ceiling_of_math(void **state)
{
    (void)state;
    check_ceiling("math_test_5000.jsonl", 5000, 4743);
}

static void ceiling_of_math500(void **state)
{
    (void)state;
    check_ceiling("math500_test.jsonl", 500, 472);
}

/* Every reference is read as a tree, and against the next problem's only what is the same is the
 * same: 3/4 written in two ways, 120 degrees and 120, 7% and 7. */
static void references_differ_from_their_neighbours(void **state)
{
    (void)state;
    struct answers a;
    struct math_tree *t = px_xmalloc(sizeof *t);
    size_t other = 0;
    if (!load("math_test_5000.jsonl", &a)) {
        free(t);
        skip();
    }
    for (size_t i = 0; i < a.n; i++) {
        const char *next = a.at[(i + 1) % a.n];
        if (!math_parse(of(a.at[i]), t))
            fail_msg("%s is not understood", a.at[i]);
        other += strcmp(a.at[i], next) != 0 && math_equal(of(a.at[i]), of(next));
    }
    assert_int_equal(other, 3);
    clear(&a);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_found_in_order_of_rules),
        cmocka_unit_test(sympys_oddities_are_kept),
        cmocka_unit_test(four_rules_stand_side_by_side),
        cmocka_unit_test(problems_without_a_reference_are_errors),
        cmocka_unit_test(long_completions_are_bounded),
        cmocka_unit_test(ceiling_of_math),
        cmocka_unit_test(ceiling_of_math500),
        cmocka_unit_test(references_differ_from_their_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
