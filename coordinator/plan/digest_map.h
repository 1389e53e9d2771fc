/* digest_map.h - a hash map from digests to u64 values (open addressing; digests hash themselves).
 *
 * Used to find units that resolve to the same work. Values are at most UINT64_MAX - 1. */
#ifndef COORDINATOR_DIGEST_MAP_H
#define COORDINATOR_DIGEST_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/digest.h"

struct digest_map;

struct digest_map *digest_map_new(void);
void digest_map_free(struct digest_map **m);
bool digest_map_get(const struct digest_map *m, const struct px_digest *key, uint64_t *value);
void digest_map_put(struct digest_map *m, const struct px_digest *key, uint64_t value);
void digest_map_remove(struct digest_map *m, const struct px_digest *key);
size_t digest_map_size(const struct digest_map *m);

#endif
