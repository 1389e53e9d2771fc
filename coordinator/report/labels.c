/* labels.c - see labels.h. */
#include "coordinator/report/labels.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

/* Length of the part up to the last '/' that all main names begin with. */
static size_t shared_prefix(const struct manifest *m)
{
    const char *first = m->n_cells ? m->cells[0].names[0] : "";
    size_t n = strlen(first);
    for (uint32_t i = 1; i < m->n_cells; i++) {
        size_t k = 0;
        while (k < n && m->cells[i].names[0][k] == first[k])
            k++;
        n = k;
    }
    while (n && first[n - 1] != '/')
        n--;
    return n;
}

static char *shorten(const char *name)
{
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    while (*name) {
        size_t n = strcspn(name, ","), start = 0;
        for (size_t i = 0; i < n && name[i] != '='; i++)
            if (name[i] == '.')
                start = i + 1;
        if (!memchr(name, '=', n))
            start = 0; /* no setting: a name with a dot in it */
        px_buf_put(&b, name + start, n - start);
        name += n;
        if (*name) {
            px_buf_char(&b, ',');
            name++;
        }
    }
    return b.len ? px_buf_steal(&b, NULL) : px_xstrdup("");
}

static bool all_differ(char *const *labels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(labels[i], labels[k]) == 0)
                return false;
    return true;
}

char *label_of_name(const struct manifest *m, const char *name)
{
    size_t n = shared_prefix(m);
    bool cut = strncmp(name, m->cells[0].names[0], n) == 0 && name[n];
    return shorten(cut ? name + n : name);
}

char **labels_make(const struct manifest *m)
{
    char **labels = px_xcalloc((size_t)m->n_cells + 1, sizeof *labels);
    for (uint32_t i = 0; i < m->n_cells; i++)
        labels[i] = label_of_name(m, m->cells[i].names[0]);
    if (all_differ(labels, m->n_cells))
        return labels;
    for (uint32_t i = 0; i < m->n_cells; i++) {
        free(labels[i]);
        labels[i] = px_xstrdup(m->cells[i].names[0]);
    }
    return labels;
}

/* ---- cells as people name them ---- */

bool cell_has_name(const struct manifest_cell *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_names; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

/* Is a setting of a text ("k=2" or "reuse.k=2") among the settings of a name? */
static bool has_setting(const char *name, const char *part, size_t n)
{
    const char *slash = strrchr(name, '/');
    for (const char *p = slash ? slash + 1 : name; *p;) {
        size_t len = strcspn(p, ",");
        if (len >= n && memcmp(p + len - n, part, n) == 0 && memchr(part, '=', n) &&
            (len == n || p[len - n - 1] == '.'))
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

static bool has_settings(const char *name, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n == 0 || !has_setting(name, text, n))
            return false;
        text += n + (text[n] == ',');
    }
    return true;
}

enum likeness { LIKE_NAME, LIKE_LABEL, LIKE_SETTINGS, N_LIKENESS };

static bool is_like(const struct manifest *m, const char *name, const char *text, enum likeness how)
{
    if (how == LIKE_NAME)
        return strcmp(name, text) == 0;
    PX_FREE char *label = how == LIKE_LABEL ? label_of_name(m, name) : NULL;
    return label ? strcmp(label, text) == 0 : has_settings(name, text);
}

static const char *like_name(const struct manifest *m, const struct manifest_cell *c,
                             const char *text, enum likeness how)
{
    for (uint32_t k = 0; k < c->n_names; k++)
        if (is_like(m, c->names[k], text, how))
            return c->names[k];
    return NULL;
}

const char *cell_name_find(const struct manifest *m, const char *text, struct px_err *err)
{
    struct px_buf all;
    px_buf_init(&all, 600);
    uint32_t n = 0;
    const char *found = NULL;
    for (enum likeness how = 0; how < N_LIKENESS && n == 0 && *text; how++)
        for (uint32_t i = 0; i < m->n_cells; i++) {
            const char *name = like_name(m, &m->cells[i], text, how);
            if (!name)
                continue;
            px_buf_printf(&all, "%s%s", n++ ? "; " : "", name);
            found = name;
            if (how == LIKE_NAME)
                break;
        }
    for (uint32_t i = 0; i < m->n_cells && n == 0; i++)
        px_buf_printf(&all, "%s%s", i ? "; " : "", m->cells[i].names[0]);
    const char *list = all.len ? (const char *)all.data : "none";
    if (n == 0)
        px_fail(err, PX_EUSAGE, "there is no cell '%.100s'; there are %s", text, list);
    else if (n > 1)
        px_fail(err, PX_EUSAGE, "'%.100s' fits %u cells, name one of them: %s", text, n, list);
    px_buf_clear(&all);
    return n == 1 ? found : NULL;
}

void labels_free(char ***labels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free((*labels)[i]);
    free(*labels);
    *labels = NULL;
}
