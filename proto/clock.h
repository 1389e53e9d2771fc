/* clock.h - the one place where time enters. Deciders are handed times as arguments. */
#ifndef PROTO_CLOCK_H
#define PROTO_CLOCK_H

#include <stdint.h>

int64_t clk_now_us(void);  /* monotonic, microseconds */
int64_t clk_wall_us(void); /* UTC since the epoch, for logs and records only */
int64_t clk_cpu_us(void);  /* CPU time of this process */
void clk_sleep_us(int64_t us);
void clk_utc_text(int64_t wall_us, char out[32]); /* 2026-01-02T03:04:05.678Z */

/* The one place where true randomness enters (worker ids, keys): getrandom(2). */
void px_random_bytes(void *p, unsigned n);

#endif
