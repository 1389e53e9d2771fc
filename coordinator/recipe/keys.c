/* keys.c - the table itself, and finding keys in it. */
#include "coordinator/recipe/keys.h"

#include <stdio.h>
#include <string.h>

static const char *const backends[] = {"native", "replay", "noop", NULL};
static const char *const layouts[] = {"panels", "file", NULL};
static const char *const styles[] = {"task", "completion", "function", "raw", "whole", NULL};
static const char *const kv_types[] = {"f16", "f32", "q8_0", NULL};
static const char *const severities[] = {"warn", "stop", "stop_early", NULL};
static const char *const subsets[] = {"first", "middle", "last", NULL};
static const char *const modes[] = {"delta", "skip", "output", NULL};
static const char *const reuse_kvs[] = {"project", "copy", NULL};
static const char *const strategies[] = {"standard", "few-shot", "scot", "cgo", NULL};
static const char *const compats[] = {"none", "lm-eval", NULL};
static const char *const chats[] = {"task",  "raw",    "model",  "chatml", "qwen2",
                                    "qwen3", "llama3", "gemma2", "phi3",   NULL};

static const char *const judge_chats[] = {"model",  "chatml", "qwen2", "qwen3",
                                          "llama3", "gemma2", "phi3",  NULL};

#define GIB (1024.0 * 1024 * 1024)
#define INT53 9007199254740992.0

const struct key recipe_keys[] = {
    {.path = "recipe",
     .type = KEY_NAME,
     .acts = "reports",
     .doc = "Name of the recipe; the file's name without its ending unless given."},
    {.path = "seed",
     .type = KEY_INT,
     .lo = 0,
     .hi = INT53,
     .def = "0",
     .acts = "sampling, few-shot draws",
     .doc = "Every random choice is keyed by it."},

    {.path = "models",
     .type = KEY_NAMED,
     .required = true,
     .acts = "stages",
     .doc = "Models by name; each must be used by a stage."},
    {.path = "models.*", .type = KEY_MAP, .acts = "stages", .doc = "One model."},
    {.path = "models.*.source",
     .type = KEY_TEXT,
     .acts = "the model",
     .doc = "File, from the recipe's directory: GGUF (native) or recorded completions as JSON "
            "lines (replay)."},
    {.path = "models.*.backend",
     .type = KEY_ENUM,
     .def = "native",
     .allowed = backends,
     .acts = "the model",
     .doc = "native: our engine; replay: recorded completions; noop: no answers, for measurements, "
            "only with --allow-noop."},
    {.path = "models.*.style",
     .type = KEY_ENUM,
     .def = "task",
     .allowed = styles,
     .acts = "programs of replay models",
     .doc = "How tasks whose scorer is of kind code take recorded texts: as the task's own scorer "
            "says, or in another style of docs/scoring.md."},
    {.path = "models.*.thinking",
     .type = KEY_MAP,
     .acts = "generation by native models",
     .doc =
         "The model thinks before it answers: its markers, found by token id. What stands between "
         "them is never scored; a thought without an end is the verdict overflow."},
    {.path = "models.*.thinking.open",
     .type = KEY_TEXT,
     .def = "<think>",
     .acts = "thinking",
     .doc = "Text of the token or tokens that open a thought. A template may write it itself."},
    {.path = "models.*.thinking.close",
     .type = KEY_TEXT,
     .def = "</think>",
     .acts = "thinking",
     .doc = "Text of the token or tokens that close it."},
    {.path = "models.*.thinking.budget",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1048576,
     .word = "none",
     .def = "none",
     .acts = "thinking",
     .doc = "New tokens inside a thought at most: then the close marker is put there. max_tokens "
            "counts thought and answer together."},

    {.path = "stages",
     .type = KEY_STAGES,
     .required = true,
     .acts = "the run",
     .doc = "List of stages, each a map with one key. Their order follows from the names that they "
            "take and make."},

    {.path = "stages[].import",
     .type = KEY_MAP,
     .acts = "the run",
     .doc = "Checks a GGUF file as a whole and makes it ready to map."},
    {.path = "stages[].import.model",
     .type = KEY_NAME,
     .required = true,
     .acts = "import",
     .doc = "The model that it takes: a name under models or of an earlier import."},
    {.path = "stages[].import.as",
     .type = KEY_NAME,
     .required = true,
     .acts = "import",
     .doc = "The name that it makes."},
    {.path = "stages[].import.layout",
     .type = KEY_ENUM,
     .def = "panels",
     .allowed = layouts,
     .acts = "import",
     .doc = "panels: the model is also written in the layout that the engine reads best, once for "
            "the host (docs/models.md); file: it is checked only, and runs from its own file."},

    {.path = KEY_EVAL,
     .type = KEY_MAP,
     .acts = "the run",
     .doc = "Runs every task on every model in every cell, and scores it."},
    {.path = KEY_EVAL ".name",
     .type = KEY_NAME,
     .acts = "reports",
     .doc = "Put before the names of its cells."},
    {.path = KEY_EVAL ".models",
     .type = KEY_NAMES,
     .required = true,
     .acts = "eval",
     .doc = "Names of models."},
    {.path = KEY_EVAL ".tasks",
     .type = KEY_NAMES,
     .required = true,
     .acts = "eval",
     .doc = "Names of shipped tasks, or paths of task files from the recipe's directory."},
    {.path = KEY_EVAL ".judge",
     .type = KEY_MAP,
     .acts = "tasks that can be judged",
     .doc = "A model that rates the answers of tasks such as mt_bench: the tasks <name>/single and "
            "<name>/pairwise are added."},
    {.path = KEY_EVAL ".judge.model",
     .type = KEY_NAME,
     .required = true,
     .acts = "judge",
     .doc = "Name of the judging model; it answers greedily."},
    {.path = KEY_EVAL ".judge.modes",
     .type = KEY_NAMES,
     .def = "[single]",
     .acts = "judge",
     .doc = "single: each answer gets a rating; pairwise: each cell's answers beside the "
            "baseline's, in both orders."},
    {.path = KEY_EVAL ".judge.chat",
     .type = KEY_ENUM,
     .def = "model",
     .allowed = judge_chats,
     .acts = "judge",
     .doc = "model: the judging model's own template; or a template by name."},
    {.path = KEY_EVAL ".judge.baseline",
     .type = KEY_TEXT,
     .acts = "judge.modes: [pairwise]",
     .doc = "Name of the cell that the others are compared with; the eval's first cell unless "
            "given."},
    {.path = KEY_EVAL ".samples",
     .type = KEY_INT,
     .lo = 1,
     .hi = 10000,
     .def = "1",
     .knob = KNOB_SAMPLES,
     .acts = "generation with temperature > 0",
     .doc = "Answers per problem. A greedy cell has one."},
    {.path = KEY_EVAL ".limit",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1e9,
     .word = "all",
     .def = "all",
     .knob = KNOB_LIMIT,
     .acts = "every task",
     .doc =
         "Only the first so many problems of each task; of each subset (a subject of mmlu), where "
         "a task has subsets."},
    {.path = KEY_EVAL ".sampler",
     .type = KEY_MAP,
     .acts = "generation",
     .doc = "How a token is chosen."},
    {.path = KEY_EVAL ".sampler.temperature",
     .type = KEY_NUMBER,
     .lo = 0,
     .hi = 100,
     .def = "0",
     .knob = KNOB_TEMPERATURE,
     .acts = "generation",
     .doc = "0 is greedy: the most probable token, and the other filters do not act."},
    {.path = KEY_EVAL ".sampler.top_k",
     .type = KEY_INT,
     .lo = 0,
     .hi = 1000000,
     .def = "0",
     .knob = KNOB_TOP_K,
     .acts = "native models at temperature > 0",
     .doc = "Only the k most probable tokens; 0 is off."},
    {.path = KEY_EVAL ".sampler.top_p",
     .type = KEY_NUMBER,
     .lo = 0,
     .lo_open = true,
     .hi = 1,
     .def = "1",
     .knob = KNOB_TOP_P,
     .acts = "native models at temperature > 0",
     .doc = "Only the most probable tokens that together reach p; 1 is off."},
    {.path = KEY_EVAL ".sampler.min_p",
     .type = KEY_NUMBER,
     .lo = 0,
     .hi = 1,
     .def = "0",
     .knob = KNOB_MIN_P,
     .acts = "native models at temperature > 0",
     .doc = "Only tokens at least p times as probable as the best; 0 is off."},
    {.path = KEY_EVAL ".sampler.max_tokens",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1048576,
     .word = "task",
     .def = "task",
     .knob = KNOB_MAX_TOKENS,
     .acts = "generation by native models",
     .doc = "New tokens at most; task: as the task says."},
    {.path = KEY_EVAL ".sampler.stop",
     .type = KEY_TEXTS,
     .def = "[]",
     .knob = KNOB_STOP,
     .acts = "generation by native models",
     .doc = "Stop strings, added to the task's."},
    {.path = KEY_EVAL ".kv",
     .type = KEY_ENUM,
     .def = "f16",
     .allowed = kv_types,
     .knob = KNOB_KV,
     .acts = "native models",
     .doc = "Precision of keys and values; q8_0 needs heads of 32, 64, 96 ... values."},
    {.path = KEY_EVAL ".context",
     .type = KEY_INT,
     .lo = 1,
     .hi = 16777216,
     .word = "model",
     .def = "model",
     .knob = KNOB_CONTEXT,
     .acts = "native models",
     .doc = "Positions a sequence may take, prompt included; model: the model's own."},
    {.path = KEY_EVAL ".chat",
     .type = KEY_ENUM,
     .def = "task",
     .allowed = chats,
     .knob = KNOB_CHAT,
     .acts = "prompts of native models",
     .doc = "task: as the task says; raw: no template; model: the model's own; or a template by "
            "name."},
    {.path = KEY_EVAL ".fewshot",
     .type = KEY_INT,
     .lo = 0,
     .hi = 64,
     .word = "task",
     .def = "task",
     .knob = KNOB_FEWSHOT,
     .acts = "prompts of native models",
     .doc = "Solved examples before the question; task: as the task says."},
    {.path = KEY_EVAL ".strategy",
     .type = KEY_ENUM,
     .def = "standard",
     .allowed = strategies,
     .knob = KNOB_STRATEGY,
     .acts = "prompts of native models, tasks that have it",
     .doc = "How the question is put: standard: as the task does; few-shot: with solved examples; "
            "scot: structured reasoning first; cgo: helper functions first."},
    {.path = KEY_EVAL ".compat",
     .type = KEY_ENUM,
     .def = "none",
     .allowed = compats,
     .knob = KNOB_COMPAT,
     .acts = "tasks that have such rules",
     .doc = "lm-eval: prompts, windows and scores as lm-evaluation-harness makes them, quirks "
            "included."},
    {.path = KEY_EVAL ".reuse",
     .type = KEY_MAP,
     .acts = "decode steps of native models",
     .doc = "Layer reuse: some layers are computed only every k-th decode step."},
    {.path = KEY_EVAL ".reuse.k",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1024,
     .def = "1",
     .knob = KNOB_REUSE_K,
     .acts = "reuse",
     .doc = "Step t computes every layer when t mod k = 0; 1 is off."},
    {.path = KEY_EVAL ".reuse.subset",
     .type = KEY_SUBSET,
     .allowed = subsets,
     .knob = KNOB_REUSE_SUBSET,
     .acts = "reuse.k > 1",
     .doc = "The layers that are reused. Needed when k > 1. `first` never holds layer 0."},
    {.path = KEY_EVAL ".reuse.size",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1024,
     .def = "12",
     .knob = KNOB_REUSE_SIZE,
     .acts = "reuse.k > 1 with a subset by name",
     .doc = "Layers in the subset, at most all but one of the model's."},
    {.path = KEY_EVAL ".reuse.mode",
     .type = KEY_ENUM,
     .def = "delta",
     .allowed = modes,
     .knob = KNOB_REUSE_MODE,
     .acts = "reuse.k > 1",
     .doc = "delta: add what the layer added at the last refresh; skip: pass by; output: return "
            "the stored output."},
    {.path = KEY_EVAL ".reuse.kv",
     .type = KEY_ENUM,
     .def = "project",
     .allowed = reuse_kvs,
     .knob = KNOB_REUSE_KV,
     .acts = "reuse.k > 1",
     .doc = "Keys and values of a reused layer: project them from its input, or copy the last "
            "refresh's."},
    {.path = KEY_EVAL ".grid",
     .type = KEY_GRID,
     .acts = "cells",
     .doc = "Settings by dotted path, each with a list of values: every combination is a cell."},
    {.path = KEY_EVAL ".exclude",
     .type = KEY_CELLS,
     .acts = "cells",
     .doc = "Cells of the grid to leave out: a map matches where every axis it names has the "
            "value, or one of the list's."},
    {.path = KEY_EVAL ".include",
     .type = KEY_CELLS,
     .acts = "cells",
     .doc = "Cells beside the grid's, each a map of settings by dotted path."},

    {.path = "gates",
     .type = KEY_MAPS,
     .acts = "the run",
     .doc = "Bounds on results, judged while the run goes on and at its end."},
    {.path = "gates[].metric",
     .type = KEY_TEXT,
     .required = true,
     .acts = "the gate",
     .doc = "TASK/METRIC: a metric of the task's verdicts or aggregates, pass@k, maj@n (n the "
            "samples, judged at the end), accidents/NAME, outcomes/NAME or errors (shares of "
            "units); the last three also without TASK/, for every task."},
    {.path = "gates[].model",
     .type = KEY_NAME,
     .acts = "the gate",
     .doc = "Only cells of this model; a name under models."},
    {.path = "gates[].cell",
     .type = KEY_TEXT,
     .acts = "the gate",
     .doc = "Only the cell with this name, as `proctor plan` shows it."},
    {.path = "gates[].at_least",
     .type = KEY_NUMBER,
     .lo = -1e15,
     .hi = 1e15,
     .acts = "the gate",
     .doc = "Exactly one of the four bounds is needed."},
    {.path = "gates[].at_most",
     .type = KEY_NUMBER,
     .lo = -1e15,
     .hi = 1e15,
     .acts = "the gate",
     .doc = ""},
    {.path = "gates[].above",
     .type = KEY_NUMBER,
     .lo = -1e15,
     .hi = 1e15,
     .acts = "the gate",
     .doc = ""},
    {.path = "gates[].below",
     .type = KEY_NUMBER,
     .lo = -1e15,
     .hi = 1e15,
     .acts = "the gate",
     .doc = ""},
    {.path = "gates[].severity",
     .type = KEY_ENUM,
     .def = "stop",
     .allowed = severities,
     .acts = "the gate",
     .doc = "stop: a gate that is missed fails the run (exit 1) and stops it; warn: it is told; "
            "stop_early: also when the value after `after` units misses it, though the rest might "
            "still make it."},
    {.path = "gates[].after",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1e15,
     .word = "all",
     .def = "all",
     .acts = "the gate",
     .doc = "Judge a cell's task after so many of its units: then a bound that cannot be met any "
            "more, whatever is still to come, stops the run."},

    {.path = "resources",
     .type = KEY_MAP,
     .acts = "this host",
     .doc = "What the run may use here; no result depends on it."},
    {.path = "resources.workers",
     .type = KEY_INT,
     .lo = 0,
     .hi = 1024,
     .word = "auto",
     .def = "auto",
     .acts = "this host",
     .doc = "Local worker processes; 0 when all workers come from elsewhere."},
    {.path = "resources.testers",
     .type = KEY_INT,
     .lo = 0,
     .hi = 1024,
     .word = "auto",
     .def = "auto",
     .acts = "this host",
     .doc = "Local tester processes."},
    {.path = "resources.threads",
     .type = KEY_INT,
     .lo = 1,
     .hi = 1024,
     .word = "auto",
     .def = "auto",
     .acts = "each worker",
     .doc = "Threads per worker."},
    {.path = "resources.memory",
     .type = KEY_SIZE,
     .lo = 1048576,
     .hi = 65536 * GIB,
     .word = "auto",
     .def = "auto",
     .acts = "each worker",
     .doc = "Private memory of a worker; mapped weights do not count."},
    {.path = "resources.host_memory",
     .type = KEY_SIZE,
     .lo = 1048576,
     .hi = 65536 * GIB,
     .word = "auto",
     .def = "auto",
     .acts = "this host",
     .doc = "Mapped models, all workers and all testers of this host together."},
    {.path = "resources.batch",
     .type = KEY_INT,
     .lo = 1,
     .hi = 65536,
     .word = "auto",
     .def = "auto",
     .acts = "each worker",
     .doc = "Sequences that run side by side at most."},
    {.path = "resources.hung_after",
     .type = KEY_DURATION,
     .lo = 1e6,
     .hi = 86400e6,
     .word = "auto",
     .def = "auto",
     .acts = "the coordinator",
     .doc =
         "A peer that holds units and makes no progress for so long is taken for hung: its units "
         "are leased again. auto: 2 minutes."},
};
const uint32_t n_recipe_keys = sizeof recipe_keys / sizeof recipe_keys[0];

/* Names that later versions will give a meaning: refused as such, never skipped. */
static const struct {
    const char *path, *names;
} later[] = {
    {"", " hooks adapters endpoints judge judges prompts include defaults secrets notify "
         "schedule "},
    {"models.*",
     " adapter adapters patch quantize revision sha256 url endpoint served tokenizer template "},
    {"models.*.backend", " http openai vllm llama "},
    {"stages[]",
     " finetune merge prune quantize distill align adapt compile export publish serve bench "
     "compare check data generate perplexity judge "},
    {"stages[].import", " quantize revision sha256 tokenizer "},
    {KEY_EVAL, " hooks adapter adapters judges gates turns tools filters metrics "
               "n_best vote logprobs system prompt "},
    {KEY_EVAL ".sampler",
     " repetition_penalty presence_penalty frequency_penalty typical_p mirostat "
     "logit_bias grammar beams "},
    {KEY_EVAL ".kv", " q4_0 bf16 "},
    {KEY_EVAL ".reuse", " threshold schedule warmup "},
    {KEY_EVAL ".reuse.kv", " hole "},
    {"resources", " gpus nodes partition time walltime disk network slurm "},
};

bool key_is_later(const char *path, const char *name)
{
    char spaced[80];
    int n = snprintf(spaced, sizeof spaced, " %s ", name);
    if (n < 3 || (size_t)n >= sizeof spaced || strchr(name, ' '))
        return false;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        if (strcmp(later[i].path, path) == 0 && strstr(later[i].names, spaced))
            return true;
    }
    return false;
}

const struct key *key_find(const char *path)
{
    for (uint32_t i = 0; i < n_recipe_keys; i++) {
        if (strcmp(recipe_keys[i].path, path) == 0)
            return &recipe_keys[i];
    }
    return NULL;
}

const struct key *key_of_knob(enum knob knob)
{
    for (uint32_t i = 0; i < n_recipe_keys; i++) {
        if (recipe_keys[i].knob == knob)
            return &recipe_keys[i];
    }
    return NULL;
}

const char *key_axis(const struct key *key)
{
    return key->path + sizeof KEY_EVAL; /* the NUL's place is the dot's */
}

const struct key *key_by_axis(const char *axis)
{
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        const struct key *key = key_of_knob((enum knob)k);
        if (strcmp(key_axis(key), axis) == 0)
            return key;
    }
    return NULL;
}

uint32_t key_children(const char *path, const char **names, uint32_t max)
{
    size_t n = strlen(path);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n_recipe_keys && count < max; i++) {
        const char *p = recipe_keys[i].path;
        if (n > 0) {
            if (strncmp(p, path, n) != 0 || p[n] != '.')
                continue;
            p += n + 1;
        }
        if (*p && !strpbrk(p, ".[*"))
            names[count++] = p;
    }
    return count;
}
