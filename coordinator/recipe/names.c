/* names.c - see names.h. */
#include "coordinator/recipe/names.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "proto/mem.h"

static const struct recipe_model *find_model(const struct recipe *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_models; i++) {
        if (strcmp(r->models[i].name, name) == 0)
            return &r->models[i];
    }
    return NULL;
}

/* Index of the import that makes a name, -1 when none does. */
static long find_maker(const struct recipe *r, const char *name)
{
    for (uint32_t i = 0; i < r->n_stages; i++) {
        if (r->stages[i].as && strcmp(r->stages[i].as, name) == 0)
            return (long)i;
    }
    return -1;
}

const struct recipe_model *names_origin(const struct recipe *r, const char *name)
{
    for (uint32_t hops = 0; hops <= r->n_stages; hops++) {
        const struct recipe_model *m = find_model(r, name);
        if (m)
            return m;
        long maker = find_maker(r, name);
        if (maker < 0 || !r->stages[maker].model)
            return NULL;
        name = r->stages[maker].model;
    }
    return NULL; /* a cycle */
}

static void check_made_twice(const struct recipe *r, struct findings *f)
{
    for (uint32_t i = 0; i < r->n_stages; i++) {
        const char *as = r->stages[i].as;
        if (!as)
            continue;
        const struct recipe_model *m = find_model(r, as);
        long first = find_maker(r, as);
        if (m)
            findings_add(f, yaml_get(r->stages[i].body, "as"), "import.as",
                         "the name '%s' is a model's already (line %u)", as, m->line);
        else if (first != (long)i)
            findings_add(f, yaml_get(r->stages[i].body, "as"), "import.as",
                         "the name '%s' is made already at line %u", as, r->stages[first].line);
    }
}

static void report_nobody(const struct recipe *r, const struct yaml_node *at, const char *path,
                          const char *name, struct findings *f)
{
    uint32_t n = 0;
    const char **names = px_xcalloc(r->n_models + r->n_stages, sizeof *names);
    struct px_buf rest;
    px_buf_init(&rest, 4096);
    for (uint32_t i = 0; i < r->n_models; i++)
        names[n++] = r->models[i].name;
    for (uint32_t i = 0; i < r->n_stages; i++) {
        if (r->stages[i].as)
            names[n++] = r->stages[i].as;
    }
    for (uint32_t i = 0; i < n; i++)
        px_buf_printf(&rest, "%s%s", i ? ", " : "", names[i]);
    check_suggest(name, names, n, &rest);
    findings_add(f, at, path, "nobody makes '%s'; allowed: %s", name,
                 rest.len ? (char *)rest.data : "no name is made");
    px_buf_clear(&rest);
    free(names);
}

static bool is_made(const struct recipe *r, const char *name)
{
    return find_model(r, name) || find_maker(r, name) >= 0;
}

static void check_taken(const struct recipe *r, struct findings *f)
{
    for (uint32_t i = 0; i < r->n_stages; i++) {
        const struct recipe_stage *s = &r->stages[i];
        if (s->model && !is_made(r, s->model))
            report_nobody(r, yaml_get(r->stages[i].body, "model"), "import.model", s->model, f);
        const struct yaml_node *list = yaml_get(r->stages[i].body, "models");
        for (uint32_t j = 0; j < s->n_models; j++) {
            if (!is_made(r, s->models[j]))
                report_nobody(r, list->items[j], "eval.models", s->models[j], f);
        }
        const struct yaml_node *judge = yaml_get(r->stages[i].body, "judge");
        if (s->judge && !is_made(r, s->judge))
            report_nobody(r, yaml_get(judge, "model"), "eval.judge.model", s->judge, f);
    }
}

static bool takes(const struct recipe_stage *s, const char *name)
{
    if ((s->model && strcmp(s->model, name) == 0) || (s->judge && strcmp(s->judge, name) == 0))
        return true;
    for (uint32_t j = 0; j < s->n_models; j++) {
        if (strcmp(s->models[j], name) == 0)
            return true;
    }
    return false;
}

static void check_unused(const struct recipe *r, struct findings *f)
{
    for (uint32_t i = 0; i < r->n_models; i++) {
        const struct recipe_model *m = &r->models[i];
        bool used = false;
        for (uint32_t j = 0; j < r->n_stages; j++)
            used = used || takes(&r->stages[j], m->name);
        const struct yaml_node at = {.line = m->line, .column = m->column};
        if (!used)
            findings_add(f, &at, "models", "cannot act: no stage uses '%s'", m->name);
    }
}

static void check_imports(const struct recipe *r, struct findings *f)
{
    for (uint32_t i = 0; i < r->n_stages; i++) {
        const char *name = r->stages[i].model;
        const struct recipe_model *m = name ? names_origin(r, name) : NULL;
        if (m && m->backend != BACKEND_NATIVE)
            findings_add(f, yaml_get(r->stages[i].body, "model"), "import.model",
                         "contradiction: '%s' is a %s model; allowed: GGUF files (native)", name,
                         backend_kind_name(m->backend));
    }
}

/* Everything a stage takes is a model, unknown (reported already), or made by a placed stage. */
static bool is_ready(const struct recipe *r, const bool *placed, uint32_t i)
{
    for (uint32_t j = 0; j < r->n_stages; j++) {
        const char *as = r->stages[j].as;
        if (as && !placed[j] && !find_model(r, as) && find_maker(r, as) == (long)j &&
            takes(&r->stages[i], as))
            return false;
    }
    return true;
}

/* Walks from a stage that cannot be placed to what it waits for until an import comes round again.
 */
static void report_cycle(const struct recipe *r, const bool *placed, struct findings *f)
{
    bool *seen = px_xcalloc(r->n_stages, sizeof *seen);
    long at = -1;
    for (uint32_t i = 0; i < r->n_stages && at < 0; i++) {
        if (!placed[i] && r->stages[i].model)
            at = (long)i;
    }
    px_assert(at >= 0); /* only imports make names */
    while (!seen[at]) {
        seen[at] = true;
        at = find_maker(r, r->stages[at].model);
    }
    struct px_buf way;
    px_buf_init(&way, 1024);
    long start = at;
    do {
        px_buf_printf(&way, "%s <- ", r->stages[at].as);
        at = find_maker(r, r->stages[at].model);
    } while (at != start);
    px_buf_str(&way, r->stages[start].as);
    findings_add(f, yaml_get(r->stages[start].body, "model"), "import.model",
                 "a cycle of names: %s", (char *)way.data);
    px_buf_clear(&way);
    free(seen);
}

static void order_stages(struct recipe *r, struct findings *f)
{
    bool *placed = px_xcalloc(r->n_stages, sizeof *placed);
    struct recipe_stage *stages = px_xcalloc(r->n_stages, sizeof *stages);
    uint32_t n = 0, i = 0;
    while (i < r->n_stages) {
        if (placed[i] || !is_ready(r, placed, i)) {
            i++;
            continue;
        }
        placed[i] = true;
        stages[n++] = r->stages[i];
        i = 0; /* the earliest stage that can run comes next */
    }
    if (n == r->n_stages) {
        memcpy(r->stages, stages, n * sizeof *stages);
    } else {
        report_cycle(r, placed, f);
    }
    free(stages);
    free(placed);
}

void names_resolve(struct recipe *r, struct findings *f)
{
    bool readable = f->n == 0; /* else a stage that could not be read might use the model */
    check_made_twice(r, f);
    check_taken(r, f);
    if (readable)
        check_unused(r, f);
    check_imports(r, f);
    order_stages(r, f);
}
