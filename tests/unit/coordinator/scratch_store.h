/* scratch_store.h - a store in a directory of its own for each test of a group. */
#ifndef TESTS_COORDINATOR_SCRATCH_STORE_H
#define TESTS_COORDINATOR_SCRATCH_STORE_H

#include "coordinator/store/store.h"
#include "scratch.h"

static char dir[64]; /* beside the store a test may make files in it */
static struct store *s;

static int open_store(void **state)
{
    (void)state;
    struct store_options opt = {.mode = STORE_WRITE};
    char path[96];
    scratch_make(dir);
    snprintf(path, sizeof path, "%s/store", dir);
    s = store_open(path, &opt, NULL);
    return s ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    store_close(&s);
    scratch_remove(dir);
    return 0;
}

#endif
