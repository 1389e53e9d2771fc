/* places.c - where a data file is: --data, PROCTOR_DATA, the cache, Proctor's own recipes. */
#include "coordinator/data/places.h"

#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/mem.h"

void places_free(struct places *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        free(p->list[i].dir);
    }
    *p = (struct places){0};
}

static void add(struct places *p, char *dir, const char *why)
{
    p->list[p->n++] = (struct place){.dir = dir, .why = why};
}

void places_get(const char *data_dir, struct places *p)
{
    *p = (struct places){0};
    const char *env = getenv("PROCTOR_DATA");
    if (data_dir)
        add(p, px_xstrdup(data_dir), "--data");
    if (env && *env)
        add(p, px_xstrdup(env), "PROCTOR_DATA");
    PX_FREE char *cache = px_cache_dir();
    add(p, px_path_join(cache, "data"), "cache");
    PX_FREE char *home = px_home_dir(NULL);
    if (home)
        add(p, px_path_join(home, "recipes/data"), "Proctor's own");
}

static char *if_there(char *path)
{
    if (px_exists(path))
        return path;
    free(path);
    return NULL;
}

char *places_find(const struct places *p, const char *task_dir, const char *file)
{
    if (file[0] == '/')
        return if_there(px_xstrdup(file));
    if (strncmp(file, "./", 2) == 0)
        return if_there(px_path_join(task_dir, file + 2));
    for (uint32_t i = 0; i < p->n; i++) {
        char *path = if_there(px_path_join(p->list[i].dir, file));
        if (path)
            return path;
    }
    return NULL;
}
