/* fuzz_math.c - two answers, split at the first NUL: extraction, normalisation, sympy's reader and
 * the equivalence checker. Equality must be symmetric. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_equal.h"
#include "sandbox/score/math_extract.h"
#include "sandbox/score/math_norm.h"
#include "sandbox/score/math_sympy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = nul != NULL ? (size_t)(nul - data) : size;
    struct span a = {(const char *)data, n};
    struct span b = nul != NULL ? (struct span){(const char *)nul + 1, size - n - 1} : a;
    px_assert(math_equal(a, b) == math_equal(b, a));
    (void)math_sympy_equal(a, b);
    px_assert(math_same_normalised(a, a));
    px_assert(math_same_stripped(a, a));
    for (int lm_eval = 0; lm_eval < 2; lm_eval++) {
        (void)math_boxed(a, lm_eval);
        (void)math_sentence(a, lm_eval);
    }
    struct extract e;
    math_extract((struct span){(const char *)data, size}, &e);
    free(e.text);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const struct {
        const char *text;
        size_t n;
    } seeds[] = {
#define SEED(s) {s, sizeof s - 1}
        SEED("\\left(-\\infty,-\\frac 12\\right)\\cup[3,\\infty)\0[3,\\infty)\\cup(-\\infty,-0.5)"),
        SEED("11 \\frac{2}{3}\0\\frac{35}{3}\\text{ cm}^2"),
        SEED("\\begin{pmatrix} 1/\\sqrt{2} & 0 \\\\ 2 & x_1^2 \\end{pmatrix}\0f(x)=\\sin^2 3x"),
        SEED("\\{1\\pm\\sqrt{5},-2\\}\0x = 1, x=\\log_2 8, \\binom{5}{2}, 152A_{11}, 3:1"),
        SEED("Final Answer: The final answer is $\\$1,\\!000$. I hope it is correct.\0\\boxed{5}"),
        SEED("|x-2| \\le \\lfloor \\pi \\rfloor\0-2 < x \\leq 7 \\text{ or } \\text{4:30 p.m.}"),
        SEED("0.\\overline{3}\0\\cos 58^\\circ + e^{i\\pi} - \\sqrt[3]{-8}")};
#undef SEED
    if (i >= sizeof seeds / sizeof seeds[0] || seeds[i].n > cap)
        return 0;
    memcpy(out, seeds[i].text, seeds[i].n);
    return seeds[i].n;
}
