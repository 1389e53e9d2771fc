/* engine_args.c - options and messages shared by generate, logits and perplexity. */
#include "worker/stage/engine_args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/mem.h"
#include "proto/number.h"
#include "worker/engine/reuse.h"

enum { MAX_THREADS = 256, DEFAULT_SUBSET_SIZE = 12, MAX_IDS = 1 << 22 };

void engine_args_init(struct engine_args *a, enum kv_type kv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *a = (struct engine_args){.isa = "auto", .threads = 1, .kv = kv};
    if (cpus > 1)
        a->threads = cpus < MAX_THREADS ? (uint32_t)cpus : MAX_THREADS;
}

int engine_args_set(struct engine_args *a, const char *name, const char *value, struct px_err *err)
{
    int64_t n;
    if (strcmp(name, "isa") == 0) {
        if (kernels_choose(value, err) == NULL)
            return -1;
        a->isa = value;
        return 0;
    }
    if (strcmp(name, "threads") == 0) {
        if (px_parse_int(value, 1, MAX_THREADS, &n, err))
            return px_wrap(err, "--threads");
        a->threads = (uint32_t)n;
        return 0;
    }
    a->kv = kv_type_of(value);
    return a->kv ? 0 : px_fail(err, PX_EUSAGE, "--kv %s: f16, f32 or q8_0", value);
}

/* ---- layer reuse ---- */

struct reuse_words {
    int64_t k, size;
    char subset[256];
    enum reuse_mode mode;
    enum reuse_kv kv;
};

static int set_word(struct reuse_words *w, const char *key, const char *value, struct px_err *err)
{
    static const char *const modes[] = {"delta", "skip", "output"};
    static const char *const kvs[] = {"project", "copy"};
    if (strcmp(key, "k") == 0)
        return px_parse_int(value, 1, 1 << 20, &w->k, err);
    if (strcmp(key, "size") == 0)
        return px_parse_int(value, 0, 1 << 20, &w->size, err);
    if (strcmp(key, "subset") == 0) {
        snprintf(w->subset, sizeof w->subset, "%s", value);
        return 0;
    }
    for (int i = 0; strcmp(key, "mode") == 0 && i < 3; i++)
        if (strcmp(value, modes[i]) == 0) {
            w->mode = REUSE_DELTA + i;
            return 0;
        }
    for (int i = 0; strcmp(key, "kv") == 0 && i < 2; i++)
        if (strcmp(value, kvs[i]) == 0) {
            w->kv = REUSE_KV_PROJECT + i;
            return 0;
        }
    return px_fail(err, PX_EUSAGE,
                   "--reuse: %s=%s; known are k=N, subset=first|middle|last|2+5+6, size=N, "
                   "mode=delta|skip|output, kv=project|copy",
                   key, value);
}

static int split_list(char *text, uint32_t **layers, uint32_t *n, struct px_err *err)
{
    uint32_t cap = 0;
    int64_t v;
    for (char *p, *rest = text; (p = strsep(&rest, "+")) != NULL;) {
        if (px_parse_int(p, 0, 1 << 20, &v, err)) {
            free(*layers);
            *layers = NULL;
            return px_wrap(err, "--reuse: subset");
        }
        PX_GROW(*layers, *n, cap);
        (*layers)[(*n)++] = (uint32_t)v;
    }
    return 0;
}

int reuse_parse(const char *text, uint32_t n_layers, struct reuse_spec *out, struct px_err *err)
{
    struct reuse_words w = {
        .k = 1, .size = DEFAULT_SUBSET_SIZE, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    PX_FREE char *copy = px_xstrdup(text);
    for (char *p, *rest = copy; (p = strsep(&rest, ",")) != NULL;) {
        char *eq = strchr(p, '=');
        if (eq == NULL)
            return px_fail(err, PX_EUSAGE, "--reuse: '%s' is not key=value", p);
        *eq = '\0';
        if (set_word(&w, p, eq + 1, err))
            return -1;
    }
    struct reuse_spec spec = {.k = (uint32_t)w.k, .mode = w.mode, .kv = w.kv};
    bool is_list = w.subset[0] >= '0' && w.subset[0] <= '9';
    if (is_list ? split_list(w.subset, &spec.layers, &spec.n_layers, err)
                : w.subset[0] && reuse_subset(w.subset, (uint32_t)w.size, n_layers, &spec.layers,
                                              &spec.n_layers, err))
        return -1;
    if (reuse_check(&spec, n_layers, err)) {
        free(spec.layers);
        return -1;
    }
    *out = spec;
    return 0;
}

/* ---- the rest ---- */

int parse_ids(const char *text, uint32_t **ids, size_t *n, struct px_err *err)
{
    PX_FREE char *copy = px_xstrdup(text);
    PX_FREE uint32_t *list = NULL;
    size_t count = 0, cap = 0;
    int64_t v;
    for (char *p, *rest = copy; (p = strsep(&rest, ",")) != NULL;) {
        if (count == MAX_IDS)
            return px_fail(err, PX_ELIMIT, "more than %d token ids", MAX_IDS);
        if (px_parse_int(p, 0, UINT32_MAX, &v, err))
            return px_wrap(err, "token ids");
        PX_GROW(list, count, cap);
        list[count++] = (uint32_t)v;
    }
    *ids = list;
    *n = count;
    list = NULL;
    return 0;
}

int open_model(const char *path, struct model **m, struct tokenizer **tok, struct px_err *err)
{
    *tok = NULL;
    *m = model_open(path, err);
    if (*m == NULL)
        return -1;
    *tok = tokenizer_new((*m)->gguf, err);
    if (*tok)
        return 0;
    model_free(m);
    return px_wrap(err, "%s", path);
}

int command_failed(const char *name, const struct px_err *err)
{
    fprintf(stderr, "proctor model %s: %s\n", name, err->text);
    return px_exit_code(err->code);
}

int command_misused(const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "proctor model %s: ", name);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nTry: proctor model %s --help\n", name);
    return 2;
}
