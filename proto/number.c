#include "proto/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int px_parse_int(const char *s, int64_t lo, int64_t hi, int64_t *out, struct px_err *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (end == s || *end || isspace((unsigned char)s[0]) || errno == ERANGE)
        return px_fail(err, PX_EINPUT, "'%.60s' is not a whole number", s);
    if (v < lo || v > hi)
        return px_fail(err, PX_EINPUT, "%lld is outside %" PRId64 " to %" PRId64, v, lo, hi);
    *out = v;
    return 0;
}

int px_parse_double(const char *s, double lo, double hi, double *out, struct px_err *err)
{
    char *end;
    double v = strtod(s, &end);
    if (end == s || *end || isspace((unsigned char)s[0]) || !isfinite(v))
        return px_fail(err, PX_EINPUT, "'%.60s' is not a number", s);
    if (v < lo || v > hi)
        return px_fail(err, PX_EINPUT, "%g is outside %g to %g", v, lo, hi);
    *out = v;
    return 0;
}

struct unit_name {
    const char *name;
    double factor;
};

/* A non-negative number and a unit name from the table; the result must fit in 62 bits. */
static int parse_with_unit(const char *s, const struct unit_name *table, int64_t *out)
{
    char *end;
    if (!isdigit((unsigned char)s[0]) && s[0] != '.')
        return -1;
    double v = strtod(s, &end);
    while (*end == ' ')
        end++;
    for (const struct unit_name *u = table; u->name; u++)
        if (strcmp(end, u->name) == 0) {
            v *= u->factor;
            if (!(v >= 0 && v < 4.6e18))
                return -1;
            *out = (int64_t)(v + 0.5);
            return 0;
        }
    return -1;
}

int px_parse_size(const char *s, int64_t *bytes, struct px_err *err)
{
    static const struct unit_name sizes[] = {{"", 1},
                                             {"B", 1},
                                             {"kB", 1e3},
                                             {"KB", 1e3},
                                             {"MB", 1e6},
                                             {"GB", 1e9},
                                             {"TB", 1e12},
                                             {"KiB", 1024},
                                             {"MiB", 1048576},
                                             {"GiB", 1073741824.0},
                                             {"TiB", 1099511627776.0},
                                             {NULL, 0}};
    if (parse_with_unit(s, sizes, bytes) != 0)
        return px_fail(err, PX_EINPUT, "'%.60s' is not a size; write for example 6GiB or 512MiB",
                       s);
    return 0;
}

int px_parse_duration(const char *s, int64_t *us, struct px_err *err)
{
    static const struct unit_name spans[] = {{"", 1e6},    {"s", 1e6},     {"ms", 1e3},
                                             {"us", 1},    {"min", 6e7},   {"m", 6e7},
                                             {"h", 3.6e9}, {"d", 8.64e10}, {NULL, 0}};
    if (parse_with_unit(s, spans, us) != 0)
        return px_fail(err, PX_EINPUT, "'%.60s' is not a duration; write for example 30s or 2h", s);
    return 0;
}

void px_format_size(int64_t bytes, char out[32])
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    int i = 0;
    while (v >= 1024 && i < 4) {
        v /= 1024;
        i++;
    }
    snprintf(out, 32, i ? "%.2f %s" : "%.0f %s", v, names[i]);
}

void px_format_duration(int64_t us, char out[32])
{
    double s = (double)us / 1e6;
    if (s < 1)
        snprintf(out, 32, "%.0f ms", s * 1e3);
    else if (s < 120)
        snprintf(out, 32, "%.1f s", s);
    else if (s < 7200)
        snprintf(out, 32, "%d min %02d s", (int)s / 60, (int)s % 60);
    else
        snprintf(out, 32, "%d h %02d min", (int)(s / 3600), (int)(s / 60) % 60);
}
