/* state.h - is a data file there, where, and is it the right one? */
#ifndef COORDINATOR_DATA_STATE_H
#define COORDINATOR_DATA_STATE_H

#include "coordinator/data/places.h"
#include "proto/digest.h"

enum data_state {
    DATA_ABSENT,     /* in none of the places */
    DATA_THERE,      /* there; its bytes were not looked at, or no digest is known */
    DATA_RIGHT,      /* there, and its digest is the expected one */
    DATA_WRONG,      /* there, with another size or digest, or it cannot be read */
    DATA_INCOMPLETE, /* some files of a family are missing */
};
const char *data_state_name(enum data_state s); /* "missing", "there", "right", "wrong", ... */

/* What is looked for. */
struct data_want {
    const char *file;      /* with one `*`: a family of n_files */
    struct px_digest hash; /* zero: any */
    int64_t bytes;         /* -1: any */
    uint32_t n_files;      /* of a family; 0: any number */
};

struct data_found {
    enum data_state state;
    char *path; /* of the file, or the directory of a family; NULL when absent */
    char *why;  /* what is wrong, in words; NULL when nothing is */
};

/* The first place that has the file counts, as for a task. `hash` false: only size and number of
 * files are compared. */
void data_look(const struct data_want *w, const struct places *p, bool hash,
               struct data_found *out);
void data_found_clear(struct data_found *f);

#endif
