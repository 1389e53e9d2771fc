#include "coordinator/plan/digest_map.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"

struct slot {
    struct px_digest key;
    uint64_t value; /* value + 1; 0: free */
};

struct digest_map {
    struct slot *slots;
    size_t mask; /* slots - 1, a power of two minus one */
    size_t used;
};

enum { FIRST_SLOTS = 64 };

struct digest_map *digest_map_new(void)
{
    struct digest_map *m = px_xcalloc(1, sizeof *m);
    m->slots = px_xcalloc(FIRST_SLOTS, sizeof *m->slots);
    m->mask = FIRST_SLOTS - 1;
    return m;
}

void digest_map_free(struct digest_map **m)
{
    if (*m) {
        free((*m)->slots);
        free(*m);
        *m = NULL;
    }
}

static size_t home_of(const struct digest_map *m, const struct px_digest *key)
{
    return (size_t)px_load_u64(key->b) & m->mask;
}

/* The slot that holds the key, or the free one where it belongs. */
static size_t find(const struct digest_map *m, const struct px_digest *key)
{
    size_t i = home_of(m, key);
    while (m->slots[i].value && !px_digest_eq(&m->slots[i].key, key))
        i = (i + 1) & m->mask;
    return i;
}

bool digest_map_get(const struct digest_map *m, const struct px_digest *key, uint64_t *value)
{
    const struct slot *s = &m->slots[find(m, key)];
    if (!s->value)
        return false;
    *value = s->value - 1;
    return true;
}

static void grow(struct digest_map *m)
{
    struct slot *old = m->slots;
    size_t n_old = m->mask + 1;
    m->mask = 2 * n_old - 1;
    m->slots = px_xcalloc(2 * n_old, sizeof *m->slots);
    for (size_t i = 0; i < n_old; i++)
        if (old[i].value)
            m->slots[find(m, &old[i].key)] = old[i];
    free(old);
}

void digest_map_put(struct digest_map *m, const struct px_digest *key, uint64_t value)
{
    if (2 * m->used > m->mask)
        grow(m);
    struct slot *s = &m->slots[find(m, key)];
    if (!s->value) {
        s->key = *key;
        m->used++;
    }
    s->value = value + 1;
}

void digest_map_remove(struct digest_map *m, const struct px_digest *key)
{
    size_t hole = find(m, key);
    if (!m->slots[hole].value)
        return;
    m->used--;
    /* Backward shift: entries whose home is at or before the hole move into it. */
    for (size_t i = (hole + 1) & m->mask; m->slots[i].value; i = (i + 1) & m->mask) {
        size_t home = home_of(m, &m->slots[i].key);
        if (((i - home) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = 0;
}

size_t digest_map_size(const struct digest_map *m)
{
    return m->used;
}
