/* yaml.c - libyaml's events into a tree of nodes that know where they stood.
 *
 * Every node is owned by its document. An alias is expanded by copying the tree of its anchor, and
 * the copies count towards the limit of nodes, so an alias bomb ends as an error. */
#include "coordinator/recipe/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/yaml_doc.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

#define MAX_TEXT (4u << 20)
#define MAX_SCALAR (1u << 20)
#define MAX_DEPTH 64
#define MAX_NODES 200000

struct anchor {
    char *name;
    struct yaml_node *node;
    bool complete; /* its end was seen; before that an alias would contain itself */
};

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    struct yaml_doc *doc;
    struct findings *findings;
    struct anchor *anchors;
    size_t n_anchors, cap_anchors;
    struct px_err *err;
};

/* "name:line:column: what"; returns NULL so that `return refuse(...)` is one line. */
static void *refuse(struct reader *r, size_t line, size_t column, const char *fmt, ...)
    PX_PRINTF(4, 5);

static void *refuse(struct reader *r, size_t line, size_t column, const char *fmt, ...)
{
    char what[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    px_fail(r->err, PX_EINPUT, "%s:%zu:%zu: %s", r->doc->name, line, column, what);
    return NULL;
}

static void *refuse_at_event(struct reader *r, const char *what)
{
    const yaml_mark_t *m = &r->event.start_mark;
    return refuse(r, m->line + 1, m->column + 1, "%s", what);
}

struct yaml_node *yaml_doc_node(struct yaml_doc *d, enum yaml_kind kind)
{
    struct yaml_node *n = px_xcalloc(1, sizeof *n);
    n->kind = kind;
    PX_GROW(d->nodes, d->n_nodes, d->cap_nodes);
    d->nodes[d->n_nodes++] = n;
    return n;
}

void yaml_node_add(struct yaml_node *n, struct yaml_node *key, struct yaml_node *value)
{
    /* Capacities are powers of two from 4 on, so the count tells when to grow. */
    if (n->n == 0 || (n->n >= 4 && (n->n & (n->n - 1)) == 0)) {
        size_t cap = n->n ? 2 * n->n : 4;
        n->items = px_xrealloc(n->items, cap * sizeof *n->items);
        if (n->kind == YAML_MAP)
            n->keys = px_xrealloc(n->keys, cap * sizeof *n->keys);
    }
    n->items[n->n] = value;
    if (n->kind == YAML_MAP)
        n->keys[n->n] = key;
    n->n++;
}

/* ---- events ---- */

static void *refuse_parser(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR)
        return refuse(r, p->mark.line + 1, p->mark.column + 1, "%s (byte %zu)",
                      p->problem ? p->problem : "unreadable", p->problem_offset);
    return refuse(r, p->problem_mark.line + 1, p->problem_mark.column + 1, "%s%s%s",
                  p->problem ? p->problem : "not YAML", p->context ? " " : "",
                  p->context ? p->context : "");
}

static bool next_event(struct reader *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = false;
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        refuse_parser(r);
        return false;
    }
    r->has_event = true;
    return true;
}

static struct yaml_node *node_at_event(struct reader *r, enum yaml_kind kind)
{
    if (r->doc->n_nodes >= MAX_NODES)
        return refuse_at_event(r, "the document has more than 200000 nodes");
    struct yaml_node *n = yaml_doc_node(r->doc, kind);
    n->line = (uint32_t)r->event.start_mark.line + 1;
    n->column = (uint32_t)r->event.start_mark.column + 1;
    return n;
}

/* Remembers the anchor of a node that begins; -1 when it has none. */
static long open_anchor(struct reader *r, const yaml_char_t *name, struct yaml_node *n)
{
    if (!name)
        return -1;
    PX_GROW(r->anchors, r->n_anchors, r->cap_anchors);
    r->anchors[r->n_anchors] =
        (struct anchor){.name = px_xstrdup((const char *)name), .node = n, .complete = false};
    return (long)r->n_anchors++;
}

static void close_anchor(struct reader *r, long a)
{
    if (a >= 0)
        r->anchors[a].complete = true;
}

static struct yaml_node *copy_tree(struct reader *r, const struct yaml_node *from)
{
    struct yaml_node *n = node_at_event(r, from->kind);
    if (!n)
        return NULL;
    n->line = from->line;
    n->column = from->column;
    n->quoted = from->quoted;
    if (from->kind == YAML_SCALAR) {
        r->doc->copied += from->n_text;
        if (r->doc->copied > MAX_TEXT)
            return refuse_at_event(r, "aliases expand to more than 4 MiB of text");
        n->text = px_xmemdup(from->text, from->n_text);
        n->n_text = from->n_text;
    }
    for (size_t i = 0; i < from->n; i++) {
        struct yaml_node *key = from->kind == YAML_MAP ? copy_tree(r, from->keys[i]) : NULL;
        if (from->kind == YAML_MAP && !key)
            return NULL;
        struct yaml_node *value = copy_tree(r, from->items[i]);
        if (!value)
            return NULL;
        yaml_node_add(n, key, value);
    }
    return n;
}

static unsigned tree_depth(const struct yaml_node *n)
{
    unsigned deepest = 0;
    for (size_t i = 0; i < n->n; i++) {
        unsigned d = tree_depth(n->items[i]);
        if (d > deepest)
            deepest = d;
    }
    return deepest + 1;
}

static struct yaml_node *expand_alias(struct reader *r, unsigned depth)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    for (size_t i = r->n_anchors; i-- > 0;) {
        if (strcmp(r->anchors[i].name, name) != 0)
            continue;
        if (!r->anchors[i].complete)
            return refuse_at_event(r, "an alias inside its own anchor");
        if (depth + tree_depth(r->anchors[i].node) > MAX_DEPTH + 1)
            return refuse_at_event(r, "more than 64 levels of nesting");
        return copy_tree(r, r->anchors[i].node);
    }
    return refuse(r, r->event.start_mark.line + 1, r->event.start_mark.column + 1,
                  "alias '*%.100s' without an anchor before it", name);
}

static struct yaml_node *read_node(struct reader *r, unsigned depth);

static struct yaml_node *read_scalar(struct reader *r)
{
    if (r->event.data.scalar.tag)
        return refuse_at_event(r, "tags are not supported");
    if (r->event.data.scalar.length > MAX_SCALAR)
        return refuse_at_event(r, "a scalar of more than 1 MiB");
    struct yaml_node *n = node_at_event(r, YAML_SCALAR);
    if (!n)
        return NULL;
    n->n_text = r->event.data.scalar.length;
    n->text = px_xmemdup(r->event.data.scalar.value, n->n_text);
    n->quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    close_anchor(r, open_anchor(r, r->event.data.scalar.anchor, n));
    return n;
}

static struct yaml_node *read_list(struct reader *r, unsigned depth)
{
    if (r->event.data.sequence_start.tag)
        return refuse_at_event(r, "tags are not supported");
    struct yaml_node *n = node_at_event(r, YAML_LIST);
    if (!n)
        return NULL;
    long a = open_anchor(r, r->event.data.sequence_start.anchor, n);
    for (;;) {
        if (!next_event(r))
            return NULL;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        struct yaml_node *item = read_node(r, depth + 1);
        if (!item)
            return NULL;
        yaml_node_add(n, NULL, item);
    }
    close_anchor(r, a);
    return n;
}

static uint64_t text_hash(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a: only spreads keys of one map */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)s[i]) * 0x100000001b3u;
    return h;
}

static bool same_text(const struct yaml_node *a, const struct yaml_node *b)
{
    return a->n_text == b->n_text && memcmp(a->text, b->text, a->n_text) == 0;
}

/* Reports keys that stand twice in a map, and keeps the first of each. */
static void drop_duplicates(struct reader *r, struct yaml_node *map)
{
    size_t cap = 16;
    while (cap < 2 * map->n)
        cap *= 2;
    size_t *slots = px_xcalloc(cap, sizeof *slots); /* index + 1; 0: free */
    size_t kept = 0;
    for (size_t i = 0; i < map->n; i++) {
        struct yaml_node *key = map->keys[i];
        size_t at = text_hash(key->text, key->n_text) & (cap - 1);
        while (slots[at] && !same_text(map->keys[slots[at] - 1], key))
            at = (at + 1) & (cap - 1);
        if (slots[at]) {
            findings_add(r->findings, key, key->text, "duplicate key; the first is at line %u",
                         map->keys[slots[at] - 1]->line);
            continue;
        }
        map->keys[kept] = key;
        map->items[kept] = map->items[i];
        slots[at] = ++kept;
    }
    map->n = kept;
    free(slots);
}

static struct yaml_node *read_map(struct reader *r, unsigned depth)
{
    if (r->event.data.mapping_start.tag)
        return refuse_at_event(r, "tags are not supported");
    struct yaml_node *n = node_at_event(r, YAML_MAP);
    if (!n)
        return NULL;
    long a = open_anchor(r, r->event.data.mapping_start.anchor, n);
    for (;;) {
        if (!next_event(r))
            return NULL;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        struct yaml_node *key = read_node(r, depth + 1);
        if (!key)
            return NULL;
        if (key->kind != YAML_SCALAR)
            return refuse(r, key->line, key->column, "a key must be a plain text");
        if (!next_event(r))
            return NULL;
        struct yaml_node *value = read_node(r, depth + 1);
        if (!value)
            return NULL;
        yaml_node_add(n, key, value);
    }
    drop_duplicates(r, n);
    close_anchor(r, a);
    return n;
}

/* The current event begins a node. */
static struct yaml_node *read_node(struct reader *r, unsigned depth)
{
    if (depth > MAX_DEPTH)
        return refuse_at_event(r, "more than 64 levels of nesting");
    switch ((int)r->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, depth);
    case YAML_MAPPING_START_EVENT:
        return read_map(r, depth);
    case YAML_ALIAS_EVENT:
        return expand_alias(r, depth);
    default:
        return refuse_at_event(r, "a value is missing");
    }
}

static int read_document(struct reader *r)
{
    if (!next_event(r) || !next_event(r)) /* stream start, document start */
        return -1;
    if (r->event.type != YAML_DOCUMENT_START_EVENT)
        return px_fail(r->err, PX_EINPUT, "%s:1:1: the document is empty", r->doc->name);
    if (!next_event(r))
        return -1;
    r->doc->root = read_node(r, 1);
    if (!r->doc->root || !next_event(r) || !next_event(r)) /* document end, stream end */
        return -1;
    if (r->event.type != YAML_STREAM_END_EVENT) {
        refuse_at_event(r, "a second document in one file");
        return -1;
    }
    return 0;
}

/* ---- documents ---- */

static int refuse_encoding(const char *text, size_t len, const char *name, struct px_err *err)
{
    size_t line = 1, column = 1, at = 0;
    while (at < len) {
        size_t step = 1; /* bytes of the character that begins here */
        while (at + step < len && ((uint8_t)text[at + step] & 0xc0) == 0x80 && step < 4)
            step++;
        if (!px_utf8_valid(text + at, step))
            break;
        column++;
        if (text[at] == '\n') {
            line++;
            column = 1;
        }
        at += step;
    }
    return px_fail(err, PX_EINPUT, "%s:%zu:%zu: byte 0x%02x is not UTF-8", name, line, column,
                   at < len ? (uint8_t)text[at] : 0);
}

struct yaml_doc *yaml_doc_new(const char *name)
{
    struct yaml_doc *d = px_xcalloc(1, sizeof *d);
    d->name = px_xstrdup(name);
    return d;
}

static int check_text(const char *text, size_t len, const char *name, struct px_err *err)
{
    if (len > MAX_TEXT)
        return px_fail(err, PX_ELIMIT, "%s:1:1: %zu bytes of YAML; at most 4 MiB are read", name,
                       len);
    if (!px_utf8_valid(text, len))
        return refuse_encoding(text, len, name, err);
    return 0;
}

struct yaml_doc *yaml_parse_findings(const char *text, size_t len, const char *name,
                                     struct findings *findings, struct px_err *err)
{
    if (check_text(text, len, name, err) != 0)
        return NULL;
    struct reader r = {.doc = yaml_doc_new(name), .findings = findings, .err = err};
    px_assert(yaml_parser_initialize(&r.parser));
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int rc = read_document(&r);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    for (size_t i = 0; i < r.n_anchors; i++)
        free(r.anchors[i].name);
    free(r.anchors);
    if (rc != 0)
        yaml_doc_free(&r.doc);
    return r.doc;
}

struct yaml_doc *yaml_parse(const char *text, size_t len, const char *name, struct px_err *err)
{
    struct findings f = {.file = name};
    struct yaml_doc *d = yaml_parse_findings(text, len, name, &f, err);
    if (d && f.n > 0) {
        struct px_buf all;
        px_buf_init(&all, 256u << 10);
        findings_write(&f, &all);
        px_fail(err, PX_EINPUT, "%.*s", (int)strcspn((char *)all.data, "\n"), (char *)all.data);
        px_buf_clear(&all);
        yaml_doc_free(&d);
    }
    findings_clear(&f);
    return d;
}

struct yaml_doc *yaml_load(const char *path, struct px_err *err)
{
    PX_FREE char *text = NULL;
    size_t len;
    if (px_read_file(path, MAX_TEXT, &text, &len, err) != 0)
        return NULL;
    return yaml_parse(text, len, path, err);
}

void yaml_doc_free(struct yaml_doc **d)
{
    if (!*d)
        return;
    for (size_t i = 0; i < (*d)->n_nodes; i++) {
        struct yaml_node *n = (*d)->nodes[i];
        free(n->text);
        free(n->items);
        free(n->keys);
        free(n);
    }
    free((*d)->nodes);
    free((*d)->name);
    free(*d);
    *d = NULL;
}

struct yaml_node *yaml_root(const struct yaml_doc *d)
{
    return d->root;
}

const char *yaml_name(const struct yaml_doc *d)
{
    return d->name;
}
