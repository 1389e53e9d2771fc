/* test_conductor.c - the conductor with a real store, the hall played by this program: work is
 * pulled, recorded, committed and given up in random order, and the whole is cut and resumed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/dispatch/hall.h"
#include "coordinator/run/conductor.h"
#include "proto/log.h"
#include "small_plan.h"

/* 8 + 16 + 5 units. Greedy work of the eight problems has six prompts; the last stage repeats five
 * problems of the first; sampled work is each problem's own. */
#define STAGES                                                                                     \
    "  - import: {model: m, as: ready}\n"                                                          \
    "  - eval: {models: [ready], tasks: [./sums.yaml]}\n"                                          \
    "  - eval: {name: warm, models: [ready], tasks: [./sums.yaml], samples: 2,\n"                  \
    "           sampler: {temperature: 0.5}}\n"                                                    \
    "  - eval: {name: again, models: [ready], tasks: [./sums.yaml], limit: 5}\n"
enum { UNITS = 29, CONTENTS = 6 + 16, MOST = 128 };

/* What the hall holds: leased, or recorded and on its way to the disk. */
struct held {
    struct hall_unit unit;
    struct store_batch *batch; /* NULL while leased */
};

struct world {
    struct small_plan p;
    struct store *store;
    struct hall *hall; /* only counts job heads here */
    struct conductor *c;
    struct hall_source src;
    struct held held[MOST];
    uint32_t n_held;
    struct px_digest ended[MOST]; /* keys that were committed */
    uint32_t n_ended, n_imports, n_contents, n_lives;
    struct px_digest cursed; /* work that is given up */
    uint64_t rng;
};

static uint32_t roll(struct world *w, uint32_t n)
{
    w->rng = w->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->rng >> 33) % n;
}

static void must(int rc, const struct px_err *err)
{
    if (rc != 0)
        fail_msg("%s", err->text);
}

/* ---- lives ---- */

static void wake(struct world *w)
{
    struct px_err err = {0};
    PX_FREE char *dir = px_path_join(w->p.dir, "store");
    struct store_options so = {.mode = STORE_WRITE, .map_bytes = 1 << 20};
    struct hall_config cfg = {.run_dir = w->p.dir};
    must((w->store = store_open(dir, &so, &err)) ? 0 : -1, &err);
    must((w->c = conductor_new(w->p.plan, w->store, NULL, &err)) ? 0 : -1, &err);
    w->src = conductor_source(w->c);
    must((w->hall = hall_new(&cfg, w->store, &w->src, &err)) ? 0 : -1, &err);
    conductor_attach(w->c, w->hall);
    must(conductor_begin(w->c, w->p.dir, &err), &err);
    w->n_lives++;
}

/* What was not committed is lost. */
static void die(struct world *w)
{
    for (uint32_t i = 0; i < w->n_held; i++)
        store_batch_free(&w->held[i].batch);
    w->n_held = 0;
    hall_free(&w->hall);
    conductor_free(&w->c);
    store_close(&w->store);
}

static void open_world(struct world *w, const char *stages, uint64_t seed)
{
    struct px_err err = {0};
    memset(w, 0, sizeof *w);
    w->rng = seed;
    px_log_level(PX_ERROR);
    small_plan_open(&w->p);
    must(small_plan_build(&w->p, stages, &err), &err);
    wake(w);
}

static void close_world(struct world *w)
{
    die(w);
    small_plan_close(&w->p);
}

/* ---- the hall's part ---- */

static bool is_cursed(const struct world *w, const struct held *h)
{
    return px_digest_eq(&h->unit.key, &w->cursed);
}

static void pull(struct world *w, int max)
{
    struct hall_unit units[8];
    struct px_err err = {0};
    int n = w->src.pull(w->src.ctx, units, max, &err);
    must(n < 0 ? -1 : 0, &err);
    assert_true(n <= max);
    for (int i = 0; i < n; i++) {
        for (uint32_t k = 0; k < w->n_ended; k++)
            assert_false(px_digest_eq(&units[i].key, &w->ended[k]));
        for (uint32_t k = 0; k < w->n_held; k++)
            assert_false(px_digest_eq(&units[i].key, &w->held[k].unit.key));
        w->held[w->n_held++] = (struct held){.unit = units[i]};
    }
}

/* The answer to a unit, decided by its key alone. */
static void answer(const struct unit *u, bool generated, struct px_buf *out)
{
    if (!generated) {
        struct verdict v = {.class = u->key.b[0] & 1 ? VERDICT_PASSED : VERDICT_WRONG_ANSWER};
        verdict_add_metric(&v, "exact_match", u->key.b[0] & 1);
        verdict_encode(&v, out);
        free(v.metrics[0].name);
        free(v.metrics);
        return;
    }
    char text[PX_HEX_SIZE];
    px_digest_hex(&u->key, text);
    struct completion done = {.finish = FINISH_EOS, .text = text, .n_text = PX_HEX_SIZE - 1};
    completion_encode(&done, out);
}

static void record(struct world *w, struct held *h)
{
    struct px_buf bytes;
    struct px_err err = {0};
    struct unit u;
    px_buf_init(&bytes, UNIT_LIMIT);
    must(w->src.encode(w->src.ctx, h->unit.id, &bytes, &err), &err);
    must(unit_decode(bytes.data, bytes.len, &u, &err), &err);
    assert_true(px_digest_eq(&u.key, &h->unit.key));
    h->batch = store_batch_new();
    if (is_cursed(w, h)) {
        w->src.gave_up(w->src.ctx, h->unit.id, "worker_death", "{\"deaths\":3}", h->batch);
    } else {
        px_buf_reset(&bytes);
        answer(&u, u.n_completion == 0, &bytes);
        w->n_imports += u.n_completion == 0 && u.n_prompt == 0;
        w->n_contents += u.n_prompt > 0;
        must(w->src.record(w->src.ctx, h->unit.id, bytes.data, bytes.len, h->batch, &err), &err);
    }
    unit_clear(&u);
    px_buf_clear(&bytes);
}

static void commit(struct world *w, uint32_t i)
{
    struct px_err err = {0};
    struct held h = w->held[i];
    w->held[i] = w->held[--w->n_held];
    must(store_commit(w->store, h.batch, &err), &err);
    w->ended[w->n_ended++] = h.unit.key;
    w->src.committed(w->src.ctx, h.unit.id);
}

/* One thing at random happens to one held unit. */
static void advance(struct world *w)
{
    if (w->n_held == 0)
        return;
    uint32_t i = roll(w, w->n_held);
    if (w->held[i].batch)
        commit(w, i);
    else
        record(w, &w->held[i]);
}

/* kill_one_in: a step in so many ends a life; 0: none does. */
static void play(struct world *w, uint32_t kill_one_in)
{
    for (uint32_t step = 0; step < 2000 && !w->src.exhausted(w->src.ctx); step++) {
        if (kill_one_in && roll(w, kill_one_in) == 0) {
            die(w);
            wake(w);
        }
        if (roll(w, 3) == 0 || w->n_held == 0)
            pull(w, 1 + (int)roll(w, 8));
        advance(w);
    }
    struct px_err err = {0};
    assert_true(w->src.exhausted(w->src.ctx));
    assert_int_equal(w->n_held, 0);
    must(conductor_flush(w->c, &err), &err);
}

/* ---- what must be true ---- */

static struct conductor_counts counts(const struct world *w)
{
    struct conductor_counts n;
    conductor_count(w->c, &n);
    return n;
}

static int64_t counter(const struct world *w, const char *name)
{
    struct px_buf b;
    struct px_err err = {0};
    bool found;
    px_buf_init(&b, 64);
    must(store_get(w->store, STORE_COUNTER, name, strlen(name), &b, &found, &err), &err);
    int64_t v = found ? (int64_t)px_load_u64(b.data) : -1;
    px_buf_clear(&b);
    return v;
}

/* The counters that `status` shows agree with what the units say. */
static void counters_agree(const struct world *w, int64_t failed_units)
{
    int64_t generated = 0, scored = 0, failed = 0;
    for (uint32_t g = 0; g < w->p.plan->n_groups; g++) {
        char name[32];
        snprintf(name, sizeof name, "g%u.generated", g);
        generated += counter(w, name);
        snprintf(name, sizeof name, "g%u.scored", g);
        scored += counter(w, name);
        snprintf(name, sizeof name, "g%u.failed", g);
        failed += counter(w, name);
    }
    assert_int_equal(generated, UNITS - failed_units);
    assert_int_equal(scored, UNITS - failed_units);
    assert_int_equal(failed, failed_units);
    assert_int_equal(counter(w, "quarantined"), failed_units);
    assert_int_equal(counter(w, "units"), UNITS);
}

static void nothing_is_left(struct world *w)
{
    uint32_t before = w->n_ended;
    die(w);
    wake(w);
    pull(w, 8);
    assert_int_equal(w->n_held, 0);
    assert_true(w->src.exhausted(w->src.ctx));
    assert_int_equal(w->n_ended, before);
}

static void every_unit_ends_once_whatever_the_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world w;
        open_world(&w, STAGES, seed);
        play(&w, 0);
        assert_int_equal(counts(&w).done, UNITS);
        assert_int_equal(w.n_imports, 1);
        assert_int_equal(w.n_contents, CONTENTS);
        counters_agree(&w, 0);
        nothing_is_left(&w);
        assert_int_equal(counts(&w).done, UNITS);
        close_world(&w);
    }
}

static void a_run_that_is_cut_again_and_again_ends_the_same(void **state)
{
    (void)state;
    uint32_t lives = 0;
    for (uint64_t seed = 11; seed <= 12; seed++) {
        struct world w;
        open_world(&w, STAGES, seed);
        play(&w, 12);
        lives += w.n_lives;
        assert_int_equal(counts(&w).done, UNITS);
        nothing_is_left(&w);
        assert_int_equal(counts(&w).done, UNITS);
        counters_agree(&w, 0);
        close_world(&w);
    }
    assert_true(lives > 4);
}

static struct px_digest content_of(const struct plan *p, uint64_t unit)
{
    struct unit u;
    struct px_err err = {0};
    must(plan_make_unit(p, unit, NULL, &u, NULL, &err), &err);
    struct px_digest key = u.key;
    unit_clear(&u);
    return key;
}

static void release(struct world *w, const struct px_digest *key)
{
    struct px_err err = {0};
    struct store_batch *b = store_batch_new();
    store_batch_del(b, STORE_QUARANTINE, key->b, sizeof key->b);
    must(store_commit(w->store, b, &err), &err);
}

/* Problems 0 and 1 share the work that is given up, in the first stage and again in the last. */
static void quarantine_is_remembered_and_released(void **state)
{
    (void)state;
    for (uint64_t seed = 21; seed <= 22; seed++) {
        struct world w;
        open_world(&w, STAGES, seed);
        w.cursed = content_of(w.p.plan, 0);
        play(&w, seed & 1 ? 12 : 0);
        assert_int_equal(counts(&w).quarantined, 4);
        assert_int_equal(counts(&w).done, UNITS - 4);
        nothing_is_left(&w);
        assert_int_equal(counts(&w).quarantined, 4);
        counters_agree(&w, 4);

        release(&w, &w.cursed);
        memset(&w.cursed, 0, sizeof w.cursed);
        w.n_ended = 0;
        die(&w);
        wake(&w);
        assert_int_equal(counts(&w).quarantined, 0);
        play(&w, 0);
        assert_int_equal(counts(&w).done, UNITS);
        assert_int_equal(w.n_ended, 2); /* one completion, one verdict */
        counters_agree(&w, 0);
        close_world(&w);
    }
}

static void evaluation_waits_for_the_import_and_ends_with_it(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, STAGES, 1);
    pull(&w, 8);
    assert_int_equal(w.n_held, 1);
    w.cursed = w.held[0].unit.key;
    record(&w, &w.held[0]);
    commit(&w, 0);
    assert_non_null(strstr(conductor_stage_failure(w.c), "import of model 'm' was given up"));
    pull(&w, 8);
    assert_int_equal(w.n_held, 0);
    assert_true(w.src.exhausted(w.src.ctx));
    die(&w);
    memset(&w.cursed, 0, sizeof w.cursed);
    w.n_ended = 0;
    wake(&w); /* a failed stage is tried again by the next run */
    play(&w, 0);
    assert_int_equal(counts(&w).done, UNITS);
    close_world(&w);
}

static void a_record_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct px_err err = {0};
    open_world(&w, "  - eval: {models: [m], tasks: [./sums.yaml]}\n", 1);
    pull(&w, 1);
    struct store_batch *b = store_batch_new();
    assert_int_equal(w.src.record(w.src.ctx, w.held[0].unit.id, "rubbish", 7, b, &err), -1);
    store_batch_free(&b);
    record(&w, &w.held[0]);
    commit(&w, 0);
    pull(&w, 1); /* its verdict comes first */
    struct verdict v = {.class = VERDICT_INCONCLUSIVE};
    struct px_buf bytes;
    px_buf_init(&bytes, UNIT_LIMIT);
    verdict_encode(&v, &bytes);
    b = store_batch_new();
    assert_int_equal(w.src.record(w.src.ctx, w.held[0].unit.id, bytes.data, bytes.len, b, &err),
                     -1);
    assert_non_null(strstr(err.text, "inconclusive"));
    store_batch_free(&b);
    px_buf_clear(&bytes);
    play(&w, 0);
    assert_int_equal(counts(&w).done, 8);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_ends_once_whatever_the_order),
        cmocka_unit_test(a_run_that_is_cut_again_and_again_ends_the_same),
        cmocka_unit_test(quarantine_is_remembered_and_released),
        cmocka_unit_test(evaluation_waits_for_the_import_and_ends_with_it),
        cmocka_unit_test(a_record_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("conductor", tests, NULL, NULL);
}
