/* reference.h - reference models and their golden values, for tests that have them.
 *
 * PROCTOR_REFERENCE names the directory (default ../shared beside the checkout). Everything here
 * is for one test program; failures to read a golden file that is there fail the test. */
#ifndef TESTS_WORKER_REFERENCE_H
#define TESTS_WORKER_REFERENCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_BUILD 1
#else
#define SLOW_BUILD 0
#endif

struct golden_prompt {
    uint32_t *tokens;
    uint32_t n_tokens;
    double *next_logprob; /* [n_tokens - 1] */
    double sum_logprob;
    uint32_t *greedy;
    double *greedy_margin;
    uint32_t n_greedy;
    const float *last; /* [n_vocab]; NULL when only the best ones were kept */
    uint32_t top_id[20];
    double top_logit[20];
    uint32_t *argmax; /* [n_tokens] */
    double llama_rms, llama_max, llama_kl, llama_next_max;
    uint32_t llama_agree; /* of n_tokens: llama.cpp's best token is the exact one */
};

struct golden {
    struct golden_prompt *p;
    uint32_t n, n_vocab;
    char *logits;
};

/* Owned path below the reference directory; NULL when it is not there. */
static inline char *reference_path(const char *below)
{
    const char *root = getenv("PROCTOR_REFERENCE");
    char *path = px_xasprintf("%s/reference/%s", root && *root ? root : "../shared", below);
    if (px_exists(path))
        return path;
    free(path);
    return NULL;
}

/* The same, skipping the test visibly. */
static inline char *reference_or_skip(const char *below)
{
    char *path = reference_path(below);
    if (path == NULL) {
        printf("SKIP reference data: %s not found (set PROCTOR_REFERENCE)\n", below);
        skip();
    }
    return path;
}

static inline struct json_object *golden_member(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    if (!json_object_object_get_ex(o, key, &v))
        fail_msg("golden without %s", key);
    return v;
}

static inline uint32_t *golden_ids(struct json_object *list, uint32_t *n)
{
    *n = (uint32_t)json_object_array_length(list);
    uint32_t *ids = px_xcalloc(*n + 1, sizeof *ids);
    for (uint32_t i = 0; i < *n; i++)
        ids[i] = (uint32_t)json_object_get_int64(json_object_array_get_idx(list, i));
    return ids;
}

static inline double *golden_doubles(struct json_object *list)
{
    size_t n = json_object_array_length(list);
    double *v = px_xcalloc(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = json_object_get_double(json_object_array_get_idx(list, i));
    return v;
}

static inline void golden_prompt_read(struct json_object *o, struct golden_prompt *p)
{
    struct json_object *native = NULL, *top = golden_member(o, "last_top20");
    assert_int_equal(json_object_array_length(top), 20);
    for (size_t i = 0; i < 20; i++) {
        struct json_object *pair = json_object_array_get_idx(top, i);
        p->top_id[i] = (uint32_t)json_object_get_int64(json_object_array_get_idx(pair, 0));
        p->top_logit[i] = json_object_get_double(json_object_array_get_idx(pair, 1));
    }
    p->tokens = golden_ids(golden_member(o, "tokens"), &p->n_tokens);
    p->greedy = golden_ids(golden_member(o, "greedy"), &p->n_greedy);
    p->greedy_margin = golden_doubles(golden_member(o, "greedy_margin"));
    uint32_t n_argmax;
    p->argmax = golden_ids(golden_member(o, "argmax"), &n_argmax);
    assert_int_equal(n_argmax, p->n_tokens);
    p->next_logprob = golden_doubles(golden_member(o, "next_logprob"));
    p->sum_logprob = json_object_get_double(golden_member(o, "sum_logprob"));
    if (json_object_object_get_ex(o, "llamacpp_native", &native)) {
        p->llama_rms = px_json_double_or(native, "last_logit_rms_err", 0);
        p->llama_max = px_json_double_or(native, "last_logit_max_abs_err", 0);
        p->llama_kl = px_json_double_or(native, "last_kl", 0);
        p->llama_agree = (uint32_t)strtoul(
            json_object_get_string(golden_member(native, "argmax_agree")), NULL, 10);
        p->llama_next_max = px_json_double_or(native, "next_logprob_max_abs_err", 0);
    }
}

/* name: model file without .gguf. The golden file must be there. */
static inline struct golden *golden_read(const char *name)
{
    struct golden *g = px_xcalloc(1, sizeof *g);
    struct px_err err = {0};
    size_t n;
    char below[256], *text, *path;
    snprintf(below, sizeof below, "goldens/eval/%s.json", name);
    path = reference_or_skip(below);
    if (px_read_file(path, 1u << 26, &text, &n, &err))
        fail_msg("%s", err.text);
    free(path);
    struct json_object *o = px_json_parse(text, n, &err);
    assert_non_null(o);
    free(text);
    struct json_object *prompts = golden_member(o, "prompts");
    g->n_vocab = (uint32_t)json_object_get_int64(golden_member(o, "n_vocab"));
    g->n = (uint32_t)json_object_array_length(prompts);
    g->p = px_xcalloc(g->n, sizeof *g->p);
    for (uint32_t i = 0; i < g->n; i++)
        golden_prompt_read(json_object_array_get_idx(prompts, i), &g->p[i]);
    snprintf(below, sizeof below, "goldens/eval/%s.last_logits.f32", name);
    path = reference_path(below);
    if (path) {
        if (px_read_file(path, 1u << 28, &g->logits, &n, &err))
            fail_msg("%s", err.text);
        assert_int_equal(n, (size_t)g->n * g->n_vocab * sizeof(float));
        for (uint32_t i = 0; i < g->n; i++)
            g->p[i].last = (const float *)(const void *)g->logits + (size_t)i * g->n_vocab;
        free(path);
    }
    json_object_put(o);
    return g;
}

static inline void golden_free(struct golden *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        free(g->p[i].tokens);
        free(g->p[i].argmax);
        free(g->p[i].greedy);
        free(g->p[i].greedy_margin);
        free(g->p[i].next_logprob);
    }
    free(g->p);
    free(g->logits);
    free(g);
}

#endif
