/* needs.h - which files a task file names, without loading any of them. */
#ifndef COORDINATOR_TASK_NEEDS_H
#define COORDINATOR_TASK_NEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/err.h"

/* One file that must be there: alternatives, of which the first that is found is used. */
struct task_need {
    struct task_need_file {
        char *file;            /* a family of files: every {{ ... }} became `*` */
        struct px_digest hash; /* zero: any */
        uint32_t n_files;      /* of a family; 1 otherwise */
    } * files;
    uint32_t n_files;
    bool shots; /* only for few-shot examples, and the file itself wants none */
};

struct task_needs {
    char *task; /* the name that the file has */
    struct task_need *list;
    uint32_t n;
};

/* NULL with err when the file cannot be read or is not YAML; what else may be wrong with a task is
 * for task_load to say. Files of `data`, `join` and `fewshot.data`, wherever they stand. */
struct task_needs *task_needs_load(const char *path, struct px_err *err);
struct task_needs *task_needs_parse(const char *text, size_t len, const char *name,
                                    struct px_err *err);
void task_needs_free(struct task_needs **n);

/* Names of Proctor's own tasks (recipes/tasks), sorted. Owned, each name too; NULL with err. */
char **task_names(uint32_t *n, struct px_err *err);

#endif
