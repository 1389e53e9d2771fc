/* prefix_tree.h - heads that were computed once: pages of keys and values found by their tokens.
 *
 * One tree belongs to one pool, so to one model and one KV type. A node is a page and the tokens
 * of its positions; its parent is the page before it. Nodes are found by a hash chained from the
 * root and then verified token by token, so a page stands for the tokens of its whole prefix and
 * never for a hash.
 *
 * Whoever starts a sequence *opens* a path: its head's full pages, those that are there and new
 * ones that it promises to compute. Others find these too and wait for them instead of computing
 * the same again; when a promise is broken (cancelled), the next one that needs the page takes it
 * over. What follows the full pages is a *tail*: a page that its sequence goes on writing, of
 * which others may copy the positions that are there.
 *
 * Pages of open paths stay. The others are kept, least recently used first out, until their memory
 * is wanted. Only positions computed in the plain way are ever entered: under layer reuse that is
 * the prompt. One thread. */
#ifndef WORKER_ENGINE_PREFIX_TREE_H
#define WORKER_ENGINE_PREFIX_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/engine/kv.h"

struct prefix_tree;
struct prefix_node;

struct prefix_path {
    struct prefix_node **nodes; /* in order of position; node i holds page i */
    uint32_t n, cap;
};

/* kv is borrowed for its life. */
struct prefix_tree *prefix_tree_new(struct kv_pool *kv);
void prefix_tree_free(struct prefix_tree **t);           /* no path or tail is open */
uint32_t prefix_open_pages(const struct prefix_tree *t); /* that open paths hold */
uint32_t prefix_idle_pages(const struct prefix_tree *t); /* that could be given up */

/* Gives up idle pages, the least recently used first, until the pool can hand out n pages. False
 * when it cannot. */
bool prefix_make_room(struct prefix_tree *t, uint32_t n);

/* kv_seq_extend, with idle pages given up for it; the pool must have room then. */
void prefix_extend(struct prefix_tree *t, struct kv_seq *seq, uint32_t from, uint32_t to);

/* Of the full pages of tokens[0 .. n_pages * KV_PAGE): how many are there already, and how many
 * some open path holds, so that opening them takes no memory from anybody. */
uint32_t prefix_count(const struct prefix_tree *t, const uint32_t *tokens, uint32_t n_pages);
uint32_t prefix_count_open(const struct prefix_tree *t, const uint32_t *tokens, uint32_t n_pages);

/* Opens the path of these pages; new ones are owner's to compute. The pool must have room for
 * them. *out was empty. */
void prefix_open(struct prefix_tree *t, const uint32_t *tokens, uint32_t n_pages, const void *owner,
                 struct prefix_path *out);
/* Lets go: the latest page first, so that a page is never given up before what follows it. */
void prefix_close(struct prefix_tree *t, struct prefix_path *path, const void *owner);
uint32_t prefix_page(const struct prefix_node *node);

/* The page after `parent` (NULL: the first) that owner's sequence writes itself; n <= KV_PAGE
 * tokens of it are known and none computed. The tree does not hold the page. */
struct prefix_node *prefix_tail_open(struct prefix_tree *t, struct prefix_node *parent,
                                     const uint32_t *tokens, uint32_t n, uint32_t page,
                                     const void *owner);
void prefix_tail_close(struct prefix_tree *t, struct prefix_node **tail);

/* ---- computing ---- */

/* A pass begins: what was entered as computed before is readable now. */
void prefix_begin_pass(struct prefix_tree *t);
/* Positions of the node that are computed, in this pass or before it. A row of this pass may attend
 * to them. */
uint32_t prefix_computed(const struct prefix_node *node);
/* True when owner has to compute the rest of the node, because it promised or nobody else does. */
bool prefix_claim(struct prefix_node *node, const void *owner);
/* The owner's present pass computes the node's positions below n. */
void prefix_advance(struct prefix_tree *t, struct prefix_node *node, uint32_t n);

/* The page of `node`, of which nothing is computed: copies the most positions (n at most) that
 * another page after the same parent has in common with it, and enters them as computed. Returns
 * how many. *wait when somebody is about to compute so many more that asking again pays. */
uint32_t prefix_borrow(struct prefix_tree *t, struct prefix_node *node, uint32_t n, bool *wait);

/* Everything is computed: enters the pages after the path, tokens[0 .. n) of them, and adds them to
 * the path. pages [n / KV_PAGE + 1] are their pages, which the tree holds from now on as well. */
void prefix_keep(struct prefix_tree *t, struct prefix_path *path, const uint32_t *tokens,
                 uint32_t n, const uint32_t *pages);

#endif
