/* keys.h - the identities of DESIGN: SHA-256 over length-prefixed binary fields. */
#ifndef COORDINATOR_PLAN_KEYS_H
#define COORDINATOR_PLAN_KEYS_H

#include "coordinator/plan/plan.h"

/* What all plan keys of a group share: task, model, scorer, parameters, versions. */
struct px_digest group_base_key(const struct task *t, const struct job *j, const char *scorer,
                                bool chat, enum chat_template tmpl, int32_t fewshot);

/* The content key of a unit whose prompt and choices are filled. */
struct px_digest content_key(const struct job *j, const struct unit *u);

/* The verdict key of a completion (digest of its compared part) under a scorer. */
struct px_digest verdict_key(const struct px_digest *completion, const char *scorer,
                             const char *problem_json, size_t n_problem_json);

#endif
