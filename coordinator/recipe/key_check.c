/* key_check.c - one value held against its key, and what a key takes in words. */
#include <stdio.h>
#include <string.h>

#include "coordinator/recipe/keys.h"
#include "proto/number.h"

#define MAX_STOPS 64
#define MAX_STOP_BYTES 256
#define MAX_NAMES 1000
#define MAX_NAME_BYTES 4096

static void write_limit(struct px_buf *out, const struct key *key, double v)
{
    char size[32];
    if (key->type == KEY_SIZE) {
        px_format_size((int64_t)v, size);
        px_buf_str(out, size);
    } else if (key->type == KEY_DURATION) {
        px_format_duration((int64_t)v, size);
        px_buf_str(out, size);
    } else if (key->type == KEY_INT) {
        px_buf_printf(out, "%lld", (long long)v);
    } else {
        px_buf_printf(out, "%g", v);
    }
}

static void write_range(struct px_buf *out, const struct key *key, const char *what)
{
    px_buf_printf(out, "%s %s ", what, key->lo_open ? "above" : "from");
    write_limit(out, key, key->lo);
    px_buf_str(out, key->lo_open ? " up to " : " to ");
    write_limit(out, key, key->hi);
    if (key->word)
        px_buf_printf(out, ", or %s", key->word);
}

static void write_names(struct px_buf *out, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        px_buf_printf(out, "%s%s", i ? ", " : "", names[i]);
}

void key_write_allowed(const struct key *key, struct px_buf *out)
{
    switch (key->type) {
    case KEY_MAP:
    case KEY_NAMED:
        px_buf_str(out, "a map");
        break;
    case KEY_STAGES:
        px_buf_str(out, "a list of stages");
        break;
    case KEY_NAME:
        px_buf_str(out, "a name of letters, digits, '_', '-' and '.'");
        break;
    case KEY_TEXT:
        px_buf_str(out, "a text");
        break;
    case KEY_NAMES:
    case KEY_TEXTS:
        px_buf_str(out, "a list of texts");
        break;
    case KEY_INT:
        write_range(out, key, "an integer");
        break;
    case KEY_NUMBER:
        write_range(out, key, "a number");
        break;
    case KEY_SIZE:
        write_range(out, key, "a size such as 6GiB");
        break;
    case KEY_DURATION:
        write_range(out, key, "a duration such as 30s");
        break;
    case KEY_ENUM:
        px_buf_str(out, "one of ");
        write_names(out, key->allowed);
        break;
    case KEY_SUBSET:
        write_names(out, key->allowed);
        px_buf_str(out, " or a list of layer indices");
        break;
    case KEY_GRID:
        px_buf_str(out, "a map of settings with lists of values");
        break;
    case KEY_CELLS:
    case KEY_MAPS:
        px_buf_str(out, "a list of maps");
        break;
    }
}

static bool say(char *why, size_t n, const char *what)
{
    snprintf(why, n, "%s", what);
    return false;
}

static bool is_word(const struct key *key, const struct yaml_node *node)
{
    return key->word && strcmp(node->text, key->word) == 0;
}

static bool check_number(const struct key *key, const struct yaml_node *node, char *why, size_t n)
{
    double v;
    int64_t i;
    char text[48];
    snprintf(text, sizeof text, "%s", node->text);
    if (is_word(key, node))
        return true;
    if (key->type == KEY_INT ? !yaml_int(node, &i) : !yaml_double(node, &v)) {
        snprintf(why, n, "'%s' is not %s%s", text, key->type == KEY_INT ? "an integer" : "a number",
                 node->quoted ? " (it is a text in quotes)" : "");
        return false;
    }
    if (key->type == KEY_INT)
        v = (double)i;
    if (v < key->lo || v > key->hi || (key->lo_open && v <= key->lo)) {
        snprintf(why, n, "%s is out of range", text);
        return false;
    }
    return true;
}

/* A size or a duration. */
static bool check_amount(const struct key *key, const struct yaml_node *node, char *why, size_t n)
{
    int64_t v;
    if (is_word(key, node))
        return true;
    struct px_err err;
    if (key->type == KEY_SIZE ? px_parse_size(node->text, &v, &err) != 0
                              : px_parse_duration(node->text, &v, &err) != 0)
        return say(why, n, err.text);
    if ((double)v >= key->lo && (double)v <= key->hi)
        return true;
    snprintf(why, n, "%.40s is out of range", node->text);
    return false;
}

static bool check_name(const char *s, char *why, size_t n)
{
    size_t ok = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    if (s[ok] == '\0' && ok > 0 && ok <= 64)
        return true;
    snprintf(why, n, "'%.40s' is not a name%s", s, ok > 64 ? " (longer than 64 characters)" : "");
    return false;
}

static bool check_texts(const struct key *key, const struct yaml_node *node, char *why, size_t n)
{
    if (node->kind != YAML_LIST)
        return say(why, n, "is not a list");
    if (node->n == 0 && key->type == KEY_NAMES)
        return say(why, n, "an empty list");
    size_t most = key->type == KEY_TEXTS ? MAX_STOPS : MAX_NAMES;
    size_t longest = key->type == KEY_TEXTS ? MAX_STOP_BYTES : MAX_NAME_BYTES;
    if (node->n > most) {
        snprintf(why, n, "a list of %zu entries, more than %zu", node->n, most);
        return false;
    }
    for (size_t i = 0; i < node->n; i++) {
        const struct yaml_node *item = node->items[i];
        if (item->kind != YAML_SCALAR || item->n_text == 0 || strlen(item->text) != item->n_text) {
            snprintf(why, n, "entry %zu is not a text", i);
            return false;
        }
        if (item->n_text > longest) {
            snprintf(why, n, "entry %zu is longer than %zu bytes", i, longest);
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(item->text, node->items[j]->text) == 0) {
                snprintf(why, n, "'%.60s' stands twice in the list", item->text);
                return false;
            }
        }
    }
    return true;
}

static bool check_layers(const struct yaml_node *node, char *why, size_t n)
{
    if (node->n > 1024)
        return say(why, n, "a list of more than 1024 layers");
    for (size_t i = 0; i < node->n; i++) {
        int64_t v, w;
        if (!yaml_int(node->items[i], &v) || v < 0 || v > 65535) {
            snprintf(why, n, "entry %zu is not a layer index from 0 to 65535", i);
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (yaml_int(node->items[j], &w) && v == w) {
                snprintf(why, n, "layer %lld stands twice in the list", (long long)v);
                return false;
            }
        }
    }
    return true;
}

static bool check_enum(const struct key *key, const struct yaml_node *node, char *why, size_t n)
{
    for (size_t i = 0; key->allowed[i]; i++) {
        if (strcmp(node->text, key->allowed[i]) == 0)
            return true;
    }
    if (key_is_later(key->path, node->text))
        snprintf(why, n, "'%.40s' is not supported by this version", node->text);
    else
        snprintf(why, n, "'%.40s' is not a value of this key", node->text);
    return false;
}

static bool check_scalar(const struct key *key, const struct yaml_node *node, char *why, size_t n)
{
    if (node->kind != YAML_SCALAR)
        return say(why, n, node->kind == YAML_LIST ? "is a list" : "is a map");
    if (node->n_text == 0 || yaml_is_null(node))
        return say(why, n, "has no value");
    if (strlen(node->text) != node->n_text)
        return say(why, n, "holds a NUL character");
    switch ((int)key->type) {
    case KEY_NAME:
        return check_name(node->text, why, n);
    case KEY_TEXT:
        return true;
    case KEY_SIZE:
    case KEY_DURATION:
        return check_amount(key, node, why, n);
    case KEY_ENUM:
    case KEY_SUBSET:
        return check_enum(key, node, why, n);
    default:
        return check_number(key, node, why, n);
    }
}

bool key_check(const struct key *key, const struct yaml_node *node, char *why, size_t n)
{
    switch (key->type) {
    case KEY_MAP:
    case KEY_NAMED:
    case KEY_GRID:
        return node->kind == YAML_MAP || say(why, n, "is not a map");
    case KEY_STAGES:
    case KEY_CELLS:
    case KEY_MAPS:
        return node->kind == YAML_LIST || say(why, n, "is not a list");
    case KEY_NAMES:
    case KEY_TEXTS:
        return check_texts(key, node, why, n);
    case KEY_SUBSET:
        if (node->kind == YAML_LIST)
            return check_layers(node, why, n);
        return check_scalar(key, node, why, n);
    default:
        return check_scalar(key, node, why, n);
    }
}
