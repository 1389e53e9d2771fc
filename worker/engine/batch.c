/* batch.c - decode rows, guesses, lanes and prompt chunks of a pass (batch.h). */
#include "worker/engine/batch.h"

#include <stdlib.h>

#include "proto/mem.h"

enum {
    PREFILL_AIM_US = 250 * 1000, /* of a pass in which nobody decodes */
    MIXED_AIM_US = 150 * 1000,
    FIXED_COSTS = 3, /* a pass may take so many times what it costs before its first row ... */
    LONGEST_AIM_US = 1000 * 1000, /* ... up to this */
    LEAST_ROWS = 8                /* for prompts and choices */
};

void batch_init(struct batch *b, struct prefix_tree *tree, const struct pace *pace,
                uint32_t max_rows)
{
    *b = (struct batch){.tree = tree, .pace = pace, .max_rows = max_rows};
    b->rows = px_xcalloc(max_rows, sizeof *b->rows);
    b->uses = px_xcalloc(max_rows, sizeof *b->uses);
}

void batch_clear(struct batch *b)
{
    free(b->rows);
    free(b->uses);
    *b = (struct batch){0};
}

static void add_row(struct batch *b, struct slot *s, struct lane *lane, uint32_t index,
                    struct forward_row row)
{
    b->uses[b->n] = (struct row_use){.slot = s, .lane = lane, .index = index};
    b->rows[b->n++] = row;
}

static uint32_t room(const struct batch *b, uint32_t cap)
{
    return cap > b->n ? cap - b->n : 0;
}

/* ---- decoding ---- */

static void add_decode(struct batch *b, struct slot *s, const struct draft_plan *plan)
{
    uint32_t n_draft = slot_begin_step(s, plan), pos = slot_decode_pos(s);
    prefix_extend(b->tree, &s->seq, pos, pos + 1 + n_draft);
    if (s->reuse)
        reuse_next_step(s->reuse);
    for (uint32_t i = 0; i <= n_draft; i++)
        add_row(b, s, NULL, i,
                (struct forward_row){.seq = &s->seq,
                                     .pos = pos + i,
                                     .token = slot_decode_token(s, i),
                                     .wants_logits = true,
                                     .reuse = s->reuse});
    b->n_drafted += n_draft;
}

/* others: rows that the pass will have for prompts and choices. */
static void add_decodes(struct batch *b, struct slot *const *running, uint32_t n, uint32_t n_decode,
                        uint32_t others)
{
    for (uint32_t i = 0; i < n; i++) {
        if (running[i]->state != SLOT_DECODE)
            continue;
        struct draft_plan plan = {.pace = b->pace, .rows = b->n + n_decode + others};
        if (b->speculates || b->n_forced) {
            plan.most = b->max_rows - b->n - n_decode;
            plan.n_forced = b->n_forced;
        }
        add_decode(b, running[i], &plan);
        n_decode--;
    }
}

/* ---- choices ---- */

static void add_lane(struct batch *b, struct slot *s, struct lane *l, uint32_t cap)
{
    const struct choice_feed *f = l->feed;
    uint32_t n = f->n - l->n_fed, pos = s->n_context + l->n_fed;
    n = n < room(b, cap) ? n : room(b, cap);
    prefix_extend(b->tree, &l->seq, pos, pos + n);
    for (uint32_t i = 0; i < n; i++)
        add_row(b, s, l, l->n_fed + i,
                (struct forward_row){.seq = &l->seq,
                                     .pos = pos + i,
                                     .token = f->tokens[l->n_fed + i],
                                     .wants_logits = l->n_fed + i >= f->n_silent});
    l->n_fed += n;
}

/* ---- prompts ---- */

/* Rows of the context up to `end`, as many as this pass has room for. */
static void add_context_rows(struct batch *b, struct slot *s, uint32_t end, uint32_t cap)
{
    uint32_t n = end - s->n_fed, n_prompt = s->unit->n_prompt;
    /* Common tokens of the choices are context too, but not prompt. */
    uint32_t left = n_prompt > s->n_fed ? n_prompt - s->n_fed : 0;
    n = n < room(b, cap) ? n : room(b, cap);
    for (uint32_t i = 0; i < n; i++)
        add_row(b, s, NULL, 0,
                (struct forward_row){.seq = &s->seq,
                                     .pos = s->n_fed + i,
                                     .token = s->context[s->n_fed + i],
                                     .wants_logits = s->n_fed + i + 1 == s->n_context});
    s->n_fed += n;
    s->out.n_prompt_computed += n < left ? n : left;
}

/* Takes what others computed of the page that begins at `from`. False when the unit has to wait
 * for somebody who is computing it. */
static bool take_computed(struct batch *b, struct slot *s, struct prefix_node *node, uint32_t from,
                          uint32_t end)
{
    uint32_t have = prefix_computed(node);
    bool is_mine = prefix_claim(node, s), wait = false;
    if (is_mine && have == 0) {
        uint32_t most = end == s->n_context ? end - from - 1 : end - from;
        have = prefix_borrow(b->tree, node, most, &wait);
    }
    if (from + have > s->n_fed)
        s->n_fed = from + have;
    return !wait && (is_mine || s->n_fed == end);
}

static void add_prefill(struct batch *b, struct slot *s, uint32_t cap)
{
    while (s->n_fed < s->n_context && room(b, cap)) {
        uint32_t page = s->n_fed / KV_PAGE, from = page * KV_PAGE;
        uint32_t end = s->n_context - from > KV_PAGE ? from + KV_PAGE : s->n_context;
        struct prefix_node *node = page < s->path.n ? s->path.nodes[page] : s->tail;
        if (node && !take_computed(b, s, node, from, end))
            return;
        if (s->n_fed == end)
            continue;
        add_context_rows(b, s, end, cap);
        if (node)
            prefix_advance(b->tree, node, s->n_fed - from);
    }
}

/* ---- the pass ---- */

/* Rows of this pass: what the recent speed computes in the time a pass may take. Where reading the
 * weights alone takes long, it takes longer: many rows have to share that. */
static uint32_t choose_cap(const struct batch *b, uint32_t n_decode)
{
    double aim = n_decode ? MIXED_AIM_US : PREFILL_AIM_US;
    double shared = FIXED_COSTS * pace_fixed_us(b->pace);
    shared = shared < LONGEST_AIM_US ? shared : LONGEST_AIM_US;
    uint32_t cap = pace_rows(b->pace, aim > shared ? aim : shared);
    cap = cap < n_decode + LEAST_ROWS ? n_decode + LEAST_ROWS : cap;
    return cap < b->max_rows ? cap : b->max_rows;
}

/* Rows that wait in prompts and choices, at most. */
static uint64_t count_waiting(struct slot *const *running, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct slot *s = running[i];
        if (s->state == SLOT_PREFILL)
            sum += s->n_context - s->n_fed;
        for (uint32_t j = 0; s->state == SLOT_LANES && j < s->n_lanes; j++)
            if (s->lanes[j].is_open)
                sum += s->lanes[j].feed->n - s->lanes[j].n_fed;
    }
    return sum;
}

void batch_build(struct batch *b, struct slot *const *running, uint32_t n)
{
    uint32_t n_decode = 0;
    for (uint32_t i = 0; i < n; i++)
        n_decode += running[i]->state == SLOT_DECODE;
    uint32_t cap = choose_cap(b, n_decode), left = cap - n_decode;
    uint64_t waiting = count_waiting(running, n);
    b->n = 0;
    prefix_begin_pass(b->tree);
    add_decodes(b, running, n, n_decode, waiting < left ? (uint32_t)waiting : left);
    for (uint32_t i = 0; i < n; i++) {
        struct slot *s = running[i];
        for (uint32_t j = 0; s->state == SLOT_LANES && j < s->n_lanes; j++)
            if (s->lanes[j].is_open)
                add_lane(b, s, &s->lanes[j], cap);
        if (s->state == SLOT_PREFILL)
            add_prefill(b, s, cap);
    }
}
