/* fuzz_recipe.c - any bytes are a recipe or findings; what is written of a recipe parses again to
 * the same text. */
#include <string.h>

#include "coordinator/recipe/recipe.h"
#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"

static const char *const texts[] = {
    "models: {n: {backend: noop}}\nstages:\n  - eval: {models: [n], tasks: [t]}\n",
    "recipe: w\nseed: 5\nmodels:\n  n: {backend: noop}\nstages:\n"
    "  - eval:\n      name: a\n      models: &m [n]\n      tasks: ['t', x/y.yaml]\n"
    "      samples: 2\n      sampler: {temperature: 1, stop: [\"\\n\", \"a\\\"b\"], top_k: 4}\n"
    "      chat: raw\n      grid:\n        limit: [1, all]\n        sampler: {top_p: [0.5, 1]}\n"
    "      exclude:\n        - {limit: 1, sampler.top_p: [1]}\n"
    "      include:\n        - {limit: 3, fewshot: 2}\n"
    "  - eval: {models: *m, tasks: [u], limit: 2}\n"
    "resources: {workers: auto, memory: 6GiB, host_memory: 8 GB, batch: 4}\n",
    "models:\n  n: {backend: noop}\nstages:\n"
    "  - import: {model: n, as: a}\n  - import: {model: a, as: n}\n"
    "  - eval: {models: [a], tasks: [t], reuse: {k: 2, subset: [1, 2], size: 3},\n"
    "      grid: {reuse.k: [1, 2], reuse.subset: [first, [2, 3]]}}\ngates: []\n",
};

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= sizeof texts / sizeof texts[0] || strlen(texts[i]) > cap)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

static struct recipe *parse(const char *text, size_t len, struct px_buf *findings)
{
    static const char *const sets[] = {"seed=3"};
    struct recipe_options opt = {.sets = sets, .n_sets = 1, .allow_noop = true};
    struct px_err err;
    px_buf_reset(findings);
    struct recipe *r = recipe_parse(text, len, "f.yaml", &opt, findings, &err);
    px_assert((r != NULL) == (findings->len == 0)); /* refused if and only if it says why */
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_buf findings, one, two;
    px_buf_init(&findings, 8u << 20);
    px_buf_init(&one, 64u << 20);
    px_buf_init(&two, 64u << 20);
    struct recipe *r = parse((const char *)data, size, &findings);
    if (r) {
        recipe_write(r, &one);
        struct recipe *again =
            one.len <= (4u << 20) ? parse((char *)one.data, one.len, &findings) : NULL;
        px_assert(again || one.len > (4u << 20));
        if (again) {
            recipe_write(again, &two);
            px_assert(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
        }
        recipe_free(&again);
    }
    recipe_free(&r);
    px_buf_clear(&findings);
    px_buf_clear(&one);
    px_buf_clear(&two);
    return 0;
}
