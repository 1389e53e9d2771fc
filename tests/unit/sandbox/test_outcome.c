/* test_outcome.c - the precedence of verdicts, and what the verdict pipe may carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/outcome.h"

static struct facts split(enum record_class class)
{
    struct facts f = {.confined = true, .tests_confined = true, .killed = true};
    f.record.class = class;
    f.record.marked = true;
    return f;
}

static struct facts script(void)
{
    return (struct facts){.script = true, .confined = true, .same_output = true};
}

static enum verdict_class decide(struct facts f)
{
    struct outcome o;
    outcome_decide(&f, &o);
    return o.class;
}

static void passed_needs_a_record_and_a_clean_end(void **state)
{
    (void)state;
    struct facts f = split(RECORD_PASSED);
    assert_int_equal(decide(f), VERDICT_PASSED);
    f.tests_status = 1 << 8;
    assert_int_equal(decide(f), VERDICT_RUNTIME_ERROR);
    f.tests_status = SIGKILL;
    assert_int_equal(decide(f), VERDICT_RUNTIME_ERROR);
    f = split(RECORD_PASSED);
    f.tests_killed = true;
    assert_int_equal(decide(f), VERDICT_RUNTIME_ERROR);
    assert_int_equal(decide(split(RECORD_NONE)), VERDICT_RUNTIME_ERROR);
}

static void no_limit_lets_a_pass_through(void **state)
{
    (void)state;
    struct facts f = split(RECORD_PASSED);
    f.output_limited = true;
    assert_int_equal(decide(f), VERDICT_OUTPUT_LIMIT);
    f = split(RECORD_PASSED);
    f.cpu_limited = true;
    assert_int_equal(decide(f), VERDICT_TIMEOUT);
    f = split(RECORD_PASSED);
    f.wall_limited = true;
    assert_int_equal(decide(f), VERDICT_TIMEOUT);
    f.starved = true;
    assert_int_equal(decide(f), VERDICT_INCONCLUSIVE);
}

static void a_sandbox_error_lies_before_the_source(void **state)
{
    (void)state;
    struct facts f = split(RECORD_DIED);
    f.confined = false;
    assert_int_equal(decide(f), VERDICT_SANDBOX_ERROR);
    f = split(RECORD_NONE);
    f.record.marked = false;
    assert_int_equal(decide(f), VERDICT_SANDBOX_ERROR);
    f.record.marked = true; /* the candidate had spoken: it counts against it */
    assert_int_equal(decide(f), VERDICT_RUNTIME_ERROR);
    struct outcome o;
    f = split(RECORD_NONE);
    f.tests_cpu_limited = true; /* its results kept the tests busy */
    assert_int_equal(decide(f), VERDICT_TIMEOUT);
    f.record.marked = false; /* the tests kept themselves busy */
    outcome_decide(&f, &o);
    assert_int_equal(o.class, VERDICT_SANDBOX_ERROR);
    assert_true(o.task_at_fault);
    f = split(RECORD_BAD_TASK);
    outcome_decide(&f, &o);
    assert_int_equal(o.class, VERDICT_SANDBOX_ERROR);
    assert_true(o.task_at_fault);
}

static void the_order_of_precedence_holds(void **state)
{
    (void)state;
    struct facts f = split(RECORD_COMPILE_ERROR);
    f.output_limited = f.cpu_limited = true;
    assert_int_equal(decide(f), VERDICT_COMPILE_ERROR);
    f = split(RECORD_MEMORY);
    f.killed = false;
    f.status = SIGSYS;
    assert_int_equal(decide(f), VERDICT_SECURITY_VIOLATION);
    f = split(RECORD_MEMORY);
    f.output_limited = true;
    assert_int_equal(decide(f), VERDICT_MEMORY_LIMIT);
    f = split(RECORD_OUTPUT);
    f.cpu_limited = true;
    assert_int_equal(decide(f), VERDICT_OUTPUT_LIMIT);
    f = split(RECORD_RUNTIME_ERROR);
    f.cpu_limited = true;
    assert_int_equal(decide(f), VERDICT_TIMEOUT);
    assert_int_equal(decide(split(RECORD_RUNTIME_ERROR)), VERDICT_RUNTIME_ERROR);
    assert_int_equal(decide(split(RECORD_PROTOCOL)), VERDICT_RUNTIME_ERROR);
    assert_int_equal(decide(split(RECORD_FAILED_ASSERTION)), VERDICT_FAILED_ASSERTION);
    assert_int_equal(decide(split(RECORD_WRONG_ANSWER)), VERDICT_WRONG_ANSWER);
}

static void deaths_are_told_apart(void **state)
{
    (void)state;
    struct outcome o;
    struct facts f = split(RECORD_DIED);
    f.killed = false;
    f.status = SIGKILL; /* a suicide */
    outcome_decide(&f, &o);
    assert_int_equal(o.class, VERDICT_RUNTIME_ERROR);
    assert_int_equal(o.signal, SIGKILL);
    f.status = SIGXCPU;
    outcome_decide(&f, &o);
    assert_int_equal(o.class, VERDICT_TIMEOUT);
    f.status = 0; /* exit(0) inside a call passes nobody */
    outcome_decide(&f, &o);
    assert_int_equal(o.class, VERDICT_RUNTIME_ERROR);
    assert_int_equal(o.signal, 0);
    f.killed = true; /* it closed its channel and lived on until we ended it */
    f.status = SIGKILL;
    outcome_decide(&f, &o);
    assert_int_equal(o.signal, 0);
}

static bool origin_unknown(struct facts f)
{
    struct outcome o;
    outcome_decide(&f, &o);
    return o.killed_by_whom;
}

static void a_kill_that_was_not_ours_is_told_apart(void **state)
{
    (void)state;
    struct facts f = split(RECORD_PASSED);
    assert_false(origin_unknown(f));
    f.tests_status = SIGKILL;
    assert_true(origin_unknown(f));
    f.tests_killed = true;
    assert_false(origin_unknown(f));
    f = split(RECORD_DIED);
    f.killed = false;
    f.status = SIGKILL;
    assert_true(origin_unknown(f));
    assert_int_equal(decide(f), VERDICT_RUNTIME_ERROR);
    f.status = SIGSEGV;
    assert_false(origin_unknown(f));
}

static void scripts_pass_by_output_and_status(void **state)
{
    (void)state;
    struct facts f = script();
    assert_int_equal(decide(f), VERDICT_PASSED);
    f.same_output = false;
    assert_int_equal(decide(f), VERDICT_WRONG_ANSWER);
    f = script();
    f.status = 1 << 8;
    assert_int_equal(decide(f), VERDICT_RUNTIME_ERROR);
    f.began = 'X';
    assert_int_equal(decide(f), VERDICT_COMPILE_ERROR);
    f.began = 'M';
    snprintf(f.exception, sizeof f.exception, "MemoryError");
    assert_int_equal(decide(f), VERDICT_MEMORY_LIMIT);
}

static void every_fact_with_every_record_gives_a_verdict(void **state)
{
    (void)state;
    for (int class = 0; class < RECORD_CLASSES; class ++)
        for (unsigned bits = 0; bits < 1024; bits++) {
            struct facts f = {.script = bits & 1,
                              .confined = true,
                              .tests_confined = true,
                              .killed = bits & 2,
                              .cpu_limited = bits & 4,
                              .wall_limited = bits & 8,
                              .output_limited = bits & 16,
                              .starved = bits & 32,
                              .tests_killed = bits & 64,
                              .tests_cpu_limited = bits & 128,
                              .same_output = bits & 256,
                              .status = bits & 512 ? SIGSEGV : 0};
            if (!f.script) {
                f.record.class = (enum record_class) class;
                f.record.marked = true;
            }
            enum verdict_class v = decide(f);
            assert_in_range(v, VERDICT_PASSED, VERDICT_SANDBOX_ERROR);
            bool limited = bits & (4 | 8 | 16 | 128);
            if (v == VERDICT_PASSED)
                assert_true(!limited && (f.script || class == RECORD_PASSED));
            if (v == VERDICT_SANDBOX_ERROR)
                assert_int_equal(f.record.class, RECORD_BAD_TASK);
        }
}

static void records_survive_their_bytes(void **state)
{
    (void)state;
    struct record r = {.class = RECORD_RUNTIME_ERROR, .calls = 7}, got;
    snprintf(r.exception, sizeof r.exception, "KeyError");
    snprintf(r.detail, sizeof r.detail, "line\nwith \x1b[31mcolour and \xc3\xa9");
    struct px_buf b;
    px_buf_init(&b, RECORD_BYTES);
    px_buf_u8(&b, 'M');
    record_encode(&r, &b);
    record_decode(b.data, b.len, &got);
    assert_int_equal(got.class, RECORD_RUNTIME_ERROR);
    assert_true(got.marked);
    assert_int_equal(got.calls, 7);
    assert_string_equal(got.exception, "KeyError");
    assert_string_equal(got.detail, "line with  [31mcolour and \xc3\xa9");
    for (size_t n = 0; n < b.len; n++) { /* a record that is cut is no record */
        record_decode(b.data, n, &got);
        assert_int_equal(got.class, RECORD_NONE);
        assert_int_equal(got.marked, n > 0);
    }
    px_buf_u8(&b, 'x');
    record_decode(b.data, b.len, &got);
    assert_int_equal(got.class, RECORD_NONE);
    assert_false(got.first_passed);
    record_decode("MB", 2, &got); /* killed in its second set of tests: the first one counts */
    assert_true(got.marked && got.first_passed);
    record_decode("B", 1, &got); /* never before the program was heard */
    assert_false(got.marked || got.first_passed);
    px_buf_clear(&b);
}

static bool same(const char *a, const char *b)
{
    return record_same_output(a, strlen(a), b, strlen(b));
}

static void outputs_differ_in_more_than_blanks(void **state)
{
    (void)state;
    assert_true(same("3\n", "3"));
    assert_true(same("1 2  \r\n3\n\n", "1 2\n3"));
    assert_true(same("", "\n"));
    assert_false(same("1 2", "12"));
    assert_false(same("1\n\n2", "1\n2"));
    assert_false(same("3", ""));
    assert_false(same("", "3"));
    assert_false(same("3\n4", "3"));
    assert_false(record_same_output("3\0", 2, "3", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passed_needs_a_record_and_a_clean_end),
        cmocka_unit_test(no_limit_lets_a_pass_through),
        cmocka_unit_test(a_sandbox_error_lies_before_the_source),
        cmocka_unit_test(the_order_of_precedence_holds),
        cmocka_unit_test(deaths_are_told_apart),
        cmocka_unit_test(a_kill_that_was_not_ours_is_told_apart),
        cmocka_unit_test(scripts_pass_by_output_and_status),
        cmocka_unit_test(every_fact_with_every_record_gives_a_verdict),
        cmocka_unit_test(records_survive_their_bytes),
        cmocka_unit_test(outputs_differ_in_more_than_blanks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
