/* slot.c - the life of one unit in the engine. */
#include "worker/engine/slot.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "worker/engine/sample.h"

/* Lanes only have to fill a pass: few for long feeds. */
enum { MAX_LANES = 16, LANE_TOKENS = 256 };

enum { LEAST_MATCH = 2 }; /* tokens that must have stood before for what followed to be a guess */

static const char not_finite[] = "the model computed logits that are not finite numbers";

static int check_tokens(const char *what, const uint32_t *tokens, uint32_t n, uint32_t n_vocab,
                        struct px_err *err)
{
    for (uint32_t i = 0; i < n; i++)
        if (tokens[i] >= n_vocab)
            return px_fail(err, PX_EINPUT, "%s: token id %u is outside the vocabulary of %u", what,
                           tokens[i], n_vocab);
    return 0;
}

static int check_generate(const struct slot *s, struct px_err *err)
{
    const struct job *j = s->job;
    if (j->max_tokens == 0)
        return px_fail(err, PX_EINPUT, "max_tokens is 0: nothing would be generated");
    if (j->n_stop_tokens == 0)
        return px_fail(err, PX_EINPUT, "no stop tokens: generation would only end at max_tokens");
    if (check_tokens("stop tokens", j->stop_tokens, j->n_stop_tokens, s->m->cfg.n_vocab, err))
        return -1;
    for (uint32_t i = 0; i < j->n_stops; i++)
        if (j->stops[i][0] == '\0')
            return px_fail(err, PX_EINPUT, "stop string %u is empty", i);
    if (j->n_stops && s->tok == NULL)
        return px_fail(err, PX_EINPUT, "stop strings need the model's tokenizer");
    if (check_tokens("open marker", j->think.open, j->think.n_open, s->m->cfg.n_vocab, err) ||
        check_tokens("close marker", j->think.close, j->think.n_close, s->m->cfg.n_vocab, err) ||
        reuse_check(&j->reuse, s->m->cfg.n_layers, err) || sample_check(&j->sampler, err))
        return -1;
    return 0;
}

static int check_choices(const struct slot *s, struct px_err *err)
{
    const struct unit *u = s->unit;
    if (u->n_choices == 0)
        return px_fail(err, PX_EINPUT, "a choice unit without choices");
    if (s->job->reuse.k > 1 && s->job->reuse.n_layers)
        return px_fail(err, PX_EINPUT,
                       "layer reuse acts on decode steps; a loglikelihood has none");
    for (uint32_t i = 0; i < u->n_choices; i++) {
        if (u->choices[i].n_tokens == 0)
            return px_fail(err, PX_EINPUT, "choice %u has no tokens", i);
        if (u->choices[i].n_skip >= u->choices[i].n_tokens)
            return px_fail(err, PX_EINPUT, "choice %u has %u tokens and skips %u: none is scored",
                           i, u->choices[i].n_tokens, u->choices[i].n_skip);
        if (u->n_prompt == 0 && u->choices[i].n_skip == 0)
            return px_fail(err, PX_EINPUT,
                           "choice %u: nothing comes before its first scored token; give at least "
                           "BOS in the prompt, or skip a token",
                           i);
        if (check_tokens("choice", u->choices[i].tokens, u->choices[i].n_tokens, s->m->cfg.n_vocab,
                         err))
            return -1;
    }
    return 0;
}

static int check_unit(const struct slot *s, struct px_err *err)
{
    const struct job *j = s->job;
    if (j->kind != UNIT_GENERATE && j->kind != UNIT_CHOICE)
        return px_fail(err, PX_EUNSUPPORTED, "the engine does not do %s units",
                       unit_kind_name(j->kind));
    if (s->unit->n_prompt == 0 && j->kind == UNIT_GENERATE)
        return px_fail(err, PX_EINPUT, "the prompt has no tokens; give at least BOS");
    if (j->context > s->m->cfg.context_length)
        return px_fail(err, PX_ELIMIT, "context %u: the model was made for %u positions",
                       j->context, s->m->cfg.context_length);
    if (check_tokens("prompt", s->unit->prompt, s->unit->n_prompt, s->m->cfg.n_vocab, err))
        return -1;
    return j->kind == UNIT_GENERATE ? check_generate(s, err) : check_choices(s, err);
}

static uint32_t context_of(const struct slot *s)
{
    return s->job->context ? s->job->context : s->m->cfg.context_length;
}

static uint32_t longest_choice(const struct unit *u)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < u->n_choices; i++)
        if (u->choices[i].n_tokens > longest)
            longest = u->choices[i].n_tokens;
    return longest;
}

/* Positions that must be computed beyond the prompt, at most. The last token is never fed. */
static uint64_t extra_positions(const struct slot *s)
{
    return (s->job->kind == UNIT_GENERATE ? s->limit : longest_choice(s->unit)) - 1;
}

static void finish(struct slot *s, enum finish how)
{
    if (s->out.text == NULL)
        s->out.text = px_xstrdup("");
    s->out.finish = how;
    s->state = SLOT_DONE;
}

static void finish_error(struct slot *s, const char *what)
{
    free(s->out.error);
    s->out.error = px_xstrdup(what);
    free(s->out.choices); /* which ones were scored by now depends on the batch */
    s->out.choices = NULL;
    s->out.n_choices = 0;
    finish(s, FINISH_ERROR);
}

/* Units that end before anything is run: the prompt does not fit, or leaves no room. */
static bool ends_at_once(struct slot *s)
{
    uint32_t context = context_of(s), n = s->unit->n_prompt;
    if (n > context || (s->job->kind == UNIT_CHOICE && extra_positions(s) > context - n)) {
        finish(s, FINISH_TOO_LONG);
        return true;
    }
    if (s->job->kind == UNIT_CHOICE)
        return false;
    s->is_cut = context - n < s->job->max_tokens;
    s->limit = s->is_cut ? context - n : s->job->max_tokens;
    if (s->limit == 0)
        finish(s, FINISH_OVERFLOW);
    return s->limit == 0;
}

/* Worst case of pages. Lanes that could be open together are counted with their own copies of a
 * partial page; fewer lanes are opened when the pool is small. */
static int plan_pages(struct slot *s, uint32_t max_pages, uint64_t page_bytes, struct px_err *err)
{
    uint64_t n = s->n_context, last = s->unit->n_prompt + extra_positions(s);
    uint64_t pages = kv_pages_for((uint32_t)last), lane_pages = 0;
    if (s->choices) {
        uint32_t longest = s->choices->longest, most = LANE_TOKENS / (longest ? longest : 1) + 1;
        pages = kv_pages_for((uint32_t)n);
        lane_pages = longest ? kv_pages_for((uint32_t)last) - n / KV_PAGE : 0;
        most = most < MAX_LANES ? most : MAX_LANES;
        s->n_lanes = s->choices->n_feeds < most ? s->choices->n_feeds : most;
        while (s->n_lanes > 1 && pages + s->n_lanes * lane_pages > max_pages)
            s->n_lanes--;
        pages += s->n_lanes * lane_pages;
    }
    if (pages > max_pages)
        return px_fail(err, PX_ELIMIT,
                       "%llu positions need %llu KV pages of %llu bytes (%llu bytes), the memory "
                       "budget leaves %u pages (%llu bytes): raise the memory, or lower "
                       "max_tokens or context",
                       (unsigned long long)last, (unsigned long long)pages,
                       (unsigned long long)page_bytes, (unsigned long long)(pages * page_bytes),
                       max_pages, (unsigned long long)(max_pages * page_bytes));
    s->n_pages = (uint32_t)pages;
    return 0;
}

static void prepare_output(struct slot *s)
{
    const struct unit *u = s->unit;
    s->out.n_prompt = u->n_prompt;
    if (s->job->kind == UNIT_GENERATE) {
        s->problem_hash = sample_problem_hash(u->problem ? u->problem : "");
        think_begin(&s->think, &s->job->think);
        s->reuse = reuse_new(&s->job->reuse, &s->m->cfg);
        return;
    }
    if (s->n_lanes)
        s->lanes = px_xcalloc(s->n_lanes, sizeof *s->lanes);
    s->out.n_choices = u->n_choices;
    s->out.choices = px_xcalloc(u->n_choices, sizeof *s->out.choices);
    for (uint32_t i = 0; i < u->n_choices; i++)
        s->out.choices[i] =
            (struct choice_score){.greedy = true,
                                  .n_tokens = u->choices[i].n_tokens - u->choices[i].n_skip,
                                  .n_bytes = u->choices[i].n_bytes,
                                  .n_chars = u->choices[i].n_chars};
}

/* What is computed before anything is sampled or scored. */
static void choose_context(struct slot *s)
{
    s->context = s->unit->prompt;
    s->n_context = s->unit->n_prompt;
    if (s->job->kind != UNIT_CHOICE)
        return;
    s->choices = choices_new(s->unit);
    s->context = s->choices->context;
    s->n_context = s->choices->n_context;
}

int slot_open(struct slot *s, const struct model *m, const struct tokenizer *tok,
              const struct job *job, const struct unit *unit, uint32_t max_pages,
              uint64_t page_bytes, struct px_err *err)
{
    struct slot fresh = {.state = SLOT_WAITING, .job = job, .unit = unit, .m = m, .tok = tok};
    if (check_unit(&fresh, err))
        return -1;
    if (ends_at_once(&fresh)) {
        fresh.out.n_prompt = unit->n_prompt;
    } else {
        choose_context(&fresh);
        if (plan_pages(&fresh, max_pages, page_bytes, err)) {
            choices_free(&fresh.choices);
            return -1;
        }
        prepare_output(&fresh);
    }
    px_buf_init(&fresh.text, UNIT_LIMIT / 2);
    *s = fresh;
    return 0;
}

uint64_t slot_work(const struct slot *s)
{
    uint64_t work = s->n_context;
    if (s->job->kind == UNIT_GENERATE)
        return work + s->limit;
    for (uint32_t i = 0; i < s->choices->n_feeds; i++)
        work += s->choices->feeds[i].n;
    return work;
}

void slot_close(struct slot *s, struct kv_pool *kv)
{
    kv_seq_clear(kv, &s->seq);
    for (uint32_t i = 0; i < s->n_lanes && s->lanes; i++)
        kv_seq_clear(kv, &s->lanes[i].seq);
    free(s->lanes);
    choices_free(&s->choices);
    reuse_free(&s->reuse);
    px_buf_clear(&s->text);
    completion_clear(&s->out);
    memset(s, 0, sizeof *s);
}

/* The forced token after the first `index` guesses, if they were right. */
static bool is_forced(const struct slot *s, uint32_t index, uint32_t *token)
{
    struct think t = s->think;
    for (uint32_t n = s->out.n_tokens; n < s->n_before + index; n++)
        think_take(&t, s->out.tokens, n + 1, 0);
    return think_forces(&t, token);
}

struct slot_reading slot_read(const struct slot *s, const struct kernels *kn, uint32_t index,
                              const float *logits)
{
    const struct job *j = s->job;
    uint32_t n = s->m->cfg.n_vocab;
    struct slot_reading r = {.logits = logits, .is_finite = sample_finite(logits, n)};
    if (!r.is_finite)
        return r;
    if (j->kind == UNIT_GENERATE && is_forced(s, index, &r.token))
        return r;
    if (j->kind == UNIT_GENERATE) {
        struct sample_key key = {.seed = j->sampler.seed,
                                 .problem = s->problem_hash,
                                 .sample = s->unit->sample,
                                 .position = s->n_before + index};
        r.token = sample_token(kn, logits, n, &j->sampler, &key);
    } else {
        r.token = sample_argmax(kn, logits, n);
        r.log_sum_exp = sample_log_sum_exp(kn, logits, n);
    }
    return r;
}

/* ---- generation ---- */

static bool is_stop_token(const struct job *j, uint32_t token)
{
    for (uint32_t i = 0; i < j->n_stop_tokens; i++)
        if (j->stop_tokens[i] == token)
            return true;
    return false;
}

/* Where the earliest stop string begins in the text, looking at what the bytes from `from` on may
 * have completed, not before `floor`; SIZE_MAX when there is none. */
static size_t find_stop(const struct job *j, const struct px_buf *text, size_t from, size_t floor)
{
    size_t best = SIZE_MAX;
    for (uint32_t i = 0; i < j->n_stops; i++) {
        size_t n = strlen(j->stops[i]), start = from >= n ? from - n + 1 : 0;
        start = start < floor ? floor : start;
        if (text->len < start + n)
            continue;
        const uint8_t *p = memmem(text->data + start, text->len - start, j->stops[i], n);
        if (p && (size_t)(p - text->data) < best)
            best = (size_t)(p - text->data);
    }
    return best;
}

/* As many guesses as pay, written behind the tokens. At most one less than what may still be
 * generated, since the last token is not fed. */
static uint32_t guess(struct slot *s, const struct draft_plan *plan)
{
    struct draft_text text = {.prompt = s->unit->prompt,
                              .output = s->out.tokens,
                              .n_prompt = s->unit->n_prompt,
                              .n_output = s->out.n_tokens};
    uint32_t most = s->limit - 1 - s->out.n_tokens, at = 0, n = 0;
    double chance = 1;
    most = most < DRAFT_MOST ? most : DRAFT_MOST;
    most = most < plan->most ? most : plan->most;
    if (most == 0 || (!plan->n_forced && pace_price(plan->pace, plan->rows) >= 1))
        return 0;
    uint32_t n_match = draft_find(&text, plan->n_forced ? 1 : LEAST_MATCH, &at);
    if (n_match == 0 && !plan->n_forced)
        return 0;
    double each = draft_chance(&s->record, n_match);
    for (; n < most && !plan->n_forced; n++, chance *= each)
        if (chance * each <= pace_price(plan->pace, plan->rows + n))
            break;
    if (plan->n_forced)
        n = plan->n_forced < most ? plan->n_forced : most;
    for (uint32_t i = 0; i < n; i++)
        PX_GROW(s->out.tokens, s->out.n_tokens + i, s->cap_tokens);
    text.output = s->out.tokens;
    draft_copy(&text, at, n, s->out.tokens + s->out.n_tokens);
    return n;
}

static void finish_generation(struct slot *s, enum finish how, int64_t now_us)
{
    size_t n = 0;
    if (s->text.overflow) {
        finish_error(s, "the text is larger than a result may be");
        return;
    }
    s->out.text = px_buf_steal(&s->text, &n);
    s->out.n_text = (uint32_t)n;
    s->out.think = s->think.state;
    s->out.n_think_tokens = s->think.n_tokens;
    s->out.answer_at = (uint32_t)(think_is_answer(&s->think) ? s->think.answer_at : n);
    s->out.decode_s = (double)(now_us - s->prefilled_us) * 1e-6;
    s->out.refresh_steps = s->out.decode_steps;
    if (s->reuse) {
        struct reuse_counters c = reuse_counters(s->reuse);
        s->out.refresh_steps = c.refresh_steps;
        s->out.reused_layer_steps = c.reused_layer_steps;
    }
    finish(s, how);
}

/* Appends the token that the logits gave and decides whether that was the last. */
static void take_token(struct slot *s, uint32_t token, int64_t now_us)
{
    const struct job *j = s->job;
    PX_GROW(s->out.tokens, s->out.n_tokens, s->cap_tokens);
    s->out.tokens[s->out.n_tokens++] = token;
    if (is_stop_token(j, token)) {
        finish_generation(s, FINISH_EOS, now_us);
        return;
    }
    size_t had = s->text.len;
    if (s->tok)
        tokenizer_piece(s->tok, token, &s->text);
    think_take(&s->think, s->out.tokens, s->out.n_tokens, s->text.len);
    size_t stop = j->n_stops && think_is_answer(&s->think)
                      ? find_stop(j, &s->text, had, s->think.answer_at)
                      : SIZE_MAX;
    if (stop != SIZE_MAX) {
        s->text.len = stop;
        s->text.data[stop] = '\0';
        finish_generation(s, FINISH_STOP, now_us);
    } else if (s->out.n_tokens == s->limit) {
        finish_generation(s, s->is_cut ? FINISH_OVERFLOW : FINISH_LENGTH, now_us);
    } else {
        s->state = SLOT_DECODE;
    }
}

uint32_t slot_begin_step(struct slot *s, const struct draft_plan *plan)
{
    s->n_before = s->out.n_tokens;
    s->n_draft = s->n_right = 0;
    if (s->reuse == NULL && plan->most)
        s->n_draft = guess(s, plan);
    return s->n_draft;
}

uint32_t slot_decode_pos(const struct slot *s)
{
    return s->unit->n_prompt + s->n_before - 1;
}

uint32_t slot_decode_token(const struct slot *s, uint32_t i)
{
    return s->out.tokens[s->n_before - 1 + i];
}

/* How good the guesses were is clear when the first wrong one is, or the last. */
static void judge(struct slot *s, uint32_t i, bool is_right)
{
    s->n_right += is_right;
    if (!is_right || i + 1 == s->n_draft)
        draft_judge(&s->record, s->n_draft, s->n_right);
}

bool slot_decoded(struct slot *s, uint32_t i, const struct slot_reading *r, int64_t now_us)
{
    if (s->state != SLOT_DECODE || i != s->n_right)
        return false;
    s->out.decode_steps++;
    if (!r->is_finite) {
        finish_error(s, not_finite);
        return true;
    }
    if (i < s->n_draft)
        judge(s, i, s->out.tokens[s->out.n_tokens] == r->token);
    else if (s->n_draft == 0)
        draft_pass_by(&s->record);
    take_token(s, r->token, now_us);
    return true;
}

/* ---- choices ---- */

static void score(struct slot *s, uint32_t choice, uint32_t index, const struct slot_reading *r)
{
    const struct unit_choice *c = &s->unit->choices[choice];
    struct choice_score *out = &s->out.choices[choice];
    if (index < c->n_skip)
        return;
    out->logprob += (double)r->logits[c->tokens[index]] - r->log_sum_exp;
    out->greedy = out->greedy && c->tokens[index] == r->token;
}

/* Gives free lanes the next feeds; done when all choices are scored. */
static void open_lanes(struct slot *s, struct kv_pool *kv, int64_t now_us)
{
    for (uint32_t i = 0; i < s->n_lanes; i++) {
        if (s->lanes[i].is_open || s->next_feed == s->choices->n_feeds)
            continue;
        s->lanes[i] = (struct lane){.feed = &s->choices->feeds[s->next_feed++], .is_open = true};
        kv_seq_fork(kv, &s->seq, s->n_context, &s->lanes[i].seq);
    }
    if (s->n_scored == s->unit->n_choices) {
        s->out.decode_s = (double)(now_us - s->prefilled_us) * 1e-6;
        finish(s, FINISH_SCORED);
    }
}

static void score_first_tokens(struct slot *s, struct kv_pool *kv, const struct slot_reading *r,
                               int64_t now_us)
{
    for (uint32_t i = 0; i < s->unit->n_choices; i++)
        score(s, i, s->choices->n_common, r);
    s->n_scored = s->choices->n_direct;
    s->state = SLOT_LANES;
    open_lanes(s, kv, now_us);
}

void slot_lane_scored(struct slot *s, struct kv_pool *kv, struct lane *lane, uint32_t index,
                      const struct slot_reading *r, int64_t now_us)
{
    const struct choice_feed *f = lane->feed;
    if (s->state != SLOT_LANES)
        return; /* an earlier row of this pass ended the unit */
    if (!r->is_finite) {
        finish_error(s, not_finite);
        return;
    }
    for (uint32_t i = 0; i < f->n_members; i++)
        score(s, s->choices->members[f->first + i], s->choices->n_common + index + 1, r);
    if (index + 1 < f->n)
        return;
    kv_seq_clear(kv, &lane->seq);
    lane->is_open = false;
    s->n_scored += f->n_members;
    open_lanes(s, kv, now_us);
}

/* ---- the context ---- */

void slot_start(struct slot *s, struct kv_pool *kv, int64_t now_us)
{
    s->started_us = now_us;
    s->out.queue_s = (double)(now_us - s->submitted_us) * 1e-6;
    s->state = SLOT_PREFILL;
    if (s->n_context)
        return;
    s->prefilled_us = now_us;
    s->state = SLOT_LANES;
    open_lanes(s, kv, now_us);
}

void slot_prefilled(struct slot *s, struct kv_pool *kv, const struct slot_reading *r,
                    int64_t now_us)
{
    s->prefilled_us = now_us;
    s->out.prefill_s = (double)(now_us - s->started_us) * 1e-6;
    if (!r->is_finite)
        finish_error(s, not_finite);
    else if (s->job->kind == UNIT_GENERATE)
        take_token(s, r->token, now_us);
    else
        score_first_tokens(s, kv, r, now_us);
}
