/* accident.c - the names of accidents. */
#include "proto/accident.h"

#include <string.h>

static const struct {
    uint32_t bit;
    const char *name;
} all[N_ACCIDENTS] = {
    {ACCIDENT_DOUBLE_BOS, "double_bos"},
    {ACCIDENT_MISSING_BOS, "missing_bos"},
    {ACCIDENT_TEMPLATE_TWICE, "template_twice"},
    {ACCIDENT_STOP_IN_PROMPT, "stop_in_prompt"},
    {ACCIDENT_TRUNCATED, "truncated"},
    {ACCIDENT_BOUNDARY_MERGE, "boundary_merge"},
    {ACCIDENT_HIT_CAP, "hit_cap"},
    {ACCIDENT_EMPTY, "empty"},
    {ACCIDENT_REPETITION, "repetition"},
    {ACCIDENT_UNCLOSED_THOUGHT, "unclosed_thought"},
};

uint32_t accident_bit(int i)
{
    return all[i].bit;
}

const char *accident_name(int i)
{
    return all[i].name;
}

uint32_t accident_by_name(const char *name)
{
    for (int i = 0; i < N_ACCIDENTS; i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].bit;
    return 0;
}
