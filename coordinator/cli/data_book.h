/* data_book.h - the catalogue, what of it is on this machine, and which tasks need it. */
#ifndef COORDINATOR_CLI_DATA_BOOK_H
#define COORDINATOR_CLI_DATA_BOOK_H

#include "coordinator/data/catalogue.h"
#include "coordinator/data/state.h"
#include "coordinator/task/needs.h"
#include "proto/buf.h"

struct data_book {
    struct catalogue *catalogue;
    struct places places;
    struct task_needs **tasks; /* of Proctor's own tasks; one more when a path was named */
    uint32_t n_tasks;
    struct data_found *found; /* one per file of the catalogue, once book_look was called */
    bool *chosen;             /* files that the command speaks of */
    bool all;                 /* nothing was named: they all are */
};

/* `catalogue` and `data_dir` may be NULL (--catalogue, --data). */
int book_open(struct data_book *b, const char *catalogue, const char *data_dir, struct px_err *err);
void book_close(struct data_book *b);

/* Chooses a set or a file by name (PX_EUSAGE with the nearest name), or all that a task needs as it
 * is written (not what only other numbers of few-shot examples would need), or everything. */
int book_choose(struct data_book *b, const char *name, struct px_err *err);
int book_choose_task(struct data_book *b, const char *task, struct px_err *err);
void book_choose_all(struct data_book *b);

/* Looks for the chosen files; hash: their bytes too. */
void book_look(struct data_book *b, bool hash);
/* Is the file not wanted because another form of it is there? */
bool book_spared(const struct data_book *b, uint32_t file);
/* Does the task name this file? */
bool book_task_uses(const struct data_book *b, uint32_t task, uint32_t file);

/* The worst that a task's needs are in: DATA_RIGHT (or DATA_THERE) when it can run. `what` is the
 * file that is in that state; borrowed from the task. */
enum data_state book_task_state(const struct data_book *b, uint32_t task, bool hash,
                                const char **what);

void book_write_list(const struct data_book *b, struct px_buf *out);
/* Files with their state; with `hash` also which tasks can run. */
void book_write_json(const struct data_book *b, bool hash, struct px_buf *out);
void book_write_check(const struct data_book *b, struct px_buf *out);

#endif
