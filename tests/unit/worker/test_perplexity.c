/* test_perplexity.c - perplexities of the reference texts.
 *
 * F32: the printed value. Quantised: over all files the root mean square of the relative deviation
 * from the exact value is at most 1.5 times llama.cpp's own, no single file's above 3 times (the
 * values are given to four decimals). */
#include <math.h>

#include "proto/model/tokenizer.h"
#include "reference.h"
#include "worker/stage/perplexity.h"

#define HALF_DIGIT 0.5e-4

struct deviations {
    double ours, llama; /* sums of squares */
    uint32_t n;
};

static double exact_of(struct json_object *o, const char *key)
{
    return px_json_double_or(golden_member(o, key), "ppl", NAN);
}

static double compute(const char *model, const char *text_name, uint32_t n_ctx, uint32_t *chunks)
{
    struct px_err err = {0};
    char below[256], *text;
    size_t len, n;
    uint32_t *ids;
    snprintf(below, sizeof below, "goldens/perplexity/%s", text_name);
    char *path = reference_or_skip(below);
    if (px_read_file(path, 1 << 24, &text, &len, &err))
        fail_msg("%s", err.text);
    struct model *m = model_open(model, &err);
    struct tokenizer *tok = m ? tokenizer_new(m->gguf, &err) : NULL;
    struct eval_config cfg = {.threads = 2, .kv = KV_F32, .max_tokens = n_ctx};
    struct eval *e = tok ? eval_new(m, &cfg, &err) : NULL;
    if (e == NULL || tokenizer_encode(tok, text, len, TOK_ADD_SPECIAL, &ids, &n, &err))
        fail_msg("%s", err.text);
    struct perplexity p;
    if (perplexity_of(e, m->cfg.n_vocab, ids, n, n_ctx,
                      tokenizer_adds_bos(tok) ? tokenizer_bos(tok) : -1, NULL, NULL, &p, &err))
        fail_msg("%s", err.text);
    *chunks = p.n_chunks;
    free(ids);
    free(text);
    free(path);
    eval_free(&e);
    tokenizer_free(&tok);
    model_free(&m);
    return p.ppl;
}

static void check_entry(struct json_object *o, struct deviations *d)
{
    char below[256];
    const char *name = json_object_get_string(golden_member(o, "model"));
    snprintf(below, sizeof below, "models/%s", name);
    char *path = reference_path(below);
    if (path == NULL)
        return; /* only its golden values are at hand */
    uint32_t chunks;
    double exact = exact_of(o, "exact_f32"), llama = exact_of(o, "llamacpp_native");
    double ours = compute(path, json_object_get_string(golden_member(o, "text")),
                          (uint32_t)json_object_get_int(golden_member(o, "n_ctx")), &chunks);
    double off = fabs(ours - exact) / exact, theirs = fabs(llama - exact) / exact;
    printf("%-32s %.4f exact %.4f llama.cpp %.4f\n", name, ours, exact, llama);
    assert_int_equal(chunks, px_json_int_or(golden_member(o, "exact_f32"), "chunks", 0));
    if (strstr(name, "F32") || strstr(name, "F16")) {
        assert_true(fabs(ours - exact) <= 2 * HALF_DIGIT);
    } else {
        assert_true(off <= 3 * (theirs + HALF_DIGIT / exact));
        d->ours += off * off;
        d->llama += theirs * theirs;
    }
    d->n++;
    free(path);
}

static void check_list(const char *below, struct deviations *d)
{
    struct px_err err = {0};
    char *path = reference_or_skip(below), *text;
    size_t n;
    if (px_read_file(path, 1 << 24, &text, &n, &err))
        fail_msg("%s", err.text);
    struct json_object *list = px_json_parse(text, n, &err);
    assert_non_null(list);
    for (size_t i = 0; i < json_object_array_length(list); i++)
        check_entry(json_object_array_get_idx(list, i), d);
    json_object_put(list);
    free(text);
    free(path);
}

static void perplexities_meet_the_rule(void **state)
{
    struct deviations d = {0};
    (void)state;
    check_list("goldens/perplexity/stories260K.json", &d);
    if (!SLOW_BUILD)
        check_list("goldens/perplexity/trained.json", &d);
    assert_true(d.n > 0);
    assert_true(sqrt(d.ours) <= 1.5 * sqrt(d.llama));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(perplexities_meet_the_rule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
