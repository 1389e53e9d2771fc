/* store.h - the run's memory: LMDB in sync mode on a local disk, one writer, many readers.
 *
 * The coordinator is the only writer. Writes are batches that a writer thread commits in groups:
 * each transaction takes everything that waits, so a slow disk makes groups larger, not queues
 * longer. Readers (report, status, samples) open the same directory from other processes and
 * never block it.
 *
 * Every value is stored behind a header {magic, format version, length, CRC-32}. A value whose
 * header does not fit is set aside in STORE_LOST (by the writer; readers only skip it), counted,
 * reported, and then treated as absent, so the work is done again.
 *
 * Refusals at open: network file systems (statfs), a store written by a newer format, a store
 * whose writer is alive (the message names its pid; a flock on <dir>/writer.lock decides).
 *
 * The cost of a write does not grow with the store: PLAN, RESULT, VERDICT and RECEIPT, whose keys
 * are digests, are appended to a log and found by an index in memory (about 20 bytes per change),
 * which a writer reads when it opens the store and a reader when it first asks for such a key.
 *
 * LMDB allows one open handle per directory and process (a second is refused with EEXIST) and none
 * across fork: a child must execve or leave the store alone. Keys have 1 to 480 bytes. */
#ifndef COORDINATOR_STORE_H
#define COORDINATOR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/err.h"

enum store_db {
    STORE_META,       /* text key -> text or JSON (recipe, manifest, run facts) */
    STORE_PLAN,       /* plan key (32) -> content key (32) + verdict key (32, zero: none yet) */
    STORE_RESULT,     /* content key (32) -> encoded completion */
    STORE_VERDICT,    /* verdict key (32) -> encoded verdict */
    STORE_GROUP,      /* u32be group -> manifest group (manifest.h) */
    STORE_COUNTER,    /* text key -> i64le, changed by store_batch_add */
    STORE_QUARANTINE, /* content or verdict key (32) -> JSON evidence */
    STORE_SEQUENCE,   /* u64be -> u8 db + key: the change log of PLAN, RESULT, VERDICT, RECEIPT
                       * and QUARANTINE, written by the store itself; 0x80 + db: deleted */
    STORE_LOST,       /* u8 db + key -> the damaged bytes */
    STORE_RECEIPT,    /* content key (32) -> receipt; block digest (32) -> token ids (receipt.h) */
    STORE_N_DBS
};

enum store_mode { STORE_READ, STORE_WRITE };

struct store_options {
    enum store_mode mode;
    bool allow_network_fs; /* FUSE and the like by explicit wish; never NFS-like ones */
    uint64_t map_bytes;    /* initial map size, grows by itself; 0: default */
};

struct store;
struct store_batch;

/* dir is made when writing; it is NULL with err {EEXIST: locked, pid in the text; EVERSION;
 * EUNSUPPORTED: network file system; EMISSING: nothing there to read; EINPUT: not a store, or cut
 * short; ENOSPC}. */
struct store *store_open(const char *dir, const struct store_options *opt, struct px_err *err);
const char *store_dir(const struct store *s); /* borrowed */
/* Does a writer live, here or in another process? *pid is its process, 0 when unknown. */
bool store_writer_alive(const struct store *s, int *pid);
/* Waits for submitted batches to be committed, then closes. */
void store_close(struct store **s);

/* ---- reading (any thread; one read transaction per call) ---- */

/* Appends the value to out. *found = false when absent or damaged. -1 only when LMDB fails. */
int store_get(struct store *s, enum store_db db, const void *key, size_t n_key, struct px_buf *out,
              bool *found, struct px_err *err) PX_MUST_CHECK;

/* A consistent view for scans: one read transaction, values borrowed from the map until the view
 * ends. Keep it short: an open view makes the file grow. Begun and ended by the same thread, which
 * must not call store_commit or store_close in between (the map may have to be moved). */
struct store_view;
struct store_view *store_view_begin(struct store *s, struct px_err *err);
void store_view_end(struct store_view **v);
/* Borrowed value (payload only, checked); false when absent or damaged. */
bool store_view_get(struct store_view *v, enum store_db db, const void *key, size_t n_key,
                    const void **val, size_t *n_val);
/* Calls fn for every entry in key order from `from` (NULL: the first); fn returns false to stop. */
typedef bool (*store_scan_fn)(void *ctx, const void *key, size_t n_key, const void *val,
                              size_t n_val);
int store_view_scan(struct store_view *v, enum store_db db, const void *from, size_t n_from,
                    store_scan_fn fn, void *ctx, struct px_err *err) PX_MUST_CHECK;
uint64_t store_view_count(struct store_view *v, enum store_db db);

/* ---- writing (one thread submits; the writer thread commits) ---- */

struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch **b);
void store_batch_put(struct store_batch *b, enum store_db db, const void *key, size_t n_key,
                     const void *val, size_t n_val); /* copies; replaces what is there */
/* As put, but keeps an existing undamaged value (a result is accepted once, by key). */
void store_batch_put_new(struct store_batch *b, enum store_db db, const void *key, size_t n_key,
                         const void *val, size_t n_val);
void store_batch_del(struct store_batch *b, enum store_db db, const void *key, size_t n_key);
void store_batch_add(struct store_batch *b, const char *counter, int64_t delta);
/* Moves everything of *from (taken) behind what `to` has. */
void store_batch_append(struct store_batch *to, struct store_batch **from);

/* Queues the batch (taken). All of a batch is in one transaction; several batches may share one,
 * applied in the order of submission. `tag` comes back from store_reap once the transaction is on
 * disk; never after a failure. */
void store_submit(struct store *s, struct store_batch *b, uint64_t tag);
/* Readable when committed tags wait. Owned by the store. */
int store_event_fd(const struct store *s);
/* Tags committed since the last call, at most max; returns how many. -1 once they are all reaped:
 * a commit failed (PX_ENOSPC: disk full, nothing of that group was written). The store then drops
 * every further write; what was committed stays readable, and a new store_open goes on from there.
 */
int store_reap(struct store *s, uint64_t *tags, int max, struct px_err *err);
/* Submits and waits for the commit: for set-up, not for the message loop. */
int store_commit(struct store *s, struct store_batch *b, struct px_err *err) PX_MUST_CHECK;

struct store_stats {
    uint64_t commits;
    uint64_t batches;
    uint64_t damaged; /* values found damaged in this life; the writer set them aside */
    uint64_t map_bytes;
    uint64_t used_bytes;
};
void store_stats(struct store *s, struct store_stats *out);

#endif
