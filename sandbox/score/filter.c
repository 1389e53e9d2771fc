/* filter.c - pipelines of filters. See filter.h. */
#include "sandbox/score/filter.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pystr.h"
#include "proto/scorer_check.h"
#include "sandbox/score/filter_regex.h"

enum function { REGEX, CHOICES, STRIP, LOWER, UPPER, MAP, SAME };

struct filter {
    enum function function;
    struct regex_filter *regex; /* REGEX, CHOICES */
    struct json_object *map;    /* MAP: a reference of its own */
    char *otherwise;            /* MAP; NULL: none */
    size_t n_otherwise;
};

struct pipeline {
    char *name;
    struct filter *filters;
    size_t n;
};

static enum function function_of(const char *name)
{
    static const struct {
        const char *name;
        enum function f;
    } names[] = {{"regex", REGEX},
                 {"multi_choice_regex", CHOICES},
                 {"remove_whitespace", STRIP},
                 {"lowercase", LOWER},
                 {"uppercase", UPPER},
                 {"map", MAP}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].f;
    return SAME;
}

static int parse_filter(struct json_object *o, struct filter *f, struct px_err *err)
{
    f->function = function_of(px_json_str_or(o, "function", ""));
    if (f->function == REGEX || f->function == CHOICES)
        return (f->regex = regex_filter_new(o, err)) != NULL ? 0 : -1;
    if (f->function != MAP)
        return 0;
    struct json_object *d = json_object_object_get(o, "default_value");
    f->map = json_object_get(json_object_object_get(o, "mapping_dict"));
    if (d != NULL) {
        f->n_otherwise = (size_t)json_object_get_string_len(d);
        f->otherwise = px_xmemdup(json_object_get_string(d), f->n_otherwise);
    }
    return 0;
}

int pipelines_parse(struct json_object *filters, struct pipelines *out, struct px_err *err)
{
    struct pipelines p = {.n = filters != NULL ? json_object_array_length(filters) : 1};
    p.list = px_xcalloc(p.n, sizeof *p.list);
    for (size_t i = 0; i < p.n; i++) {
        struct pipeline *l = &p.list[i];
        struct json_object *o = filters != NULL ? json_object_array_get_idx(filters, i) : NULL;
        struct json_object *list = o != NULL ? json_object_object_get(o, "filter") : NULL;
        l->name = px_xstrdup(o != NULL ? px_json_str_or(o, "name", "") : "none");
        l->n = list != NULL ? json_object_array_length(list) : 0;
        l->filters = px_xcalloc(l->n, sizeof *l->filters);
        for (size_t k = 0; k < l->n; k++)
            if (parse_filter(json_object_array_get_idx(list, k), &l->filters[k], err) != 0) {
                pipelines_clear(&p);
                return -1;
            }
    }
    *out = p;
    return 0;
}

int pipelines_regex(const char *name, struct span pattern, int64_t select, struct pipelines *out,
                    struct px_err *err)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "regex_pattern",
                           json_object_new_string_len(pattern.p, (int)pattern.n));
    json_object_object_add(o, "group_select", json_object_new_int64(select));
    struct regex_filter *re = regex_filter_new(o, err);
    json_object_put(o);
    if (re == NULL)
        return -1;
    struct pipeline *l = px_xcalloc(1, sizeof *l);
    l->name = px_xstrdup(name);
    l->filters = px_xcalloc(1, sizeof *l->filters);
    l->n = 1;
    l->filters[0] = (struct filter){.function = REGEX, .regex = re};
    *out = (struct pipelines){l, 1};
    return 0;
}

void pipelines_clear(struct pipelines *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < p->list[i].n; k++) {
            regex_filter_free(p->list[i].filters[k].regex);
            json_object_put(p->list[i].filters[k].map);
            free(p->list[i].filters[k].otherwise);
        }
        free(p->list[i].filters);
        free(p->list[i].name);
    }
    free(p->list);
    *p = (struct pipelines){0};
}

const char *pipeline_name(const struct pipelines *p, size_t i)
{
    return p->list[i].name;
}

size_t pipelines_find(const struct pipelines *p, const char *name)
{
    size_t i = 0;
    while (i < p->n && strcmp(p->list[i].name, name) != 0)
        i++;
    return i;
}

static char *mapped(const struct filter *f, struct span s, size_t *n)
{
    struct json_object *v = NULL;
    if (memchr(s.p, '\0', s.n) == NULL) /* keys of JSON objects hold no NUL here */
        v = json_object_object_get(f->map, s.p);
    if (v == NULL && f->otherwise == NULL)
        return NULL;
    *n = v != NULL ? (size_t)json_object_get_string_len(v) : f->n_otherwise;
    return px_xmemdup(v != NULL ? json_object_get_string(v) : f->otherwise, *n);
}

/* Owned; NULL when a map has nothing for it. */
static char *apply(const struct filter *f, struct span s, struct json_object *choices,
                   struct filtered *out, size_t *n)
{
    struct span t;
    switch (f->function) {
    case REGEX:
        return regex_filter_run(f->regex, s, &out->fallback, &out->limited, n);
    case CHOICES:
        return regex_filter_choose(f->regex, s, choices, &out->fallback, &out->limited, n);
    case STRIP:
        t = pystr_strip(s);
        *n = t.n;
        return px_xmemdup(t.p, t.n);
    case LOWER:
        return pystr_lower(s, n);
    case UPPER:
        return pystr_upper(s, n);
    case MAP:
        return mapped(f, s, n);
    case SAME:
        break;
    }
    *n = s.n;
    return px_xmemdup(s.p, s.n);
}

void pipeline_run(const struct pipelines *p, size_t i, struct span text,
                  struct json_object *choices, struct filtered *out)
{
    *out = (struct filtered){.text = px_xmemdup(text.p, text.n), .n = text.n};
    for (size_t k = 0; k < p->list[i].n && !out->none; k++) {
        size_t n = 0;
        char *t = apply(&p->list[i].filters[k], (struct span){out->text, out->n}, choices, out, &n);
        free(out->text);
        out->none = t == NULL;
        out->text = t != NULL ? t : px_xstrdup("");
        out->n = n;
    }
}
