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
    const struct conductor *conductor;
    bool live;
    bool shown;
    int64_t started_us;
    int64_t last_line_us;
    uint64_t done_at_start;
};

static const int64_t plain_every_us = 10 * 1000000;

struct progress *progress_new(const struct conductor *c)
{
    struct progress *p = px_xcalloc(1, sizeof *p);
    struct conductor_counts n;
    conductor_count(c, &n);
    p->conductor = c;
    p->live = isatty(2);
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

static void write_line(const struct progress *p, const struct hall_progress *h, char *out,
                       size_t size)
{
    struct conductor_counts n;
    conductor_count(p->conductor, &n);
    double elapsed = (double)(clk_now_us() - p->started_us) / 1e6;
    double rate = elapsed > 0.5 ? (double)(n.done - p->done_at_start) / elapsed : 0;
    char eta[48] = "";
    if (rate > 0 && n.done < n.total) {
        char span[32];
        px_format_duration((int64_t)((double)(n.total - n.done) / rate * 1e6), span);
        snprintf(eta, sizeof eta, "  eta %s", span);
    }
    uint64_t percent = n.total ? 100 * (n.done + n.quarantined) / n.total : 100;
    int at = snprintf(out, size, "%3llu%%  %llu/%llu done", (unsigned long long)percent,
                      (unsigned long long)n.done, (unsigned long long)n.total);
    if (n.generated)
        at += snprintf(out + at, size - (size_t)at, " (+%llu to score)",
                       (unsigned long long)n.generated);
    at += snprintf(out + at, size - (size_t)at, "  %.1f/s%s  %u %s, %u %s", rate, eta, h->workers,
                   h->workers == 1 ? "worker" : "workers", h->testers,
                   h->testers == 1 ? "tester" : "testers");
    if (n.quarantined || h->retries)
        snprintf(out + at, size - (size_t)at, "  %llu failed, %llu retried",
                 (unsigned long long)n.quarantined, (unsigned long long)h->retries);
}

void progress_show(void *ctx, const struct hall_progress *h)
{
    struct progress *p = ctx;
    char line[256];
    if (!p->live) {
        int64_t now = clk_now_us();
        if (p->last_line_us && now - p->last_line_us < plain_every_us)
            return;
        p->last_line_us = now;
        write_line(p, h, line, sizeof line);
        fprintf(stderr, "%s\n", line);
        return;
    }
    write_line(p, h, line, sizeof line);
    int width = terminal_width();
    if (width < (int)sizeof line)
        line[width - 1] = '\0';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    p->shown = true;
}
