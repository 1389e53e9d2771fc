/* pace.h - how long passes take on this machine, from those that were run.
 *
 * A pass costs something whatever it computes (reading the weights) and something for each row.
 * Both are followed as they change, contexts grow. Times are processor time, divided by the
 * threads: what other programs take does not show, or a busy machine would get small passes,
 * which read the weights more often and make it busier. What is learnt steers how many rows are
 * put into a pass; it never reaches a result. Pure state; no clock. */
#ifndef WORKER_ENGINE_PACE_H
#define WORKER_ENGINE_PACE_H

#include <stdint.h>

/* Cost over rows: sums of what was seen, the past fading. */
struct pace_line {
    double weight, rows, us, rows2, rows_us;
};

struct pace {
    struct pace_line small;  /* passes of few rows */
    struct pace_line decode; /* passes that only decode: all their rows have logits */
    double big_us_per_row;   /* of passes of many rows; 0: none yet */
};

/* A pass of so many rows (>= 1) took so long. */
void pace_pass(struct pace *p, uint32_t rows, double us);
/* The same pass, when all its rows decode. */
void pace_decode(struct pace *p, uint32_t rows, double us);

/* What a pass takes before its first row; 0 while nothing is known. */
double pace_fixed_us(const struct pace *p);
/* Rows that a pass of about aim_us may have; >= 1, and moderate while little is known. */
uint32_t pace_rows(const struct pace *p, double aim_us);

/* What one more decoding row beside so many rows (>= 1) costs, as a part of what a row costs there
 * on average: near 0 when the weights' reading is all that counts, near 1 when every row has its
 * full price. A row that saves another one of a later pass pays from this chance of success on. */
double pace_price(const struct pace *p, uint32_t rows);

#endif
