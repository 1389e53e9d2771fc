#include "coordinator/cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "proto/number.h"

struct progress {
    struct conductor *conductor;
    bool quiet;
    bool live;
    bool shown;
    int64_t started_us;
    int64_t last_line_us;
    int64_t last_beat_us;
    bool said_stopping; /* plain lines say it once */
    uint64_t done_at_start;
};

static const int64_t plain_every_us = 10 * 1000000;

struct progress *progress_new(struct conductor *c, bool quiet)
{
    struct progress *p = px_xcalloc(1, sizeof *p);
    struct conductor_counts n;
    conductor_count(c, &n);
    p->conductor = c;
    p->quiet = quiet;
    p->live = !quiet && isatty(2);
    p->started_us = clk_now_us();
    p->done_at_start = n.done;
    return p;
}

void progress_free(struct progress **pp)
{
    if (*pp && (*pp)->live && (*pp)->shown)
        fputc('\n', stderr);
    free(*pp);
    *pp = NULL;
}

static int terminal_width(void)
{
    struct winsize w;
    return ioctl(2, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

struct pulse {
    struct conductor_counts n;
    double rate;  /* units finished per second in this life */
    double eta_s; /* 0: unknown */
};

static void take_pulse(const struct progress *p, struct pulse *out)
{
    double elapsed = (double)(clk_now_us() - p->started_us) / 1e6;
    conductor_count(p->conductor, &out->n);
    out->rate = elapsed > 0.5 ? (double)(out->n.done - p->done_at_start) / elapsed : 0;
    out->eta_s = out->rate > 0 ? (double)(out->n.total - out->n.done) / out->rate : 0;
}

static const char stopping_text[] = "stopping: running units finish; Ctrl-C again: at once";

static void write_line(const struct pulse *u, const struct hall_progress *h, char *out, size_t size)
{
    const struct conductor_counts *n = &u->n;
    char eta[48] = "";
    if (u->eta_s > 0) {
        char span[32];
        px_format_duration((int64_t)(u->eta_s * 1e6), span);
        snprintf(eta, sizeof eta, "  eta %s", span);
    }
    uint64_t percent = n->total ? 100 * (n->done + n->quarantined) / n->total : 100;
    int at = snprintf(out, size, "%3llu%%  %llu/%llu done", (unsigned long long)percent,
                      (unsigned long long)n->done, (unsigned long long)n->total);
    if (h->stopping) { /* what matters now comes before a narrow terminal cuts the line */
        snprintf(out + at, size - (size_t)at, "  %s", stopping_text);
        return;
    }
    if (n->generated)
        at += snprintf(out + at, size - (size_t)at, " (+%llu to score)",
                       (unsigned long long)n->generated);
    at += snprintf(out + at, size - (size_t)at, "  %.1f/s%s  %u %s, %u %s", u->rate, eta,
                   h->workers, h->workers == 1 ? "worker" : "workers", h->testers,
                   h->testers == 1 ? "tester" : "testers");
    if (n->quarantined || h->retries)
        snprintf(out + at, size - (size_t)at, "  %llu failed, %llu retried",
                 (unsigned long long)n->quarantined, (unsigned long long)h->retries);
}

/* Once a second, for `proctor status`. */
static void beat(struct progress *p, const struct pulse *u, const struct hall_progress *h)
{
    char json[320];
    int64_t now = clk_now_us();
    if (p->last_beat_us && now - p->last_beat_us < 1000000)
        return;
    p->last_beat_us = now;
    snprintf(json, sizeof json,
             "{\"done\":%llu,\"total\":%llu,\"rate\":%.3f,\"eta_s\":%.1f,\"workers\":%u,"
             "\"testers\":%u,\"failures\":%llu,\"wall_us\":%lld}",
             (unsigned long long)u->n.done, (unsigned long long)u->n.total, u->rate, u->eta_s,
             h->workers, h->testers, (unsigned long long)u->n.quarantined,
             (long long)clk_wall_us());
    conductor_heartbeat(p->conductor, json);
}

void progress_show(void *ctx, const struct hall_progress *h)
{
    struct progress *p = ctx;
    char line[256];
    struct pulse u;
    take_pulse(p, &u);
    beat(p, &u, h);
    if (p->quiet)
        return;
    if (!p->live && h->stopping && !p->said_stopping) {
        fprintf(stderr, "%s\n", stopping_text);
        p->said_stopping = true;
    }
    if (!p->live) {
        int64_t now = clk_now_us();
        if (p->last_line_us && now - p->last_line_us < plain_every_us)
            return;
        p->last_line_us = now;
        write_line(&u, h, line, sizeof line);
        fprintf(stderr, "%s\n", line);
        return;
    }
    write_line(&u, h, line, sizeof line);
    int width = terminal_width();
    if (width < (int)sizeof line)
        line[width - 1] = '\0';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    p->shown = true;
}
