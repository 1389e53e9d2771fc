/* outcome.c - the precedence of verdicts. */
#include "sandbox/outcome.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void set(struct outcome *out, enum verdict_class class, const char *detail)
{
    out->class = class;
    if (detail[0] != '\0')
        snprintf(out->detail, sizeof out->detail, "%s", detail);
}

/* What can only be the host's or the task's doing. */
static bool not_its_fault(const struct facts *f, struct outcome *out)
{
    if (!f->confined || (!f->script && !f->tests_confined)) {
        set(out, VERDICT_SANDBOX_ERROR, "a process could not be confined");
        return true;
    }
    if (!f->script && f->record.class == RECORD_BAD_TASK) {
        out->task_at_fault = true;
        set(out, VERDICT_SANDBOX_ERROR, f->record.detail);
        return true;
    }
    if (!f->script && f->tests_cpu_limited && !f->record.marked) {
        out->task_at_fault = true;
        set(out, VERDICT_SANDBOX_ERROR,
            "the tests used up their processor time before they heard the program");
        return true;
    }
    return false;
}

static bool over_a_limit(const struct facts *f, int signal, struct outcome *out)
{
    bool memory_error = f->script && f->began == 'M' && strcmp(f->exception, "MemoryError") == 0;
    if (f->record.class == RECORD_MEMORY || memory_error) {
        snprintf(out->exception, sizeof out->exception, "MemoryError");
        set(out, VERDICT_MEMORY_LIMIT, f->record.detail);
    } else if (f->output_limited || f->record.class == RECORD_OUTPUT) {
        set(out, VERDICT_OUTPUT_LIMIT, f->record.detail);
    } else if (f->cpu_limited || signal == SIGXCPU) {
        set(out, VERDICT_TIMEOUT, "processor time");
    } else if (f->tests_cpu_limited) {
        set(out, VERDICT_TIMEOUT, "processor time of the tests on its results");
    } else if (f->wall_limited) {
        set(out, f->starved ? VERDICT_INCONCLUSIVE : VERDICT_TIMEOUT, "wall clock");
    } else {
        return false;
    }
    return true;
}

static void died(const struct facts *f, int signal, struct outcome *out)
{
    out->signal = signal;
    out->class = VERDICT_RUNTIME_ERROR;
    if (signal != 0)
        snprintf(out->detail, sizeof out->detail, "ended by signal %d (%s)", signal,
                 strsignal(signal));
    else if (!f->killed)
        snprintf(out->detail, sizeof out->detail, "left with status %d", WEXITSTATUS(f->status));
    else
        snprintf(out->detail, sizeof out->detail, "closed its call channel");
}

static void by_script(const struct facts *f, int signal, struct outcome *out)
{
    snprintf(out->exception, sizeof out->exception, "%s", f->began == 'M' ? f->exception : "");
    if (f->killed || signal != 0 || WEXITSTATUS(f->status) != 0)
        died(f, signal, out);
    else if (f->same_output)
        set(out, VERDICT_PASSED, "");
    else
        set(out, VERDICT_WRONG_ANSWER, "the output differs");
}

static void by_record(const struct facts *f, int signal, struct outcome *out)
{
    const struct record *r = &f->record;
    bool complete = !f->tests_killed && WIFEXITED(f->tests_status) &&
                    WEXITSTATUS(f->tests_status) == 0 && r->class != RECORD_NONE;
    snprintf(out->exception, sizeof out->exception, "%s", r->exception);
    if (!complete && !r->marked) {
        set(out, VERDICT_SANDBOX_ERROR, "the tests' process ended before it heard the program");
    } else if (!complete) {
        set(out, VERDICT_RUNTIME_ERROR, "the tests' process ended on the program's results");
    } else if (r->class == RECORD_DIED) {
        died(f, signal, out);
    } else if (r->class == RECORD_PROTOCOL || r->class == RECORD_RUNTIME_ERROR) {
        set(out, VERDICT_RUNTIME_ERROR, r->detail);
    } else if (r->class == RECORD_FAILED_ASSERTION) {
        set(out, VERDICT_FAILED_ASSERTION, r->detail);
    } else if (r->class == RECORD_PASSED) {
        set(out, VERDICT_PASSED, "");
    } else {
        set(out, VERDICT_WRONG_ANSWER, r->detail);
    }
}

static bool killed_by_another(bool by_us, int status)
{
    return !by_us && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

void outcome_decide(const struct facts *f, struct outcome *out)
{
    memset(out, 0, sizeof *out);
    int signal = !f->killed && WIFSIGNALED(f->status) ? WTERMSIG(f->status) : 0;
    out->killed_by_whom = killed_by_another(f->killed, f->status) ||
                          (!f->script && killed_by_another(f->tests_killed, f->tests_status));
    if (not_its_fault(f, out))
        return;
    if (f->record.class == RECORD_COMPILE_ERROR || (f->script && f->began == 'X')) {
        snprintf(out->exception, sizeof out->exception, "%s",
                 f->script ? f->exception : f->record.exception);
        set(out, VERDICT_COMPILE_ERROR, f->record.detail);
    } else if (signal == SIGSYS) {
        out->signal = signal;
        set(out, VERDICT_SECURITY_VIOLATION, "a system call that no honest program makes");
    } else if (over_a_limit(f, signal, out)) {
        return;
    } else if (f->script) {
        by_script(f, signal, out);
    } else {
        by_record(f, signal, out);
    }
}
