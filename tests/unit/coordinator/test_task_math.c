/* test_task_math.c - the tasks of MATH: prompts are those of every harness, byte for byte. */
#include "tests/unit/coordinator/task_fixture.h"

/* The golden hash is lm-evaluation-harness's: four examples, 1,792 characters. */
static void check_prefix(const struct task *t, uint32_t problem, const char *question)
{
    static const char golden[] = "d08a0ce44e131a3ba5b582b55cef653be21b141a0f4aaa7e5d56eb5b28d821b6";
    struct px_err err;
    struct task_prompt p;
    char hex[PX_HEX_SIZE];
    if (task_render(t, problem, -1, false, &p, &err) != 0)
        fail_msg("%s", err.text);
    PX_FREE char *end = px_xasprintf("Problem:\n%s\n\nSolution:", question);
    assert_int_equal(strlen(p.prompt), 1792 + strlen(end));
    struct px_digest d = px_sha256(p.prompt, 1792);
    px_digest_hex(&d, hex);
    assert_string_equal(hex, golden);
    assert_string_equal(p.prompt + 1792, end);
    task_prompt_clear(&p);
}

static void minerva_math_loads(void **state)
{
    (void)state;
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    struct task *t = load_real("minerva_math", data);
    assert_int_equal(task_n_problems(t), 5000);
    check_prefix(t, 3, "Evaluate $i^5+i^{-25}+i^{45}$.");
    task_free(&t);
}

static void math500_loads(void **state)
{
    (void)state;
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    struct task *t = load_real("math500", data);
    assert_int_equal(task_n_problems(t), 500);
    check_prefix(
        t, 0,
        "Convert the point $(0,3)$ in rectangular coordinates to polar coordinates.  Enter "
        "your answer in the form $(r,\\theta),$ where $r > 0$ and $0 \\le \\theta < 2 "
        "\\pi.$");
    task_free(&t);
}

/* The rules of lm-eval change how answers are compared, not what is asked. */
static void lm_evals_rules_load(void **state)
{
    (void)state;
    static const char *const names[] = {"minerva_math", "math500"};
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    for (size_t i = 0; i < 2; i++) {
        struct px_err err;
        struct task_env e = {.data_dir = data, .seed = 1, .compat = "lm-eval"};
        struct task *t = task_load(names[i], &e, &err);
        if (!t)
            fail_msg("%s", err.text);
        assert_non_null(strstr(task_scorer(t), "lm-eval"));
        assert_non_null(strstr(task_oracle_json(t), i == 0 ? "0.9484" : "0.944"));
        task_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(minerva_math_loads),
        cmocka_unit_test(math500_loads),
        cmocka_unit_test(lm_evals_rules_load),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
