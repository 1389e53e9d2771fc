/* catalogue.c - see catalogue.h. */
#include "coordinator/data/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/yaml.h"
#include "proto/file.h"
#include "proto/mem.h"

static const char *const keys_top[] = {"catalogue", "sets"};
static const char *const keys_set[] = {"about", "licence", "origin", "files"};
static const char *const keys_file[] = {"file", "files",  "sha256",  "bytes",     "rows",
                                        "url",  "manual", "shipped", "instead_of"};

void catalogue_free(struct catalogue **cp)
{
    struct catalogue *c = *cp;
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n_sets; i++) {
        free(c->sets[i].name);
        free(c->sets[i].about);
        free(c->sets[i].licence);
        free(c->sets[i].origin);
    }
    for (uint32_t i = 0; i < c->n_files; i++) {
        free(c->files[i].file);
        free(c->files[i].url);
        free(c->files[i].manual);
        free(c->files[i].instead_of);
    }
    free(c->sets);
    free(c->files);
    free(c->path);
    free(c);
    *cp = NULL;
}

/* ---- reading ---- */

static void check_keys(const struct yaml_node *map, const char *const *names, uint32_t n,
                       struct findings *f)
{
    for (size_t i = 0; i < map->n; i++) {
        const char *key = map->keys[i]->text;
        uint32_t k = 0;
        while (k < n && strcmp(names[k], key) != 0)
            k++;
        if (k < n)
            continue;
        struct px_buf all;
        px_buf_init(&all, 4096);
        for (k = 0; k < n; k++)
            px_buf_printf(&all, "%s%s", k ? ", " : "", names[k]);
        check_suggest(key, names, n, &all);
        findings_add(f, map->keys[i], key, "unknown key; allowed: %s", (char *)all.data);
        px_buf_clear(&all);
    }
}

/* Owned; NULL when it is absent or wrong (a finding when required, or no text). */
static char *read_text(const struct yaml_node *map, const char *key, bool required,
                       struct findings *f)
{
    const struct yaml_node *n = yaml_get(map, key);
    if (!n) {
        if (required)
            findings_add(f, map, key, "missing");
        return NULL;
    }
    if (n->kind == YAML_SCALAR && n->n_text > 0 && strlen(n->text) == n->n_text)
        return px_xstrdup(n->text);
    findings_add(f, n, key, "is not a text");
    return NULL;
}

static int64_t read_count(const struct yaml_node *map, const char *key, struct findings *f)
{
    const struct yaml_node *n = yaml_get(map, key);
    int64_t v = -1;
    if (n && (!yaml_int(n, &v) || v < 1 || v > (int64_t)1 << 40)) {
        findings_add(f, n, key, "is not a whole number above 0");
        v = -1;
    }
    return v;
}

/* Below a directory, whatever it is: relative, no empty part, none that begins with a dot. */
static bool is_safe_path(const char *s)
{
    for (const char *p = s;; p++) {
        if (*p == '/' || *p == '\0' || *p == '.')
            return false;
        p += strcspn(p, "/");
        if (*p == '\0')
            return true;
    }
}

static bool family_is_sound(const char *file)
{
    const char *star = strchr(file, '*');
    return star && !strchr(star + 1, '*') && !strchr(star, '/');
}

static void check_ways(const struct yaml_node *map, const struct catalogue_file *out,
                       struct findings *f)
{
    const struct yaml_node *url = yaml_get(map, "url");
    if ((out->url != NULL) + (out->manual != NULL) + out->shipped != 1)
        findings_add(f, map, "url", "exactly one of url, manual and shipped says where it is from");
    if (out->url && strncmp(out->url, "https://", 8) != 0)
        findings_add(f, url, "url", "does not begin with https://");
    if (out->url && (px_digest_is_zero(&out->hash) || out->bytes < 0))
        findings_add(f, map, "url", "what is fetched needs sha256 and bytes");
    if (out->url && out->n_files > 1)
        findings_add(f, url, "url", "a family of files has no one URL");
}

static void read_file(const struct yaml_node *map, struct catalogue_file *out, struct findings *f)
{
    *out = (struct catalogue_file){.bytes = -1, .rows = -1, .n_files = 1};
    if (map->kind != YAML_MAP) {
        findings_add(f, map, "files", "is not a list of maps");
        return;
    }
    check_keys(map, keys_file, sizeof keys_file / sizeof *keys_file, f);
    const struct yaml_node *shipped = yaml_get(map, "shipped");
    const struct yaml_node *files = yaml_get(map, "files");
    out->file = read_text(map, "file", true, f);
    out->url = read_text(map, "url", false, f);
    out->manual = read_text(map, "manual", false, f);
    out->instead_of = read_text(map, "instead_of", false, f);
    out->bytes = read_count(map, "bytes", f);
    out->rows = read_count(map, "rows", f);
    PX_FREE char *hex = read_text(map, "sha256", false, f);
    if (hex && px_digest_parse(hex, &out->hash, NULL) != 0)
        findings_add(f, yaml_get(map, "sha256"), "sha256", "is not 64 hexadecimal digits");
    if (shipped && !yaml_bool(shipped, &out->shipped))
        findings_add(f, shipped, "shipped", "is not true or false");
    if (files) {
        int64_t n = read_count(map, "files", f);
        out->n_files = n > 0 && n <= 100000 ? (uint32_t)n : 1;
    }
    if (out->file && !is_safe_path(out->file))
        findings_add(f, yaml_get(map, "file"), "file",
                     "is not a path below a data directory (no '..', no hidden part)");
    else if (out->file && (files != NULL) != (strchr(out->file, '*') != NULL))
        findings_add(f, map, "files", "goes with one * in the file's name, and only with that");
    else if (out->file && files && !family_is_sound(out->file))
        findings_add(f, yaml_get(map, "file"), "file", "has not one * in its last part");
    check_ways(map, out, f);
}

static void read_set(struct catalogue *c, const struct yaml_node *key, const struct yaml_node *map,
                     struct findings *f)
{
    struct catalogue_set *s = &c->sets[c->n_sets];
    const struct yaml_node *files = yaml_get(map, "files");
    if (map->kind != YAML_MAP) {
        findings_add(f, map, key->text, "is not a map");
        return;
    }
    check_keys(map, keys_set, sizeof keys_set / sizeof *keys_set, f);
    *s = (struct catalogue_set){.name = px_xstrdup(key->text), .first = c->n_files};
    s->about = read_text(map, "about", true, f);
    s->licence = read_text(map, "licence", true, f);
    s->origin = read_text(map, "origin", true, f);
    c->n_sets++;
    if (!files || files->kind != YAML_LIST || files->n == 0) {
        findings_add(f, files ? files : map, "files", "is not a list of maps");
        return;
    }
    c->files = px_xrealloc(c->files, (c->n_files + files->n) * sizeof *c->files);
    for (size_t i = 0; i < files->n; i++) {
        struct catalogue_file *cf = &c->files[c->n_files++];
        read_file(files->items[i], cf, f);
        cf->set = c->n_sets - 1;
        s->n++;
        for (uint32_t k = 0; cf->file && k + 1 < c->n_files; k++)
            if (c->files[k].file && strcmp(c->files[k].file, cf->file) == 0)
                findings_add(f, files->items[i], "file", "'%.200s' has an entry already", cf->file);
    }
}

static void read_all(struct catalogue *c, const struct yaml_node *root, struct findings *f)
{
    const struct yaml_node *sets = yaml_get(root, "sets");
    int64_t version;
    if (root->kind != YAML_MAP) {
        findings_add(f, root, "", "is not a map");
        return;
    }
    check_keys(root, keys_top, sizeof keys_top / sizeof *keys_top, f);
    const struct yaml_node *v = yaml_get(root, "catalogue");
    if (!v || !yaml_int(v, &version) || version != 1)
        findings_add(f, v ? v : root, "catalogue", "is not 1, the version that this build reads");
    if (!sets || sets->kind != YAML_MAP) {
        findings_add(f, sets ? sets : root, "sets", "is not a map of data sets");
        return;
    }
    c->sets = px_xcalloc(sets->n + 1, sizeof *c->sets);
    for (size_t i = 0; i < sets->n; i++)
        read_set(c, sets->keys[i], sets->items[i], f);
    for (uint32_t i = 0; i < c->n_files; i++) {
        const struct catalogue_file *cf = &c->files[i];
        if (cf->instead_of && !catalogue_file(c, cf->instead_of))
            findings_add(f, sets, "instead_of", "'%.200s' is no file of the catalogue",
                         cf->instead_of);
    }
}

struct catalogue *catalogue_parse(const char *text, size_t len, const char *name,
                                  struct px_err *err)
{
    struct findings f = {.file = name};
    struct yaml_doc *doc = yaml_parse_findings(text, len, name, &f, err);
    if (!doc) {
        findings_clear(&f);
        return NULL;
    }
    struct catalogue *c = px_xcalloc(1, sizeof *c);
    c->path = px_xstrdup(name);
    read_all(c, yaml_root(doc), &f);
    if (f.n > 0) {
        struct px_buf b;
        px_buf_init(&b, sizeof err->text - 1);
        findings_write(&f, &b);
        px_fail(err, PX_EINPUT, "%s", (char *)b.data);
        px_buf_clear(&b);
        catalogue_free(&c);
    }
    findings_clear(&f);
    yaml_doc_free(&doc);
    return c;
}

struct catalogue *catalogue_load(const char *path, struct px_err *err)
{
    PX_FREE char *home = path ? NULL : px_home_dir(err);
    if (!path && !home)
        return NULL;
    PX_FREE char *own = path ? px_xstrdup(path) : px_path_join(home, "recipes/data/catalogue.yaml");
    PX_FREE char *text = NULL;
    size_t n;
    if (px_read_file(own, (size_t)16 << 20, &text, &n, err) != 0)
        return NULL;
    return catalogue_parse(text, n, own, err);
}

/* ---- looking up ---- */

const struct catalogue_set *catalogue_set(const struct catalogue *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_sets; i++)
        if (strcmp(c->sets[i].name, name) == 0)
            return &c->sets[i];
    return NULL;
}

bool catalogue_matches(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    size_t n = strlen(name), before = star ? (size_t)(star - pattern) : 0;
    if (!star)
        return strcmp(pattern, name) == 0;
    size_t after = strlen(star + 1);
    return n >= before + after && memcmp(pattern, name, before) == 0 &&
           strcmp(name + n - after, star + 1) == 0 &&
           !memchr(name + before, '/', n - before - after);
}

const struct catalogue_file *catalogue_file(const struct catalogue *c, const char *file)
{
    for (uint32_t i = 0; i < c->n_files; i++)
        if (c->files[i].file &&
            (strcmp(c->files[i].file, file) == 0 || catalogue_matches(c->files[i].file, file)))
            return &c->files[i];
    return NULL;
}

char *catalogue_hint(const char *file)
{
    struct catalogue *c = catalogue_load(NULL, NULL);
    const struct catalogue_file *cf = c ? catalogue_file(c, file) : NULL;
    char *name = cf && !cf->shipped ? px_xstrdup(c->sets[cf->set].name) : NULL;
    catalogue_free(&c);
    return name;
}
