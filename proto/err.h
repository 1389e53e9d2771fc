/* err.h - the one error type, carried up with context.
 *
 * Functions that can fail take `struct px_err *err` last and return 0 / -1 or a pointer / NULL.
 * On failure the outputs are untouched and err says what was tried, on what, and why it failed.
 * err may be NULL when the caller does not want the words. */
#ifndef PROTO_ERR_H
#define PROTO_ERR_H

#include <stddef.h>

#define PX_MUST_CHECK __attribute__((warn_unused_result))
#define PX_PRINTF(a, b) __attribute__((format(printf, a, b)))

enum px_code {
    PX_OK = 0,
    PX_EUSAGE,       /* wrong arguments */
    PX_EINPUT,       /* malformed recipe, model, dataset, message: the input is at fault */
    PX_EMISSING,     /* a file, a name, a peer that should be there is not */
    PX_EEXIST,       /* already there, locked, in use */
    PX_EUNSUPPORTED, /* understood, but not something this build does */
    PX_ELIMIT,       /* a stated limit would be exceeded (memory budget, size, depth) */
    PX_ENOSPC,       /* the disk is full */
    PX_EIO,          /* the operating system refused */
    PX_EVERSION,     /* made by another version */
    PX_ETIMEOUT,     /* took too long */
    PX_EINTERRUPTED, /* a signal asked to stop; resumable */
    PX_EINTERNAL     /* a promise of ours is broken */
};

struct px_err {
    enum px_code code;
    char text[1024]; /* NUL-terminated, no newline unless several findings are listed */
};

/* Fills err (if not NULL) and returns -1, so that `return px_fail(err, ...)` is one line. */
int px_fail(struct px_err *err, enum px_code code, const char *fmt, ...) PX_PRINTF(3, 4);

/* As px_fail, with ": strerror(errno)" appended and the code derived from errno
 * (ENOENT, ENOTDIR, EACCES, EROFS: PX_EMISSING, EISDIR, ELOOP, ENAMETOOLONG: PX_EINPUT,
 * ENOSPC, EDQUOT: PX_ENOSPC, EEXIST, EADDRINUSE: PX_EEXIST, EINTR: PX_EINTERRUPTED, else PX_EIO).
 */
int px_fail_errno(struct px_err *err, const char *fmt, ...) PX_PRINTF(2, 3);

/* Puts "context: " before the text that err already has. Returns -1. */
int px_wrap(struct px_err *err, const char *fmt, ...) PX_PRINTF(2, 3);

/* Exit code of DESIGN: 2 for refusals of input, 3 interrupted, 4 internal. */
int px_exit_code(enum px_code code);

#endif
