/* prefix_tree.c - the tree of prefix_tree.h: nodes, a hash over them, a list of idle ones.
 *
 * Invariants. A node with users has an ancestor chain with users. An idle node is in the list of
 * idle ones, behind its parent (nearer to being given up), because paths are closed from their
 * ends: so the last of the list is always a leaf. Nodes that hold their page are counted by the
 * pool; a tail borrows its page from the sequence that writes it. */
#include "worker/engine/prefix_tree.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

enum {
    LEAST_BORROWED = 4, /* positions: fewer are not worth copying a page */
    WORTH_WAITING = 8,  /* positions more that another one is about to have */
    SIBLINGS_SEEN = 64  /* at most, the latest first */
};

struct prefix_node {
    struct prefix_node *parent;              /* NULL: after nothing */
    struct prefix_node *child, *next, *prev; /* the first child; siblings, the latest first */
    struct prefix_node *chain;               /* of its bucket */
    struct prefix_node *newer, *older;       /* idle nodes */
    uint64_t hash;
    uint32_t page;
    uint32_t users;
    uint32_t n_tokens;
    uint32_t n_computed, n_before; /* positions, and those before pass `pass` */
    uint64_t pass;
    const void *owner; /* that computes it; NULL: nobody, or done */
    bool is_full;      /* all positions, in the hash */
    bool is_held;      /* the tree holds the page */
    uint32_t tokens[KV_PAGE];
};

struct prefix_tree {
    struct kv_pool *kv;
    struct prefix_node **buckets;
    uint32_t mask;
    struct prefix_node *first;           /* child of no parent */
    struct prefix_node *newest, *oldest; /* idle */
    uint32_t n_open, n_idle;             /* held pages */
    uint64_t pass;
};

struct prefix_tree *prefix_tree_new(struct kv_pool *kv)
{
    struct prefix_tree *t = px_xcalloc(1, sizeof *t);
    uint32_t n = 64;
    while (n < kv_pool_pages(kv) && n < 1u << 20)
        n *= 2;
    t->kv = kv;
    t->mask = n - 1;
    t->buckets = px_xcalloc(n, sizeof(struct prefix_node *));
    return t;
}

uint32_t prefix_open_pages(const struct prefix_tree *t)
{
    return t->n_open;
}

uint32_t prefix_idle_pages(const struct prefix_tree *t)
{
    return t->n_idle;
}

uint32_t prefix_page(const struct prefix_node *node)
{
    return node->page;
}

/* ---- nodes ---- */

static uint64_t chain_hash(const struct prefix_node *parent, const uint32_t *tokens)
{
    uint64_t h = parent ? parent->hash : 0;
    for (uint32_t i = 0; i < KV_PAGE; i++) {
        h = (h ^ tokens[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return h;
}

static struct prefix_node *find(const struct prefix_tree *t, const struct prefix_node *parent,
                                const uint32_t *tokens)
{
    uint64_t hash = chain_hash(parent, tokens);
    struct prefix_node *n = t->buckets[hash & t->mask];
    while (n && (n->hash != hash || n->parent != parent ||
                 memcmp(n->tokens, tokens, sizeof n->tokens) != 0))
        n = n->chain;
    return n;
}

static struct prefix_node **siblings(struct prefix_tree *t, struct prefix_node *parent)
{
    return parent ? &parent->child : &t->first;
}

/* A new node with one user, in its parent's list and, when full, in the hash. */
static struct prefix_node *enter(struct prefix_tree *t, struct prefix_node *parent,
                                 const uint32_t *tokens, uint32_t n, bool is_full)
{
    struct prefix_node *node = px_xcalloc(1, sizeof *node);
    struct prefix_node **list = siblings(t, parent);
    node->parent = parent;
    node->users = 1;
    node->n_tokens = n;
    node->is_full = is_full;
    memcpy(node->tokens, tokens, n * sizeof *tokens);
    node->next = *list;
    if (*list)
        (*list)->prev = node;
    *list = node;
    if (is_full) {
        node->hash = chain_hash(parent, tokens);
        node->chain = t->buckets[node->hash & t->mask];
        t->buckets[node->hash & t->mask] = node;
    }
    return node;
}

static void hold(struct prefix_tree *t, struct prefix_node *node, uint32_t page)
{
    node->page = page;
    node->is_held = true;
    t->n_open++;
}

/* Takes a node that nobody uses and that has no children out of everything. */
static void discard(struct prefix_tree *t, struct prefix_node *node)
{
    px_assert(node->child == NULL && node->users == 0);
    if (node->prev)
        node->prev->next = node->next;
    else
        *siblings(t, node->parent) = node->next;
    if (node->next)
        node->next->prev = node->prev;
    if (node->is_full) {
        struct prefix_node **at = &t->buckets[node->hash & t->mask];
        while (*at != node)
            at = &(*at)->chain;
        *at = node->chain;
    }
    if (node->is_held)
        kv_page_drop(t->kv, node->page);
    free(node);
}

/* ---- idle nodes ---- */

static void make_idle(struct prefix_tree *t, struct prefix_node *node)
{
    node->older = t->newest;
    node->newer = NULL;
    if (t->newest)
        t->newest->newer = node;
    else
        t->oldest = node;
    t->newest = node;
    t->n_idle++;
}

static void unlink_idle(struct prefix_tree *t, struct prefix_node *node)
{
    if (node->newer)
        node->newer->older = node->older;
    else
        t->newest = node->older;
    if (node->older)
        node->older->newer = node->newer;
    else
        t->oldest = node->newer;
    t->n_idle--;
}

bool prefix_make_room(struct prefix_tree *t, uint32_t n)
{
    while (kv_pool_unused(t->kv) < n && t->oldest) {
        struct prefix_node *node = t->oldest;
        unlink_idle(t, node);
        discard(t, node);
    }
    return kv_pool_unused(t->kv) >= n;
}

void prefix_extend(struct prefix_tree *t, struct kv_seq *seq, uint32_t from, uint32_t to)
{
    uint32_t new_pages = kv_pages_for(to) - from / KV_PAGE; /* a copy of a shared one included */
    bool has_pages = from >= to || (prefix_make_room(t, new_pages), true);
    has_pages = has_pages && kv_seq_extend(t->kv, seq, from, to);
    px_assert(has_pages);
}

void prefix_tree_free(struct prefix_tree **tp)
{
    struct prefix_tree *t = *tp;
    if (t == NULL)
        return;
    while (t->oldest) {
        struct prefix_node *node = t->oldest;
        unlink_idle(t, node);
        discard(t, node);
    }
    px_assert(t->first == NULL);
    free(t->buckets);
    free(t);
    *tp = NULL;
}

/* ---- paths ---- */

static void use(struct prefix_tree *t, struct prefix_node *node)
{
    if (node->users++ == 0) {
        unlink_idle(t, node);
        t->n_open++;
    }
}

/* One user less. What was never computed is of no use to anybody; what is half computed waits
 * for one of the others to take it over. */
static void let_go(struct prefix_tree *t, struct prefix_node *node, const void *owner)
{
    if (node->owner == owner)
        node->owner = NULL;
    if (--node->users)
        return;
    t->n_open--;
    if (node->n_computed < node->n_tokens)
        discard(t, node);
    else
        make_idle(t, node);
}

static void append(struct prefix_path *path, struct prefix_node *node)
{
    PX_GROW(path->nodes, path->n, path->cap);
    path->nodes[path->n++] = node;
}

uint32_t prefix_count(const struct prefix_tree *t, const uint32_t *tokens, uint32_t n_pages)
{
    struct prefix_node *parent = NULL;
    uint32_t n = 0;
    while (n < n_pages && (parent = find(t, parent, tokens + (size_t)n * KV_PAGE)) != NULL)
        n++;
    return n;
}

uint32_t prefix_count_open(const struct prefix_tree *t, const uint32_t *tokens, uint32_t n_pages)
{
    struct prefix_node *parent = NULL;
    uint32_t n = 0;
    for (; n < n_pages; n++) {
        parent = find(t, parent, tokens + (size_t)n * KV_PAGE);
        if (parent == NULL || parent->users == 0)
            break;
    }
    return n;
}

void prefix_open(struct prefix_tree *t, const uint32_t *tokens, uint32_t n_pages, const void *owner,
                 struct prefix_path *out)
{
    struct prefix_node *parent = NULL, *node;
    uint32_t page;
    px_assert(out->n == 0);
    for (uint32_t i = 0; i < n_pages; i++, tokens += KV_PAGE, parent = node) {
        node = find(t, parent, tokens);
        if (node) {
            use(t, node);
        } else {
            bool has_room = prefix_make_room(t, 1) && kv_page_take(t->kv, &page);
            px_assert(has_room); /* the caller saw to it */
            node = enter(t, parent, tokens, KV_PAGE, true);
            node->owner = owner;
            hold(t, node, page);
        }
        append(out, node);
    }
}

void prefix_close(struct prefix_tree *t, struct prefix_path *path, const void *owner)
{
    while (path->n)
        let_go(t, path->nodes[--path->n], owner);
    free(path->nodes);
    *path = (struct prefix_path){0};
}

struct prefix_node *prefix_tail_open(struct prefix_tree *t, struct prefix_node *parent,
                                     const uint32_t *tokens, uint32_t n, uint32_t page,
                                     const void *owner)
{
    struct prefix_node *tail = enter(t, parent, tokens, n, false);
    tail->page = page;
    tail->owner = owner;
    return tail;
}

void prefix_tail_close(struct prefix_tree *t, struct prefix_node **tail)
{
    if (*tail == NULL)
        return;
    (*tail)->users = 0;
    discard(t, *tail);
    *tail = NULL;
}

/* ---- computing ---- */

void prefix_begin_pass(struct prefix_tree *t)
{
    t->pass++;
}

uint32_t prefix_computed(const struct prefix_node *node)
{
    return node->n_computed;
}

bool prefix_claim(struct prefix_node *node, const void *owner)
{
    if (node->owner == NULL && node->n_computed < node->n_tokens)
        node->owner = owner;
    return node->owner == owner;
}

void prefix_advance(struct prefix_tree *t, struct prefix_node *node, uint32_t n)
{
    if (node->pass != t->pass) {
        node->pass = t->pass;
        node->n_before = node->n_computed;
    }
    node->n_computed = n;
    if (n == node->n_tokens && node->is_full)
        node->owner = NULL;
}

/* Positions that can be read before this pass computes anything. */
static uint32_t readable(const struct prefix_tree *t, const struct prefix_node *node)
{
    return node->pass == t->pass ? node->n_before : node->n_computed;
}

static uint32_t in_common(const struct prefix_node *a, const struct prefix_node *b, uint32_t n)
{
    uint32_t i = 0;
    n = a->n_tokens < n ? a->n_tokens : n;
    while (i < n && a->tokens[i] == b->tokens[i])
        i++;
    return i;
}

uint32_t prefix_borrow(struct prefix_tree *t, struct prefix_node *node, uint32_t n, bool *wait)
{
    const struct prefix_node *best = NULL, *s = *siblings(t, node->parent);
    uint32_t now = 0, later = 0;
    bool is_older = false; /* only older ones are waited for, or two would wait for each other */
    for (uint32_t seen = 0; s && seen < SIBLINGS_SEEN; s = s->next, seen++) {
        uint32_t m = s == node ? 0 : in_common(s, node, n), have = readable(t, s);
        is_older = is_older || s == node;
        if (is_older && (s->owner || s->pass == t->pass) && m > later)
            later = m;
        m = m < have ? m : have;
        if (m > now) {
            now = m;
            best = s;
        }
    }
    *wait = later >= now + WORTH_WAITING;
    if (*wait || now < LEAST_BORROWED)
        return 0;
    kv_page_copy(t->kv, best->page, node->page);
    node->n_computed = node->n_before = now;
    if (now == node->n_tokens && node->is_full)
        node->owner = NULL;
    return now;
}

/* Is there a page after parent that begins with these tokens, all computed? */
static bool has_tail(struct prefix_tree *t, struct prefix_node *parent, const uint32_t *tokens,
                     uint32_t n)
{
    const struct prefix_node *s = *siblings(t, parent);
    for (uint32_t seen = 0; s && seen < SIBLINGS_SEEN; s = s->next, seen++)
        if (s->n_tokens >= n && s->n_computed >= n && s->is_held &&
            memcmp(s->tokens, tokens, n * sizeof *tokens) == 0)
            return true;
    return false;
}

void prefix_keep(struct prefix_tree *t, struct prefix_path *path, const uint32_t *tokens,
                 uint32_t n, const uint32_t *pages)
{
    struct prefix_node *parent = path->n ? path->nodes[path->n - 1] : NULL, *node;
    for (; n; tokens += KV_PAGE, pages++, parent = node) {
        uint32_t m = n < KV_PAGE ? n : KV_PAGE;
        bool is_full = m == KV_PAGE;
        node = is_full ? find(t, parent, tokens) : NULL;
        if (node) {
            if (node->n_computed < KV_PAGE)
                return; /* its owner may yet break its promise */
            use(t, node);
        } else {
            if (!is_full && (m < LEAST_BORROWED || has_tail(t, parent, tokens, m)))
                return;
            node = enter(t, parent, tokens, m, is_full);
            node->n_computed = node->n_before = m;
            kv_page_hold(t->kv, *pages);
            hold(t, node, *pages);
        }
        append(path, node);
        n -= m;
    }
}
