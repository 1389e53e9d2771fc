/* agree.h - the verdicts that a recording publishes beside its completions, against ours.
 *
 * Known members of a row: passed, is_solved, is_correct (the headline); base_status, plus_status
 * (EvalPlus); follow_all_instructions and follow_instruction_list (IFEval; a file whose name has
 * "loose" in it holds the loose ones); every metric that an lm-eval row lists. A dotted text key
 * looks for them beside the text as well. */
#ifndef COORDINATOR_RECORDED_AGREE_H
#define COORDINATOR_RECORDED_AGREE_H

#include "coordinator/recorded/graded.h"
#include "coordinator/recorded/join.h"

struct agree_flag {
    const char *key;    /* dotted path in the row */
    const char *metric; /* of the verdict; NULL: the headline */
};

struct difference {
    uint32_t item;
    double published, ours;
};

struct agreement {
    char *key, *metric;
    uint32_t n;  /* items that publish it and are judged */
    double sum;  /* of what was published, over those */
    double ours; /* of ours */
    struct difference *differ;
    uint32_t n_differ, cap_differ;
};

struct agreements {
    struct agreement *list;
    uint32_t n, cap;
};

/* flags: those that the user names (n_flags may be 0: then the known ones). text_key may be NULL.
 */
void agree(const struct recording *r, const struct joined *j, const struct graded *g,
           const struct agree_flag *flags, uint32_t n_flags, const char *text_key,
           struct agreements *out);
void agreements_clear(struct agreements *a);

#endif
