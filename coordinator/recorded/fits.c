/* fits.c - see fits.h. */
#include "coordinator/recorded/fits.h"

/* How many loglikelihoods a problem's row has to have. 0: it cannot be rendered, which is told
 * elsewhere. */
static uint32_t wanted(const struct task *t, uint32_t problem)
{
    struct task_prompt p = {0};
    uint32_t n = 0;
    if (task_request(t) == TASK_ROLLING)
        return 1;
    if (task_render(t, problem, 0, false, &p, NULL) == 0)
        n = p.n_choices * (task_mutual_info(t) ? 2 : 1);
    task_prompt_clear(&p);
    return n;
}

static int check_scores(const struct task *t, const struct recording *r, uint32_t item,
                        uint32_t problem, uint32_t *above, struct px_err *err)
{
    struct completion c;
    recording_completion(r, item, &c);
    uint32_t have = c.n_choices, want = wanted(t, problem);
    for (uint32_t i = 0; i < have; i++)
        *above += c.choices[i].logprob > 0;
    completion_clear(&c);
    if (want == 0 || have == want)
        return 0;
    return px_fail(err, PX_EINPUT,
                   "%s:%u: %u loglikelihoods, and problem %.100s of task %s wants %u",
                   recording_name(r), recording_line(r, recording_item(r, item)->row), have,
                   task_problem_id(t, problem), task_name(t), want);
}

int recorded_fits(const struct task *t, const struct recording *r, const struct joined *j,
                  uint32_t *above, struct px_err *err)
{
    bool wants = task_request(t) != TASK_GENERATE;
    *above = 0;
    for (uint32_t i = 0; i < j->n_items; i++) {
        const struct recording_item *item = recording_item(r, i);
        if (item->scored != wants)
            return px_fail(err, PX_EINPUT, "%s:%u: %s, and task %s asks for %s", recording_name(r),
                           recording_line(r, item->row), item->scored ? "loglikelihoods" : "a text",
                           task_name(t), wants ? "loglikelihoods" : "a text");
        if (wants && j->problem[i] != JOIN_UNKNOWN &&
            check_scores(t, r, i, j->problem[i], above, err) != 0)
            return -1;
    }
    return 0;
}
