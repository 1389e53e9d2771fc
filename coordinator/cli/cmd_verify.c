/* cmd_verify.c - `proctor verify`: a fraction of a run's units is computed again and compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/lead.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"

const char help_verify[] =
    "Usage: proctor verify [RUN] [options]\n"
    "\n"
    "Computes a fraction of a run's units again, in RUN/verify, and compares what two\n"
    "runs must agree on bit for bit: text, tokens, loglikelihoods, counters, verdicts. Which "
    "units\n"
    "is decided by the seed alone. Exits with 1 when any differs.\n"
    "\n"
    "  --fraction F     of the units, above 0 up to 1 (default 0.01; at least one unit)\n"
    "  --seed N         chooses other units (default 0)\n"
    "  --json           the result as one JSON object on stdout\n"
    "  --isa NAME       auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --workers N, --testers N, --threads N, --memory SIZE, --data DIR   as for proctor run\n"
    "\n"
    "Example: proctor verify runs/quickstart --fraction 0.1\n";

struct verify_options {
    struct setup_options setup;
    struct lead_options lead;
    const char *fraction;
    int64_t seed;
    bool json;
};

/* One chosen unit. */
struct audit {
    uint64_t unit;
    struct px_digest content, verdict; /* as the run has them */
};

struct verification {
    const struct plan *plan;
    struct audit *audits; /* ascending by unit */
    size_t n, cap;
    bool *wanted;     /* per unit: audited, or quoted by one that is */
    uint64_t unknown; /* units of the plan that the run's store does not know */
    uint64_t differ_completion, differ_verdict, missing;
};

/* ---- choosing ---- */

/* A number in [0, 1) that only the seed and the unit's plan key decide. */
static double lot(uint64_t seed, const struct px_digest *plan_key)
{
    struct px_hash *h = px_hash_new("proctor verify 1");
    px_hash_u64(h, seed);
    px_hash_digest(h, plan_key);
    struct px_digest d = px_hash_end(&h);
    return (double)(px_load_u64(d.b) >> 11) * 0x1p-53;
}

static bool known(struct store_view *v, const struct px_digest *plan_key, struct audit *a)
{
    const void *val;
    size_t n;
    if (!store_view_get(v, STORE_PLAN, plan_key->b, sizeof plan_key->b, &val, &n) ||
        n != 2 * PX_DIGEST_SIZE)
        return false;
    memcpy(a->content.b, val, PX_DIGEST_SIZE);
    memcpy(a->verdict.b, (const uint8_t *)val + PX_DIGEST_SIZE, PX_DIGEST_SIZE);
    return store_view_get(v, STORE_RESULT, a->content.b, sizeof a->content.b, &val, &n);
}

static int choose(struct verification *x, struct store *s, double fraction, uint64_t seed,
                  struct px_err *err)
{
    struct store_view *v = store_view_begin(s, err);
    struct audit luckiest = {0};
    double least = 2;
    if (!v)
        return -1;
    for (uint64_t i = 0; i < x->plan->n_units; i++) {
        struct px_digest key = plan_key(x->plan, i);
        struct audit a = {.unit = i};
        if (!known(v, &key, &a)) {
            x->unknown++;
            continue;
        }
        double draw = lot(seed, &key);
        if (draw < least) {
            least = draw;
            luckiest = a;
        }
        if (draw < fraction) {
            PX_GROW(x->audits, x->n, x->cap);
            x->audits[x->n++] = a;
        }
    }
    store_view_end(&v);
    if (x->n == 0 && least < 2) {
        PX_GROW(x->audits, x->n, x->cap);
        x->audits[x->n++] = luckiest;
    }
    return x->n
               ? 0
               : px_fail(err, PX_EMISSING,
                         "none of the %llu units that the recipe now has is in this run: its data, "
                         "tasks or models have changed since, or nothing was done yet",
                         (unsigned long long)x->plan->n_units);
}

/* An audited unit whose prompt quotes answers needs those computed, too. */
static void want(struct verification *x, uint64_t unit)
{
    uint64_t needs[PLAN_MAX_NEEDS];
    if (x->wanted[unit])
        return;
    x->wanted[unit] = true;
    uint32_t n = plan_needs(x->plan, unit, needs);
    for (uint32_t i = 0; i < n; i++)
        want(x, needs[i]);
}

static void want_audits(struct verification *x)
{
    x->wanted = px_xcalloc(x->plan->n_units, sizeof *x->wanted);
    for (size_t i = 0; i < x->n; i++)
        want(x, x->audits[i].unit);
}

static bool wanted(void *ctx, uint64_t unit)
{
    const struct verification *x = ctx;
    return x->wanted[unit];
}

/* ---- comparing ---- */

enum found { SAME, DIFFERENT, ABSENT };

typedef int (*digest_fn)(const void *p, size_t n, struct px_digest *out, struct px_err *err);

static bool digest_of(struct store_view *v, enum store_db db, const struct px_digest *key,
                      digest_fn digest, struct px_digest *out)
{
    const void *val;
    size_t n;
    return store_view_get(v, db, key->b, sizeof key->b, &val, &n) && digest(val, n, out, NULL) == 0;
}

static enum found compare(struct store_view *a, const struct px_digest *key_a, struct store_view *b,
                          const struct px_digest *key_b, enum store_db db, digest_fn digest)
{
    struct px_digest da, db_;
    if (!digest_of(a, db, key_a, digest, &da) || !digest_of(b, db, key_b, digest, &db_))
        return ABSENT;
    return px_digest_eq(&da, &db_) ? SAME : DIFFERENT;
}

static void say(const struct verification *x, uint64_t unit, const char *what)
{
    struct plan_unit at = plan_unit_at(x->plan, unit);
    const struct plan_group *g = &x->plan->groups[at.group];
    const struct task *t = x->plan->tasks[g->task];
    fprintf(stderr, "%s: cell %s, task %s, problem %s, sample %u\n", what,
            x->plan->cells[g->cell].names[0], task_name(t), task_problem_id(t, at.problem),
            at.sample);
}

/* A unit computed under another content key was not the same work; that is a difference, too. */
static void judge(struct verification *x, const struct audit *a, struct store_view *run,
                  struct store_view *again)
{
    struct px_digest key = plan_key(x->plan, a->unit);
    struct audit now = {.unit = a->unit};
    if (!known(again, &key, &now)) {
        x->missing++;
        say(x, a->unit, "not computed again");
        return;
    }
    if (compare(run, &a->content, again, &now.content, STORE_RESULT, completion_result_digest) !=
        SAME) {
        x->differ_completion++;
        say(x, a->unit, "another completion");
        return;
    }
    if (px_digest_is_zero(&a->verdict) || px_digest_is_zero(&now.verdict))
        return; /* nothing judged it then */
    if (compare(run, &a->verdict, again, &now.verdict, STORE_VERDICT, verdict_result_digest) ==
        DIFFERENT) {
        x->differ_verdict++;
        say(x, a->unit, "another verdict");
    }
}

static int judge_all(struct verification *x, struct store *run, struct store *again,
                     struct px_err *err)
{
    struct store_view *a = store_view_begin(run, err);
    struct store_view *b = a ? store_view_begin(again, err) : NULL;
    for (size_t i = 0; b && i < x->n; i++)
        judge(x, &x->audits[i], a, b);
    int rc = b ? 0 : -1;
    store_view_end(&b);
    store_view_end(&a);
    return rc;
}

static void conclude(const struct verification *x, bool json)
{
    uint64_t bad = x->missing + x->differ_completion + x->differ_verdict;
    if (json)
        printf("{\"units\":%llu,\"checked\":%zu,\"equal\":%llu,\"completions_differ\":%llu,"
               "\"verdicts_differ\":%llu,\"not_computed\":%llu,\"unknown\":%llu}\n",
               (unsigned long long)x->plan->n_units, x->n, (unsigned long long)(x->n - bad),
               (unsigned long long)x->differ_completion, (unsigned long long)x->differ_verdict,
               (unsigned long long)x->missing, (unsigned long long)x->unknown);
    else
        printf("verified %zu of %llu units: %llu equal bit for bit, %llu completions and %llu "
               "verdicts differ, %llu could not be computed\n",
               x->n, (unsigned long long)x->plan->n_units, (unsigned long long)(x->n - bad),
               (unsigned long long)x->differ_completion, (unsigned long long)x->differ_verdict,
               (unsigned long long)x->missing);
    if (x->unknown && !json)
        printf("%llu units of the recipe as it is now are not in the run\n",
               (unsigned long long)x->unknown);
}

/* ---- the command ---- */

static int read_fraction(const char *text, double *out, struct px_err *err)
{
    if (!text) {
        *out = 0.01;
        return 0;
    }
    if (px_parse_double(text, 0, 1, out, err) != 0 || *out <= 0)
        return px_fail(err, PX_EUSAGE, "--fraction: '%s' is not a number above 0 up to 1", text);
    return 0;
}

static struct store *open_run(const char *run, struct px_err *err)
{
    PX_FREE char *dir = px_path_join(run, "store");
    struct store_options so = {.mode = STORE_READ};
    return store_open(dir, &so, err);
}

static int verify(struct verify_options *o, const struct setup *s, struct store *run,
                  double fraction, struct px_err *err)
{
    struct verification x = {.plan = s->plan};
    struct conductor_options co = {wanted, &x};
    struct store *again = NULL;
    int rc = choose(&x, run, fraction, (uint64_t)o->seed, err);
    if (rc == 0)
        want_audits(&x);
    if (rc == 0)
        rc = (again = lead_open(&o->lead, s, err)) ? lead_run(&o->lead, s, again, &co, err) : -1;
    if (rc == 0)
        rc = judge_all(&x, run, again, err);
    if (rc == 0) {
        conclude(&x, o->json);
        rc = x.missing || x.differ_completion || x.differ_verdict;
    }
    store_close(&again);
    free(x.audits);
    free(x.wanted);
    return rc;
}

static int verify_run(struct verify_options *o, const char *run_dir, double fraction,
                      struct px_err *err)
{
    struct setup s;
    PX_FREE char *recipe = px_path_join(run_dir, "recipe.yaml");
    PX_FREE char *scratch = px_path_join(run_dir, "verify");
    struct store *run = open_run(run_dir, err);
    if (!run)
        return -1;
    o->setup.run_dir = scratch;
    o->lead.fresh = true;
    int rc = setup_load(recipe, &o->setup, &s, err);
    if (rc == 0) {
        rc = verify(o, &s, run, fraction, err);
        setup_clear(&s);
    }
    store_close(&run);
    return rc;
}

int cmd_verify(int argc, char **argv)
{
    struct verify_options o = {.lead = {.quiet = false}};
    struct cli_option options[SETUP_OPTIONS + 4];
    const char *args[1] = {NULL};
    uint32_t n_args;
    bool help;
    double fraction;
    struct px_err err;
    setup_defaults(&o.setup);
    uint32_t n = setup_table(&o.setup, options);
    options[n++] = (struct cli_option){.name = "fraction", .text = &o.fraction};
    options[n++] = (struct cli_option){.name = "seed", .number = &o.seed, .lo = 0, .hi = INT64_MAX};
    options[n++] = (struct cli_option){.name = "json", .flag = &o.json};
    options[n++] = (struct cli_option){.name = "isa", .text = &o.lead.isa};
    if (cli_parse(argc, argv, options, n, args, 1, &n_args, &help, &err) != 0 ||
        read_fraction(o.fraction, &fraction, &err) != 0 || lead_check_isa(o.lead.isa, &err) != 0)
        return cli_usage("verify", &err);
    if (help)
        return cli_help(help_verify);
    if (o.setup.run_dir || o.setup.limit >= 0) {
        px_fail(&err, PX_EUSAGE, "%s cannot act here", o.setup.run_dir ? "--run" : "--limit");
        return cli_usage("verify", &err);
    }
    o.lead.quiet = o.json;
    o.setup.allow_noop = true; /* what the run accepted is not asked again */
    PX_FREE char *run_dir = cli_find_run(args[0], &err);
    int rc =
        run_dir && lead_prepare("verify", &err) == 0 ? verify_run(&o, run_dir, fraction, &err) : -1;
    return rc >= 0 ? rc : cli_fail("verify", &err);
}
