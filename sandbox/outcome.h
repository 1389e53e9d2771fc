/* outcome.h - from what was seen of a run to its verdict class: the order of precedence. Pure.
 *
 * What a program can cause counts against it: a sandbox error is possible only for what happened
 * before its source was read. The first that matches wins: compile error, security violation,
 * memory, output, time, runtime error, failed assertion or wrong answer, passed. */
#ifndef SANDBOX_OUTCOME_H
#define SANDBOX_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/unit.h"
#include "sandbox/record.h"

struct facts {
    bool script; /* judged by its output; otherwise by tests in another process */

    /* the candidate's process */
    bool confined; /* it was confined before its source was read */
    int status;    /* as from wait */
    bool killed;   /* by us, so that status says nothing about it */
    bool cpu_limited, wall_limited, output_limited;
    bool starved; /* at the wall limit it had waited for a processor too long */

    /* split: the tests' process */
    bool tests_confined;
    int tests_status;
    bool tests_killed, tests_cpu_limited;
    struct record record;

    /* script */
    char began;          /* FRAME_NOT_COMPILED, FRAME_NOT_LOADED or 0 */
    char exception[104]; /* what came with it */
    bool same_output;
};

struct outcome {
    enum verdict_class class;
    char exception[104]; /* class name of the exception that decided, "" when none */
    int32_t signal;      /* that ended the program, 0 when none did */
    bool task_at_fault;  /* SANDBOX_ERROR because the task itself cannot be run */
    bool killed_by_whom; /* a SIGKILL that was not ours: its own doing or somebody's outside; only
                            running it again can tell */
    char detail[RECORD_TEXT];
};

void outcome_decide(const struct facts *f, struct outcome *out);

#endif
