/* test_rope.c - frequencies of rotation against the formulas in long double, and what a model file
 * asks for reaching the model. */
#include <math.h>

#include "tiny_model.h"
#include "worker/engine/rope.h"

static const struct model_config qwen = {.rope_dims = 64,
                                         .rope_theta = 1e6,
                                         .rope_scale = 1,
                                         .rope_scaling = ROPE_LINEAR,
                                         .rope_attn_factor = 1};

static void assert_near(double got, long double want)
{
    if (!(fabsl((long double)got - want) <= 4e-15L * fabsl(want)))
        fail_msg("%.17g instead of %.17Lg", got, want);
}

static long double plain(const struct model_config *c, uint32_t i)
{
    return powl((long double)c->rope_theta, -2.0L * i / c->rope_dims);
}

static void linear_scaling_divides(void **state)
{
    (void)state;
    double freqs[32];
    struct model_config c = qwen;
    rope_frequencies(&c, NULL, freqs);
    for (uint32_t i = 0; i < 32; i++)
        assert_near(freqs[i], plain(&c, i));
    c.rope_scale = 4;
    rope_frequencies(&c, NULL, freqs);
    for (uint32_t i = 0; i < 32; i++)
        assert_near(freqs[i], plain(&c, i) / 4);
    assert_true(rope_magnitude(&c) == 1);
    c.rope_attn_factor = 1.5;
    assert_true(rope_magnitude(&c) == 1.5);
}

static void factors_divide(void **state)
{
    (void)state;
    double freqs[32];
    float factors[32];
    for (uint32_t i = 0; i < 32; i++)
        factors[i] = 1 + (float)i / 4;
    rope_frequencies(&qwen, factors, freqs);
    for (uint32_t i = 0; i < 32; i++)
        assert_near(freqs[i], plain(&qwen, i) / (long double)factors[i]);
}

/* Qwen2.5 with factor 4: the pairs that turn 32 times and once over 32,768 positions are 11.80 and
 * 19.82, so that pairs up to 11 stay and pairs from 20 on are stretched. */
static void yarn_is_the_paper_s_ramp(void **state)
{
    (void)state;
    double freqs[32];
    struct model_config c = qwen;
    c.rope_scaling = ROPE_YARN;
    c.rope_scale = 4;
    c.rope_original_context = 32768;
    c.yarn_ext_factor = 1;
    c.yarn_beta_fast = 32;
    c.yarn_beta_slow = 1;
    rope_frequencies(&c, NULL, freqs);
    for (uint32_t i = 0; i < 32; i++) {
        long double kept = 1 - fminl(1, fmaxl(0, (i - 11.0L) / (20 - 11)));
        assert_near(freqs[i], plain(&c, i) / 4 * (1 - kept) + plain(&c, i) * kept);
    }
    assert_near(rope_magnitude(&c), 1 + 0.1L * logl(4));
    c.rope_scale = 0.5; /* nothing is stretched */
    assert_true(rope_magnitude(&c) == 1);
    c.rope_scale = 4;
    c.yarn_ext_factor = 0; /* plain interpolation */
    rope_frequencies(&c, NULL, freqs);
    for (uint32_t i = 0; i < 32; i++)
        assert_near(freqs[i], plain(&c, i) / 4);
    assert_true(rope_magnitude(&c) == 1);
}

/* Limits outside the pairs are cut to them; equal ones make a step. */
static void yarn_at_its_edges(void **state)
{
    (void)state;
    double freqs[32];
    struct model_config c = qwen;
    c.rope_scaling = ROPE_YARN;
    c.rope_scale = 8;
    c.yarn_ext_factor = 1;
    c.yarn_beta_fast = 32;
    c.yarn_beta_slow = 1;
    c.rope_original_context = 1; /* no pair turns even once */
    rope_frequencies(&c, NULL, freqs);
    assert_near(freqs[0], 1.0L);
    for (uint32_t i = 1; i < 32; i++)
        assert_near(freqs[i], plain(&c, i) / 8);
    c.rope_original_context = 1 << 30;
    c.rope_theta = 1.0001; /* all turn often */
    rope_frequencies(&c, NULL, freqs);
    for (uint32_t i = 0; i < 32; i++)
        assert_near(freqs[i], plain(&c, i));
}

/* Llama 3.1: factor 8, 1 and 4, 8,192 positions, theta 500,000, heads of 128. */
static void llama3_factors_follow_the_wavelength(void **state)
{
    (void)state;
    double freqs[64];
    unsigned kinds[3] = {0};
    struct model_config c = {.rope_dims = 128,
                             .rope_theta = 5e5,
                             .rope_scale = 8,
                             .rope_scaling = ROPE_LLAMA3,
                             .rope_attn_factor = 1,
                             .rope_original_context = 8192,
                             .llama3_low = 1,
                             .llama3_high = 4};
    rope_frequencies(&c, NULL, freqs);
    for (uint32_t i = 0; i < 64; i++) {
        long double f = plain(&c, i), wave = 2 * 3.14159265358979323846L / f, factor;
        if (wave < 8192 / 4.0L) {
            factor = 1;
            kinds[0]++;
        } else if (wave > 8192) {
            factor = 8;
            kinds[1]++;
        } else {
            long double smooth = (8192 / wave - 1) / 3;
            factor = 1 / ((1 - smooth) / 8 + smooth);
            kinds[2]++;
        }
        assert_near(freqs[i], f / factor);
    }
    assert_true(kinds[0] > 20 && kinds[1] > 20 && kinds[2] > 2);
}

static void angles_take_the_magnitude(void **state)
{
    (void)state;
    const double freqs[] = {1, 0.01};
    float c[2], s[2];
    rope_angles(freqs, 2, 1, 8191, c, s);
    for (int i = 0; i < 2; i++) {
        assert_true(c[i] == (float)cosl(8191 * freqs[i]));
        assert_true(s[i] == (float)sinl(8191 * freqs[i]));
    }
    rope_angles(freqs, 2, 1.25, 3, c, s);
    assert_true(c[0] == (float)(1.25L * cosl(3)) && s[0] == (float)(1.25L * sinl(3)));
}

static void a_file_s_scaling_reaches_the_model(void **state)
{
    (void)state;
    static const struct tiny_extra yarn[] = {
        {"rope.scaling.type", 8, 0, "yarn"},
        {"rope.scaling.factor", 6, 4, NULL},
        {"rope.scaling.original_context_length", 4, 2048, NULL},
        {.name = NULL}};
    double freqs[8];
    struct tiny_model *t =
        tiny_model_with("qwen2", GGML_F32, &(struct tiny_change){.context = 8192, .extra = yarn});
    assert_int_equal(t->m->cfg.context_length, 8192);
    rope_frequencies(&t->m->cfg, NULL, freqs);
    assert_memory_equal(freqs, t->m->rope_freqs, sizeof freqs);
    assert_near(freqs[0], 1.0L);
    assert_near(freqs[7], plain(&t->m->cfg, 7) / 4);
    assert_near(t->m->rope_magnitude, 1 + 0.1L * logl(4));
    tiny_model_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_scaling_divides),
        cmocka_unit_test(factors_divide),
        cmocka_unit_test(yarn_is_the_paper_s_ramp),
        cmocka_unit_test(yarn_at_its_edges),
        cmocka_unit_test(llama3_factors_follow_the_wavelength),
        cmocka_unit_test(angles_take_the_magnitude),
        cmocka_unit_test(a_file_s_scaling_reaches_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
