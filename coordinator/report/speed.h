/* speed.h - how fast the hosts of a group were, and whether one of them was not what it should be.
 * Everything here is observed; no result depends on it. */
#ifndef COORDINATOR_REPORT_SPEED_H
#define COORDINATOR_REPORT_SPEED_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/unit.h"

struct host_speed {
    char *host;
    uint64_t prompt_tokens, steps;
    double prefill_s, decode_s;
    uint64_t n;
};

/* One completion's part, kept until the group is whole. */
struct timing {
    int64_t wall_us;
    double seconds, tokens;
    uint32_t host, batch;
};

/* The same work at more than SPEED_ANOMALY times the speed: on two hosts, or on one host in the
 * earlier and the later half of its completions. */
#define SPEED_ANOMALY 1.5
struct speed_anomaly {
    bool found;
    bool over_time;              /* else between hosts */
    uint32_t fast, slow;         /* hosts; the same one when over time */
    uint32_t batch;              /* rows side by side, in both */
    double fast_rate, slow_rate; /* tokens per second of one sequence */
    bool slowed_down;            /* over time: the later half is the slow one */
};

struct host_speeds {
    struct host_speed *hosts;
    uint32_t n_hosts;
    struct speed_anomaly between, within; /* the worst of each kind */
    struct timing *timings;
    uint64_t n_timings, cap_timings;
};

void speeds_note(struct host_speeds *s, const struct completion *c);
/* Finds the anomalies and drops the timings. Only completions that ran beside equally many rows
 * are held against each other: on either side at least 32 over 10 seconds (hosts), 64 over 30
 * seconds (halves of a host's time). */
void speeds_finish(struct host_speeds *s);
void speeds_clear(struct host_speeds *s);

/* Sums over hosts: tokens per second, 0 when nothing was measured. */
double speeds_prefill(const struct host_speeds *s);
double speeds_decode(const struct host_speeds *s);

#endif
