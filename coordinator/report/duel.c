/* duel.c - pairwise judgements. */
#include "coordinator/report/duel.h"

#include <math.h>

static void close_pair(struct duel *d, double second, bool second_judged)
{
    if (!d->first_judged || !second_judged) {
        d->unjudged++;
        return;
    }
    d->pairs++;
    bool win = d->first > 0.5 && second > 0.5, loss = d->first < 0.5 && second < 0.5;
    d->wins += win;
    d->losses += loss;
    d->ties += !win && !loss;
    d->flips += d->first > second || d->first < second;
}

void duel_note(struct duel *d, const struct sample *s)
{
    bool judged = s->has_verdict && verdict_metric(&s->verdict, "judged", 0) > 0;
    double win = judged ? verdict_metric(&s->verdict, "win", 0.5) : 0.5;
    d->valid = true;
    if (s->index % 2 == 1) {
        close_pair(d, win, judged);
        return;
    }
    d->first = win;
    d->first_judged = judged;
}

double duel_win_rate(const struct duel *d)
{
    return d->pairs ? ((double)d->wins + 0.5 * (double)d->ties) / (double)d->pairs : (double)NAN;
}

double duel_flip_rate(const struct duel *d)
{
    return d->pairs ? (double)d->flips / (double)d->pairs : (double)NAN;
}
