/* settings.c - see settings.h. Nodes that arrive here have passed key_check. */
#include "coordinator/recipe/settings.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

void settings_init(struct eval_settings *s, uint64_t seed)
{
    *s = (struct eval_settings){
        .sampler = {.top_p = 1, .seed = seed},
        .kv = KV_F16,
        .chat = CHAT_MODE_TASK,
        .fewshot = -1,
        .samples = 1,
        .reuse = {.k = 1, .size = REUSE_DEFAULT_SIZE, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT},
    };
}

static void clear_stops(struct eval_settings *s)
{
    for (uint32_t i = 0; i < s->n_stops; i++)
        free(s->stops[i]);
    free(s->stops);
    s->stops = NULL;
    s->n_stops = 0;
}

void settings_clear(struct eval_settings *s)
{
    clear_stops(s);
    free(s->chat_template);
    free(s->reuse.list);
    *s = (struct eval_settings){0};
}

struct eval_settings settings_copy(const struct eval_settings *s)
{
    struct eval_settings c = *s;
    c.stops = px_xcalloc(s->n_stops, sizeof *c.stops);
    for (uint32_t i = 0; i < s->n_stops; i++)
        c.stops[i] = px_xstrdup(s->stops[i]);
    c.chat_template = s->chat_template ? px_xstrdup(s->chat_template) : NULL;
    c.reuse.list = px_xcalloc(s->reuse.n_list, sizeof *c.reuse.list);
    for (uint32_t i = 0; i < s->reuse.n_list; i++)
        c.reuse.list[i] = s->reuse.list[i];
    return c;
}

/* ---- nodes to values ---- */

/* The number, or `word_value` when the key's word stands there. */
static int64_t int_of(const struct key *key, const struct yaml_node *node, int64_t word_value)
{
    int64_t v = word_value;
    if (!key->word || strcmp(node->text, key->word) != 0)
        (void)yaml_int(node, &v);
    return v;
}

static double number_of(const struct yaml_node *node)
{
    double v = 0;
    (void)yaml_double(node, &v);
    return v + 0.0; /* -0 is 0 */
}

static uint32_t enum_of(const struct key *key, const struct yaml_node *node)
{
    uint32_t i = 0;
    while (key->allowed[i] && strcmp(key->allowed[i], node->text) != 0)
        i++;
    return i;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void apply_subset(struct reuse_settings *r, const struct key *key,
                         const struct yaml_node *node)
{
    free(r->list);
    r->list = NULL;
    r->n_list = 0;
    if (node->kind == YAML_SCALAR) {
        r->subset = (enum reuse_subset)(SUBSET_FIRST + enum_of(key, node));
        return;
    }
    r->subset = SUBSET_LIST;
    r->list = px_xcalloc(node->n, sizeof *r->list);
    r->n_list = (uint32_t)node->n;
    for (size_t i = 0; i < node->n; i++) {
        int64_t v = 0;
        (void)yaml_int(node->items[i], &v);
        r->list[i] = (uint32_t)v;
    }
    if (r->n_list > 1)
        qsort(r->list, r->n_list, sizeof *r->list, by_value);
}

static void apply_chat(struct eval_settings *s, const struct yaml_node *node)
{
    static const char *const modes[] = {"task", "raw", "model"};
    free(s->chat_template);
    s->chat_template = NULL;
    for (int i = 0; i < 3; i++) {
        if (strcmp(node->text, modes[i]) == 0) {
            s->chat = (enum chat_mode)i;
            return;
        }
    }
    s->chat = CHAT_MODE_NAMED;
    s->chat_template = px_xstrdup(node->text);
}

static void apply_stops(struct eval_settings *s, const struct yaml_node *node)
{
    clear_stops(s);
    s->stops = px_xcalloc(node->n, sizeof *s->stops);
    s->n_stops = (uint32_t)node->n;
    for (size_t i = 0; i < node->n; i++)
        s->stops[i] = px_xstrdup(node->items[i]->text);
}

void settings_apply(struct eval_settings *s, const struct key *key, const struct yaml_node *node)
{
    switch (key->knob) {
    case KNOB_SAMPLES:
        s->samples = (uint32_t)int_of(key, node, 1);
        break;
    case KNOB_LIMIT:
        s->limit = (uint32_t)int_of(key, node, 0);
        break;
    case KNOB_TEMPERATURE:
        s->sampler.temperature = number_of(node);
        break;
    case KNOB_TOP_K:
        s->sampler.top_k = (int32_t)int_of(key, node, 0);
        break;
    case KNOB_TOP_P:
        s->sampler.top_p = number_of(node);
        break;
    case KNOB_MIN_P:
        s->sampler.min_p = number_of(node);
        break;
    case KNOB_MAX_TOKENS:
        s->max_tokens = (uint32_t)int_of(key, node, 0);
        break;
    case KNOB_STOP:
        apply_stops(s, node);
        break;
    case KNOB_KV:
        s->kv = kv_type_of(key->allowed[enum_of(key, node)]);
        break;
    case KNOB_CONTEXT:
        s->context = (uint32_t)int_of(key, node, 0);
        break;
    case KNOB_CHAT:
        apply_chat(s, node);
        break;
    case KNOB_FEWSHOT:
        s->fewshot = (int32_t)int_of(key, node, -1);
        break;
    case KNOB_STRATEGY:
        s->strategy = (enum strategy)enum_of(key, node);
        break;
    case KNOB_COMPAT:
        s->compat = (enum compat)enum_of(key, node);
        break;
    case KNOB_REUSE_K:
        s->reuse.k = (uint32_t)int_of(key, node, 1);
        break;
    case KNOB_REUSE_SUBSET:
        apply_subset(&s->reuse, key, node);
        break;
    case KNOB_REUSE_SIZE:
        s->reuse.size = (uint32_t)int_of(key, node, REUSE_DEFAULT_SIZE);
        break;
    case KNOB_REUSE_MODE:
        s->reuse.mode = (enum reuse_mode)(REUSE_DELTA + enum_of(key, node));
        break;
    case KNOB_REUSE_KV:
        s->reuse.kv = (enum reuse_kv)(REUSE_KV_PROJECT + enum_of(key, node));
        break;
    case KNOB_NONE:
    case KNOB_COUNT:
        break;
    }
}

void settings_normalise(struct eval_settings *s)
{
    if (s->sampler.temperature <= 0) {
        s->sampler.top_k = 0;
        s->sampler.top_p = 1;
        s->sampler.min_p = 0;
        s->samples = 1;
    }
    struct reuse_settings *r = &s->reuse;
    if (r->k <= 1 || r->subset == SUBSET_NONE || (r->subset == SUBSET_LIST && r->n_list == 0)) {
        free(r->list);
        *r = (struct reuse_settings){
            .k = 1, .size = REUSE_DEFAULT_SIZE, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    } else if (r->subset == SUBSET_LIST) {
        r->size = r->n_list;
    }
}

/* ---- values to text ---- */

static void write_int(struct px_buf *out, int64_t v, int64_t word_value, const char *word)
{
    if (word && v == word_value)
        px_buf_str(out, word);
    else
        px_buf_printf(out, "%lld", (long long)v);
}

static void write_subset(const struct reuse_settings *r, struct px_buf *out)
{
    static const char *const names[] = {"none", "first", "middle", "last"};
    if (r->subset != SUBSET_LIST) {
        px_buf_str(out, names[r->subset]);
        return;
    }
    px_buf_char(out, '[');
    for (uint32_t i = 0; i < r->n_list; i++)
        px_buf_printf(out, "%s%u", i ? "," : "", r->list[i]);
    px_buf_char(out, ']');
}

static void write_stops(const struct eval_settings *s, struct px_buf *out)
{
    px_buf_char(out, '[');
    for (uint32_t i = 0; i < s->n_stops; i++) {
        if (i)
            px_buf_char(out, ',');
        px_json_quote(out, s->stops[i], strlen(s->stops[i]));
    }
    px_buf_char(out, ']');
}

const char *strategy_name(enum strategy s)
{
    static const char *const names[] = {"standard", "few-shot", "scot", "cgo"};
    return names[s];
}

const char *compat_name(enum compat c)
{
    return c == COMPAT_LM_EVAL ? "lm-eval" : "none";
}

static void write_chat(const struct eval_settings *s, struct px_buf *out)
{
    static const char *const modes[] = {"task", "raw", "model"};
    px_buf_str(out, s->chat == CHAT_MODE_NAMED ? s->chat_template : modes[s->chat]);
}

void settings_write_value(const struct eval_settings *s, enum knob knob, struct px_buf *out)
{
    static const char *const modes[] = {"", "delta", "skip", "output"};
    switch (knob) {
    case KNOB_SAMPLES:
        px_buf_printf(out, "%u", s->samples);
        break;
    case KNOB_LIMIT:
        write_int(out, s->limit, 0, "all");
        break;
    case KNOB_TEMPERATURE:
        px_json_number(out, s->sampler.temperature);
        break;
    case KNOB_TOP_K:
        px_buf_printf(out, "%d", s->sampler.top_k);
        break;
    case KNOB_TOP_P:
        px_json_number(out, s->sampler.top_p);
        break;
    case KNOB_MIN_P:
        px_json_number(out, s->sampler.min_p);
        break;
    case KNOB_MAX_TOKENS:
        write_int(out, s->max_tokens, 0, "task");
        break;
    case KNOB_STOP:
        write_stops(s, out);
        break;
    case KNOB_KV:
        px_buf_str(out, kv_type_name(s->kv));
        break;
    case KNOB_CONTEXT:
        write_int(out, s->context, 0, "model");
        break;
    case KNOB_CHAT:
        write_chat(s, out);
        break;
    case KNOB_FEWSHOT:
        write_int(out, s->fewshot, -1, "task");
        break;
    case KNOB_STRATEGY:
        px_buf_str(out, strategy_name(s->strategy));
        break;
    case KNOB_COMPAT:
        px_buf_str(out, compat_name(s->compat));
        break;
    case KNOB_REUSE_K:
        px_buf_printf(out, "%u", s->reuse.k);
        break;
    case KNOB_REUSE_SUBSET:
        write_subset(&s->reuse, out);
        break;
    case KNOB_REUSE_SIZE:
        px_buf_printf(out, "%u", s->reuse.size);
        break;
    case KNOB_REUSE_MODE:
        px_buf_str(out, modes[s->reuse.mode]);
        break;
    case KNOB_REUSE_KV:
        px_buf_str(out, s->reuse.kv == REUSE_KV_PROJECT ? "project" : "copy");
        break;
    case KNOB_NONE:
    case KNOB_COUNT:
        break;
    }
}

void settings_node_value(const struct key *key, const struct yaml_node *node, struct px_buf *out)
{
    struct eval_settings s;
    settings_init(&s, 0);
    settings_apply(&s, key, node);
    settings_write_value(&s, key->knob, out);
    settings_clear(&s);
}

bool settings_is_default(const struct eval_settings *s, enum knob knob)
{
    struct eval_settings plain;
    settings_init(&plain, 0);
    struct px_buf a, b;
    px_buf_init(&a, 1u << 20);
    px_buf_init(&b, 1u << 20);
    settings_write_value(s, knob, &a);
    settings_write_value(&plain, knob, &b);
    bool same = a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
    px_buf_clear(&a);
    px_buf_clear(&b);
    settings_clear(&plain);
    return same;
}

static bool is_text_knob(const struct eval_settings *s, enum knob knob)
{
    if (knob == KNOB_REUSE_SUBSET)
        return s->reuse.subset != SUBSET_LIST;
    if (knob == KNOB_LIMIT)
        return s->limit == 0;
    if (knob == KNOB_MAX_TOKENS)
        return s->max_tokens == 0;
    if (knob == KNOB_CONTEXT)
        return s->context == 0;
    if (knob == KNOB_FEWSHOT)
        return s->fewshot < 0;
    return knob == KNOB_KV || knob == KNOB_CHAT || knob == KNOB_STRATEGY || knob == KNOB_COMPAT ||
           knob == KNOB_REUSE_MODE || knob == KNOB_REUSE_KV;
}

char *settings_json(const struct eval_settings *s)
{
    struct px_buf b, v;
    px_buf_init(&b, 4u << 20);
    px_buf_init(&v, 1u << 20);
    px_buf_char(&b, '{');
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        enum knob knob = (enum knob)k;
        px_buf_reset(&v);
        settings_write_value(s, knob, &v);
        px_buf_printf(&b, "%s\"%s\":", k > 1 ? "," : "", key_axis(key_of_knob(knob)));
        if (is_text_knob(s, knob))
            px_json_quote(&b, (const char *)v.data, v.len);
        else
            px_buf_put(&b, v.data, v.len);
    }
    px_buf_char(&b, '}');
    px_buf_clear(&v);
    return px_buf_steal(&b, NULL);
}
