/* kind_ifeval.c - instruction following: IFEval's checks on one completion. */
#include <stdlib.h>
#include <string.h>

#include "proto/pystr.h"
#include "sandbox/score/ifeval.h"
#include "sandbox/score/kinds.h"

static const char *const metrics[] = {
    "prompt_level_strict_acc",
    "prompt_level_loose_acc",
    "inst_strict_right",
    "inst_loose_right",
    "inst_total",
};

static void put_metrics(struct verdict *v, size_t strict, size_t loose, size_t total)
{
    verdict_add_metric(v, metrics[0], total > 0 && strict == total);
    verdict_add_metric(v, metrics[1], total > 0 && loose == total);
    verdict_add_metric(v, metrics[2], (double)strict);
    verdict_add_metric(v, metrics[3], (double)loose);
    verdict_add_metric(v, metrics[4], (double)total);
}

static size_t instructions(const struct scoring *in)
{
    struct json_object *ids = json_object_object_get(in->problem, "instructions");
    return json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
}

/* One word per instruction: its name with "+" (strict), "~" (loose only) or "-" (neither). */
static void put_flags(struct verdict *v, const struct ifeval *f, const bool *strict,
                      const bool *loose)
{
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    for (size_t i = 0; i < ifeval_count(f); i++)
        px_buf_printf(&b, "%s%c%s", i > 0 ? " " : "",
                      strict[i]  ? '+'
                      : loose[i] ? '~'
                                 : '-',
                      ifeval_id(f, i));
    struct extract e = {.n = b.len, .rule = "ifeval"};
    e.text = px_buf_steal(&b, NULL);
    verdict_put_extract(v, &e);
}

/* White space between a thought and the answer belongs to neither. */
static struct span answer_of(const struct scoring *in, bool *unclosed)
{
    struct span s = text_answer(in->answer, unclosed);
    return s.p == in->completion->text ? s : pystr_lstrip(s);
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    (void)state;
    struct ifeval *f = ifeval_new(json_object_object_get(in->problem, "instructions"),
                                  json_object_object_get(in->problem, "kwargs"), err);
    if (f == NULL)
        return px_wrap(err, "problem");
    bool strict[IFEVAL_MOST], loose[IFEVAL_MOST], unclosed;
    struct span answer = answer_of(in, &unclosed);
    size_t n = ifeval_count(f), right = 0, loosely = 0;
    if (unclosed) {
        v->class = VERDICT_OVERFLOW;
        put_metrics(v, 0, 0, n);
        ifeval_free(f);
        return 0;
    }
    ifeval_judge(f, answer, strict, loose);
    for (size_t i = 0; i < n; i++) {
        right += strict[i];
        loosely += loose[i];
    }
    put_flags(v, f, strict, loose);
    v->class = right == n ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    put_metrics(v, right, loosely, n);
    ifeval_free(f);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    put_metrics(v, 0, 0, instructions(in));
}

const struct scorer_ops scorer_ifeval = {.kind = "ifeval", .score = score, .zero = zero};
