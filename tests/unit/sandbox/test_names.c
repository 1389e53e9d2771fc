/* test_names.c - which function assertions call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sandbox/score/names.h"

static void the_first_call_of_no_builtin_is_meant(void **state)
{
    (void)state;
    static const struct {
        const char *source, *name;
        bool builtin;
    } cases[] = {{"assert add(1, 2) == 3", "add", false},
                 {"assert set(similar((3, 4))) == set((4,))", "similar", false},
                 {"assert math.isclose(volume(10), 4188.79, rel_tol=0.001)", "volume", false},
                 {"assert not is_ok ('f(x)')", "is_ok", false},
                 {"assert sum(10, 15) == 6", "sum", true},
                 {"assert len('g(1)') == 4 # h(2)", "len", true},
                 {"assert 'a\\'b(c)' == unquote('x')", "unquote", false},
                 {"assert b'f(1)' == rb\"g(2)\" or \"\"\"h(\n3)\"\"\" == k(1)", "k", false},
                 {"assert x. y(1) in [z(2)]", "z", false},
                 {"assert (lambda q: q)(1) and (depth(root)) == 3", "depth", false},
                 {"assert gr\xc3\xb6\xc3\x9f(1)", "gr\xc3\xb6\xc3\x9f", false},
                 {"assert x == 1", "", false},
                 {"'never closed f(1)", "", false},
                 {"", "", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool builtin;
        struct span source = {cases[i].source, strlen(cases[i].source)};
        struct span got = names_called(source, &builtin);
        if (!text_equals(got, cases[i].name) || builtin != cases[i].builtin)
            fail_msg("%s: %.*s", cases[i].source, (int)got.n, got.p);
    }
}

/* Hostile source: time is linear, so 10 MB of it are nothing. */
static void long_sources_are_read_once(void **state)
{
    (void)state;
    static const char *const parts[] = {"'", "((((", "a.", "a (", "\"\"\"\\", "#", "\0\xff"};
    size_t n = 10u << 20;
    char *all = malloc(n);
    assert_non_null(all);
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        size_t w = strlen(parts[k]) + (parts[k][0] == '\0' ? 2 : 0);
        for (size_t i = 0; i < n; i++)
            all[i] = parts[k][i % w];
        bool builtin;
        struct span got = names_called((struct span){all, n}, &builtin);
        assert_true(got.n <= n && got.p >= all && got.p + got.n <= all + n);
    }
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_call_of_no_builtin_is_meant),
        cmocka_unit_test(long_sources_are_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
