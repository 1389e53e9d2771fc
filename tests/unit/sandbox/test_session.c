/* test_session.c - the tester's program against a coordinator that is played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/link.h"
#include "proto/mem.h"
#include "proto/unit.h"

#define S(literal) ((char *)(uintptr_t)(literal))

extern char **environ;

struct hall {
    char dir[64], endpoint[128];
    void *ctx, *router;
    struct link_identity to;
    pid_t tester;
};

static void spawn_tester(struct hall *h)
{
    PX_FREE char *dir = px_exe_dir();
    PX_FREE char *path = px_path_join(dir, "../../bin/proctor-tester");
    char *argv[] = {S("proctor-tester"), S("--connect"), h->endpoint, S("--slots"), S("1"), NULL};
    if (!px_exists(path))
        fail_msg("no %s: build it first", path);
    assert_int_equal(posix_spawn(&h->tester, path, NULL, NULL, argv, environ), 0);
}

/* The next message of this kind; others are read over. */
static void expect(struct hall *h, enum wire_kind kind, struct wire_msg *m)
{
    struct px_err err;
    int64_t until = clk_now_us() + 20000000;
    while (clk_now_us() < until) {
        zmq_pollitem_t item = {h->router, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 50);
        enum link_got got = link_recv(h->router, &h->to, NULL, m, &err);
        if (got == LINK_MESSAGE && m->kind == kind)
            return;
        if (got == LINK_MESSAGE)
            wire_clear(m);
    }
    fail_msg("no %s came", wire_kind_name(kind));
}

static void hall_open(struct hall *h)
{
    struct wire_msg hello, m = {.kind = WIRE_WELCOME, .id = S("c"), .build = S("x")};
    memset(h, 0, sizeof *h);
    snprintf(h->dir, sizeof h->dir, "/tmp/proctor-session-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->endpoint, sizeof h->endpoint, "ipc://%s/s", h->dir);
    h->ctx = zmq_ctx_new();
    h->router = zmq_socket(h->ctx, ZMQ_ROUTER);
    assert_int_equal(link_set_options(h->router, NULL), 0);
    assert_int_equal(zmq_bind(h->router, h->endpoint), 0);
    spawn_tester(h);
    expect(h, WIRE_HELLO, &hello);
    assert_int_equal(hello.roles, ROLE_SCORE);
    wire_clear(&hello);
    assert_int_equal(link_send(h->router, &h->to, &m), 0);
}

static int hall_close(struct hall *h)
{
    char path[96];
    int status = -1;
    int64_t until = clk_now_us() + 10000000;
    while (waitpid(h->tester, &status, WNOHANG) == 0 && clk_now_us() < until)
        clk_sleep_us(10000);
    if (kill(h->tester, 0) == 0)
        kill(h->tester, SIGKILL);
    zmq_close(h->router);
    zmq_ctx_term(h->ctx);
    snprintf(path, sizeof path, "%s/s", h->dir);
    unlink(path);
    rmdir(h->dir);
    return status;
}

static struct px_digest key_of(int i)
{
    return px_sha256(&i, sizeof i);
}

/* Leases n units with these texts under one scorer. */
static void lease(struct hall *h, int64_t number, const char *scorer, const char *problem,
                  const char *const *texts, int n)
{
    struct px_buf head, body, unit, rec;
    struct job j = {.kind = UNIT_SCORE, .task = S("t"), .scorer = S(scorer)};
    px_buf_init(&head, UNIT_LIMIT);
    px_buf_init(&body, UNIT_LIMIT);
    px_buf_init(&unit, UNIT_LIMIT);
    px_buf_init(&rec, UNIT_LIMIT);
    job_encode(&j, &head);
    for (int i = 0; i < n; i++) {
        struct completion c = {
            .finish = FINISH_EOS, .text = S(texts[i]), .n_text = (uint32_t)strlen(texts[i])};
        px_buf_reset(&rec);
        completion_encode(&c, &rec);
        struct unit u = {.key = key_of((int)number * 100 + i),
                         .problem = S("p"),
                         .problem_json = S(problem),
                         .completion = rec.data,
                         .n_completion = (uint32_t)rec.len};
        px_buf_reset(&unit);
        unit_encode(&u, &unit);
        wire_pack_unit(&body, 0, unit.data, unit.len);
    }
    struct wire_msg m = {.kind = WIRE_WORK, .lease = number, .job = number, .n = n};
    m.body[0] = head.data;
    m.n_body[0] = head.len;
    m.body[1] = body.data;
    m.n_body[1] = body.len;
    assert_int_equal(link_send(h->router, &h->to, &m), 0);
    px_buf_clear(&head);
    px_buf_clear(&body);
    px_buf_clear(&unit);
    px_buf_clear(&rec);
}

/* Collects n verdicts of a lease; class[i] is that of unit i. Acknowledges them. */
static void collect(struct hall *h, int64_t number, enum verdict_class *class, int n)
{
    for (int got = 0; got < n;) {
        struct wire_msg m;
        struct wire_result *r;
        struct px_err err;
        expect(h, WIRE_DONE, &m);
        assert_int_equal(wire_unpack_results(m.body[0], m.n_body[0], m.n, &r, &err), 0);
        for (int64_t k = 0; k < m.n; k++) {
            struct verdict v;
            assert_int_equal(verdict_decode(r[k].p, r[k].n, &v, &err), 0);
            for (int i = 0; i < n; i++) {
                struct px_digest key = key_of((int)number * 100 + i);
                if (px_digest_eq(&key, &r[k].key))
                    class[i] = v.class;
            }
            verdict_clear(&v);
            struct wire_msg ack = {.kind = WIRE_ACK, .n = 1};
            ack.body[0] = r[k].key.b;
            ack.n_body[0] = PX_DIGEST_SIZE;
            assert_int_equal(link_send(h->router, &h->to, &ack), 0);
            got++;
        }
        free(r);
        wire_clear(&m);
    }
}

static void units_are_scored_and_a_drain_leaves(void **state)
{
    (void)state;
    struct hall h;
    hall_open(&h);
    static const char problem[] = "{\"id\":\"x\",\"kind\":\"humaneval\",\"prompt\":\"def add(a, "
                                  "b):\\n\",\"entry_point\":\"add\","
                                  "\"test\":\"def check(f):\\n    assert f(1, 2) == 3\\n\"}";
    static const char *const programs[] = {"    return a + b\n", "    return a - b\n",
                                           "    import os; os._exit(0)\n", "\n"};
    static const char *const answers[] = {"#### 18", "none"};
    enum verdict_class class[4] = {0};
    lease(&h, 1, "{\"kind\":\"code\"}", problem, programs, 4);
    collect(&h, 1, class, 4);
    assert_int_equal(class[0], VERDICT_PASSED);
    assert_int_equal(class[1], VERDICT_FAILED_ASSERTION);
    assert_int_equal(class[2], VERDICT_RUNTIME_ERROR);
    assert_int_equal(class[3], VERDICT_NO_CODE);
    lease(&h, 2, "{\"kind\":\"numeric\"}", "{\"answer\":\"18\"}", answers, 2);
    collect(&h, 2, class, 2);
    assert_int_equal(class[0], VERDICT_PASSED);
    assert_int_equal(class[1], VERDICT_UNPARSED);
    struct wire_msg m;
    lease(&h, 3, "{\"kind\":\"poetry\"}", "{}", answers, 1);
    expect(&h, WIRE_FAIL, &m);
    assert_false(m.retryable);
    assert_non_null(strstr(m.detail, "poetry"));
    wire_clear(&m);
    kill(h.tester, SIGTERM);
    expect(&h, WIRE_BYE, &m);
    wire_clear(&m);
    assert_int_equal(hall_close(&h), 0);
}

static void a_drain_finishes_what_runs_and_returns_the_rest(void **state)
{
    (void)state;
    struct hall h;
    hall_open(&h);
    static const char problem[] =
        "{\"kind\":\"stdio\",\"cases\":[{\"stdin\":\"\",\"stdout\":\"1\"}]}";
    static const char slow[] = "import time\ntime.sleep(0.4)\nprint(1)\n";
    const char *programs[6] = {slow, slow, slow, slow, slow, slow};
    lease(&h, 1, "{\"kind\":\"code\",\"style\":\"function\"}", problem, programs, 6);
    clk_sleep_us(200000);
    kill(h.tester, SIGTERM);
    struct wire_msg m;
    struct px_err err;
    int64_t done = 0, back = 0;
    bool bye = false;
    int64_t until = clk_now_us() + 20000000;
    while (!bye && clk_now_us() < until) {
        zmq_pollitem_t item = {h.router, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 50);
        if (link_recv(h.router, &h.to, NULL, &m, &err) != LINK_MESSAGE)
            continue;
        done += m.kind == WIRE_DONE ? m.n : 0;
        back += m.kind == WIRE_RETRACT ? m.n : 0;
        bye = m.kind == WIRE_BYE;
        if (m.kind == WIRE_DONE) {
            struct wire_result *r;
            assert_int_equal(wire_unpack_results(m.body[0], m.n_body[0], m.n, &r, &err), 0);
            struct wire_msg ack = {.kind = WIRE_ACK, .n = 1};
            for (int64_t i = 0; i < m.n; i++) {
                ack.body[0] = r[i].key.b;
                ack.n_body[0] = PX_DIGEST_SIZE;
                assert_int_equal(link_send(h.router, &h.to, &ack), 0);
            }
            free(r);
        }
        wire_clear(&m);
    }
    assert_true(bye);
    assert_int_equal(done + back, 6);
    assert_true(back >= 1 && done >= 1);
    assert_int_equal(hall_close(&h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_scored_and_a_drain_leaves),
        cmocka_unit_test(a_drain_finishes_what_runs_and_returns_the_rest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
