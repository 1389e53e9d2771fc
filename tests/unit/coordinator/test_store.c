/* test_store.c - the store as its users see it: what goes in comes out, in order, once; two
 * processes share it; refusals say why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/wait.h>

#include "coordinator/store/local_fs.h"
#include "coordinator/store/store.h"
#include "proto/log.h"
#include "scratch.h"

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
    scratch_remove(dir);
    return 0;
}

static struct store *open_store(enum store_mode mode)
{
    struct store_options opt = {.mode = mode};
    struct px_err err = {0};
    struct store *s = store_open(dir, &opt, &err);
    if (!s)
        print_error("%s\n", err.text);
    assert_non_null(s);
    return s;
}

static void put(struct store_batch *b, enum store_db db, const char *key, const char *val)
{
    store_batch_put(b, db, key, strlen(key), val, strlen(val));
}

static void commit(struct store *s, struct store_batch *b)
{
    struct px_err err = {0};
    int rc = store_commit(s, b, &err);
    if (rc)
        print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
}

/* NULL when absent; valid until the next call. */
static const char *value_of(struct store *s, enum store_db db, const char *key)
{
    static struct px_buf b;
    bool found;
    px_buf_clear(&b);
    px_buf_init(&b, 1 << 24);
    assert_int_equal(store_get(s, db, key, strlen(key), &b, &found, NULL), 0);
    return !found ? NULL : b.data ? (const char *)b.data : "";
}

static int64_t counter(struct store *s, const char *key)
{
    const char *v = value_of(s, STORE_COUNTER, key);
    return v ? (int64_t)px_load_u64(v) : -1;
}

static uint64_t count(struct store *s, enum store_db db)
{
    struct store_view *v = store_view_begin(s, NULL);
    uint64_t n = store_view_count(v, db);
    store_view_end(&v);
    return n;
}

static void what_is_committed_is_read_back_after_reopening(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    struct store_batch *b = store_batch_new();
    put(b, STORE_META, "recipe", "text");
    put(b, STORE_META, "empty", "");
    store_batch_add(b, "g0.generated", 3);
    commit(s, b);
    b = store_batch_new();
    put(b, STORE_META, "recipe", "newer");
    store_batch_del(b, STORE_META, "never there", 11);
    store_batch_add(b, "g0.generated", 5);
    store_batch_add(b, "g0.generated", -1);
    commit(s, b);
    store_close(&s);
    assert_null(s);
    for (int i = 0; i < 2; i++) {
        s = open_store(i ? STORE_READ : STORE_WRITE);
        assert_string_equal(value_of(s, STORE_META, "recipe"), "newer");
        assert_string_equal(value_of(s, STORE_META, "empty"), "");
        assert_null(value_of(s, STORE_META, "never there"));
        assert_null(value_of(s, STORE_RESULT, "recipe"));
        assert_int_equal(counter(s, "g0.generated"), 7);
        store_close(&s);
    }
}

static void changes_of_one_key_are_applied_in_the_order_of_submission(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    struct store_batch *b = store_batch_new();
    put(b, STORE_META, "k", "1");
    put(b, STORE_META, "a", "x");
    put(b, STORE_META, "k", "2");
    store_batch_del(b, STORE_META, "a", 1);
    put(b, STORE_META, "gone", "x");
    store_batch_del(b, STORE_META, "gone", 4);
    put(b, STORE_META, "gone", "back");
    commit(s, b);
    assert_string_equal(value_of(s, STORE_META, "k"), "2");
    assert_null(value_of(s, STORE_META, "a"));
    assert_string_equal(value_of(s, STORE_META, "gone"), "back");
    store_close(&s);
}

static void a_result_is_accepted_once(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    for (int i = 0; i < 3; i++) {
        struct store_batch *b = store_batch_new();
        store_batch_put_new(b, STORE_RESULT, "key", 3, i ? "late" : "first", i ? 4 : 5);
        commit(s, b);
    }
    assert_string_equal(value_of(s, STORE_RESULT, "key"), "first");
    assert_int_equal(count(s, STORE_SEQUENCE), 1);
    store_close(&s);
}

struct seen {
    char text[256];
    int limit;
};

static bool note_key(void *ctx, const void *key, size_t n_key, const void *val, size_t n_val)
{
    struct seen *seen = ctx;
    size_t at = strlen(seen->text);
    snprintf(seen->text + at, sizeof seen->text - at, "%.*s=%.*s ", (int)n_key, (const char *)key,
             (int)n_val, (const char *)val);
    return --seen->limit != 0;
}

static bool note_change(void *ctx, const void *key, size_t n_key, const void *val, size_t n_val)
{
    struct seen *seen = ctx;
    const uint8_t *k = key;
    const char *v = val;
    size_t at = strlen(seen->text);
    assert_int_equal(n_key, 8);
    snprintf(seen->text + at, sizeof seen->text - at, "%d:%d%.*s ", k[7], v[0], (int)n_val - 1,
             v + 1);
    return true;
}

static void scans_go_in_key_order_from_a_key_until_told_to_stop(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    struct store_batch *b = store_batch_new();
    put(b, STORE_PLAN, "c", "3");
    put(b, STORE_PLAN, "a", "1");
    put(b, STORE_PLAN, "d", "4");
    put(b, STORE_PLAN, "b", "2");
    commit(s, b);
    struct store_view *v = store_view_begin(s, NULL);
    struct seen all = {.limit = 9}, some = {.limit = 2}, none = {.limit = 9};
    assert_int_equal(store_view_scan(v, STORE_PLAN, NULL, 0, note_key, &all, NULL), 0);
    assert_string_equal(all.text, "a=1 b=2 c=3 d=4 ");
    assert_int_equal(store_view_scan(v, STORE_PLAN, "b", 1, note_key, &some, NULL), 0);
    assert_string_equal(some.text, "b=2 c=3 ");
    assert_int_equal(store_view_scan(v, STORE_PLAN, "e", 1, note_key, &none, NULL), 0);
    assert_string_equal(none.text, "");
    assert_int_equal(store_view_count(v, STORE_PLAN), 4);
    store_view_end(&v);
    store_close(&s);
}

static void a_deleted_key_is_gone_in_every_way_and_may_come_back(void **state)
{
    (void)state;
    for (int life = 0; life < 2; life++) {
        struct store *s = open_store(STORE_WRITE);
        for (int i = 0; i < 3; i++) {
            struct store_batch *b = store_batch_new();
            put(b, STORE_RESULT, "stays", "s");
            if (i == 1)
                store_batch_del(b, STORE_RESULT, "r", 1);
            else
                put(b, STORE_RESULT, "r", i ? "new" : "old");
            store_batch_del(b, STORE_RESULT, "never", 5);
            commit(s, b);
            assert_int_equal(count(s, STORE_RESULT), i == 1 ? 1 : 2);
            const char *v = value_of(s, STORE_RESULT, "r");
            assert_int_equal(v != NULL, i != 1);
            if (v)
                assert_string_equal(v, i ? "new" : "old");
        }
        store_close(&s);
        s = open_store(STORE_READ);
        assert_string_equal(value_of(s, STORE_RESULT, "r"), "new");
        assert_null(value_of(s, STORE_PLAN, "r"));
        store_close(&s);
    }
}

static void a_view_sees_what_was_there_when_it_began(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    for (int i = 0; i < 2; i++) {
        struct store_view *v = store_view_begin(s, NULL);
        const void *val;
        size_t n;
        if (i == 1) /* asks once before the change, and once not at all */
            assert_true(store_view_get(v, STORE_PLAN, "k", 1, &val, &n));
        struct store_batch *b = store_batch_new();
        put(b, STORE_PLAN, "k", i ? "second" : "first");
        put(b, STORE_PLAN, i ? "b" : "a", "x");
        store_submit(s, b, 1); /* not store_commit: this thread reads */
        struct pollfd p = {.fd = store_event_fd(s), .events = POLLIN};
        uint64_t tag;
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(store_reap(s, &tag, 1, NULL), 1);
        assert_int_equal(store_view_get(v, STORE_PLAN, "k", 1, &val, &n), i);
        if (i)
            assert_memory_equal(val, "first", 5);
        assert_false(store_view_get(v, STORE_PLAN, i ? "b" : "a", 1, &val, &n));
        assert_string_equal(value_of(s, STORE_PLAN, "k"), i ? "second" : "first");
        store_view_end(&v);
    }
    store_close(&s);
}

static void the_change_log_numbers_results_verdicts_and_quarantine_across_lives(void **state)
{
    (void)state;
    for (int life = 0; life < 2; life++) {
        struct store *s = open_store(STORE_WRITE);
        struct store_batch *b = store_batch_new();
        put(b, STORE_VERDICT, life ? "v2" : "v1", "x");
        put(b, STORE_RESULT, life ? "r2" : "r1", "x");
        put(b, STORE_META, "not logged", "x");
        commit(s, b);
        store_close(&s);
    }
    struct store *s = open_store(STORE_WRITE);
    struct store_batch *b = store_batch_new();
    put(b, STORE_QUARANTINE, "q", "{}");
    commit(s, b);
    struct seen seen = {.limit = 0};
    struct store_view *v = store_view_begin(s, NULL);
    assert_int_equal(store_view_scan(v, STORE_SEQUENCE, NULL, 0, note_change, &seen, NULL), 0);
    store_view_end(&v);
    assert_string_equal(seen.text, "1:2r1 2:3v1 3:2r2 4:3v2 5:6q ");
    store_close(&s);
}

static void tags_come_back_once_after_the_commit(void **state)
{
    (void)state;
    enum { N = 500 };
    struct store *s = open_store(STORE_WRITE);
    bool back[N] = {false};
    for (int i = 0; i < N; i++) {
        struct store_batch *b = store_batch_new();
        char key[16];
        snprintf(key, sizeof key, "%d", i * 7919 % N);
        put(b, STORE_RESULT, key, "value");
        store_submit(s, b, (uint64_t)i);
    }
    for (int have = 0; have < N;) {
        struct pollfd p = {.fd = store_event_fd(s), .events = POLLIN};
        uint64_t tags[16];
        assert_int_equal(poll(&p, 1, 5000), 1);
        int n = store_reap(s, tags, 16, NULL);
        assert_true(n >= 0);
        for (int i = 0; i < n; i++, have++) {
            assert_true(tags[i] < N && !back[tags[i]]);
            back[tags[i]] = true;
        }
    }
    struct pollfd p = {.fd = store_event_fd(s), .events = POLLIN};
    uint64_t tag;
    assert_int_equal(store_reap(s, &tag, 1, NULL), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    struct store_stats st;
    store_stats(s, &st);
    assert_int_equal(st.batches, N + 1); /* and the format's */
    assert_true(st.commits <= st.batches);
    assert_int_equal(count(s, STORE_RESULT), N);
    store_close(&s);
}

static void the_map_grows_and_a_group_is_tried_again(void **state)
{
    (void)state;
    enum { N = 24, SIZE = 256 << 10 };
    struct store_options opt = {.mode = STORE_WRITE, .map_bytes = 1};
    struct store *s = store_open(dir, &opt, NULL);
    struct store_stats st;
    assert_non_null(s);
    store_stats(s, &st);
    assert_true(st.map_bytes < 1 << 20);
    char *big = malloc(SIZE);
    for (int i = 0; i < N; i++) {
        struct store_batch *b = store_batch_new();
        char key[8];
        memset(big, 'a' + i, SIZE);
        snprintf(key, sizeof key, "%d", i);
        store_batch_put(b, STORE_RESULT, key, strlen(key), big, SIZE);
        store_batch_add(b, "n", 1);
        commit(s, b);
    }
    store_stats(s, &st);
    assert_true(st.map_bytes >= N * SIZE);
    assert_int_equal(counter(s, "n"), N);
    assert_int_equal(count(s, STORE_SEQUENCE), N);
    for (int i = 0; i < N; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        const char *v = value_of(s, STORE_RESULT, key);
        assert_non_null(v);
        assert_true(v[0] == 'a' + i && v[SIZE - 1] == 'a' + i);
    }
    free(big);
    store_close(&s);
}

/* ---- two processes ---- */

/* A reader in a process of its own: for each byte it is told to look, it says how many results it
 * sees. Exit code 0 when told to end. */
static pid_t start_reader(int *ask, int *answer)
{
    int a[2], b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_options opt = {.mode = STORE_READ, .map_bytes = 1};
        close(a[1]);
        struct store *s = store_open(dir, &opt, NULL);
        char c;
        while (s && read(a[0], &c, 1) == 1) {
            uint64_t n = count(s, STORE_RESULT);
            if (write(b[1], &n, sizeof n) != sizeof n)
                break;
        }
        store_close(&s);
        _exit(0);
    }
    close(a[0]);
    close(b[1]);
    *ask = a[1];
    *answer = b[0];
    return pid;
}

static void a_reader_elsewhere_follows_a_writer_whose_map_grows(void **state)
{
    (void)state;
    enum { SIZE = 300 << 10 };
    /* the reader must start before this process has the store open: LMDB does not survive fork */
    struct store *s = open_store(STORE_WRITE);
    store_close(&s);
    int ask, answer, status;
    pid_t reader = start_reader(&ask, &answer);
    struct store_options opt = {.mode = STORE_WRITE, .map_bytes = 1};
    s = store_open(dir, &opt, NULL);
    assert_non_null(s);
    char *big = calloc(1, SIZE);
    for (uint64_t i = 1; i <= 12; i++) {
        struct store_batch *b = store_batch_new();
        store_batch_put(b, STORE_RESULT, &i, sizeof i, big, SIZE);
        commit(s, b);
        uint64_t seen;
        assert_int_equal(write(ask, "?", 1), 1);
        assert_int_equal(read(answer, &seen, sizeof seen), sizeof seen);
        assert_int_equal(seen, i);
    }
    free(big);
    close(ask);
    close(answer);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    store_close(&s);
}

static void a_second_writer_is_told_the_pid_of_the_first(void **state)
{
    (void)state;
    int ready[2], status;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_options opt = {.mode = STORE_WRITE};
        struct store *s = store_open(dir, &opt, NULL);
        if (!s || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    struct store_options opt = {.mode = STORE_WRITE};
    struct px_err err = {0};
    char want[64];
    snprintf(want, sizeof want, "in use by proctor run, pid %d", (int)pid);
    assert_null(store_open(dir, &opt, &err));
    assert_int_equal(err.code, PX_EEXIST);
    assert_non_null(strstr(err.text, want));

    struct store *reader = open_store(STORE_READ);
    int holder;
    assert_true(store_writer_alive(reader, &holder));
    assert_int_equal(holder, pid);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_false(store_writer_alive(reader, &holder));
    store_close(&reader);
    struct store *s = open_store(STORE_WRITE);
    store_close(&s);
    close(ready[0]);
    close(ready[1]);
}

static void one_process_opens_a_store_once(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    struct store_options opt = {.mode = STORE_READ};
    struct px_err err = {0};
    assert_null(store_open(dir, &opt, &err));
    assert_int_equal(err.code, PX_EEXIST);
    store_close(&s);
    s = open_store(STORE_READ);
    store_close(&s);
}

/* ---- refusals ---- */

static void nothing_there_to_read_is_missing(void **state)
{
    (void)state;
    char path[96];
    struct store_options opt = {.mode = STORE_READ};
    struct px_err err = {0};
    snprintf(path, sizeof path, "%s/absent", dir);
    assert_null(store_open(path, &opt, &err));
    assert_int_equal(err.code, PX_EMISSING);
    assert_int_equal(access(path, F_OK), -1);
    assert_null(store_open(dir, &opt, &err));
    assert_int_equal(err.code, PX_EMISSING);
    opt.mode = STORE_WRITE;
    struct store *s = store_open(path, &opt, &err);
    assert_non_null(s);
    store_close(&s);
}

static void network_file_systems_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        unsigned long magic;
        const char *name;
        bool wish_helps;
    } kinds[] = {
        {0x6969, "NFS", false},      {0x0bd00bd0, "Lustre", false}, {0x47504653, "GPFS", false},
        {0xff534d42, "CIFS", false}, {0xfe534d42, "SMB2", false},   {0x01021997, "9p", false},
        {0x5346414f, "AFS", false},  {0x00c36400, "Ceph", false},   {0x65735546, "FUSE", true}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int wish = 0; wish < 2; wish++) {
            struct store_options opt = {.mode = STORE_WRITE, .allow_network_fs = wish};
            struct px_err err = {0};
            local_fs_pretend(kinds[i].magic);
            struct store *s = store_open(dir, &opt, &err);
            local_fs_pretend(0);
            assert_int_equal(s != NULL, wish && kinds[i].wish_helps);
            if (!s) {
                assert_int_equal(err.code, PX_EUNSUPPORTED);
                assert_non_null(strstr(err.text, kinds[i].name));
            }
            store_close(&s);
        }
    }
    local_fs_pretend(0x794c7630); /* overlayfs is local */
    struct store *s = open_store(STORE_WRITE);
    local_fs_pretend(0);
    store_close(&s);
}

static void a_store_of_another_format_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t format[4];
        const char *says;
    } cases[] = {{{7, 0, 0, 0}, "written by a newer Proctor, format 7"},
                 {{1, 0, 0, 0}, "written by an older Proctor, format 1"}};
    for (int i = 0; i < 4; i++) {
        struct store_options opt = {.mode = i % 2 ? STORE_READ : STORE_WRITE};
        struct px_err err = {0};
        if (i % 2 == 0) {
            struct store *s = open_store(STORE_WRITE);
            struct store_batch *b = store_batch_new();
            store_batch_put(b, STORE_META, "format", 6, cases[i / 2].format, 4);
            commit(s, b);
            store_close(&s);
        }
        assert_null(store_open(dir, &opt, &err));
        assert_int_equal(err.code, PX_EVERSION);
        assert_non_null(strstr(err.text, cases[i / 2].says));
        if (i == 1) { /* begin anew */
            scratch_remove(dir);
            scratch_make(dir);
        }
    }
}

static void batch_sizes_of_zero_are_harmless(void **state)
{
    (void)state;
    struct store *s = open_store(STORE_WRITE);
    commit(s, store_batch_new());
    store_submit(s, store_batch_new(), 9);
    struct pollfd p = {.fd = store_event_fd(s), .events = POLLIN};
    uint64_t tag = 0;
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(store_reap(s, &tag, 1, NULL), 1);
    assert_int_equal(tag, 9);
    struct store_batch *never = store_batch_new();
    put(never, STORE_META, "k", "v");
    store_batch_free(&never);
    assert_null(never);
    store_close(&s);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)

int main(void)
{
    px_log_level(PX_ERROR);
    const struct CMUnitTest tests[] = {
        IN_DIR(what_is_committed_is_read_back_after_reopening),
        IN_DIR(changes_of_one_key_are_applied_in_the_order_of_submission),
        IN_DIR(a_result_is_accepted_once),
        IN_DIR(scans_go_in_key_order_from_a_key_until_told_to_stop),
        IN_DIR(a_deleted_key_is_gone_in_every_way_and_may_come_back),
        IN_DIR(a_view_sees_what_was_there_when_it_began),
        IN_DIR(the_change_log_numbers_results_verdicts_and_quarantine_across_lives),
        IN_DIR(tags_come_back_once_after_the_commit),
        IN_DIR(the_map_grows_and_a_group_is_tried_again),
        IN_DIR(a_reader_elsewhere_follows_a_writer_whose_map_grows),
        IN_DIR(a_second_writer_is_told_the_pid_of_the_first),
        IN_DIR(one_process_opens_a_store_once),
        IN_DIR(nothing_there_to_read_is_missing),
        IN_DIR(network_file_systems_are_refused_by_name),
        IN_DIR(a_store_of_another_format_is_refused),
        IN_DIR(batch_sizes_of_zero_are_harmless),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
