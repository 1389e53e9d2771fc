/* test_rows.c - data sets: formats, positions of bad rows, hashes, where files are searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "coordinator/task/rows.h"
#include "coordinator/task/rows_csv.h"
#include "proto/file.h"
#include "proto/mem.h"

static struct rows *parse(const char *name, const char *text, size_t n,
                          const struct rows_spec *spec, struct px_err *err)
{
    static const struct rows_spec any = {.n_rows = -1};
    return rows_parse(spec ? spec : &any, name, px_xmemdup(text, n), n, err);
}

static void refused(const char *name, const char *text, const char *message)
{
    struct px_err err = {0};
    struct rows *r = parse(name, text, strlen(text), NULL, &err);
    assert_null(r);
    if (strncmp(err.text, message, strlen(message)) != 0)
        fail_msg("got: %s\nnot: %s", err.text, message);
}

static void assert_field(const struct rows *r, uint32_t i, const char *key, const char *want)
{
    struct arena *a = arena_new();
    struct value row = rows_get(r, i, a);
    const struct value *v = value_get(&row, key, strlen(key));
    assert_non_null(v);
    assert_int_equal(v->kind, VALUE_TEXT);
    assert_int_equal(v->n, strlen(want));
    assert_memory_equal(v->text, want, v->n);
    arena_free(&a);
}

static void json_lines_are_rows_and_blank_lines_are_not(void **state)
{
    (void)state;
    struct px_err err;
    static const char text[] = "{\"a\": \"1\"}\n\n  \r\n{\"a\": \"\\u00e9\"}\r\n{\"a\":\"3\"}";
    struct rows *r = parse("x.jsonl", text, strlen(text), NULL, &err);
    assert_non_null(r);
    assert_int_equal(rows_count(r), 3);
    assert_field(r, 1, "a", "\xc3\xa9");
    assert_int_equal(rows_line(r, 1), 4);
    assert_int_equal(rows_line(r, 2), 5);
    struct px_digest d = px_sha256("{\"a\":\"3\"}", 9), got = rows_row_digest(r, 2);
    assert_true(px_digest_eq(&d, &got));
    rows_free(&r);
}

static void a_bad_line_is_named(void **state)
{
    (void)state;
    refused("x.jsonl", "{\"a\": 1}\n{\"a\": }\n", "x.jsonl:2: byte 7: ");
    refused("x.jsonl", "{\"a\": 1}\n\n[1]\n", "x.jsonl:3: the row is not a JSON object");
    refused("x.jsonl", "{\"a\": 1}\n{\"a\": \"\xff\"}\n", "x.jsonl:2: the row is not UTF-8");
    refused("x.jsonl", "{\"a\": 1} {\"a\": 2}\n", "x.jsonl:1: byte 10: something stands after");
    refused("x.csv", "a,b\n1,2\n\"x\ny\",2\n1\n", "x.csv:5: 1 fields in a record, expected 2");
    refused("x.csv", "a,b\n1,\"2\n", "x.csv:2: byte 3: a field without its closing quote");
    refused("x.csv", "a,b\n1,\"2\"3\n", "x.csv:2: byte 6: something stands between");
    refused("x.csv", "a,b\n1,2\"\n", "x.csv:2: byte 4: a quote inside a field without quotes");
    refused("x.csv", "a,b\n1,\xc3\n", "x.csv:2: the row is not UTF-8");
    refused("x.csv", "a,a\n1,2\n", "x.csv:1: the header names a column twice");
    refused("x.json", "[{\"a\": 1},\n 2]", "x.json:2: the row is not a JSON object");
    refused("x.json", "[{\"a\": 1}", "x.json: byte 10: ");
    refused("x.json", "{\"a\": 1}", "x.json: '' is not a list of rows");
    refused("x.jsonl.gz", "not gzip", "x.jsonl.gz: not a whole gzip file");
}

static void csv_has_quotes_and_line_ends(void **state)
{
    (void)state;
    struct px_err err;
    static const char text[] = "\xef\xbb\xbfq,\"a b\",c\r\n1,\"two, \"\"2\"\"\r\nlines\",\r\n\r\n"
                               "\"\",x,\"\"\"\"";
    /* The mark is white space before the first name. */
    struct rows *r = parse("x.csv", text, strlen(text), NULL, &err);
    if (!r)
        fail_msg("%s", err.text);
    assert_int_equal(rows_count(r), 2);
    assert_field(r, 0, "a b", "two, \"2\"\r\nlines");
    assert_field(r, 0, "c", "");
    assert_field(r, 1, "c", "\"");
    assert_int_equal(rows_line(r, 1), 5);
    rows_free(&r);
}

static void csv_without_a_header_takes_the_tasks_names(void **state)
{
    (void)state;
    struct px_err err;
    static char question[] = "question", a[] = "A";
    char *names[] = {question, a};
    struct rows_spec spec = {.n_rows = 2, .columns = names, .n_columns = 2};
    struct rows *r = parse("x.csv", "q1,a1\nq2,a2\n", 12, &spec, &err);
    assert_non_null(r);
    assert_field(r, 0, "question", "q1");
    assert_field(r, 1, "A", "a2");
    rows_free(&r);
}

static void json_documents_hold_their_rows_somewhere(void **state)
{
    (void)state;
    struct px_err err;
    static const char text[] = "{\"info\": {\"x\": [1]},\n \"d\": {\"n\": 2, \"rows\": [\n"
                               "  {\"a\": \"1\"},\n  {\"a\": \"2\"} ]}}";
    static char there[] = "d.rows", nowhere[] = "d.nothing";
    struct rows_spec spec = {.n_rows = -1, .records = there};
    struct rows *r = parse("x.json", text, strlen(text), &spec, &err);
    if (!r)
        fail_msg("%s", err.text);
    assert_int_equal(rows_count(r), 2);
    assert_field(r, 1, "a", "2");
    assert_int_equal(rows_line(r, 1), 4);
    rows_free(&r);
    spec.records = nowhere;
    assert_null(parse("x.json", text, strlen(text), &spec, &err));
    assert_string_equal(err.text, "x.json: there is no key 'nothing'");
    static const char lines[] = "{\"id\": 1}\n{\"id\": 2}\n";
    r = parse("x.json", lines, strlen(lines), NULL, &err);
    assert_int_equal(rows_count(r), 2);
    rows_free(&r);
    r = parse("x.json", " [ ] ", 5, NULL, &err);
    assert_int_equal(rows_count(r), 0);
    rows_free(&r);
}

static void a_wrong_number_of_rows_is_refused(void **state)
{
    (void)state;
    struct px_err err;
    struct rows_spec spec = {.n_rows = 3};
    assert_null(parse("x.jsonl", "{}\n{}\n", 6, &spec, &err));
    assert_string_equal(err.text, "x.jsonl: 2 rows, expected 3");
}

static size_t gzip(const char *text, unsigned char *out, size_t cap)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)strlen(text);
    z.next_out = out;
    z.avail_out = (unsigned)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void compressed_rows_have_the_digest_of_plain_ones(void **state)
{
    (void)state;
    struct px_err err;
    unsigned char packed[1000];
    static const char text[] = "{\"a\":\"1\"}\n{\"a\":\"2\"}\n";
    size_t n = gzip(text, packed, sizeof packed);
    struct rows *a = parse("x.jsonl.gz", (char *)packed, n, NULL, &err);
    struct rows *b = parse("x.jsonl", text, strlen(text), NULL, &err);
    assert_non_null(a);
    struct px_digest da = rows_digest(a), db = rows_digest(b);
    assert_true(px_digest_eq(&da, &db));
    assert_field(a, 1, "a", "2");
    rows_free(&a);
    rows_free(&b);
    assert_null(parse("x.jsonl.gz", (char *)packed, n - 5, NULL, &err));
    assert_string_equal(err.text, "x.jsonl.gz: not a whole gzip file");
}

static char dir[] = "/tmp/proctor-rows-XXXXXX";

static void put(const char *name, const char *text)
{
    PX_FREE char *path = px_path_join(dir, name);
    PX_FREE char *parent = px_dirname(path);
    assert_int_equal(px_mkdirs(parent, 0700, NULL), 0);
    assert_int_equal(px_write_file(path, text, strlen(text), NULL), 0);
}

static void drop(const char *name)
{
    PX_FREE char *path = px_path_join(dir, name);
    remove(path);
}

static void files_are_searched_in_order(void **state)
{
    (void)state;
    struct px_err err;
    assert_non_null(mkdtemp(dir));
    PX_FREE char *arg = px_path_join(dir, "arg");
    PX_FREE char *env = px_path_join(dir, "env");
    PX_FREE char *cache = px_path_join(dir, "cache");
    PX_FREE char *home = px_path_join(dir, "home");
    setenv("PROCTOR_DATA", env, 1);
    setenv("PROCTOR_CACHE", cache, 1);
    setenv("PROCTOR_HOME", home, 1);
    static char name[] = "s/x.jsonl", beside[] = "./t.jsonl", get[] = "the shop";
    struct rows_file file = {.path = name};
    struct rows_spec spec = {.files = &file, .n_files = 1, .n_rows = -1, .get = get};
    assert_null(rows_load(&spec, dir, arg, &err));
    assert_int_equal(err.code, PX_EMISSING);
    const char *const parts[] = {"s/x.jsonl was not found in ",
                                 "/arg (--data), ",
                                 "/env (PROCTOR_DATA), ",
                                 "/cache/data (cache), ",
                                 "/home/recipes/data (Proctor's own)",
                                 "get it: the shop"};
    for (size_t i = 0; i < 6; i++) {
        if (!strstr(err.text, parts[i]))
            fail_msg("%s: %s", parts[i], err.text);
    }
    static const char *const names[] = {"home/recipes/data/s/x.jsonl", "cache/data/s/x.jsonl",
                                        "env/s/x.jsonl", "arg/s/x.jsonl"};
    for (size_t i = 0; i < 4; i++) {
        put(names[i], "{}\n");
        struct rows *r = rows_load(&spec, dir, arg, &err);
        assert_non_null(r);
        assert_non_null(strstr(rows_path(r), names[i]));
        rows_free(&r);
    }
    for (size_t i = 0; i < 4; i++)
        drop(names[i]);
    put("t.jsonl", "{}\n");
    file.path = beside;
    struct rows *r = rows_load(&spec, dir, NULL, &err);
    assert_non_null(r);
    rows_free(&r);
    file.hash = px_sha256("other", 5);
    assert_null(rows_load(&spec, dir, NULL, &err));
    assert_non_null(strstr(err.text, "the file's SHA-256 is ca3d163bab055381827226140568f3bef7eaac"
                                     "187cebd76878e0b63e9e442356, expected d9298a10d1b07358"));
    drop("t.jsonl");
    PX_FREE char *sweep = px_xasprintf("rm -r '%s'", dir);
    assert_int_equal(system(sweep), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_are_rows_and_blank_lines_are_not),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(csv_has_quotes_and_line_ends),
        cmocka_unit_test(csv_without_a_header_takes_the_tasks_names),
        cmocka_unit_test(json_documents_hold_their_rows_somewhere),
        cmocka_unit_test(a_wrong_number_of_rows_is_refused),
        cmocka_unit_test(compressed_rows_have_the_digest_of_plain_ones),
        cmocka_unit_test(files_are_searched_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
