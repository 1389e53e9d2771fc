/* store.c - opening and closing: locks, file system, format, databases; LMDB's errors in words.
 *
 * The environment is opened without any of LMDB's NOSYNC or WRITEMAP flags: a commit is on disk
 * when it returns, and a full disk is an error of write(2), never a signal. */
#include "coordinator/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "coordinator/store/key_index.h"
#include "coordinator/store/local_fs.h"
#include "coordinator/store/log.h"
#include "coordinator/store/record.h"
#include "coordinator/store/store_internal.h"
#include "coordinator/store/writer_lock.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/mem.h"

#define DEFAULT_MAP ((uint64_t)1 << 30)     /* address space only; the file is what was written */
#define READER_MAP ((uint64_t)16 << 30)     /* so that a reader seldom has to follow growth */
#define LEAST_MAP ((uint64_t)256 << 10)     /* holds the empty databases */
#define FULL_DISK_BYTES ((uint64_t)1 << 20) /* less than this left explains a short write */
enum { MAX_READERS = 512 };

static const char *const db_names[STORE_N_DBS] = {
    [STORE_META] = "meta",         [STORE_GROUP] = "group",
    [STORE_COUNTER] = "counter",   [STORE_QUARANTINE] = "quarantine",
    [STORE_SEQUENCE] = "sequence", [STORE_LOST] = "lost",
    [STORE_RECEIPT] = "receipt",
};
static const char value_db_name[] = "value";

/* Stores open in this process: LMDB's file locks break when one is opened twice. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *open_stores;

/* ---- errors ---- */

/* LMDB reports a write that was cut short as EIO: is the disk (or the file size limit) why? */
static bool no_room(const struct store *s)
{
    struct statvfs fs;
    struct rlimit lim;
    struct stat st;
    PX_FREE char *data = px_path_join(s->dir, "data.mdb");
    if (statvfs(s->dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < FULL_DISK_BYTES)
        return true;
    return getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY &&
           stat(data, &st) == 0 && (uint64_t)st.st_size + FULL_DISK_BYTES > lim.rlim_cur;
}

int store_lmdb_fail(struct store *s, struct px_err *err, int rc, const char *what)
{
    if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG || (rc == EIO && no_room(s)))
        return px_fail(err, PX_ENOSPC,
                       "the disk under store %s is full (%s): nothing of this step was written; "
                       "make space and run the same command again",
                       s->dir, strerror(rc));
    if (rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND)
        return px_fail(err, PX_EINPUT, "%s store %s: its data file is damaged (%s): move it away",
                       what, s->dir, mdb_strerror(rc));
    if (rc == MDB_READERS_FULL)
        return px_fail(err, PX_ELIMIT, "%s store %s: %d readers have it open already", what, s->dir,
                       MAX_READERS);
    if (rc == MDB_VERSION_MISMATCH)
        return px_fail(err, PX_EVERSION, "%s store %s: it was made by another LMDB", what, s->dir);
    errno = rc > 0 ? rc : EIO;
    return rc > 0 ? px_fail_errno(err, "%s store %s", what, s->dir)
                  : px_fail(err, PX_EIO, "%s store %s: %s", what, s->dir, mdb_strerror(rc));
}

/* ---- the list of open stores ---- */

static int register_open(struct store *s, struct px_err *err)
{
    struct stat st;
    if (stat(s->dir, &st) != 0)
        return px_fail_errno(err, "cannot open store %s", s->dir);
    pthread_mutex_lock(&open_lock);
    for (struct store *o = open_stores; o; o = o->next_open) {
        if (o->dev != st.st_dev || o->ino != st.st_ino)
            continue;
        pthread_mutex_unlock(&open_lock);
        return px_fail(err, PX_EEXIST, "store %s is already open in this process, pid %d", s->dir,
                       (int)getpid());
    }
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    s->next_open = open_stores;
    open_stores = s;
    pthread_mutex_unlock(&open_lock);
    return 0;
}

static void unregister_open(struct store *s)
{
    pthread_mutex_lock(&open_lock);
    for (struct store **at = &open_stores; *at; at = &(*at)->next_open) {
        if (*at == s) {
            *at = s->next_open;
            break;
        }
    }
    pthread_mutex_unlock(&open_lock);
}

/* ---- opening ---- */

/* A process killed while LMDB made the file leaves less than its two first pages: no commit can be
 * in there. Called under the writer's lock. */
static int drop_unborn_file(const struct store *s, const char *data, struct px_err *err)
{
    struct stat st;
    if (stat(data, &st) != 0 || st.st_size >= 2 * sysconf(_SC_PAGESIZE))
        return 0;
    return unlink(data) == 0 ? 0 : px_fail_errno(err, "cannot renew store %s", s->dir);
}

/* A file shorter than its last commit says would kill us with SIGBUS while reading. */
static int check_length(struct store *s, const char *data, struct px_err *err)
{
    MDB_envinfo info;
    MDB_stat st;
    struct stat file;
    if (mdb_env_info(s->env, &info) || mdb_env_stat(s->env, &st) || stat(data, &file) != 0)
        return px_fail(err, PX_EIO, "cannot examine store %s", s->dir);
    uint64_t need = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
    if ((uint64_t)file.st_size >= need || info.me_last_txnid == 0)
        return 0;
    return px_fail(err, PX_EINPUT,
                   "store %s was cut short: its data file has %lld bytes and its last commit needs "
                   "%llu; restore it or start with --fresh",
                   s->dir, (long long)file.st_size, (unsigned long long)need);
}

static int open_env(struct store *s, const struct store_options *opt, struct px_err *err)
{
    bool writing = s->mode == STORE_WRITE;
    PX_FREE char *data = px_path_join(s->dir, "data.mdb");
    if (writing && drop_unborn_file(s, data, err) != 0)
        return -1;
    if (!writing && !px_exists(data))
        return px_fail(err, PX_EMISSING, "there is no store in %s", s->dir);
    uint64_t map = writing ? DEFAULT_MAP : READER_MAP;
    if (opt->map_bytes)
        map = opt->map_bytes < LEAST_MAP ? LEAST_MAP : opt->map_bytes;
    int rc = mdb_env_create(&s->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(s->env, STORE_N_DBS + 1);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(s->env, MAX_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, map);
    if (rc == 0)
        rc = mdb_env_open(s->env, s->dir, MDB_NOTLS | (writing ? 0 : MDB_RDONLY), 0644);
    if (rc)
        return store_lmdb_fail(s, err, rc, "cannot open");
    return check_length(s, data, err);
}

static int open_dbs(struct store *s, struct px_err *err)
{
    MDB_txn *txn;
    bool writing = s->mode == STORE_WRITE;
    int rc = mdb_txn_begin(s->env, NULL, writing ? 0 : MDB_RDONLY, &txn);
    if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(s->env, 0)) == 0)
        rc = mdb_txn_begin(s->env, NULL, writing ? 0 : MDB_RDONLY, &txn);
    if (rc)
        return store_lmdb_fail(s, err, rc, "cannot open");
    for (unsigned i = 0; i < STORE_N_DBS && rc == 0; i++)
        if (!log_has(i))
            rc = mdb_dbi_open(txn, db_names[i], writing ? MDB_CREATE : 0, &s->dbi[i]);
    if (rc == 0)
        rc = mdb_dbi_open(txn, value_db_name, writing ? MDB_CREATE : 0, &s->value_dbi);
    if (rc) {
        mdb_txn_abort(txn);
        if (rc == MDB_NOTFOUND)
            return px_fail(err, PX_EMISSING, "store %s is empty: nothing was committed yet",
                           s->dir);
        return store_lmdb_fail(s, err, rc, "cannot open");
    }
    rc = mdb_txn_commit(txn);
    return rc ? store_lmdb_fail(s, err, rc, "cannot open") : 0;
}

static int refuse_version(const struct store *s, unsigned long format, struct px_err *err)
{
    return px_fail(err, PX_EVERSION,
                   "store %s was written by %s Proctor, format %lu; this one reads format %d: use "
                   "another run directory",
                   s->dir, format > STORE_FORMAT ? "a newer" : "an older", format, STORE_FORMAT);
}

/* The format is a record of its own. A damaged one says nothing; another one refuses. */
static int check_format(struct store *s, bool *known, struct px_err *err)
{
    static char key[] = "format";
    MDB_txn *txn;
    MDB_val k = {.mv_size = sizeof key - 1, .mv_data = key}, raw;
    const void *val;
    size_t n = 0;
    if (store_read_begin(s, &txn, err) != 0)
        return -1;
    int rc = mdb_get(txn, s->dbi[STORE_META], &k, &raw);
    unsigned version = rc == 0 ? record_version(raw.mv_data, raw.mv_size) : 0;
    unsigned long format = 0;
    *known = rc == 0 && record_open(raw.mv_data, raw.mv_size, &val, &n) && n == 4;
    if (*known)
        format = px_load_u32(val);
    store_read_end(s, txn);
    if (rc && rc != MDB_NOTFOUND)
        return store_lmdb_fail(s, err, rc, "cannot read");
    unsigned long other = version && version != STORE_FORMAT ? version : format;
    if (other && other != STORE_FORMAT)
        return refuse_version(s, other, err);
    return 0;
}

/* The index of the log, before the writer thread starts to add to it. */
static int load_index(struct store *s, struct px_err *err)
{
    MDB_txn *txn;
    if (store_read_begin(s, &txn, err) != 0)
        return -1;
    int rc = log_catch_up(s, txn, &s->last_sequence, err);
    store_read_end(s, txn);
    return rc;
}

static int begin_writing(struct store *s, bool format_known, struct px_err *err)
{
    int dead = 0;
    if (mdb_reader_check(s->env, &dead) == 0 && dead)
        px_log(PX_INFO, "store_stale_readers", "dir=%s freed=%d", s->dir, dead);
    if (load_index(s, err) != 0 || store_writer_start(s, err) != 0)
        return -1;
    if (format_known)
        return 0;
    uint8_t format[4];
    px_store_u32(format, STORE_FORMAT);
    struct store_batch *b = store_batch_new();
    store_batch_set_aside(b, STORE_META, "format", 6);
    store_batch_put(b, STORE_META, "format", 6, format, sizeof format);
    return store_commit(s, b, err);
}

static int open_all(struct store *s, const struct store_options *opt, struct px_err *err)
{
    bool writing = s->mode == STORE_WRITE, known;
    if (writing && px_mkdirs(s->dir, 0755, err) != 0)
        return px_wrap(err, "cannot make store %s", s->dir);
    if (!px_exists(s->dir))
        return px_fail(err, PX_EMISSING, "there is no store in %s", s->dir);
    if (local_fs_check(s->dir, opt->allow_network_fs, err) != 0 || register_open(s, err) != 0)
        return -1;
    if (writing && (s->lock_fd = writer_lock_take(s->dir, err)) < 0)
        return -1;
    if (open_env(s, opt, err) != 0 || open_dbs(s, err) != 0 || check_format(s, &known, err) != 0)
        return -1;
    return writing ? begin_writing(s, known, err) : 0;
}

struct store *store_open(const char *dir, const struct store_options *opt, struct px_err *err)
{
    struct store *s = px_xcalloc(1, sizeof *s);
    pthread_condattr_t monotonic;
    s->dir = px_xstrdup(dir);
    s->mode = opt->mode;
    s->lock_fd = s->event_fd = -1;
    s->index = key_index_new();
    pthread_mutex_init(&s->index_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_cond_init(&s->settled, NULL);
    pthread_cond_init(&s->idle, NULL);
    if (open_all(s, opt, err) != 0)
        store_close(&s);
    return s;
}

void store_close(struct store **sp)
{
    struct store *s = *sp;
    if (!s)
        return;
    store_writer_stop(s);
    px_assert(!s->views);
    if (s->env)
        mdb_env_close(s->env);
    unregister_open(s);
    px_close_fd(&s->event_fd);
    px_close_fd(&s->lock_fd);
    pthread_cond_destroy(&s->idle);
    pthread_cond_destroy(&s->settled);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->index_lock);
    key_index_free(&s->index);
    free(s->tags);
    free(s->dir);
    free(s);
    *sp = NULL;
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}

bool store_writer_alive(const struct store *s, int *pid)
{
    if (s->mode == STORE_WRITE) {
        *pid = (int)getpid();
        return true;
    }
    return writer_lock_held(s->dir, pid);
}

void store_stats(struct store *s, struct store_stats *out)
{
    MDB_txn *txn;
    MDB_envinfo info;
    MDB_stat st;
    memset(out, 0, sizeof *out);
    if (store_read_begin(s, &txn, NULL) == 0) { /* keeps the map in its place */
        if (mdb_env_info(s->env, &info) == 0 && mdb_env_stat(s->env, &st) == 0) {
            out->map_bytes = info.me_mapsize;
            out->used_bytes = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
        }
        store_read_end(s, txn);
    }
    out->damaged = atomic_load(&s->damaged);
    pthread_mutex_lock(&s->lock);
    out->commits = s->commits;
    out->batches = s->batches;
    pthread_mutex_unlock(&s->lock);
}
