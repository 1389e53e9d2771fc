/* test_yaml.c - the YAML tree: positions, limits, refusals, values at dotted paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/yaml.h"
#include "proto/mem.h"

static struct yaml_doc *parse(const char *text)
{
    struct px_err err;
    struct yaml_doc *d = yaml_parse(text, strlen(text), "f.yaml", &err);
    if (!d)
        fail_msg("%s", err.text);
    return d;
}

static void assert_refused(const char *text, size_t len, const char *message)
{
    struct px_err err = {0};
    struct yaml_doc *d = yaml_parse(text, len, "f.yaml", &err);
    assert_null(d);
    if (strncmp(err.text, message, strlen(message)) != 0)
        fail_msg("got: %s\nnot: %s", err.text, message);
}

static void refused(const char *text, const char *message)
{
    assert_refused(text, strlen(text), message);
}

static void nodes_know_where_they_stood(void **state)
{
    (void)state;
    struct yaml_doc *d = parse("a: 1\nb:\n  - x\n  - {c: 'two words', d: 2e-4}\n");
    const struct yaml_node *root = yaml_root(d), *list = yaml_get(root, "b");
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(list->kind, YAML_LIST);
    assert_int_equal(list->items[0]->line, 3);
    assert_int_equal(list->items[0]->column, 5);
    const struct yaml_node *c = yaml_get(list->items[1], "c");
    assert_string_equal(c->text, "two words");
    assert_true(c->quoted);
    assert_int_equal(c->line, 4);
    assert_int_equal(c->column, 9);
    double v;
    assert_true(yaml_double(yaml_get(list->items[1], "d"), &v));
    assert_true(v == 2e-4);
    assert_null(yaml_get(list, "b"));
    assert_null(yaml_get(root, "z"));
    yaml_doc_free(&d);
    assert_null(d);
}

static void a_quoted_number_stays_a_text(void **state)
{
    (void)state;
    struct yaml_doc *d = parse("a: '12'\nb: 12\nc: yes\nd: ~\ne: 'no'\nf: -3\n");
    int64_t i;
    bool b;
    assert_false(yaml_int(yaml_get(yaml_root(d), "a"), &i));
    assert_true(yaml_int(yaml_get(yaml_root(d), "b"), &i));
    assert_int_equal(i, 12);
    assert_true(yaml_bool(yaml_get(yaml_root(d), "c"), &b) && b);
    assert_false(yaml_bool(yaml_get(yaml_root(d), "e"), &b));
    assert_true(yaml_is_null(yaml_get(yaml_root(d), "d")));
    assert_true(yaml_int(yaml_get(yaml_root(d), "f"), &i));
    assert_int_equal(i, -3);
    yaml_doc_free(&d);
}

static void aliases_are_copies(void **state)
{
    (void)state;
    struct yaml_doc *d = parse("a: &x {k: [1, 2]}\nb: *x\n");
    const struct yaml_node *b = yaml_get(yaml_root(d), "b");
    assert_int_equal(yaml_get(b, "k")->n, 2);
    assert_int_equal(b->line, 1);
    yaml_doc_free(&d);
}

static void malformed_documents_are_refused_with_their_place(void **state)
{
    (void)state;
    refused("", "f.yaml:1:1: the document is empty");
    refused("# only a comment\n", "f.yaml:1:1: the document is empty");
    refused("a: [1, 2\nb: 3\n", "f.yaml:2:2: ");
    refused("a: 1\n b: 2\n", "f.yaml:2:3: ");
    refused("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: a: duplicate key; the first is at line 1");
    refused("a: {x: 1, y: 2, x: 3}\n", "f.yaml:1:17: x: duplicate key");
    refused("? [a, b]\n: 1\n", "f.yaml:1:3: a key must be a plain text");
    refused("a: !!python/object 1\n", "f.yaml:1:4: tags are not supported");
    refused("a: 1\n---\nb: 1\n", "f.yaml:2:1: a second document in one file");
    refused("a: *nobody\n", "f.yaml:1:4: alias '*nobody' without an anchor before it");
    refused("a: &x [1, *x]\n", "f.yaml:1:11: an alias inside its own anchor");
    refused("a: \"\\xZZ\"\n", "f.yaml:1:");
    refused("a: \x01\n", "f.yaml:1:");
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    refused("a: 1\nb: \xc3\xa9\xff\n", "f.yaml:2:5: byte 0xff is not UTF-8");
    refused("\xed\xa0\x80: 1\n", "f.yaml:1:1: byte 0xed is not UTF-8");
    assert_refused("a: \0b\n", 6, "f.yaml:1:");
}

static void an_alias_bomb_is_refused(void **state)
{
    (void)state;
    refused("a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
            "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
            "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n"
            "f: [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n",
            "f.yaml:6:");
}

static void huge_texts_are_refused(void **state)
{
    (void)state;
    size_t n = (4u << 20) + 10;
    char *big = px_xmalloc(n);
    memset(big, 'x', n);
    memcpy(big, "a: ", 3);
    assert_refused(big, n, "f.yaml:1:1: 4194314 bytes of YAML; at most 4 MiB");
    assert_refused(big, (1u << 20) + 4, "f.yaml:1:4: a scalar of more than 1 MiB");
    memset(big, '[', n);
    assert_refused(big, 100000, "f.yaml:1:65: more than 64 levels of nesting");
    /* Aliases must not multiply a large text either. */
    struct px_buf b;
    px_buf_init(&b, 4u << 20);
    px_buf_str(&b, "a: &a ");
    for (int i = 0; i < 500000; i++)
        px_buf_char(&b, 'y');
    px_buf_str(&b, "\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n");
    assert_refused((char *)b.data, b.len, "f.yaml:2:");
    px_buf_clear(&b);
    free(big);
}

static void a_map_of_many_keys_is_read_quickly_and_its_duplicate_found(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, 4u << 20);
    for (int i = 0; i < 60000; i++)
        px_buf_printf(&b, "k%d: 1\n", i);
    px_buf_str(&b, "k777: 2\n");
    assert_refused((char *)b.data, b.len, "f.yaml:60001:1: k777: duplicate key");
    px_buf_clear(&b);
}

static void every_duplicate_can_be_told_at_once(void **state)
{
    (void)state;
    static const char text[] = "a: 1\na: 2\nb: {c: 1, c: 2}\n";
    struct findings f = {.file = "f"};
    struct px_buf findings;
    struct px_err err;
    px_buf_init(&findings, 4096);
    struct yaml_doc *d = yaml_parse_findings(text, strlen(text), "f", &f, &err);
    assert_non_null(d);
    findings_write(&f, &findings);
    assert_string_equal((char *)findings.data, "f:2:1: a: duplicate key; the first is at line 1\n"
                                               "f:3:11: c: duplicate key; the first is at line "
                                               "3\n");
    assert_string_equal(yaml_get(yaml_root(d), "a")->text, "1");
    px_buf_clear(&findings);
    findings_clear(&f);
    yaml_doc_free(&d);
}

static void values_are_put_at_dotted_paths(void **state)
{
    (void)state;
    struct px_err err;
    struct yaml_doc *d = parse("s:\n  - eval: {limit: 5, grid: {reuse.k: [1]}}\nempty:\n");
    assert_int_equal(yaml_set_path(d, "s.0.eval.limit", "10", &err), 0);
    assert_int_equal(yaml_set_path(d, "s.0.eval.sampler.top_k", "3", &err), 0);
    assert_int_equal(yaml_set_path(d, "s.0.eval.grid.reuse.k", "[1, 2]", &err), 0);
    assert_int_equal(yaml_set_path(d, "empty.x", "", &err), 0);
    const struct yaml_node *eval = yaml_get(yaml_get(yaml_root(d), "s")->items[0], "eval");
    assert_string_equal(yaml_get(eval, "limit")->text, "10");
    assert_int_equal(yaml_get(eval, "limit")->line, 0);
    assert_string_equal(yaml_get(yaml_get(eval, "sampler"), "top_k")->text, "3");
    assert_int_equal(yaml_get(yaml_get(eval, "grid"), "reuse.k")->n, 2);
    assert_true(yaml_is_null(yaml_get(yaml_get(yaml_root(d), "empty"), "x")));
    yaml_doc_free(&d);
}

static void impossible_paths_are_refused(void **state)
{
    (void)state;
    struct px_err err;
    struct yaml_doc *d = parse("s: [1, 2]\nv: x\n");
    assert_int_equal(yaml_set_path(d, "s.2", "1", &err), -1);
    assert_string_equal(err.text, "s.2: '2' is not an index into a list of 2");
    assert_int_equal(yaml_set_path(d, "s.x", "1", &err), -1);
    assert_int_equal(yaml_set_path(d, "v.x", "1", &err), -1);
    assert_int_equal(yaml_set_path(d, "", "1", &err), -1);
    assert_int_equal(yaml_set_path(d, "a..b", "1", &err), -1);
    assert_int_equal(yaml_set_path(d, "a.", "1", &err), -1);
    assert_int_equal(yaml_set_path(d, "a", "[1", &err), -1);
    yaml_doc_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_where_they_stood),
        cmocka_unit_test(a_quoted_number_stays_a_text),
        cmocka_unit_test(aliases_are_copies),
        cmocka_unit_test(malformed_documents_are_refused_with_their_place),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
        cmocka_unit_test(an_alias_bomb_is_refused),
        cmocka_unit_test(huge_texts_are_refused),
        cmocka_unit_test(a_map_of_many_keys_is_read_quickly_and_its_duplicate_found),
        cmocka_unit_test(every_duplicate_can_be_told_at_once),
        cmocka_unit_test(values_are_put_at_dotted_paths),
        cmocka_unit_test(impossible_paths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
