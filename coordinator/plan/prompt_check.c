/* prompt_check.c - accidents of prompts. */
#include "coordinator/plan/prompt_check.h"

#include <string.h>

#include "proto/accident.h"

static uint32_t bos_accidents(const struct model_file *m, const struct unit *u)
{
    int32_t bos = tokenizer_bos(m->tokenizer);
    if (bos < 0 || u->n_prompt == 0)
        return 0;
    bool has = u->prompt[0] == (uint32_t)bos;
    if (has && u->n_prompt > 1 && u->prompt[1] == (uint32_t)bos)
        return ACCIDENT_DOUBLE_BOS;
    return !has && tokenizer_adds_bos(m->tokenizer) ? ACCIDENT_MISSING_BOS : 0;
}

/* Words that only a chat template writes. */
static bool has_chat_marker(const char *text)
{
    static const char *const markers[] = {"<|im_start|>",  "<|im_end|>",      "<|start_header_id|>",
                                          "<|eot_id|>",    "<start_of_turn>", "<end_of_turn>",
                                          "<|assistant|>", "<|user|>",        "[/INST]"};
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++)
        if (strstr(text, markers[i]))
            return true;
    return false;
}

static bool holds_stop(const struct job *j, const char *text, bool skip_first)
{
    for (uint32_t i = 0; i < j->n_stops; i++) {
        const char *at = strstr(text, j->stops[i]);
        if (at == text && skip_first)
            at = strstr(text + 1, j->stops[i]);
        if (at)
            return true;
    }
    return false;
}

static bool stop_in_prompt(const struct plan_group *g, const struct task *t,
                           const struct task_prompt *p)
{
    if (g->chat)
        return p->n_messages &&
               holds_stop(&g->generate, p->messages[p->n_messages - 1].content, false);
    bool continues = strcmp(task_scorer_kind(t), "code") == 0;
    return *p->question && !continues && holds_stop(&g->generate, p->question, true);
}

uint32_t prompt_accidents(const struct plan_group *g, const struct model_file *m,
                          const struct task *t, const struct task_prompt *p, const struct unit *u)
{
    uint32_t bits = bos_accidents(m, u);
    for (uint32_t i = 0; g->chat && i < p->n_messages; i++)
        if (has_chat_marker(p->messages[i].content))
            bits |= ACCIDENT_TEMPLATE_TWICE;
    if (stop_in_prompt(g, t, p))
        bits |= ACCIDENT_STOP_IN_PROMPT;
    return bits;
}
