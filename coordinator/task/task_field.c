/* task_field.c - what a row of a task holds, for those who match other files with it. */
#include <string.h>

#include "coordinator/task/task_inner.h"

char *task_field(const struct task *t, uint32_t i, const char *path)
{
    struct arena *a = arena_new();
    struct value row = table_get(t->rows, i, a);
    const struct value *v = &row;
    struct px_buf b;
    char *text = NULL;
    px_buf_init(&b, 64u << 20);
    for (const char *p = path; v && *p;) {
        size_t n = strcspn(p, ".");
        v = value_get(v, p, n);
        p += n + (p[n] == '.');
    }
    px_buf_put(&b, "", 0);
    if (v && value_write_text(v, &b, NULL) == 0 && !b.overflow)
        text = px_buf_steal(&b, NULL);
    px_buf_clear(&b);
    arena_free(&a);
    return text;
}

void task_row_json(const struct task *t, uint32_t i, struct px_buf *out)
{
    struct arena *a = arena_new();
    struct value row = table_get(t->rows, i, a);
    value_write_json(&row, out);
    arena_free(&a);
}
