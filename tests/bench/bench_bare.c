/* bench_bare.c - the bare loop that dispatch is compared with: a ROUTER, two DEALER processes with
 * as many units in flight as the real ones have, 256-byte messages, and a synced LMDB transaction
 * of everything that waits, appended under growing numbers (what LMDB is fastest at). No leases, no
 * scheduler, no records: what the parts cost by themselves.
 *
 * Usage: bench_bare UNITS DIRECTORY   prints units/s */
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/mem.h"

enum { WORKERS = 2, CREDITS = 512, BODY = 256, VALUE = 200, GROUP = WORKERS * CREDITS };

/* No high-water marks: a ROUTER drops what is above them. */
static void *open_socket(void *ctx, int type)
{
    void *s = zmq_socket(ctx, type);
    int none = 0;
    px_assert(s && zmq_setsockopt(s, ZMQ_SNDHWM, &none, sizeof none) == 0);
    px_assert(zmq_setsockopt(s, ZMQ_RCVHWM, &none, sizeof none) == 0);
    return s;
}

static _Noreturn void echo(const char *endpoint)
{
    void *ctx = zmq_ctx_new();
    void *s = open_socket(ctx, ZMQ_DEALER);
    char body[BODY] = "ready";
    px_assert(zmq_connect(s, endpoint) == 0);
    zmq_send(s, body, 5, 0);
    for (;;) {
        int n = zmq_recv(s, body, sizeof body, 0);
        if (n > 0)
            zmq_send(s, body, (size_t)n, 0);
    }
}

struct loop {
    void *router;
    MDB_env *env;
    MDB_dbi dbi;
    long total, sent, committed;
    uint8_t who[GROUP][64]; /* identities of the peers whose results wait */
    int who_len[GROUP];
    long what[GROUP];
    int waiting;
};

static void send_unit(struct loop *l, const void *who, int who_len)
{
    char body[BODY] = {0};
    if (l->sent == l->total)
        return;
    memcpy(body, &l->sent, sizeof l->sent);
    l->sent++;
    zmq_send(l->router, who, (size_t)who_len, ZMQ_SNDMORE);
    zmq_send(l->router, body, sizeof body, 0);
}

static void commit(struct loop *l)
{
    MDB_txn *txn;
    char value[VALUE] = {0};
    if (!l->waiting)
        return;
    px_assert(mdb_txn_begin(l->env, NULL, 0, &txn) == 0);
    for (int i = 0; i < l->waiting; i++) {
        uint64_t number = (uint64_t)(l->committed + i);
        MDB_val k = {sizeof number, &number};
        MDB_val v = {sizeof value, value};
        memcpy(value, &l->what[i], sizeof l->what[i]);
        px_assert(mdb_put(txn, l->dbi, &k, &v, MDB_APPEND) == 0);
    }
    px_assert(mdb_txn_commit(txn) == 0);
    l->committed += l->waiting;
    for (int i = 0; i < l->waiting; i++)
        send_unit(l, l->who[i], l->who_len[i]);
    l->waiting = 0;
}

static void serve(struct loop *l)
{
    while (l->committed < l->total) {
        char body[BODY];
        int i = l->waiting;
        l->who_len[i] =
            zmq_recv(l->router, l->who[i], sizeof l->who[i], l->waiting ? ZMQ_DONTWAIT : 0);
        if (l->who_len[i] < 0) {
            commit(l);
            continue;
        }
        int n = zmq_recv(l->router, body, sizeof body, 0);
        if (n == 5) {
            for (int c = 0; c < CREDITS; c++)
                send_unit(l, l->who[i], l->who_len[i]);
            continue;
        }
        memcpy(&l->what[i], body, sizeof l->what[i]);
        if (++l->waiting == GROUP)
            commit(l);
    }
}

int main(int argc, char **argv)
{
    px_assert(argc == 3);
    PX_FREE char *endpoint = px_xasprintf("ipc://%s/bare.sock", argv[2]);
    pid_t children[WORKERS];
    struct loop l = {.total = strtol(argv[1], NULL, 10)};
    for (int i = 0; i < WORKERS; i++) {
        children[i] = fork();
        if (children[i] == 0)
            echo(endpoint);
    }
    MDB_txn *txn;
    px_assert(mdb_env_create(&l.env) == 0);
    px_assert(mdb_env_set_mapsize(l.env, (size_t)4 << 30) == 0);
    px_assert(mdb_env_open(l.env, argv[2], 0, 0600) == 0);
    px_assert(mdb_txn_begin(l.env, NULL, 0, &txn) == 0);
    px_assert(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &l.dbi) == 0);
    px_assert(mdb_txn_commit(txn) == 0);
    void *ctx = zmq_ctx_new();
    l.router = open_socket(ctx, ZMQ_ROUTER);
    px_assert(zmq_bind(l.router, endpoint) == 0);
    int64_t start = clk_now_us();
    serve(&l);
    printf("%.0f\n", (double)l.total / ((double)(clk_now_us() - start) / 1e6));
    for (int i = 0; i < WORKERS; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    zmq_close(l.router);
    zmq_ctx_term(ctx);
    mdb_env_close(l.env);
    return 0;
}
