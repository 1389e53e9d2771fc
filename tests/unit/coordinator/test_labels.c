/* test_labels.c - cells as people name them; alarms and pairs of groups that a judge answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "coordinator/report/alarms.h"
#include "coordinator/report/labels.h"
#include "coordinator/report/table_parts.h"

static char one_first[] = "grid/reuse.k=1,reuse.subset=first",
            one_last[] = "grid/reuse.k=1,reuse.subset=last",
            two_first[] = "grid/reuse.k=2,reuse.subset=first",
            two_last[] = "grid/reuse.k=2,reuse.subset=last", choice[] = "choice/default";
static char *names_one[] = {one_first, one_last}, *names_two[] = {two_first},
            *names_three[] = {two_last}, *names_four[] = {choice};
static struct manifest_cell cells[] = {{.names = names_one, .n_names = 2},
                                       {.names = names_two, .n_names = 1},
                                       {.names = names_three, .n_names = 1},
                                       {.names = names_four, .n_names = 1}};
static const struct manifest grid = {.cells = cells, .n_cells = 4};
static const struct manifest reuse_only = {.cells = cells, .n_cells = 3};
static const struct manifest nothing = {.cells = cells, .n_cells = 0};

static void a_cell_is_found_by_name_label_or_settings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name;
    } cases[] = {
        {two_last, two_last},
        {one_last, one_last},
        {choice, choice},
        {"k=1", one_first}, /* one cell, by the first name that fits */
        {"reuse.k=1", one_first},
        {"subset=last,k=2", two_last},
        {"reuse.subset=first,k=2", two_first},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct px_err err = {0};
        const char *name = cell_name_find(&grid, cases[i].text, &err);
        if (!name)
            print_error("%s: %s\n", cases[i].text, err.text);
        assert_non_null(name);
        assert_string_equal(name, cases[i].name);
    }
    struct px_err err = {0}; /* as a table shows it, where the cells share a beginning */
    assert_string_equal(cell_name_find(&reuse_only, "k=2,subset=last", &err), two_last);
}

static void a_cell_that_is_not_told_apart_is_refused(void **state)
{
    (void)state;
    struct px_err err = {0};
    assert_null(cell_name_find(&grid, "k=2", &err));
    assert_int_equal(err.code, PX_EUSAGE);
    assert_non_null(strstr(err.text, "'k=2' fits 2 cells"));
    assert_non_null(strstr(err.text, two_first));
    assert_non_null(strstr(err.text, two_last));
    assert_null(strstr(err.text, "choice"));
    static const char *const none[] = {"k=3", "=2",      "2",    "",          "reuse.k=2,",
                                       ",",   "use.k=1", "k=22", "k=2,other", "defaul"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        const char *name = cell_name_find(&grid, none[i], &err);
        if (name || !strstr(err.text, i == 4 ? "fits 2 cells" : "there is no cell"))
            print_error("'%s': %s\n", none[i], name ? name : err.text);
        assert_null(name);
        assert_non_null(strstr(err.text, i == 4 ? "fits 2 cells" : "there is no cell"));
    }
    assert_null(cell_name_find(&nothing, "default", &err));
    assert_non_null(strstr(err.text, "there are none"));
}

static void a_judge_need_not_reuse_layers(void **state)
{
    (void)state;
    struct manifest_cell cell = {.names = names_two, .n_names = 1, .reuse_on = true};
    char name[] = "chat/single", request[] = "generate";
    struct manifest_task task = {.name = name, .request = request};
    struct manifest_group judged = {.judged = 0, .opponent = MANIFEST_NONE};
    struct manifest_group own = {.judged = MANIFEST_NONE, .opponent = MANIFEST_NONE};
    struct group_stats g = {.cell = &cell, .task = &task, .n = 8, .done = 8, .long_sequences = 8};
    struct run_stats r = {.groups = &g, .n_groups = 1};
    struct alarms a;
    g.outcomes[OUTCOME_GRADED] = 8;
    g.group = &judged;
    alarms_find(&r, &a);
    assert_int_equal(a.n, 0);
    alarms_clear(&a);
    g.outcomes[OUTCOME_GRADED] = 0;
    g.outcomes[OUTCOME_UNPARSED] = 8;
    alarms_find(&r, &a);
    assert_int_equal(a.n, 1);
    assert_non_null(strstr(a.list[0].text, "none of 8 judgements"));
    alarms_clear(&a);
    g.outcomes[OUTCOME_GRADED] = 8;
    g.group = &own;
    alarms_find(&r, &a);
    assert_int_equal(a.n, 1);
    assert_string_equal(a.list[0].kind, "inert_reuse");
    alarms_clear(&a);
}

static void pass_at_k_is_shown_for_the_usual_k(void **state)
{
    (void)state;
    struct pass_at at[] = {{1, 0.5}, {2, 0.75}, {3, 0.8}, {4, 0.9}, {5, 0.95}, {6, 0.96}, {7, 1}};
    struct manifest_group group = {.cell = 0, .task = 0};
    struct group_stats g = {.group = &group, .pass_at = at, .n_pass_at = 7, .samples = 7};
    struct run_stats r = {.groups = &g, .n_groups = 1};
    char label[] = "default", *labels[] = {label};
    struct px_buf b;
    px_buf_init(&b, 4096);
    table_passes(&r, 0, labels, &b);
    px_buf_char(&b, '\0');
    assert_string_equal((const char *)b.data,
                        "default, pass@k:  1: 50.0  2: 75.0  3: 80.0  5: 95.0  7: 100.0\n");
    px_buf_reset(&b);
    g.n_pass_at = g.samples = 2; /* the table's columns say it all */
    table_passes(&r, 0, labels, &b);
    assert_int_equal(b.len, 0);
    px_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cell_is_found_by_name_label_or_settings),
        cmocka_unit_test(a_cell_that_is_not_told_apart_is_refused),
        cmocka_unit_test(a_judge_need_not_reuse_layers),
        cmocka_unit_test(pass_at_k_is_shown_for_the_usual_k),
    };
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
