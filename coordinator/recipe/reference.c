/* reference.c - docs/recipe.md, written from the table of keys. */
#include <stdio.h>
#include <string.h>

#include "coordinator/recipe/keys.h"
#include "coordinator/recipe/recipe.h"

static const char head[] =
    "# Recipe reference\n"
    "\n"
    "This page is written from the table that recipes are checked against (`make test` compares\n"
    "the two). A key that is not here is an error. Everything wrong with a recipe is told at\n"
    "once, before any work starts, one line each:\n"
    "\n"
    "    recipe.yaml:9:9: stages.0.eval.sampler.temprature: unknown key; allowed: temperature, "
    "...; did you mean 'temperature'\n"
    "\n"
    "## An example\n"
    "\n"
    "```yaml\n"
    "recipe: reuse-grid\n"
    "seed: 1234\n"
    "models:\n"
    "  base: {source: models/base-q8_0.gguf}\n"
    "stages:\n"
    "  - import: {model: base, as: ready}\n"
    "  - eval:\n"
    "      models: [ready]\n"
    "      tasks: [humaneval, gsm8k]\n"
    "      limit: 100\n"
    "      sampler: {temperature: 0, max_tokens: 512}\n"
    "      grid:\n"
    "        reuse.k: [1, 2, 3]\n"
    "        reuse.subset: [first, middle, last]\n"
    "      exclude:\n"
    "        - {reuse.k: 3, reuse.subset: [middle, last]}\n"
    "gates:\n"
    "  - {metric: humaneval/pass@1, model: base, at_least: 0.6, after: 50}\n"
    "  - {metric: accidents/hit_cap, at_most: 0.05, severity: warn}\n"
    "resources: {workers: auto, memory: 6GiB, threads: auto}\n"
    "```\n"
    "\n"
    "## Keys\n"
    "\n"
    "`*` stands for a name of your own, `[]` for an entry of a list.\n";

static const char tail[] =
    "\n"
    "## Cells\n"
    "\n"
    "Every combination of the grid's values is a cell, the last axis running fastest, without\n"
    "those that `exclude` matches, and with those that `include` adds. Without `grid` and\n"
    "`include` there is one cell, `default`. A cell's name lists its axes:\n"
    "`reuse.k=2,reuse.subset=first`.\n"
    "\n"
    "Cells that resolve to the same settings run once and are reported under all their names.\n"
    "What cannot act in a cell is put at its default first: without temperature the filters\n"
    "`top_k`, `top_p`, `min_p` and further samples, without layer reuse (`k: 1`) the rest of\n"
    "`reuse`. So the three `reuse.k=1` cells above are one. A setting that acts in no cell at\n"
    "all is an error, and so are an axis that is also fixed in the eval, an `exclude` that\n"
    "matches nothing or everything, and an `include` that adds nothing new.\n"
    "\n"
    "## Overriding from the command line\n"
    "\n"
    "`--set path=value` replaces one value before the recipe is checked; the value is YAML.\n"
    "The path is the key's own, with numbers for entries of lists:\n"
    "`--set stages.1.eval.limit=10`, `--set models.base.source=other.gguf`. A path that begins\n"
    "with a key of `eval` goes to every eval: `--set limit=10`,\n"
    "`--set sampler.temperature=0.7`, `--set 'grid.reuse.k=[1, 2]'`.\n"
    "\n"
    "## YAML\n"
    "\n"
    "A recipe is one YAML document in UTF-8, at most 4 MiB, 64 levels deep and 200,000 nodes\n"
    "with aliases expanded. Duplicate keys and tags are errors.\n";

/* "stages[].eval.sampler" for a leaf of it: keys of one map make one table. */
static size_t parent_length(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? (size_t)(dot - path) : 0;
}

/* In a table's cell a bar would end the cell. */
static void write_cell(struct px_buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            px_buf_char(out, '\\');
        px_buf_char(out, *s);
    }
}

static void write_row(struct px_buf *out, const struct key *key)
{
    size_t n = parent_length(key->path);
    px_buf_printf(out, "| `%s` | ", key->path + n + (n > 0));
    key_write_allowed(key, out);
    px_buf_str(out, " | ");
    if (key->required)
        px_buf_str(out, "required");
    else if (key->def)
        px_buf_printf(out, "`%s`", key->def);
    else
        px_buf_str(out, "none");
    px_buf_printf(out, " | %s | ", key->acts);
    write_cell(out, key->doc);
    px_buf_str(out, " |\n");
}

static bool is_first_of_parent(uint32_t index)
{
    size_t n = parent_length(recipe_keys[index].path);
    for (uint32_t i = 0; i < index; i++) {
        if (parent_length(recipe_keys[i].path) == n &&
            strncmp(recipe_keys[i].path, recipe_keys[index].path, n) == 0)
            return false;
    }
    return true;
}

void recipe_write_reference(struct px_buf *out)
{
    px_buf_str(out, head);
    for (uint32_t i = 0; i < n_recipe_keys; i++) {
        if (!is_first_of_parent(i))
            continue;
        const char *path = recipe_keys[i].path;
        size_t n = parent_length(path);
        if (n == 0)
            px_buf_str(out, "\n### The top\n");
        else
            px_buf_printf(out, "\n### `%.*s`\n", (int)n, path);
        px_buf_str(out, "\n| key | takes | default | acts on | |\n|---|---|---|---|---|\n");
        for (uint32_t j = i; j < n_recipe_keys; j++) {
            if (parent_length(recipe_keys[j].path) == n &&
                strncmp(recipe_keys[j].path, path, n) == 0)
                write_row(out, &recipe_keys[j]);
        }
    }
    px_buf_str(out, tail);
}
