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
        const struct yaml_node *more = yaml_get(m->node, "one_more");
        if (more && !yaml_bool(more, &t->one_more))
            task_map_finding(m, "one_more", "is not true or false");
        if (more && t->selection != FEWSHOT_LM_EVAL)
            task_map_finding(m, "one_more", "cannot act: it acts on `selection: lm-eval`");
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

static void read_list(const struct task_map *m, const char *key, struct template_list *out)
{
    const struct yaml_node *n = yaml_get(m->node, key);
    if (!n)
        return;
    out->is_list = n->kind == YAML_LIST;
    uint32_t count = out->is_list ? (uint32_t)n->n : 1;
    if (count < (out->is_list ? 2 : 1)) {
        task_map_finding(m, key, "needs at least 2 items");
        return;
    }
    out->items = px_xcalloc(count, sizeof *out->items);
    out->n = count;
    for (uint32_t i = 0; i < count; i++)
        out->items[i] = task_template(out->is_list ? n->items[i] : n, key, m->f);
}

/* Choices behind one prompt, or one continuation behind the prompt or behind several contexts. */
static void read_choices(struct task *t, const struct task_map *m)
{
    bool choices = yaml_get(m->node, "choices"), contexts = yaml_get(m->node, "contexts");
    bool continuation = yaml_get(m->node, "continuation");
    static const char *const not_with_contexts[] = {"prompt", "chat_prompt", "prefix"};
    read_list(m, "choices", &t->choices);
    read_list(m, "contexts", &t->contexts);
    t->continuation = task_map_template(m, "continuation", false);
    t->gold = task_map_template(m, "gold", choices || contexts);
    if (!choices && !continuation)
        task_map_finding(m, contexts ? "continuation" : "choices",
                         contexts ? "missing: `contexts` need it"
                                  : "missing: `request: choice` needs it, or `continuation`");
    if (choices && (continuation || contexts))
        task_map_finding(m, continuation ? "continuation" : "contexts",
                         "contradiction: `choices` is given too");
    if (continuation && !contexts && t->gold)
        task_map_finding(m, "gold", "cannot act: there is one continuation only");
    for (size_t i = 0; contexts && i < 3; i++) {
        if (yaml_get(m->node, not_with_contexts[i]))
            task_map_finding(m, not_with_contexts[i],
                             "contradiction: `contexts` stand in its place");
    }
}

static void read_windows(struct task *t, const struct task_map *m)
{
    static const char *const rules[] = {"rolling", "llamacpp", NULL};
    struct task_map w = task_map_map(m, "windows", "windows.", false);
    task_map_check(&w, task_keys_windows);
    t->text = task_map_template(m, "text", true);
    t->windows.rule = (enum windows_rule)task_map_enum(&w, "rule", rules, 0);
    t->windows.context = (uint32_t)task_map_int(&w, "context", 4, 1048576, 0);
    const struct yaml_node *bos = w.node ? yaml_get(w.node, "score_bos") : NULL;
    if (bos && !yaml_bool(bos, &t->windows.score_bos))
        task_map_finding(&w, "score_bos", "is not true or false");
    if (bos && t->windows.rule != WINDOWS_ROLLING)
        task_map_finding(&w, "score_bos", "cannot act: it acts on `rule: rolling`");
    if (t->windows.rule == WINDOWS_LLAMACPP && t->windows.context == 0 && w.node)
        task_map_finding(&w, "context", "missing: `rule: llamacpp` needs it");
}

enum { OF_GENERATE = 1, OF_CHOICE = 2, OF_ROLLING = 4 };

/* Keys that act on some kinds of request only. */
static void check_request_keys(const struct task *t, const struct task_map *m)
{
    static const struct {
        const char *key;
        unsigned of;
        const char *what;
    } keys[] = {
        {"stop", OF_GENERATE, "cannot act: it acts on `request: generate`"},
        {"max_tokens", OF_GENERATE, "cannot act: it acts on `request: generate`"},
        {"reference", OF_GENERATE, "cannot act: it acts on `request: generate`"},
        {"choices", OF_CHOICE, "cannot act: it acts on `request: choice`"},
        {"gold", OF_CHOICE, "cannot act: it acts on `request: choice`"},
        {"contexts", OF_CHOICE, "cannot act: it acts on `request: choice`"},
        {"continuation", OF_CHOICE, "cannot act: it acts on `request: choice`"},
        {"text", OF_ROLLING, "cannot act: it acts on `request: rolling`"},
        {"windows", OF_ROLLING, "cannot act: it acts on `request: rolling`"},
        {"prompt", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"chat_prompt", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"prefix", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"head", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"chat", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"fewshot", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"target_delimiter", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
        {"truncate", OF_GENERATE | OF_CHOICE, "cannot act on `request: rolling`"},
    };
    unsigned is = t->request == TASK_GENERATE ? OF_GENERATE
                  : t->request == TASK_CHOICE ? OF_CHOICE
                                              : OF_ROLLING;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (!(keys[i].of & is) && yaml_get(m->node, keys[i].key))
            task_map_finding(m, keys[i].key, keys[i].what);
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
    t->prompt = task_map_template(m, "prompt",
                                  t->request != TASK_ROLLING && !yaml_get(m->node, "contexts"));
    t->chat_prompt = task_map_template(m, "chat_prompt", false);
    t->prefix = task_map_template(m, "prefix", false);
    t->target_delimiter = task_map_text(m, "target_delimiter", false);
    if (!t->target_delimiter)
        t->target_delimiter = px_xstrdup(" ");
}

void task_read(struct task *t, const struct yaml_node *root, struct findings *f,
               struct data_spec *data, struct data_spec *pool, char **samples)
{
    static const char *const requests[] = {"generate", "choice", "rolling", NULL};
    static const char *const truncations[] = {"refuse", "left", NULL};
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
    t->request = (enum task_request)(TASK_GENERATE + task_map_enum(&m, "request", requests, 0));
    read_prompts(t, &m);
    check_request_keys(t, &m);
    t->chat = read_chat(&m);
    if (t->chat && t->request == TASK_CHOICE && yaml_get(root, "contexts"))
        task_map_finding(&m, "chat", "contradiction: `contexts` are raw text");
    t->truncate = task_map_enum(&m, "truncate", truncations, 0) == 1;
    if (t->request == TASK_CHOICE) {
        read_choices(t, &m);
    } else if (t->request == TASK_ROLLING) {
        read_windows(t, &m);
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
    task_read_turns(t, &m);
    task_read_report(t, &m);
}
