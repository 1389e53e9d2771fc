/* state.c - see state.h. */
#include "coordinator/data/state.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/buf.h"
#include "proto/file.h"
#include "proto/mem.h"

#define MAX_FILE ((size_t)1 << 30) /* as coordinator/task/rows.c */

const char *data_state_name(enum data_state s)
{
    static const char *const names[] = {"missing", "there", "right", "wrong", "incomplete"};
    return names[s];
}

void data_found_clear(struct data_found *f)
{
    free(f->path);
    free(f->why);
    *f = (struct data_found){0};
}

static void judge(const struct data_want *w, const void *data, size_t n, struct data_found *out)
{
    struct px_digest got = px_sha256(data, n);
    char want_hex[PX_HEX_SIZE], got_hex[PX_HEX_SIZE];
    if (px_digest_is_zero(&w->hash)) {
        out->state = DATA_THERE;
        out->why = px_xstrdup("its SHA-256 is not known here");
        return;
    }
    out->state = px_digest_eq(&got, &w->hash) ? DATA_RIGHT : DATA_WRONG;
    px_digest_hex(&w->hash, want_hex);
    px_digest_hex(&got, got_hex);
    if (out->state == DATA_WRONG)
        out->why = px_xasprintf("SHA-256 is %s, expected %s", got_hex, want_hex);
}

static int append_file(const char *path, struct px_buf *all, struct data_found *out)
{
    PX_FREE char *text = NULL;
    size_t n;
    struct px_err err;
    if (px_read_file(path, MAX_FILE, &text, &n, &err) != 0) {
        out->state = DATA_WRONG;
        out->why = px_xstrdup(err.text);
        return -1;
    }
    px_buf_put(all, text, n);
    return 0;
}

static void look_at_file(const struct data_want *w, bool hash, struct data_found *out)
{
    struct stat st;
    struct px_buf all;
    if (stat(out->path, &st) != 0 || !S_ISREG(st.st_mode)) {
        out->state = DATA_WRONG;
        out->why = px_xstrdup("is not a file");
        return;
    }
    if (w->bytes >= 0 && st.st_size != w->bytes) {
        out->state = DATA_WRONG;
        out->why = px_xasprintf("has %lld bytes, expected %lld", (long long)st.st_size,
                                (long long)w->bytes);
        return;
    }
    out->state = DATA_THERE;
    if (!hash)
        return;
    px_buf_init(&all, MAX_FILE);
    px_buf_put(&all, "", 0);
    if (append_file(out->path, &all, out) == 0)
        judge(w, all.data, all.len, out);
    px_buf_clear(&all);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void look_at_family(const struct data_want *w, char **paths, size_t n, bool hash,
                           struct data_found *out)
{
    struct px_buf all;
    if (w->n_files > 0 && n != w->n_files) {
        out->state = n < w->n_files ? DATA_INCOMPLETE : DATA_WRONG;
        out->why = px_xasprintf("%zu files, expected %u", n, w->n_files);
        return;
    }
    out->state = DATA_THERE;
    if (!hash)
        return;
    px_buf_init(&all, MAX_FILE);
    px_buf_put(&all, "", 0);
    qsort(paths, n, sizeof *paths, by_name);
    for (size_t i = 0; i < n; i++) {
        if (append_file(paths[i], &all, out) != 0) {
            px_buf_clear(&all);
            return;
        }
    }
    judge(w, all.data, all.len, out);
    px_buf_clear(&all);
}

/* The characters of a directory's own name must not act as a pattern. */
static char *escaped(const char *dir, const char *pattern)
{
    struct px_buf b;
    size_t n;
    px_buf_init(&b, 1 << 16);
    for (const char *p = dir; *p; p++) {
        if (strchr("*?[\\", *p))
            px_buf_char(&b, '\\');
        px_buf_char(&b, *p);
    }
    px_buf_printf(&b, "/%s", pattern);
    return px_buf_steal(&b, &n);
}

void data_look(const struct data_want *w, const struct places *p, bool hash, struct data_found *out)
{
    *out = (struct data_found){.state = DATA_ABSENT};
    if (!strchr(w->file, '*')) {
        out->path = places_find(p, ".", w->file);
        if (out->path)
            look_at_file(w, hash, out);
        return;
    }
    for (uint32_t i = 0; i < p->n && out->state == DATA_ABSENT; i++) {
        PX_FREE char *pattern = escaped(p->list[i].dir, w->file);
        glob_t g;
        if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0)
            continue;
        if (g.gl_pathc > 0) {
            out->path = px_dirname(g.gl_pathv[0]);
            look_at_family(w, g.gl_pathv, g.gl_pathc, hash, out);
        }
        globfree(&g);
    }
}
