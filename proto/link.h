/* link.h - messages of wire.h over a ZeroMQ socket: what both ends of the wire share.
 *
 * Sending never blocks (sockets have no high-water mark: credits bound what is in flight). */
#ifndef PROTO_LINK_H
#define PROTO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/wire.h"

#define LINK_MAX_IDENTITY 32

struct link_identity {
    uint8_t b[LINK_MAX_IDENTITY];
    uint8_t n;
};

/* Heartbeats of ZMTP, no linger, no high-water marks. */
int link_set_options(void *socket, struct px_err *err) PX_MUST_CHECK;

/* Sends header, JSON and the bodies of m (borrowed). `to` is NULL on a DEALER. -1 when the peer
 * cannot be reached (ROUTER). */
int link_send(void *socket, const struct link_identity *to, const struct wire_msg *m);

enum link_got {
    LINK_NOTHING, /* no message waits */
    LINK_MESSAGE,
    LINK_BAD /* a message that is none of ours; err says why, kind may be known (PX_EVERSION) */
};
/* The next message without waiting. `from` (ROUTER) is its sender, *fd the connection's socket
 * or -1; both may be NULL on a DEALER. */
enum link_got link_recv(void *socket, struct link_identity *from, int *fd, struct wire_msg *out,
                        struct px_err *err);

/* A PAIR socket that tells what happens to the connections of `socket`. NULL with err. */
void *link_monitor(void *ctx, void *socket, const char *name, struct px_err *err);
/* The next event (ZMQ_EVENT_...) without waiting; false when there is none. */
bool link_event(void *monitor, uint16_t *event, uint32_t *value);
/* Closes both (either may be NULL). The monitor must be stopped while its reader still lives:
 * libzmq waits for ever otherwise. */
void link_close(void *socket, void *monitor);

#endif
