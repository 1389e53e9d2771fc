#include "proto/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static char program_name[32] = "proctor";
static enum px_level least_level = PX_WARN;

void px_log_init(const char *program)
{
    snprintf(program_name, sizeof program_name, "%s", program);
    const char *want = getenv("PROCTOR_LOG");
    for (int i = 0; want && i < 4; i++)
        if (strcmp(want, level_names[i]) == 0)
            least_level = (enum px_level)i;
}

void px_log_level(enum px_level least)
{
    least_level = least;
}

void px_log(enum px_level level, const char *event, const char *fmt, ...)
{
    if (level < least_level)
        return;
    char line[2048];
    char utc[32];
    clk_utc_text(clk_wall_us(), utc);
    int n = snprintf(line, sizeof line, "%s %-5s %s[%d] %s ", utc, level_names[level], program_name,
                     (int)getpid(), event);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)n + (m > 0 ? (size_t)m : 0);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    for (size_t i = 0; i < len; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[len] = '\n';
    /* One write per line, so lines of several processes do not mix. */
    ssize_t ignored = write(2, line, len + 1);
    (void)ignored;
}
