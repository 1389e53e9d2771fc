/* speed.c - see speed.h. */
#include "coordinator/report/speed.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

/* Rows come and go within seconds, and sequences at the edges of a run have fewer beside them: only
 * what lasted is held against anything. */
enum { FEWEST_BETWEEN = 32, FEWEST_WITHIN = 64 }; /* completions on either side */
#define LEAST_BETWEEN_US 10e6                     /* from the first to the last of a side */
#define LEAST_WITHIN_US 30e6

static uint32_t host_of(struct host_speeds *s, const char *name)
{
    for (uint32_t i = 0; i < s->n_hosts; i++)
        if (strcmp(s->hosts[i].host, name) == 0)
            return i;
    s->hosts = px_xrealloc(s->hosts, (s->n_hosts + 1) * sizeof *s->hosts);
    s->hosts[s->n_hosts] = (struct host_speed){.host = px_xstrdup(name)};
    return s->n_hosts++;
}

void speeds_note(struct host_speeds *s, const struct completion *c)
{
    uint32_t at = host_of(s, c->host ? c->host : "");
    struct host_speed *h = &s->hosts[at];
    h->n++;
    h->prompt_tokens += c->n_prompt;
    h->prefill_s += c->prefill_s;
    h->steps += c->decode_steps;
    h->decode_s += c->decode_s;
    /* loglikelihoods have no decode steps: there it is the prompt tokens that were computed */
    bool decodes = c->decode_steps > 0;
    double seconds = decodes ? c->decode_s : c->prefill_s;
    double tokens = decodes ? c->decode_steps : c->n_prompt_computed;
    if (!(seconds > 0) || !(tokens > 0))
        return;
    PX_GROW(s->timings, s->n_timings, s->cap_timings);
    s->timings[s->n_timings++] = (struct timing){c->wall_us, seconds, tokens, at, c->batch};
}

/* By rows side by side, then host, then time. */
static int order(const void *a, const void *b)
{
    const struct timing *x = a, *y = b;
    if (x->batch != y->batch)
        return x->batch < y->batch ? -1 : 1;
    if (x->host != y->host)
        return x->host < y->host ? -1 : 1;
    return x->wall_us < y->wall_us ? -1 : x->wall_us > y->wall_us;
}

/* Tokens per second of t[0 .. n-1], in order of time; 0 when there is too little to tell. */
static double rate(const struct timing *t, uint64_t n, uint64_t fewest, double least_us)
{
    double tokens = 0, seconds = 0;
    if (n < fewest || (double)(t[n - 1].wall_us - t[0].wall_us) < least_us)
        return 0;
    for (uint64_t i = 0; i < n; i++) {
        tokens += t[i].tokens;
        seconds += t[i].seconds;
    }
    return tokens / seconds;
}

/* Keeps the worse one. */
static void consider(struct speed_anomaly *best, const struct speed_anomaly *a)
{
    if (!(a->slow_rate > 0) || a->fast_rate <= SPEED_ANOMALY * a->slow_rate)
        return;
    if (!best->found || a->fast_rate * best->slow_rate > best->fast_rate * a->slow_rate)
        *best = *a;
}

static void look_within(struct host_speeds *s, const struct timing *t, uint64_t n)
{
    double early = rate(t, n / 2, FEWEST_WITHIN, LEAST_WITHIN_US);
    double late = rate(t + n / 2, n - n / 2, FEWEST_WITHIN, LEAST_WITHIN_US);
    struct speed_anomaly a = {.found = true,
                              .over_time = true,
                              .fast = t->host,
                              .slow = t->host,
                              .batch = t->batch,
                              .slowed_down = early > late};
    a.fast_rate = early > late ? early : late;
    a.slow_rate = early > late ? late : early;
    consider(&s->within, &a);
}

static uint64_t run_length(const struct host_speeds *s, uint64_t from)
{
    uint64_t n = 1;
    while (from + n < s->n_timings && s->timings[from + n].batch == s->timings[from].batch &&
           s->timings[from + n].host == s->timings[from].host)
        n++;
    return n;
}

void speeds_finish(struct host_speeds *s)
{
    struct speed_anomaly a = {.found = true};
    if (s->n_timings)
        qsort(s->timings, s->n_timings, sizeof *s->timings, order);
    for (uint64_t i = 0, n; i < s->n_timings; i += n) {
        const struct timing *t = &s->timings[i];
        n = run_length(s, i);
        double r = rate(t, n, FEWEST_BETWEEN, LEAST_BETWEEN_US);
        look_within(s, t, n);
        if (i == 0 || t->batch != a.batch)
            a = (struct speed_anomaly){.found = true, .batch = t->batch};
        if (!(r > 0))
            continue;
        if (!(a.fast_rate > 0) || r > a.fast_rate) {
            a.fast = t->host;
            a.fast_rate = r;
        }
        if (!(a.slow_rate > 0) || r < a.slow_rate) {
            a.slow = t->host;
            a.slow_rate = r;
        }
        consider(&s->between, &a);
    }
    free(s->timings);
    s->timings = NULL;
    s->n_timings = s->cap_timings = 0;
}

void speeds_clear(struct host_speeds *s)
{
    for (uint32_t i = 0; i < s->n_hosts; i++)
        free(s->hosts[i].host);
    free(s->hosts);
    free(s->timings);
    memset(s, 0, sizeof *s);
}

double speeds_prefill(const struct host_speeds *s)
{
    double tokens = 0, seconds = 0;
    for (uint32_t i = 0; i < s->n_hosts; i++) {
        tokens += (double)s->hosts[i].prompt_tokens;
        seconds += s->hosts[i].prefill_s;
    }
    return seconds > 0 ? tokens / seconds : 0;
}

double speeds_decode(const struct host_speeds *s)
{
    double steps = 0, seconds = 0;
    for (uint32_t i = 0; i < s->n_hosts; i++) {
        steps += (double)s->hosts[i].steps;
        seconds += s->hosts[i].decode_s;
    }
    return seconds > 0 ? steps / seconds : 0;
}
