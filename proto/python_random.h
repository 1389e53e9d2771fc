/* python_random.h - CPython's random.Random(seed), draw for draw.
 *
 * MT19937 seeded by init_by_array with the seed's 32-bit digits; getrandbits, randbelow by
 * rejection, random, choices and sample as in CPython 3.11. For reproducing the few-shot draws and
 * the bootstrapped standard errors of lm-evaluation-harness. */
#ifndef PROTO_PYTHON_RANDOM_H
#define PROTO_PYTHON_RANDOM_H

#include <stdint.h>

struct python_random {
    uint32_t state[624];
    uint32_t at;
};

void python_random_seed(struct python_random *r, uint64_t seed);
uint32_t python_random_bits32(struct python_random *r);
/* randbelow(n): 0 to n - 1; n > 0. */
uint32_t python_random_below(struct python_random *r, uint32_t n);
/* random(): 53 bits of two outputs, 0 <= x < 1. */
double python_random_real(struct python_random *r);
/* choices(range(n), k=1)[0]: floor(random() * n). */
uint32_t python_random_choice(struct python_random *r, uint32_t n);
/* k different indices below n, in the order drawn; k <= n. */
void python_random_sample(struct python_random *r, uint32_t n, uint32_t k, uint32_t *out);

#endif
