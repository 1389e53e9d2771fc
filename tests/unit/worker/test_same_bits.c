/* test_same_bits.c - every reference model gives the same tokens and the same logits, however it is
 * run.
 *
 * What a few dozen units give one after another, on one thread, with nothing shared, is what they
 * must give in every combination of instruction set, threads, units side by side, rows of a pass,
 * prefix cache, speculation and file (as it is, or imported). Combinations are drawn at random;
 * PROCTOR_SAME_BITS=N draws N for each model instead of a few. Logits are compared through the
 * log-probabilities of choices, which sum them in double precision, and through sampled tokens. */
#include "import_fixture.h"
#include "schedule_fixture.h"

#include "reference.h"

#define MODELS_BELOW "models"

enum { N_UNITS = 36, HEAD = 70, LONG_UNIT = 17, N_LONG = 300 };

struct set {
    struct unit units[N_UNITS];
    struct job greedy, sampled, choices;
    uint32_t stop;
};

static const struct job *set_job(const struct set *s, uint32_t i)
{
    return i % 3 == 0 ? &s->greedy : i % 3 == 1 ? &s->sampled : &s->choices;
}

/* Three heads that begin alike, endings of their own; one long prompt. */
static void make_unit(struct unit *u, uint32_t i, uint32_t n_vocab)
{
    uint32_t n = i == LONG_UNIT ? N_LONG : HEAD - i % 3 * 9 + draw(20);
    *u = (struct unit){.problem = px_xasprintf("p%u", i / 2), .sample = i % 2, .n_prompt = n};
    u->prompt = px_xcalloc(n, sizeof *u->prompt);
    for (uint32_t j = 0; j < n; j++)
        u->prompt[j] = j < HEAD - i % 3 * 9 ? (j * 37 + j * j) % n_vocab : draw(n_vocab);
    if (i % 3 != 2)
        return;
    u->n_choices = 4;
    u->choices = px_xcalloc(u->n_choices, sizeof *u->choices);
    for (uint32_t c = 0; c < u->n_choices; c++) {
        u->choices[c].n_tokens = i % 2 ? 1 : 1 + draw(6);
        u->choices[c].tokens = px_xcalloc(u->choices[c].n_tokens, sizeof(uint32_t));
        for (uint32_t t = 0; t < u->choices[c].n_tokens; t++)
            u->choices[c].tokens[t] = draw(n_vocab);
    }
}

static void make_set(struct set *s, uint32_t n_vocab)
{
    random_state = 4;
    s->stop = n_vocab - 1;
    s->greedy = (struct job){.kind = UNIT_GENERATE,
                             .max_tokens = 12,
                             .kv = KV_F16,
                             .sampler = {.top_p = 1},
                             .stop_tokens = &s->stop,
                             .n_stop_tokens = 1};
    s->sampled = s->greedy;
    s->sampled.sampler.temperature = 0.8;
    s->sampled.sampler.top_p = 0.95;
    s->sampled.sampler.seed = 3;
    s->choices = s->greedy;
    s->choices.kind = UNIT_CHOICE;
    for (uint32_t i = 0; i < N_UNITS; i++)
        make_unit(&s->units[i], i, n_vocab);
}

static void run_set(const struct model *m, const struct set *s, const struct engine_config *cfg,
                    uint32_t n, struct completion *out)
{
    struct px_err err = {0};
    struct engine *e = engine_new(m, NULL, cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    for (uint32_t sent = 0, done = 0; done < n;) {
        for (; sent < n && engine_free_rows(e); sent++)
            if (engine_submit(e, set_job(s, sent), &s->units[sent], sent, &err))
                fail_msg("%s", err.text);
        engine_step(e);
        uint64_t ticket;
        struct completion c;
        while (engine_take(e, &ticket, &c)) {
            out[ticket] = c;
            done++;
        }
    }
    engine_free(&e);
}

static const char *words(const struct engine_config *c, bool is_imported, char *buf, size_t size)
{
    snprintf(buf, size, "%s, %u threads, %u units, passes of %u, cache %s, guesses %u, %s", c->isa,
             c->threads, c->max_rows, c->max_batch, c->no_prefix_cache ? "off" : "on",
             c->no_speculation ? 0 : c->speculation, is_imported ? "imported" : "as it is");
    return buf;
}

/* One combination against what the units gave alone. The definition itself is slow: fewer units. */
static void try_one(struct model *const *models, const struct set *s, struct completion *want)
{
    static const uint32_t ROWS[] = {1, 2, 7, 16, 33}, BATCH[] = {33, 47, 128, 512};
    char buf[256];
    struct completion got[N_UNITS];
    uint32_t n_tables = 0;
    while (kernels_at(n_tables))
        n_tables++;
    struct engine_config cfg = {.isa = kernels_at(draw(n_tables))->isa,
                                .threads = 1 + draw(2),
                                .kv = KV_F16,
                                .memory_budget = 256 << 20,
                                .max_rows = ROWS[draw(5)],
                                .max_batch = BATCH[draw(4)],
                                .no_prefix_cache = draw(3) == 0,
                                .no_speculation = draw(3) == 0,
                                .speculation = draw(5)};
    bool is_imported = models[1] && draw(2);
    uint32_t n = strcmp(cfg.isa, "scalar") == 0 || SLOW_BUILD ? 6 : N_UNITS;
    run_set(models[is_imported], s, &cfg, n, got);
    for (uint32_t i = 0; i < n; i++) {
        struct px_digest a = digest_of(&want[i]), b = digest_of(&got[i]);
        if (!px_digest_eq(&a, &b))
            fail_msg("%s: unit %u differs with %s", gguf_path(models[0]->gguf), i,
                     words(&cfg, is_imported, buf, sizeof buf));
        completion_clear(&got[i]);
    }
}

static void try_model(const char *path, uint32_t n_tries)
{
    struct px_err err = {0};
    struct set s;
    struct completion want[N_UNITS];
    struct model *models[2] = {model_open(path, &err), NULL};
    if (models[0] == NULL)
        fail_msg("%s", err.text);
    struct imported_file f = import_good(path);
    models[1] = model_open(f.path, &err);
    if (models[1] == NULL)
        fail_msg("%s", err.text);
    make_set(&s, models[0]->cfg.n_vocab);
    struct engine_config alone = {.isa = "auto",
                                  .threads = 1,
                                  .kv = KV_F16,
                                  .memory_budget = 256 << 20,
                                  .max_rows = 1,
                                  .no_prefix_cache = true,
                                  .no_speculation = true};
    run_set(models[0], &s, &alone, SLOW_BUILD ? 6 : N_UNITS, want);
    for (uint32_t i = 0; i < n_tries; i++)
        try_one(models, &s, want);
    for (uint32_t i = 0; i < N_UNITS; i++) {
        if (!SLOW_BUILD || i < 6)
            completion_clear(&want[i]);
        unit_clear(&s.units[i]);
    }
    model_free(&models[0]);
    model_free(&models[1]);
    unlink(f.path);
    free(f.path);
}

static bool is_model(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".gguf") == 0 && strncmp(name, "ggml-vocab-", 11) != 0 &&
           strstr(name, "lora") == NULL;
}

static void reference_models_do_not_notice_how_they_are_run(void **state)
{
    const char *many = getenv("PROCTOR_SAME_BITS");
    uint32_t tries = many ? (uint32_t)strtoul(many, NULL, 10) : SLOW_BUILD ? 2 : 4, n = 0;
    char *dir = reference_or_skip(MODELS_BELOW);
    DIR *d = opendir(dir);
    struct dirent *e;
    (void)state;
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (!is_model(e->d_name))
            continue;
        char *path = px_path_join(dir, e->d_name);
        try_model(path, tries);
        free(path);
        n++;
    }
    closedir(d);
    free(dir);
    printf("%u models, %u combinations each\n", n, tries);
    assert_true(n > 0);
}

/* Stands alone: the shipped model. */
static void the_shipped_model_does_not_notice_how_it_is_run(void **state)
{
    (void)state;
    try_model("recipes/models/tiny.gguf", SLOW_BUILD ? 2 : 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_model_does_not_notice_how_it_is_run),
        cmocka_unit_test(reference_models_do_not_notice_how_they_are_run),
    };
    return cmocka_run_group_tests(tests, import_setup, import_teardown);
}
