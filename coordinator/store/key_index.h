/* key_index.h - which change of the log is the newest of a key: a hash table in memory over the
 * store's change log. Pure.
 *
 * Changes are numbered from 1 and added in order; a key is known by a 64-bit fingerprint, so a
 * finding must be verified against the stored key. All changes of a key stay findable, newest
 * first, so a reader of an older snapshot skips what it cannot see. 16 to 20 bytes per change. */
#ifndef COORDINATOR_STORE_KEY_INDEX_H
#define COORDINATOR_STORE_KEY_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct key_index;

struct key_index *key_index_new(void);
void key_index_free(struct key_index **ix);

uint64_t key_fingerprint(unsigned db, const void *key, size_t n_key);

/* Number of the last change added, 0 at first. */
uint64_t key_index_last(const struct key_index *ix);
/* sequence > key_index_last; numbers left out are changes of no key. */
void key_index_add(struct key_index *ix, uint64_t sequence, uint64_t fingerprint);
/* As if `sequence` were a change of no key. */
void key_index_skip(struct key_index *ix, uint64_t sequence);
/* Forgets every change after `last`: the transaction that made them came to nothing. */
void key_index_rewind(struct key_index *ix, uint64_t last);

/* The newest change with that fingerprint whose number is at most `most` and below `before` (0: no
 * such bound); 0 when there is none. */
uint64_t key_index_find(const struct key_index *ix, uint64_t fingerprint, uint64_t most,
                        uint64_t before);

#endif
