/* windows.c - see windows.h. */
#include "coordinator/plan/windows.h"

#include "proto/mem.h"

struct window *windows_rolling(size_t n, uint32_t length, uint32_t *count)
{
    size_t max = n ? (n - 1) / length + 1 : 0, done;
    struct window *w = px_xcalloc(max + 1, sizeof *w);
    *count = 0;
    if (n == 0)
        return w;
    done = n < length ? n : length;
    w[(*count)++] =
        (struct window){.head = WINDOW_PREFIXED, .n_context = 1, .n_scored = (uint32_t)done};
    while (done < n) {
        size_t k = n - done < length ? n - done : length;
        size_t end = done + k, from = end - 1 - length; /* the input ends before the last token */
        w[(*count)++] = (struct window){
            .from = from, .n_context = (uint32_t)(done - from), .n_scored = (uint32_t)k};
        done = end;
    }
    return w;
}

struct window *windows_llamacpp(size_t n, uint32_t length, uint32_t *count)
{
    size_t chunks = n / length;
    struct window *w = chunks ? px_xcalloc(chunks, sizeof *w) : NULL;
    *count = (uint32_t)chunks;
    for (size_t i = 0; i < chunks; i++)
        w[i] = (struct window){.head = WINDOW_OVERWRITTEN,
                               .from = i * length,
                               .n_context = length / 2 + 1,
                               .n_scored = length - length / 2 - 1};
    return w;
}
