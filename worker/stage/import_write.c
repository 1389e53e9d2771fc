/* import_write.c - the bytes of an imported file: packed, hashed and written by several threads.
 *
 * Threads take whole tensors, the largest first, since a checksum is made from a tensor's start to
 * its end. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/mem.h"
#include "proto/model/gguf_internal.h"
#include "worker/engine/panels.h"
#include "worker/stage/import_layout.h"

enum { PIECE_BYTES = 1 << 20, MAX_THREADS = 64 };

struct write_job {
    struct import_layout *l;
    int fd;
    uint32_t *order; /* of the pieces: the largest first */
    atomic_uint next;
    _Atomic uint64_t done;
    atomic_bool failed;
    struct px_err err; /* of who failed first */
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
};

static int write_at(int fd, const void *data, uint64_t n, uint64_t at, struct px_err *err)
{
    const uint8_t *p = data;
    while (n > 0) {
        ssize_t w = pwrite(fd, p, n, (off_t)at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return px_fail_errno(err, "cannot write");
        p += w;
        n -= (uint64_t)w;
        at += (uint64_t)w;
    }
    return 0;
}

/* The next bytes of a piece: hashed and written. */
static int put_bytes(struct write_job *j, struct px_sha256 *sha, const void *data, uint64_t n,
                     uint64_t at, bool is_caller, struct px_err *err)
{
    px_sha256_add(sha, data, n);
    if (write_at(j->fd, data, n, at, err) != 0)
        return -1;
    uint64_t done = atomic_fetch_add(&j->done, n) + n;
    if (is_caller && j->progress)
        j->progress(j->ctx, done);
    return atomic_load(&j->failed) ? -1 : 0;
}

static int write_panels(struct write_job *j, const struct import_piece *p, struct px_sha256 *sha,
                        bool is_caller, struct px_err *err)
{
    uint32_t n_in = (uint32_t)p->dims[0], n_out = (uint32_t)p->dims[1];
    uint64_t each = panel_bytes(p->type, n_in), at = p->offset;
    uint32_t n = (n_out + PANEL_OUTPUTS - 1) / PANEL_OUTPUTS;
    uint32_t step = each < PIECE_BYTES ? (uint32_t)(PIECE_BYTES / each) : 1;
    PX_FREE void *buf = px_xmalloc((size_t)(step * each));
    for (uint32_t first = 0; first < n; first += step) {
        uint32_t last = n - first < step ? n : first + step;
        panels_pack(p->type, p->data, n_in, n_out, first, last, buf);
        if (put_bytes(j, sha, buf, (last - first) * each, at, is_caller, err) != 0)
            return -1;
        at += (last - first) * each;
    }
    return 0;
}

static int write_plain(struct write_job *j, const struct import_piece *p, struct px_sha256 *sha,
                       bool is_caller, struct px_err *err)
{
    for (uint64_t at = 0; at < p->bytes; at += PIECE_BYTES) {
        uint64_t n = p->bytes - at < PIECE_BYTES ? p->bytes - at : PIECE_BYTES;
        if (put_bytes(j, sha, (const uint8_t *)p->data + at, n, p->offset + at, is_caller, err))
            return -1;
    }
    return 0;
}

static void write_pieces(struct write_job *j, bool is_caller)
{
    struct px_err err = {0};
    uint32_t i;
    while (!atomic_load(&j->failed) && (i = atomic_fetch_add(&j->next, 1)) < j->l->n_pieces) {
        struct import_piece *p = &j->l->pieces[j->order[i]];
        struct px_sha256 *sha = px_sha256_new();
        int rc = p->in_panels ? write_panels(j, p, sha, is_caller, &err)
                              : write_plain(j, p, sha, is_caller, &err);
        p->digest = px_sha256_end(&sha);
        if (rc != 0 && !atomic_exchange(&j->failed, true))
            j->err = err;
    }
}

static void *write_thread(void *arg)
{
    write_pieces(arg, false);
    return NULL;
}

static int larger_first(const void *a, const void *b, void *ctx)
{
    const struct import_piece *p = ctx;
    uint64_t x = p[*(const uint32_t *)a].bytes, y = p[*(const uint32_t *)b].bytes;
    return (x < y) - (x > y);
}

int import_write_data(struct import_layout *l, int fd, uint32_t threads,
                      void (*progress)(void *ctx, uint64_t done), void *ctx, struct px_err *err)
{
    pthread_t others[MAX_THREADS];
    uint32_t n = 0;
    struct write_job j = {.l = l, .fd = fd, .progress = progress, .ctx = ctx};
    PX_FREE uint32_t *order = px_xcalloc(l->n_pieces, sizeof *order);
    for (uint32_t i = 0; i < l->n_pieces; i++)
        order[i] = i;
    qsort_r(order, l->n_pieces, sizeof *order, larger_first, l->pieces);
    j.order = order;
    /* A thread that cannot be had is done without. */
    while (n + 1 < threads && n < MAX_THREADS &&
           pthread_create(&others[n], NULL, write_thread, &j) == 0)
        n++;
    write_pieces(&j, true);
    for (uint32_t i = 0; i < n; i++)
        pthread_join(others[i], NULL);
    if (!atomic_load(&j.failed))
        return 0;
    if (err)
        *err = j.err;
    return -1;
}

int import_write_head(const struct import_layout *l, int fd, struct px_err *err)
{
    const uint64_t n = ((uint64_t)l->n_pieces + 1) * PX_DIGEST_SIZE;
    PX_FREE uint8_t *sums = px_xmalloc((size_t)n);
    for (uint32_t i = 0; i < l->n_pieces; i++)
        memcpy(sums + ((size_t)i + 1) * PX_DIGEST_SIZE, l->pieces[i].digest.b, PX_DIGEST_SIZE);
    struct px_digest head =
        imported_head_digest(l->head.data, l->head.len, sums + PX_DIGEST_SIZE, n - PX_DIGEST_SIZE);
    memcpy(sums, head.b, PX_DIGEST_SIZE);
    return write_at(fd, l->head.data, l->head.len, 0, err) != 0 ||
                   write_at(fd, sums, n, l->checksums_at, err) != 0
               ? -1
               : 0;
}
