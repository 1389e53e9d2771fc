/* task_fixture.h - a directory with a small data set, task files in it, and what is expected of
 * them: for the tests of the task room. */
#ifndef TESTS_TASK_FIXTURE_H
#define TESTS_TASK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/task/task.h"
#include "proto/file.h"
#include "proto/mem.h"

static char dir[] = "/tmp/proctor-task-XXXXXX";
static char task_path[64];
static const struct task_env env = {.seed = 1234};

static inline void put(const char *name, const char *text)
{
    PX_FREE char *path = px_path_join(dir, name);
    assert_int_equal(px_write_file(path, text, strlen(text), NULL), 0);
}

static inline int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(task_path, sizeof task_path, "%s/t.yaml", dir);
    setenv("PROCTOR_HOME", ".", 1); /* tests run in the root of the repository */
    put("d.jsonl",
        "{\"id\": \"p0\", \"q\": \"2+2\", \"a\": \"4\", \"c\": [\"4\", \"5\"], \"g\": 0}\n"
        "{\"id\": \"p1\", \"q\": \"1+1\", \"a\": \"2\", \"c\": [\"3\", \"2\"], \"g\": 1}\n"
        "{\"id\": \"p2\", \"q\": \"0+1\", \"a\": \"1\", \"c\": [\"1\", \"9\"], \"g\": 0}\n");
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    PX_FREE char *sweep = px_xasprintf("rm -r '%s'", dir);
    return system(sweep);
}

#define DATA "task: t\ndata: {file: ./d.jsonl, get: here}\n"
#define GENERATE                                                                                   \
    DATA "id: '{{ id }}'\nprompt: 'Q: {{ q }}\n\n  A:'\nheadline: exact_match\n"                   \
         "scorer: {kind: numeric, problem: {answer: '{{ a }}'}}\n"
#define CHOICE                                                                                     \
    DATA "request: choice\nprompt: 'Q: {{ q }}'\nchoices: '{{ c }}'\ngold: '{{ g }}'\n"            \
         "headline: acc\nscorer: {kind: choice}\n"

static inline struct task *good(const char *text)
{
    struct px_err err;
    put("t.yaml", text);
    struct task *t = task_load(task_path, &env, &err);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

/* The message must hold each of the parts; ":L:C: ..." is a finding at that place. */
static inline void bad(const char *text, const char *const *parts)
{
    struct px_err err = {0};
    put("t.yaml", text);
    struct task *t = task_load(task_path, &env, &err);
    assert_null(t);
    for (; *parts; parts++) {
        if (!strstr(err.text, *parts))
            fail_msg("got: %s\nnot: %s", err.text, *parts);
    }
}

#define BAD(text, ...)                                                                             \
    do {                                                                                           \
        static const char *const parts[] = {__VA_ARGS__, NULL};                                    \
        bad(text, parts);                                                                          \
    } while (0)

static inline void assert_prompt(const struct task *t, uint32_t i, int32_t fewshot,
                                 const char *want)
{
    struct px_err err;
    struct task_prompt p;
    if (task_render(t, i, fewshot, false, &p, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(p.prompt, want);
    assert_string_equal(p.prefix, "");
    assert_int_equal(p.n_messages, 0);
    task_prompt_clear(&p);
}

static inline void assert_problem(const struct task *t, uint32_t i, const char *want)
{
    struct px_err err;
    struct px_buf b;
    px_buf_init(&b, 1u << 20);
    if (task_problem_json(t, i, &b, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal((char *)b.data, want);
    px_buf_clear(&b);
}

/* The benchmark data, or NULL after saying so. */
static inline char *reference_data(void)
{
    const char *ref = getenv("PROCTOR_REFERENCE");
    char *data = px_path_join(ref ? ref : "../shared", "data");
    if (px_exists(data))
        return data;
    printf("SKIP: no reference data in %s (set PROCTOR_REFERENCE)\n", data);
    free(data);
    return NULL;
}

static inline void assert_prompt_hash(const struct task *t, uint32_t i, size_t n, const char *want)
{
    struct px_err err;
    struct task_prompt p;
    char hex[PX_HEX_SIZE];
    assert_int_equal(task_render(t, i, -1, false, &p, &err), 0);
    assert_int_equal(strlen(p.prompt), n);
    struct px_digest d = px_sha256(p.prompt, n);
    px_digest_hex(&d, hex);
    assert_string_equal(hex, want);
    task_prompt_clear(&p);
}

static inline struct task *load_with(const char *name, const char *data, const char *compat)
{
    struct px_err err;
    struct task_env e = {.data_dir = data, .seed = 1, .compat = compat};
    struct task *t = task_load(name, &e, &err);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

static inline struct task *load_real(const char *name, const char *data)
{
    return load_with(name, data, NULL);
}

static inline struct task *load_compat(const char *name, const char *data)
{
    return load_with(name, data, "lm-eval");
}

#endif
