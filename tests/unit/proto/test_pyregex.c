/* test_pyregex.c - regular expressions of Python: expected values are what CPython 3.11 gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/pyregex.h"

static struct span of(const char *s)
{
    return (struct span){s, strlen(s)};
}

/* All matches as start:end in bytes. */
static char *spans(const char *pattern, unsigned flags, struct span text, bool *limited)
{
    struct pyregex *re = pyregex_make(pattern, flags);
    struct pyregex_scan *s = pyregex_scan_new(re, text);
    struct pyregex_match m;
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    while (pyregex_next(s, &m))
        px_buf_printf(&b, "%s%zu:%zu", b.len > 0 ? " " : "", (size_t)(m.group[0].p - text.p),
                      (size_t)(m.group[0].p - text.p) + m.group[0].n);
    *limited = pyregex_scan_free(s);
    pyregex_free(re);
    return px_buf_steal(&b, NULL);
}

static const struct {
    const char *pattern;
    unsigned flags;
    const char *text, *want;
} cases[] = {
    {"(-?[$0-9.,]{2,})|(-?[0-9]+)", 0, "5 apples, $12.50 or 3-12", "0:1 10:16 20:21 21:24"},
    {"x*", 0, "axxb", "0:0 1:3 3:3 4:4"},
    {"a|ab", 0, "ab", "0:1"},
    {"^|$", PYRE_MULTILINE, "a\nb\n", "0:0 1:1 2:2 3:3 4:4"},
    {"$", 0, "a\n", "1:1 2:2"},
    {"a\\Z", 0, "a\n", ""},
    {".", 0, "\r\xe2\x80\xa8\n\xc2\x85", "0:1 1:4 5:7"},
    {"(?s)b.*c", 0, "ab\nc", "1:4"},
    {"\\s+", 0, "a\x1c\x1f\xc2\xa0\xe2\x80\xaf z", "1:9"},
    {"\\s", 0, "\xe1\xa0\x8e", ""}, /* U+180E is no white space */
    {"\\s", 0, "\xe2\x80\x8b", ""}, /* nor is U+200B */
    {"[^\\S\\n]+", 0, "a \n\x1d b", "1:2 3:5"},
    {"[\\S]+", 0, "a \x1c b", "0:1 4:5"},
    {"\\w+", 0, "e\xcc\x81t\xc3\xa9_1 \xc2\xbd\xe2\x80\xbf", "0:1 3:8 9:11"},
    {"\\W+", 0, "ab, \xe2\x80\xbf_", "2:7"},
    {"[\\W_]+", 0, "ab, \xe2\x80\xbf_c", "2:8"},
    {"[^\\W\\d]+", 0, "ab12c", "0:2 4:5"},
    {"\\d+", 0, "1\xd9\xa2\xc2\xb2", "0:3"},
    {"\\bcat\\b", PYRE_IGNORECASE, "Cat category cat", "0:3 13:16"},
    {"\\x41\\u00e9\\v", 0, "A\xc3\xa9\v", "0:4"},
    {"[[a]+", 0, "[a]", "0:2"},
    {"[]a]+", 0, "x]a", "1:3"},
    {"[^]]+", 0, "x]a", "0:1 2:3"},
    {"[[:alpha:]]", 0, ":]", "0:2"},
    {"a{,2}", 0, "aaa", "0:2 2:3 3:3"},
    {"a{,x}", 0, "a{,x}", "0:5"},
    {"(?i)\\u212a", 0, "k", "0:1"},
    {"(?u)(?#no)a(?s:.)b", 0, "a\nb", "0:3"},
    {"(?P<q>['\"])\\w+(?P=q)", 0, "'a\" \"b\"", "4:7"},
    {"(a)?(?(1)b|c)", 0, "ab c", "0:2 3:4"},
    {"(?<!\\\\)\\$", 0, "\\$ $", "3:4"},
    {"\\*[^\\n\\*]*\\*", 0, "*a* and **b**", "0:3 8:10 11:13"},
    {"", 0, "", "0:0"},
    {"\\B", 0, "", ""},
    {"\\B", 0, "ab", "1:1"},
};

static void matches_are_those_of_python(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool limited;
        char *got = spans(cases[i].pattern, cases[i].flags, of(cases[i].text), &limited);
        if (strcmp(got, cases[i].want) != 0 || limited)
            fail_msg("%s gave %s, wanted %s", cases[i].pattern, got, cases[i].want);
        free(got);
    }
}

static void bad_patterns_are_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *says;
    } bad[] = {{"(", "parenthes"},      {"a(?i)", "start"},         {"[a", "closed"},
               {"\\q", "escape"},       {"\\", "backslash"},        {"(*COMMIT)a", "repeat"},
               {"(?R)", "supported"},   {"(?|a|b)", "supported"},   {"(?a)b", "supported"},
               {"\\pL", "escape"},      {"\\Kx", "escape"},         {"\\x4", "incomplete"},
               {"[\\w-a]", "range"},    {"[a-\\d]", "range"},       {"[z-a]", "range"},
               {"*a", "quantifier"},    {"(?#a", "comment"},        {"(?<n>a)", "supported"},
               {"a{70000}", "too big"}, {"(?<=a+)b", "lookbehind"}, {"\xff", "UTF-8"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct px_err err = {.text = ""};
        struct span p = of(bad[i].pattern);
        assert_null(pyregex_new(p, 0, &err));
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].pattern, err.text);
        assert_int_equal(pypattern_check(p.p, p.n, 0, NULL), -1);
    }
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    for (int i = 0; i < PYPATTERN_GROUPS; i++)
        px_buf_str(&b, "(a)");
    assert_null(pyregex_new((struct span){(char *)b.data, b.len}, 0, NULL));
    assert_non_null(strstr((char *)b.data, "(a)(a)"));
    px_buf_clear(&b);
}

static void groups_and_sub(void **state)
{
    (void)state;
    struct pyregex *re = pyregex_make("(a)|(b)(c)?", 0);
    struct pyregex_match m;
    bool limited = false;
    assert_true(pyregex_search(re, of("xb"), &m, &limited));
    assert_int_equal(m.n, 4);
    assert_null(m.group[1].p);
    assert_null(m.group[3].p);
    assert_int_equal(m.group[2].n, 1);
    assert_int_equal(pyregex_count(re, of("abcd"), &limited), 2);
    struct px_buf b;
    struct px_err err = {0};
    px_buf_init(&b, 1 << 10);
    assert_int_equal(pyregex_sub(re, of("abcd"), of("<\\1\\g<3>\\\\>"), &b, &limited, &err), 0);
    assert_int_equal(b.len, 9);
    assert_memory_equal(b.data, "<a\\><c\\>d", 9);
    assert_int_equal(pyregex_sub(re, of("a"), of("\\4"), &b, &limited, &err), -1);
    assert_non_null(strstr(err.text, "there is no group 4"));
    assert_int_equal(pyregex_sub(re, of("a"), of("\\w"), &b, &limited, &err), -1);
    assert_non_null(strstr(err.text, "an unknown escape"));
    px_buf_clear(&b);
    pyregex_free(re);

    size_t n;
    re = pyregex_make("x*", 0);
    px_buf_init(&b, 1 << 10);
    assert_int_equal(pyregex_sub(re, of("abxd"), of("-"), &b, &limited, NULL), 0);
    assert_memory_equal(b.data, "-a-b--d-", 8);
    px_buf_clear(&b);
    char *s = pyregex_delete(re, of("xaxxb"), &n, &limited);
    assert_string_equal(s, "ab");
    assert_int_equal(n, 2);
    free(s);
    pyregex_free(re);
    assert_false(limited);
}

static void nul_is_a_character_and_bad_text_has_no_match(void **state)
{
    (void)state;
    bool limited;
    char *got = spans("\\x00b", 0, (struct span){"a\0b", 3}, &limited);
    assert_string_equal(got, "1:3");
    free(got);
    got = spans(".*", 0, (struct span){"a\xff", 2}, &limited);
    assert_string_equal(got, "");
    free(got);
}

/* Each would take hours or gigabytes without a budget. The letters that patterns end with are in
 * the text, out of reach, so that no look ahead for them helps. */
static void hostile_texts_end_in_bounded_work(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(a+)+$", "(a|aa)*c", "a*a*a*a*b", "(?s)(a|b)*c",
                                           "(a*)\\1\\1d"};
    static const char tail[] = "!bcd!";
    size_t n = 200000;
    char *text = px_xmalloc(n);
    memset(text, 'a', n);
    memcpy(text + n - strlen(tail), tail, strlen(tail));
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct pyregex *re = pyregex_make(patterns[i], 0);
        struct pyregex_match m;
        bool limited = false;
        bool found = pyregex_search(re, (struct span){text, n}, &m, &limited);
        if (found || !limited)
            fail_msg("%s: found %d, limited %d", patterns[i], found, limited);
        pyregex_free(re);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_are_those_of_python),
        cmocka_unit_test(bad_patterns_are_refused_in_words), cmocka_unit_test(groups_and_sub),
        cmocka_unit_test(nul_is_a_character_and_bad_text_has_no_match),
        cmocka_unit_test(hostile_texts_end_in_bounded_work)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
