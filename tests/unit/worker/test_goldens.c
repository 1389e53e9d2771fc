/* test_goldens.c - the reference models that are at hand against their golden values. */
#include "golden_check.h"

static void check(const char *name, bool is_f32)
{
    char below[256];
    snprintf(below, sizeof below, "models/%s.gguf", name);
    char *path = reference_or_skip(below);
    golden_file_check(path, name, is_f32);
    free(path);
}

static void f32_file_is_exact(void **state)
{
    (void)state;
    check("stories260K-F32", true);
}

static void f16_files_meet_the_rule(void **state)
{
    (void)state;
    check("stories260K-F16", false);
    check("rand-llama3-ropefreqs-F16", false);
}

static void quantised_qwen2_files_meet_the_rule(void **state)
{
    static const char *const types[] = {"Q8_0",   "Q4_0",   "Q4_1",   "Q5_0", "Q5_1",  "Q2_K",
                                        "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_NL"};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char name[64];
        snprintf(name, sizeof name, "rand-qwen2-tied-%s", types[i]);
        check(name, false);
    }
    check("rand-qwen2-untied-Q4_K_M", false);
    check("rand-qwen2-untied-Q8_0", false);
}

static void quantised_files_of_other_architectures_meet_the_rule(void **state)
{
    (void)state;
    check("rand-qwen3-Q4_K_M", false);
    check("rand-qwen3-Q8_0", false);
    check("rand-llama-gqa-Q4_K_M", false);
    check("rand-llama-gqa-Q8_0", false);
    check("rand-llama3-ropefreqs-Q4_K_M", false);
}

static void full_vocabulary_meets_the_rule(void **state)
{
    (void)state;
    check("rand-qwen2-fullvocab-Q8_0", false);
}

static void trained_models_meet_the_rule(void **state)
{
    (void)state;
    check("stories260K-Q8_0", false);
    check("stories260K-Q4_0", false);
    check("stories260K-Q5_0", false);
    check("stories260K-Q4_K_M", false);
    check("trained-qwen3-shk-Q8_0", false);
    check("trained-qwen3-shk-Q4_K_M", false);
    check("trained-qwen2-shk-Q4_K_M", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_file_is_exact),
        cmocka_unit_test(f16_files_meet_the_rule),
        cmocka_unit_test(quantised_qwen2_files_meet_the_rule),
        cmocka_unit_test(quantised_files_of_other_architectures_meet_the_rule),
        cmocka_unit_test(full_vocabulary_meets_the_rule),
        cmocka_unit_test(trained_models_meet_the_rule),
        cmocka_unit_test(golden_totals_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
