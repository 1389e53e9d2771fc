/* test_import_goldens.c - the reference models through their imported form: the same logits to the
 * last bit, on every instruction set, as their own files give with the definition; and so the same
 * golden values. */
#include "golden_check.h"
#include "import_fixture.h"

#include "worker/engine/panels.h"

static const char *const names[] = {
    "rand-qwen2-tied-Q8_0",   "rand-qwen2-tied-Q4_0",         "rand-qwen2-tied-Q4_1",
    "rand-qwen2-tied-Q5_0",   "rand-qwen2-tied-Q5_1",         "rand-qwen2-tied-Q2_K",
    "rand-qwen2-tied-Q3_K_M", "rand-qwen2-tied-Q4_K_M",       "rand-qwen2-tied-Q5_K_M",
    "rand-qwen2-tied-Q6_K",   "rand-qwen2-tied-IQ4_NL",       "rand-qwen2-untied-Q4_K_M",
    "rand-qwen3-Q8_0",        "rand-llama3-ropefreqs-Q4_K_M", "rand-llama3-ropefreqs-F16",
    "stories260K-F32",        "stories260K-Q4_K_M",           "trained-qwen3-shk-Q4_K_M"};

enum { TOKENS = 6 };

static struct model *open_good(const char *path)
{
    struct px_err err = {0};
    struct model *m = model_open(path, &err);
    if (m == NULL)
        fail_msg("%s", err.text);
    return m;
}

static float *logits_of(const struct model *m, const char *isa, const uint32_t *tokens)
{
    struct eval_config cfg = {.isa = isa, .threads = 2, .max_tokens = TOKENS};
    struct px_err err = {0};
    struct eval *e = eval_new(m, &cfg, &err);
    const float *v = e ? eval_tokens(e, tokens, TOKENS, NULL, NULL, &err) : NULL;
    if (v == NULL)
        fail_msg("%s", err.text);
    float *copy = (float *)(void *)px_xmemdup(v, m->cfg.n_vocab * sizeof *v);
    eval_free(&e);
    return copy;
}

static void imported_models_compute_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char below[256];
        snprintf(below, sizeof below, "models/%s.gguf", names[i]);
        PX_FREE char *path = reference_or_skip(below);
        struct imported_file f = import_good(path);
        struct model *a = open_good(path), *b = open_good(f.path);
        uint32_t tokens[TOKENS];
        for (uint32_t k = 0; k < TOKENS; k++)
            tokens[k] = (k * 977 + 13) % a->cfg.n_vocab;
        PX_FREE float *want = logits_of(a, "scalar", tokens);
        const struct kernels *kn;
        for (unsigned k = 0; (kn = kernels_at(k)) != NULL; k++) {
            PX_FREE float *got = logits_of(b, kn->isa, tokens);
            if (memcmp(want, got, a->cfg.n_vocab * sizeof *want) != 0)
                fail_msg("%s, %s: the imported file gives other logits", names[i], kn->isa);
        }
        model_free(&a);
        model_free(&b);
        free(f.path);
    }
}

/* Through the whole golden check, evaluation and engine. */
static void imported_models_meet_the_rule(void **state)
{
    static const char *const some[] = {"rand-qwen2-tied-Q4_K_M", "rand-qwen3-Q8_0"};
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        char below[256];
        snprintf(below, sizeof below, "models/%s.gguf", some[i]);
        PX_FREE char *path = reference_or_skip(below);
        struct imported_file f = import_good(path);
        golden_file_check(f.path, some[i], false);
        free(f.path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imported_models_compute_the_same_bits),
        cmocka_unit_test(imported_models_meet_the_rule),
    };
    return cmocka_run_group_tests(tests, import_setup, import_teardown);
}
