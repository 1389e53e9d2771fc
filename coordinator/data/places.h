/* places.h - the directories in which data files are searched, in their order. */
#ifndef COORDINATOR_DATA_PLACES_H
#define COORDINATOR_DATA_PLACES_H

#include <stdint.h>

struct place {
    char *dir;
    const char *why; /* "--data", "PROCTOR_DATA", "cache", "Proctor's own" */
};

struct places {
    struct place list[4];
    uint32_t n;
};

void places_get(const char *data_dir, struct places *p); /* data_dir may be NULL */
void places_free(struct places *p);
/* Owned path of the first hit, NULL when the file is nowhere. "./x" is taken from task_dir. */
char *places_find(const struct places *p, const char *task_dir, const char *file);

#endif
