/* bench_peaks.h - how fast products can be at most: independent sums in registers, with the
 * instruction that an instruction set's kernels rest on. */
#ifndef WORKER_STAGE_BENCH_PEAKS_H
#define WORKER_STAGE_BENCH_PEAKS_H

#include <stdbool.h>
#include <stdint.h>

struct bench_peak {
    const char *how; /* "avx512 vnni" */
    /* Returns the operations that it did, two for a product and its sum; *sink keeps the compiler
     * from leaving them out. */
    double (*loop)(uint32_t steps, uint64_t *sink);
};

/* Of int8 or of single precision, for an instruction set that this CPU has; those without a loop of
 * their own have what the compiler makes of vectors. */
struct bench_peak bench_peak(const char *isa, bool is_float);

/* Operations per second of one thread's CPU time, the best of a few runs. */
double bench_peak_cpu(const char *isa, bool is_float);

#endif
