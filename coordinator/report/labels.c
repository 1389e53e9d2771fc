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

void labels_free(char ***labels, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free((*labels)[i]);
    free(*labels);
    *labels = NULL;
}
