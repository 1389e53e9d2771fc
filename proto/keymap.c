#include "proto/keymap.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"

void keymap_init(struct keymap *m)
{
    memset(m, 0, sizeof *m);
}

void keymap_clear(struct keymap *m)
{
    free(m->entry);
    keymap_init(m);
}

static size_t home(const struct keymap *m, const struct px_digest *key)
{
    return (size_t)px_load_u64(key->b) & (m->cap - 1);
}

/* The key's place, or the free place where it would go. */
static size_t find(const struct keymap *m, const struct px_digest *key)
{
    size_t i = home(m, key);
    while (m->entry[i].used && !px_digest_eq(&m->entry[i].key, key))
        i = (i + 1) & (m->cap - 1);
    return i;
}

static void grow(struct keymap *m)
{
    struct keymap old = *m;
    m->cap = old.cap ? 2 * old.cap : 64;
    m->entry = px_xcalloc(m->cap, sizeof *m->entry);
    for (size_t i = 0; i < old.cap; i++)
        if (old.entry[i].used)
            m->entry[find(m, &old.entry[i].key)] = old.entry[i];
    free(old.entry);
}

void keymap_put(struct keymap *m, const struct px_digest *key, uint64_t value)
{
    if (4 * (m->n + 1) > 3 * m->cap)
        grow(m);
    size_t i = find(m, key);
    m->n += !m->entry[i].used;
    m->entry[i] = (struct keymap_entry){.key = *key, .value = value, .used = true};
}

bool keymap_get(const struct keymap *m, const struct px_digest *key, uint64_t *value)
{
    if (m->n == 0)
        return false;
    size_t i = find(m, key);
    if (!m->entry[i].used)
        return false;
    *value = m->entry[i].value;
    return true;
}

bool keymap_take(struct keymap *m, const struct px_digest *key, uint64_t *value)
{
    if (m->n == 0)
        return false;
    size_t hole = find(m, key), mask = m->cap - 1;
    if (!m->entry[hole].used)
        return false;
    if (value)
        *value = m->entry[hole].value;
    /* Entries behind the hole move up when the hole lies between their home and them. */
    for (size_t i = (hole + 1) & mask; m->entry[i].used; i = (i + 1) & mask) {
        size_t from_home = (i - home(m, &m->entry[i].key)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            m->entry[hole] = m->entry[i];
            hole = i;
        }
    }
    m->entry[hole].used = false;
    m->n--;
    return true;
}
