/* config_position.c - what a model file says about positions: rotation, its scaling, windows.
 *
 * Keys and defaults are those of llama.cpp's GGUF files. Where its programs and the models' own
 * disagree about a key's meaning, a value that makes a difference is refused by name. */
#include <math.h>
#include <string.h>

#include "proto/model/config_internal.h"

static bool is_word(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* Numbers that other programs leave out of the rotation, or do not agree about. `known` is what
 * the rotation has anyway. */
static int refuse_unless(const struct reading *r, const char *name, double neutral, double known)
{
    char key[128];
    double v;
    if (!config_has(r, name))
        return 0;
    if (gguf_get_f64(r->g, config_key(r, name, key), &v, r->err) != 0)
        return -1;
    if (fabs(v - neutral) <= 1e-6 || fabs(v - known) <= 1e-3)
        return 0;
    return px_fail(r->err, PX_EUNSUPPORTED, "%s: %s is %g; only %g is supported", gguf_path(r->g),
                   key, v, neutral);
}

static int read_factor(struct reading *r, double def)
{
    const char *name =
        config_has(r, "rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
    return config_positive(r, name, def, &r->c->rope_scale);
}

static int read_original_context(struct reading *r, uint32_t def)
{
    return config_u32(r, "rope.scaling.original_context_length", 1, MAX_CONTEXT, def,
                      &r->c->rope_original_context);
}

/* YaRN without an original length counts from the context length, as others do. */
static int read_yarn(struct reading *r)
{
    struct model_config *c = r->c;
    char key[128];
    c->rope_scaling = ROPE_YARN;
    c->yarn_ext_factor = 1;
    if (config_has(r, "rope.scaling.yarn_ext_factor") &&
        gguf_get_f64(r->g, config_key(r, "rope.scaling.yarn_ext_factor", key), &c->yarn_ext_factor,
                     r->err) != 0)
        return -1;
    if (!(c->yarn_ext_factor >= 0 && c->yarn_ext_factor <= 1))
        return px_fail(r->err, PX_EINPUT,
                       "%s: %s.rope.scaling.yarn_ext_factor is %g, expected 0 to 1",
                       gguf_path(r->g), c->arch_name, c->yarn_ext_factor);
    if (read_factor(r, 0) != 0 || read_original_context(r, c->context_length) != 0 ||
        config_positive(r, "rope.scaling.yarn_beta_fast", 32, &c->yarn_beta_fast) != 0 ||
        config_positive(r, "rope.scaling.yarn_beta_slow", 1, &c->yarn_beta_slow) != 0)
        return -1;
    double magnitude = c->rope_scale > 1 ? 1 + 0.1 * log(c->rope_scale) : 1;
    if (refuse_unless(r, "rope.scaling.yarn_attn_factor", 1, magnitude) != 0 ||
        refuse_unless(r, "rope.scaling.yarn_log_multiplier", 0, 0) != 0)
        return -1;
    if (c->yarn_beta_fast < c->yarn_beta_slow)
        return px_fail(r->err, PX_EINPUT,
                       "%s: yarn_beta_fast is %g and yarn_beta_slow %g; expected the other order",
                       gguf_path(r->g), c->yarn_beta_fast, c->yarn_beta_slow);
    if (c->rope_theta <= 1)
        return px_fail(r->err, PX_EINPUT,
                       "%s: %s.rope.freq_base is %g; yarn scaling needs one above 1",
                       gguf_path(r->g), c->arch_name, c->rope_theta);
    return 0;
}

/* The factors are a tensor in most files; metadata alone must give all four numbers. */
static int read_llama3(struct reading *r)
{
    struct model_config *c = r->c;
    static const char *const needed[] = {"rope.scaling.factor", "rope.scaling.low_freq_factor",
                                         "rope.scaling.high_freq_factor",
                                         "rope.scaling.original_context_length"};
    if (c->arch == ARCH_LLAMA && gguf_tensor_find(r->g, "rope_freqs.weight"))
        return 0;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!config_has(r, needed[i]))
            return px_fail(r->err, PX_EINPUT,
                           "%s: rope scaling 'llama3' has neither the tensor rope_freqs.weight nor "
                           "%s.%s",
                           gguf_path(r->g), c->arch_name, needed[i]);
    c->rope_scaling = ROPE_LLAMA3;
    if (read_factor(r, 0) != 0 || read_original_context(r, 0) != 0 ||
        config_positive(r, "rope.scaling.low_freq_factor", 0, &c->llama3_low) != 0 ||
        config_positive(r, "rope.scaling.high_freq_factor", 0, &c->llama3_high) != 0)
        return -1;
    if (c->llama3_low >= c->llama3_high)
        return px_fail(r->err, PX_EINPUT,
                       "%s: rope.scaling.low_freq_factor is %g, expected less than "
                       "high_freq_factor, %g",
                       gguf_path(r->g), c->llama3_low, c->llama3_high);
    return 0;
}

/* Without a type a factor is linear. */
static int read_scaling(struct reading *r)
{
    struct model_config *c = r->c;
    char key[128];
    const char *type = "linear";
    size_t len = strlen(type);
    c->rope_scale = 1;
    c->rope_scaling = ROPE_LINEAR;
    if (config_positive(r, "rope.scaling.attn_factor", 1, &c->rope_attn_factor) != 0)
        return -1;
    if (config_has(r, "rope.scaling.type") &&
        gguf_get_str(r->g, config_key(r, "rope.scaling.type", key), &type, &len, r->err) != 0)
        return -1;
    if (is_word(type, len, "none"))
        return 0;
    if (is_word(type, len, "linear"))
        return read_factor(r, 1);
    if (is_word(type, len, "yarn"))
        return read_yarn(r);
    if (is_word(type, len, "llama3"))
        return read_llama3(r);
    return px_fail(r->err, PX_EUNSUPPORTED,
                   "%s: rope scaling '%.*s' is not supported; supported are none, linear, yarn and "
                   "llama3",
                   gguf_path(r->g), (int)(len > 40 ? 40 : len), type);
}

int config_read_rope(struct reading *r)
{
    struct model_config *c = r->c;
    if (config_u32(r, "rope.dimension_count", 2, MAX_HEAD_DIM, c->head_dim, &c->rope_dims) != 0 ||
        config_positive(r, "rope.freq_base", 10000, &c->rope_theta) != 0)
        return -1;
    if (c->rope_dims % 2 != 0 || c->rope_dims > c->head_dim ||
        (c->arch == ARCH_LLAMA && c->rope_dims != c->head_dim))
        return px_fail(r->err, PX_EINPUT,
                       "%s: %s.rope.dimension_count is %u, which does not fit heads of %u",
                       gguf_path(r->g), c->arch_name, c->rope_dims, c->head_dim);
    return read_scaling(r);
}

/* ---- windows ---- */

static void set_windowed(struct model_config *c, uint32_t layer)
{
    c->windowed[layer / 64] |= UINT64_C(1) << layer % 64;
}

uint32_t model_window(const struct model_config *c, uint32_t layer)
{
    bool is_windowed = c->window > 0 && (c->windowed[layer / 64] >> layer % 64 & 1);
    return is_windowed ? c->window : MODEL_WINDOW_NONE;
}

/* A number n: every n-th layer sees everything (0: none does). */
static int read_period(struct reading *r, const char *key)
{
    uint64_t period;
    if (gguf_get_u64(r->g, key, &period, r->err) != 0)
        return -1;
    for (uint32_t i = 0; i < r->c->n_layers; i++)
        if (period == 0 || i % period + 1 < period)
            set_windowed(r->c, i);
    return 0;
}

/* One value a layer, or a period. */
static int read_pattern(struct reading *r)
{
    char key[128];
    uint64_t n;
    int64_t v;
    config_key(r, "attention.sliding_window_pattern", key);
    if (gguf_get_array(r->g, key, &n, NULL) != 0)
        return read_period(r, key);
    if (n != r->c->n_layers)
        return px_fail(r->err, PX_EINPUT,
                       "%s: %s has %llu elements, expected one for each of %u "
                       "layers",
                       gguf_path(r->g), key, (unsigned long long)n, r->c->n_layers);
    for (uint32_t i = 0; i < r->c->n_layers; i++) {
        if (gguf_array_i64(r->g, key, i, &v, r->err) != 0)
            return -1;
        if (v != 0)
            set_windowed(r->c, i);
    }
    return 0;
}

/* Without a pattern: all layers of a llama file (Mistral); none of a qwen file, whose models name
 * a window that they do not use. */
int config_read_window(struct reading *r)
{
    struct model_config *c = r->c;
    char key[128];
    uint64_t window;
    if (!config_has(r, "attention.sliding_window"))
        return 0;
    if (gguf_get_u64(r->g, config_key(r, "attention.sliding_window", key), &window, r->err) != 0)
        return -1;
    if (window == 0 || window >= c->context_length)
        return 0;
    c->window = (uint32_t)window;
    if (config_has(r, "attention.sliding_window_pattern"))
        return read_pattern(r);
    for (uint32_t i = 0; c->arch == ARCH_LLAMA && i < c->n_layers; i++)
        set_windowed(c, i);
    return 0;
}
