/* test_template.c - templates: what they write, and that everything unknown is refused in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/task/template.h"

static const char row_json[] =
    "{\"q\": \"  What?\\n\", \"n\": 7, \"x\": 0.1, \"big\": 123456789012345678901234567890, "
    "\"ok\": true, \"none\": null, \"e\": \"\", \"list\": [\"a\", \"b\", \"c\"], "
    "\"choices\": [{\"text\": \"red\", \"label\": \"1\"}, {\"text\": \"blue\", \"label\": \"2\"}], "
    "\"key\": \"2\", \"deep\": {\"a b\": [1, [2, 3]]}, \"accent\": \"h\xc3\xa9llo\"}";

/* 0 and the text, or -1 and the message, in out. */
static int expand(const char *text, char *out, size_t n)
{
    struct px_err err;
    struct px_buf b;
    struct value row;
    struct arena *a = arena_new();
    int rc = -1;
    px_buf_init(&b, 1u << 20);
    px_buf_put(&b, "", 0);
    assert_int_equal(value_parse_json(a, row_json, strlen(row_json), &row, &err), 0);
    struct template_row view = {.row = &row, .number = 41};
    struct text_template *t = template_parse(text, strlen(text), &err);
    if (t)
        rc = template_render(t, &view, a, &b, &err);
    snprintf(out, n, "%s", rc == 0 ? (char *)b.data : err.text);
    template_free(&t);
    px_buf_clear(&b);
    arena_free(&a);
    return rc;
}

static void writes(const char *text, const char *want)
{
    char out[4096];
    if (expand(text, out, sizeof out) != 0)
        fail_msg("%s: %s", text, out);
    assert_string_equal(out, want);
}

static void refuses(const char *text, const char *message)
{
    char out[4096];
    if (expand(text, out, sizeof out) == 0)
        fail_msg("%s gave %s", text, out);
    if (!strstr(out, message))
        fail_msg("%s\ngot: %s\nnot: %s", text, out, message);
}

static void text_and_fields_are_written_as_they_are(void **state)
{
    (void)state;
    writes("", "");
    writes("plain { text } with % and #\n", "plain { text } with % and #\n");
    writes("Question: {{q}}Answer:", "Question:   What?\nAnswer:");
    writes("{{ n }} {{x}} {{ big }} {{ ok }}", "7 0.1 123456789012345678901234567890 True");
    writes("{{ row.n }} {{ row['n'] }} {{ row_number }}", "7 7 41");
    writes("{{ deep['a b'][1][0] }} {{ list[-1] }} {{ choices[1].text }}", "2 c blue");
    writes("{{ '}}' }}{{ \"a\\n\\'\" }}", "}}a\n'");
}

static void numbers_are_written_as_python_writes_them(void **state)
{
    (void)state;
    writes("{{ 1.0 }} {{ 0.5 }} {{ x + x + x }} {{ 2 - 5 }} {{ -n }}",
           "1.0 0.5 0.30000000000000004 -3 -7");
    writes("{{ 100000000000000.0 }} {{ 10000000000000000.0 }} {{ 0.0001 }} {{ 0.00001 }}",
           "100000000000000.0 1e+16 0.0001 1e-05");
    writes("{{ 1234.5678 }} {{ 0.1 + 0.2 }}", "1234.5678 0.30000000000000004");
}

static void expressions_have_jinjas_precedences(void **state)
{
    (void)state;
    writes("{{ 1 + 2 == 3 and not 2 < 1 }}", "True");
    writes("{{ 'a' ~ 1 ~ x }} {{ 1 ~ 2 == '12' }}", "a10.1 True");
    writes("{{ '1' + 2 ~ '' }}", "12");
    writes("{{ 'yes' if n > 5 else 'no' }} {{ 'b' in list }} {{ 'z' not in list }}",
           "yes True True");
    writes("{{ e or 'empty' }} {{ n and 'seven' }}", "empty seven");
    writes("{{ 'hat' in 'What' }} {{ 1 == 1.0 }} {{ '1' == 1 }} {{ [1, 'a'] == [1, 'a'] }}",
           "True True False True");
    writes("{{ 'b' > 'a' }} {{ 2 >= 3 }} {{ 'x' != 'y' }}", "True False True");
    writes("{{ (list + ['d']) | join('') }}", "abcd");
}

static void filters_and_methods_work_as_in_python(void **state)
{
    (void)state;
    writes("[{{ q | trim }}] [{{ q.strip() }}]", "[What?] [What?]");
    writes("{{ 'MiX' | lower }} {{ 'MiX'.upper() }} {{ 'aaa' | replace('aa', 'b') }}",
           "mix MIX ba");
    writes("{{ list | join(', ') }} {{ [1, 2] | join }}", "a, b, c 12");
    writes("{{ accent | length }} {{ list | length }} {{ list | first }} {{ list | last }}",
           "5 3 a c");
    writes("{{ choices | map(attribute='text') | list | join('/') }}", "red/blue");
    writes("{{ (choices | map(attribute='label') | list).index(key) }}", "1");
    writes("{{ 'a,b,,c'.split(',') | join('|') }} {{ ''.split(',') | length }}", "a|b||c 1");
    writes("{{ ' 12 ' | int + 1 }} {{ 7 | string ~ '!' }}", "13 7!");
}

static void letters_and_white_space_are_pythons(void **state)
{
    (void)state;
    writes("{{ accent | upper }} {{ 'he USES Tape' | capitalize }} {{ '\xc7\x86x' | capitalize }}",
           "H\xc3\x89LLO He uses tape \xc7\x85x");
    writes("{{ 'stra\xc3\x9f' | upper }} {{ '\xce\x91\xce\xa3' | lower }}",
           "STRASS \xce\xb1\xcf\x82");
    writes("[{{ '\xc2\xa0 a '.rstrip() }}] [{{ ' a '.lstrip() }}] [{{ 'xyax'.strip('xy') }}]",
           "[\xc2\xa0 a] [a ] [a]");
    writes("{{ ' a  b\n'.split() | join('|') }} {{ 'a,b' | split(',') | length }}", "a|b 2");
    writes("{{ 'h\xc3\xa9y'.find('y') }} {{ 'ab'.find('z') }} {{ 'ab'.index('b') }}", "2 -1 1");
    writes("{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('ab') }}", "True False");
}

static void regular_expressions_replace(void **state)
{
    (void)state;
    writes("{{ 'abxd' | regex_replace('x*', '-') }}", "-a-b--d-");
    writes("{{ 'a  b' | regex_replace('\\\\s+', ' ') }}", "a b");
    writes("{{ '( a ) (b )' | regex_replace('\\\\(\\\\s*([^\\\\)]*?)\\\\s*\\\\)', '(\\\\1)') }}",
           "(a) (b)");
    writes("{{ 'ab' | regex_replace('(a)|(b)', '[\\\\g<1>\\\\2]') }}", "[a][b]");
    refuses("{{ 'a' | regex_replace('(', '') }}", "1:25: regular expression: ");
    refuses("{{ 'a' | regex_replace(q, '') }}", "1:24: the pattern of 'regex_replace' must be");
    refuses("{{ 'a' | regex_replace('a', '\\\\1') }}", "there is no group 1 in the pattern");
    refuses("{{ 7 | regex_replace('a', '') }}", "'regex_replace' works on a text");
    refuses("{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' | regex_replace('(a|a|aa)+$', '') }}",
            "the regular expression takes too long on this text");
}

static void parts_of_texts_and_lists_are_taken(void **state)
{
    (void)state;
    writes("{{ 'h\xc3\xa9llo'[1:3] }} {{ 'abc'[:-1] }} {{ 'abc'[5:] }} {{ 'abc'[2:1] }}.",
           "\xc3\xa9l ab  .");
    writes("{{ list[1:] | join }} {{ list[:1] | join }} {{ list[:] | length }}", "bc a 3");
    writes("{{ 'ABCD'[2] }} {{ 'ABCD'[-1] }}", "C D");
    refuses("{{ 'ABCD'[4] }}", "index 4 is outside the text");
    refuses("{{ n[1:] }}", "an integer has no slices");
    refuses("{{ list['a':] }}", "a slice begins and ends at integers");
}

static void what_is_not_there_may_be_asked_for(void **state)
{
    (void)state;
    writes("{{ nix | default('no') }} {{ deep.nix | default('no') }} {{ n | default(1) }}",
           "no no 7");
    writes("[{{ nix | default }}] {{ e | default('x', true) }} {{ list[9] | default('y') }}",
           "[] x y");
    writes("{{ nix is defined }} {{ n is defined }} {{ nix is not defined }}", "False True True");
    writes("{{ none is none }} {{ q is string }} {{ n is number }} {{ list is sequence }} "
           "{{ deep is mapping }} {{ ok is boolean }} {{ n is not none }}",
           "True True True True True True True");
    refuses("{{ nix is none }}", "the row has no field 'nix'");
    refuses("{{ (n + 'a') | default(1) }}", "cannot be added");
    refuses("{{ n is prime }}", "1:9: an unknown test behind `is`; known: defined, none");
}

static void values_are_named_and_written_as_json(void **state)
{
    (void)state;
    writes("{% set a = n + 1 %}{{ a }}{% set a = a ~ '!' %}{{ a }}", "88!");
    writes("{% if ok %}{% set a = 1 %}{% endif %}{{ a }}{% for i in [5] %}{% set a = i %}{{ a }}"
           "{% endfor %}{{ a }}",
           "151");
    writes("{{ deep | tojson }} {{ [1, 'h\xc3\xa9\n', x, ok] | tojson }}",
           "{\"a b\": [1, [2, 3]]} [1, \"h\xc3\xa9\\n\", 0.1, true]");
    writes("{{ ['b', 'a', 'ab'] | sort | join(' ') }} {{ [3, 1.5] | sort | join(' ') }}",
           "a ab b 1.5 3");
    writes("{{ 2.5 | round }} {{ 2.675 | round(2) }} {{ 7.9 | int }} {{ '1.5' | float + 1 }}",
           "2.0 2.67 7 2.5");
    writes("{{ deep.keys() | join }} {{ deep.values() | length }}", "a b 1");
    refuses("{{ [1, 'a'] | sort }}", "'sort' takes all texts or all numbers");
    refuses("{% set 1 = 2 %}", "expected: set name = value");
    refuses("{{ a }}{% set a = 1 %}", "the row has no field 'a'");
}

static void blocks_choose_and_repeat(void **state)
{
    (void)state;
    writes("{% if n == 7 %}A{% elif n == 8 %}B{% else %}C{% endif %}", "A");
    writes("{% if n == 6 %}A{% elif ok %}B{% else %}C{% endif %}", "B");
    writes("{% if none %}A{% elif e %}B{% else %}C{% endif %}{% if e %}X{% endif %}", "C");
    writes("{% for c in choices %}{{ loop.index }}. {{ c.text }}{% if not loop.last %}, "
           "{% endif %}{% endfor %}",
           "1. red, 2. blue");
    writes("{% for a in [1, 2] %}{% for b in [3, 4] %}{{ a ~ b }} {% endfor %}{% endfor %}",
           "13 14 23 24 ");
    writes("{% for q in [] %}{{ q }}{% endfor %}.", ".");
}

static void minus_signs_take_white_space_away(void **state)
{
    (void)state;
    writes("a \n{%- if ok -%}\n b \n{%- endif -%}\n c", "abc");
    writes("a {{- n -}} b", "a7b");
    writes("a {# not this #} b {#- nor this -#} c", "a  bc");
}

static void a_single_expression_keeps_its_type(void **state)
{
    (void)state;
    struct px_err err;
    struct value row, v;
    struct arena *a = arena_new();
    assert_int_equal(value_parse_json(a, row_json, strlen(row_json), &row, &err), 0);
    struct template_row view = {.row = &row, .number = 0};
    struct text_template *t = template_parse("{{ list }}", 10, &err);
    assert_int_equal(template_value(t, &view, a, &v, &err), 0);
    assert_int_equal(v.kind, VALUE_LIST);
    assert_int_equal(v.n, 3);
    template_free(&t);
    t = template_parse("{{ n }} ", 8, &err);
    assert_int_equal(template_value(t, &view, a, &v, &err), 0);
    assert_int_equal(v.kind, VALUE_TEXT);
    template_free(&t);
    arena_free(&a);
}

static void unknown_constructs_are_refused_with_their_place(void **state)
{
    (void)state;
    refuses("a\n {{ q | frob }}", "template 2:9: unknown filter 'frob'; known: trim,");
    refuses("{{ q.frob() }}", "template 1:6: unknown method 'frob'; known: strip,");
    refuses("{% macro a() %}", "template 1:1: 'macro' is not a known statement");
    refuses("{% raw %}x{% endraw %}", "template 1:1: 'raw' is not a known statement");
    refuses("{{ 2 * 3 }}", "template 1:6: '}}' is missing");
    refuses("{{ list[0:2:1] }}", "template 1:12: ']' is missing");
    refuses("{{ {'a': 1} }}", "an expression is missing");
    refuses("{{ range(3) }}", "only methods and filters can be called");
    refuses("{{ 1 < 2 < 3 }}", "template 1:10: a chain of comparisons");
    refuses("{{ 'a\\x41' }}", "an unknown escape");
    refuses("{{ list | map('upper') }}", "'map' takes attribute=...");
    refuses("{{ q | trim(1, 2) }}", "'trim' takes 0 to 1 arguments, not 2");
    refuses("{{ q | lower(1) }}", "'lower' takes 0 arguments, not 1");
    refuses("{{ q | replace('a') }}", "'replace' takes 2 arguments, not 1");
}

static void unbalanced_templates_are_refused(void **state)
{
    (void)state;
    refuses("{{ n", "'}}' is missing");
    refuses("{{ }}", "template 1:4: an expression is missing");
    refuses("{% if n %}x", "the block that begins here has no end");
    refuses("x{% endif %}", "template 1:2: 'endif' without its beginning");
    refuses("{% for a in list %}{% endif %}", "'endif' without its beginning");
    refuses("{% if n %}{% else %}{% else %}{% endif %}", "'else' without its beginning");
    refuses("{% for in list %}{% endfor %}", "expected: for name in list");
    refuses("{# x", "template 1:1: a comment without its end");
    refuses("{{ 'x }}", "template 1:4: a text without its closing quote");
    refuses("{{ 1 if 2 }}", "needs an else");
    refuses("{% %}", "a statement needs a word");
}

static void rendering_is_strict(void **state)
{
    (void)state;
    refuses("{{ nothing }}", "template 1:4: the row has no field 'nothing'");
    refuses("{{ row.nothing }}", "template 1:8: a map has no field 'nothing'");
    refuses("{{ n.x }}", "an integer has no field 'x'");
    refuses("{{ list[3] }}", "index 3 is outside a list of 3");
    refuses("{{ list['a'] }}", "a list cannot be indexed by a text");
    refuses("{{ list }}", "a list cannot be written as text");
    refuses("{{ none }}", "null cannot be written as text");
    refuses("{{ 'a' + 1 }}", "a text and an integer cannot be added");
    refuses("{{ 1 < 'a' }}", "have no order");
    refuses("{{ 9223372036854775807 + 1 }}", "beyond 64 bits");
    refuses("{{ list.index('z') }}", "the list does not hold the value");
    refuses("{{ q | int }}", "is not an integer");
    refuses("{% for a in n %}{% endfor %}", "a loop over an integer");
    refuses("{{ choices | map(attribute='z') | list }}", "item 0 of 'map' has no field 'z'");
}

static void depth_and_work_are_bounded(void **state)
{
    (void)state;
    char text[4096] = "{{ ";
    memset(text + 3, '(', 200);
    refuses(text, "more than 32 levels of nesting");
    memset(text + 3, '-', 200);
    memcpy(text + 203, "1 }}", 5);
    refuses(text, "more than 32 levels of nesting");
    struct px_buf loops;
    px_buf_init(&loops, 4096);
    for (int i = 0; i < 20; i++)
        px_buf_str(&loops, "{% for a in [1,2,3,4,5,6,7,8,9,0] %}");
    px_buf_str(&loops, "x");
    for (int i = 0; i < 20; i++)
        px_buf_str(&loops, "{% endfor %}");
    refuses((char *)loops.data, "more than a million steps");
    px_buf_clear(&loops);
}

static void json_values_are_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* NULL: accepted */
    } cases[] = {{"{\"a\": [1, -2.5e3, \"\\u00e9\\ud83d\\ude00\\n\"], \"b\": {}}", NULL},
                 {"[]", NULL},
                 {"01", "byte 2"},
                 {"1.", "byte 3"},
                 {"-", "byte 1"},
                 {"1e", "byte 3"},
                 {"[1,]", "byte 4"},
                 {"{\"a\":1,}", "byte 8"},
                 {"{a:1}", "byte 2"},
                 {"\"\\ud800\"", "byte 8: half of a surrogate pair"},
                 {"\"\\udc00\"", "half of a surrogate pair"},
                 {"\"\\x\"", "byte 3: an unknown escape"},
                 {"\"a\nb\"", "byte 3: a control character"},
                 {"\"abc", "byte 1: a text without its closing quote"},
                 {"\"abc\\", "without its closing quote"},
                 {"NaN", NULL},
                 {"nan", "byte 1"},
                 {"-Inf", "byte 1"},
                 {"1e999", "beyond the range"},
                 {"1 2", "byte 3: something stands after the value"},
                 {"", "byte 1: the text ends"},
                 {"tru", "byte 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct px_err err = {0};
        struct value v;
        struct arena *a = arena_new();
        int rc = value_parse_json(a, cases[i].text, strlen(cases[i].text), &v, &err);
        if (cases[i].message && (rc == 0 || !strstr(err.text, cases[i].message)))
            fail_msg("%s: %s", cases[i].text, rc == 0 ? "accepted" : err.text);
        if (!cases[i].message && rc != 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        arena_free(&a);
    }
}

static void json_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-2500.5,\"\xc3\xa9\\n\\\"\"],\"b\":{},\"c\":null,"
                               "\"d\":true,\"e\":123456789012345678901,"
                               "\"f\":[1.0,-0.0,1e+300,NaN,Infinity,-Infinity]}";
    struct px_err err;
    struct value v;
    struct px_buf b;
    struct arena *a = arena_new();
    px_buf_init(&b, 4096);
    assert_int_equal(value_parse_json(a, text, strlen(text), &v, &err), 0);
    value_write_json(&v, &b);
    assert_string_equal((char *)b.data, text);
    static const char twice[] = "{\"a\": 1, \"a\": 2}";
    assert_int_equal(value_parse_json(a, twice, strlen(twice), &v, &err), 0);
    assert_int_equal(v.n, 1);
    assert_int_equal(value_get(&v, "a", 1)->integer, 2);
    px_buf_clear(&b);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_and_fields_are_written_as_they_are),
        cmocka_unit_test(numbers_are_written_as_python_writes_them),
        cmocka_unit_test(expressions_have_jinjas_precedences),
        cmocka_unit_test(filters_and_methods_work_as_in_python),
        cmocka_unit_test(letters_and_white_space_are_pythons),
        cmocka_unit_test(regular_expressions_replace),
        cmocka_unit_test(parts_of_texts_and_lists_are_taken),
        cmocka_unit_test(what_is_not_there_may_be_asked_for),
        cmocka_unit_test(values_are_named_and_written_as_json),
        cmocka_unit_test(blocks_choose_and_repeat),
        cmocka_unit_test(minus_signs_take_white_space_away),
        cmocka_unit_test(a_single_expression_keeps_its_type),
        cmocka_unit_test(unknown_constructs_are_refused_with_their_place),
        cmocka_unit_test(unbalanced_templates_are_refused),
        cmocka_unit_test(rendering_is_strict),
        cmocka_unit_test(depth_and_work_are_bounded),
        cmocka_unit_test(json_values_are_strict),
        cmocka_unit_test(json_is_written_as_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
