/* peer_internal.h - what the two halves of a peer share: the caller's face (peer.c) and the
 * network thread (peer_net.c, and peer_mail.c for what it hears). Everything below `lock` is
 * guarded by it. */
#ifndef PROTO_PEER_INTERNAL_H
#define PROTO_PEER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "proto/buf.h"
#include "proto/curve.h"
#include "proto/keymap.h"
#include "proto/peer.h"

enum { PEER_ID_SIZE = 64 };

/* A finished unit on its way: kept until acknowledged. */
struct result {
    struct px_digest key;
    uint64_t lease;
    void *rec;
    uint32_t n;
    bool sent; /* over the present connection */
    struct result *prev, *next;
};

/* A FAIL or a returned unit: said once, the lease machinery covers its loss. */
struct remark {
    bool returned;
    bool retryable;
    uint64_t lease;
    struct px_digest key;
    char *class_name;
    char *detail;
    struct remark *next;
};

struct queued_event {
    struct peer_event ev;
    struct queued_event *next;
};

struct peer {
    /* set before the thread starts, then only read */
    char *endpoint;
    char *program;
    char *isa;
    char host[65];
    char id[PEER_ID_SIZE];
    bool curve;
    char *curve_dir;
    struct curve_client keys;
    struct peer_config cfg;
    int to_caller; /* eventfd: the caller has events */
    int to_thread; /* eventfd: the thread has something to send */
    pthread_t thread;

    _Atomic uint64_t progress;

    pthread_mutex_t lock;
    struct queued_event *events, *events_last;
    struct keymap held; /* units taken by the caller and not finished: key -> lease */
    struct result *results, *results_last;
    struct keymap result_of; /* key -> struct result * */
    uint32_t n_unsent;
    struct remark *remarks, *remarks_last;
    uint32_t capacity; /* units it may hold altogether */
    bool capacity_changed;
    bool draining;
    bool drain_changed;
    bool stop;
};

/* The network thread's own state. */
struct peer_net {
    struct peer *p;
    void *ctx;
    void *socket;
    void *monitor;
    bool connected; /* the transport stands */
    bool welcome;   /* the coordinator answered our HELLO */
    bool over;      /* REFUSED or GONE was told: nothing more to do */
    int bad_handshakes;
    int64_t last_heard;
    int64_t last_hello;
    int64_t last_beat;
    int64_t last_resend;
    struct px_buf *jobs; /* [n_jobs] encoded heads by the coordinator's number */
    uint32_t n_jobs;
};

void *peer_thread_main(void *peer);

/* For the caller's queue; ev is taken. */
void peer_push_event(struct peer_net *t, struct peer_event *ev);
/* The last event there is: REFUSED or GONE with its reason. Once only. */
void peer_end_with(struct peer_net *t, enum peer_event_kind kind, enum px_code code,
                   const char *text);
/* Reads and obeys everything that waits in the socket. */
void peer_read_mail(struct peer_net *t);
/* Introduces the peer and lists what it holds. */
void peer_say_hello(struct peer_net *t);
/* Everything unacknowledged is to be sent again. */
void peer_say_all_again(struct peer *p);
void peer_forget_jobs(struct peer_net *t);

/* Under the lock. */
void peer_forget_result(struct peer *p, struct result *r);

#endif
