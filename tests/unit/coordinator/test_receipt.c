/* test_receipt.c - receipts: what goes in comes out, shared heads are stored once, damage is told
 * from presence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "coordinator/store/receipt.h"
#include "proto/accident.h"
#include "proto/mem.h"
#include "scratch_store.h"

/* n tokens; those from `differs` on depend on which. */
static struct receipt make(uint32_t n, uint32_t differs, uint32_t which)
{
    static char template[] = "qwen3";
    struct receipt r = {.accidents = ACCIDENT_DOUBLE_BOS,
                        .template = template,
                        .bos = true,
                        .n_cut = 3,
                        .n_tokens = n,
                        .n_prompt = n / 2};
    r.tokens = px_xcalloc(n + 1, sizeof *r.tokens);
    for (uint32_t i = 0; i < n; i++)
        r.tokens[i] = i < differs ? i * 7 : i * 7 + which + 1;
    memset(r.text.b, 9, sizeof r.text.b);
    return r;
}

static void put(struct receipt *r, uint8_t key)
{
    struct px_digest d = {{key}};
    struct store_batch *b = store_batch_new();
    receipt_put(b, &d, r);
    assert_int_equal(store_commit(s, b, NULL), 0);
}

static void check(const struct receipt *r, uint8_t key)
{
    struct px_digest d = {{key}};
    struct receipt back;
    struct store_view *v = store_view_begin(s, NULL);
    assert_int_equal(receipt_get(v, &d, true, &back), 1);
    assert_int_equal(back.accidents, r->accidents);
    assert_string_equal(back.template, r->template);
    assert_true(back.bos && back.n_cut == r->n_cut && back.n_prompt == r->n_prompt);
    assert_true(px_digest_eq(&back.text, &r->text));
    assert_int_equal(back.n_tokens, r->n_tokens);
    assert_memory_equal(back.tokens, r->tokens, r->n_tokens * sizeof *r->tokens);
    receipt_clear(&back);
    assert_int_equal(receipt_get(v, &d, false, &back), 1);
    assert_null(back.tokens);
    assert_int_equal(back.n_tokens, r->n_tokens);
    receipt_clear(&back);
    store_view_end(&v);
}

static void receipts_of_any_length_come_back(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, RECEIPT_BLOCK - 1, RECEIPT_BLOCK, 3 * RECEIPT_BLOCK + 5};
    for (uint8_t i = 0; i < 4; i++) {
        struct receipt r = make(lengths[i], lengths[i], 0);
        put(&r, i + 1);
        check(&r, i + 1);
        free(r.tokens);
    }
}

static uint64_t n_stored(void)
{
    struct store_view *v = store_view_begin(s, NULL);
    uint64_t n = store_view_count(v, STORE_RECEIPT);
    store_view_end(&v);
    return n;
}

static void a_shared_head_is_stored_once(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 5; i++) {
        struct receipt r = make(4 * RECEIPT_BLOCK + 10, 4 * RECEIPT_BLOCK, i);
        put(&r, i + 1);
        check(&r, i + 1);
        free(r.tokens);
    }
    assert_int_equal(n_stored(), 5 + 4);
}

static void without_a_block_there_is_no_receipt(void **state)
{
    (void)state;
    struct receipt r = make(2 * RECEIPT_BLOCK, 2 * RECEIPT_BLOCK, 0), back;
    struct px_digest d = {{1}}, other = {{2}};
    put(&r, 1);
    struct px_hash *h = px_hash_new("proctor tokens 1");
    px_hash_field(h, r.tokens, RECEIPT_BLOCK * sizeof *r.tokens);
    struct px_digest block = px_hash_end(&h);
    struct store_batch *b = store_batch_new();
    store_batch_del(b, STORE_RECEIPT, block.b, sizeof block.b);
    assert_int_equal(store_commit(s, b, NULL), 0);
    struct store_view *v = store_view_begin(s, NULL);
    assert_int_equal(receipt_get(v, &d, true, &back), 0);
    assert_int_equal(receipt_get(v, &other, true, &back), 0);
    assert_int_equal(receipt_get(v, &d, false, &back), 1); /* the head alone is whole */
    receipt_clear(&back);
    store_view_end(&v);
    free(r.tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(receipts_of_any_length_come_back, open_store, close_store),
        cmocka_unit_test_setup_teardown(a_shared_head_is_stored_once, open_store, close_store),
        cmocka_unit_test_setup_teardown(without_a_block_there_is_no_receipt, open_store,
                                        close_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
