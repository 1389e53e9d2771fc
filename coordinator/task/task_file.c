/* task_file.c - a task file's tree into a task; everything wrong is told at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/mem.h"

/* ---- few-shot ---- */

static char *samples_text(const struct task_map *m, const struct yaml_node *list)
{
    struct px_buf b;
    if (list->kind != YAML_LIST || list->n == 0) {
        task_map_finding(m, "samples", "is not a list of maps");
        return NULL;
    }
    px_buf_init(&b, 64u << 20);
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i]->kind != YAML_MAP) {
            task_map_finding(m, "samples", "is not a list of maps");
            break;
        }
        task_yaml_json(list->items[i], &b);
        px_buf_char(&b, '\n');
    }
    return px_buf_steal(&b, NULL);
}

static void read_fewshot(struct task *t, const struct task_map *m, struct data_spec *pool,
                         char **samples)
{
    static const char *const selections[] = {"random", "first", "lm-eval", NULL};
    t->shot_delimiter = NULL;
    if (m->node) {
        t->has_fewshot = true;
        task_map_check(m, task_keys_fewshot);
        t->fewshot = (int32_t)task_map_int(m, "n", 0, FEWSHOT_MAX, 0);
        t->shot_target = task_map_template(m, "target", t->request == TASK_GENERATE);
        t->shot_prompt = task_map_template(m, "prompt", false);
        t->shot_delimiter = task_map_text(m, "delimiter", false);
        t->selection = (enum fewshot_selection)task_map_enum(m, "selection", selections, 0);
        if (yaml_get(m->node, "seed") && t->selection != FEWSHOT_LM_EVAL)
            task_map_finding(m, "seed", "cannot act: it acts on `selection: lm-eval`");
        t->fewshot_seed = (uint64_t)task_map_int(m, "seed", 0, INT64_MAX, 1234);
        const struct yaml_node *list = yaml_get(m->node, "samples");
        struct task_map data = task_map_map(m, "data", "fewshot.data.", false);
        if (list && data.node)
            task_map_finding(m, "samples", "contradiction: `data` is given too");
        else if (list)
            *samples = samples_text(m, list);
        task_read_data(&data, pool);
    }
    if (!t->shot_delimiter)
        t->shot_delimiter = px_xstrdup("\n\n");
}

/* ---- prompts ---- */

static void read_choices(struct task *t, const struct task_map *m)
{
    const struct yaml_node *n = yaml_get(m->node, "choices");
    if (!n) {
        task_map_finding(m, "choices", "missing: `request: choice` needs it");
        return;
    }
    t->choices_are_list = n->kind == YAML_LIST;
    t->n_choices = t->choices_are_list ? (uint32_t)n->n : 1;
    t->choices = px_xcalloc(t->n_choices, sizeof *t->choices);
    if (t->choices_are_list && n->n < 2)
        task_map_finding(m, "choices", "needs at least 2 choices");
    for (uint32_t i = 0; i < t->n_choices; i++)
        t->choices[i] = task_template(t->choices_are_list ? n->items[i] : n, "choices", m->f);
}

/* Keys that act on one kind of request only. */
static void check_request_keys(const struct task *t, const struct task_map *m)
{
    static const char *const of_generate[] = {"stop", "max_tokens", "reference"};
    static const char *const of_choice[] = {"choices", "gold"};
    bool choice = t->request == TASK_CHOICE;
    for (size_t i = 0; choice && i < 3; i++) {
        if (yaml_get(m->node, of_generate[i]))
            task_map_finding(m, of_generate[i], "cannot act: it acts on `request: generate`");
    }
    for (size_t i = 0; !choice && i < 2; i++) {
        if (yaml_get(m->node, of_choice[i]))
            task_map_finding(m, of_choice[i], "cannot act: it acts on `request: choice`");
    }
}

static double read_chance(const struct task_map *m)
{
    const struct yaml_node *n = yaml_get(m->node, "chance");
    double v = 0;
    if (n && (!yaml_double(n, &v) || v < 0 || v > 1)) {
        task_map_finding(m, "chance", "is not a number from 0 to 1");
        v = 0;
    }
    return v;
}

static bool read_chat(const struct task_map *m)
{
    const struct yaml_node *n = yaml_get(m->node, "chat");
    bool v = false;
    if (n && !yaml_bool(n, &v))
        task_map_finding(m, "chat", "is not true or false");
    return v;
}

static void read_name(struct task *t, const struct task_map *m)
{
    t->name = task_map_text(m, "task", true);
    const char *ok = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (t->name && (!*t->name || strspn(t->name, ok) != strlen(t->name) || strlen(t->name) > 64))
        task_map_finding(m, "task", "is not a name of letters, digits, '_', '-' and '.'");
    if (!t->name)
        t->name = px_xstrdup("");
}

static void read_prompts(struct task *t, const struct task_map *m)
{
    t->id = task_map_template(m, "id", false);
    t->head = task_map_template(m, "head", false);
    t->prompt = task_map_template(m, "prompt", true);
    t->chat_prompt = task_map_template(m, "chat_prompt", false);
    t->prefix = task_map_template(m, "prefix", false);
    t->target_delimiter = task_map_text(m, "target_delimiter", false);
    if (!t->target_delimiter)
        t->target_delimiter = px_xstrdup(" ");
}

void task_read(struct task *t, const struct yaml_node *root, struct findings *f,
               struct data_spec *data, struct data_spec *pool, char **samples)
{
    static const char *const requests[] = {"generate", "choice", NULL};
    struct task_map m = {.node = root, .path = "", .f = f};
    data_spec_init(data);
    data_spec_init(pool);
    *samples = NULL;
    if (root->kind != YAML_MAP) {
        findings_add(f, root, "", "a task is a map");
        m.node = NULL;
        return;
    }
    task_map_check(&m, task_keys_top);
    read_name(t, &m);
    PX_FREE char *about = task_map_text(&m, "about", false); /* for people; checked, not kept */
    struct task_map data_map = task_map_map(&m, "data", "data.", true);
    task_read_data(&data_map, data);
    t->request = task_map_enum(&m, "request", requests, 0) == 0 ? TASK_GENERATE : TASK_CHOICE;
    read_prompts(t, &m);
    check_request_keys(t, &m);
    t->chat = read_chat(&m);
    if (t->request == TASK_CHOICE) {
        read_choices(t, &m);
        t->gold = task_map_template(&m, "gold", true);
    } else {
        t->reference = task_map_template(&m, "reference", false);
        t->max_tokens = (uint32_t)task_map_int(&m, "max_tokens", 1, 1048576, 256);
        t->stops = task_map_texts(&m, "stop", &t->n_stops);
    }
    t->chance = read_chance(&m);
    struct task_map fewshot = task_map_map(&m, "fewshot", "fewshot.", false);
    read_fewshot(t, &fewshot, pool, samples);
    struct task_map scorer = task_map_map(&m, "scorer", "scorer.", true);
    if (scorer.node)
        task_read_scorer(t, scorer.node, f);
    task_read_report(t, &m);
}
