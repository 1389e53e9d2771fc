/* fewshot.c - see fewshot.h. */
#include "coordinator/task/fewshot.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/mem.h"
#include "proto/python_random.h"

/* splitmix64 (Steele, Lea, Flood 2014): a stream from one 64-bit key. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(uint64_t *state, uint32_t n)
{
    uint64_t reject = UINT64_MAX - UINT64_MAX % n, v;
    do {
        v = next(state);
    } while (v >= reject);
    return (uint32_t)(v % n);
}

static void pick_random(const struct fewshot_draw *d, uint32_t i, const char *id, uint32_t n,
                        uint32_t *out)
{
    struct px_hash *h = px_hash_new("proctor.fewshot");
    px_hash_u64(h, d->seed);
    px_hash_str(h, d->task);
    px_hash_str(h, id);
    struct px_digest key = px_hash_end(&h);
    uint64_t state = px_load_u64(key.b);
    for (uint32_t k = 0; k < n;) {
        uint32_t row = below(&state, d->n_pool);
        bool taken = d->own_rows && row == i;
        for (uint32_t j = 0; j < k; j++)
            taken = taken || out[j] == row;
        if (!taken)
            out[k++] = row;
    }
}

static void pick_first(const struct fewshot_draw *d, uint32_t i, uint32_t n, uint32_t *out)
{
    uint32_t k = 0;
    for (uint32_t row = 0; k < n; row++) {
        if (!d->own_rows || row != i)
            out[k++] = row;
    }
}

/* One sample per problem in order, from one generator. From its own rows one more is drawn, and
 * the problem itself, or else the last one, is dropped; lm-eval does the same wherever a task names
 * neither a test split nor one for shots. */
static void fill_table(const struct fewshot_draw *d, struct fewshot_table *t, uint32_t n)
{
    struct python_random r = {0};
    uint32_t drawn[FEWSHOT_MAX + 1];
    uint32_t n_drawn = n + (d->own_rows || d->one_more);
    free(t->rows);
    t->rows = px_xcalloc(d->n_problems, n * sizeof *t->rows);
    t->n = n;
    python_random_seed(&r, d->seed);
    for (uint32_t i = 0; i < d->n_problems; i++) {
        python_random_sample(&r, d->n_pool, n_drawn, drawn);
        uint32_t k = 0;
        for (uint32_t j = 0; j < n_drawn && k < n; j++) {
            if (!d->own_rows || drawn[j] != i)
                t->rows[(size_t)i * n + k++] = drawn[j];
        }
    }
}

int fewshot_check(const struct fewshot_draw *d, uint32_t n, struct px_err *err)
{
    if (n > FEWSHOT_MAX || n > d->n_pool - ((d->own_rows || d->one_more) && d->n_pool > 0))
        return px_fail(err, PX_EINPUT, "%u shots, but there are only %u rows to draw them from%s",
                       n, d->n_pool, d->own_rows ? ", the problem among them" : "");
    return 0;
}

int fewshot_pick(const struct fewshot_draw *d, struct fewshot_table *table, uint32_t i,
                 const char *id, uint32_t n, uint32_t *out, struct px_err *err)
{
    if (fewshot_check(d, n, err) != 0)
        return -1;
    if (n == 0)
        return 0;
    if (d->selection == FEWSHOT_RANDOM) {
        pick_random(d, i, id, n, out);
    } else if (d->selection == FEWSHOT_FIRST) {
        pick_first(d, i, n, out);
    } else {
        if (table->n != n)
            fill_table(d, table, n);
        memcpy(out, table->rows + (size_t)i * n, n * sizeof *out);
    }
    return 0;
}

void fewshot_table_clear(struct fewshot_table *t)
{
    free(t->rows);
    *t = (struct fewshot_table){0};
}
