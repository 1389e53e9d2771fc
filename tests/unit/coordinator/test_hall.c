/* The hall with a real store and real peers (threads of this program) over ipc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "coordinator/dispatch/hall.h"
#include "coordinator/dispatch/rendezvous.h"
#include "coordinator/store/store.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/link.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/peer.h"

#define S(literal) ((char *)(literal))
enum { MOST = 600 };

/* ---- a source of numbered units ---- */

struct source {
    unsigned total, given, finished;
    uint32_t job;
    unsigned recorded[MOST], given_up[MOST];
    _Atomic unsigned committed[MOST]; /* read by visitors */
    bool refuse_first_record;
    char class_name[64];
    char *evidence;
};

static struct px_digest key_of(uint64_t i)
{
    return px_sha256(&i, sizeof i);
}

static int pull(void *ctx, struct hall_unit *out, int max, struct px_err *err)
{
    struct source *s = ctx;
    int n = 0;
    (void)err;
    for (; n < max && s->given < s->total; n++, s->given++)
        out[n] = (struct hall_unit){s->given, key_of(s->given), s->job, 1};
    return n;
}

static bool exhausted(void *ctx)
{
    const struct source *s = ctx;
    return s->finished == s->total;
}

static int encode(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err)
{
    char problem[16];
    (void)ctx;
    (void)err;
    snprintf(problem, sizeof problem, "%u", (unsigned)id);
    struct unit u = {.key = key_of(id), .problem = problem};
    unit_encode(&u, out);
    return 0;
}

static int record(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
                  struct px_err *err)
{
    struct source *s = ctx;
    struct px_digest key = key_of(id);
    if (s->refuse_first_record && s->recorded[id]++ == 0)
        return px_fail(err, PX_EINPUT, "not to our liking");
    s->recorded[id]++;
    store_batch_put_new(b, STORE_RESULT, key.b, sizeof key.b, rec, n);
    return 0;
}

static void committed(void *ctx, uint64_t id)
{
    struct source *s = ctx;
    s->committed[id]++;
    s->finished++;
}

static void gave_up(void *ctx, uint64_t id, const char *class_name, const char *evidence,
                    struct store_batch *b)
{
    struct source *s = ctx;
    struct px_digest key = key_of(id);
    s->given_up[id]++;
    snprintf(s->class_name, sizeof s->class_name, "%s", class_name);
    free(s->evidence);
    s->evidence = px_xstrdup(evidence);
    store_batch_put(b, STORE_QUARANTINE, key.b, sizeof key.b, evidence, strlen(evidence));
}

/* ---- a run ---- */

struct stage {
    char dir[64];
    struct store *store;
    struct source src;
    struct hall *hall;
};

static void open_stage(struct stage *t, unsigned total, const char *listen)
{
    struct px_err err;
    memset(t, 0, sizeof *t);
    snprintf(t->dir, sizeof t->dir, "/tmp/proctor-hall-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    PX_FREE char *dir = px_path_join(t->dir, "store");
    struct store_options so = {.mode = STORE_WRITE};
    t->store = store_open(dir, &so, &err);
    assert_non_null(t->store);
    t->src.total = total;
    (void)listen;
}

static int open_hall(struct stage *t, const char *listen, struct px_err *err)
{
    PX_FREE char *curve = px_path_join(t->dir, "curve");
    struct hall_source src = {&t->src, pull, exhausted, encode, record, committed, gave_up};
    struct hall_config cfg = {.run_dir = t->dir, .listen = listen, .curve_dir = curve};
    t->hall = hall_new(&cfg, t->store, &src, err);
    if (!t->hall)
        return -1;
    struct job j = {.kind = UNIT_GENERATE, .backend = BACKEND_NOOP, .task = S("t")};
    t->src.job = hall_add_job(t->hall, &j);
    return 0;
}

static void close_stage(struct stage *t)
{
    hall_free(&t->hall);
    store_close(&t->store);
    free(t->src.evidence);
    PX_FREE char *rm = px_xasprintf("rm -rf %s", t->dir);
    assert_int_equal(system(rm), 0);
}

/* ---- a peer that plays a worker ---- */

struct player {
    pthread_t thread;
    const char *endpoint;
    const char *curve_dir;
    char text[16];   /* of every completion */
    bool fail_final; /* fails its units instead */
    int leave_after; /* units, then it drains; 0: stays */
    int hold_us;     /* per unit */
    _Atomic int n_done;
    _Atomic int n_work;   /* units that came */
    _Atomic int n_second; /* of them, with an attempt above 1 */
    enum peer_event_kind ended;
    char words[256];
};

static void finish_unit(struct player *p, struct peer *peer, const struct peer_event *ev,
                        uint32_t i)
{
    struct px_buf rec;
    struct completion c = {
        .finish = FINISH_EOS, .text = p->text, .n_text = (uint32_t)strlen(p->text)};
    if (p->hold_us)
        clk_sleep_us(p->hold_us);
    if (p->fail_final) {
        peer_fail(peer, ev->lease, &ev->units[i].key, false, "broken", "cannot \"do\" it");
        return;
    }
    px_buf_init(&rec, UNIT_LIMIT);
    completion_encode(&c, &rec);
    peer_done(peer, ev->lease, &ev->units[i].key, rec.data, rec.len);
    px_buf_clear(&rec);
    p->n_done++;
}

static void do_work(struct player *p, struct peer *peer, struct peer_event *ev)
{
    p->n_work += (int)ev->n;
    for (uint32_t i = 0; i < ev->n; i++) {
        p->n_second += ev->attempts[i] > 1;
        if (p->leave_after && p->n_done >= p->leave_after) {
            peer_drain(peer);
            peer_return(peer, ev->lease, &ev->units[i].key);
        } else {
            finish_unit(p, peer, ev, i);
        }
        unit_clear(&ev->units[i]);
    }
    free(ev->units);
    free(ev->attempts);
    job_clear(ev->job);
    free(ev->job);
    peer_ready(peer, p->leave_after && p->n_done >= p->leave_after ? 0 : 8);
}

static void *play(void *arg)
{
    struct player *p = arg;
    struct px_err err;
    struct peer_config cfg = {.endpoint = p->endpoint,
                              .curve_dir = p->curve_dir,
                              .program = "worker",
                              .roles = ROLE_GENERATE,
                              .credits = 8,
                              .isa = "scalar",
                              .gone_after_us = 5000000};
    struct peer *peer = peer_new(&cfg, &err);
    if (!peer) {
        snprintf(p->words, sizeof p->words, "%.200s", err.text);
        p->ended = PEER_REFUSED;
        return NULL;
    }
    for (bool over = false; !over;) {
        struct peer_event ev;
        peer_poll(peer, 100, &ev);
        if (ev.kind == PEER_WORK) {
            do_work(p, peer, &ev);
        } else if (ev.kind == PEER_GONE || ev.kind == PEER_REFUSED) {
            p->ended = ev.kind;
            snprintf(p->words, sizeof p->words, "%.200s", ev.err.text);
            over = true;
        } else if (ev.kind != PEER_NONE) {
            free(ev.keys);
        }
        over |= p->leave_after && p->n_done >= p->leave_after && ev.kind == PEER_NONE;
    }
    peer_free(&peer);
    return NULL;
}

static void start(struct player *p, const struct stage *t)
{
    if (!p->endpoint)
        p->endpoint = hall_endpoint(t->hall);
    if (!p->text[0])
        snprintf(p->text, sizeof p->text, "x");
    assert_int_equal(pthread_create(&p->thread, NULL, play, p), 0);
}

static void every_unit_is_committed_once_and_acknowledged(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    struct player p[3] = {{.leave_after = 0}, {.leave_after = 0}, {.leave_after = 20}};
    open_stage(&t, MOST, NULL);
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    for (int i = 0; i < 3; i++)
        start(&p[i], &t);
    if (hall_run(t.hall, NULL, NULL, &err) != 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++)
        pthread_join(p[i].thread, NULL);
    for (int i = 0; i < MOST; i++)
        assert_int_equal(t.src.committed[i], 1);
    assert_int_equal(p[0].ended, PEER_GONE);
    assert_int_equal(p[0].n_done + p[1].n_done + p[2].n_done, MOST);
    assert_true(p[2].n_done >= 20);
    close_stage(&t);
}

static void a_unit_that_fails_for_good_is_given_up_with_evidence(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    struct player p = {.fail_final = true};
    open_stage(&t, 3, NULL);
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    start(&p, &t);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), 0);
    pthread_join(p.thread, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(t.src.given_up[i] == 1 && t.src.committed[i] == 1 && t.src.recorded[i] == 0);
    assert_string_equal(t.src.class_name, "broken");
    struct json_object *o = px_json_parse(t.src.evidence, strlen(t.src.evidence), &err);
    assert_non_null(o);
    assert_string_equal(px_json_str_or(o, "detail", ""), "cannot \"do\" it");
    assert_string_equal(px_json_str_or(o, "reason", ""), "final");
    assert_int_equal(px_json_int_or(o, "attempts", 0), 1);
    json_object_put(o);
    close_stage(&t);
}

static void a_record_that_the_source_refuses_is_made_again(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    struct player p = {.hold_us = 0};
    open_stage(&t, 4, NULL);
    t.src.refuse_first_record = true;
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    start(&p, &t);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), 0);
    pthread_join(p.thread, NULL);
    for (int i = 0; i < 4; i++)
        assert_int_equal(t.src.committed[i], 1);
    assert_int_equal(p.n_second, 4);
    close_stage(&t);
}

/* A bare DEALER that says HELLO and then whatever the test wants. */
static void *dealer(void *ctx, const char *endpoint)
{
    void *d = zmq_socket(ctx, ZMQ_DEALER);
    assert_int_equal(link_set_options(d, NULL), 0);
    assert_int_equal(zmq_connect(d, endpoint), 0);
    return d;
}

static void hello(void *d, const char *id, int64_t numerics, int64_t credits)
{
    struct wire_msg m = {.kind = WIRE_HELLO,
                         .id = S(id),
                         .program = S("worker"),
                         .host = S("elsewhere"),
                         .isa = S("scalar"),
                         .build = S("9.9"),
                         .roles = ROLE_GENERATE,
                         .numerics = numerics,
                         .credits = credits};
    assert_int_equal(link_send(d, NULL, &m), 0);
}

static bool hear(void *d, enum wire_kind kind, struct wire_msg *m)
{
    int64_t until = clk_now_us() + 3000000;
    while (clk_now_us() < until) {
        zmq_pollitem_t item = {d, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 50);
        if (link_recv(d, NULL, NULL, m, NULL) != LINK_MESSAGE)
            continue;
        if (m->kind == kind)
            return true;
        wire_clear(m);
    }
    return false;
}

/* What a thread beside the hall does in the tests below. */
struct visitor {
    pthread_t thread;
    struct stage *stage;
    char reason[256];
    char status[1024];
    struct player *player;
    bool ok;
};

static void *strangers(void *arg)
{
    struct visitor *v = arg;
    struct wire_msg m = {0};
    void *ctx = zmq_ctx_new();
    void *d = dealer(ctx, hall_endpoint(v->stage->hall));
    hello(d, "from-the-future", PX_NUMERICS_VERSION + 1, 4);
    v->ok = hear(d, WIRE_REFUSED, &m);
    snprintf(v->reason, sizeof v->reason, "%.250s", m.reason ? m.reason : "");
    wire_clear(&m);
    uint8_t header[WIRE_HEADER];
    wire_put_header(header, WIRE_HELLO); /* another protocol version */
    header[4]++;
    zmq_send(d, header, sizeof header, ZMQ_SNDMORE);
    zmq_send(d, "{\"any\":1}", 9, 0);
    v->ok &= hear(d, WIRE_REFUSED, &m);
    v->ok &= m.reason && strstr(m.reason, "another build") != NULL;
    wire_clear(&m);
    struct wire_msg ready = {.kind = WIRE_READY, .credits = 3}; /* from nobody it knows */
    link_send(d, NULL, &ready);
    v->ok &= hear(d, WIRE_HELLO, &m) && m.bare;
    wire_clear(&m);
    zmq_send(d, "garbage", 7, 0);
    struct px_buf json;
    struct px_err err;
    px_buf_init(&json, sizeof v->status - 1);
    if (rendezvous_ask(hall_endpoint(v->stage->hall), NULL, 3000, &json, &err) == 0)
        snprintf(v->status, sizeof v->status, "%s", (char *)json.data);
    px_buf_clear(&json);
    zmq_close(d);
    zmq_ctx_term(ctx);
    kill(getpid(), SIGTERM); /* the hall reads it from its descriptor */
    return NULL;
}

static void strangers_are_told_why_and_anybody_may_ask_for_the_status(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    open_stage(&t, 5, NULL);
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    struct visitor v = {.stage = &t};
    pthread_create(&v.thread, NULL, strangers, &v);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), -1);
    assert_int_equal(err.code, PX_EINTERRUPTED);
    pthread_join(v.thread, NULL);
    assert_true(v.ok);
    assert_non_null(strstr(v.reason, "another build"));
    struct json_object *o = px_json_parse(v.status, strlen(v.status), &err);
    assert_non_null(o);
    assert_int_equal(px_json_int_or(o, "workers", -1), 0);
    json_object_put(o);
    close_stage(&t);
}

/* Takes units, then its connection ends without a word. */
static void *vanish(void *arg)
{
    struct visitor *v = arg;
    struct wire_msg m;
    void *ctx = zmq_ctx_new();
    void *d = dealer(ctx, hall_endpoint(v->stage->hall));
    hello(d, "short-lived", PX_NUMERICS_VERSION, 6);
    v->ok = hear(d, WIRE_WORK, &m);
    if (v->ok)
        wire_clear(&m);
    zmq_close(d);
    zmq_ctx_term(ctx);
    return NULL;
}

static void units_of_a_peer_whose_connection_ends_are_leased_again_within_a_second(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    open_stage(&t, 6, NULL);
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    struct visitor v = {.stage = &t};
    struct player p = {.hold_us = 0};
    pthread_create(&v.thread, NULL, vanish, &v);
    clk_sleep_us(50000); /* the first one takes everything */
    start(&p, &t);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), 0);
    pthread_join(v.thread, NULL);
    pthread_join(p.thread, NULL);
    assert_true(v.ok);
    for (int i = 0; i < 6; i++)
        assert_int_equal(t.src.committed[i], 1);
    assert_true(p.n_second > 0);
    close_stage(&t);
}

/* Sends the same unit's result after another one's was committed, with other bits. */
static void *contradict(void *arg)
{
    struct visitor *v = arg;
    struct px_buf rec, body;
    struct wire_msg m = {.kind = WIRE_DONE, .n = 1}, back;
    struct completion c = {.finish = FINISH_EOS, .text = S("other"), .n_text = 5};
    struct px_digest key = key_of(0);
    px_buf_init(&rec, UNIT_LIMIT);
    px_buf_init(&body, UNIT_LIMIT);
    completion_encode(&c, &rec);
    wire_pack_result(&body, 1, &key, rec.data, rec.len);
    m.body[0] = body.data;
    m.n_body[0] = body.len;
    void *ctx = zmq_ctx_new();
    void *d = dealer(ctx, hall_endpoint(v->stage->hall));
    for (int i = 0; i < 100 && v->stage->src.committed[0] == 0; i++)
        clk_sleep_us(10000);
    link_send(d, NULL, &m);
    v->ok = hear(d, WIRE_ACK, &back);
    if (v->ok)
        wire_clear(&back);
    zmq_close(d);
    zmq_ctx_term(ctx);
    px_buf_clear(&rec);
    px_buf_clear(&body);
    return NULL;
}

static struct hall_progress last_seen;

static void see(void *ctx, const struct hall_progress *p)
{
    (void)ctx;
    last_seen = *p;
}

static void a_second_result_with_other_bits_raises_the_alarm_and_is_dropped(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    struct px_buf rec;
    bool found = false;
    struct px_digest key = key_of(0);
    open_stage(&t, 40, NULL);
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    struct visitor v = {.stage = &t};
    struct player p = {.hold_us = 5000};
    start(&p, &t);
    pthread_create(&v.thread, NULL, contradict, &v);
    assert_int_equal(hall_run(t.hall, see, NULL, &err), 0);
    pthread_join(v.thread, NULL);
    pthread_join(p.thread, NULL);
    assert_true(v.ok);
    assert_int_equal(last_seen.mismatches, 1);
    assert_int_equal(last_seen.done_generate, 40);
    assert_int_equal(t.src.committed[0], 1);
    px_buf_init(&rec, UNIT_LIMIT);
    assert_int_equal(store_get(t.store, STORE_RESULT, key.b, sizeof key.b, &rec, &found, NULL), 0);
    assert_true(found);
    struct completion c;
    assert_int_equal(completion_decode(rec.data, rec.len, &c, NULL), 0);
    assert_string_equal(c.text, "x");
    completion_clear(&c);
    px_buf_clear(&rec);
    close_stage(&t);
}

/* ---- restart ---- */

static void *kill_twice(void *arg)
{
    struct visitor *v = arg;
    for (int i = 0; i < 1000 && v->player->n_work == 0; i++)
        clk_sleep_us(2000);
    kill(getpid(), SIGTERM);
    clk_sleep_us(30000);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void a_unit_that_outlives_the_coordinator_is_not_run_twice(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    open_stage(&t, 1, NULL);
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    PX_FREE char *endpoint = px_xstrdup(hall_endpoint(t.hall));
    struct player p = {.hold_us = 600000, .endpoint = endpoint};
    snprintf(p.text, sizeof p.text, "x");
    pthread_create(&p.thread, NULL, play, &p);
    struct visitor v = {.stage = &t, .player = &p};
    pthread_create(&v.thread, NULL, kill_twice, &v);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), -1);
    assert_int_equal(err.code, PX_EINTERRUPTED);
    pthread_join(v.thread, NULL);
    hall_free(&t.hall);
    t.src.given = t.src.finished = 0;
    assert_int_equal(open_hall(&t, NULL, &err), 0);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), 0);
    pthread_join(p.thread, NULL);
    assert_int_equal(t.src.committed[0], 1);
    assert_int_equal(p.n_work, 1);
    close_stage(&t);
}

/* ---- places ---- */

static void a_port_in_use_and_a_plain_endpoint_are_refused(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    char endpoint[64];
    size_t n = sizeof endpoint;
    void *ctx = zmq_ctx_new(), *holder = zmq_socket(ctx, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(holder, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(holder, ZMQ_LAST_ENDPOINT, endpoint, &n);
    open_stage(&t, 1, NULL);
    assert_int_equal(open_hall(&t, endpoint, &err), -1);
    assert_int_equal(err.code, PX_EEXIST);
    assert_non_null(strstr(err.text, endpoint));
    assert_int_equal(open_hall(&t, "ipc:///tmp/x", &err), -1);
    assert_int_equal(err.code, PX_EUSAGE);
    zmq_close(holder);
    zmq_ctx_term(ctx);
    close_stage(&t);
}

static void peers_join_over_tcp_with_the_client_key_only(void **state)
{
    (void)state;
    struct stage t;
    struct px_err err;
    char endpoint[64];
    size_t n = sizeof endpoint;
    void *ctx = zmq_ctx_new(), *probe = zmq_socket(ctx, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(probe, "tcp://127.0.0.1:*"), 0); /* a port that is free */
    zmq_getsockopt(probe, ZMQ_LAST_ENDPOINT, endpoint, &n);
    zmq_close(probe);
    zmq_ctx_term(ctx);
    clk_sleep_us(20000);
    open_stage(&t, 50, NULL);
    assert_int_equal(open_hall(&t, endpoint, &err), 0);
    PX_FREE char *curve = px_path_join(t.dir, "curve");
    PX_FREE char *other = px_path_join(t.dir, "other");
    struct curve_server mine, his;
    struct curve_client c;
    assert_int_equal(curve_server_load(curve, &mine, NULL), 0);
    assert_int_equal(curve_server_load(other, &his, NULL), 0);
    assert_int_equal(curve_client_load(other, &c, NULL), 0);
    /* He knows our public key, but is not the client that we know. */
    PX_FREE char *path = px_path_join(other, "client.key");
    PX_FREE char *text = px_xasprintf("public=%s\nsecret=%s\nserver=%s\n", c.public_key,
                                      c.secret_key, mine.public_key);
    unlink(path);
    assert_int_equal(px_write_file(path, text, strlen(text), NULL), 0);
    chmod(path, 0600);
    struct player good = {.endpoint = endpoint, .curve_dir = curve, .hold_us = 20000};
    struct player bad = {.endpoint = endpoint, .curve_dir = other};
    start(&bad, &t);
    start(&good, &t);
    assert_int_equal(hall_run(t.hall, NULL, NULL, &err), 0);
    pthread_join(good.thread, NULL);
    pthread_join(bad.thread, NULL);
    assert_int_equal(good.n_done, 50);
    assert_int_equal(bad.ended, PEER_REFUSED);
    assert_non_null(strstr(bad.words, "keys"));
    close_stage(&t);
}

static void a_path_too_long_for_a_socket_gets_a_short_private_one(void **state)
{
    (void)state;
    char dir[] = "/tmp/proctor-hall-XXXXXX";
    struct px_err err;
    assert_non_null(mkdtemp(dir));
    PX_FREE char *deep = px_xasprintf("%s/%0100d", dir, 1);
    assert_int_equal(px_mkdirs(deep, 0755, NULL), 0);
    PX_FREE char *a = rendezvous_ipc(deep, true, &err);
    PX_FREE char *b = rendezvous_ipc(deep, false, &err);
    assert_non_null(a);
    assert_string_equal(a, b);
    assert_true(strlen(a) < 6 + 108);
    rendezvous_remove(a);
    PX_FREE char *rm = px_xasprintf("rm -rf %s", dir);
    assert_int_equal(system(rm), 0);
}

int main(void)
{
    px_log_init("test");
    px_log_level(PX_ERROR + 1); /* alarms are raised here on purpose */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* in every thread: the hall reads it */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_committed_once_and_acknowledged),
        cmocka_unit_test(a_unit_that_fails_for_good_is_given_up_with_evidence),
        cmocka_unit_test(a_record_that_the_source_refuses_is_made_again),
        cmocka_unit_test(strangers_are_told_why_and_anybody_may_ask_for_the_status),
        cmocka_unit_test(units_of_a_peer_whose_connection_ends_are_leased_again_within_a_second),
        cmocka_unit_test(a_second_result_with_other_bits_raises_the_alarm_and_is_dropped),
        cmocka_unit_test(a_unit_that_outlives_the_coordinator_is_not_run_twice),
        cmocka_unit_test(a_port_in_use_and_a_plain_endpoint_are_refused),
        cmocka_unit_test(peers_join_over_tcp_with_the_client_key_only),
        cmocka_unit_test(a_path_too_long_for_a_socket_gets_a_short_private_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
