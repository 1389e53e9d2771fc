/* judging.h - a scorer's JSON, a problem and a completion to a verdict, for tests of scorer kinds.
 */
#ifndef TESTS_UNIT_SANDBOX_JUDGING_H
#define TESTS_UNIT_SANDBOX_JUDGING_H

#include <string.h>

#include "sandbox/score/score.h"

/* The verdict is the caller's; the scorer must not run a program. */
static inline struct verdict judge_completion(const char *scorer, const char *problem,
                                              const struct completion *c)
{
    struct scorer s;
    struct verdict v;
    struct program p;
    struct px_err err;
    bool runs;
    if (scorer_parse(scorer, &s, &err) != 0)
        fail_msg("%s: %s", scorer, err.text);
    if (score_begin(&s, problem, c, &v, &p, &runs, &err) != 0)
        fail_msg("%s: %s", problem, err.text);
    assert_false(runs);
    scorer_clear(&s);
    return v;
}

static inline struct completion judging_text(const char *text, size_t n)
{
    return (struct completion){
        .finish = FINISH_EOS, .text = (char *)(uintptr_t)text, .n_text = (uint32_t)n};
}

static inline struct verdict judge_text(const char *scorer, const char *problem, const char *text,
                                        size_t n)
{
    struct completion c = judging_text(text, n);
    return judge_completion(scorer, problem, &c);
}

/* The words of what is refused, by the scorer or by the problem. */
static inline struct px_err judge_refused(const char *scorer, const char *problem,
                                          const struct completion *c)
{
    struct scorer s;
    struct verdict v;
    struct program p;
    struct px_err err = {.text = ""};
    bool runs;
    if (scorer_parse(scorer, &s, &err) != 0)
        return err;
    if (score_begin(&s, problem, c, &v, &p, &runs, &err) == 0)
        fail_msg("%s was not refused", problem);
    scorer_clear(&s);
    return err;
}

#endif
