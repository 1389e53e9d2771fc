/* data_book.c - see data_book.h: what is known, what is there, what needs it. */
#include "coordinator/cli/data_book.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/recipe.h"
#include "coordinator/task/task.h"
#include "proto/mem.h"

static int load_tasks(struct data_book *b, struct px_err *err)
{
    uint32_t n;
    char **names = task_names(&n, err);
    int rc = 0;
    if (!names)
        return -1;
    b->tasks = px_xcalloc(n + 1, sizeof *b->tasks);
    for (uint32_t i = 0; i < n; i++) {
        PX_FREE char *path = rc == 0 ? task_file_path(names[i], err) : NULL;
        if (path && (b->tasks[b->n_tasks] = task_needs_load(path, err)) != NULL)
            b->n_tasks++;
        else
            rc = -1;
        free(names[i]);
    }
    free(names);
    return rc;
}

int book_open(struct data_book *b, const char *catalogue, const char *data_dir, struct px_err *err)
{
    *b = (struct data_book){.catalogue = catalogue_load(catalogue, err)};
    if (!b->catalogue)
        return -1;
    places_get(data_dir, &b->places);
    b->found = px_xcalloc(b->catalogue->n_files + 1, sizeof *b->found);
    b->chosen = px_xcalloc(b->catalogue->n_files + 1, sizeof *b->chosen);
    if (load_tasks(b, err) == 0)
        return 0;
    book_close(b);
    return -1;
}

void book_close(struct data_book *b)
{
    for (uint32_t i = 0; b->found && i < b->catalogue->n_files; i++)
        data_found_clear(&b->found[i]);
    for (uint32_t i = 0; i < b->n_tasks; i++)
        task_needs_free(&b->tasks[i]);
    free(b->tasks);
    free(b->found);
    free(b->chosen);
    places_free(&b->places);
    catalogue_free(&b->catalogue);
    *b = (struct data_book){0};
}

/* ---- choosing ---- */

static int unknown_name(const struct catalogue *c, const char *name, struct px_err *err)
{
    const char **names = px_xcalloc(c->n_sets + 1, sizeof *names);
    for (uint32_t i = 0; i < c->n_sets; i++)
        names[i] = c->sets[i].name;
    const char *near = recipe_nearest(name, names, c->n_sets);
    px_fail(err, PX_EUSAGE,
            "there is no data set and no file '%.200s' in %s%s%s%s; `proctor data list` names them",
            name, c->path, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    return -1;
}

int book_choose(struct data_book *b, const char *name, struct px_err *err)
{
    const struct catalogue_set *s = catalogue_set(b->catalogue, name);
    const struct catalogue_file *f = s ? NULL : catalogue_file(b->catalogue, name);
    if (f)
        b->chosen[f - b->catalogue->files] = true;
    for (uint32_t i = 0; s && i < s->n; i++)
        b->chosen[s->first + i] = true;
    return s || f ? 0 : unknown_name(b->catalogue, name, err);
}

void book_choose_all(struct data_book *b)
{
    b->all = true;
    for (uint32_t i = 0; i < b->catalogue->n_files; i++)
        b->chosen[i] = true;
}

static const struct task_needs *needs_of(struct data_book *b, const char *task, struct px_err *err)
{
    PX_FREE char *path = task_file_path(task, err);
    if (!path)
        return NULL;
    for (uint32_t i = 0; i < b->n_tasks; i++)
        if (strcmp(b->tasks[i]->task, task) == 0)
            return b->tasks[i];
    struct task_needs *own = task_needs_load(path, err);
    if (!own)
        return NULL;
    b->tasks = px_xrealloc(b->tasks, (b->n_tasks + 2) * sizeof *b->tasks);
    b->tasks[b->n_tasks++] = own;
    return own;
}

int book_choose_task(struct data_book *b, const char *task, struct px_err *err)
{
    const struct task_needs *t = needs_of(b, task, err);
    if (!t)
        return -1;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct task_need *need = &t->list[i];
        bool known = false;
        for (uint32_t k = 0; k < need->n_files && !need->shots; k++) {
            const struct catalogue_file *f = catalogue_file(b->catalogue, need->files[k].file);
            if (f)
                b->chosen[f - b->catalogue->files] = true;
            known = known || f;
        }
        if (!known && !need->shots && need->n_files > 0)
            return px_fail(err, PX_EMISSING, "task %s needs %s, which is not in %s", t->task,
                           need->files[0].file, b->catalogue->path);
    }
    return 0;
}

/* ---- looking ---- */

static struct data_want want_of(const struct catalogue_file *f)
{
    return (struct data_want){.file = f->file,
                              .hash = f->hash,
                              .bytes = f->n_files > 1 ? -1 : f->bytes,
                              .n_files = f->n_files > 1 ? f->n_files : 0};
}

void book_look(struct data_book *b, bool hash)
{
    for (uint32_t i = 0; i < b->catalogue->n_files; i++) {
        struct data_want w = want_of(&b->catalogue->files[i]);
        data_found_clear(&b->found[i]);
        if (b->chosen[i])
            data_look(&w, &b->places, hash, &b->found[i]);
    }
}

static bool is_good(enum data_state s)
{
    return s == DATA_RIGHT || s == DATA_THERE;
}

bool book_spared(const struct data_book *b, uint32_t file)
{
    const struct catalogue *c = b->catalogue;
    if (b->found[file].state != DATA_ABSENT)
        return false;
    for (uint32_t i = 0; i < c->n_files; i++) {
        bool other = (c->files[file].instead_of &&
                      strcmp(c->files[file].instead_of, c->files[i].file) == 0) ||
                     (c->files[i].instead_of && is_good(b->found[i].state) &&
                      strcmp(c->files[i].instead_of, c->files[file].file) == 0);
        if (other)
            return true;
    }
    return false;
}

bool book_task_uses(const struct data_book *b, uint32_t task, uint32_t file)
{
    const struct task_needs *t = b->tasks[task];
    for (uint32_t i = 0; i < t->n; i++)
        for (uint32_t k = 0; k < t->list[i].n_files; k++)
            if (catalogue_matches(b->catalogue->files[file].file, t->list[i].files[k].file))
                return true;
    return false;
}

static int badness(enum data_state s)
{
    static const int order[] = {[DATA_RIGHT] = 0,
                                [DATA_THERE] = 1,
                                [DATA_ABSENT] = 2,
                                [DATA_INCOMPLETE] = 3,
                                [DATA_WRONG] = 4};
    return order[s];
}

/* The first alternative that is found is the one that a run would use. */
static enum data_state need_state(const struct data_book *b, const struct task_need *need,
                                  bool hash)
{
    enum data_state s = DATA_ABSENT;
    for (uint32_t k = 0; k < need->n_files && s == DATA_ABSENT; k++) {
        const struct task_need_file *nf = &need->files[k];
        const struct catalogue_file *cf = catalogue_file(b->catalogue, nf->file);
        uint32_t at = cf ? (uint32_t)(cf - b->catalogue->files) : 0;
        struct data_found f = {0};
        if (cf && b->chosen[at] && (px_digest_eq(&cf->hash, &nf->hash) || !hash)) {
            s = b->found[at].state;
            continue;
        }
        struct data_want w = {.file = nf->file,
                              .hash = nf->hash,
                              .bytes = -1,
                              .n_files = nf->n_files > 1 ? nf->n_files : 0};
        data_look(&w, &b->places, hash, &f);
        s = f.state;
        data_found_clear(&f);
    }
    return s;
}

enum data_state book_task_state(const struct data_book *b, uint32_t task, bool hash,
                                const char **what)
{
    const struct task_needs *t = b->tasks[task];
    enum data_state worst = DATA_RIGHT;
    *what = "";
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->list[i].shots)
            continue;
        enum data_state s = need_state(b, &t->list[i], hash);
        if (badness(s) > badness(worst)) {
            worst = s;
            *what = t->list[i].files[0].file;
        }
    }
    return worst;
}
