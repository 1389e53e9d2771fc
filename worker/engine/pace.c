/* pace.c - lines through passes, an average over the big ones (pace.h). */
#include "worker/engine/pace.h"

enum {
    SMALL = 64,       /* rows; beyond, a pass is taken to be proportional to them */
    FIRST = 64,       /* rows, when nothing is known */
    NEXT = 160,       /* rows, when no big pass was seen */
    FIXED_ROWS = 16,  /* a pass is taken to cost as many rows before its first one ... */
    PRIOR_SPREAD = 1, /* ... until rows were seen to vary by so much (square) */
    OUTLIER = 3       /* times what was expected: the machine did something else meanwhile */
};

static const double fade = 0.97;

static double slope(const struct pace_line *l)
{
    double rows = l->rows / l->weight, us = l->us / l->weight;
    double prior = us / (rows + FIXED_ROWS), steepest = us / rows;
    double spread = l->rows2 / l->weight - rows * rows;
    double together = l->rows_us / l->weight - rows * us;
    double s = (together + PRIOR_SPREAD * prior) / (spread + PRIOR_SPREAD);
    return s < 0 ? 0 : s > steepest ? steepest : s;
}

static double fixed(const struct pace_line *l)
{
    return (l->us - slope(l) * l->rows) / l->weight;
}

static void add(struct pace_line *l, uint32_t rows, double us)
{
    if (l->weight > 0) {
        double most = OUTLIER * (fixed(l) + slope(l) * rows);
        us = most > 0 && us > most ? most : us;
    }
    l->weight = fade * l->weight + 1;
    l->rows = fade * l->rows + rows;
    l->us = fade * l->us + us;
    l->rows2 = fade * l->rows2 + (double)rows * rows;
    l->rows_us = fade * l->rows_us + rows * us;
}

double pace_fixed_us(const struct pace *p)
{
    return p->small.weight > 0 ? fixed(&p->small) : 0;
}

void pace_pass(struct pace *p, uint32_t rows, double us)
{
    if (rows <= SMALL) {
        add(&p->small, rows, us);
        return;
    }
    double one = us / rows, had = p->big_us_per_row;
    if (had > 0 && one > OUTLIER * had)
        one = OUTLIER * had;
    p->big_us_per_row = had > 0 ? 0.5 * (had + one) : one;
}

void pace_decode(struct pace *p, uint32_t rows, double us)
{
    add(&p->decode, rows, us);
}

uint32_t pace_rows(const struct pace *p, double aim_us)
{
    double n = p->small.weight > 0 || p->big_us_per_row > 0 ? 0 : FIRST;
    if (p->small.weight > 0) { /* also finds out when big passes are possible again */
        double left = aim_us - fixed(&p->small), each = slope(&p->small);
        n = left <= 0 ? 0 : each * NEXT > left ? left / each : NEXT;
    }
    if (p->big_us_per_row > 0 && aim_us / p->big_us_per_row > n)
        n = aim_us / p->big_us_per_row;
    return n < 1 ? 1 : n > (double)INT32_MAX ? INT32_MAX : (uint32_t)n;
}

double pace_price(const struct pace *p, uint32_t rows)
{
    const struct pace_line *l = &p->decode;
    if (l->weight <= 0)
        return (double)rows / (rows + FIXED_ROWS);
    double all = fixed(l) + slope(l) * rows;
    return all > 0 ? slope(l) * rows / all : 1;
}
