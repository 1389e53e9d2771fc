/* test_data.c - the catalogue of data sets: what it refuses, what it finds, and that it knows every
 * file that a shipped task names; states of files; names of parts and mirrors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "coordinator/data/catalogue.h"
#include "coordinator/data/fetch.h"
#include "coordinator/data/state.h"
#include "coordinator/task/needs.h"
#include "coordinator/task/task.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "tests/unit/coordinator/scratch.h"

#define HASH "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c" /* "foo\n" */
#define SET(files)                                                                                 \
    "catalogue: 1\nsets:\n  s:\n    about: a\n    licence: MIT\n    origin: o\n    files:\n" files
#define ONE(rest) SET("      - {file: a/b.jsonl" rest "}\n")
#define URL ", url: 'https://h.invalid/b.jsonl'"

static struct catalogue *parse(const char *text, struct px_err *err)
{
    return catalogue_parse(text, strlen(text), "c.yaml", err);
}

static void refuse(const char *text, const char *words)
{
    struct px_err err = {0};
    struct catalogue *c = parse(text, &err);
    if (c || !strstr(err.text, words))
        fail_msg("'%s' is not in '%s'", words, c ? "(accepted)" : err.text);
    assert_int_equal(err.code, PX_EINPUT);
}

static void mistakes_have_their_place(void **state)
{
    (void)state;
    refuse("[]", "c.yaml:1:1");
    refuse("catalogue: 2\nsets: {}\n", "c.yaml:1:12: catalogue: is not 1");
    refuse("catalogue: 1\n", "is not a map of data sets");
    refuse(ONE(", sha: x, manual: m"), "c.yaml:8:27: sha: unknown key");
    refuse(ONE(", manual: m, sha256: 12"), "is not 64 hexadecimal digits");
    refuse(ONE(""), "exactly one of url, manual and shipped");
    refuse(ONE(URL ", manual: m"), "exactly one of url, manual and shipped");
    refuse(ONE(URL), "needs sha256 and bytes");
    refuse(ONE(", url: 'http://h/b', bytes: 4, sha256: " HASH), "does not begin with https://");
    refuse(ONE(", manual: m, bytes: 0"), "is not a whole number above 0");
    refuse(ONE(", manual: m, files: 3"), "goes with one * in the file's name");
    refuse(ONE(", manual: m, instead_of: x"), "'x' is no file of the catalogue");
    refuse(SET("      - {file: a/*.csv, manual: m}\n"), "goes with one * in the file's name");
    refuse(SET("      - {file: '*/a.csv', files: 2, manual: m}\n"), "has not one * in its last");
    refuse(SET("      - {file: a, manual: m}\n      - {file: a, manual: m}\n"), "has an entry");
    refuse("catalogue: 1\nsets: {s: {about: a, licence: l, origin: o}}\n", "files: is not a list");
    refuse("catalogue: 1\nsets: {s: {about: a, origin: o, files: [{file: a, manual: m}]}}\n",
           "licence: missing");
    static const char *const paths[] = {"/a", "../a", "a/../b", "a//b", ".a", "a/.b", "a/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        PX_FREE char *text = px_xasprintf(SET("      - {file: '%s', manual: m}\n"), paths[i]);
        refuse(text, "is not a path below a data directory");
    }
}

static void sets_and_files_are_found(void **state)
{
    (void)state;
    struct px_err err;
    struct catalogue *c =
        parse(SET("      - {file: a/b.jsonl" URL ", bytes: 4, rows: 1, sha256: " HASH
                  "}\n      - {file: 'm/*_t.csv', files: 2, manual: m}\n"
                  "      - {file: x.jsonl, shipped: true}\n"),
              &err);
    assert_non_null(c);
    assert_int_equal(c->n_files, 3);
    assert_int_equal(catalogue_set(c, "s")->n, 3);
    assert_null(catalogue_set(c, "t"));
    assert_int_equal(catalogue_file(c, "a/b.jsonl")->bytes, 4);
    assert_int_equal(catalogue_file(c, "m/q_t.csv")->n_files, 2);
    assert_null(catalogue_file(c, "m/q/r_t.csv"));
    assert_null(catalogue_file(c, "m/_t.cs"));
    assert_true(catalogue_file(c, "x.jsonl")->shipped);
    catalogue_free(&c);
    assert_true(catalogue_matches("a*b", "ab"));
    assert_false(catalogue_matches("ab*ba", "aba"));
}

/* Every file of every shipped task, with the digest that the task wants. */
static void the_catalogue_knows_what_tasks_name(void **state)
{
    (void)state;
    struct px_err err;
    uint32_t n, n_files = 0;
    struct catalogue *c = catalogue_load(NULL, &err);
    if (!c)
        fail_msg("%s", err.text);
    char **names = task_names(&n, &err);
    assert_non_null(names);
    for (uint32_t i = 0; i < n; i++) {
        PX_FREE char *path = task_file_path(names[i], &err);
        struct task_needs *needs = path ? task_needs_load(path, &err) : NULL;
        assert_non_null(needs);
        for (uint32_t k = 0; k < needs->n; k++) {
            for (uint32_t m = 0; m < needs->list[k].n_files; m++) {
                const struct task_need_file *f = &needs->list[k].files[m];
                const struct catalogue_file *known = catalogue_file(c, f->file);
                n_files++;
                if (!known)
                    fail_msg("task %s: %s is not in the catalogue", names[i], f->file);
                if (!px_digest_is_zero(&f->hash) && !px_digest_eq(&f->hash, &known->hash))
                    fail_msg("task %s: %s has another digest", names[i], f->file);
                assert_int_equal(f->n_files, known->n_files);
            }
        }
        task_needs_free(&needs);
        free(names[i]);
    }
    free(names);
    assert_true(n > 20 && n_files > 30);
    catalogue_free(&c);
}

static void needs_are_read_wherever_they_stand(void **state)
{
    (void)state;
    static const char text[] =
        "data:\n  files: [{file: a.gz, sha256: " HASH "}, {file: a}]\n"
        "  join: {file: j, on: id}\n"
        "fewshot: {n: 0, data: {file: pool}}\n"
        "compat:\n  lm-eval:\n    fewshot: {n: 2, data: {each: {name: s, values: [x, y], file: "
        "'p/{{ s }}.csv'}}}\n";
    struct px_err err;
    struct task_needs *n = task_needs_parse(text, strlen(text), "/x/t.yaml", &err);
    assert_non_null(n);
    assert_string_equal(n->task, "t");
    assert_int_equal(n->n, 4);
    assert_int_equal(n->list[0].n_files, 2);
    assert_false(px_digest_is_zero(&n->list[0].files[0].hash));
    assert_string_equal(n->list[1].files[0].file, "j");
    assert_true(n->list[2].shots);
    assert_false(n->list[3].shots);
    assert_string_equal(n->list[3].files[0].file, "p/*.csv");
    assert_int_equal(n->list[3].files[0].n_files, 2);
    task_needs_free(&n);
    assert_null(task_needs_parse("a: [", 4, "t.yaml", &err));
}

static void put(const char *dir, const char *name, const char *text)
{
    PX_FREE char *path = px_path_join(dir, name);
    PX_FREE char *parent = px_dirname(path);
    struct px_err err;
    assert_int_equal(px_mkdirs(parent, 0755, &err), 0);
    assert_int_equal(px_write_file(path, text, strlen(text), &err), 0);
}

static enum data_state look(const char *dir, struct data_want w, bool hash)
{
    struct places p = {.n = 1};
    struct data_found f;
    p.list[0] = (struct place){.dir = px_xstrdup(dir), .why = "test"};
    data_look(&w, &p, hash, &f);
    enum data_state s = f.state;
    assert_true((f.path == NULL) == (s == DATA_ABSENT));
    assert_true(s != DATA_WRONG || f.why);
    data_found_clear(&f);
    places_free(&p);
    return s;
}

static void states_of_files_and_families(void **state)
{
    (void)state;
    char base[64];
    struct px_digest foo, both = px_sha256("onetwo", 6);
    scratch_make(base);
    PX_FREE char *dir = px_path_join(base, "odd [a]*dir");
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(px_digest_parse(HASH, &foo, NULL), 0);
    struct data_want w = {.file = "d/f", .hash = foo, .bytes = 4};
    assert_int_equal(look(dir, w, true), DATA_ABSENT);
    put(dir, "d/f", "bar\n");
    assert_int_equal(look(dir, w, false), DATA_THERE);
    assert_int_equal(look(dir, w, true), DATA_WRONG);
    put(dir, "d/f", "foo\n");
    assert_int_equal(look(dir, w, true), DATA_RIGHT);
    w.bytes = 5;
    assert_int_equal(look(dir, w, false), DATA_WRONG);
    w = (struct data_want){.file = "d/f", .bytes = -1};
    assert_int_equal(look(dir, w, true), DATA_THERE);
    w = (struct data_want){.file = "d", .bytes = -1};
    assert_int_equal(look(dir, w, true), DATA_WRONG);
    w = (struct data_want){.file = "m/*.csv", .hash = both, .bytes = -1, .n_files = 2};
    assert_int_equal(look(dir, w, true), DATA_ABSENT);
    put(dir, "m/b.csv", "two");
    assert_int_equal(look(dir, w, true), DATA_INCOMPLETE);
    put(dir, "m/a.csv", "one");
    assert_int_equal(look(dir, w, true), DATA_RIGHT);
    put(dir, "m/c.csv", "three");
    assert_int_equal(look(dir, w, true), DATA_WRONG);
    scratch_remove(base);
}

static void a_mirror_replaces_scheme_and_host(void **state)
{
    (void)state;
    struct px_err err;
    PX_FREE char *a = fetch_mirrored("https://h/a/b", "http://m:1/x//", &err);
    PX_FREE char *b = fetch_mirrored("https://h", "https://m", &err);
    assert_string_equal(a, "http://m:1/x/a/b");
    assert_string_equal(b, "https://m/");
    assert_null(fetch_mirrored("https://h/a", "file:///x", &err));
    assert_int_equal(err.code, PX_EUSAGE);
}

int main(void)
{
    setenv("PROCTOR_HOME", ".", 1); /* tests run in the root of the repository */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(sets_and_files_are_found),
        cmocka_unit_test(the_catalogue_knows_what_tasks_name),
        cmocka_unit_test(needs_are_read_wherever_they_stand),
        cmocka_unit_test(states_of_files_and_families),
        cmocka_unit_test(a_mirror_replaces_scheme_and_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
