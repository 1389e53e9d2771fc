/* Recorded completions: rows, samples, gzip, and what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "proto/mem.h"
#include "worker/backend/backend.h"
#include "worker/backend/recording.h"

static void expect_text(const struct recording *r, const char *problem, uint32_t sample,
                        const char *text, enum finish finish)
{
    struct completion c;
    recording_find(r, problem, sample, &c);
    assert_int_equal(c.finish, finish);
    if (text)
        assert_string_equal(c.text, text);
    completion_clear(&c);
}

static const char rows[] =
    "{\"task_id\": \"a/1\", \"completion\": \"one\"}\n"
    "\n"
    "{\"doc_id\": 7, \"response\": [\"x\", \"y\"]}\r\n"
    "{\"task_id\": \"a/1\", \"text\": \"two\", \"finish_reason\": \"length\"}";

static void rows_are_found_by_problem_and_sample(void **state)
{
    (void)state;
    struct recording *r = recording_parse(rows, sizeof rows - 1, "mem", NULL);
    assert_non_null(r);
    assert_int_equal(recording_rows(r), 3);
    expect_text(r, "a/1", 0, "one", FINISH_EOS);
    expect_text(r, "a/1", 1, "two", FINISH_LENGTH);
    expect_text(r, "7", 0, "x", FINISH_EOS);
    expect_text(r, "7", 1, "y", FINISH_EOS);
    expect_text(r, "7", 2, NULL, FINISH_ERROR);
    expect_text(r, "a/2", 0, NULL, FINISH_ERROR);
    expect_text(r, "", 0, NULL, FINISH_ERROR);
    recording_free(&r);
    assert_null(r);
}

static void a_bad_row_is_named_by_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {{"{\"id\":\"a\",\"text\":\"x\"}\n{oops", "mem:2:"},
               {"\n\n{\"text\":\"x\"}", "mem:3: no problem id"},
               {"{\"id\":\"a\"}", "mem:1: no text"},
               {"{\"id\":\"a\",\"text\":[]}", "mem:1: no text"},
               {"[1]", "mem:1: no problem id"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct px_err err;
        assert_null(recording_parse(bad[i].text, strlen(bad[i].text), "mem", &err));
        if (!strstr(err.text, bad[i].words))
            fail_msg("'%s' does not say '%s'", err.text, bad[i].words);
    }
}

static void gzip_files_read_like_plain_ones(void **state)
{
    (void)state;
    char path[] = "/tmp/proctor-recording.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    gzFile f = gzdopen(fd, "wb");
    assert_int_equal(gzwrite(f, rows, sizeof rows - 1), (int)sizeof rows - 1);
    gzclose(f);
    struct recording *r = recording_open(path, NULL);
    unlink(path);
    assert_non_null(r);
    expect_text(r, "a/1", 1, "two", FINISH_LENGTH);
    recording_free(&r);
    struct px_err err;
    assert_null(recording_open("/nonexistent/x", &err));
    assert_int_equal(err.code, PX_EMISSING);
}

static void the_noop_backend_finishes_everything_it_takes(void **state)
{
    (void)state;
    struct backend_config cfg = {0};
    struct backend *b = backend_noop_new(&cfg, NULL);
    struct job job = {.kind = UNIT_GENERATE};
    struct unit unit = {.problem = NULL};
    struct backend_done done[8];
    assert_non_null(b);
    for (uint64_t t = 1; t <= 10; t++)
        assert_int_equal(b->submit(b->self, &job, &unit, t, NULL), 0);
    b->cancel(b->self, 3);
    uint64_t seen = 0;
    int n;
    while ((n = b->step(b->self, done, 8, NULL)) > 0)
        for (int i = 0; i < n; i++) {
            seen |= UINT64_C(1) << done[i].ticket;
            assert_string_equal(done[i].completion.text, "noop");
            completion_clear(&done[i].completion);
        }
    assert_int_equal(seen, 0x7fe & ~(1 << 3));
    assert_int_equal(b->progress(b->self), 9);
    b->free(b->self);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_problem_and_sample),
        cmocka_unit_test(a_bad_row_is_named_by_its_line),
        cmocka_unit_test(gzip_files_read_like_plain_ones),
        cmocka_unit_test(the_noop_backend_finishes_everything_it_takes),
    };
    return cmocka_run_group_tests_name("recorded completions", tests, NULL, NULL);
}
