/* python_random.c - see python_random.h. The generator is Matsumoto and Nishimura's MT19937. */
#include "proto/python_random.h"

#include <stdbool.h>
#include <stdlib.h>

#include "proto/mem.h"

#define N 624
#define M 397

static void init(struct python_random *r, uint32_t seed)
{
    r->state[0] = seed;
    for (uint32_t i = 1; i < N; i++)
        r->state[i] = 1812433253u * (r->state[i - 1] ^ r->state[i - 1] >> 30) + i;
    r->at = N;
}

void python_random_seed(struct python_random *r, uint64_t seed)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t n_key = key[1] ? 2 : 1, i = 1, j = 0;
    uint32_t *s = r->state;
    init(r, 19650218u);
    for (uint32_t k = 0; k < N; k++) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1664525u) + key[j] + j;
        if (++i == N) {
            s[0] = s[N - 1];
            i = 1;
        }
        j = (j + 1) % n_key;
    }
    for (uint32_t k = 0; k < N - 1; k++) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1566083941u) - i;
        if (++i == N) {
            s[0] = s[N - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000u;
}

static void refill(struct python_random *r)
{
    for (uint32_t i = 0; i < N; i++) {
        uint32_t y = (r->state[i] & 0x80000000u) | (r->state[(i + 1) % N] & 0x7fffffffu);
        r->state[i] = r->state[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    r->at = 0;
}

uint32_t python_random_bits32(struct python_random *r)
{
    if (r->at >= N)
        refill(r);
    uint32_t y = r->state[r->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

uint32_t python_random_below(struct python_random *r, uint32_t n)
{
    unsigned bits = 32 - (unsigned)__builtin_clz(n); /* n > 0 */
    uint32_t v;
    do {
        v = python_random_bits32(r) >> (32 - bits);
    } while (v >= n);
    return v;
}

double python_random_real(struct python_random *r)
{
    uint32_t high = python_random_bits32(r) >> 5, low = python_random_bits32(r) >> 6;
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0);
}

uint32_t python_random_choice(struct python_random *r, uint32_t n)
{
    return (uint32_t)(python_random_real(r) * n);
}

/* Up to this size of the population sample() shuffles a copy of it. */
static uint64_t shuffle_limit(uint32_t k)
{
    uint64_t limit = 21, power = 1;
    if (k > 5) {
        while (power < 3 * (uint64_t)k) /* 4 ** ceil(log(3 k, 4)) */
            power *= 4;
        limit += power;
    }
    return limit;
}

void python_random_sample(struct python_random *r, uint32_t n, uint32_t k, uint32_t *out)
{
    px_assert(k <= n);
    if (n <= shuffle_limit(k)) {
        uint32_t *pool = px_xcalloc(n, sizeof *pool);
        for (uint32_t i = 0; i < n; i++)
            pool[i] = i;
        for (uint32_t i = 0; i < k; i++) {
            uint32_t j = python_random_below(r, n - i);
            out[i] = pool[j];
            pool[j] = pool[n - i - 1];
        }
        free(pool);
        return;
    }
    for (uint32_t i = 0; i < k; i++) {
        bool again = true;
        while (again) {
            out[i] = python_random_below(r, n);
            again = false;
            for (uint32_t j = 0; j < i; j++)
                again = again || out[j] == out[i];
        }
    }
}
