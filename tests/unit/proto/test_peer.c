/* A peer against a coordinator that is played by the test: one ROUTER socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/curve.h"
#include "proto/link.h"
#include "proto/mem.h"
#include "proto/peer.h"

#define S(literal) ((char *)(literal))

struct fake {
    char dir[64];
    char endpoint[128];
    void *ctx;
    void *router;
    struct link_identity to;
};

static void fake_bind(struct fake *f)
{
    f->router = zmq_socket(f->ctx, ZMQ_ROUTER);
    assert_int_equal(link_set_options(f->router, NULL), 0);
    assert_int_equal(zmq_bind(f->router, f->endpoint), 0);
}

static void fake_open(struct fake *f)
{
    memset(f, 0, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/proctor-peer-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->endpoint, sizeof f->endpoint, "ipc://%s/s", f->dir);
    f->ctx = zmq_ctx_new();
    fake_bind(f);
}

static void fake_close(struct fake *f)
{
    char path[96];
    if (f->router)
        zmq_close(f->router);
    zmq_ctx_term(f->ctx);
    snprintf(path, sizeof path, "%s/s", f->dir);
    unlink(path);
    rmdir(f->dir);
}

/* The next message of this kind; others are read over. */
static void expect(struct fake *f, enum wire_kind kind, struct wire_msg *m)
{
    struct px_err err;
    int64_t until = clk_now_us() + 5000000;
    while (clk_now_us() < until) {
        zmq_pollitem_t item = {f->router, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 50);
        enum link_got got = link_recv(f->router, &f->to, NULL, m, &err);
        if (got == LINK_MESSAGE && m->kind == kind)
            return;
        if (got == LINK_MESSAGE)
            wire_clear(m);
    }
    fail_msg("no %s came", wire_kind_name(kind));
}

static void welcome(struct fake *f)
{
    struct wire_msg hello, m = {.kind = WIRE_WELCOME, .id = S("coord"), .build = S("x")};
    expect(f, WIRE_HELLO, &hello);
    wire_clear(&hello);
    assert_int_equal(link_send(f->router, &f->to, &m), 0);
}

static void send_work(struct fake *f, int64_t lease, const struct px_digest *keys, unsigned n,
                      bool with_head)
{
    struct px_buf head, body, unit;
    struct job j = {.kind = UNIT_GENERATE, .backend = BACKEND_NOOP, .task = S("t")};
    px_buf_init(&head, UNIT_LIMIT);
    px_buf_init(&body, UNIT_LIMIT);
    px_buf_init(&unit, UNIT_LIMIT);
    if (with_head)
        job_encode(&j, &head);
    for (unsigned i = 0; i < n; i++) {
        struct unit u = {.key = keys[i], .problem = S("p")};
        px_buf_reset(&unit);
        unit_encode(&u, &unit);
        wire_pack_unit(&body, i + 1, unit.data, unit.len);
    }
    struct wire_msg m = {.kind = WIRE_WORK, .lease = lease, .n = n};
    m.body[0] = head.data;
    m.n_body[0] = head.len;
    m.body[1] = body.data;
    m.n_body[1] = body.len;
    assert_int_equal(link_send(f->router, &f->to, &m), 0);
    px_buf_clear(&head);
    px_buf_clear(&body);
    px_buf_clear(&unit);
}

static void send_keys(struct fake *f, enum wire_kind kind, bool cancel,
                      const struct px_digest *keys, int64_t n)
{
    struct wire_msg m = {.kind = kind, .n = n, .cancel = cancel};
    m.body[0] = (uint8_t *)(uintptr_t)keys;
    m.n_body[0] = (size_t)n * PX_DIGEST_SIZE;
    assert_int_equal(link_send(f->router, &f->to, &m), 0);
}

static void event(struct peer *p, enum peer_event_kind kind, struct peer_event *ev)
{
    int64_t until = clk_now_us() + 5000000;
    while (clk_now_us() < until) {
        peer_poll(p, 100, ev);
        if (ev->kind == kind)
            return;
        assert_int_equal(ev->kind, PEER_NONE);
    }
    fail_msg("event %d did not come", kind);
}

static void drop(struct peer_event *ev)
{
    if (ev->job) {
        job_clear(ev->job);
        free(ev->job);
    }
    for (uint32_t i = 0; ev->units && i < ev->n; i++)
        unit_clear(&ev->units[i]);
    free(ev->units);
    free(ev->attempts);
    free(ev->keys);
}

static struct peer *start(const struct fake *f)
{
    struct px_err err;
    struct peer_config cfg = {.endpoint = f->endpoint,
                              .program = "worker",
                              .roles = ROLE_GENERATE,
                              .credits = 4,
                              .isa = "scalar"};
    struct peer *p = peer_new(&cfg, &err);
    assert_non_null(p);
    return p;
}

static struct px_digest key_of(int i)
{
    return px_sha256(&i, sizeof i);
}

static void a_unit_goes_the_whole_way(void **state)
{
    (void)state;
    struct fake f;
    struct peer_event ev;
    struct wire_msg m;
    struct wire_result *r;
    struct px_digest keys[2] = {key_of(1), key_of(2)};
    fake_open(&f);
    struct peer *p = start(&f);
    expect(&f, WIRE_HELLO, &m);
    assert_string_equal(m.id, peer_id(p));
    assert_int_equal(m.credits, 4);
    assert_int_equal(m.numerics, PX_NUMERICS_VERSION);
    assert_int_equal(m.pid, getpid());
    wire_clear(&m);
    struct wire_msg w = {.kind = WIRE_WELCOME, .id = S("c"), .build = S("b")};
    link_send(f.router, &f.to, &w);
    send_work(&f, 11, keys, 2, true);
    event(p, PEER_WORK, &ev);
    assert_int_equal(ev.n, 2);
    assert_int_equal(ev.attempts[1], 2);
    assert_string_equal(ev.job->task, "t");
    assert_true(px_digest_eq(&ev.units[1].key, &keys[1]));
    drop(&ev);
    peer_ready(p, 3); /* two held, three free */
    do {
        expect(&f, WIRE_READY, &m);
        wire_clear(&m);
    } while (m.credits == 4);
    peer_done(p, 11, &keys[0], "rec", 3);
    expect(&f, WIRE_DONE, &m);
    assert_int_equal(wire_unpack_results(m.body[0], m.n_body[0], m.n, &r, NULL), 0);
    assert_int_equal(r[0].lease, 11);
    assert_memory_equal(r[0].p, "rec", 3);
    free(r);
    wire_clear(&m);
    assert_int_equal(peer_unacknowledged(p), 1);
    send_keys(&f, WIRE_ACK, false, keys, 1);
    for (int i = 0; i < 200 && peer_unacknowledged(p) > 0; i++)
        clk_sleep_us(5000);
    assert_int_equal(peer_unacknowledged(p), 0);
    peer_fail(p, 11, &keys[1], true, "io", "disk");
    expect(&f, WIRE_FAIL, &m);
    assert_string_equal(m.class_name, "io");
    assert_true(m.retryable);
    wire_clear(&m);
    send_work(&f, 12, keys, 1, false); /* the head is known by now */
    event(p, PEER_WORK, &ev);
    drop(&ev);
    peer_return(p, 12, &keys[0]);
    expect(&f, WIRE_RETRACT, &m);
    assert_memory_equal(m.body[0], keys[0].b, PX_DIGEST_SIZE);
    wire_clear(&m);
    peer_drain(p);
    expect(&f, WIRE_DRAIN, &m);
    wire_clear(&m);
    peer_free(&p);
    expect(&f, WIRE_BYE, &m);
    wire_clear(&m);
    fake_close(&f);
}

static void results_outlive_a_coordinator_and_held_units_are_announced(void **state)
{
    (void)state;
    struct fake f;
    struct peer_event ev;
    struct wire_msg m;
    struct px_digest keys[2] = {key_of(1), key_of(2)};
    fake_open(&f);
    struct peer *p = start(&f);
    welcome(&f);
    send_work(&f, 1, keys, 2, true);
    event(p, PEER_WORK, &ev);
    drop(&ev);
    peer_done(p, 1, &keys[0], "rec", 3);
    expect(&f, WIRE_DONE, &m);
    wire_clear(&m);
    zmq_close(f.router); /* dies without an ACK */
    clk_sleep_us(50000);
    fake_bind(&f);
    expect(&f, WIRE_HELLO, &m);
    assert_int_equal(m.n, 1);
    assert_memory_equal(m.body[0], keys[1].b, PX_DIGEST_SIZE);
    wire_clear(&m);
    struct wire_msg w = {.kind = WIRE_WELCOME, .id = S("c2"), .build = S("b")};
    link_send(f.router, &f.to, &w);
    expect(&f, WIRE_DONE, &m);
    assert_int_equal(m.n, 1);
    wire_clear(&m);
    send_keys(&f, WIRE_ACK, false, keys, 1);
    send_keys(&f, WIRE_RETRACT, true, &keys[1], 1);
    event(p, PEER_CANCEL, &ev);
    assert_true(px_digest_eq(ev.keys, &keys[1]));
    drop(&ev);
    send_keys(&f, WIRE_RETRACT, false, &keys[0], 1);
    event(p, PEER_RETRACT, &ev);
    drop(&ev);
    struct wire_msg bye = {.kind = WIRE_BYE, .reason = S("done")};
    link_send(f.router, &f.to, &bye);
    event(p, PEER_GONE, &ev);
    assert_string_equal(ev.err.text, "done");
    assert_int_equal(ev.err.code, PX_OK);
    peer_free(&p);
    fake_close(&f);
}

static void a_refusal_and_a_drain_arrive_with_their_words(void **state)
{
    (void)state;
    struct fake f;
    struct peer_event ev;
    struct wire_msg m;
    fake_open(&f);
    struct peer *p = start(&f);
    welcome(&f);
    expect(&f, WIRE_READY, &m);
    wire_clear(&m);
    struct wire_msg ask = {.kind = WIRE_HELLO, .bare = true};
    link_send(f.router, &f.to, &ask);
    welcome(&f);
    struct wire_msg drain = {.kind = WIRE_DRAIN, .reason = S("enough")};
    link_send(f.router, &f.to, &drain);
    event(p, PEER_DRAIN, &ev);
    struct wire_msg no = {.kind = WIRE_REFUSED, .reason = S("worker of another build")};
    link_send(f.router, &f.to, &no);
    event(p, PEER_REFUSED, &ev);
    assert_string_equal(ev.err.text, "worker of another build");
    peer_free(&p);
    fake_close(&f);
}

static void silence_ends_the_peer(void **state)
{
    (void)state;
    struct px_err err;
    struct peer_event ev;
    struct peer_config cfg = {.endpoint = "ipc:///tmp/proctor-nobody-is-here",
                              .program = "worker",
                              .roles = ROLE_GENERATE,
                              .gone_after_us = 200000};
    struct peer *p = peer_new(&cfg, &err);
    assert_non_null(p);
    event(p, PEER_GONE, &ev);
    assert_int_equal(ev.err.code, PX_ETIMEOUT);
    assert_non_null(strstr(ev.err.text, "nobody-is-here"));
    peer_free(&p);
    assert_null(p);
}

static void endpoints_that_cannot_be_are_refused_at_once(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "ipc://",     "ipc://relative",
                                      "tcp://", "http://x:1", "tcp://host:1" /* no keys */};
    struct px_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct peer_config cfg = {.endpoint = bad[i], .program = "worker"};
        assert_null(peer_new(&cfg, &err));
        assert_int_equal(err.code, PX_EUSAGE);
    }
}

/* ---- CURVE ---- */

static void remove_keys(const char *dir)
{
    char path[128];
    snprintf(path, sizeof path, "%s/server.key", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/client.key", dir);
    unlink(path);
    rmdir(dir);
}

static void keys_are_made_once_with_mode_0600(void **state)
{
    (void)state;
    char dir[] = "/tmp/proctor-keys-XXXXXX", path[64];
    struct curve_server a, b;
    struct curve_client c;
    struct px_err err;
    struct stat st;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(curve_client_load(dir, &c, &err), -1);
    assert_int_equal(err.code, PX_EMISSING);
    assert_int_equal(curve_server_load(dir, &a, NULL), 0);
    assert_int_equal(curve_server_load(dir, &b, NULL), 0);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(curve_client_load(dir, &c, NULL), 0);
    assert_string_equal(c.server, a.public_key);
    assert_string_equal(c.public_key, a.client);
    snprintf(path, sizeof path, "%s/server.key", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    chmod(path, 0644);
    assert_int_equal(curve_server_load(dir, &b, &err), -1);
    assert_non_null(strstr(err.text, "0600"));
    remove_keys(dir);
}

static void a_peer_with_a_wrong_key_is_told_within_five_seconds(void **state)
{
    (void)state;
    char right[] = "/tmp/proctor-keys-XXXXXX", wrong[] = "/tmp/proctor-keys-XXXXXX";
    struct curve_server k, other;
    struct px_err err;
    struct peer_event ev;
    char endpoint[64];
    size_t n = sizeof endpoint;
    int on = 1;
    assert_non_null(mkdtemp(right));
    assert_non_null(mkdtemp(wrong));
    assert_int_equal(curve_server_load(right, &k, NULL), 0);
    assert_int_equal(curve_server_load(wrong, &other, NULL), 0);
    void *ctx = zmq_ctx_new(), *router = zmq_socket(ctx, ZMQ_ROUTER);
    assert_int_equal(link_set_options(router, NULL), 0);
    zmq_setsockopt(router, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, k.secret_key, CURVE_Z85);
    assert_int_equal(zmq_bind(router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &n), 0);
    struct peer_config cfg = {.endpoint = endpoint, .curve_dir = wrong, .program = "worker"};
    int64_t begin = clk_now_us();
    struct peer *p = peer_new(&cfg, &err);
    assert_non_null(p);
    event(p, PEER_REFUSED, &ev);
    assert_non_null(strstr(ev.err.text, "keys"));
    assert_true(clk_now_us() - begin < 5000000);
    peer_free(&p);
    zmq_close(router);
    zmq_ctx_term(ctx);
    remove_keys(right);
    remove_keys(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_goes_the_whole_way),
        cmocka_unit_test(results_outlive_a_coordinator_and_held_units_are_announced),
        cmocka_unit_test(a_refusal_and_a_drain_arrive_with_their_words),
        cmocka_unit_test(silence_ends_the_peer),
        cmocka_unit_test(endpoints_that_cannot_be_are_refused_at_once),
        cmocka_unit_test(keys_are_made_once_with_mode_0600),
        cmocka_unit_test(a_peer_with_a_wrong_key_is_told_within_five_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
