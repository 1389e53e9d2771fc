/* mem.h - allocation that cannot fail, assertions that stay on, cleanup attributes.
 *
 * Out of memory and broken invariants abort with file, line and values. Sizes that come from
 * files, recipes or the wire are checked by the caller before they get here. */
#ifndef PROTO_MEM_H
#define PROTO_MEM_H

#include <stddef.h>

void *px_xmalloc(size_t n);            /* owned; never NULL, n = 0 gives a unique pointer */
void *px_xcalloc(size_t n, size_t sz); /* owned; overflow aborts */
void *px_xrealloc(void *p, size_t n);
char *px_xstrdup(const char *s);
char *px_xstrndup(const char *s, size_t n);
char *px_xmemdup(const void *p, size_t n); /* owned; one NUL is added after the n bytes */
char *px_xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void px_free_ptr(void *pp); /* for PX_FREE: frees *(void **)pp */
void px_close_fd(int *fd);  /* for PX_CLOSE: closes *fd if >= 0 */
#define PX_FREE __attribute__((cleanup(px_free_ptr)))
#define PX_CLOSE __attribute__((cleanup(px_close_fd)))

_Noreturn void px_assert_failed(const char *file, int line, const char *what);
#define px_assert(cond) ((cond) ? (void)0 : px_assert_failed(__FILE__, __LINE__, #cond))

/* Grows an array so that it holds n + 1 elements (doubling). */
#define PX_GROW(arr, n, cap)                                                                       \
    do {                                                                                           \
        if ((n) >= (cap)) {                                                                        \
            (cap) = (cap) ? 2 * (cap) : 8;                                                         \
            (arr) = px_xrealloc((arr), (size_t)(cap) * sizeof *(arr));                             \
        }                                                                                          \
    } while (0)

#endif
