/* kv.h - the keys and values of the past, in pages that sequences may share.
 *
 * A page holds KV_PAGE positions of every layer, in blocks [layer][k or v][kv head] of KV_PAGE
 * rows. A block is [position][head_dim] in F32 or F16; Q8_0 has signed bytes there, and behind all
 * of them [position][head_dim / 32] half-precision scales. A sequence is a list of pages; pages are
 * counted, so the choices of one question share their context's pages, and a page that others also
 * hold is copied before it is written. The pool's memory is reserved at once but only touched when
 * used. One thread changes it; while a forward pass runs, its threads write distinct positions of
 * pages they own. */
#ifndef WORKER_ENGINE_KV_H
#define WORKER_ENGINE_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/model/config.h"
#include "proto/unit.h"
#include "worker/engine/kernels.h"

enum { KV_PAGE = 32 }; /* positions; part of the numerics contract: see docs/numerics.md */

struct kv_pool;

struct kv_seq {
    uint32_t *pages; /* page ids in order of position */
    uint32_t n_pages;
    uint32_t cap_pages;
};

uint64_t kv_page_bytes(const struct model_config *c, enum kv_type type);

/* A pool of at most n_pages pages (n_pages >= 1). NULL with err when model_kv_check refuses, or
 * PX_ELIMIT when the address space cannot hold it. */
struct kv_pool *kv_pool_new(const struct model_config *c, enum kv_type type, uint32_t n_pages,
                            struct px_err *err);
void kv_pool_free(struct kv_pool **p);
uint32_t kv_pool_pages(const struct kv_pool *p);
uint32_t kv_pool_used(const struct kv_pool *p);
uint32_t kv_pool_unused(const struct kv_pool *p); /* pages that may still be taken */
enum kv_type kv_pool_type(const struct kv_pool *p);

void kv_seq_init(struct kv_seq *s);
/* Makes positions [from, to) writable: adds pages, copies a shared page that holds `from`.
 * False when the pool is exhausted (the sequence keeps what it had). from <= what it has. */
bool kv_seq_extend(struct kv_pool *p, struct kv_seq *s, uint32_t from, uint32_t to) PX_MUST_CHECK;
/* out, which must be empty, shares the pages of the first n positions of s. */
void kv_seq_fork(struct kv_pool *p, const struct kv_seq *s, uint32_t n, struct kv_seq *out);
void kv_seq_clear(struct kv_pool *p, struct kv_seq *s);

/* Appends a page that somebody else holds as well; s counts as one more holder. */
void kv_seq_share(struct kv_pool *p, struct kv_seq *s, uint32_t page);

/* Pages for n positions. */
uint32_t kv_pages_for(uint32_t n);

/* Single pages, for who keeps them beyond a sequence (prefix_tree.h). Taken: one holder; false
 * when the pool is exhausted. A page goes back to the pool with its last holder. */
bool kv_page_take(struct kv_pool *p, uint32_t *page) PX_MUST_CHECK;
void kv_page_hold(struct kv_pool *p, uint32_t page);
void kv_page_drop(struct kv_pool *p, uint32_t page);
/* All positions of a page; `to` has no other holder that reads it. */
void kv_page_copy(struct kv_pool *p, uint32_t from, uint32_t to);

/* One block of a page; `is_v` picks the values. */
void *kv_block(const struct kv_pool *p, uint32_t page, uint32_t layer, bool is_v, uint32_t kv_head);

size_t kv_block_bytes(const struct kv_pool *p);
/* The block's first n rows as floats [n][head_dim], exactly: in place where they are F32, otherwise
 * out, which has room for them. */
const float *kv_block_floats(const struct kv_pool *p, const struct kernels *kn, const void *block,
                             uint32_t n, float *out);

/* Rounds one position's keys and values [n_kv_heads][head_dim] to the pool's type and stores
 * them. The position must be writable. */
void kv_store(struct kv_pool *p, const struct kernels *kn, const struct kv_seq *s, uint32_t layer,
              uint32_t pos, const float *k, const float *v);

#endif
