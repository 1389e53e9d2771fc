/* streams.c - the three standard streams of a program. */
#include "proto/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void px_streams_hold(void)
{
    /* open gives the lowest free number: below 3 it is one that was missing. */
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd < 3);
    if (fd >= 3)
        close(fd);
    else if (fcntl(2, F_GETFD) < 0)
        _exit(4); /* no /dev/null to stand in, and no stream to say so on */
}

int px_streams_finish(const char *program, int status)
{
    errno = 0;
    int failed = fflush(stdout) != 0 || ferror(stdout);
    const char *why = errno ? strerror(errno) : "an earlier write failed; is the disk full?";
    struct pollfd p = {.fd = 1, .events = POLLOUT};
    if (!failed || (poll(&p, 1, 0) == 1 && p.revents & POLLERR))
        return status;
    fprintf(stderr, "%s: cannot write all of the output to stdout: %s\n", program, why);
    return status ? status : 4;
}
