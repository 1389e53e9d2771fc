/* prompt_check.h - what is odd about a prompt before a model has seen it: its accidents.
 *
 * Nothing here changes a prompt. The rules:
 *   double BOS       the first two tokens are BOS
 *   missing BOS      the tokenizer puts BOS in front by itself and the prompt has none
 *   template twice   a chat template was applied to messages that hold chat markers already
 *   stop in prompt   a stop string occurs in the last user's message (chat); in a raw prompt,
 *                    inside the question, not at its beginning where a task's own label stands,
 *                    and only where the answer does not continue the question's own text (code)
 * Truncation and boundary merges are noted where they happen (units.c). */
#ifndef COORDINATOR_PROMPT_CHECK_H
#define COORDINATOR_PROMPT_CHECK_H

#include "coordinator/plan/plan.h"

/* Accident bits (proto/accident.h) of a rendered and tokenised prompt. */
uint32_t prompt_accidents(const struct plan_group *g, const struct model_file *m,
                          const struct task *t, const struct task_prompt *p, const struct unit *u);

#endif
