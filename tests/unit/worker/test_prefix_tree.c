/* test_prefix_tree.c - the tree against a plain model of it over random histories; borrowing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mem.h"
#include "worker/engine/prefix_tree.h"

static const struct model_config shape = {
    .n_layers = 1, .n_kv_heads = 1, .head_dim = 2, .n_embd = 2, .n_heads = 1};

/* What a page holds in these tests: the value of every position's first key. */
static float *cell(struct kv_pool *kv, uint32_t page, uint32_t i)
{
    return (float *)kv_block(kv, page, 0, false, 0) + 2 * i;
}

/* ---- random histories ---- */

/* Pages are of three kinds, heads at most DEPTH pages long: every head has a number. */
enum { KINDS = 3, DEPTH = 4, HEADS = 121, SLOTS = 5, POOL = 9, EVENTS = 200000 };

struct entry {
    bool exists, computed;
    uint32_t users;
    int owner; /* slot, -1: nobody */
    uint64_t closed;
};

struct world {
    struct kv_pool *kv;
    struct prefix_tree *tree;
    struct entry entries[HEADS];
    struct {
        struct prefix_path path;
        uint32_t heads[DEPTH], n; /* its heads, shortest first */
        uint32_t n_done;
    } slots[SLOTS];
    uint32_t n_open, n_idle; /* by the model */
    uint64_t clock, random, evictions, shared, taken_over;
};

static uint32_t draw(struct world *w, uint32_t n)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % n;
}

static const void *owner_of(const struct world *w, int slot)
{
    return &w->slots[slot];
}

static void model_evict(struct world *w)
{
    uint32_t oldest = HEADS;
    for (uint32_t i = 0; i < HEADS; i++)
        if (w->entries[i].exists && w->entries[i].users == 0 &&
            (oldest == HEADS || w->entries[i].closed < w->entries[oldest].closed))
            oldest = i;
    assert_true(oldest < HEADS);
    w->entries[oldest].exists = false;
    w->n_idle--;
    w->evictions++;
}

static void open_slot(struct world *w, int slot)
{
    uint32_t tokens[DEPTH * KV_PAGE], heads[DEPTH], n = 1 + draw(w, DEPTH), head = 0, there = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t kind = draw(w, KINDS);
        head = head * KINDS + 1 + kind;
        heads[i] = head;
        for (uint32_t j = 0; j < KV_PAGE; j++)
            tokens[i * KV_PAGE + j] = 100 * kind + j;
        there += there == i && w->entries[head].exists && w->entries[head].users;
    }
    assert_int_equal(prefix_count_open(w->tree, tokens, n), there);
    if (w->n_open + n - there > POOL)
        return;
    prefix_open(w->tree, tokens, n, owner_of(w, slot), &w->slots[slot].path);
    for (uint32_t i = 0; i < n; i++) {
        struct entry *e = &w->entries[heads[i]];
        bool existed = e->exists;
        if (!existed) {
            while (w->n_open + w->n_idle == POOL)
                model_evict(w);
            *e = (struct entry){.exists = true, .owner = slot};
        }
        if (e->users++ == 0) {
            w->n_open++;
            w->n_idle -= existed;
        }
        w->shared += existed;
        struct prefix_node *node = w->slots[slot].path.nodes[i];
        assert_int_equal(prefix_computed(node), e->computed ? KV_PAGE : 0);
        if (e->computed)
            assert_true(*cell(w->kv, prefix_page(node), 7) == (float)heads[i]);
        w->slots[slot].heads[i] = heads[i];
    }
    w->slots[slot].n = n;
    w->slots[slot].n_done = 0;
}

/* One page further: computed by the slot itself, taken from others, or waited for. */
static void work(struct world *w, int slot)
{
    uint32_t i = w->slots[slot].n_done;
    if (i == w->slots[slot].n)
        return;
    struct prefix_node *node = w->slots[slot].path.nodes[i];
    struct entry *e = &w->entries[w->slots[slot].heads[i]];
    if (!e->computed && e->owner == -1) {
        e->owner = slot;
        w->taken_over++;
    }
    bool is_mine = !e->computed && e->owner == slot;
    assert_int_equal(prefix_claim(node, owner_of(w, slot)), is_mine);
    if (!is_mine && !e->computed)
        return;
    if (is_mine) {
        prefix_begin_pass(w->tree);
        for (uint32_t j = 0; j < KV_PAGE; j++)
            *cell(w->kv, prefix_page(node), j) = (float)w->slots[slot].heads[i];
        prefix_advance(w->tree, node, KV_PAGE);
        e->computed = true;
        e->owner = -1;
    }
    w->slots[slot].n_done++;
}

static void close_slot(struct world *w, int slot)
{
    prefix_close(w->tree, &w->slots[slot].path, owner_of(w, slot));
    while (w->slots[slot].n) {
        struct entry *e = &w->entries[w->slots[slot].heads[--w->slots[slot].n]];
        if (e->owner == slot)
            e->owner = -1;
        if (--e->users)
            continue;
        w->n_open--;
        e->exists = e->computed;
        e->closed = ++w->clock;
        w->n_idle += e->computed;
    }
}

static void random_histories_agree_with_the_model(void **state)
{
    struct world *w = px_xcalloc(1, sizeof *w);
    (void)state;
    w->kv = kv_pool_new(&shape, KV_F32, POOL, NULL);
    w->tree = prefix_tree_new(w->kv);
    w->random = 42;
    for (uint32_t event = 0; event < EVENTS; event++) {
        int slot = (int)draw(w, SLOTS);
        if (w->slots[slot].n == 0)
            open_slot(w, slot);
        else if (draw(w, 6) == 0)
            close_slot(w, slot);
        else
            work(w, slot);
        assert_int_equal(prefix_open_pages(w->tree), w->n_open);
        assert_int_equal(prefix_idle_pages(w->tree), w->n_idle);
        assert_int_equal(kv_pool_used(w->kv), w->n_open + w->n_idle);
    }
    assert_true(w->evictions > 100 && w->shared > 1000 && w->taken_over > 100);
    for (int i = 0; i < SLOTS; i++)
        close_slot(w, i);
    assert_int_equal(prefix_open_pages(w->tree), 0);
    prefix_tree_free(&w->tree);
    assert_int_equal(kv_pool_used(w->kv), 0);
    kv_pool_free(&w->kv);
    free(w);
}

/* ---- parts of pages ---- */

struct fixture {
    struct kv_pool *kv;
    struct prefix_tree *tree;
    uint32_t tokens[3 * KV_PAGE];
    int a, b, c; /* owners */
};

static void setup(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->kv = kv_pool_new(&shape, KV_F32, 8, NULL);
    f->tree = prefix_tree_new(f->kv);
    for (uint32_t i = 0; i < 3 * KV_PAGE; i++)
        f->tokens[i] = i;
    prefix_begin_pass(f->tree);
}

static void teardown(struct fixture *f)
{
    prefix_tree_free(&f->tree);
    assert_int_equal(kv_pool_used(f->kv), 0);
    kv_pool_free(&f->kv);
}

static void compute(struct fixture *f, struct prefix_node *node, uint32_t n, float base)
{
    for (uint32_t i = 0; i < n; i++)
        *cell(f->kv, prefix_page(node), i) = base + (float)i;
    prefix_advance(f->tree, node, n);
}

static void positions_in_common_are_copied_once_they_are_there(void **state)
{
    struct fixture f;
    struct prefix_path a = {0}, b = {0}, c = {0};
    bool wait;
    (void)state;
    setup(&f);
    prefix_open(f.tree, f.tokens, 1, &f.a, &a);
    f.tokens[20] = 999;
    prefix_open(f.tree, f.tokens, 1, &f.b, &b);
    assert_int_equal(prefix_borrow(f.tree, a.nodes[0], KV_PAGE, &wait), 0);
    assert_false(wait); /* for a younger one: it waits for us */
    compute(&f, a.nodes[0], 12, 100);
    assert_int_equal(prefix_borrow(f.tree, b.nodes[0], KV_PAGE, &wait), 0);
    assert_true(wait); /* computed in this pass: nothing to read yet */
    prefix_begin_pass(f.tree);
    assert_int_equal(prefix_borrow(f.tree, b.nodes[0], KV_PAGE, &wait), 0);
    assert_true(wait); /* 12 are there, 8 more come */
    compute(&f, a.nodes[0], KV_PAGE, 100);
    prefix_begin_pass(f.tree);
    assert_int_equal(prefix_borrow(f.tree, b.nodes[0], KV_PAGE, &wait), 20);
    assert_false(wait);
    assert_int_equal(prefix_computed(b.nodes[0]), 20);
    assert_true(*cell(f.kv, prefix_page(b.nodes[0]), 19) == 119);
    assert_true(prefix_page(a.nodes[0]) != prefix_page(b.nodes[0]));
    f.tokens[3] = 5; /* three in common are not worth it */
    prefix_open(f.tree, f.tokens, 1, &f.c, &c);
    assert_int_equal(prefix_borrow(f.tree, c.nodes[0], KV_PAGE, &wait), 0);
    assert_false(wait);
    prefix_close(f.tree, &c, &f.c);
    prefix_close(f.tree, &b, &f.b);
    prefix_close(f.tree, &a, &f.a);
    assert_int_equal(prefix_idle_pages(f.tree), 1); /* a's; the others were never computed */
    teardown(&f);
}

static void a_cancelled_owner_leaves_what_it_computed_to_the_next(void **state)
{
    struct fixture f;
    struct prefix_path a = {0}, b = {0};
    (void)state;
    setup(&f);
    prefix_open(f.tree, f.tokens, 2, &f.a, &a);
    prefix_open(f.tree, f.tokens, 2, &f.b, &b);
    assert_ptr_equal(a.nodes[0], b.nodes[0]);
    compute(&f, a.nodes[0], 10, 0);
    assert_false(prefix_claim(b.nodes[0], &f.b));
    prefix_close(f.tree, &a, &f.a);
    assert_true(prefix_claim(b.nodes[0], &f.b));
    assert_int_equal(prefix_computed(b.nodes[0]), 10);
    assert_true(prefix_claim(b.nodes[1], &f.b));
    prefix_close(f.tree, &b, &f.b);
    assert_int_equal(prefix_idle_pages(f.tree), 0);
    teardown(&f);
}

static void what_a_sequence_leaves_is_found_again(void **state)
{
    struct fixture f;
    struct prefix_path a = {0}, b = {0};
    struct kv_seq s;
    bool wait;
    (void)state;
    setup(&f);
    kv_seq_init(&s);
    assert_true(kv_seq_extend(f.kv, &s, 0, 2 * KV_PAGE + 9));
    struct prefix_node *tail = prefix_tail_open(f.tree, NULL, f.tokens, 20, s.pages[0], &f.a);
    compute(&f, tail, 20, 0);
    for (uint32_t i = 0; i < 2 * KV_PAGE + 9; i++)
        *cell(f.kv, s.pages[i / KV_PAGE], i % KV_PAGE) = (float)i;
    prefix_begin_pass(f.tree);
    prefix_tail_close(f.tree, &tail);
    assert_null(tail);
    prefix_keep(f.tree, &a, f.tokens, 2 * KV_PAGE + 9, s.pages);
    assert_int_equal(a.n, 3);
    prefix_keep(f.tree, &b, f.tokens, 2 * KV_PAGE + 7, s.pages); /* all of it is there already */
    assert_int_equal(b.n, 2);
    prefix_close(f.tree, &b, &f.b);
    prefix_close(f.tree, &a, &f.a);
    kv_seq_clear(f.kv, &s);
    assert_int_equal(prefix_idle_pages(f.tree), 3);
    prefix_open(f.tree, f.tokens, 3, &f.b, &b);
    assert_int_equal(prefix_computed(b.nodes[1]), KV_PAGE);
    assert_int_equal(prefix_computed(b.nodes[2]), 0);
    assert_int_equal(prefix_borrow(f.tree, b.nodes[2], KV_PAGE, &wait), 9);
    assert_true(*cell(f.kv, prefix_page(b.nodes[2]), 8) == 2 * KV_PAGE + 8);
    assert_true(prefix_make_room(f.tree, 5)); /* the page that was copied from goes */
    assert_false(prefix_make_room(f.tree, 6));
    prefix_close(f.tree, &b, &f.b);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_the_model),
        cmocka_unit_test(positions_in_common_are_copied_once_they_are_there),
        cmocka_unit_test(a_cancelled_owner_leaves_what_it_computed_to_the_next),
        cmocka_unit_test(what_a_sequence_leaves_is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
