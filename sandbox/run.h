/* run.h - one run of one program on a pair of zygotes: a state machine driven by the pool.
 *
 * The supervisor holds clocks, caps and the verdict; it opens nothing inside a box and reads of
 * the candidate only counted, capped bytes. Single-threaded. */
#ifndef SANDBOX_RUN_H
#define SANDBOX_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "sandbox/nursery.h"
#include "sandbox/outcome.h"

struct run_limits {
    int64_t cpu_us;
    int64_t wall_us; /* only a backstop */
    int64_t memory_bytes;
    int64_t output_bytes; /* stdout and stderr together */
};

struct run_case { /* script: what goes in, what must come out */
    char *in;
    char *out;
    size_t n_in, n_out;
};

struct program {
    char *source;
    size_t n_source;
    char *task; /* JSON text for the tests' process; NULL when script */
    size_t n_task;
    bool script;
    bool unittest;
    bool two_sets; /* its tests come in two sets, and passing the first one counts by itself */
    struct run_case *cases; /* script: at least one */
    uint32_t n_cases;
    struct run_limits limits;
};

void program_clear(struct program *p);

struct run_result {
    struct outcome outcome;
    const char *assurance; /* "split" or "stdio"; static */
    double cpu_s, wall_s, runqueue_s;
    uint64_t rss_bytes, output_bytes;
    uint32_t calls;
    bool two_sets, first_passed; /* first_passed: the first of two sets of tests */
    uint32_t attempts;
    char stderr_tail[8193];
};

/* What an event of the pool's epoll set is about. */
enum run_source {
    SOURCE_CANDIDATE = 0,
    SOURCE_TESTS,
    SOURCE_OUT,
    SOURCE_ERR,
    SOURCE_VERDICT,
    SOURCE_CHANNEL,
    SOURCES
};

struct run; /* one per slot, used again for every run */

/* epoll_fd: descriptors are added with data.u64 = tag << 8 | enum run_source. */
struct run *run_new(int epoll_fd, uint64_t tag);
void run_free(struct run **r);

/* Starts. Both are borrowed until run_take answers. */
int run_start(struct run *r, const struct program *p, struct zygote_end *candidate,
              struct zygote_end *tests, int64_t now_us, struct px_err *err) PX_MUST_CHECK;

void run_event(struct run *r, enum run_source source, int64_t now_us);
int64_t run_deadline(const struct run *r); /* when run_tick wants to be called; INT64_MAX: never */
void run_tick(struct run *r, int64_t now_us);

/* True once the run is over: fills *out and says which zygotes must be replaced. */
bool run_take(struct run *r, struct run_result *out, bool *candidate_broken, bool *tests_broken);

#endif
