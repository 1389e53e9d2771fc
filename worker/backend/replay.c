/* replay.c - recorded completions as a backend: makes every scorer testable on published runs. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/recording.h"
#include "worker/backend/backend.h"

enum { REPLAY_ROWS = 1024 };

struct waiting {
    uint64_t ticket;
    struct recording *recording;
    const struct unit *unit;
    bool choice; /* the job asks for loglikelihoods */
};

struct opened {
    char *path;
    struct recording *recording; /* NULL: it cannot be read, and this is why */
    struct px_err why;
};

struct replay {
    struct waiting rows[REPLAY_ROWS];
    uint32_t n;
    struct opened *files; /* every recording met so far */
    uint32_t n_files, cap_files;
    uint64_t finished;
};

static uint32_t replay_credits(void *self, const struct job *job)
{
    (void)job;
    return REPLAY_ROWS - ((const struct replay *)self)->n;
}

static struct opened *file_of(struct replay *b, const char *path)
{
    for (uint32_t i = 0; i < b->n_files; i++)
        if (strcmp(b->files[i].path, path) == 0)
            return &b->files[i];
    PX_GROW(b->files, b->n_files, b->cap_files);
    struct opened *f = &b->files[b->n_files++];
    *f = (struct opened){.path = px_xstrdup(path)};
    f->recording = recording_open(path, NULL, &f->why);
    return f;
}

/* Once, also when it fails: a large file would be read again for every unit. */
static struct recording *open_once(struct replay *b, const char *path, struct px_err *err)
{
    const struct opened *f = file_of(b, path);
    if (!f->recording && err)
        *err = f->why;
    return f->recording;
}

static int replay_submit(void *self, const struct job *job, const struct unit *unit,
                         uint64_t ticket, struct px_err *err)
{
    struct replay *b = self;
    if (job->kind != UNIT_GENERATE && job->kind != UNIT_CHOICE)
        return px_fail(err, PX_EUNSUPPORTED, "recorded completions answer no unit of kind %s",
                       unit_kind_name(job->kind));
    if (b->n == REPLAY_ROWS)
        return px_fail(err, PX_ELIMIT, "all %d rows are taken", REPLAY_ROWS);
    struct recording *r = open_once(b, job->model_path, err);
    if (!r)
        return -1;
    b->rows[b->n++] = (struct waiting){ticket, r, unit, job->kind == UNIT_CHOICE};
    return 0;
}

static void no_answer(struct completion *c, char *why)
{
    completion_clear(c);
    c->finish = FINISH_ERROR;
    c->error = why;
}

/* What was recorded must be what is asked for; a choice's lengths are the task's. */
static void fit(const struct waiting *w, struct completion *c)
{
    const struct unit *u = w->unit;
    if (c->finish == FINISH_ERROR)
        return;
    if (w->choice != (c->finish == FINISH_SCORED)) {
        no_answer(c, px_xasprintf("problem %s: %s is recorded, the task asks for %s", u->problem,
                                  w->choice ? "a text" : "a list of loglikelihoods",
                                  w->choice ? "loglikelihoods" : "a text"));
        return;
    }
    if (w->choice && c->n_choices != u->n_choices) {
        no_answer(c, px_xasprintf("problem %s: %u loglikelihoods are recorded, the task has %u",
                                  u->problem, c->n_choices, u->n_choices));
        return;
    }
    for (uint32_t i = 0; i < c->n_choices; i++) {
        c->choices[i].n_bytes = u->choices[i].n_bytes;
        c->choices[i].n_chars = u->choices[i].n_chars;
    }
}

static int replay_step(void *self, struct backend_done *done, int max, struct px_err *err)
{
    struct replay *b = self;
    int n = 0;
    (void)err;
    for (; n < max && b->n; n++) {
        const struct waiting *w = &b->rows[--b->n];
        memset(&done[n], 0, sizeof done[n]);
        done[n].ticket = w->ticket;
        recording_find(w->recording, w->unit->problem, w->unit->sample, &done[n].completion);
        fit(w, &done[n].completion);
        b->finished++;
    }
    return n;
}

static void replay_cancel(void *self, uint64_t ticket)
{
    struct replay *b = self;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->rows[i].ticket == ticket) {
            b->rows[i] = b->rows[--b->n];
            return;
        }
}

static uint64_t replay_progress(void *self)
{
    return ((const struct replay *)self)->finished;
}

static void replay_free(void *self)
{
    struct replay *b = self;
    for (uint32_t i = 0; i < b->n_files; i++) {
        free(b->files[i].path);
        recording_free(&b->files[i].recording);
    }
    free(b->files);
    free(b);
}

struct backend *backend_replay_new(const struct backend_config *cfg, struct px_err *err)
{
    (void)cfg;
    (void)err;
    struct backend *b = px_xcalloc(1, sizeof *b);
    b->name = "replay";
    b->self = px_xcalloc(1, sizeof(struct replay));
    b->credits = replay_credits;
    b->submit = replay_submit;
    b->step = replay_step;
    b->cancel = replay_cancel;
    b->progress = replay_progress;
    b->free = replay_free;
    return b;
}
