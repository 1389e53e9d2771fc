#include "proto/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int px_fail(struct px_err *err, enum px_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        err->code = code;
    }
    return -1;
}

static enum px_code code_of_errno(int e)
{
    switch (e) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EROFS:
        return PX_EMISSING;
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return PX_EINPUT;
    case ENOSPC:
    case EDQUOT:
        return PX_ENOSPC;
    case EEXIST:
    case EADDRINUSE:
        return PX_EEXIST;
    case EINTR:
        return PX_EINTERRUPTED;
    default:
        return PX_EIO;
    }
}

int px_fail_errno(struct px_err *err, const char *fmt, ...)
{
    int e = errno;
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof err->text)
            snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror(e));
        err->code = code_of_errno(e);
    }
    return -1;
}

int px_wrap(struct px_err *err, const char *fmt, ...)
{
    if (err) {
        char old[sizeof err->text];
        memcpy(old, err->text, sizeof old);
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof err->text)
            snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old);
    }
    return -1;
}

int px_exit_code(enum px_code code)
{
    switch (code) {
    case PX_OK:
        return 0;
    case PX_EINTERRUPTED:
    case PX_ENOSPC:
        return 3;
    case PX_EIO:
    case PX_ETIMEOUT:
    case PX_EINTERNAL:
        return 4;
    case PX_EUSAGE:
    case PX_EINPUT:
    case PX_EMISSING:
    case PX_EEXIST:
    case PX_EUNSUPPORTED:
    case PX_ELIMIT:
    case PX_EVERSION:
    default:
        return 2;
    }
}
