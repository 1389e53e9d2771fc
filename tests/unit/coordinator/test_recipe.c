/* test_recipe.c - recipes: every kind of error with its place, names, --set, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/recipe/recipe.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "proto/model/chat.h"

static char dir[] = "/tmp/proctor-recipe-XXXXXX";
static char file[64]; /* the recipe that messages name; it is never written */

static int make_models(void **state)
{
    (void)state;
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/r.yaml", dir);
    snprintf(path, sizeof path, "%s/m.gguf", dir);
    assert_int_equal(px_write_file(path, "GGUF", 4, NULL), 0);
    return 0;
}

static int remove_models(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/m.gguf", dir);
    unlink(path);
    return rmdir(dir);
}

static const struct recipe_options plain = {0};

static struct recipe *good(const char *text, const struct recipe_options *opt)
{
    struct px_buf findings;
    struct px_err err;
    px_buf_init(&findings, 1u << 20);
    struct recipe *r = recipe_parse(text, strlen(text), file, opt, &findings, &err);
    if (!r)
        fail_msg("%s\n%s", err.text, (char *)findings.data);
    px_buf_clear(&findings);
    return r;
}

/* The findings must be exactly these lines, each beginning with "line:column: " or "--set: ". */
static void bad_with(const char *text, const struct recipe_options *opt, const char *const *want)
{
    struct px_buf findings;
    struct px_err err;
    px_buf_init(&findings, 1u << 20);
    struct recipe *r = recipe_parse(text, strlen(text), file, opt, &findings, &err);
    assert_null(r);
    assert_int_equal(err.code, PX_EINPUT);
    char *save = NULL, *line = strtok_r((char *)findings.data, "\n", &save);
    for (; *want; want++) {
        if (!line || strncmp(line, file, strlen(file)) != 0)
            fail_msg("no finding for: %s (got %s)", *want, line ? line : "none");
        const char *rest = line + strlen(file) + 1;
        if (*rest == ' ')
            rest++;
        if (strncmp(rest, *want, strlen(*want)) != 0)
            fail_msg("got: %s\nnot: %s", rest, *want);
        line = strtok_r(NULL, "\n", &save);
    }
    if (line)
        fail_msg("one finding more: %s", line);
    px_buf_clear(&findings);
}

#define BAD(text, ...)                                                                             \
    do {                                                                                           \
        static const char *const want[] = {__VA_ARGS__, NULL};                                     \
        bad_with(text, &plain, want);                                                              \
    } while (0)

#define HEAD "models:\n  base: {source: m.gguf}\nstages:\n"
/* An eval whose further keys begin at line 5, column 13. */
#define EVAL HEAD "  - eval: {models: [base], tasks: [t],\n            "
/* The same without the end of its map: what follows closes it. */

static void the_smallest_recipe_has_every_default(void **state)
{
    (void)state;
    struct recipe *r = good(HEAD "  - eval: {models: [base], tasks: [t]}\n", &plain);
    assert_string_equal(r->name, "r");
    assert_int_equal(r->seed, 0);
    assert_int_equal(r->workers, -1);
    assert_int_equal(r->testers, -1);
    assert_int_equal(r->threads, -1);
    assert_true(r->memory == -1 && r->host_memory == -1);
    assert_int_equal(r->max_rows, 0);
    assert_int_equal(r->n_stages, 1);
    assert_int_equal(r->stages[0].kind, STAGE_EVAL);
    assert_int_equal(r->stages[0].task_lines[0], 4);
    assert_int_equal(r->stages[0].task_columns[0], 36);
    assert_int_equal(r->stages[0].n_cells, 1);
    const struct recipe_cell *c = &r->stages[0].cells[0];
    assert_string_equal(c->names[0], "default");
    assert_int_equal(c->settings.samples, 1);
    assert_int_equal(c->settings.fewshot, -1);
    assert_int_equal(c->settings.kv, KV_F16);
    assert_int_equal(c->settings.reuse.k, 1);
    assert_int_equal(c->settings.reuse.size, 12);
    assert_string_equal(c->settings_json,
                        "{\"samples\":1,\"limit\":\"all\",\"sampler.temperature\":0,"
                        "\"sampler.top_k\":0,\"sampler.top_p\":1,\"sampler.min_p\":0,"
                        "\"sampler.max_tokens\":\"task\",\"sampler.stop\":[],\"kv\":\"f16\","
                        "\"context\":\"model\",\"chat\":\"task\",\"fewshot\":\"task\",\"strategy\":"
                        "\"standard\",\"compat\":\"none\","
                        "\"reuse.k\":1,\"reuse.subset\":\"none\",\"reuse.size\":12,"
                        "\"reuse.mode\":\"delta\",\"reuse.kv\":\"project\"}");
    recipe_free(&r);
    assert_null(r);
}

static void every_setting_is_read(void **state)
{
    (void)state;
    struct recipe *r =
        good("recipe: all\nseed: 9007199254740992\n" HEAD "  - import: {model: base, as: ready}\n"
             "  - eval:\n      name: e\n      models: [ready]\n"
             "      tasks: [humaneval, sub/own.yaml]\n      samples: 4\n"
             "      limit: 10\n      kv: q8_0\n      context: 512\n"
             "      chat: llama3\n      fewshot: 0\n"
             "      sampler: {temperature: 0.7, top_k: 5, top_p: 0.9, min_p: 0.1,\n"
             "        max_tokens: 7, stop: [\"\\n\\n\", \"é\"]}\n"
             "      reuse: {k: 3, subset: [4, 2], mode: skip, kv: copy}\n"
             "resources: {workers: 2, testers: 0, threads: 3, memory: 1.5GiB,\n"
             "  host_memory: 6GB, batch: 8, hung_after: 30s}\n",
             &plain);
    assert_true(r->seed == 9007199254740992u);
    assert_int_equal(r->workers, 2);
    assert_int_equal(r->testers, 0);
    assert_int_equal(r->threads, 3);
    assert_true(r->memory == 1610612736);
    assert_true(r->host_memory == 6000000000);
    assert_true(r->hung_after_us == 30000000);
    assert_int_equal(r->max_rows, 8);
    const struct recipe_stage *s = &r->stages[1];
    assert_string_equal(s->name, "e");
    assert_string_equal(s->tasks[0], "humaneval");
    PX_FREE char *own = px_xasprintf("%s/sub/own.yaml", dir);
    assert_string_equal(s->tasks[1], own);
    const struct eval_settings *e = &s->cells[0].settings;
    assert_int_equal(e->samples, 4);
    assert_int_equal(e->limit, 10);
    assert_int_equal(e->kv, KV_Q8_0);
    assert_int_equal(e->context, 512);
    assert_int_equal(e->chat, CHAT_MODE_NAMED);
    assert_string_equal(e->chat_template, "llama3");
    assert_int_equal(e->fewshot, 0);
    assert_true(e->sampler.temperature == 0.7 && e->sampler.top_p == 0.9);
    assert_true(e->sampler.min_p == 0.1 && e->sampler.top_k == 5);
    assert_true(e->sampler.seed == r->seed);
    assert_int_equal(e->max_tokens, 7);
    assert_int_equal(e->n_stops, 2);
    assert_string_equal(e->stops[0], "\n\n");
    assert_int_equal(e->reuse.k, 3);
    assert_int_equal(e->reuse.subset, SUBSET_LIST);
    assert_int_equal(e->reuse.n_list, 2);
    assert_int_equal(e->reuse.list[0], 2);
    assert_int_equal(e->reuse.list[1], 4);
    assert_int_equal(e->reuse.mode, REUSE_SKIP);
    assert_int_equal(e->reuse.kv, REUSE_KV_COPY);
    recipe_free(&r);
}

static void unknown_keys_are_told_with_the_nearest_name(void **state)
{
    (void)state;
    BAD(EVAL "sampler: {temprature: 0}}\n",
        "5:23: stages.0.eval.sampler.temprature: unknown key; allowed: temperature, top_k, top_p, "
        "min_p, max_tokens, stop; did you mean 'temperature'");
    BAD("sede: 1\n" EVAL "limit: 1}\n", "1:1: sede: unknown key; allowed: recipe, seed, models, "
                                        "stages, gates, resources; did you mean "
                                        "'seed'");
    BAD(EVAL "temperature: 1}\n", "5:13: stages.0.eval.temperature: unknown key; allowed: ");
    BAD("models:\n  base: {source: m.gguf, bakend: native}\nstages:\n"
        "  - eval: {models: [base], tasks: [t]}\n",
        "2:26: models.base.bakend: unknown key; allowed: source, backend, style, thinking; did you "
        "mean "
        "'backend'");
    BAD(HEAD "  - evl: {models: [base], tasks: [t]}\n",
        "4:5: stages.0.evl: unknown key; allowed: import, eval; did you mean 'eval'");
}

static void later_keys_are_refused_by_name(void **state)
{
    (void)state;
    BAD(HEAD "  - import: {model: base, quantize: q8_0, as: x}\n",
        "4:27: stages.0.import.quantize: not supported by this version");
    BAD(HEAD "  - import: {model: base, layout: rows, as: x}\n",
        "4:35: stages.0.import.layout: 'rows' is not a value of this key; allowed: one of "
        "panels, file");
    BAD(HEAD "  - finetune: {model: base, as: x}\n  - eval: {models: [base], tasks: [t]}\n",
        "4:5: stages.0.finetune: not supported by this version");
    BAD(EVAL "hooks: [a]}\nsecrets: []\n",
        "5:13: stages.0.eval.hooks: not supported by this version",
        "6:1: secrets: not supported by this version");
    BAD("models: {base: {backend: http}}\nstages:\n  - eval: {models: [base], tasks: [t]}\n",
        "1:16: models.base.source: missing",
        "1:26: models.base.backend: 'http' is not supported by this version; allowed: one of "
        "native, replay, noop");
}

static void wrong_types_and_ranges_are_told(void **state)
{
    (void)state;
    BAD("seed: many\n" EVAL "limit: 0, kv: f17, samples: [1], fewshot: '3'}\n"
        "resources: {memory: 6 parsecs, threads: 0}\n",
        "1:7: seed: 'many' is not an integer; allowed: an integer from 0 to 9007199254740992",
        "6:20: stages.0.eval.limit: 0 is out of range; allowed: an integer from 1 to 1000000000, "
        "or all",
        "6:27: stages.0.eval.kv: 'f17' is not a value of this key; allowed: one of f16, f32, q8_0; "
        "did "
        "you mean 'f16'",
        "6:41: stages.0.eval.samples: is a list; allowed: an integer from 1 to 10000",
        "6:55: stages.0.eval.fewshot: '3' is not an integer (it is a text in quotes)",
        "7:21: resources.memory: ", "7:41: resources.threads: 0 is out of range");
    BAD(EVAL "sampler: {max_tokens: 0, top_p: 0, temperature: -1, stop: ['']}}\n",
        "5:35: stages.0.eval.sampler.max_tokens: 0 is out of range",
        "5:45: stages.0.eval.sampler.top_p: 0 is out of range; allowed: a number above 0 up to 1",
        "5:61: stages.0.eval.sampler.temperature: -1 is out of range",
        "5:71: stages.0.eval.sampler.stop: entry 0 is not a text");
    BAD("- a\n", "1:1: a recipe is a map");
    BAD("models: 3\nstages: []\n", "1:9: models: is not a map; allowed: a map",
        "2:9: stages: an empty list");
    BAD("recipe: x\n", "1:1: models: missing; allowed: a map",
        "1:1: stages: missing; allowed: a list of stages");
    BAD(HEAD "  - eval: {models: [base, base], tasks: []}\n",
        "4:20: stages.0.eval.models: 'base' stands twice in the list",
        "4:41: stages.0.eval.tasks: an empty list");
    BAD("models:\n  base: {source: m.gguf}\n  'a b': {source: m.gguf}\nstages:\n"
        "  - eval: {models: [base], tasks: [t]}\n",
        "3:3: models.a b: 'a b' is not a name; allowed: a name of letters");
    BAD(HEAD "  - {import: {model: base, as: x}, eval: {}}\n",
        "4:5: stages.0: a stage is a map with one key, its kind");
}

static void duplicates_and_broken_yaml_are_told(void **state)
{
    (void)state;
    BAD("seed: 1\nseed: 2\n" EVAL "limt: 1}\n", "2:1: seed: duplicate key; the first is at line 1",
        "7:13: stages.0.eval.limt: unknown key");
    BAD("models:\n  base: {source: m.gguf}\n  base: {source: m.gguf}\nstages:\n"
        "  - eval: {models: [base], tasks: [t]}\n",
        "3:3: base: duplicate key; the first is at line 2");
    BAD("models: [\n", "2:1: ");
    BAD("a: \xff\n", "1:4: byte 0xff is not UTF-8");
}

static void models_must_be_there_and_used(void **state)
{
    (void)state;
    BAD("models:\n  base: {source: n.gguf}\nstages:\n  - eval: {models: [base], tasks: [t]}\n",
        "2:18: models.base.source: there is no file /");
    BAD("models:\n  base: {source: m.gguf}\n  other: {source: m.gguf}\nstages:\n"
        "  - eval: {models: [base], tasks: [t]}\n",
        "3:3: models: cannot act: no stage uses 'other'");
    BAD("models:\n  base: {}\nstages:\n  - eval: {models: [base], tasks: [t]}\n",
        "2:9: models.base.source: missing");
}

static void noop_needs_leave(void **state)
{
    (void)state;
    static const char text[] = "models: {n: {backend: noop}}\nstages:\n"
                               "  - eval: {models: [n], tasks: [t]}\n";
    BAD(text, "1:23: models.backend: noop answers nothing and is refused without --allow-noop");
    struct recipe *r = good(text, &(struct recipe_options){.allow_noop = true});
    assert_int_equal(r->models[0].backend, BACKEND_NOOP);
    assert_string_equal(r->models[0].source, "");
    recipe_free(&r);
}

static void names_must_be_made_once_and_without_a_circle(void **state)
{
    (void)state;
    BAD(HEAD "  - import: {model: base, as: ready}\n  - eval: {models: [redy], tasks: [t]}\n",
        "5:21: eval.models: nobody makes 'redy'; allowed: base, ready; did you mean 'ready'");
    BAD(HEAD "  - import: {model: nothing, as: x}\n  - eval: {models: [base], tasks: [t]}\n",
        "4:21: import.model: nobody makes 'nothing'; allowed: base, x");
    BAD(HEAD "  - import: {model: base, as: base}\n",
        "4:31: import.as: the name 'base' is a model's already (line 2)");
    BAD(HEAD "  - import: {model: base, as: x}\n  - import: {model: base, as: x}\n",
        "5:31: import.as: the name 'x' is made already at line 4");
    BAD(HEAD "  - import: {model: b, as: a}\n  - import: {model: a, as: b}\n"
             "  - eval: {models: [a, base], tasks: [t]}\n",
        "4:21: import.model: a cycle of names: a <- b <- a");
    BAD(HEAD "  - import: {model: a, as: a}\n  - eval: {models: [base], tasks: [t]}\n",
        "4:21: import.model: a cycle of names: a <- a");
}

static void stages_run_after_what_they_take(void **state)
{
    (void)state;
    struct recipe *r = good(HEAD "  - eval: {models: [b], tasks: [t], name: last}\n"
                                 "  - import: {model: a, as: b}\n"
                                 "  - import: {model: base, as: a}\n"
                                 "  - eval: {models: [base], tasks: [t], limit: 3}\n",
                            &plain);
    assert_string_equal(r->stages[0].as, "a");
    assert_string_equal(r->stages[1].as, "b");
    assert_string_equal(r->stages[2].name, "last");
    assert_int_equal(r->stages[3].cells[0].settings.limit, 3);
    recipe_free(&r);
}

static void settings_that_cannot_act_are_refused(void **state)
{
    (void)state;
    BAD(EVAL "sampler: {top_k: 5, top_p: 0.5}}\n",
        "5:30: stages.0.eval.sampler.top_k: cannot act: sampler.temperature is 0",
        "5:40: stages.0.eval.sampler.top_p: cannot act: sampler.temperature is 0");
    BAD(EVAL "samples: 3}\n", "5:22: stages.0.eval.samples: cannot act: sampler.temperature is 0");
    BAD(EVAL "reuse: {subset: first}}\n",
        "5:29: stages.0.eval.reuse.subset: cannot act: reuse.k is 1 in every cell");
    BAD(EVAL "reuse: {size: 4, mode: skip, kv: copy}}\n",
        "5:27: stages.0.eval.reuse.size: cannot act: reuse.k is 1",
        "5:36: stages.0.eval.reuse.mode: cannot act: reuse.k is 1",
        "5:46: stages.0.eval.reuse.kv: cannot act: reuse.k is 1");
    BAD(EVAL "reuse: {k: 2}}\n",
        "5:24: stages.0.eval.reuse.subset: missing where reuse.k is above 1");
    BAD(EVAL "reuse: {k: 2, subset: [1, 2], size: 4}}\n",
        "5:49: stages.0.eval.reuse.size: cannot act: contradiction: reuse.subset is a list");
    BAD(EVAL "reuse: {k: 2, subset: []}}\n",
        "5:24: stages.0.eval.reuse.k: cannot act: reuse.subset is empty");
    BAD(EVAL "reuse: {k: 2, subset: [1, 1]}}\n",
        "5:35: stages.0.eval.reuse.subset: layer 1 stands twice in the list");
}

static void engine_settings_need_a_native_model(void **state)
{
    (void)state;
    BAD("models: {m: {source: m.gguf, backend: replay}}\nstages:\n"
        "  - import: {model: m, as: x}\n  - eval: {models: [m], tasks: [t], kv: f32,\n"
        "            reuse: {k: 2, subset: first}}\n",
        "3:21: import.model: contradiction: 'm' is a replay model; allowed: GGUF files",
        "4:41: stages.1.eval.kv: cannot act: it acts on native models",
        "5:24: stages.1.eval.reuse.k: cannot act: it acts on native models");
    BAD("models: {m: {source: m.gguf, backend: replay}}\nstages:\n"
        "  - eval: {models: [m], tasks: [t], chat: qwen2, fewshot: 3, samples: 2,\n"
        "           sampler: {temperature: 1, top_k: 3, max_tokens: 9, stop: [x]}}\n",
        "3:43: stages.0.eval.chat: cannot act: it acts on native models",
        "3:59: stages.0.eval.fewshot: cannot act: it acts on native models",
        "4:45: stages.0.eval.sampler.top_k: cannot act: it acts on native models",
        "4:60: stages.0.eval.sampler.max_tokens: cannot act: it acts on native models",
        "4:69: stages.0.eval.sampler.stop: cannot act: it acts on native models");
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    BAD(EVAL "limit: 1}\nresources: {memory: 2GiB, host_memory: 1GiB}\n",
        "6:21: resources.memory: contradiction");
    BAD(HEAD "  - eval: {models: [base], tasks: [t]}\n  - eval: {models: [base], tasks: [u, t]}\n",
        "5:5: eval.name: contradiction: the eval at line 4 has the same cells");
    BAD("models: {n: {backend: noop, source: m.gguf}}\nstages:\n"
        "  - eval: {models: [n], tasks: [t]}\n",
        "1:23: models.backend: noop", "1:37: models.n.source: cannot act");
}

static void sets_replace_values_before_the_check(void **state)
{
    (void)state;
    static const char *const sets[] = {"limit=7", "sampler.temperature=0.5",
                                       "stages.1.eval.samples=2", "resources.memory=1GiB",
                                       "grid.reuse.subset=[last]"};
    struct recipe *r = good(HEAD "  - eval: {models: [base], tasks: [t], limit: 1, reuse: {k: 2}}\n"
                                 "  - eval: {models: [base], tasks: [u], reuse: {k: 2},\n"
                                 "      grid: {reuse.subset: [first]}}\n",
                            &(struct recipe_options){.sets = sets, .n_sets = 5});
    assert_int_equal(r->stages[0].cells[0].settings.limit, 7);
    assert_int_equal(r->stages[1].cells[0].settings.limit, 7);
    assert_int_equal(r->stages[0].cells[0].settings.samples, 1);
    assert_int_equal(r->stages[1].cells[0].settings.samples, 2);
    assert_true(r->stages[0].cells[0].settings.sampler.temperature == 0.5);
    assert_string_equal(r->stages[0].cells[0].names[0], "reuse.subset=last");
    assert_string_equal(r->stages[1].cells[0].names[0], "reuse.subset=last");
    assert_true(r->memory == 1073741824);
    recipe_free(&r);
}

static void wrong_sets_are_told_without_a_place(void **state)
{
    (void)state;
    static const char *const sets[] = {"limit", "limt=3", "limit=-1", "stages.4.eval.limit=2"};
    static const char *const want[] = {
        "--set: 'limit' is not path=value",
        "--set: limt: neither a key of a recipe nor of an eval; did you mean 'limit'",
        "--set: stages.0.eval.limit: -1 is out of range",
        "--set: stages.4.eval.limit: '4' is not an index into a list of 1", NULL};
    bad_with(EVAL "kv: f16}\n", &(struct recipe_options){.sets = sets, .n_sets = 4}, want);
}

static void what_is_written_parses_to_the_same_recipe(void **state)
{
    (void)state;
    static const char *const sets[] = {"fewshot=2"};
    struct recipe *r =
        good("recipe: w\nseed: 5\n" HEAD "  - import: {model: base, as: ready, layout: file}\n"
             "  - eval:\n      name: a\n      models: [ready]\n      tasks: ['t', x/y.yaml]\n"
             "      sampler: {stop: [\"\\n\", \"a\\\"b\"], max_tokens: 9}\n"
             "      grid:\n        reuse.k: [1, 2]\n        reuse.subset: [first, [3, 1]]\n"
             "        sampler: {temperature: [0, 0.5]}\n"
             "      exclude:\n        - {reuse.k: 1, reuse.subset: [[1, 3]]}\n"
             "      include:\n        - {reuse.k: 3, reuse.subset: last, sampler.stop: [x]}\n"
             "  - eval: {models: [base], tasks: [u], samples: 2, sampler: {temperature: 1}}\n"
             "resources: {memory: 1GiB}\n",
             &(struct recipe_options){.sets = sets, .n_sets = 1});
    struct px_buf one, two;
    px_buf_init(&one, 1u << 20);
    px_buf_init(&two, 1u << 20);
    recipe_write(r, &one);
    struct recipe *again = good((char *)one.data, &plain);
    recipe_write(again, &two);
    assert_string_equal((char *)one.data, (char *)two.data);
    assert_int_equal(again->n_stages, 3);
    assert_false(again->stages[0].panels);
    assert_true(again->memory == r->memory && again->seed == r->seed);
    for (uint32_t i = 1; i < 3; i++) {
        const struct recipe_stage *a = &r->stages[i], *b = &again->stages[i];
        assert_int_equal(a->n_cells, b->n_cells);
        for (uint32_t c = 0; c < a->n_cells; c++) {
            assert_string_equal(a->cells[c].settings_json, b->cells[c].settings_json);
            assert_int_equal(a->cells[c].n_names, b->cells[c].n_names);
            assert_string_equal(a->cells[c].names[0], b->cells[c].names[0]);
        }
    }
    assert_int_equal(again->stages[2].cells[0].settings.fewshot, 2);
    assert_string_equal(again->models[0].source, r->models[0].source);
    px_buf_clear(&one);
    px_buf_clear(&two);
    recipe_free(&r);
    recipe_free(&again);
}

static void a_missing_recipe_is_not_a_finding(void **state)
{
    (void)state;
    struct px_buf findings;
    struct px_err err;
    px_buf_init(&findings, 1024);
    assert_null(recipe_load("/nonexistent/r.yaml", &plain, &findings, &err));
    assert_int_equal(err.code, PX_EMISSING);
    assert_int_equal(findings.len, 0);
}

static void the_reference_is_the_tables(void **state)
{
    (void)state;
    struct px_buf now;
    struct px_err err;
    px_buf_init(&now, 1u << 20);
    recipe_write_reference(&now);
    if (getenv("UPDATE"))
        assert_int_equal(px_write_file("docs/recipe.md", now.data, now.len, &err), 0);
    char *text = NULL;
    size_t n;
    if (px_read_file("docs/recipe.md", 1u << 20, &text, &n, &err) != 0)
        fail_msg("%s (tests run in the root of the repository)", err.text);
    assert_int_equal(n, now.len);
    assert_memory_equal(text, now.data, n); /* `UPDATE=1` with this test writes the page anew */
    free(text);
    px_buf_clear(&now);
}

static void suggestions_are_near_or_absent(void **state)
{
    (void)state;
    static const char *const names[] = {"temperature", "top_k", "stop"};
    assert_string_equal(recipe_nearest("temprature", names, 3), "temperature");
    assert_string_equal(recipe_nearest("tpo_k", names, 3), "top_k");
    assert_null(recipe_nearest("frequency", names, 3));
    assert_null(recipe_nearest("", names, 3));
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_null(recipe_nearest(longer, names, 3));
}

static void every_template_that_chat_takes_exists(void **state)
{
    (void)state;
    static const char *const names[] = {"chatml", "qwen2", "qwen3", "llama3", "gemma2", "phi3"};
    for (size_t i = 0; i < 6; i++) {
        enum chat_template t;
        assert_int_equal(chat_template_by_name(names[i], &t, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_recipe_has_every_default),
        cmocka_unit_test(every_setting_is_read),
        cmocka_unit_test(unknown_keys_are_told_with_the_nearest_name),
        cmocka_unit_test(later_keys_are_refused_by_name),
        cmocka_unit_test(wrong_types_and_ranges_are_told),
        cmocka_unit_test(duplicates_and_broken_yaml_are_told),
        cmocka_unit_test(models_must_be_there_and_used),
        cmocka_unit_test(noop_needs_leave),
        cmocka_unit_test(names_must_be_made_once_and_without_a_circle),
        cmocka_unit_test(stages_run_after_what_they_take),
        cmocka_unit_test(settings_that_cannot_act_are_refused),
        cmocka_unit_test(engine_settings_need_a_native_model),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(sets_replace_values_before_the_check),
        cmocka_unit_test(wrong_sets_are_told_without_a_place),
        cmocka_unit_test(what_is_written_parses_to_the_same_recipe),
        cmocka_unit_test(a_missing_recipe_is_not_a_finding),
        cmocka_unit_test(the_reference_is_the_tables),
        cmocka_unit_test(suggestions_are_near_or_absent),
        cmocka_unit_test(every_template_that_chat_takes_exists),
    };
    return cmocka_run_group_tests(tests, make_models, remove_models);
}
