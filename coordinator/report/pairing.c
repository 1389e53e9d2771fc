/* pairing.c - see pairing.h. */
#include "coordinator/report/pairing.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/compare.h"
#include "proto/json.h"
#include "proto/mem.h"

/* The settings without those of layer reuse, as text that is equal when they are. Owned. */
static char *settings_without_reuse(const struct manifest_cell *c)
{
    struct json_object *o = px_json_parse(c->settings, strlen(c->settings), NULL);
    struct px_buf b;
    px_buf_init(&b, 16u << 20);
    if (o && json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, key, value)
        {
            if (strncmp(key, "reuse.", 6) == 0 || strcmp(key, "reuse") == 0)
                continue;
            px_json_quote(&b, key, strlen(key));
            px_buf_str(&b, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }
    }
    json_object_put(o);
    return b.len ? px_buf_steal(&b, NULL) : px_xstrdup("");
}

static bool same_problems(const struct group_stats *a, const struct group_stats *b)
{
    if (a->n != b->n || a->samples != b->samples)
        return false;
    for (uint64_t i = 0; i < a->n; i++)
        if (strcmp(a->group->units[i].problem, b->group->units[i].problem) != 0)
            return false;
    return true;
}

/* Decode speed over the baseline's, host by host, weighted by this group's steps there. */
static double speed_ratio(const struct group_stats *g, const struct group_stats *base)
{
    double weight = 0, sum = 0;
    for (uint32_t i = 0; i < g->speeds.n_hosts; i++) {
        const struct host_speed *h = &g->speeds.hosts[i];
        for (uint32_t k = 0; k < base->speeds.n_hosts; k++) {
            const struct host_speed *b = &base->speeds.hosts[k];
            if (strcmp(h->host, b->host) != 0 || !(h->decode_s > 0) || !(b->decode_s > 0) ||
                h->steps == 0 || b->steps == 0)
                continue;
            double ratio = ((double)h->steps / h->decode_s) / ((double)b->steps / b->decode_s);
            sum += ratio * (double)h->steps;
            weight += (double)h->steps;
        }
    }
    return weight > 0 ? sum / weight : 0;
}

static void pair(struct group_stats *g, const struct group_stats *base, uint32_t baseline)
{
    struct comparison c;
    struct pairing *p = &g->pairing;
    if (compare_groups(base, g, NULL, &c, NULL) != 0)
        return;
    p->valid = true;
    p->baseline = baseline;
    p->n = c.n;
    p->gained = c.gained;
    p->lost = c.lost;
    p->difference = c.difference;
    p->p = c.p;
    if (g->group->judged == MANIFEST_NONE) /* judges answer without layer reuse */
        p->speed_ratio = speed_ratio(g, base);
    comparison_clear(&c);
}

void pair_groups(struct run_stats *r)
{
    const struct manifest *m = r->manifest;
    char **texts = px_xcalloc((size_t)m->n_cells + 1, sizeof *texts);
    for (uint32_t i = 0; i < m->n_cells; i++)
        texts[i] = settings_without_reuse(&m->cells[i]);
    for (uint32_t i = 0; i < r->n_groups; i++) {
        struct group_stats *g = &r->groups[i];
        for (uint32_t k = 0; k < r->n_groups && g->cell->reuse_on; k++) {
            const struct group_stats *b = &r->groups[k];
            if (b->cell->reuse_on || b->task != g->task ||
                strcmp(b->cell->model, g->cell->model) != 0 ||
                strcmp(texts[b->group->cell], texts[g->group->cell]) != 0 || !same_problems(g, b))
                continue;
            pair(g, b, k);
            break;
        }
    }
    for (uint32_t i = 0; i < m->n_cells; i++)
        free(texts[i]);
    free(texts);
}
