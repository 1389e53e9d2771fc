/* receipt.c - receipts as records: a head with block digests and the tokens behind the last block.
 */
#include "coordinator/store/receipt.h"

#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/mem.h"

enum { TAG = 'R', LAYOUT = 1 };

void receipt_clear(struct receipt *r)
{
    free(r->template);
    free(r->tokens);
    memset(r, 0, sizeof *r);
}

static struct px_digest block_digest(const uint32_t *tokens)
{
    struct px_hash *h = px_hash_new("proctor tokens 1");
    px_hash_field(h, tokens, RECEIPT_BLOCK * sizeof *tokens);
    return px_hash_end(&h);
}

void receipt_put(struct store_batch *b, const struct px_digest *content, const struct receipt *r)
{
    struct px_buf head, block;
    uint32_t n_blocks = r->n_tokens / RECEIPT_BLOCK;
    px_buf_init(&head, 64u << 20);
    px_buf_init(&block, 1 << 16);
    px_buf_u8(&head, TAG);
    px_buf_u8(&head, LAYOUT);
    px_buf_u32(&head, r->accidents);
    px_buf_cstr(&head, r->template);
    px_buf_u8(&head, r->bos);
    px_buf_u32(&head, r->n_cut);
    codec_put_digest(&head, &r->text);
    px_buf_u32(&head, r->n_prompt);
    px_buf_u32(&head, n_blocks);
    for (uint32_t i = 0; i < n_blocks; i++) {
        const uint32_t *t = r->tokens + (size_t)i * RECEIPT_BLOCK;
        struct px_digest d = block_digest(t);
        codec_put_digest(&head, &d);
        px_buf_reset(&block);
        codec_put_u32s(&block, t, RECEIPT_BLOCK);
        store_batch_put_new(b, STORE_RECEIPT, d.b, sizeof d.b, block.data, block.len);
    }
    codec_put_u32s(&head, r->n_tokens ? r->tokens + (size_t)n_blocks * RECEIPT_BLOCK : NULL,
                   r->n_tokens % RECEIPT_BLOCK);
    store_batch_put_new(b, STORE_RECEIPT, content->b, sizeof content->b, head.data, head.len);
    px_buf_clear(&head);
    px_buf_clear(&block);
}

/* Appends a stored block; false when it is absent or damaged. */
static bool add_block(struct store_view *v, const struct px_digest *d, struct receipt *out)
{
    const void *val;
    size_t n;
    struct px_reader r;
    uint32_t n_ids;
    if (!store_view_get(v, STORE_RECEIPT, d->b, sizeof d->b, &val, &n))
        return false;
    px_reader_init(&r, val, n);
    PX_FREE uint32_t *ids = codec_get_u32s(&r, &n_ids);
    if (!px_reader_end(&r) || n_ids != RECEIPT_BLOCK)
        return false;
    memcpy(out->tokens + out->n_tokens, ids, sizeof *ids * RECEIPT_BLOCK);
    out->n_tokens += RECEIPT_BLOCK;
    return true;
}

static bool read_tokens(struct store_view *v, struct px_reader *r, bool tokens, struct receipt *out)
{
    uint32_t n_blocks = codec_get_count(r, PX_DIGEST_SIZE), n_tail;
    out->tokens =
        tokens ? px_xcalloc((size_t)(n_blocks + 1) * RECEIPT_BLOCK, sizeof(uint32_t)) : NULL;
    bool whole = true;
    for (uint32_t i = 0; i < n_blocks; i++) {
        struct px_digest d = codec_get_digest(r);
        whole = whole && (!tokens || add_block(v, &d, out));
    }
    PX_FREE uint32_t *tail = codec_get_u32s(r, &n_tail);
    if (!px_reader_end(r) || n_tail >= RECEIPT_BLOCK || !whole)
        return false;
    if (tokens && n_tail)
        memcpy(out->tokens + out->n_tokens, tail, n_tail * sizeof *tail);
    out->n_tokens = tokens ? out->n_tokens + n_tail : n_blocks * RECEIPT_BLOCK + n_tail;
    return out->n_prompt <= out->n_tokens;
}

int receipt_get(struct store_view *v, const struct px_digest *content, bool tokens,
                struct receipt *out)
{
    const void *val;
    size_t n;
    struct px_reader r;
    if (!store_view_get(v, STORE_RECEIPT, content->b, sizeof content->b, &val, &n))
        return 0;
    px_reader_init(&r, val, n);
    if (px_get_u8(&r) != TAG || px_get_u8(&r) != LAYOUT)
        return 0;
    struct receipt got = {.accidents = px_get_u32(&r)};
    got.template = codec_get_text(&r);
    got.bos = codec_get_bool(&r);
    got.n_cut = px_get_u32(&r);
    got.text = codec_get_digest(&r);
    got.n_prompt = px_get_u32(&r);
    if (!read_tokens(v, &r, tokens, &got)) {
        receipt_clear(&got);
        return 0;
    }
    *out = got;
    return 1;
}
