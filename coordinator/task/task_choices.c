/* task_choices.c - the choices of a problem, and which of them is right. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/task_inner.h"
#include "proto/mem.h"

#define MAX_CHOICE (1u << 20)

static void free_texts(char **texts, uint32_t n)
{
    for (uint32_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

void task_choices_clear(struct task_choices *c)
{
    free_texts(c->texts, c->n);
    free_texts(c->contexts, c->n);
    free(c->golds);
    *c = (struct task_choices){0};
}

static int list_value(const struct template_list *l, const struct template_row *row,
                      struct arena *a, struct value *out, struct px_err *err)
{
    if (!l->is_list) {
        if (template_value(l->items[0], row, a, out, err) != 0)
            return -1;
        if (out->kind != VALUE_LIST)
            return px_fail(err, PX_EINPUT, "%s, expected a list", value_kind_name(out));
        return 0;
    }
    *out = (struct value){.kind = VALUE_LIST, .n = l->n};
    out->items = arena_alloc(a, l->n * sizeof *out->items);
    for (uint32_t i = 0; i < l->n; i++) {
        if (template_value(l->items[i], row, a, &out->items[i], err) != 0)
            return -1;
    }
    return 0;
}

/* An owned text of at least one byte. */
static char *copy_text(const struct value *v, const char *what, size_t i, struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, MAX_CHOICE);
    px_buf_put(&b, "", 0);
    int rc = value_write_text(v, &b, err);
    if (rc == 0 && (b.len == 0 || b.overflow || memchr(b.data, '\0', b.len)))
        rc = px_fail(err, PX_EINPUT, "%s %zu is empty, longer than 1 MiB, or holds a NUL character",
                     what, i);
    if (rc == 0)
        return px_buf_steal(&b, NULL);
    px_buf_clear(&b);
    return NULL;
}

static int copy_list(const struct value *list, const char *what, char ***out, uint32_t *n,
                     struct px_err *err)
{
    if (list->n < 2 || list->n > 1000)
        return px_fail(err, PX_EINPUT, "%zu %ss, expected 2 to 1000", list->n, what);
    *n = (uint32_t)list->n;
    *out = px_xcalloc(list->n, sizeof **out);
    for (size_t i = 0; i < list->n; i++)
        if (((*out)[i] = copy_text(&list->items[i], what, i, err)) == NULL)
            return -1;
    return 0;
}

/* An index, or the text of a choice (of the first that no other gold took); digits may be either,
 * but not both at once. */
static bool is_taken(const struct task_choices *c, uint32_t i)
{
    for (uint32_t k = 0; k < c->n_golds; k++)
        if (c->golds[k] == (int32_t)i)
            return true;
    return false;
}

static int refuse_gold(const struct value *gold, uint32_t n, struct px_err *err)
{
    struct px_buf what;
    px_buf_init(&what, 1 << 20);
    value_write_json(gold, &what);
    px_fail(err, PX_EINPUT,
            "gold is %.*s: neither an index from 0 to %u nor the text of one of the %u choices",
            (int)(what.len < 80 ? what.len : 80), what.len ? (const char *)what.data : "", n - 1,
            n);
    px_buf_clear(&what);
    return -1;
}

static int find_gold(const struct value *gold, const struct task_choices *c, bool may_miss,
                     int32_t *out, struct px_err *err)
{
    int64_t index = -1;
    if (gold->kind == VALUE_INT && !gold->text)
        index = gold->integer;
    for (uint32_t i = 0; gold->kind == VALUE_TEXT && i < c->n; i++) {
        if (strlen(c->texts[i]) == gold->n && !is_taken(c, i) &&
            memcmp(c->texts[i], gold->text, gold->n) == 0) {
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
    bool outside = index < 0 || index >= (int64_t)c->n;
    if (outside && !may_miss)
        return refuse_gold(gold, c->n, err);
    *out = outside ? GOLD_OUTSIDE : (int32_t)index;
    return 0;
}

static int find_golds(const struct value *gold, bool may_miss, struct task_choices *c,
                      struct px_err *err)
{
    const struct value *items = gold->kind == VALUE_LIST ? gold->items : gold;
    size_t n = gold->kind == VALUE_LIST ? gold->n : 1;
    c->gold_is_list = gold->kind == VALUE_LIST;
    if (n == 0 || n > c->n)
        return px_fail(err, PX_EINPUT, "gold is a list of %zu, expected 1 to %u", n, c->n);
    c->golds = px_xcalloc(n, sizeof *c->golds);
    for (size_t i = 0; i < n; i++, c->n_golds++)
        if (find_gold(&items[i], c, may_miss, &c->golds[c->n_golds], err) != 0)
            return -1;
    return 0;
}

/* One continuation, behind the prompt or behind each of the contexts. */
static int one_continuation(const struct task *t, const struct template_row *row, struct arena *a,
                            struct task_choices *c, struct px_err *err)
{
    struct value v, list;
    if (template_value(t->continuation, row, a, &v, err) != 0)
        return -1;
    c->n = 1;
    if (t->contexts.n > 0 && (list_value(&t->contexts, row, a, &list, err) != 0 ||
                              copy_list(&list, "context", &c->contexts, &c->n, err) != 0))
        return -1;
    c->texts = px_xcalloc(c->n, sizeof *c->texts);
    for (uint32_t i = 0; i < c->n; i++)
        if ((c->texts[i] = copy_text(&v, "continuation", 0, err)) == NULL)
            return -1;
    return 0;
}

static int all_texts(const struct task *t, const struct template_row *row, struct arena *a,
                     struct task_choices *c, struct px_err *err)
{
    struct value list;
    if (t->continuation)
        return one_continuation(t, row, a, c, err);
    if (list_value(&t->choices, row, a, &list, err) != 0)
        return -1;
    return copy_list(&list, "choice", &c->texts, &c->n, err);
}

int task_choices_of(const struct task *t, const struct template_row *row, struct arena *a,
                    struct task_choices *out, struct px_err *err)
{
    struct value gold;
    struct task_choices c = {0};
    int rc = all_texts(t, row, a, &c, err);
    if (rc == 0 && t->gold)
        rc = template_value(t->gold, row, a, &gold, err) != 0
                 ? -1
                 : find_golds(&gold, t->gold_may_miss, &c, err);
    if (rc != 0) {
        task_choices_clear(&c);
        return -1;
    }
    *out = c;
    return 0;
}
