/* pace.c - a line through the small passes, an average over the big ones (pace.h). */
#include "worker/engine/pace.h"

enum {
    SMALL = 64,       /* rows; beyond, a pass is proportional to them */
    FIRST = 64,       /* rows, when nothing is known */
    NEXT = 160,       /* rows, when no big pass was seen */
    FIXED_ROWS = 16,  /* a pass is taken to cost as many rows before its first one ... */
    PRIOR_SPREAD = 1, /* ... until rows were seen to vary by so much (square) */
    OUTLIER = 3       /* times what was expected: the machine did something else meanwhile */
};

static const double fade = 0.95;

static double slope(const struct pace *p)
{
    double rows = p->rows / p->weight, us = p->us / p->weight;
    double prior = us / (rows + FIXED_ROWS);
    double spread = p->rows2 / p->weight - rows * rows;
    double together = p->rows_us / p->weight - rows * us;
    double s = (together + PRIOR_SPREAD * prior) / (spread + PRIOR_SPREAD);
    double steepest = us / rows;
    return s < 0 ? 0 : s > steepest ? steepest : s;
}

static double fixed(const struct pace *p)
{
    return (p->us - slope(p) * p->rows) / p->weight;
}

double pace_fixed_us(const struct pace *p)
{
    return p->weight > 0 ? fixed(p) : 0;
}

void pace_pass(struct pace *p, uint32_t rows, double us)
{
    if (rows > SMALL) {
        double one = us / rows, had = p->big_us_per_row;
        if (had > 0 && one > OUTLIER * had)
            one = OUTLIER * had;
        p->big_us_per_row = had > 0 ? 0.5 * (had + one) : one;
        return;
    }
    if (p->weight > 0) {
        double most = OUTLIER * (fixed(p) + slope(p) * rows);
        us = most > 0 && us > most ? most : us;
    }
    p->weight = fade * p->weight + 1;
    p->rows = fade * p->rows + rows;
    p->us = fade * p->us + us;
    p->rows2 = fade * p->rows2 + (double)rows * rows;
    p->rows_us = fade * p->rows_us + rows * us;
}

uint32_t pace_rows(const struct pace *p, double aim_us)
{
    double n = p->weight > 0 || p->big_us_per_row > 0 ? 0 : FIRST;
    if (p->weight > 0) { /* also finds out when big passes are possible again */
        double left = aim_us - fixed(p), each = slope(p);
        n = left <= 0 ? 0 : each * NEXT > left ? left / each : NEXT;
    }
    if (p->big_us_per_row > 0 && aim_us / p->big_us_per_row > n)
        n = aim_us / p->big_us_per_row;
    return n < 1 ? 1 : n > (double)INT32_MAX ? INT32_MAX : (uint32_t)n;
}

double pace_price(const struct pace *p, uint32_t rows)
{
    if (p->weight <= 0)
        return (double)rows / (rows + FIXED_ROWS);
    double all = fixed(p) + slope(p) * rows;
    return all > 0 ? slope(p) * rows / all : 1;
}
