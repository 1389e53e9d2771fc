/* fuzz.h - what a fuzz target offers.
 *
 * A target is tests/fuzz/<room>/fuzz_x.c, linked with that room's library and proto. It defines
 * LLVMFuzzerTestOneInput, and may define fuzz_seed to give well-formed inputs to start from. The
 * same file is run by libFuzzer (`make fuzz`) and by driver.c (`make fuzz-smoke`). */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_MAX = 65536 }; /* bytes of an input at most */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Optional: writes seed i (0, 1 ...) of at most cap bytes; returns its size, 0 after the last. */
__attribute__((weak)) size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap);

#endif
