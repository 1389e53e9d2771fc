/* setup.h - what `run` and `plan` share: options, the resolved recipe, its plan, its resources.
 *
 * Both commands work from the same resolved object. */
#ifndef COORDINATOR_SETUP_H
#define COORDINATOR_SETUP_H

#include "coordinator/cli/cli.h"
#include "coordinator/plan/estimate.h"
#include "coordinator/plan/plan.h"

enum { SETUP_MAX_SETS = 64, SETUP_OPTIONS = 10 };

struct setup_options {
    const char *sets[SETUP_MAX_SETS];
    uint32_t n_sets;
    int64_t workers, testers, threads; /* -1: the recipe's */
    int64_t memory, host_memory;       /* -1: the recipe's */
    int64_t limit;                     /* -1: the recipe's */
    const char *run_dir;
    const char *data_dir;
    bool allow_noop;
};

struct setup {
    struct recipe *recipe;
    struct plan *plan;
    struct resources resources;
    char *run_dir;
};

void setup_defaults(struct setup_options *o);
/* Fills `out` with the options that both commands know; returns how many (SETUP_OPTIONS). */
uint32_t setup_table(struct setup_options *o, struct cli_option *out);

/* Loads and plans. Findings are printed to stderr, one per line. */
int setup_load(const char *recipe, struct setup_options *o, struct setup *out,
               struct px_err *err) PX_MUST_CHECK;
/* The same for a recipe that a command wrote itself; path is its name in messages, and its
 * directory is where relative paths begin. */
int setup_parse(const char *text, size_t len, const char *path, struct setup_options *o,
                struct setup *out, struct px_err *err) PX_MUST_CHECK;
void setup_clear(struct setup *s);

#endif
