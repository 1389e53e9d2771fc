/* task_choices.c - the choices of a problem, and which of them is right. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/task_inner.h"
#include "proto/mem.h"

#define MAX_CHOICE (1u << 20)

void task_choices_clear(struct task_choices *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        free(c->texts[i]);
    free(c->texts);
    *c = (struct task_choices){0};
}

static int choice_values(const struct task *t, const struct template_row *row, struct arena *a,
                         struct value *out, struct px_err *err)
{
    if (!t->choices_are_list) {
        if (template_value(t->choices[0], row, a, out, err) != 0)
            return -1;
        if (out->kind != VALUE_LIST)
            return px_fail(err, PX_EINPUT, "choices are %s, expected a list", value_kind_name(out));
        return 0;
    }
    *out = (struct value){.kind = VALUE_LIST, .n = t->n_choices};
    out->items = arena_alloc(a, t->n_choices * sizeof *out->items);
    for (uint32_t i = 0; i < t->n_choices; i++) {
        if (template_value(t->choices[i], row, a, &out->items[i], err) != 0)
            return -1;
    }
    return 0;
}

static int copy_choices(const struct value *list, struct task_choices *out, struct px_err *err)
{
    if (list->n < 2 || list->n > 1000)
        return px_fail(err, PX_EINPUT, "%zu choices, expected 2 to 1000", list->n);
    out->texts = px_xcalloc(list->n, sizeof *out->texts);
    for (size_t i = 0; i < list->n; i++) {
        struct px_buf b;
        px_buf_init(&b, MAX_CHOICE);
        px_buf_put(&b, "", 0);
        int rc = value_write_text(&list->items[i], &b, err);
        if (rc == 0 && (b.len == 0 || b.overflow || memchr(b.data, '\0', b.len)))
            rc = px_fail(err, PX_EINPUT,
                         "choice %zu is empty, longer than 1 MiB, or holds a NUL character", i);
        if (rc != 0) {
            px_buf_clear(&b);
            return -1;
        }
        out->texts[out->n++] = px_buf_steal(&b, NULL);
    }
    return 0;
}

/* An index, or the text of a choice; digits may be either, but not both at once. */
static int find_gold(const struct value *gold, struct task_choices *c, struct px_err *err)
{
    int64_t index = -1;
    if (gold->kind == VALUE_INT && !gold->text)
        index = gold->integer;
    for (uint32_t i = 0; gold->kind == VALUE_TEXT && i < c->n; i++) {
        if (strlen(c->texts[i]) == gold->n && memcmp(c->texts[i], gold->text, gold->n) == 0) {
            index = i;
            break;
        }
    }
    bool digit =
        gold->kind == VALUE_TEXT && gold->n == 1 && gold->text[0] >= '0' && gold->text[0] <= '9';
    if (digit && index >= 0 && index != gold->text[0] - '0')
        return px_fail(err, PX_EINPUT,
                       "gold '%c' is the text of choice %lld and the index of another; write it "
                       "as an integer (| int)",
                       gold->text[0], (long long)index);
    if (digit && index < 0)
        index = gold->text[0] - '0';
    if (index < 0 || index >= (int64_t)c->n)
        return px_fail(err, PX_EINPUT,
                       "gold is neither an index from 0 to %u nor the text of a choice", c->n - 1);
    c->gold = (uint32_t)index;
    return 0;
}

int task_choices_of(const struct task *t, const struct template_row *row, struct arena *a,
                    struct task_choices *out, struct px_err *err)
{
    struct value list, gold;
    struct task_choices c = {0};
    if (choice_values(t, row, a, &list, err) != 0 || copy_choices(&list, &c, err) != 0 ||
        template_value(t->gold, row, a, &gold, err) != 0 || find_gold(&gold, &c, err) != 0) {
        task_choices_clear(&c);
        return -1;
    }
    *out = c;
    return 0;
}
