#include "proto/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "proto/mem.h"

enum {
    HEARTBEAT_MS = 200,
    HEARTBEAT_TIMEOUT_MS = 600,
    HANDSHAKE_MS = 5000,
    MAX_FRAMES = 3 + WIRE_MAX_BODIES /* identity, header, JSON, bodies */
};

int link_set_options(void *socket, struct px_err *err)
{
    static const struct {
        int option;
        int value;
    } set[] = {{ZMQ_LINGER, 0},
               {ZMQ_SNDHWM, 0},
               {ZMQ_RCVHWM, 0},
               {ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS},
               {ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS},
               {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
               {ZMQ_IPV6, 1}};
    int64_t largest = WIRE_BODY_LIMIT;
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        if (zmq_setsockopt(socket, set[i].option, &set[i].value, sizeof set[i].value) != 0)
            return px_fail_errno(err, "cannot set ZeroMQ option %d", set[i].option);
    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) != 0)
        return px_fail_errno(err, "cannot limit the size of ZeroMQ messages");
    return 0;
}

static int send_frame(void *socket, const void *p, size_t n, bool more)
{
    int rc;
    do {
        rc = zmq_send(socket, p, n, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -1 : 0;
}

int link_send(void *socket, const struct link_identity *to, const struct wire_msg *m)
{
    uint8_t header[WIRE_HEADER];
    struct px_buf json;
    unsigned bodies = m->bare ? 0 : wire_n_bodies(m->kind);
    if (to && send_frame(socket, to->b, to->n, true) != 0)
        return -1;
    wire_put_header(header, m->kind);
    px_buf_init(&json, WIRE_JSON_LIMIT);
    wire_put_json(m, &json);
    int rc = send_frame(socket, header, sizeof header, true);
    if (rc == 0)
        rc = send_frame(socket, json.data, json.len, bodies > 0);
    for (unsigned i = 0; i < bodies && rc == 0; i++)
        rc = send_frame(socket, m->body[i] ? m->body[i] : (const uint8_t *)"", m->n_body[i],
                        i + 1 < bodies);
    px_buf_clear(&json);
    return rc;
}

/* Receives every frame of one message; those that are too many are counted and dropped. */
static unsigned recv_frames(void *socket, zmq_msg_t frame[MAX_FRAMES])
{
    unsigned n = 0;
    for (;;) {
        zmq_msg_t extra;
        zmq_msg_t *f = n < MAX_FRAMES ? &frame[n] : &extra;
        zmq_msg_init(f);
        int rc;
        do {
            rc = zmq_msg_recv(f, socket, ZMQ_DONTWAIT);
        } while (rc < 0 && errno == EINTR);
        if (rc < 0) {
            zmq_msg_close(f);
            return n;
        }
        bool more = zmq_msg_more(f);
        if (f == &extra)
            zmq_msg_close(f);
        n++;
        if (!more)
            return n;
    }
}

enum link_got link_recv(void *socket, struct link_identity *from, int *fd, struct wire_msg *out,
                        struct px_err *err)
{
    zmq_msg_t frame[MAX_FRAMES];
    struct wire_frame w[MAX_FRAMES];
    unsigned first = from ? 1 : 0;
    unsigned n = recv_frames(socket, frame);
    if (n == 0)
        return LINK_NOTHING;
    unsigned kept = n < MAX_FRAMES ? n : MAX_FRAMES;
    int rc = -1;
    memset(out, 0, sizeof *out);
    if (from) {
        size_t len = zmq_msg_size(&frame[0]);
        from->n = (uint8_t)(len < LINK_MAX_IDENTITY ? len : LINK_MAX_IDENTITY);
        memcpy(from->b, zmq_msg_data(&frame[0]), from->n);
    }
    for (unsigned i = first; i < kept; i++)
        w[i - first] = (struct wire_frame){zmq_msg_data(&frame[i]), zmq_msg_size(&frame[i])};
    if (fd)
        *fd = kept > first ? zmq_msg_get(&frame[first], ZMQ_SRCFD) : -1;
    if (n > MAX_FRAMES)
        px_fail(err, PX_EINPUT, "a message of %u frames", n);
    else
        rc = wire_parse(w, kept - first, out, err);
    enum wire_kind kind = 0;
    if (rc != 0 && kept > first && wire_get_header(w[0].p, w[0].n, &kind, NULL) != 0)
        out->kind = kind; /* of another version: enough to be turned away politely */
    for (unsigned i = 0; i < kept; i++)
        zmq_msg_close(&frame[i]);
    return rc == 0 ? LINK_MESSAGE : LINK_BAD;
}

void *link_monitor(void *ctx, void *socket, const char *name, struct px_err *err)
{
    char where[64];
    snprintf(where, sizeof where, "inproc://%s", name);
    int linger = 0;
    const int watched = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    void *pair = zmq_socket(ctx, ZMQ_PAIR);
    if (!pair || zmq_socket_monitor(socket, where, watched) != 0 ||
        zmq_setsockopt(pair, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_connect(pair, where) != 0) {
        px_fail_errno(err, "cannot watch the connections of a ZeroMQ socket");
        if (pair)
            zmq_close(pair);
        return NULL;
    }
    return pair;
}

void link_close(void *socket, void *monitor)
{
    if (socket && monitor)
        zmq_socket_monitor(socket, NULL, 0);
    if (monitor)
        zmq_close(monitor);
    if (socket)
        zmq_close(socket);
}

bool link_event(void *monitor, uint16_t *event, uint32_t *value)
{
    zmq_msg_t frame[MAX_FRAMES];
    unsigned n = recv_frames(monitor, frame);
    bool got = n == 2 && zmq_msg_size(&frame[0]) == 6;
    if (got) {
        const uint8_t *p = zmq_msg_data(&frame[0]); /* host byte order: from our own process */
        memcpy(event, p, 2);
        memcpy(value, p + 2, 4);
    }
    for (unsigned i = 0; i < n && i < MAX_FRAMES; i++)
        zmq_msg_close(&frame[i]);
    return got;
}
