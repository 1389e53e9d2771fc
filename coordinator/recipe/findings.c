/* findings.c - see findings.h. */
#include "coordinator/recipe/findings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

void findings_add(struct findings *f, const struct yaml_node *at, const char *path, const char *fmt,
                  ...)
{
    if (f->n >= MAX_FINDINGS) {
        f->untold++;
        return;
    }
    struct px_buf text;
    px_buf_init(&text, 4096);
    if (*path)
        px_buf_printf(&text, "%.200s: ", path);
    va_list ap;
    va_start(ap, fmt);
    px_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20) /* one finding is one line, whatever a key holds */
            text.data[i] = ' ';
    }
    PX_GROW(f->list, f->n, f->cap);
    f->list[f->n++] =
        (struct finding){.line = at->line, .column = at->column, .text = px_buf_steal(&text, NULL)};
}

static int by_position(const void *pa, const void *pb)
{
    const struct finding *a = pa, *b = pb;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return strcmp(a->text, b->text); /* the same order whatever qsort does with equals */
}

void findings_write(struct findings *f, struct px_buf *out)
{
    if (f->n > 1)
        qsort(f->list, f->n, sizeof *f->list, by_position);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct finding *x = &f->list[i];
        if (x->line == 0)
            px_buf_printf(out, "%s: --set: %s\n", f->file, x->text);
        else
            px_buf_printf(out, "%s:%u:%u: %s\n", f->file, x->line, x->column, x->text);
    }
    if (f->untold > 0)
        px_buf_printf(out, "%s: and %u more findings\n", f->file, f->untold);
}

void findings_clear(struct findings *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        free(f->list[i].text);
    free(f->list);
    f->list = NULL;
    f->n = f->cap = 0;
}
