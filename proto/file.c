#include "proto/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/mem.h"

int px_read_file(const char *path, size_t limit, char **out, size_t *len, struct px_err *err)
{
    PX_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_errno(err, "cannot open %s", path);
    size_t cap = 1 << 16;
    size_t n = 0;
    char *buf = px_xmalloc(cap + 1);
    for (;;) {
        if (n == cap) {
            cap *= 2;
            buf = px_xrealloc(buf, cap + 1);
        }
        ssize_t k = read(fd, buf + n, cap - n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            free(buf);
            return px_fail_errno(err, "cannot read %s", path);
        }
        if (k == 0)
            break;
        n += (size_t)k;
        if (n > limit) {
            free(buf);
            return px_fail(err, PX_ELIMIT, "%s is larger than %zu bytes", path, limit);
        }
    }
    buf[n] = '\0';
    *out = buf;
    *len = n;
    return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int sync_dir(const char *path)
{
    PX_FREE char *dir = px_dirname(path);
    PX_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int px_write_file(const char *path, const void *data, size_t len, struct px_err *err)
{
    PX_FREE char *tmp = px_xasprintf("%s.tmp.%d", path, (int)getpid());
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return px_fail_errno(err, "cannot create %s", tmp);
    int bad = write_all(fd, data, len) != 0 || fsync(fd) != 0;
    int saved = errno;
    close(fd);
    if (bad || rename(tmp, path) != 0) {
        errno = bad ? saved : errno;
        px_fail_errno(err, "cannot write %s", path);
        unlink(tmp);
        return -1;
    }
    (void)sync_dir(path); /* some file systems refuse it; the rename itself is whole */
    return 0;
}

int px_mkdirs(const char *path, unsigned mode, struct px_err *err)
{
    PX_FREE char *copy = px_xstrdup(path);
    for (char *p = copy + 1;; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, mode) != 0 && errno != EEXIST)
            return px_fail_errno(err, "cannot create directory %s", copy);
        *p = c;
        if (c == '\0')
            break;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return px_fail(err, PX_EINPUT, "%s is not a directory", path);
    return 0;
}

bool px_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool px_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *px_path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0')
        return px_xstrdup(name);
    size_t n = strlen(dir);
    return px_xasprintf("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

char *px_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return px_xstrdup(".");
    return slash == path ? px_xstrdup("/") : px_xstrndup(path, (size_t)(slash - path));
}

char *px_cache_dir(void)
{
    const char *s = getenv("PROCTOR_CACHE");
    if (s && *s)
        return px_xstrdup(s);
    s = getenv("XDG_CACHE_HOME");
    if (s && *s)
        return px_xasprintf("%s/proctor", s);
    s = getenv("HOME");
    return px_xasprintf("%s/.cache/proctor", s && *s ? s : "/tmp");
}

char *px_exe_dir(void)
{
    char buf[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", buf, sizeof buf - 1);
    if (n < 0)
        return px_xstrdup(".");
    buf[n] = '\0';
    return px_dirname(buf);
}

char *px_home_dir(struct px_err *err)
{
    const char *s = getenv("PROCTOR_HOME");
    if (s && *s)
        return px_xstrdup(s);
    PX_FREE char *exe = px_exe_dir();
    /* installed: bin/../share/proctor; built: build/<variant>/bin, so up to three levels up */
    static const char *const up[] = {"../share/proctor", "..", "../..", "../../.."};
    for (size_t i = 0; i < sizeof up / sizeof *up; i++) {
        PX_FREE char *probe = px_xasprintf("%s/%s/recipes/tasks", exe, up[i]);
        char real[PATH_MAX];
        PX_FREE char *home = px_xasprintf("%s/%s", exe, up[i]);
        if (px_exists(probe) && realpath(home, real))
            return px_xstrdup(real);
    }
    px_fail(err, PX_EMISSING,
            "cannot find Proctor's own recipes/ near %s; set PROCTOR_HOME to the directory that "
            "holds it",
            exe);
    return NULL;
}
