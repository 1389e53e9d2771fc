/* math_compare.c - trees of answers, compared by structure and value. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_equal.h"

static bool same(struct math_context *c, struct math_at x, struct math_at y);

static const struct math_node *node(struct math_at x)
{
    return &x.tree->node[x.node];
}

static struct math_at part(struct math_at x, int k)
{
    int n = node(x)->a;
    while (k-- > 0)
        n = x.tree->node[n].next;
    return (struct math_at){x.tree, n, x.sign};
}

static bool is_scalar(struct math_at x)
{
    return node(x)->kind < MATH_LIST;
}

static struct span text_of(struct math_at x)
{
    return (struct span){x.tree->text + node(x)->at, node(x)->length};
}

/* Does a node of this kind occur below x? within: also inside of functions. */
static bool holds(struct math_at x, int kind, bool within)
{
    const struct math_node *n = node(x);
    if (n->kind == kind)
        return true;
    if (n->kind == MATH_FUNC && !within)
        return false;
    if (n->kind >= MATH_LIST) {
        for (int k = n->a; k >= 0; k = x.tree->node[k].next)
            if (holds((struct math_at){x.tree, k, x.sign}, kind, within))
                return true;
        return false;
    }
    return (n->a >= 0 && holds((struct math_at){x.tree, n->a, x.sign}, kind, within)) ||
           (n->b >= 0 && holds((struct math_at){x.tree, n->b, x.sign}, kind, within));
}

/* ---- scalars ---- */

static bool same_numbers(struct math_context *c, struct math_at x, struct math_at y)
{
    for (int point = 0; point < MATH_POINTS; point++) {
        struct math_complex u, v;
        if (!math_number(c, x, point, &u) || !math_number(c, y, point, &v) || !math_c_same(u, v))
            return false;
    }
    return true;
}

static bool same_values(struct math_context *c, struct math_at x, struct math_at y)
{
    for (int prime = 0; prime < MATH_PRIMES; prime++) {
        uint64_t u, v;
        if (!math_residue(c, x, prime, &u) || !math_residue(c, y, prime, &v))
            return same_numbers(c, x, y);
        if (u != v)
            return false;
    }
    return true;
}

/* 45 degrees and pi/4 are the same angle: tried where one side is in degrees and the other in pi.
 */
static bool same_angles(struct math_context *c, struct math_at x, struct math_at y)
{
    bool dx = holds(x, MATH_DEGREE, false), dy = holds(y, MATH_DEGREE, false);
    bool px = holds(x, MATH_PI, false), py = holds(y, MATH_PI, false);
    if (!(dx && !px && py && !dy) && !(dy && !py && px && !dx))
        return false;
    c->radians = true;
    bool yes = same_values(c, x, y);
    c->radians = false;
    return yes;
}

bool math_same_scalar(struct math_context *c, struct math_at x, struct math_at y)
{
    return same_values(c, x, y) || same_angles(c, x, y);
}

/* ---- relations ---- */

static bool all_relations(struct math_at x, unsigned allowed)
{
    for (int k = part(x, 1).node; k >= 0; k = x.tree->node[k].next)
        if ((allowed >> x.tree->node[k].rel & 1) == 0)
            return false;
    return true;
}

static bool only_letters(struct math_at x)
{
    static const uint8_t written[] = {MATH_NUMBER, MATH_FUNC, MATH_BASED, MATH_PI};
    for (size_t i = 0; i < sizeof written; i++)
        if (holds(x, written[i], true))
            return false;
    return is_scalar(x) || node(x)->kind == MATH_TEXT || node(x)->kind == MATH_TUPLE;
}

/* x = 5 -> 5; x in [1, 2] -> [1, 2]; the left side is made of letters (x, f(x), m + n, an area's
 * name). Anything else stays as it is. */
static struct math_at right_side(struct math_at x)
{
    if (node(x)->kind != MATH_RELATION || !only_letters(part(x, 0)))
        return x;
    int n = node(x)->n_parts;
    bool value = all_relations(x, 1U << MATH_EQ) || (n == 2 && all_relations(x, 1U << MATH_IN));
    return value ? part(x, n - 1) : x;
}

/* L - R at an assignment of residues. */
static bool difference(struct math_context *c, struct math_at x, int prime, int assignment,
                       uint64_t *out)
{
    uint64_t u, v;
    c->assignment = assignment;
    bool ok = math_residue(c, part(x, 0), prime, &u) && math_residue(c, part(x, 1), prime, &v);
    c->assignment = 0;
    if (ok)
        *out = math_mod_subtract(u, v, prime);
    return ok;
}

/* Two equations are the same when L - R of one is a constant times L - R of the other. */
static bool same_equation(struct math_context *c, struct math_at x, struct math_at y)
{
    for (int prime = 0; prime < MATH_PRIMES; prime++) {
        uint64_t u[2], v[2];
        for (int k = 0; k < 2; k++)
            if (!difference(c, x, prime, k, &u[k]) || !difference(c, y, prime, k, &v[k]) ||
                u[k] == 0 || v[k] == 0)
                return false;
        if (u[0] == u[1] || math_mod_mul(u[0], v[1], prime) != math_mod_mul(u[1], v[0], prime))
            return false;
    }
    return true;
}

static bool same_parts(struct math_context *c, struct math_at x, struct math_at y, bool backwards)
{
    static const uint8_t mirrored[] = {
        [MATH_EQ] = MATH_EQ, [MATH_NE] = MATH_NE, [MATH_LT] = MATH_GT, [MATH_LE] = MATH_GE,
        [MATH_GT] = MATH_LT, [MATH_GE] = MATH_LE, [MATH_IN] = 0};
    int n = node(x)->n_parts;
    if (n != node(y)->n_parts)
        return false;
    for (int k = 0; k < n; k++) {
        int m = backwards ? n - 1 - k : k;
        int rel = k == 0 ? 0 : node(part(x, k))->rel;
        int other = k == 0 ? 0 : node(part(y, backwards ? n - k : k))->rel;
        if (rel != (backwards && k > 0 ? mirrored[other] : other) ||
            !same(c, part(x, k), part(y, m)))
            return false;
    }
    return true;
}

static bool same_relation(struct math_context *c, struct math_at x, struct math_at y)
{
    if (same_parts(c, x, y, false) || same_parts(c, x, y, true))
        return true;
    return node(x)->n_parts == 2 && node(y)->n_parts == 2 && all_relations(x, 1U << MATH_EQ) &&
           all_relations(y, 1U << MATH_EQ) && same_equation(c, x, y);
}

static bool is_infinite(struct math_at x, bool negative)
{
    if (negative)
        return node(x)->kind == MATH_NEG && node(part(x, 0))->kind == MATH_INFINITY;
    return node(x)->kind == MATH_INFINITY;
}

/* -2 <= x < 7 and [-2, 7); x >= 3 and [3, inf) */
static bool same_interval(struct math_context *c, struct math_at rel, struct math_at range)
{
    const unsigned up = 1U << MATH_LT | 1U << MATH_LE, down = 1U << MATH_GT | 1U << MATH_GE;
    int n = node(rel)->n_parts, op = node(range)->op;
    bool rising = all_relations(rel, up);
    if (n > 3 || (!rising && !all_relations(rel, down)) || node(range)->n_parts != 2)
        return false;
    int name = n == 3 || node(part(rel, 0))->kind != MATH_NAME ? 1 : 0;
    if (node(part(rel, name))->kind != MATH_NAME)
        return false;
    for (int end = 0; end < 2; end++) { /* the interval's lower and upper end */
        int k = (end == 1) == rising ? name + 1 : name - 1;
        struct math_at limit = part(range, end);
        bool closed = (end == 0 ? op & 2 : op & 1) != 0;
        if (k < 0 || k >= n) {
            if (closed || !is_infinite(limit, end == 0))
                return false;
            continue;
        }
        int link = node(part(rel, k > name ? k : name))->rel;
        if (closed != (link == MATH_LE || link == MATH_GE) || !same(c, part(rel, k), limit))
            return false;
    }
    return true;
}

/* ---- collections ---- */

struct items {
    struct math_at *at;
    int n;
};

static void add_item(struct items *items, struct math_at x)
{
    if (x.sign == 0 && holds(x, MATH_PM, true)) {
        for (int sign = 1; sign >= -1; sign -= 2)
            items->at[items->n++] = (struct math_at){x.tree, x.node, sign};
        return;
    }
    items->at[items->n++] = x;
}

/* The elements of a list or set; a +- b are two; anything else is one. */
static struct items items_of(struct math_at x)
{
    bool many = node(x)->kind == MATH_LIST || node(x)->kind == MATH_SET;
    int n = many ? node(x)->n_parts : 1;
    struct items items = {px_xcalloc((size_t)n * 2 + 1, sizeof *items.at), 0};
    if (!many) {
        add_item(&items, x);
        return items;
    }
    for (int k = node(x)->a; k >= 0; k = x.tree->node[k].next)
        add_item(&items, (struct math_at){x.tree, k, x.sign});
    return items;
}

/* x = 1, x = 2 against 1, 2: one name for all of them. */
static bool one_name(struct math_context *c, const struct items *items)
{
    int first = -1;
    for (int i = 0; i < items->n; i++) {
        if (node(items->at[i])->kind != MATH_RELATION)
            continue;
        if (first < 0)
            first = i;
        else if (!same(c, part(items->at[first], 0), part(items->at[i], 0)))
            return false;
    }
    return true;
}

static bool any_relation(const struct items *items)
{
    for (int i = 0; i < items->n; i++)
        if (node(items->at[i])->kind == MATH_RELATION)
            return true;
    return false;
}

/* Every item of a has one of b; once: each of b serves one. */
static bool covered(struct math_context *c, const struct items *a, const struct items *b, bool once)
{
    bool *used = px_xcalloc((size_t)b->n + 1, sizeof *used), all = true;
    for (int i = 0; all && i < a->n; i++) {
        int found = -1;
        for (int k = 0; found < 0 && k < b->n && c->steps > 0; k++)
            if (!(once && used[k]) && same(c, a->at[i], b->at[k]))
                found = k;
        if (found >= 0)
            used[found] = true;
        all = found >= 0;
    }
    free(used);
    return all;
}

static bool same_items(struct math_context *c, struct math_at x, struct math_at y)
{
    struct items a = items_of(x), b = items_of(y);
    bool set = node(x)->kind == MATH_SET || node(y)->kind == MATH_SET;
    bool yes = any_relation(&a) == any_relation(&b) || (one_name(c, &a) && one_name(c, &b));
    yes = yes && (set ? covered(c, &a, &b, false) && covered(c, &b, &a, false)
                      : a.n == b.n && covered(c, &a, &b, true));
    free(a.at);
    free(b.at);
    return yes;
}

static bool same_sequence(struct math_context *c, struct math_at x, struct math_at y)
{
    int i = node(x)->a, k = node(y)->a;
    if (node(x)->n_parts != node(y)->n_parts || node(x)->op != node(y)->op ||
        node(x)->cols != node(y)->cols)
        return false;
    for (; i >= 0 && k >= 0; i = x.tree->node[i].next, k = y.tree->node[k].next)
        if (!same(c, (struct math_at){x.tree, i, x.sign}, (struct math_at){y.tree, k, y.sign}))
            return false;
    return i < 0 && k < 0;
}

static bool same_union(struct math_context *c, struct math_at x, struct math_at y)
{
    struct items a = {px_xcalloc(MATH_MAX_PARTS * 2, sizeof *a.at), 0};
    struct items b = {px_xcalloc(MATH_MAX_PARTS * 2, sizeof *b.at), 0};
    for (int k = node(x)->a; k >= 0; k = x.tree->node[k].next)
        a.at[a.n++] = (struct math_at){x.tree, k, x.sign};
    for (int k = node(y)->a; k >= 0; k = y.tree->node[k].next)
        b.at[b.n++] = (struct math_at){y.tree, k, y.sign};
    bool yes = node(x)->op == node(y)->op && a.n == b.n && covered(c, &a, &b, true);
    free(a.at);
    free(b.at);
    return yes;
}

/* ---- anything ---- */

static bool is_collection(struct math_at x)
{
    return node(x)->kind == MATH_LIST || node(x)->kind == MATH_SET ||
           (x.sign == 0 && holds(x, MATH_PM, true));
}

static bool same_kind(struct math_context *c, struct math_at x, struct math_at y)
{
    switch (node(x)->kind) {
    case MATH_TUPLE:
    case MATH_MATRIX:
    case MATH_RATIO:
        return same_sequence(c, x, y);
    case MATH_UNION:
        return same_union(c, x, y);
    case MATH_RELATION:
        return same_relation(c, x, y);
    case MATH_TEXT:
        return math_same_words(text_of(x), text_of(y));
    default:
        return false;
    }
}

static bool same(struct math_context *c, struct math_at x, struct math_at y)
{
    if (--c->steps < 0)
        return false;
    bool rx = node(x)->kind == MATH_RELATION, ry = node(y)->kind == MATH_RELATION;
    if (rx && !ry && node(y)->kind == MATH_TUPLE && same_interval(c, x, y))
        return true;
    if (ry && !rx && node(x)->kind == MATH_TUPLE && same_interval(c, y, x))
        return true;
    if (rx && !ry)
        x = right_side(x);
    if (ry && !rx)
        y = right_side(y);
    if (is_collection(x) || is_collection(y))
        return same_items(c, x, y);
    if (is_scalar(x) && is_scalar(y))
        return math_same_scalar(c, x, y);
    return node(x)->kind == node(y)->kind && same_kind(c, x, y);
}

bool math_same_tree(const struct math_tree *a, const struct math_tree *b)
{
    struct math_context c = {.steps = MATH_STEPS};
    return same(&c, (struct math_at){a, a->root, 0}, (struct math_at){b, b->root, 0});
}
