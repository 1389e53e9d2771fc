/* packet.c - packets with descriptors over a UNIX socket. */
#include "sandbox/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union fd_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS)];
};

int packet_send(int fd, const struct packet_msg *m, const int *fds, int n)
{
    struct packet_msg out = *m;
    out.magic = PACKET_MAGIC;
    struct iovec iov = {&out, sizeof out};
    union fd_space space;
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n > 0) {
        memset(&space, 0, sizeof space);
        h.msg_control = space.bytes;
        h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n);
    }
    ssize_t rc;
    do
        rc = sendmsg(fd, &h, MSG_NOSIGNAL);
    while (rc < 0 && errno == EINTR);
    return rc == (ssize_t)sizeof out ? 0 : -1;
}

static void take_fds(struct msghdr *h, int *fds, int *n)
{
    *n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < k; i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (*n < PACKET_FDS)
                fds[(*n)++] = one;
            else
                close(one);
        }
    }
}

int packet_recv(int fd, int flags, struct packet_msg *m, int fds[PACKET_FDS], int *n)
{
    struct iovec iov = {m, sizeof *m};
    union fd_space space;
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = space.bytes,
                       .msg_controllen = sizeof space.bytes};
    ssize_t rc;
    do
        rc = recvmsg(fd, &h, flags | MSG_CMSG_CLOEXEC);
    while (rc < 0 && errno == EINTR);
    *n = 0;
    if (rc < 0)
        return errno == ECONNRESET ? 0 : -1;
    take_fds(&h, fds, n);
    if (rc == (ssize_t)sizeof *m && m->magic == PACKET_MAGIC)
        return 1;
    for (int i = 0; i < *n; i++)
        close(fds[i]);
    *n = 0;
    if (rc == 0)
        return 0;
    errno = EPROTO;
    return -1;
}

bool packet_write_all(int fd, const void *p, uint64_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t k = send(fd, at, n, MSG_NOSIGNAL);
        if (k < 0 && errno == ENOTSOCK)
            k = write(fd, at, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        at += k;
        n -= (uint64_t)k;
    }
    return true;
}

bool packet_read_all(int fd, void *p, uint64_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t k = read(fd, at, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        at += k;
        n -= (uint64_t)k;
    }
    return true;
}
