/* test_manifest.c - what is written about a run is read back by somebody who knows no recipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/store/manifest.h"
#include "proto/log.h"
#include "scratch_store.h"

static char text_r[] = "grid \"one\"", text_d[] = "/run", text_m[] = "[{\"name\":\"tiny\"}]";
static char text_h[] = "00ff", name_0[] = "reuse.k=1", name_1[] = "baseline", model[] = "tiny";
static char settings[] = "{\"reuse\":{\"k\":1},\"samples\":2}", task[] = "gsm8k",
            req[] = "generate";
static char metric[] = "exact_match", scorer[] = "numeric", id_0[] = "p/0", id_1[] = "";
static char subsets[] = "[{\"name\":\"a\",\"group\":\"g\"}]", compat[] = "lm-eval";
static char *names[] = {name_0, name_1};

static void commit_manifest(void)
{
    struct manifest_unit units[2] = {
        {.plan_key = {{1, 2}}, .problem = id_0},
        {.plan_key = {{3}}, .problem = id_1, .sample = 1, .turn = 1, .subset = 2}};
    struct manifest_cell cell = {names, 2, model, settings, 1.25, true};
    struct manifest_task t = {.name = task,
                              .request = req,
                              .headline = metric,
                              .scorer = scorer,
                              .subsets = subsets,
                              .compat = compat,
                              .problems = text_h,
                              .lower_is_better = true,
                              .chance = 0.25,
                              .n_problems = 1,
                              .digest = text_h};
    struct manifest_group groups[2] = {
        {.judged = MANIFEST_NONE, .opponent = MANIFEST_NONE, .units = units, .n_units = 2},
        {.index = 1, .judged = 0, .opponent = MANIFEST_NONE, .units = units, .n_units = 1}};
    struct manifest m = {.recipe = text_r,
                         .run_dir = text_d,
                         .seed = UINT64_MAX,
                         .models = text_m,
                         .plan_digest = text_h,
                         .cells = &cell,
                         .n_cells = 1,
                         .tasks = &t,
                         .n_tasks = 1,
                         .groups = groups,
                         .n_groups = 2};
    struct store_batch *b = store_batch_new();
    manifest_write(&m, b);
    assert_int_equal(store_commit(s, b, NULL), 0);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct px_err err = {0};
    commit_manifest();
    struct manifest *m = manifest_read(s, &err);
    assert_non_null(m);
    assert_string_equal(m->recipe, text_r);
    assert_string_equal(m->run_dir, text_d);
    assert_true(m->seed == UINT64_MAX);
    assert_string_equal(m->models, text_m);
    assert_string_equal(m->plan_digest, text_h);
    assert_int_equal(m->n_cells, 1);
    assert_int_equal(m->cells[0].n_names, 2);
    assert_string_equal(m->cells[0].names[1], name_1);
    assert_string_equal(m->cells[0].settings, settings);
    assert_true(m->cells[0].reuse_on && m->cells[0].speedup_bound == 1.25);
    assert_string_equal(m->tasks[0].headline, metric);
    assert_true(m->tasks[0].chance == 0.25);
    assert_int_equal(m->n_groups, 2);
    assert_int_equal(m->groups[0].n_units, 2);
    assert_int_equal(m->groups[0].units[0].plan_key.b[1], 2);
    assert_string_equal(m->groups[0].units[0].problem, id_0);
    assert_int_equal(m->groups[0].units[1].sample, 1);
    assert_string_equal(m->groups[0].units[1].problem, "");
    assert_int_equal(m->groups[1].n_units, 1);
    assert_int_equal(m->groups[0].units[1].turn, 1);
    assert_int_equal(m->groups[0].units[1].subset, 2);
    assert_true(m->groups[0].judged == MANIFEST_NONE && m->groups[1].judged == 0);
    assert_true(m->groups[1].opponent == MANIFEST_NONE && m->tasks[0].lower_is_better);
    assert_string_equal(m->tasks[0].subsets, subsets);
    assert_string_equal(m->tasks[0].aggregates, "[]");
    assert_string_equal(m->tasks[0].oracle, "{}");
    assert_string_equal(m->tasks[0].compat, compat);
    assert_string_equal(m->tasks[0].problems, text_h);
    manifest_free(&m);
    assert_null(m);
}

static void the_head_alone_has_the_counts_and_no_units(void **state)
{
    (void)state;
    commit_manifest();
    struct manifest *m = manifest_read_head(s, NULL);
    assert_non_null(m);
    assert_int_equal(m->groups[0].n_units, 2);
    assert_null(m->groups[0].units);
    manifest_free(&m);
}

static void a_store_without_a_manifest_says_so(void **state)
{
    (void)state;
    struct px_err err = {0};
    assert_null(manifest_read(s, &err));
    assert_int_equal(err.code, PX_EMISSING);
}

static void a_group_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    static const uint8_t key[4] = {0, 0, 0, 1};
    uint8_t group[12] = {0};
    for (int i = 0; i < 3; i++) {
        struct px_err err = {0};
        commit_manifest();
        group[8] = (uint8_t)(i == 0 ? 1 : 200); /* units that are not there */
        struct store_batch *b = store_batch_new();
        if (i == 2)
            store_batch_del(b, STORE_GROUP, key, sizeof key);
        else
            store_batch_put(b, STORE_GROUP, key, sizeof key, group, sizeof group);
        assert_int_equal(store_commit(s, b, NULL), 0);
        assert_null(manifest_read(s, &err));
        assert_int_equal(err.code, PX_EINPUT);
        assert_non_null(strstr(err.text, "group 1"));
    }
}

static void heads_that_make_no_sense_are_errors(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "",
        "{}",
        "[]",
        "{\"recipe\":1}",
        "{\"recipe\":\"r\",\"run_dir\":\"d\",\"plan_digest\":\"x\",\"seed\":\"-1\",\"cells\":[],"
        "\"tasks\":[],\"groups\":[]}",
        "{\"recipe\":\"r\",\"run_dir\":\"d\",\"plan_digest\":\"x\",\"seed\":\"1\",\"cells\":[],"
        "\"tasks\":[],\"groups\":[{\"cell\":0,\"task\":0,\"n_units\":1}]}",
        "{\"recipe\":\"r\",\"run_dir\":\"d\",\"plan_digest\":\"x\",\"seed\":\"1\","
        "\"cells\":[{\"names\":[],\"model\":\"m\"}],\"tasks\":[],\"groups\":[]}"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct px_err err = {0};
        assert_null(manifest_decode_head(heads[i], strlen(heads[i]), &err));
        assert_int_equal(err.code, PX_EINPUT);
    }
}

#define STORED(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        STORED(what_is_written_is_read_back),
        STORED(the_head_alone_has_the_counts_and_no_units),
        STORED(a_store_without_a_manifest_says_so),
        STORED(a_group_that_does_not_fit_is_an_error),
        cmocka_unit_test(heads_that_make_no_sense_are_errors),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
