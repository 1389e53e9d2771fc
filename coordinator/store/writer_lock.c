/* writer_lock.c - see writer_lock.h. */
#include "coordinator/store/writer_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "proto/number.h"

enum { TRIES = 5, PAUSE_US = 20000 };

static pid_t read_pid(int fd)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    int64_t pid = 0;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return px_parse_int(text, 1, 1 << 30, &pid, NULL) == 0 ? (pid_t)pid : 0;
}

static int in_use(const char *dir, pid_t pid, struct px_err *err)
{
    if (pid)
        return px_fail(err, PX_EEXIST, "store %s is in use by proctor run, pid %d", dir, (int)pid);
    return px_fail(err, PX_EEXIST, "store %s is in use by another proctor run", dir);
}

int writer_lock_take(const char *dir, struct px_err *err)
{
    PX_FREE char *path = px_path_join(dir, "writer.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return px_fail_errno(err, "cannot open %s", path);
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    /* somebody who only asks (writer_lock_held) has it for a moment: ask again */
    for (int i = 1; rc != 0 && errno == EWOULDBLOCK && i < TRIES; i++) {
        clk_sleep_us(PAUSE_US);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    if (rc != 0) {
        if (errno == EWOULDBLOCK)
            in_use(dir, read_pid(fd), err);
        else
            px_fail_errno(err, "cannot lock %s", path);
        close(fd);
        return -1;
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        px_fail_errno(err, "cannot write %s", path);
        close(fd);
        return -1;
    }
    return fd;
}

bool writer_lock_held(const char *dir, pid_t *pid)
{
    PX_FREE char *path = px_path_join(dir, "writer.lock");
    PX_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    *pid = 0;
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return false; /* closing gives the lock back */
    *pid = read_pid(fd);
    return true;
}
