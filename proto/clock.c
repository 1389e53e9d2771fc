#include "proto/clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "proto/mem.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clk_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clk_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clk_cpu_us(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void clk_sleep_us(int64_t us)
{
    struct timespec ts = {us / 1000000, (us % 1000000) * 1000};
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        ;
}

void clk_utc_text(int64_t wall_us, char out[32])
{
    time_t s = (time_t)(wall_us / 1000000);
    struct tm tm;
    gmtime_r(&s, &tm);
    char day[24];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 32, "%.19s.%03dZ", day, (int)(wall_us / 1000 % 1000));
}

void px_random_bytes(void *p, unsigned n)
{
    unsigned done = 0;
    while (done < n) {
        ssize_t k = getrandom((char *)p + done, n - done, 0);
        px_assert(k > 0 || errno == EINTR);
        if (k > 0)
            done += (unsigned)k;
    }
}
