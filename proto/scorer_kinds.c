/* scorer_kinds.c - the table of scorer kinds. */
#include "proto/scorer_kinds.h"

#include <string.h>

#include "proto/scorer_check.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE ((const char *const[]){NULL})

static const struct scorer_kind kinds[] = {
    {"code", SCORER_TEXT, LIST("style", "limits"), LIST("kind"), LIST("pass@1", "pass@1_base"),
     NULL},
    {"numeric", SCORER_TEXT, LIST("strict", "tolerance"), LIST("answer"),
     LIST("exact_match", "exact_match,strict-match", "exact_match,flexible-extract"),
     scorer_check_numeric},
    {"text", SCORER_TEXT, LIST("filters", "exact_match", "main"), LIST("target"),
     LIST("exact_match,*"), scorer_check_text},
    {"choice", SCORER_LOGLIKELIHOODS, LIST("mutual_info", "out_of_range", "ties"), NONE,
     LIST("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "brier_score",
          "gold_probability"),
     scorer_check_choice},
    {"choice_mass", SCORER_LOGLIKELIHOODS, NONE, LIST("gold"), LIST("acc"), NULL},
    {"continuation", SCORER_LOGLIKELIHOODS, NONE, NONE, LIST("acc", "loglikelihood"), NULL},
    {"rolling", SCORER_LOGLIKELIHOODS, NONE, LIST("text"),
     LIST("loglikelihood", "words", "bytes", "tokens"), NULL},
    {"letter", SCORER_TEXT, NONE, LIST("gold", "letters"), LIST("exact_match"), NULL},
    {"function_call", SCORER_TEXT, NONE, LIST("functions", "ground_truth"),
     LIST("arguments_match", "name_match", "json_valid"), NULL},
    {"digest", SCORER_TEXT, NONE, LIST("sha256"), LIST("exact_match"), NULL},
    {"rating", SCORER_TEXT, NONE, NONE,
     LIST("rating", "rated", "rating_turn_1", "rated_turn_1", "rating_turn_2", "rated_turn_2"),
     NULL},
    {"pairwise", SCORER_TEXT, NONE, NONE, LIST("preference", "win", "judged"), NULL},
    {"turn", SCORER_TEXT, NONE, NONE, NONE, NULL},
    {"math", SCORER_TEXT, LIST("compat"), NONE,
     LIST("math_equal", "exact_match", "string_match", "hendrycks_match"), scorer_check_math},
    {"ifeval", SCORER_TEXT, NONE, LIST("instructions", "kwargs"),
     LIST("prompt_level_strict_acc", "prompt_level_loose_acc", "inst_strict_right",
          "inst_loose_right", "inst_total"),
     NULL},
    {"none", SCORER_NOTHING, NONE, NONE, NONE, NULL},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

const struct scorer_kind *scorer_kind_find(const char *name)
{
    for (uint32_t i = 0; i < N_KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const struct scorer_kind *scorer_kind_at(uint32_t i)
{
    return i < N_KINDS ? &kinds[i] : NULL;
}

bool scorer_kind_emits(const struct scorer_kind *k, const char *metric)
{
    for (const char *const *m = k->metrics; *m; m++) {
        size_t n = strlen(*m);
        bool any = n > 2 && strcmp(*m + n - 2, ",*") == 0;
        if (any ? strncmp(*m, metric, n - 1) == 0 && metric[n - 1] : strcmp(*m, metric) == 0)
            return true;
    }
    return false;
}
