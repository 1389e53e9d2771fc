/* test_verify.c - `proctor verify` finds the one completion that was changed. Runs the real
 * programs beside this one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/store/manifest.h"
#include "proto/mem.h"
#include "proto/unit.h"
#include "scratch.h"

static char dir[64], bin[4096];

static int set_up(void **state)
{
    (void)state;
    ssize_t n = readlink("/proc/self/exe", bin, sizeof bin - 1);
    assert_true(n > 0);
    bin[n] = '\0';
    char *at = strstr(bin, "/tests/");
    assert_non_null(at);
    snprintf(at, sizeof bin - (size_t)(at - bin), "/bin/proctor");
    scratch_make(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

/* Exit status of `proctor WORDS`, its output appended to DIR/log. */
static int proctor(const char *words)
{
    PX_FREE char *cmd = px_xasprintf("'%s' %s >>%s/log 2>&1", bin, words, dir);
    int rc = system(cmd);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

/* Gives the first completion of the run another text. */
static void tamper(void)
{
    PX_FREE char *path = px_xasprintf("%s/run/store", dir);
    struct store_options opt = {.mode = STORE_WRITE};
    struct store *s = store_open(path, &opt, NULL);
    assert_non_null(s);
    struct manifest *m = manifest_read(s, NULL);
    struct px_buf rec;
    struct completion c;
    bool found = false;
    const struct px_digest *plan = &m->groups[0].units[0].plan_key;
    px_buf_init(&rec, UNIT_LIMIT);
    assert_int_equal(store_get(s, STORE_PLAN, plan->b, 32, &rec, &found, NULL), 0);
    assert_true(found && rec.len == 64);
    uint8_t key[32];
    memcpy(key, rec.data, 32);
    px_buf_reset(&rec);
    assert_int_equal(store_get(s, STORE_RESULT, key, 32, &rec, &found, NULL), 0);
    assert_int_equal(completion_decode(rec.data, rec.len, &c, NULL), 0);
    c.decode_steps++;
    px_buf_reset(&rec);
    completion_encode(&c, &rec);
    completion_clear(&c);
    struct store_batch *b = store_batch_new();
    store_batch_put(b, STORE_RESULT, key, 32, rec.data, rec.len);
    assert_int_equal(store_commit(s, b, NULL), 0);
    px_buf_clear(&rec);
    manifest_free(&m);
    store_close(&s);
}

static void a_changed_completion_is_found(void **state)
{
    (void)state;
    PX_FREE char *recipe = px_xasprintf("%s/r.yaml", dir);
    PX_FREE char *run = px_xasprintf("run %s --run %s/run --quiet", recipe, dir);
    PX_FREE char *all = px_xasprintf("verify %s/run --fraction 1", dir);
    PX_FREE char *one = px_xasprintf("verify %s/run --fraction 0.0001", dir);
    PX_FREE char *none = px_xasprintf("verify %s/run --fraction 0", dir);
    PX_FREE char *model = realpath("recipes/models/tiny.gguf", NULL);
    assert_non_null(model);
    FILE *f = fopen(recipe, "w");
    fprintf(f,
            "models: {m: {source: %s}}\n"
            "stages: [{eval: {models: [m], tasks: [small_numeric], limit: 3}}]\n"
            "resources: {workers: 1, testers: 1, threads: 1}\n",
            model);
    fclose(f);
    assert_in_range(proctor(run), 0, 1); /* 1: an alarm of so few problems */
    assert_int_equal(proctor(all), 0);
    assert_int_equal(proctor(one), 0);
    assert_int_equal(proctor(none), 2);
    tamper();
    assert_int_equal(proctor(all), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_changed_completion_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
