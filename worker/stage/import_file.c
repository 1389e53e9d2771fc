/* import_file.c - a model's imported form under its name: whole, or not there. */
#include "worker/stage/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/model/config.h"
#include "proto/model/imported.h"
#include "proto/model/tokenizer.h"
#include "worker/stage/import_layout.h"

/* A file of this version with good data, under that name already? why_not: what is there instead,
 * "" when nothing is. */
static bool is_there(const char *path, const struct px_digest *source, uint64_t *bytes,
                     struct px_err *why_not)
{
    struct stat st;
    why_not->text[0] = '\0';
    if (stat(path, &st) != 0)
        return false;
    struct gguf *g = gguf_open(path, why_not);
    struct tokenizer *t = g ? tokenizer_new(g, why_not) : NULL; /* its image has a version, too */
    bool good = false;
    if (g && (gguf_source(g) == NULL || !px_digest_eq(&gguf_source(g)->digest, source)))
        px_fail(why_not, PX_EINPUT, "it holds another model");
    else if (t)
        good = gguf_check_data_once(g, why_not) == 0;
    if (good)
        *bytes = gguf_file_size(g);
    tokenizer_free(&t);
    gguf_free(&g);
    return good;
}

/* Opens the unfinished file and waits until nobody else writes it. Who was waited for may have
 * renamed or removed it: then it is another file's turn. */
static int lock_part(const char *part, const struct import_options *opt, struct px_err *err)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    for (;;) {
        struct stat here, there;
        int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return px_fail_errno(err, "cannot write %s", part);
        while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK && errno != EINTR) {
                px_fail_errno(err,
                              "cannot lock %s; is there another directory, on a disk of this "
                              "host? PROCTOR_MODELS names it",
                              part);
                close(fd);
                return -1;
            }
            if (opt->progress)
                opt->progress(opt->ctx, 0);
            nanosleep(&pause, NULL);
        }
        if (fstat(fd, &here) == 0 && stat(part, &there) == 0 && here.st_ino == there.st_ino &&
            here.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
}

/* The space is taken at once where the file system can, and counted where it cannot. */
static int take_space(int fd, const char *part, uint64_t need, struct px_err *err)
{
    struct statvfs fs;
    if (ftruncate(fd, 0) != 0)
        return px_fail_errno(err, "cannot write %s", part);
    int rc = fallocate(fd, 0, 0, (off_t)need);
    if (rc == 0)
        return 0;
    bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    if (!is_full && errno != EOPNOTSUPP && errno != ENOSYS)
        return px_fail_errno(err, "cannot write %s", part);
    uint64_t left = fstatvfs(fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
    if (!is_full && left >= need)
        return 0;
    return px_fail(err, PX_ENOSPC,
                   "no space for %s: it needs %llu bytes, the file system has %llu left "
                   "(PROCTOR_MODELS names another directory)",
                   part, (unsigned long long)need, (unsigned long long)left);
}

static int sync_dir(const char *path, struct px_err *err)
{
    PX_FREE char *dir = px_dirname(path);
    PX_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : px_fail_errno(err, "cannot write %s", dir);
}

static int is_unchanged(const struct gguf *g, const struct stat *before, struct px_err *err)
{
    struct stat now;
    if (stat(gguf_path(g), &now) != 0)
        return px_fail_errno(err, "cannot open %s", gguf_path(g));
    if (now.st_size == before->st_size && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == before->st_mtim.tv_nsec && now.st_ino == before->st_ino)
        return 0;
    return px_fail(err, PX_EINPUT, "%s was changed while it was imported", gguf_path(g));
}

/* CPUs that this process may use. */
static uint32_t own_cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
}

/* Everything into the locked file `fd`, which then gets its name. */
static int write_file(const struct gguf *g, const struct stat *st, struct import_layout *l, int fd,
                      const char *part, const char *path, const struct import_options *opt,
                      struct px_err *err)
{
    uint32_t threads = opt->threads ? opt->threads : own_cpus();
    if (take_space(fd, part, l->bytes, err) != 0 ||
        import_write_data(l, fd, threads, opt->progress, opt->ctx, err) != 0 ||
        import_write_head(l, fd, err) != 0)
        return -1;
    if (fsync(fd) != 0)
        return px_fail_errno(err, "cannot write %s", part);
    if (is_unchanged(g, st, err) != 0)
        return -1;
    if (rename(part, path) != 0)
        return px_fail_errno(err, "cannot rename %s", part);
    return sync_dir(path, err);
}

/* The new file is read once as everyone will read it, and noted as good. */
static int accept_file(const char *path, struct px_err *err)
{
    struct gguf *g = gguf_open(path, err);
    if (g == NULL)
        return -1;
    gguf_data_is_good(g);
    gguf_free(&g);
    return 0;
}

static int write_once(const struct gguf *g, const struct stat *st, const struct px_digest *source,
                      const char *path, const struct import_options *opt, struct imported_file *out,
                      struct px_err *err)
{
    PX_FREE char *part = px_xasprintf("%s.part", path);
    PX_FREE char *dir = px_dirname(path);
    struct import_layout l;
    struct px_err why_not;
    if (px_mkdirs(dir, 0755, err) != 0)
        return -1;
    PX_CLOSE int fd = lock_part(part, opt, err);
    if (fd < 0)
        return -1;
    if (is_there(path, source, &out->bytes, &why_not)) {
        unlink(part);
        out->was_there = true;
        return 0;
    }
    if (why_not.text[0])
        px_log(PX_WARN, "import-replaced", "path=%s: %s", path, why_not.text);
    int rc = import_layout_make(g, source, &l, err);
    if (rc == 0) {
        rc = write_file(g, st, &l, fd, part, path, opt, err);
        out->bytes = l.bytes;
        import_layout_clear(&l);
    }
    if (rc != 0)
        unlink(part);
    return rc == 0 ? accept_file(path, err) : -1;
}

static int import_open(struct gguf *g, const struct import_options *opt, struct imported_file *out,
                       struct px_err *err)
{
    struct model_config config;
    struct px_digest source;
    struct px_err why_not;
    struct stat st;
    if (gguf_source(g))
        return px_fail(err, PX_EUSAGE, "%s is an imported file already", gguf_path(g));
    if (stat(gguf_path(g), &st) != 0)
        return px_fail_errno(err, "cannot open %s", gguf_path(g));
    if (model_config_read(g, &config, err) != 0 ||
        px_sha256_file(gguf_path(g), &source, NULL, err) != 0)
        return -1;
    out->path = imported_path(opt->dir, &source);
    if (is_there(out->path, &source, &out->bytes, &why_not)) {
        out->was_there = true;
        return 0;
    }
    return write_once(g, &st, &source, out->path, opt, out, err) == 0
               ? 0
               : px_wrap(err, "import of %s", gguf_path(g));
}

int import_file(const char *source, const struct import_options *opt, struct imported_file *out,
                struct px_err *err)
{
    struct imported_file f = {0};
    int64_t started = clk_now_us();
    struct gguf *g = gguf_open(source, err);
    int rc = g ? import_open(g, opt, &f, err) : -1;
    gguf_free(&g);
    if (rc != 0) {
        free(f.path);
        return -1;
    }
    f.seconds = (double)(clk_now_us() - started) / 1e6;
    *out = f;
    return 0;
}
