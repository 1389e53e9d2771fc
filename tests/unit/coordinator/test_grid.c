/* test_grid.c - grids: product, exclude, include, merged cells, contradictions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "coordinator/recipe/grid.h"
#include "coordinator/recipe/yaml.h"

struct cells {
    struct yaml_doc *doc;
    struct findings f;
    struct recipe_cell *list;
    uint32_t n;
};

/* The body of an eval; positions are the text's own. */
static struct cells resolve(const char *text)
{
    struct cells c = {.f = {.file = "r"}};
    struct px_err err;
    c.doc = yaml_parse(text, strlen(text), "r", &err);
    if (!c.doc)
        fail_msg("%s", err.text);
    grid_resolve(yaml_root(c.doc), "e", 1, &c.f, &c.list, &c.n);
    return c;
}

static void clear(struct cells *c)
{
    grid_free_cells(c->list, c->n);
    findings_clear(&c->f);
    yaml_doc_free(&c->doc);
}

/* Names of a cell joined by " | ". */
static void assert_cell(const struct cells *c, uint32_t i, const char *names)
{
    char all[1024] = "";
    assert_true(i < c->n);
    for (uint32_t k = 0; k < c->list[i].n_names; k++) {
        strncat(all, k ? " | " : "", sizeof all - strlen(all) - 1);
        strncat(all, c->list[i].names[k], sizeof all - strlen(all) - 1);
    }
    assert_string_equal(all, names);
}

static void assert_findings(const char *text, const char *want)
{
    struct cells c = resolve(text);
    struct px_buf b;
    px_buf_init(&b, 65536);
    px_buf_str(&b, "");
    findings_write(&c.f, &b);
    assert_string_equal(b.len ? (char *)b.data : "", want);
    px_buf_clear(&b);
    clear(&c);
}

static void the_k_by_subset_grid_has_one_baseline(void **state)
{
    (void)state;
    struct cells c = resolve("reuse: {size: 4}\n"
                             "grid:\n  reuse.k: [1, 2, 3]\n"
                             "  reuse.subset:\n    - first\n    - middle\n    - last\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 7);
    assert_cell(&c, 0,
                "reuse.k=1,reuse.subset=first | reuse.k=1,reuse.subset=middle | "
                "reuse.k=1,reuse.subset=last");
    assert_int_equal(c.list[0].settings.reuse.subset, SUBSET_NONE);
    assert_int_equal(c.list[0].settings.reuse.size, 12);
    assert_cell(&c, 1, "reuse.k=2,reuse.subset=first");
    assert_cell(&c, 6, "reuse.k=3,reuse.subset=last");
    assert_int_equal(c.list[6].settings.reuse.k, 3);
    assert_int_equal(c.list[6].settings.reuse.subset, SUBSET_LAST);
    assert_int_equal(c.list[6].settings.reuse.size, 4);
    clear(&c);
}

static void excluded_cells_are_left_out(void **state)
{
    (void)state;
    struct cells c = resolve("grid: {reuse.k: [1, 2, 3], reuse.subset: [first, middle, last]}\n"
                             "exclude:\n  - {reuse.k: 1, reuse.subset: [middle, last]}\n"
                             "  - {reuse.k: [3]}\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 4);
    assert_cell(&c, 0, "reuse.k=1,reuse.subset=first");
    assert_cell(&c, 3, "reuse.k=2,reuse.subset=last");
    clear(&c);
}

static void included_cells_come_last(void **state)
{
    (void)state;
    struct cells c = resolve("grid: {limit: [1, 2]}\n"
                             "include:\n  - {limit: 5, kv: f32}\n  - {limit: all}\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 4);
    assert_cell(&c, 2, "limit=5,kv=f32");
    assert_cell(&c, 3, "limit=all");
    assert_int_equal(c.list[2].settings.kv, KV_F32);
    assert_int_equal(c.list[3].settings.limit, 0);
    clear(&c);
}

static void lists_of_layers_are_values(void **state)
{
    (void)state;
    struct cells c = resolve("reuse: {k: 2}\n"
                             "grid: {reuse.subset: [[5, 3], last, [1]]}\n"
                             "exclude: [{reuse.subset: [1]}]\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 2);
    assert_cell(&c, 0, "reuse.subset=[3,5]");
    assert_int_equal(c.list[0].settings.reuse.size, 2);
    clear(&c);
    c = resolve("reuse: {k: 2}\ngrid: {reuse.subset: [[5, 3], last, [1]]}\n"
                "exclude: [{reuse.subset: [[3, 5], last]}]\n");
    assert_int_equal(c.n, 1);
    assert_cell(&c, 0, "reuse.subset=[1]");
    clear(&c);
}

static void greedy_cells_of_a_temperature_axis_are_merged(void **state)
{
    (void)state;
    struct cells c = resolve("samples: 5\n"
                             "grid: {sampler.temperature: [0, 0.8], sampler.top_k: [0, 40]}\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 3);
    assert_cell(&c, 0,
                "sampler.temperature=0,sampler.top_k=0 | sampler.temperature=0,sampler.top_k=40");
    assert_int_equal(c.list[0].settings.samples, 1);
    assert_int_equal(c.list[1].settings.samples, 5);
    clear(&c);
}

static void nested_axes_are_dotted_axes(void **state)
{
    (void)state;
    struct cells c = resolve("grid: {reuse: {k: [1, 2], subset: [first]}}\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 2);
    assert_cell(&c, 1, "reuse.k=2,reuse.subset=first");
    clear(&c);
}

static void wrong_axes_are_refused(void **state)
{
    (void)state;
    assert_findings("grid: {limit: 3}\n",
                    "r:1:15: e.grid.limit: an axis needs a list of values; allowed: [a, b, ...]\n");
    assert_findings("grid: {limit: []}\n",
                    "r:1:15: e.grid.limit: an axis needs a list of values; allowed: [a, b, ...]\n");
    assert_findings("grid: {}\n", "r:1:7: e.grid: an empty grid; allowed: settings with lists\n");
    assert_findings("grid: {limit: [1, 1]}\n", "r:1:19: e.grid.limit: the value 1 stands twice\n");
    assert_findings("grid: {reuse.subset: [[1, 2], [2, 1]], reuse.k: [2]}\n",
                    "r:1:31: e.grid.reuse.subset: the value [1,2] stands twice\n");
    assert_findings("grid: {limit: [1, 0]}\n",
                    "r:1:19: e.grid.limit: 0 is out of range; allowed: an integer from 1 to "
                    "1000000000, or all\n");
    assert_findings("limit: 4\ngrid:\n  limit: [1, 2]\n",
                    "r:3:3: e.grid.limit: contradiction: the same setting is fixed at line 1; "
                    "allowed: one of the two\n");
    assert_findings("grid: {reuse.k: [1], reuse: {k: [2]}}\n",
                    "r:1:30: e.grid.reuse.k: duplicate key: this axis is given twice\n");
}

static void an_unknown_axis_is_told_with_the_nearest(void **state)
{
    (void)state;
    struct cells c = resolve("grid: {reuse.sbset: [first], top_k: [1], models: [a]}\n");
    assert_int_equal(c.f.n, 3);
    assert_non_null(strstr(c.f.list[0].text, "not a setting of an eval; allowed: samples, limit"));
    assert_non_null(strstr(c.f.list[0].text, "did you mean 'reuse.subset'"));
    assert_non_null(strstr(c.f.list[1].text, "did you mean 'sampler.top_k'"));
    assert_null(strstr(c.f.list[2].text, "did you mean"));
    clear(&c);
}

static void wrong_excludes_and_includes_are_refused(void **state)
{
    (void)state;
    assert_findings("grid: {limit: [1, 2]}\nexclude: [{limit: 3}]\n",
                    "r:2:19: e.exclude.limit: 3 is not a value of this axis; allowed: 1, 2\n");
    assert_findings("grid: {limit: [1, 2]}\nexclude: [{kv: f16}]\n",
                    "r:2:12: e.exclude.kv: not an axis of this grid\n");
    assert_findings("grid: {limit: [1, 2]}\nexclude: [{limit: [1, 2]}]\n",
                    "r:2:10: e.exclude: contradiction: every cell is removed\n");
    assert_findings("grid: {limit: [1, 2]}\nexclude: [{limit: 1}, {}, 5]\n",
                    "r:2:23: e.exclude: not a map of axes; allowed: {axis: value or list of "
                    "values}\n"
                    "r:2:27: e.exclude: not a map of axes; allowed: {axis: value or list of "
                    "values}\n");
    assert_findings("exclude: [{limit: 1}]\n", "r:1:10: e.exclude: cannot act: there is no grid\n");
    assert_findings("grid: {limit: [1, 2]}\ninclude: [{limit: 2}]\n",
                    "r:2:11: e.include: contradiction: these settings are already those of "
                    "another cell\n");
    assert_findings("include: [{limit: 2}, {limit: x}, 3]\n",
                    "r:1:31: e.include.limit: 'x' is not an integer; allowed: an integer from 1 "
                    "to 1000000000, or all\n"
                    "r:1:35: e.include: not a map of settings; allowed: {axis: value}\n");
}

static void an_exclude_that_others_have_emptied_still_matches(void **state)
{
    (void)state;
    struct cells c = resolve("grid: {limit: [1, 2]}\nexclude: [{limit: 1}, {limit: [1]}]\n");
    assert_int_equal(c.f.n, 0);
    assert_int_equal(c.n, 1);
    clear(&c);
}

static void an_axis_that_never_acts_is_refused(void **state)
{
    (void)state;
    assert_findings("grid: {sampler.top_k: [0, 5]}\n",
                    "r:1:8: e.sampler.top_k: cannot act: sampler.temperature is 0 (greedy) in "
                    "every cell where it is set; it acts on native models at temperature > 0\n");
    assert_findings("grid: {reuse.k: [1, 2]}\n",
                    "r:1:8: e.reuse.subset: missing where reuse.k is above 1; allowed: first, "
                    "middle, last or a list of layer indices\n");
}

static void too_many_cells_are_refused(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, 65536);
    px_buf_str(&b, "grid:\n");
    static const char *const axes[] = {"limit", "context", "sampler.max_tokens"};
    for (int a = 0; a < 3; a++) {
        px_buf_printf(&b, "  %s: [", axes[a]);
        for (int i = 1; i <= 22; i++)
            px_buf_printf(&b, "%s%d", i > 1 ? ", " : "", i);
        px_buf_str(&b, "]\n");
    }
    assert_findings((char *)b.data, "r:2:3: e.grid: more than 10000 cells\n");
    px_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_k_by_subset_grid_has_one_baseline),
        cmocka_unit_test(excluded_cells_are_left_out),
        cmocka_unit_test(included_cells_come_last),
        cmocka_unit_test(lists_of_layers_are_values),
        cmocka_unit_test(greedy_cells_of_a_temperature_axis_are_merged),
        cmocka_unit_test(nested_axes_are_dotted_axes),
        cmocka_unit_test(wrong_axes_are_refused),
        cmocka_unit_test(an_unknown_axis_is_told_with_the_nearest),
        cmocka_unit_test(wrong_excludes_and_includes_are_refused),
        cmocka_unit_test(an_exclude_that_others_have_emptied_still_matches),
        cmocka_unit_test(an_axis_that_never_acts_is_refused),
        cmocka_unit_test(too_many_cells_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
