/* log.h - the databases that are a log: PLAN, RESULT, VERDICT and RECEIPT.
 *
 * Keys are digests, so a B-tree in key order would touch one page per change and grow slower with
 * every page it has. Here a change is appended: its value to one database, "what changed" to
 * STORE_SEQUENCE, both under the next number, so a commit writes a few dense pages whatever the
 * store holds. What finds a key is an index in memory, read from STORE_SEQUENCE when the store is
 * opened (a reader: when it first asks) and kept up to date from there.
 *
 * A logged value is a record whose payload begins with u8 db, u8 0, u16 key length, key. A sequence
 * record's payload is u8 db + key, with LOG_GONE added to the db when the key was deleted. */
#ifndef COORDINATOR_STORE_LOG_H
#define COORDINATOR_STORE_LOG_H

#include "coordinator/store/store_internal.h"

#define LOG_GONE 0x80
#define LOG_PREFIX(n_key) (4 + (n_key))

bool log_has(unsigned db); /* is db kept in the log? */

/* Fills LOG_PREFIX(n_key) bytes. */
void log_write_prefix(uint8_t *p, unsigned db, const void *key, size_t n_key);

enum log_found { LOG_ABSENT, LOG_PRESENT, LOG_DAMAGED, LOG_FAILED };

struct log_hit {
    uint64_t sequence;
    MDB_val raw;     /* the whole record, borrowed from txn */
    const void *val; /* LOG_PRESENT: the value */
    size_t n_val;
    int rc; /* LOG_FAILED: LMDB's */
};

/* The newest value of a key among changes up to `most`. Any thread. */
enum log_found log_find(struct store *s, MDB_txn *txn, uint64_t most, unsigned db, const void *key,
                        size_t n_key, struct log_hit *hit);

/* Number of the last change that the transaction sees; the index is brought up to it when it lags.
 * -1: LMDB failed. */
int log_catch_up(struct store *s, MDB_txn *txn, uint64_t *last, struct px_err *err) PX_MUST_CHECK;

/* Key-ordered scan, as store_view_scan; *count is the number of live keys (fn may be NULL). */
int log_scan(struct store *s, MDB_txn *txn, unsigned db, const void *from, size_t n_from,
             store_scan_fn fn, void *ctx, uint64_t *count, struct px_err *err) PX_MUST_CHECK;

void log_sequence_key(uint64_t sequence, uint8_t key[8]);

#endif
