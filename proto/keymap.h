/* keymap.h - a map from digests to numbers: open addressing, since a digest is its own hash.
 *
 * All operations are O(1) on average; memory is at most 80 bytes per key held. */
#ifndef PROTO_KEYMAP_H
#define PROTO_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/digest.h"

struct keymap_entry {
    struct px_digest key;
    uint64_t value;
    bool used;
};

struct keymap {
    struct keymap_entry *entry; /* [cap], cap a power of two or 0 */
    size_t cap;
    size_t n;
};

void keymap_init(struct keymap *m);
void keymap_clear(struct keymap *m);
/* Adds or replaces. */
void keymap_put(struct keymap *m, const struct px_digest *key, uint64_t value);
bool keymap_get(const struct keymap *m, const struct px_digest *key, uint64_t *value);
/* Removes; *value (may be NULL) is what was there. */
bool keymap_take(struct keymap *m, const struct px_digest *key, uint64_t *value);

#endif
