/* import_layout.h - what an imported file will hold and where, and its bytes (internal). */
#ifndef WORKER_STAGE_IMPORT_LAYOUT_H
#define WORKER_STAGE_IMPORT_LAYOUT_H

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/model/gguf.h"

/* One tensor of the new file. */
struct import_piece {
    char name[72];
    enum ggml_type type;
    uint32_t n_dims;
    uint64_t dims[4];
    const void *data; /* in the source's form */
    bool in_panels;   /* in the new file */
    uint64_t offset;  /* in the new file */
    uint64_t bytes;
    struct px_digest digest; /* of the bytes written; filled by import_write_data */
};

struct import_layout {
    struct px_buf head;          /* up to the end of the tensor descriptions */
    struct px_buf vocabulary;    /* the tokenizer's image */
    struct import_piece *pieces; /* the source's tensors, then the vocabulary */
    uint32_t n_pieces;
    uint64_t checksums_at; /* where the checksums go: 32 bytes for the head, 32 for each piece */
    uint64_t bytes;        /* of the whole file */
};

/* Plans the imported form of g, whose digest is `source`. The layout borrows from g. */
int import_layout_make(const struct gguf *g, const struct px_digest *source,
                       struct import_layout *out, struct px_err *err) PX_MUST_CHECK;
void import_layout_clear(struct import_layout *l);

/* Writes all pieces to their places, from `threads` threads, and fills in their digests. progress
 * (may be NULL) is called by the calling thread with the bytes written so far. */
int import_write_data(struct import_layout *l, int fd, uint32_t threads,
                      void (*progress)(void *ctx, uint64_t done), void *ctx,
                      struct px_err *err) PX_MUST_CHECK;
/* Writes the head and the checksums; the pieces' digests are there. */
int import_write_head(const struct import_layout *l, int fd, struct px_err *err) PX_MUST_CHECK;

#endif
