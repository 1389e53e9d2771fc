/* test_config.c - what a model file says about positions: scaling of rotation, windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "gguf_builder.h"
#include "proto/model/config.h"

#define LIST(...) ((const struct tiny_extra[]){__VA_ARGS__, {.name = NULL}})
#define TYPE(s)                                                                                    \
    {                                                                                              \
        "rope.scaling.type", GB_STR, 0, s                                                          \
    }
#define NUMBER(key, v)                                                                             \
    {                                                                                              \
        key, GB_F32, v, NULL                                                                       \
    }
#define COUNT(key, v)                                                                              \
    {                                                                                              \
        key, GB_U32, v, NULL                                                                       \
    }
#define FACTOR(v) NUMBER("rope.scaling.factor", v)
#define ORIGINAL(v) COUNT("rope.scaling.original_context_length", v)
#define WINDOW(v) COUNT("attention.sliding_window", v)
#define PATTERN(s)                                                                                 \
    {                                                                                              \
        "attention.sliding_window_pattern", GB_ARR, 0, s                                           \
    }

static int read_file(const struct tiny_options *o, struct model_config *c, struct px_err *err)
{
    size_t n;
    uint8_t *bytes = tiny_model(o, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "x.gguf", err);
    int rc = g ? model_config_read(g, c, err) : -1;
    gguf_free(&g);
    free(bytes);
    return rc;
}

static struct model_config good(const char *arch, const struct tiny_extra *extra)
{
    struct px_err err = {0};
    struct model_config c;
    struct tiny_options o = {.arch = arch, .extra = extra};
    if (read_file(&o, &c, &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static void refused(const struct tiny_extra *extra, const char *words)
{
    struct px_err err = {0};
    struct model_config c;
    struct tiny_options o = {.extra = extra};
    assert_int_equal(read_file(&o, &c, &err), -1);
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
}

static void scaling_is_read(void **state)
{
    (void)state;
    struct model_config c = good("qwen2", NULL);
    assert_int_equal(c.rope_scaling, ROPE_LINEAR);
    assert_true(c.rope_scale == 1 && c.rope_attn_factor == 1);
    c = good("llama", LIST(FACTOR(4)));
    assert_true(c.rope_scaling == ROPE_LINEAR && c.rope_scale == 4);
    c = good("llama", LIST(NUMBER("rope.scale_linear", 2)));
    assert_true(c.rope_scaling == ROPE_LINEAR && c.rope_scale == 2);
    c = good("llama", LIST(TYPE("none"), FACTOR(4)));
    assert_true(c.rope_scaling == ROPE_LINEAR && c.rope_scale == 1);
    c = good("qwen3", LIST(TYPE("yarn"), FACTOR(4), ORIGINAL(64)));
    assert_true(c.rope_scaling == ROPE_YARN && c.rope_scale == 4);
    assert_int_equal(c.rope_original_context, 64);
    assert_true(c.yarn_beta_fast == 32 && c.yarn_beta_slow == 1 && c.yarn_ext_factor == 1);
    c = good("qwen2", LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_beta_fast", 16),
                           NUMBER("rope.scaling.yarn_beta_slow", 2),
                           NUMBER("rope.scaling.yarn_ext_factor", 0.5),
                           NUMBER("rope.scaling.attn_factor", 1.25),
                           NUMBER("rope.scaling.yarn_attn_factor", 1)));
    assert_true(c.yarn_beta_fast == 16 && c.yarn_beta_slow == 2 && c.yarn_ext_factor == 0.5);
    assert_true(c.rope_attn_factor == 1.25);
    assert_int_equal(c.rope_original_context, 128); /* the context length stands in */
    c = good("qwen3", LIST(TYPE("llama3"), FACTOR(8), ORIGINAL(32),
                           NUMBER("rope.scaling.low_freq_factor", 1),
                           NUMBER("rope.scaling.high_freq_factor", 4)));
    assert_true(c.rope_scaling == ROPE_LLAMA3 && c.rope_scale == 8);
    assert_true(c.llama3_low == 1 && c.llama3_high == 4 && c.rope_original_context == 32);
}

/* The factors are in the tensor: the metadata's own are not applied once more. */
static void llama3_takes_the_tensor_where_there_is_one(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct model_config c;
    struct tiny_options o = {.extra = LIST(TYPE("llama3"), FACTOR(8)),
                             .extra_tensor = "rope_freqs.weight",
                             .extra_values = TINY_DIM / 2};
    if (read_file(&o, &c, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(c.rope_scaling == ROPE_LINEAR && c.rope_scale == 1);
}

static void eight_bit_keys_need_whole_blocks(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct model_config c = good("qwen2", NULL);
    assert_int_equal(model_kv_check(&c, KV_F32, &err), 0);
    assert_int_equal(model_kv_check(&c, KV_F16, &err), 0);
    assert_int_equal(model_kv_check(&c, KV_Q8_0, &err), -1);
    assert_non_null(strstr(err.text, "this model's heads have 16 dimensions"));
    c.head_dim = 64;
    assert_int_equal(model_kv_check(&c, KV_Q8_0, &err), 0);
    assert_int_equal(model_kv_bytes_per_token(&c, KV_F32), 2 * TINY_LAYERS * 64 * 4);
    assert_int_equal(model_kv_bytes_per_token(&c, KV_Q8_0), 2 * TINY_LAYERS * (64 + 4));
    assert_int_equal(kv_type_of("q8_0"), KV_Q8_0);
    assert_int_equal(kv_type_of("q4_0"), 0);
    assert_string_equal(kv_type_name(KV_Q8_0), "q8_0");
}

static void bad_scaling_is_refused(void **state)
{
    (void)state;
    static const double bad[] = {0, -1, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        refused(LIST(FACTOR(bad[i])), "llama.rope.scaling.factor is ");
        refused(LIST(TYPE("yarn"), FACTOR(bad[i])), "expected a positive number");
        refused(LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_beta_fast", bad[i])),
                "expected a positive number");
        refused(LIST(NUMBER("rope.scaling.attn_factor", bad[i])), "expected a positive number");
    }
    refused(LIST(TYPE("yarn")), "rope.scale_linear is missing");
    refused(LIST(TYPE("yarn"), FACTOR(2), ORIGINAL(0)), "original_context_length is 0");
    refused(LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_ext_factor", NAN)),
            "yarn_ext_factor is nan, expected 0 to 1");
    refused(LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_ext_factor", -1)),
            "yarn_ext_factor is -1, expected 0 to 1");
    refused(LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_beta_slow", 40)),
            "expected the other order");
    refused(LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_attn_factor", 2)),
            "yarn_attn_factor is 2; only 1 is supported");
    refused(LIST(TYPE("yarn"), FACTOR(2), NUMBER("rope.scaling.yarn_log_multiplier", 0.1)),
            "only 0 is supported");
    refused(LIST(TYPE("longrope")), "rope scaling 'longrope' is not supported; supported are none");
    refused(LIST(TYPE("llama3"), FACTOR(8)),
            "neither the tensor rope_freqs.weight nor llama.rope.scaling.low_freq_factor");
    refused(LIST(TYPE("llama3"), FACTOR(8), ORIGINAL(32), NUMBER("rope.scaling.low_freq_factor", 4),
                 NUMBER("rope.scaling.high_freq_factor", 4)),
            "expected less than high_freq_factor, 4");
}

static void long_and_short_factors_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"rope_factors_long.weight", "rope_factors_short.weight"};
    for (int i = 0; i < 2; i++) {
        struct px_err err = {0};
        struct model_config c;
        struct tiny_options o = {.extra_tensor = names[i]};
        assert_int_equal(read_file(&o, &c, &err), -1);
        assert_non_null(strstr(err.text, names[i]));
    }
}

static uint32_t windowed(const struct model_config *c)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < c->n_layers; i++)
        bits |= (uint32_t)(model_window(c, i) != MODEL_WINDOW_NONE) << i;
    return bits;
}

static void windows_are_read(void **state)
{
    (void)state;
    struct model_config c = good("llama", NULL);
    assert_true(c.window == 0 && windowed(&c) == 0);
    c = good("llama", LIST(WINDOW(16)));
    assert_true(c.window == 16 && windowed(&c) == 3);
    assert_int_equal(model_window(&c, 1), 16);
    c = good("qwen2", LIST(WINDOW(16)));
    assert_true(windowed(&c) == 0);
    c = good("qwen3", LIST(WINDOW(16), PATTERN("01")));
    assert_true(c.window == 16 && windowed(&c) == 2);
    assert_int_equal(model_window(&c, 0), MODEL_WINDOW_NONE);
    assert_int_equal(model_window(&c, 1), 16);
    c = good("qwen2", LIST(WINDOW(16), COUNT("attention.sliding_window_pattern", 2)));
    assert_true(windowed(&c) == 1);
    c = good("qwen2", LIST(WINDOW(16), COUNT("attention.sliding_window_pattern", 0)));
    assert_true(windowed(&c) == 3);
}

static void windows_that_hide_nothing_are_none(void **state)
{
    (void)state;
    static const uint32_t wide[] = {0, 128, 129, UINT32_MAX};
    for (int i = 0; i < 4; i++) {
        struct model_config c = good("llama", LIST(WINDOW(wide[i])));
        assert_true(c.window == 0 && windowed(&c) == 0);
    }
    refused(LIST(WINDOW(16), PATTERN("011")), "has 3 elements, expected one for each of 2 layers");
    refused(LIST({"attention.sliding_window", GB_STR, 0, "wide"}), "attention.sliding_window");
    refused(LIST(WINDOW(16), {"attention.sliding_window_pattern", GB_STR, 0, "x"}),
            "attention.sliding_window_pattern");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scaling_is_read),
        cmocka_unit_test(llama3_takes_the_tensor_where_there_is_one),
        cmocka_unit_test(eight_bit_keys_need_whole_blocks),
        cmocka_unit_test(bad_scaling_is_refused),
        cmocka_unit_test(long_and_short_factors_are_refused_by_name),
        cmocka_unit_test(windows_are_read),
        cmocka_unit_test(windows_that_hide_nothing_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
