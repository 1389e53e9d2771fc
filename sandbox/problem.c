/* problem.c - problems as data: kinds, cases, limits. */
#include "sandbox/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

static const struct run_limits defaults = {8000000, 29000000, 512ll << 20, 1 << 20};

static int one_limit(struct json_object *o, const char *key, double scale, double most,
                     int64_t *out, struct px_err *err)
{
    struct json_object *v;
    if (!json_object_object_get_ex(o, key, &v))
        return 0;
    double d = json_object_get_double(v);
    if ((!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double)) ||
        !isfinite(d) || d <= 0 || d > most)
        return px_fail(err, PX_EINPUT, "limits: \"%s\" must be a number above 0 and at most %g",
                       key, most);
    *out = (int64_t)(d * scale);
    return 0;
}

int problem_limits(struct json_object *limits, const struct run_limits *base,
                   struct run_limits *out, struct px_err *err)
{
    struct run_limits l = base != NULL ? *base : defaults;
    static const struct {
        const char *key;
        double scale, most;
        size_t offset;
    } keys[] = {{"cpu_s", 1e6, 3600, offsetof(struct run_limits, cpu_us)},
                {"wall_s", 1e6, 36000, offsetof(struct run_limits, wall_us)},
                {"memory_mb", 1048576, 65536, offsetof(struct run_limits, memory_bytes)},
                {"mem_mb", 1048576, 65536, offsetof(struct run_limits, memory_bytes)},
                {"output_kb", 1024, 65536, offsetof(struct run_limits, output_bytes)},
                {"out_kb", 1024, 65536, offsetof(struct run_limits, output_bytes)}};
    if (limits != NULL && !json_object_is_type(limits, json_type_object))
        return px_fail(err, PX_EINPUT, "limits: must be an object");
    int64_t cpu_us = l.cpu_us;
    bool wall = limits != NULL && json_object_object_get_ex(limits, "wall_s", NULL);
    for (size_t i = 0; limits != NULL && i < sizeof keys / sizeof keys[0]; i++)
        if (one_limit(limits, keys[i].key, keys[i].scale, keys[i].most,
                      (int64_t *)(void *)((char *)&l + keys[i].offset), err) != 0)
            return -1;
    if (!wall && l.cpu_us != cpu_us)
        l.wall_us = 3 * l.cpu_us + 5000000;
    *out = l;
    return 0;
}

static int text_of(struct json_object *o, const char *key, char **out, size_t *n,
                   struct px_err *err)
{
    const char *s;
    if (px_json_str(o, key, &s, err) != 0)
        return -1;
    struct json_object *v = json_object_object_get(o, key);
    *n = (size_t)json_object_get_string_len(v);
    *out = px_xmemdup(s, *n);
    return 0;
}

static int cases(struct json_object *problem, struct program *out, struct px_err *err)
{
    struct json_object *list = json_object_object_get(problem, "cases");
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (n == 0 || n > 100000)
        return px_fail(err, PX_EINPUT, "problem: \"cases\" must be a list of 1 to 100000 cases");
    out->cases = px_xcalloc(n, sizeof *out->cases);
    out->n_cases = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        struct json_object *c = json_object_array_get_idx(list, i);
        struct run_case *k = &out->cases[i];
        if (!json_object_is_type(c, json_type_object))
            return px_fail(err, PX_EINPUT, "problem: case %zu is not an object", i);
        if (text_of(c, "stdin", &k->in, &k->n_in, err) != 0 ||
            text_of(c, "stdout", &k->out, &k->n_out, err) != 0)
            return px_wrap(err, "problem: case %zu", i);
    }
    return 0;
}

/* The lists of tests; an empty object counts as an empty list, some data sets write it so. */
static int check_lists(struct json_object *problem, const char *kind, struct px_err *err)
{
    static const char *const lists[][2] = {{"mbpp", "test_list"},
                                           {"calls", "calls"},
                                           {"evalplus", "base_input"},
                                           {"evalplus", "plus_input"}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (strcmp(kind, lists[i][0]) != 0)
            continue;
        struct json_object *v = json_object_object_get(problem, lists[i][1]);
        bool none = json_object_is_type(v, json_type_object) && json_object_object_length(v) == 0;
        if (!json_object_is_type(v, json_type_array) && !none)
            return px_fail(err, PX_EINPUT, "problem: \"%s\" must be a list", lists[i][1]);
    }
    return 0;
}

int problem_program(struct json_object *problem, const char *text, size_t n, struct program *out,
                    struct px_err *err)
{
    static const struct {
        const char *kind, *needs[3];
    } kinds[] = {{"humaneval", {"prompt", "entry_point", "test"}},
                 {"mbpp", {NULL}},
                 {"calls", {"entry_point"}},
                 {"evalplus", {"entry_point", "reference"}},
                 {"unittest", {"test", "reference"}},
                 {"stdio", {NULL}}};
    const char *kind, *s;
    if (px_json_str(problem, "kind", &kind, err) != 0)
        return px_wrap(err, "problem");
    size_t i = 0, n_kinds = sizeof kinds / sizeof kinds[0];
    while (i < n_kinds && strcmp(kinds[i].kind, kind) != 0)
        i++;
    if (i == n_kinds)
        return px_fail(err, PX_EINPUT,
                       "problem: kind \"%.40s\" is none of humaneval, mbpp, calls, "
                       "evalplus, stdio, unittest",
                       kind);
    for (size_t j = 0; j < 3 && kinds[i].needs[j] != NULL; j++)
        if (px_json_str(problem, kinds[i].needs[j], &s, err) != 0)
            return px_wrap(err, "problem");
    if (check_lists(problem, kind, err) != 0)
        return -1;
    out->two_sets = strcmp(kind, "evalplus") == 0;
    out->script = strcmp(kind, "stdio") == 0;
    out->unittest = strcmp(kind, "unittest") == 0;
    if (out->script)
        return cases(problem, out, err);
    out->task = px_xmemdup(text, n);
    out->n_task = n;
    return 0;
}
