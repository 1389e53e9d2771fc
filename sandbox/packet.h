/* packet.h - what the supervisor, the nursery and the zygotes say to each other.
 *
 * One message is one packet of a SOCK_SEQPACKET pair, with up to PACKET_FDS descriptors beside it.
 * Both ends are one build on one host, so packets are plain structs; candidates never hold a
 * descriptor of this kind. */
#ifndef SANDBOX_PACKET_H
#define SANDBOX_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_FDS 6
#define PACKET_MAGIC 0x50547a31u /* "1zTP" */
#define PACKET_CTL_FD 3          /* where a nursery finds its control socket */

enum packet_op {
    PACKET_CONFIG = 1, /* supervisor -> nursery: who to be */
    PACKET_READY,      /* nursery -> supervisor: the interpreter is warm */
    PACKET_SPAWN,      /* supervisor -> nursery: make a zygote; fd: its control socket */
    PACKET_SPAWNED,    /* nursery -> supervisor; fd: pidfd */
    PACKET_HELLO,      /* zygote -> supervisor: the layers that hold */
    PACKET_RUN,        /* supervisor -> zygote: fork and run; fds as in enum run_mode */
    PACKET_KILL,       /* supervisor -> zygote: end the run */
    PACKET_PEEK,       /* supervisor -> zygote: a pidfd of the running program, please */
    PACKET_PEEKED,     /* zygote -> supervisor; fd: pidfd */
    PACKET_EXITED      /* zygote -> supervisor: the run is over and nothing of it is left */
};

enum run_mode {
    RUN_CANDIDATE = 1, /* fds: source, call channel, stdin, stdout, stderr; serves calls */
    RUN_SCRIPT,        /* the same, run as __main__; the channel carries only how it began */
    RUN_TESTS          /* fds: task (JSON), call channel, verdict pipe */
};

struct packet_msg {
    uint32_t magic;
    uint32_t op; /* enum packet_op */
    uint64_t run;
    /* CONFIG */
    uint32_t uid, gid; /* to become, when the supervisor is root; else its own */
    uint32_t denied;   /* layers not to be tried */
    /* HELLO */
    uint32_t layers;
    int32_t step, error; /* HELLO: why namespaces failed; EXITED: where confinement failed */
    char text[64];       /* READY: the interpreter's version */
    /* RUN */
    uint32_t mode; /* enum run_mode */
    uint32_t warm_unittest;
    int64_t cpu_us, memory_bytes;
    /* EXITED */
    int32_t status; /* as from wait */
    uint32_t cpu_limited;
    uint64_t used_cpu_us, rss_bytes;
};

/* Sends one packet with n descriptors (they stay the caller's). 0 or -1 with errno. */
int packet_send(int fd, const struct packet_msg *m, const int *fds, int n);

/* Receives one packet; descriptors are close-on-exec and the caller's. Returns 1, 0 at the other
 * end's end, -1 with errno (EAGAIN when flags hold MSG_DONTWAIT and nothing is there; EPROTO for
 * a packet that is not one of ours). */
int packet_recv(int fd, int flags, struct packet_msg *m, int fds[PACKET_FDS], int *n);

/* Writes or reads exactly n bytes of a stream; false at its end or on an error. */
bool packet_write_all(int fd, const void *p, uint64_t n);
bool packet_read_all(int fd, void *p, uint64_t n);

#endif
