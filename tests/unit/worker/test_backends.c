/* The backends that need no model: noop, and replay of recorded completions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/mem.h"
#include "worker/backend/backend.h"

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

static void replay_one(struct job *job, struct unit *unit, struct completion *out)
{
    struct backend_config cfg = {0};
    struct backend_done done;
    struct backend *b = backend_replay_new(&cfg, NULL);
    assert_int_equal(b->submit(b->self, job, unit, 1, NULL), 0);
    assert_int_equal(b->step(b->self, &done, 1, NULL), 1);
    *out = done.completion;
    b->free(b->self);
    free(b);
}

static void replay_answers_with_texts_and_loglikelihoods(void **state)
{
    (void)state;
    char path[] = "/tmp/proctor-replay.XXXXXX";
    close(mkstemp(path));
    static const char rows[] = "{\"id\":\"a\",\"loglikelihoods\":[-2,-1],\"greedy\":[false,true]}\n"
                               "{\"id\":\"b\",\"text\":\"t\"}\n";
    assert_int_equal(px_write_file(path, rows, sizeof rows - 1, NULL), 0);
    char a[] = "a";
    char b[] = "b";
    struct unit_choice choices[] = {{.n_bytes = 4, .n_chars = 3}, {.n_bytes = 6, .n_chars = 5}};
    struct job job = {.kind = UNIT_CHOICE, .model_path = path};
    struct unit unit = {.problem = a, .choices = choices, .n_choices = 2};
    struct completion c;
    replay_one(&job, &unit, &c);
    assert_int_equal(c.finish, FINISH_SCORED);
    assert_int_equal(c.n_choices, 2);
    assert_int_equal(c.choices[0].n_chars, 3);
    assert_int_equal(c.choices[1].n_bytes, 6);
    assert_true(c.choices[1].greedy);
    completion_clear(&c);
    unit.n_choices = 1;
    replay_one(&job, &unit, &c);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_non_null(strstr(c.error, "2 loglikelihoods"));
    completion_clear(&c);
    unit.problem = b;
    replay_one(&job, &unit, &c);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_non_null(strstr(c.error, "a text"));
    completion_clear(&c);
    job.kind = UNIT_GENERATE;
    replay_one(&job, &unit, &c);
    assert_string_equal(c.text, "t");
    completion_clear(&c);
    unit.problem = a;
    replay_one(&job, &unit, &c);
    assert_int_equal(c.finish, FINISH_ERROR);
    completion_clear(&c);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_noop_backend_finishes_everything_it_takes),
        cmocka_unit_test(replay_answers_with_texts_and_loglikelihoods),
    };
    return cmocka_run_group_tests_name("backends without a model", tests, NULL, NULL);
}
