/* test_task_text.c - prompts of gsm8k_cot and bfcl_simple against golden values. Reads the
 * reference data; skips visibly without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "coordinator/task/task.h"
#include "proto/digest.h"
#include "tests/unit/proto/reference.h"

static struct task *load(const char *name)
{
    PX_FREE char *data = reference_path("data");
    struct task_env env = {.data_dir = data};
    struct px_err err;
    setenv("PROCTOR_HOME", ".", 1); /* tests run in the root of the repository */
    struct task *t = task_load(name, &env, &err);
    if (t == NULL)
        fail_msg("%s", err.text);
    return t;
}

static void assert_sha256(const char *text, size_t n, const char *want)
{
    struct px_digest d = px_sha256(text, n);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    assert_string_equal(hex, want);
}

/* lm-eval's eight examples of Wei et al. 2022, and the whole prompt of the first problem. */
static void gsm8k_cot_is_lm_evals(void **state)
{
    (void)state;
    REFERENCE_OR_SKIP(path, "data/gsm8k/test.jsonl");
    struct task *t = load("gsm8k_cot");
    struct task_prompt p;
    struct px_err err;
    assert_int_equal(task_n_problems(t), 1319);
    assert_int_equal(task_render(t, 0, -1, false, &p, &err), 0);
    assert_sha256(p.prompt, 2141,
                  "3d55795c084e26f6ebb6925833999a44f75c4280eb7ab4d66f9bb940244e4847");
    assert_sha256(p.prompt, strlen(p.prompt),
                  "901fead9abd2535b6d0610c3c90125f38cad81678c4b2b98ec8fb818e3948bde");
    task_prompt_clear(&p);
    PX_FREE char *reference = task_reference(t, 0);
    assert_string_equal(reference, " The answer is 18.");
    task_free(&t);
    t = load("gsm8k_cot_zeroshot");
    assert_int_equal(task_render(t, 0, -1, false, &p, &err), 0);
    assert_non_null(strstr(p.prompt, "\nA: Let's think step by step."));
    assert_int_equal(strncmp(p.prompt, "Q: Janet", 8), 0);
    task_prompt_clear(&p);
    task_free(&t);
}

/* How many parameters of the one function have a value other than "". */
static int given(struct json_object *truth)
{
    struct json_object *one = json_object_array_get_idx(truth, 0);
    int n = 0;
    json_object_object_foreach(one, name, parameters)
    {
        (void)name;
        json_object_object_foreach(parameters, key, accepted)
        {
            (void)key;
            struct json_object *v = json_object_array_get_idx(accepted, 0);
            bool none = json_object_is_type(v, json_type_string) && !*json_object_get_string(v);
            n += !none || json_object_array_length(accepted) > 1;
        }
    }
    return n;
}

/* Each reference is one call as JSON, of the function that the problem accepts. */
static void references_of_bfcl_are_calls(void **state)
{
    (void)state;
    REFERENCE_OR_SKIP(path, "data/bfcl/BFCL_v4_simple_python.json");
    struct task *t = load("bfcl_simple");
    struct px_err err;
    assert_int_equal(task_n_problems(t), 400);
    for (uint32_t i = 0; i < 400; i++) {
        struct px_buf b;
        px_buf_init(&b, 1 << 20);
        assert_int_equal(task_problem_json(t, i, &b, &err), 0);
        struct json_object *problem = px_json_parse((char *)b.data, b.len, &err);
        PX_FREE char *text = task_reference(t, i);
        struct json_object *call = px_json_parse(text, strlen(text), &err), *arguments;
        if (call == NULL)
            fail_msg("%s: %s", text, err.text);
        struct json_object *truth = json_object_object_get(problem, "ground_truth");
        const char *name = px_json_str_or(call, "name", "");
        assert_non_null(json_object_object_get(json_object_array_get_idx(truth, 0), name));
        assert_true(json_object_object_get_ex(call, "arguments", &arguments));
        if (json_object_object_length(arguments) != given(truth))
            fail_msg("%s", text);
        json_object_put(call);
        json_object_put(problem);
        px_buf_clear(&b);
    }
    task_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gsm8k_cot_is_lm_evals),
                                       cmocka_unit_test(references_of_bfcl_are_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
