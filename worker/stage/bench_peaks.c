/* bench_peaks.c - loops over registers, and their speed. */
#include "worker/stage/bench_peaks.h"

#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>

#include "worker/engine/amx_tiles.h"
#endif

enum { CPU_ROUNDS = 3, CPU_STEPS = 1 << 20 };

#if defined(__x86_64__)
enum { ACCS = 12 };

__attribute__((target("avx512f,avx512vnni"))) static double int8_avx512(uint32_t steps,
                                                                        uint64_t *sink)
{
    __m512i acc[ACCS], a = _mm512_set1_epi32((int)steps | 0x01020304), b = _mm512_set1_epi8(1);
    for (int k = 0; k < ACCS; k++)
        acc[k] = _mm512_setzero_si512();
    for (uint32_t i = 0; i < steps; i++)
#pragma GCC unroll 12
        for (int k = 0; k < ACCS; k++)
            acc[k] = _mm512_dpbusd_epi32(acc[k], a, b);
    for (int k = 1; k < ACCS; k++)
        acc[0] = _mm512_add_epi32(acc[0], acc[k]);
    *sink = (uint64_t)_mm512_reduce_add_epi32(acc[0]);
    return 2.0 * 64 * ACCS * steps;
}

/* Without VNNI a dot product of bytes is three instructions. */
__attribute__((target("avx2"))) static double int8_avx2(uint32_t steps, uint64_t *sink)
{
    __m256i acc[ACCS], a = _mm256_set1_epi32((int)steps | 0x01020304), b = _mm256_set1_epi8(1);
    __m256i ones = _mm256_set1_epi16(1);
    for (int k = 0; k < ACCS; k++)
        acc[k] = _mm256_set1_epi32(k);
    for (uint32_t i = 0; i < steps; i++)
#pragma GCC unroll 12
        for (int k = 0; k < ACCS; k++) {
            /* The barrier keeps the product inside the loop. */
            __asm__ volatile("" : "+x"(a));
            acc[k] = _mm256_add_epi32(acc[k], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    for (int k = 1; k < ACCS; k++)
        acc[0] = _mm256_add_epi32(acc[0], acc[k]);
    *sink = (uint64_t)_mm256_extract_epi64(acc[0], 0);
    return 2.0 * 32 * ACCS * steps;
}

__attribute__((target("avx512f"))) static double f32_avx512(uint32_t steps, uint64_t *sink)
{
    __m512 acc[ACCS], a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps((float)steps);
    for (int k = 0; k < ACCS; k++)
        acc[k] = _mm512_set1_ps((float)k);
    for (uint32_t i = 0; i < steps; i++)
#pragma GCC unroll 12
        for (int k = 0; k < ACCS; k++)
            acc[k] = _mm512_fmadd_ps(acc[k], a, b);
    for (int k = 1; k < ACCS; k++)
        acc[0] = _mm512_add_ps(acc[0], acc[k]);
    *sink = (uint64_t)(_mm512_reduce_add_ps(acc[0]) > 0);
    return 2.0 * 16 * ACCS * steps;
}

__attribute__((target("avx2,fma"))) static double f32_avx2(uint32_t steps, uint64_t *sink)
{
    __m256 acc[ACCS], a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps((float)steps);
    for (int k = 0; k < ACCS; k++)
        acc[k] = _mm256_set1_ps((float)k);
    for (uint32_t i = 0; i < steps; i++)
#pragma GCC unroll 12
        for (int k = 0; k < ACCS; k++)
            acc[k] = _mm256_fmadd_ps(acc[k], a, b);
    for (int k = 1; k < ACCS; k++)
        acc[0] = _mm256_add_ps(acc[0], acc[k]);
    *sink = (uint64_t)(_mm256_cvtss_f32(acc[0]) > 0);
    return 2.0 * 8 * ACCS * steps;
}

/* Four tiles of sums, 16 x 16 each from 64 bytes, that do not wait for one another. The permission
 * to use tiles was asked for when the kernels were chosen. */
static double int8_amx(uint32_t steps, uint64_t *sink)
{
    const struct tile_config shape = tile_shape(TILE_ROWS, TILE_BYTES);
    tile_configure(&shape); /* all tiles are zero then */
    for (uint32_t i = 0; i < steps / 16; i++) {
        tile_multiply(0);
        tile_multiply(1);
        tile_multiply(2);
        tile_multiply(3);
    }
    tile_release();
    *sink = steps;
    return 2.0 * TILE_ROWS * 16 * TILE_BYTES * TILE_SUMS * (steps / 16);
}
#endif

/* Machines without the above: what the compiler makes of vectors. */
typedef uint32_t ints __attribute__((vector_size(64)));
typedef float floats __attribute__((vector_size(64)));

static double int8_plain(uint32_t steps, uint64_t *sink)
{
    ints a = {steps, 1, 2, 3}, acc[4] = {a, a, a, a};
    for (uint32_t i = 0; i < steps; i++)
        for (int k = 0; k < 4; k++)
            acc[k] = acc[k] * a + a;
    acc[0] += acc[1] + acc[2] + acc[3];
    *sink = acc[0][0];
    return 2.0 * 16 * 4 * steps;
}

static double f32_plain(uint32_t steps, uint64_t *sink)
{
    floats a = {0.5f, 0.25f}, acc[4] = {a, a, a, a};
    for (uint32_t i = 0; i < steps; i++)
        for (int k = 0; k < 4; k++)
            acc[k] = acc[k] * a + a;
    acc[0] += acc[1] + acc[2] + acc[3];
    *sink = (uint64_t)(acc[0][0] > 0);
    return 2.0 * 16 * 4 * steps;
}

struct bench_peak bench_peak(const char *isa, bool is_float)
{
#if defined(__x86_64__)
    if (strcmp(isa, "amx") == 0 && !is_float)
        return (struct bench_peak){"amx", int8_amx};
    if (strcmp(isa, "amx") == 0 || strcmp(isa, "avx512") == 0)
        return is_float ? (struct bench_peak){"avx512", f32_avx512}
                        : (struct bench_peak){"avx512 vnni", int8_avx512};
    if (strcmp(isa, "avx2") == 0)
        return (struct bench_peak){"avx2", is_float ? f32_avx2 : int8_avx2};
#else
    (void)isa;
#endif
    return (struct bench_peak){"plain vectors", is_float ? f32_plain : int8_plain};
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double bench_peak_cpu(const char *isa, bool is_float)
{
    struct bench_peak peak = bench_peak(isa, is_float);
    double best = 0;
    for (int i = 0; i < CPU_ROUNDS; i++) {
        uint64_t sink;
        double start = cpu_seconds(), ops = peak.loop(CPU_STEPS, &sink);
        double speed = ops / (cpu_seconds() - start);
        best = speed > best ? speed : best;
    }
    return best;
}
