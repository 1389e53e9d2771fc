/* kv.c - the page pool of kv.h: one reserved mapping, a stack of free pages, reference counts. */
#include "worker/engine/kv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/mem.h"

struct kv_pool {
    enum kv_type type;
    uint32_t n_pages;
    uint32_t n_kv_heads;
    uint32_t head_dim;
    size_t block_bytes; /* KV_PAGE rows of head_dim values */
    size_t page_bytes;
    size_t map_bytes;
    char *map;
    uint32_t *refs;
    uint32_t *free_stack; /* pages that were used before: their memory is there already */
    uint32_t n_free;
    uint32_t n_fresh; /* pages below were handed out at least once */
    uint32_t n_used;
};

uint64_t kv_page_bytes(const struct model_config *c, enum kv_type type)
{
    return KV_PAGE * model_kv_bytes_per_token(c, type);
}

uint32_t kv_pages_for(uint32_t n)
{
    return n / KV_PAGE + (n % KV_PAGE != 0);
}

struct kv_pool *kv_pool_new(const struct model_config *c, enum kv_type type, uint32_t n_pages,
                            struct px_err *err)
{
    size_t page_bytes = kv_page_bytes(c, type), bytes;
    px_assert(n_pages >= 1);
    if (model_kv_check(c, type, err) != 0)
        return NULL;
    if (__builtin_mul_overflow(page_bytes, (size_t)n_pages, &bytes)) {
        px_fail(err, PX_ELIMIT, "%u KV pages of %zu bytes are more than memory can hold", n_pages,
                page_bytes);
        return NULL;
    }
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        px_fail_errno(err, "cannot reserve %zu bytes for KV pages", bytes);
        return NULL;
    }
    /* Attention reads 4 KB here and 4 KB there. Never more memory than the pool may have. */
    (void)madvise(map, bytes, MADV_HUGEPAGE);
    struct kv_pool *p = px_xcalloc(1, sizeof *p);
    *p = (struct kv_pool){.type = type,
                          .n_pages = n_pages,
                          .n_kv_heads = c->n_kv_heads,
                          .head_dim = c->head_dim,
                          .block_bytes = page_bytes / 2 / c->n_layers / c->n_kv_heads,
                          .page_bytes = page_bytes,
                          .map_bytes = bytes,
                          .map = map};
    p->refs = px_xcalloc(n_pages, sizeof *p->refs);
    p->free_stack = px_xcalloc(n_pages, sizeof *p->free_stack);
    return p;
}

void kv_pool_free(struct kv_pool **pp)
{
    struct kv_pool *p = *pp;
    if (p == NULL)
        return;
    munmap(p->map, p->map_bytes);
    free(p->refs);
    free(p->free_stack);
    free(p);
    *pp = NULL;
}

uint32_t kv_pool_pages(const struct kv_pool *p)
{
    return p->n_pages;
}

uint32_t kv_pool_used(const struct kv_pool *p)
{
    return p->n_used;
}

uint32_t kv_pool_unused(const struct kv_pool *p)
{
    return p->n_pages - p->n_used;
}

enum kv_type kv_pool_type(const struct kv_pool *p)
{
    return p->type;
}

bool kv_page_take(struct kv_pool *p, uint32_t *out)
{
    if (p->n_free)
        *out = p->free_stack[--p->n_free];
    else if (p->n_fresh < p->n_pages)
        *out = p->n_fresh++;
    else
        return false;
    p->refs[*out] = 1;
    p->n_used++;
    return true;
}

void kv_page_drop(struct kv_pool *p, uint32_t page)
{
    px_assert(page < p->n_pages && p->refs[page] > 0);
    if (--p->refs[page])
        return;
    p->free_stack[p->n_free++] = page;
    p->n_used--;
}

void kv_page_hold(struct kv_pool *p, uint32_t page)
{
    px_assert(page < p->n_pages && p->refs[page] > 0);
    p->refs[page]++;
}

void kv_page_copy(struct kv_pool *p, uint32_t from, uint32_t to)
{
    memcpy(p->map + to * p->page_bytes, p->map + from * p->page_bytes, p->page_bytes);
}

void kv_seq_init(struct kv_seq *s)
{
    *s = (struct kv_seq){0};
}

/* The page that holds `from` is about to be written: nobody else may see that. */
static bool own_page(struct kv_pool *p, struct kv_seq *s, uint32_t index)
{
    uint32_t old = s->pages[index], fresh;
    if (p->refs[old] == 1)
        return true;
    if (!kv_page_take(p, &fresh))
        return false;
    kv_page_copy(p, old, fresh);
    s->pages[index] = fresh;
    kv_page_drop(p, old);
    return true;
}

bool kv_seq_extend(struct kv_pool *p, struct kv_seq *s, uint32_t from, uint32_t to)
{
    uint32_t first = from / KV_PAGE, want = kv_pages_for(to), had = s->n_pages;
    px_assert(first <= s->n_pages);
    if (from >= to)
        return true;
    if (first < s->n_pages && !own_page(p, s, first))
        return false;
    while (s->n_pages < want) {
        PX_GROW(s->pages, s->n_pages, s->cap_pages);
        if (!kv_page_take(p, &s->pages[s->n_pages])) {
            while (s->n_pages > had)
                kv_page_drop(p, s->pages[--s->n_pages]);
            return false;
        }
        s->n_pages++;
    }
    return true;
}

void kv_seq_share(struct kv_pool *p, struct kv_seq *s, uint32_t page)
{
    kv_page_hold(p, page);
    PX_GROW(s->pages, s->n_pages, s->cap_pages);
    s->pages[s->n_pages++] = page;
}

void kv_seq_fork(struct kv_pool *p, const struct kv_seq *s, uint32_t n, struct kv_seq *out)
{
    uint32_t pages = kv_pages_for(n);
    px_assert(out->n_pages == 0 && pages <= s->n_pages);
    for (uint32_t i = 0; i < pages; i++)
        kv_seq_share(p, out, s->pages[i]);
}

void kv_seq_clear(struct kv_pool *p, struct kv_seq *s)
{
    for (uint32_t i = 0; i < s->n_pages; i++)
        kv_page_drop(p, s->pages[i]);
    free(s->pages);
    kv_seq_init(s);
}

void *kv_block(const struct kv_pool *p, uint32_t page, uint32_t layer, bool is_v, uint32_t kv_head)
{
    size_t block = ((size_t)layer * 2 + is_v) * p->n_kv_heads + kv_head;
    return p->map + page * p->page_bytes + block * p->block_bytes;
}

size_t kv_block_bytes(const struct kv_pool *p)
{
    return p->block_bytes;
}

/* The scales of a Q8_0 block lie behind its KV_PAGE rows of values. */
static uint16_t *block_scales(const struct kv_pool *p, const void *block)
{
    return (uint16_t *)(void *)((char *)(uintptr_t)block + (size_t)KV_PAGE * p->head_dim);
}

const float *kv_block_floats(const struct kv_pool *p, const struct kernels *kn, const void *block,
                             uint32_t n, float *out)
{
    if (p->type == KV_F32)
        return block;
    if (p->type == KV_F16)
        kn->f16_to_f32(block, out, n * p->head_dim);
    else
        kn->q8_to_f32(block, block_scales(p, block), out, n * p->head_dim);
    return out;
}

static void store_one(struct kv_pool *p, const struct kernels *kn, void *block, uint32_t slot,
                      const float *x)
{
    size_t at = (size_t)slot * p->head_dim;
    if (p->type == KV_F16)
        kn->f32_to_f16(x, (uint16_t *)block + at, p->head_dim);
    else if (p->type == KV_Q8_0)
        kn->f32_to_q8(x, (int8_t *)block + at, block_scales(p, block) + at / KV_Q8_BLOCK,
                      p->head_dim);
    else
        memcpy((float *)block + at, x, p->head_dim * sizeof *x);
}

void kv_store(struct kv_pool *p, const struct kernels *kn, const struct kv_seq *s, uint32_t layer,
              uint32_t pos, const float *k, const float *v)
{
    uint32_t page = s->pages[pos / KV_PAGE], slot = pos % KV_PAGE;
    for (uint32_t h = 0; h < p->n_kv_heads; h++) {
        store_one(p, kn, kv_block(p, page, layer, false, h), slot, k + (size_t)h * p->head_dim);
        store_one(p, kn, kv_block(p, page, layer, true, h), slot, v + (size_t)h * p->head_dim);
    }
}
