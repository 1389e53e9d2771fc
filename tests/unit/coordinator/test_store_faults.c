/* test_store_faults.c - the store when things break: the n-th write or sync fails, the disk is
 * full, the writer is killed, bytes rot. Whatever happens, a commit is there whole or not at all,
 * and opening again goes on from there.
 *
 * pwrite, writev and fdatasync of this program stand before the C library's, so LMDB's calls come
 * through here and can be made to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "coordinator/store/store.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "scratch.h"

/* ---- failing system calls ---- */

static volatile int fail_after = -1; /* calls that still succeed; -1: all of them */
static volatile int fail_with;
static volatile int failed_calls;

static bool fails_now(void)
{
    if (fail_after < 0 || fail_after-- > 0)
        return false;
    fail_after = 0; /* and every later one */
    failed_calls++;
    errno = fail_with;
    return true;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return fails_now() ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    return fails_now() ? -1 : syscall(SYS_writev, fd, v, n);
}

int fdatasync(int fd)
{
    return fails_now() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- helpers ---- */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    scratch_make(dir);
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    fail_after = -1;
    scratch_remove(dir);
    return 0;
}

static struct store *open_writer(const char *where)
{
    struct store_options opt = {.mode = STORE_WRITE};
    struct px_err err = {0};
    struct store *s = store_open(where, &opt, &err);
    if (!s)
        print_error("%s\n", err.text);
    return s;
}

static struct store_batch *unit_batch(uint64_t i, size_t size)
{
    struct store_batch *b = store_batch_new();
    uint8_t *val = malloc(size);
    memset(val, (int)(i & 0xff), size);
    store_batch_put_new(b, STORE_RESULT, &i, sizeof i, val, size);
    store_batch_put(b, STORE_PLAN, &i, sizeof i, "plan", 4);
    store_batch_add(b, "done", 1);
    free(val);
    return b;
}

/* 1 there, 0 not, -1 the store cannot be read. */
static int has(struct store *s, enum store_db db, const void *key, size_t n_key)
{
    struct px_buf b;
    bool found = false;
    px_buf_init(&b, 1 << 24);
    int rc = store_get(s, db, key, n_key, &b, &found, NULL);
    px_buf_clear(&b);
    return rc ? -1 : found;
}

static uint64_t count(struct store *s, enum store_db db)
{
    struct store_view *v = store_view_begin(s, NULL);
    assert_non_null(v);
    uint64_t n = store_view_count(v, db);
    store_view_end(&v);
    return n;
}

static uint64_t counter(struct store *s, const char *name)
{
    struct px_buf b;
    bool found = false;
    px_buf_init(&b, 64);
    assert_int_equal(store_get(s, STORE_COUNTER, name, strlen(name), &b, &found, NULL), 0);
    uint64_t v = found ? px_load_u64(b.data) : 0;
    px_buf_clear(&b);
    return v;
}

/* Results, plan, change log and counter tell the same story of n units. */
static void assert_whole(struct store *s, uint64_t n)
{
    assert_int_equal(count(s, STORE_RESULT), n);
    assert_int_equal(count(s, STORE_PLAN), n);
    assert_int_equal(count(s, STORE_SEQUENCE), 2 * n);
    assert_int_equal(counter(s, "done"), n);
}

/* ---- the n-th call fails ---- */

/* false when the commit went through because fewer than n calls were made. */
static bool commit_fails_at(int n, int error)
{
    char where[96];
    snprintf(where, sizeof where, "%s/%d-%d", dir, n, error);
    struct store *s = open_writer(where);
    struct px_err err = {0};
    assert_non_null(s);
    assert_int_equal(store_commit(s, unit_batch(1, 100), NULL), 0);
    fail_with = error;
    failed_calls = 0;
    fail_after = n;
    int rc = store_commit(s, unit_batch(2, 9000), &err);
    fail_after = -1;
    if (failed_calls == 0) {
        assert_int_equal(rc, 0);
        store_close(&s);
        return false;
    }
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, error == ENOSPC ? PX_ENOSPC : PX_EIO);
    assert_non_null(strstr(err.text, where));
    assert_int_equal(store_commit(s, unit_batch(3, 10), &err), -1); /* it refuses from now on */
    store_submit(s, unit_batch(4, 10), 4);
    uint64_t tag;
    assert_int_equal(store_reap(s, &tag, 1, &err), -1);
    store_close(&s);

    s = open_writer(where);
    assert_non_null(s);
    assert_whole(s, 1);
    assert_int_equal(store_commit(s, unit_batch(2, 9000), NULL), 0);
    assert_whole(s, 2);
    store_close(&s);
    return true;
}

static void a_failing_system_call_leaves_the_last_commit_and_nothing_else(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO};
    for (size_t e = 0; e < 2; e++) {
        int n = 0;
        while (commit_fails_at(n, errors[e]))
            n++;
        assert_true(n >= 3); /* pages, a sync, the meta page */
    }
}

/* ---- full disks ---- */

/* In a child: writes until it cannot; exit code 0 when it was told so in the right words. */
static void fill_up(const char *where, int report)
{
    struct store *s = open_writer(where);
    struct px_err err = {0};
    uint64_t n = 0;
    if (!s)
        _exit(2);
    while (n < 5000 && store_commit(s, unit_batch(n, 20000), &err) == 0)
        n++;
    bool good = err.code == PX_ENOSPC && strstr(err.text, "is full") && strstr(err.text, where) &&
                store_commit(s, unit_batch(n, 1), NULL) == -1;
    store_close(&s);
    if (write(report, &n, sizeof n) != sizeof n)
        _exit(3);
    _exit(good ? 0 : 1);
}

static void writing_past_the_file_size_limit_is_a_full_disk_and_resumable(void **state)
{
    (void)state;
    int p[2], status;
    uint64_t n = 0;
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit lim = {2 << 20, 2 << 20};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &lim);
        fill_up(dir, p[1]);
    }
    close(p[1]);
    assert_int_equal(read(p[0], &n, sizeof n), sizeof n);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_in_range(n, 10, 110);
    struct store *s = open_writer(dir);
    assert_non_null(s);
    assert_whole(s, n);
    assert_int_equal(store_commit(s, unit_batch(n, 20000), NULL), 0);
    assert_whole(s, n + 1);
    store_close(&s);
    close(p[0]);
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return good;
}

/* A mount table of this process's own; as root of a user namespace when need be, where a user and
 * a group without a mapping could not make a file. */
static bool own_mounts(void)
{
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %d 1", (int)getuid());
    snprintf(groups, sizeof groups, "0 %d 1", (int)getgid());
    if (unshare(CLONE_NEWNS) != 0 &&
        (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_text("/proc/self/uid_map", users) ||
         !write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/gid_map", groups)))
        return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* In a child with a mount table of its own: a disk of 2 MiB that fills, gets room, and goes on. */
static void fill_tmpfs(int report)
{
    uint64_t n = 0, again = UINT64_MAX;
    char where[96];
    int p[2], status;
    if (!own_mounts() || mount("none", dir, "tmpfs", 0, "size=2m,mode=0777") != 0)
        _exit(77);
    snprintf(where, sizeof where, "%s/store", dir);
    if (pipe(p) != 0)
        _exit(2);
    pid_t pid = fork();
    if (pid == 0)
        fill_up(where, p[1]);
    close(p[1]);
    if (read(p[0], &n, sizeof n) != sizeof n || waitpid(pid, &status, 0) != pid || status)
        _exit(3);
    if (mount("none", dir, "tmpfs", MS_REMOUNT, "size=8m") != 0)
        _exit(4);
    struct store *s = open_writer(where);
    if (s && store_commit(s, unit_batch(n, 20000), NULL) == 0)
        again = counter(s, "done");
    store_close(&s);
    if (write(report, &n, sizeof n) != sizeof n || again != n + 1)
        _exit(5);
    _exit(0);
}

static void a_full_disk_is_said_clearly_and_work_goes_on_after_space_is_made(void **state)
{
    (void)state;
    int p[2], status;
    uint64_t n = 0;
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0)
        fill_tmpfs(p[1]);
    waitpid(pid, &status, 0);
    close(p[1]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("SKIP: no user and mount namespaces here, so no small disk to fill\n");
        close(p[0]);
        skip();
    }
    assert_int_equal(status, 0);
    assert_int_equal(read(p[0], &n, sizeof n), sizeof n);
    assert_in_range(n, 10, 110);
    close(p[0]);
}

/* ---- kill -9 ---- */

/* In a child: commits unit after unit from `first`, telling each number after its commit. */
static void write_for_ever(uint64_t first, int report)
{
    struct store *s = open_writer(dir);
    if (!s)
        _exit(1);
    for (uint64_t next = first;;) {
        struct pollfd p = {.fd = store_event_fd(s), .events = POLLIN};
        uint64_t tags[64];
        for (int i = 0; i < 5; i++, next++)
            store_submit(s, unit_batch(next, 50 + next % 4000), next);
        poll(&p, 1, 1000);
        int n = store_reap(s, tags, 64, NULL);
        if (n < 0 || (n && write(report, tags, (size_t)n * 8) != n * 8))
            _exit(2);
    }
}

static void a_killed_writer_loses_nothing_it_has_told_of(void **state)
{
    (void)state;
    uint64_t have = 0;
    for (int life = 0; life < 6; life++) {
        int p[2];
        assert_int_equal(pipe(p), 0);
        pid_t pid = fork();
        if (pid == 0)
            write_for_ever(have, p[1]);
        close(p[1]);
        uint64_t tag, top = 0;
        for (int i = 0; i < 1 + life * 7; i++) {
            assert_int_equal(read(p[0], &tag, sizeof tag), sizeof tag);
            top = tag > top ? tag : top;
        }
        clk_sleep_us(life * 700); /* not always right after a report */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(p[0], &tag, sizeof tag) == sizeof tag)
            top = tag > top ? tag : top;
        close(p[0]);
        struct store *s = open_writer(dir);
        assert_non_null(s);
        for (uint64_t i = 0; i <= top; i++)
            assert_int_equal(has(s, STORE_RESULT, &i, sizeof i), 1);
        assert_true(count(s, STORE_RESULT) >= top + 1);
        have = count(s, STORE_RESULT);
        assert_whole(s, have);
        store_close(&s);
    }
}

/* ---- rot ---- */

/* Turns one byte in every place of the data file where `what` stands. */
static int rot(const char *what, size_t at)
{
    char path[96];
    int hits = 0;
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char *all = malloc((size_t)st.st_size);
    assert_int_equal(pread(fd, all, (size_t)st.st_size, 0), st.st_size);
    for (off_t i = 0; i + (off_t)strlen(what) <= st.st_size; i++) {
        if (memcmp(all + i, what, strlen(what)) == 0) {
            char c = (char)(all[i + (off_t)at] ^ 0x10);
            assert_int_equal(pwrite(fd, &c, 1, i + (off_t)at), 1);
            hits++;
        }
    }
    free(all);
    close(fd);
    return hits;
}

static bool count_entry(void *ctx, const void *key, size_t n_key, const void *val, size_t n_val)
{
    (void)key, (void)n_key, (void)val, (void)n_val;
    ++*(int *)ctx;
    return true;
}

static void a_rotten_value_is_set_aside_and_the_rest_survives(void **state)
{
    (void)state;
    struct store *s = open_writer(dir);
    struct store_batch *b = store_batch_new();
    store_batch_put(b, STORE_RESULT, "good", 4, "a sound value here", 18);
    store_batch_put(b, STORE_RESULT, "rots", 4, "the value that rots", 19);
    store_batch_put(b, STORE_VERDICT, "scan", 4, "another one that goes", 21);
    assert_int_equal(store_commit(s, b, NULL), 0);
    store_close(&s);
    assert_true(rot("the value that rots", 4) >= 1);
    assert_true(rot("another one that goes", 0) >= 1);

    struct store_options ro = {.mode = STORE_READ};
    struct store_stats st;
    int seen = 0;
    s = store_open(dir, &ro, NULL);
    assert_non_null(s);
    assert_int_equal(has(s, STORE_RESULT, "rots", 4), 0);
    assert_int_equal(has(s, STORE_RESULT, "good", 4), 1);
    assert_int_equal(count(s, STORE_LOST), 0); /* a reader only skips */
    store_stats(s, &st);
    assert_int_equal(st.damaged, 1);
    store_close(&s);

    s = open_writer(dir);
    assert_int_equal(has(s, STORE_RESULT, "rots", 4), 0);
    struct store_view *v = store_view_begin(s, NULL);
    assert_int_equal(store_view_scan(v, STORE_VERDICT, NULL, 0, count_entry, &seen, NULL), 0);
    store_view_end(&v);
    assert_int_equal(seen, 0);
    assert_int_equal(store_commit(s, store_batch_new(), NULL), 0); /* behind the setting aside */
    store_stats(s, &st);
    assert_int_equal(st.damaged, 2);
    assert_int_equal(count(s, STORE_LOST), 2);
    assert_int_equal(count(s, STORE_RESULT), 1);
    assert_int_equal(has(s, STORE_LOST, "\2rots", 5), 1);
    b = store_batch_new();
    store_batch_put_new(b, STORE_RESULT, "rots", 4, "done again", 10);
    assert_int_equal(store_commit(s, b, NULL), 0);
    assert_int_equal(has(s, STORE_RESULT, "rots", 4), 1);
    assert_int_equal(has(s, STORE_RESULT, "good", 4), 1);
    store_close(&s);
}

static void a_rotten_value_in_the_way_of_a_new_result_is_replaced(void **state)
{
    (void)state;
    struct store *s = open_writer(dir);
    struct store_batch *b = store_batch_new();
    store_batch_put_new(b, STORE_RESULT, "rots", 4, "the value that rots", 19);
    assert_int_equal(store_commit(s, b, NULL), 0);
    store_close(&s);
    assert_true(rot("the value that rots", 18) >= 1);
    s = open_writer(dir);
    b = store_batch_new();
    store_batch_put_new(b, STORE_RESULT, "rots", 4, "made anew", 9);
    store_batch_add(b, "done", 1);
    assert_int_equal(store_commit(s, b, NULL), 0);
    assert_int_equal(has(s, STORE_RESULT, "rots", 4), 1);
    assert_int_equal(has(s, STORE_LOST, "\2rots", 5), 1);
    assert_int_equal(count(s, STORE_SEQUENCE), 2);
    store_close(&s);
}

/* Puts bytes into a database behind the store's back. */
static void put_raw(const char *db, const char *key, size_t n_key, const void *val, size_t n)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    char k_copy[32];
    memcpy(k_copy, key, n_key);
    MDB_val k = {n_key, k_copy}, v = {.mv_size = n};
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 16);
    assert_int_equal(mdb_env_open(env, dir, 0, 0644), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, db, 0, &dbi), 0);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, MDB_RESERVE), 0);
    memcpy(v.mv_data, val, n);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void values_that_are_no_records_count_as_absent(void **state)
{
    (void)state;
    static const char first[] = "\0\0\0\0\0\0\0\1", second[] = "\0\0\0\0\0\0\0\2";
    static const char third[] = "\0\0\0\0\0\0\0\3";
    struct store *s = open_writer(dir);
    for (uint64_t i = 0; i < 2; i++) /* numbers 1, 2: plan and result; 3, 4: the next ones */
        assert_int_equal(store_commit(s, unit_batch(i, 10), NULL), 0);
    store_close(&s);
    put_raw("value", first, 8, "x", 1);
    put_raw("value", second, 8, "", 0);
    put_raw("value", third, 8, "PXRCPXRCPXRCPXRCPXRCPXRC", 24);
    put_raw("counter", "done", 4, "not a counter at all", 20);
    put_raw("meta", "format", 6, "what format", 11);
    s = open_writer(dir); /* a format record that says nothing does not lock anybody out */
    assert_non_null(s);
    uint64_t zero = 0, one = 1;
    assert_int_equal(has(s, STORE_PLAN, &zero, 8), 0);
    assert_int_equal(has(s, STORE_RESULT, &zero, 8), 0);
    assert_int_equal(has(s, STORE_PLAN, &one, 8), 0);
    assert_int_equal(has(s, STORE_RESULT, &one, 8), 1);
    struct store_batch *b = store_batch_new();
    store_batch_add(b, "done", 2);
    assert_int_equal(store_commit(s, b, NULL), 0);
    assert_int_equal(counter(s, "done"), 2);
    assert_int_equal(count(s, STORE_RESULT), 1);
    assert_int_equal(count(s, STORE_PLAN), 0);
    assert_int_equal(count(s, STORE_LOST), 5);
    assert_int_equal(store_commit(s, unit_batch(0, 10), NULL), 0);
    store_close(&s);
    s = open_writer(dir);
    assert_int_equal(has(s, STORE_PLAN, &zero, 8), 1);
    assert_int_equal(has(s, STORE_RESULT, &zero, 8), 1);
    assert_int_equal(has(s, STORE_PLAN, &one, 8), 0);
    store_close(&s);
}

static void a_rotten_change_log_is_repaired_from_the_values(void **state)
{
    (void)state;
    static const char second[] = "\0\0\0\0\0\0\0\2";
    struct store *s = open_writer(dir);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(store_commit(s, unit_batch(i, 10), NULL), 0);
    store_close(&s);
    put_raw("sequence", second, 8, "rot", 3);
    struct store_options ro = {.mode = STORE_READ};
    uint64_t zero = 0;
    s = store_open(dir, &ro, NULL);
    assert_non_null(s);
    assert_int_equal(has(s, STORE_PLAN, &zero, 8) + has(s, STORE_RESULT, &zero, 8), 2);
    store_close(&s);
    for (int i = 0; i < 2; i++) {
        s = open_writer(dir);
        assert_int_equal(has(s, STORE_PLAN, &zero, 8) + has(s, STORE_RESULT, &zero, 8), 2);
        assert_int_equal(store_commit(s, store_batch_new(), NULL), 0);
        assert_whole(s, 3);
        assert_int_equal(count(s, STORE_LOST), 1);
        store_close(&s);
    }
}

static void a_data_file_that_is_cut_short_is_refused(void **state)
{
    (void)state;
    char path[96];
    struct store *s = open_writer(dir);
    assert_int_equal(store_commit(s, unit_batch(1, 200000), NULL), 0);
    store_close(&s);
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    assert_int_equal(truncate(path, 40960), 0);
    for (int i = 0; i < 2; i++) {
        struct store_options opt = {.mode = i ? STORE_READ : STORE_WRITE};
        struct px_err err = {0};
        assert_null(store_open(dir, &opt, &err));
        assert_int_equal(err.code, PX_EINPUT);
        assert_non_null(strstr(err.text, "cut short"));
    }
}

static void a_file_that_is_no_store_is_refused_and_an_unborn_one_renewed(void **state)
{
    (void)state;
    char path[96], junk[16384];
    struct store_options opt = {.mode = STORE_WRITE};
    struct px_err err = {0};
    memset(junk, 'j', sizeof junk);
    snprintf(path, sizeof path, "%s/data.mdb", dir);
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(pwrite(fd, junk, sizeof junk, 0), sizeof junk);
    assert_null(store_open(dir, &opt, &err));
    assert_int_equal(err.code, PX_EINPUT);
    assert_int_equal(ftruncate(fd, 3000), 0); /* as if killed while it was made */
    close(fd);
    struct store *s = open_writer(dir);
    assert_non_null(s);
    store_close(&s);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        IN_DIR(a_failing_system_call_leaves_the_last_commit_and_nothing_else),
        IN_DIR(writing_past_the_file_size_limit_is_a_full_disk_and_resumable),
        IN_DIR(a_full_disk_is_said_clearly_and_work_goes_on_after_space_is_made),
        IN_DIR(a_killed_writer_loses_nothing_it_has_told_of),
        IN_DIR(a_rotten_value_is_set_aside_and_the_rest_survives),
        IN_DIR(a_rotten_value_in_the_way_of_a_new_result_is_replaced),
        IN_DIR(values_that_are_no_records_count_as_absent),
        IN_DIR(a_rotten_change_log_is_repaired_from_the_values),
        IN_DIR(a_data_file_that_is_cut_short_is_refused),
        IN_DIR(a_file_that_is_no_store_is_refused_and_an_unborn_one_renewed),
    };
    return cmocka_run_group_tests_name("store faults", tests, NULL, NULL);
}
