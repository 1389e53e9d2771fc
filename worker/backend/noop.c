/* noop.c - a backend that does nothing: for measuring dispatch. Every unit finishes at the next
 * step with the text "noop"; loglikelihoods are 0. Refused in recipes without --allow-noop. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "worker/backend/backend.h"

enum { NOOP_ROWS = 1024 };

struct waiting {
    uint64_t ticket;
    const struct unit *unit;
    bool choice;
};

struct noop {
    struct waiting rows[NOOP_ROWS];
    uint32_t n;
    uint64_t finished;
};

static uint32_t noop_credits(void *self, const struct job *job)
{
    const struct noop *b = self;
    (void)job;
    return NOOP_ROWS - b->n;
}

static int noop_submit(void *self, const struct job *job, const struct unit *unit, uint64_t ticket,
                       struct px_err *err)
{
    struct noop *b = self;
    if (b->n == NOOP_ROWS)
        return px_fail(err, PX_ELIMIT, "all %d rows are taken", NOOP_ROWS);
    b->rows[b->n++] = (struct waiting){ticket, unit, job->kind == UNIT_CHOICE};
    return 0;
}

static void finish(const struct waiting *w, struct backend_done *out)
{
    memset(out, 0, sizeof *out);
    out->ticket = w->ticket;
    out->completion.n_prompt = w->unit->n_prompt;
    if (!w->choice) {
        out->completion.finish = FINISH_EOS;
        out->completion.text = px_xstrdup("noop");
        out->completion.n_text = 4;
        return;
    }
    out->completion.finish = FINISH_SCORED;
    out->completion.n_choices = w->unit->n_choices;
    out->completion.choices = px_xcalloc(w->unit->n_choices, sizeof *out->completion.choices);
    for (uint32_t i = 0; i < w->unit->n_choices; i++) {
        out->completion.choices[i].n_tokens = w->unit->choices[i].n_tokens;
        out->completion.choices[i].n_bytes = w->unit->choices[i].n_bytes;
        out->completion.choices[i].n_chars = w->unit->choices[i].n_chars;
    }
}

static int noop_step(void *self, struct backend_done *done, int max, struct px_err *err)
{
    struct noop *b = self;
    int n = 0;
    (void)err;
    while (n < max && b->n) {
        finish(&b->rows[--b->n], &done[n++]);
        b->finished++;
    }
    return n;
}

static void noop_cancel(void *self, uint64_t ticket)
{
    struct noop *b = self;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->rows[i].ticket == ticket) {
            b->rows[i] = b->rows[--b->n];
            return;
        }
}

static uint64_t noop_progress(void *self)
{
    return ((const struct noop *)self)->finished;
}

struct backend *backend_noop_new(const struct backend_config *cfg, struct px_err *err)
{
    (void)cfg;
    (void)err;
    struct backend *b = px_xcalloc(1, sizeof *b);
    b->name = "noop";
    b->self = px_xcalloc(1, sizeof(struct noop));
    b->credits = noop_credits;
    b->submit = noop_submit;
    b->step = noop_step;
    b->cancel = noop_cancel;
    b->progress = noop_progress;
    b->free = free;
    return b;
}
