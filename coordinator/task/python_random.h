/* python_random.h - CPython's random.Random(seed).sample(range(n), k), draw for draw.
 *
 * MT19937 seeded by init_by_array with the seed's 32-bit digits; getrandbits, randbelow by
 * rejection and sample as in CPython 3.11. For reproducing the few-shot draws of
 * lm-evaluation-harness. */
#ifndef COORDINATOR_TASK_PYTHON_RANDOM_H
#define COORDINATOR_TASK_PYTHON_RANDOM_H

#include <stdint.h>

struct python_random {
    uint32_t state[624];
    uint32_t at;
};

void python_random_seed(struct python_random *r, uint64_t seed);
uint32_t python_random_bits32(struct python_random *r);
/* k different indices below n, in the order drawn; k <= n. */
void python_random_sample(struct python_random *r, uint32_t n, uint32_t k, uint32_t *out);

#endif
