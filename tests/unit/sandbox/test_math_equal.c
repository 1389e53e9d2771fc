/* test_math_equal.c - answers that say the same, and answers that only look like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_equal.h"

struct pair {
    const char *a, *b;
};

static bool equal(const char *a, const char *b)
{
    return math_equal((struct span){a, strlen(a)}, (struct span){b, strlen(b)});
}

static void check(const struct pair *p, size_t n, bool want)
{
    for (size_t i = 0; i < n; i++) {
        if (equal(p[i].a, p[i].b) != want)
            fail_msg("%s and %s: %s", p[i].a, p[i].b, want ? "not equal" : "equal");
        if (equal(p[i].b, p[i].a) != want)
            fail_msg("%s and %s, the other way round: %s", p[i].b, p[i].a,
                     want ? "not equal" : "equal");
    }
}
#define CHECK(list, want) check(list, sizeof list / sizeof list[0], want)

static void numbers(void **state)
{
    (void)state;
    static const struct pair same[] = {
        {"36.", "36"},
        {"0.5", "\\frac12"},
        {".5", "1/2"},
        {"1,000", "1000"},
        {"10{,}000", "10000"},
        {"2,\\!598,\\!960", "2598960"},
        {"11,\\! 111,\\! 111,\\! 100", "11111111100"},
        {"111, \\! 111, \\! 111", "111111111"},
        {"\\frac{12}{5,\\!525}", "12/5525"},
        {"1\\,000\\,000", "1000000"},
        {"\\frac 43", "\\dfrac{4}{3}"},
        {"\\frac1{72}", "\\tfrac{1}{72}"},
        {"\\frac{270}7\\text{ degrees}", "\\frac{270}{7}"},
        {"-\\frac{2}{3}", "\\frac{-2}{3}"},
        {"-\\frac{2}{3}", "\\frac{2}{-3}"},
        {"11 \\frac{2}{3}", "\\frac{35}{3}"},
        {"-1\\frac12", "-\\frac{3}{2}"},
        {"1 4/5", "9/5"},
        {"3½", "3.5"},
        {"0.\\overline{3}", "\\frac13"},
        {"0.1\\overline{6}", "1/6"},
        {"2^{10}", "1024"},
        {"2^{-1}", "0.5"},
        {"2^{2005}", "2 \\cdot 2^{2004}"},
        {"3 \\times 10^{4}", "30000"},
        {"\\frac{2004!}{2003!}", "2004"},
        {"\\binom{10}{3}", "120"},
        {"5!", "120"},
        {"1.50", "1.5"},
        {"007", "7"},
        {"-0", "0"},
        {"+5", "5"},
        {"123456789012345678901234567890", "123456789012345678901234567889+1"},
        {"5 million", "5,000,000"},
        {"|-3|", "3"},
        {"\\left\\lfloor \\sqrt{10} \\right\\rfloor", "3"},
        {"\\sqrt{4}", "2"},
        {"\\sqrt[3]{-8}", "-2"},
        {"4^{1/2}", "2"},
        {"10\\%", "10"},
        {"50 percent", "50\\%"},
    };
    static const struct pair different[] = {
        {"36", "37"},
        {"0.33", "\\frac13"},
        {"0.333333333333333", "\\frac13"},
        {"1.4142135623730951", "\\sqrt{2}"},
        {"3.14159", "\\pi"},
        {"\\frac{22}{7}", "\\pi"},
        {"1 2", "12"},
        {"1,2", "12"},
        {"1,2", "1,3"},
        {"1,2,3", "1"},
        {"3 \\text{ and } 5", "35"},
        {"12", "21"},
        {"2^{2005}", "2^{2005}+1"},
        {"123456789012345678901234567890", "123456789012345678901234567891"},
        {"10^{40}+1", "10^{40}"},
        {"50", "0.5"},
        {"5", "-5"},
        {"2", "2i"},
        {"1/0", "1/0+1"},
        {"0/0", "1"},
        {"5 million", "5"},
        {"\\frac{1}{2}", "\\frac{2}{1}"},
        {"1\\frac{1}{2}", "\\frac{1}{2}"},
        {"0.\\overline{3}", "0.3"},
        {"", ""},
        {" ", " "},
        {"", "0"},
        {"10", "10_2"},
        {"5 \\text{ remainder } 2", "5"},
        {"2000!", "2001!"},
    };
    CHECK(same, true);
    CHECK(different, false);
}

static void bases(void **state)
{
    (void)state;
    static const struct pair same[] = {{"52_8", "52_{8}"},
                                       {"152A_{11}", "152A_{11}"},
                                       {"-221_3", "-221_{3}"},
                                       {"0.0011_{2}", "0.0011_2"},
                                       {"0052_8", "52_8"}};
    static const struct pair different[] = {
        {"52_8", "52_5"},           {"52_8", "42"},     {"52_8", "52"},  {"52_8", "42_{10}"},
        {"152A_{11}", "152B_{11}"}, {"10_2", "2_{10}"}, {"11_2", "10_3"}};
    CHECK(same, true);
    CHECK(different, false);
}

static void radicals_and_constants(void **state)
{
    (void)state;
    static const struct pair same[] = {
        {"\\frac{1}{\\sqrt{3}}", "\\frac{\\sqrt{3}}{3}"},
        {"\\sqrt{12}", "2\\sqrt3"},
        {"\\sqrt{3+2\\sqrt{2}}", "1+\\sqrt{2}"},
        {"\\frac{\\sqrt6}3", "\\sqrt{\\frac{2}{3}}"},
        {"\\sqrt{2}\\sqrt{3}", "\\sqrt{6}"},
        {"72\\pi\\sqrt{3}", "72\\sqrt{3}\\pi"},
        {"\\frac{2}{3}\\pi", "\\frac{2\\pi}{3}"},
        {"\\frac \\pi4 + 2 - \\sqrt2", "2-\\sqrt{2}+\\pi/4"},
        {"2π", "2\\pi"},
        {"√2", "\\sqrt{2}"},
        {"√20", "2√5"},
        {"sqrt(2)/2", "\\frac{1}{\\sqrt{2}}"},
        {"\\frac{1}{5} + \\frac{3}{5}i", "\\frac{1+3i}{5}"},
        {"8-i", "-i+8"},
        {"(1+i)^2", "2i"},
        {"\\sqrt{-4}", "2i"},
        {"e^2", "\\exp(2)"},
        {"e^{i\\pi}", "-1"},
        {"\\ln e^3", "3"},
        {"\\log_2 8", "3"},
        {"\\log 100", "2"},
        {"\\sin 30^\\circ", "\\frac12"},
        {"\\cos\\frac{\\pi}{4}", "\\frac{\\sqrt2}{2}"},
        {"2\\cos 15^{\\circ}", "\\frac{\\sqrt{6}+\\sqrt{2}}{2}"},
        {"\\cos 58^\\circ", "\\sin 32^\\circ"},
        {"\\tan^{-1} 1", "\\frac{\\pi}{4}"},
        {"\\arcsin 1", "\\pi/2"},
        {"90^\\circ", "\\frac{\\pi}{2}"},
        {"39^\\circ", "39"},
        {"39°", "39 degrees"},
        {"1\\pm\\sqrt{19}", "1+\\sqrt{19}, 1-\\sqrt{19}"},
        {"\\pm 3", "3, -3"},
        {"\\{1\\pm\\sqrt{5},-2\\}", "\\{-2, 1-\\sqrt5, 1+\\sqrt5\\}"},
        {"x = \\pm 2", "-2, 2"},
        {"2^{2005}\\sqrt{2}", "\\sqrt{2}\\cdot 2^{2005}"},
    };
    static const struct pair different[] = {
        {"\\sqrt{2}", "\\sqrt{3}"},
        {"\\sqrt{23}", "\\sqrt{2}3"},
        {"2+3i", "2-3i"},
        {"2+3i", "3+2i"},
        {"\\sqrt{2}+\\sqrt{3}", "\\sqrt{5}"},
        {"\\sqrt[3]{2}", "\\sqrt{2}"},
        {"\\ln 2", "\\log 2"},
        {"\\cos 58^\\circ", "\\cos 58"},
        {"\\sin 30", "\\frac12"},
        {"\\frac{\\pi}{4}", "46^\\circ"},
        {"\\pi", "180"},
        {"1\\pm\\sqrt{19}", "1+\\sqrt{19}"},
        {"\\pm 3", "3"},
        {"\\sqrt{2}", "-\\sqrt{2}"},
        {"e", "2.718281828459045"},
        {"\\sqrt{x^2}", "x"},
        {"|x|", "x"},
    };
    CHECK(same, true);
    CHECK(different, false);
}

static void expressions(void **state)
{
    (void)state;
    static const struct pair same[] = {
        {"(x-5)(x^2-4x+7)", "(x^2 - 4x + 7)(x - 5)"},
        {"x^2+2x+1", "(x+1)^2"},
        {"(3-x)(3+x)", "9-x^2"},
        {"-\\frac1{2x}", "\\frac{-1}{2x}"},
        {"\\frac{1}{y} + y", "\\frac{1+y^2}{y}"},
        {"\\frac{x^2-1}{x-1}", "x+1"},
        {"2ab", "2ba"},
        {"3qr + 6q - 15r -30", "3(q-5)(r+2)"},
        {"7p+4e", "4e+7p"},
        {"36x \\sqrt{35x}", "36\\sqrt{35}x\\sqrt{x}"},
        {"x_1+x_2", "x_2+x_{1}"},
        {"3 - 2f(x)", "-2f(x)+3"},
        {"x^10", "x^{10}"},
        {"2*x", "2x"},
        {"\\mathbf{v}+\\mathbf{w}", "\\mathbf{w}+\\mathbf{v}"},
        {"\\sin 3x", "3\\sin x - 4\\sin^3 x"},
        {"\\sec x", "\\frac{1}{\\cos x}"},
        {"\\frac{\\sin x}{\\cos x}", "\\tan x"},
        {"4t", "4 t"},
        {"32R^2 - 3(a^2 + b^2 + c^2)", "32R^2-3a^2-3b^2-3c^2"},
        {"2^{n+1}", "2 \\cdot 2^n"},
    };
    static const struct pair different[] = {
        {"x+1", "x-1"},
        {"x", "y"},
        {"x", "X"},
        {"2x", "x^2"},
        {"x_1", "x_2"},
        {"f(2x)", "2f(x)"},
        {"(x+1)^2", "x^2+1"},
        {"x^{1000}+1", "x^{1000}"},
        {"\\frac{1}{2 - x}", "\\frac{1}{x-2}"},
        {"\\mathbf{i}", "i"},
        {"\\sin x", "\\cos x"},
        {"\\sin 2x", "2\\sin x"},
        {"even", "vene"},
        {"odd", "ddo"},
        {"abc", "cab"},
        {"2n", "2m"},
    };
    CHECK(same, true);
    CHECK(different, false);
}

static void structures(void **state)
{
    (void)state;
    static const struct pair same[] = {
        {"(1,2)", "\\left( 1, 2 \\right)"},
        {"(3,\\frac{\\pi}{2})", "\\left( 3, \\pi/2 \\right)"},
        {"[0,\\infty)", "[0, +\\infty)"},
        {"(-\\infty, -7)\\cup(-7, 3)", "(-7,3) \\cup (-\\infty,-7)"},
        {"(-∞, 2) ∪ (3, ∞)", "(-\\infty, 2)\\cup(3,\\infty)"},
        {"\\{-1\\} \\cup [0,7)", "[0,7) \\cup \\{-1\\}"},
        {"1,2,3", "3, 2, 1"},
        {"12\\text{ and }13", "13, 12"},
        {"7, -2, \\text{ and } -5", "-5,-2,7"},
        {"3 or 5", "5, 3"},
        {"\\{1,2\\}", "\\{2,1,1\\}"},
        {"\\{1,2\\}", "2, 1"},
        {"1,\\ 2", "1, 2"},
        {"(1,2),(3,4)", "(3,4), (1,2)"},
        {"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
         "\\begin{bmatrix}1&2\\\\3&4\\\\\\end{bmatrix}"},
        {"\\begin{pmatrix} 1/2 \\\\ 2 \\end{pmatrix}",
         "\\left( \\begin{array}{c} \\frac12 \\\\ 2 \\end{array} \\right)"},
        {"x \\in [-2,7]", "[-2,7]"},
        {"-2 \\le x \\le 7", "[-2,7]"},
        {"x \\ge 3", "[3,\\infty)"},
        {"x < 3", "(-\\infty,3)"},
        {"7 \\ge x > -2", "(-2,7]"},
        {"x > 5", "5 < x"},
        {"f(2) < f(1) < f(4)", "f(4)>f(1)>f(2)"},
        {"x = 5", "5"},
        {"k = 15", "15"},
        {"m+n = 13", "13"},
        {"f(x) = 2x+3", "2x+3"},
        {"\\text{Area} = 5", "5"},
        {"y = 2x + 3", "2x - y + 3 = 0"},
        {"10x - 4y - 5z - 20 = 0", "20 = 10x-4y-5z"},
        {"x^2 + y^2 = 13", "13 = y^2+x^2"},
        {"\\frac{x^2}{16} - \\frac{y^2}{9} = 1", "9x^2-16y^2=144"},
        {"x=2 \\text{ or } x=-3", "-3, 2"},
        {"x = 1, x = 2", "x=2, x=1"},
        {"3:1", "3 : 1"},
        {"\\langle 1,2 \\rangle", "(1,2)"},
        {"\\emptyset", "\\{\\}"},
    };
    static const struct pair different[] = {
        {"(1,2)", "[1,2]"},
        {"(1,2)", "(2,1)"},
        {"(1,2]", "[1,2)"},
        {"(1,2)", "1,2"},
        {"[0,\\infty)", "(0,\\infty)"},
        {"[0,\\infty)", "(-\\infty,0]"},
        {"(1,2)\\cup(3,4)", "(1,2)\\cup(3,5)"},
        {"(1,2)\\cup(3,4)", "(1,2)\\cap(3,4)"},
        {"1,2,3", "1,2"},
        {"1,1,2", "1,2,2"},
        {"\\{1,2\\}", "\\{1,3\\}"},
        {"x\\in[1,2]", "x\\in[3,9]"},
        {"x = 5", "y = 5"},
        {"x = 5", "6"},
        {"x + 3 = 5", "5"},
        {"x = 1, y = 2", "1, 2"},
        {"x = 1, y = 2", "y = 1, x = 2"},
        {"x > 5", "x < 5"},
        {"x > 5", "x \\ge 5"},
        {"x \\ge 3", "(3,\\infty)"},
        {"x \\ge 3", "(-\\infty,3]"},
        {"y = 2x", "y = 3x"},
        {"x = x", "y = y"},
        {"1:2", "2:1"},
        {"\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}"},
        {"\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"},
        {"\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}"},
        {"3 = 4", "5 = 7"},
        {"(1,2", "(1,2)"},
        {"(20,100)", "20100"},
    };
    CHECK(same, true);
    CHECK(different, false);
}

static void words_and_units(void **state)
{
    (void)state;
    static const struct pair same[] = {
        {"\\text{even}", "Even"},
        {"\\text{Evelyn}", "evelyn"},
        {"\\text{(A)}", "A"},
        {"(\\text{E})", "\\text{E}"},
        {"\\text{B, E, G}", "G, B, E"},
        {"\\text{13}", "13"},
        {"\\overline{CD}", "CD"},
        {"\\text{June 20}", "June 20"},
        {"\\text{4:30 p.m.}", "4:30 PM"},
        {"9\\text{ a.m.}", "9:00 am"},
        {"\\$32,\\!348", "32348"},
        {"\\$18.90", "18.9"},
        {"$5$", "5"},
        {"\\(5\\)", "5"},
        {"\\boxed{5}", "5"},
        {"**5**", "5"},
        {"5\\text{ cm}", "5"},
        {"15\\mbox{ cm}^2", "15"},
        {"864 \\mbox{ inches}^2", "864"},
        {"5 cm", "5"},
        {"8\\sqrt{3} \\text { square inches}", "8\\sqrt{3}"},
        {"25 \\, \\text{km}", "25 km"},
        {"12 square feet", "12"},
        {"90\\text{ square\nunits}", "90"},
        {"10\\;\\text{edges}", "10"},
        {"no solution", "No solution"},
        {"\\frac{3}{4}\\pi\\text{ inches}", "\\frac{3\\pi}{4}"},
    };
    static const struct pair different[] = {
        {"\\text{even}", "\\text{odd}"},
        {"9\\text{ a.m.}", "9\\text{ p.m.}"},
        {"9\\text{ a.m.}", "9"},
        {"4:30 p.m.", "4:31 p.m."},
        {"\\text{A}", "\\text{B}"},
        {"A", "a"},
        {"\\text{ACF}", "\\text{CAF}"},
        {"June 20", "20"},
        {"\\text{Monday}", "\\text{Sunday}"},
        {"yes", "no"},
        {"x is even", "x is odd"},
        {"two", "2"},
    };
    CHECK(same, true);
    CHECK(different, false);
}

/* Whatever a model may write: an answer comes, soon, and hostile forms are equal to nothing. */
static void hostile_answers_are_bounded(void **state)
{
    (void)state;
    static const char *const open[] = {"(",
                                       "[",
                                       "{",
                                       "\\{",
                                       "\\sqrt{",
                                       "\\frac{",
                                       "|",
                                       "-",
                                       "2^{",
                                       "1\\frac",
                                       "\\text{",
                                       "\\sin ",
                                       "1,",
                                       "x_",
                                       "(1,",
                                       "9^9^",
                                       "\\begin{pmatrix}",
                                       "\\left",
                                       "!",
                                       "\\pm ",
                                       "1\\frac{",
                                       "\\binom{9}{",
                                       "x=",
                                       "\\overline{"};
    char *s = px_xmalloc(10000001);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        size_t n = strlen(open[i]), at = 0;
        for (; at + n < 4000; at += n)
            memcpy(s + at, open[i], n);
        struct span all = {s, at};
        (void)math_equal(all, (struct span){"1", 1});
        s[at - 1] ^= 1;
        (void)math_equal(all, (struct span){s, at - 1});
    }
    memset(s, '9', 10000000);
    assert_true(math_equal((struct span){s, 10000000}, (struct span){s, 10000000}));
    assert_false(math_equal((struct span){s, 10000000}, (struct span){s, 9999999}));
    assert_false(math_equal((struct span){s, 4096}, (struct span){s, 4095}));
    assert_false(equal("9^{9^{9^{9}}}", "9^{9^{9}}"));
    assert_false(equal("99999999999!", "1"));
    assert_false(equal("20000!+1", "20000!"));
    assert_false(equal("\\binom{1000000000}{500000000}", "1"));
    static const char bytes[] = "\xff\xfe\x00(1,2)\x00";
    assert_false(math_equal((struct span){bytes, sizeof bytes - 1}, (struct span){"(1,2)", 5}));
    free(s);
}

/* Lists of many elements, none of which match: the work is bounded by steps. */
static void long_lists_are_bounded(void **state)
{
    (void)state;
    char *a = px_xmalloc(MATH_MAX_TEXT), *b = px_xmalloc(MATH_MAX_TEXT);
    size_t n = 0;
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(a + n, 16, "%s\\sqrt{%d}", i > 0 ? "," : "", 2 * i + 3);
    memcpy(b, a, n);
    b[n - 2]++;
    assert_true(math_equal((struct span){a, n}, (struct span){a, n}));
    assert_false(math_equal((struct span){a, n}, (struct span){b, n}));
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(bases),
        cmocka_unit_test(radicals_and_constants),
        cmocka_unit_test(expressions),
        cmocka_unit_test(structures),
        cmocka_unit_test(words_and_units),
        cmocka_unit_test(hostile_answers_are_bounded),
        cmocka_unit_test(long_lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
