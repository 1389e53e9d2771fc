/* suggest.c - "did you mean": the nearest name by edit distance (insertions, deletions,
 * substitutions and swaps of neighbours, each at cost 1). */
#include <string.h>

#include "coordinator/recipe/recipe.h"

#define LONGEST 64

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Both at most LONGEST characters. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][LONGEST + 1];
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned same = a[i - 1] == b[j - 1] ? 0 : 1;
            now[j] = least(before[j] + 1, now[j - 1] + 1, before[j - 1] + same);
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && two_before[j - 2] + 1 < now[j])
                now[j] = two_before[j - 2] + 1;
        }
    }
    return rows[na % 3][nb];
}

const char *recipe_nearest(const char *word, const char *const *names, uint32_t n)
{
    size_t len = strlen(word);
    if (len == 0 || len > LONGEST)
        return NULL;
    unsigned best = len <= 3 ? 1 : len <= 6 ? 2 : 3;
    const char *found = NULL;
    for (uint32_t i = 0; i < n; i++) {
        size_t n_name = strlen(names[i]);
        if (n_name > LONGEST)
            continue;
        unsigned d = distance(word, len, names[i], n_name);
        if (d < best || (d == best && !found)) {
            best = d;
            found = names[i];
        }
    }
    return found;
}
