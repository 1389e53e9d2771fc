/* test_pystr.c - Python's str: what CPython 3.11 answers, over all code points and in small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pystr.h"

#define SIGMA "\xCE\xA3"

static uint64_t fnv(uint64_t h, const void *p, size_t n)
{
    for (const unsigned char *b = p; n > 0; n--, b++)
        h = (h ^ *b) * 0x100000001b3u;
    return h;
}

#define FNV_START 0xcbf29ce484222325u

static bool surrogate(uint32_t c)
{
    return c >= 0xD800 && c <= 0xDFFF;
}

static void classes_of_all_code_points(void **state)
{
    (void)state;
    uint64_t h = FNV_START;
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (surrogate(c))
            continue;
        unsigned char bits =
            (unsigned char)(pystr_is_alnum(c) | pystr_is_digit(c) << 1 | pystr_is_upper(c) << 2 |
                            pystr_is_lower(c) << 3 | pystr_is_space(c) << 4);
        h = fnv(h, &bits, 1);
    }
    assert_int_equal(h, 0x81385e6f4de357fa);
}

typedef char *case_fn(struct span s, size_t *n);

static uint64_t all_through(case_fn *f, const char *before, const char *after)
{
    uint64_t h = FNV_START;
    struct px_buf b;
    px_buf_init(&b, 64);
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (surrogate(c))
            continue;
        px_buf_reset(&b);
        px_buf_str(&b, before);
        pystr_put(&b, c);
        px_buf_str(&b, after);
        size_t n;
        char *s = f((struct span){(char *)b.data, b.len}, &n);
        h = fnv(h, s, n);
        free(s);
    }
    px_buf_clear(&b);
    return h;
}

static void case_of_all_code_points(void **state)
{
    (void)state;
    assert_int_equal(all_through(pystr_lower, "", ""), 0xc319d02e8283b91e);
    assert_int_equal(all_through(pystr_upper, "", ""), 0xf1a6102c65729830);
    assert_int_equal(all_through(pystr_capitalize, "", ""), 0x5553b8be0b3cbf35);
    assert_int_equal(all_through(pystr_lower, "A" SIGMA, "B"), 0x25a9ce201dcff42d);
}

static void check_owned(char *got, size_t n, const char *want)
{
    assert_int_equal(n, strlen(want));
    assert_string_equal(got, want);
    free(got);
}

static void cases(void **state)
{
    (void)state;
    size_t n;
    char *s = pystr_capitalize(pystr_of("he USES Tape"), &n);
    check_owned(s, n, "He uses tape");
    s = pystr_upper(pystr_of("stra\xC3\x9F"
                             "e"),
                    &n);
    check_owned(s, n, "STRASSE");
    s = pystr_lower(pystr_of("\xCE\x91" SIGMA " " SIGMA), &n);
    check_owned(s, n, "\xCE\xB1\xCF\x82 \xCF\x83");
    s = pystr_replace(pystr_of("aaaa*b"), pystr_of("aa"), pystr_of("x"), &n);
    check_owned(s, n, "xx*b");
    s = pystr_replace(pystr_of("*a*"), pystr_of("*"), pystr_of(""), &n);
    check_owned(s, n, "a");
    assert_true(pystr_isupper(pystr_of("A1!")));
    assert_false(pystr_isupper(pystr_of("1!")));
    assert_false(pystr_isupper(pystr_of("\xC7\x85"))); /* U+01C5 is a titlecase letter */
    assert_false(pystr_islower(pystr_of("a\xC7\x85")));
    assert_true(pystr_islower(pystr_of("\xE0\xA4\x95 a"))); /* uncased letters do not count */
    assert_false(pystr_islower(pystr_of("\xE0\xA4\x95")));
}

static void assert_span(struct span s, const char *want)
{
    if (s.n != strlen(want) || memcmp(s.p, want, s.n) != 0)
        fail_msg("'%.*s' is not '%s'", (int)s.n, s.p, want);
}

static void ends(void **state)
{
    (void)state;
    assert_span(pystr_strip(pystr_of(" \x1C\xC2\xA0 a b\xE3\x80\x80\n")), "a b");
    assert_span(pystr_strip(pystr_of("\xE2\x80\x8B")), "\xE2\x80\x8B"); /* U+200B stays */
    assert_span(pystr_rstrip(pystr_of(" a ")), " a");
    assert_span(pystr_strip_of(pystr_of("\"'a'\""), "\"'"), "a");
    assert_span(pystr_lstrip_of(pystr_of("''a'"), "'"), "a'");
    assert_true(pystr_blank(pystr_of(" \t\xC2\x85")));
    assert_false(pystr_blank((struct span){"\0", 1}));
    assert_true(pystr_starts(pystr_of("abc"), pystr_of("ab")));
    assert_true(pystr_ends(pystr_of("abc"), pystr_of("bc")));
    assert_false(pystr_ends(pystr_of("c"), pystr_of("bc")));
}

static void splitting(void **state)
{
    (void)state;
    struct span f;
    struct pystr_split i = pystr_split(pystr_of("a****b**"), pystr_of("**"));
    static const char *const fields[] = {"a", "", "b", ""};
    for (size_t k = 0; k < 4; k++) {
        assert_true(pystr_field(&i, &f));
        assert_span(f, fields[k]);
    }
    assert_false(pystr_field(&i, &f));
    i = pystr_split(pystr_of(""), pystr_of(","));
    assert_true(pystr_field(&i, &f));
    assert_span(f, "");
    assert_false(pystr_field(&i, &f));
    struct span rest = pystr_of("  one\xC2\xA0two ");
    assert_true(pystr_word(&rest, &f));
    assert_span(f, "one");
    assert_true(pystr_word(&rest, &f));
    assert_span(f, "two");
    assert_false(pystr_word(&rest, &f));
    assert_int_equal(pystr_count(pystr_of("aaaa"), pystr_of("aa")), 2);
    assert_int_equal(pystr_find(pystr_of("abcabc"), pystr_of("bc"), 2), 4);
}

/* bytes.decode("utf-8", "replace") */
static void ill_formed_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } samples[] = {
        {"\xFF", 1},         {"a\x80z", 3},       {"\xE2\x82", 1},
        {"\xE2\x82z", 2},    {"\xC0\x80", 2},     {"\xED\xA0\x80", 3},
        {"\xF0\x9F\x98", 1}, {"\xF4\x90", 2},     {"\xF0\x9F\x98\x80", 1},
        {"\xE0\x80\x80", 3}, {"\xC3\xC3\xA4", 2},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct span s = pystr_of(samples[i].bytes);
        if (pystr_len(s) != samples[i].len)
            fail_msg("sample %zu has %zu code points", i, pystr_len(s));
        size_t n;
        char *clean = pystr_clean(s, &n);
        assert_int_equal(pystr_len((struct span){clean, n}), samples[i].len);
        size_t at = n, back = 0;
        for (; at > 0; back++)
            (void)pystr_prev((struct span){clean, n}, &at);
        assert_int_equal(back, samples[i].len);
        free(clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_all_code_points),
        cmocka_unit_test(case_of_all_code_points),
        cmocka_unit_test(cases),
        cmocka_unit_test(ends),
        cmocka_unit_test(splitting),
        cmocka_unit_test(ill_formed_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
