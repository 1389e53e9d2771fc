#include "proto/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void px_assert_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
    abort();
}

static _Noreturn void out_of_memory(size_t n)
{
    fprintf(stderr, "out of memory: cannot allocate %zu bytes\n", n);
    abort();
}

void *px_xmalloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *px_xcalloc(size_t n, size_t sz)
{
    void *p = calloc(n ? n : 1, sz ? sz : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *px_xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory(n);
    return q;
}

char *px_xmemdup(const void *p, size_t n)
{
    char *q = px_xmalloc(n + 1);
    if (n)
        memcpy(q, p, n);
    q[n] = '\0';
    return q;
}

char *px_xstrndup(const char *s, size_t n)
{
    return px_xmemdup(s, strnlen(s, n));
}

char *px_xstrdup(const char *s)
{
    return px_xmemdup(s, strlen(s));
}

char *px_xasprintf(const char *fmt, ...)
{
    char *out = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&out, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory(0);
    return out;
}

void px_free_ptr(void *pp)
{
    free(*(void **)pp);
}

void px_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
