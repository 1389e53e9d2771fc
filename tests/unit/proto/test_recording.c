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

#include "proto/file.h"
#include "proto/mem.h"
#include "proto/recording.h"

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
    struct recording *r = recording_parse(rows, sizeof rows - 1, "mem", NULL, NULL);
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
               {"{oops\n{\"id\":\"a\",\"text\":\"x\"}", "mem:1: not valid JSON"},
               {"{\"id\":\"a\",\"text\":\"x\"}\n\n{\"text\":\"x\"}", "mem:3: no problem id"},
               {"{\"text\":\"x\"}\n{\"id\":\"a\",\"text\":\"x\"}", "mem:2: a problem id (id)"},
               {"{\"id\":\"a\"}", "the row has id (string); `proctor score --text-key`"},
               {"{\"id\":\"a\",\"text\":\"b", "mem:1: not valid JSON: it ends in the middle"},
               {"{\"id\":\"a\",\"completion\":5}", "the row has id (string), completion (int);"},
               {"{\"id\":\"a\",\"text\":[]}", "mem:1: no text"},
               {"{\"id\":\"a\",\"text\":[\"x\",1]}", "mem:1: no text"},
               {"\n {\"id\":\"a\",\"text\":7}", "mem:2: no text"},
               {"[1]", "element 0 is neither"},
               {"[[\"a\"],{}]", "element 1 is an object"},
               {"7", "mem:1: not a JSON object"},
               {"", "the recording is empty"},
               {"\n \n", "the recording is empty"},
               {"\x89PNG\r\n\x1a\n\0\0", "mem:1: not valid JSON"},
               {"{\"eval\":{\"a/1\":7}}", "eval.a/1 is not a list"},
               {"{\"results\":{},\"configs\":{}}", "samples_*.jsonl"},
               {"nll_0,nll_1\n-1,-2\n-1\n", "mem:3: 1 numbers, the header names 2"},
               {"nll_0,nll_1\n-1,x\n", "mem:2: 'x' is not a number"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct px_err err;
        assert_null(recording_parse(bad[i].text, strlen(bad[i].text), "mem", NULL, &err));
        if (!strstr(err.text, bad[i].words))
            fail_msg("'%s' does not say '%s'", err.text, bad[i].words);
    }
}

static struct recording *parsed(const char *text, const struct recording_options *opt)
{
    struct px_err err;
    struct recording *r = recording_parse(text, strlen(text), "mem", opt, &err);
    if (!r)
        fail_msg("%s: %s", text, err.text);
    return r;
}

static void bytes_that_are_no_utf8_cost_no_row(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":\"a\",\"text\":\"x\xff\xc3(y\"}\n"
                               "{\"id\":\"b\",\"text\":\"z\\u0000z\"}\n";
    struct px_err err;
    struct recording *r = recording_parse(text, strlen(text), "mem", NULL, &err);
    assert_non_null(r);
    assert_true(recording_repaired(r));
    expect_text(r, "a", 0, "x\xef\xbf\xbd\xef\xbf\xbd(y", FINISH_EOS);
    struct completion c;
    recording_find(r, "b", 0, &c);
    assert_int_equal(c.n_text, 3);
    assert_memory_equal(c.text, "z\0z", 3);
    completion_clear(&c);
    recording_free(&r);
    static const char good[] = "{\"id\":\"a\",\"text\":\"\xc3\xa9\"}";
    r = recording_parse(good, strlen(good), "mem", NULL, &err);
    assert_non_null(r);
    assert_false(recording_repaired(r));
    recording_free(&r);
}

static void every_format_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum recording_format format;
        bool whole;
        const char *id, *first;
    } known[] = {
        {"{\"task_id\":\"a/1\",\"completion\":\"x\"}", RECORDING_HUMANEVAL, false, "a/1", "x"},
        {"{\"task_id\":\"a/1\",\"solution\":\"x\"}", RECORDING_EVALPLUS, true, "a/1", "x"},
        {"{\"task_id\":\"a/1\",\"prompt\":\"p\",\"solution\":\"x\"}", RECORDING_JSONL, false, "a/1",
         "x"},
        {"{\"date\":\"d\",\n\"eval\":{\"a/1\":[{\"solution\":\"x\",\"base_status\":\"pass\"}]}}",
         RECORDING_EVALPLUS, true, "a/1", "x"},
        {"[[\"x\",\"y\"],[],[\"z\"]]", RECORDING_BIGCODE, true, NULL, "x"},
        {"[{\"question_id\":\"q\",\"code_list\":[\"x\"]}]", RECORDING_JSONL, false, "q", "x"},
        {"{\n \"prompt\": \"what?\",\n \"response\": \"x\"\n}", RECORDING_JSONL, false, "what?",
         "x"},
        {"{\"prompt\":\"p\",\"samples\":[\"x\"]}", RECORDING_JSONL, false, "p", "x"},
        {"{\"output\":\"x\"}\n{\"output\":\"y\"}", RECORDING_JSONL, false, NULL, "x"},
        {"{\"doc_id\":3,\"resps\":[[\"x\"]],\"filter\":\"f\"}\n"
         "{\"doc_id\":3,\"resps\":[[\"x\"]],\"filter\":\"g\"}",
         RECORDING_LM_EVAL, false, "3", "x"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct recording *r = parsed(known[i].text, NULL);
        const struct recording_item *item = recording_item(r, 0);
        struct completion c;
        assert_int_equal(recording_format(r), known[i].format);
        assert_int_equal(recording_whole(r), known[i].whole);
        if (known[i].id)
            assert_string_equal(item->id, known[i].id);
        else
            assert_null(item->id);
        recording_completion(r, 0, &c);
        assert_string_equal(c.text, known[i].first);
        completion_clear(&c);
        recording_free(&r);
    }
}

static void positions_are_those_of_the_problems(void **state)
{
    (void)state;
    struct recording *r = parsed("[[\"x\",\"y\"],[],[\"z\"]]", NULL);
    assert_int_equal(recording_rows(r), 3);
    assert_int_equal(recording_items(r), 3);
    assert_int_equal(recording_item(r, 1)->position, 0);
    assert_int_equal(recording_item(r, 1)->within, 1);
    assert_int_equal(recording_item(r, 2)->position, 2);
    recording_free(&r);
    r = parsed("{\"doc_id\":9,\"resps\":[[\"x\",\"y\"]],\"filter\":\"f\"}\n"
               "{\"doc_id\":9,\"resps\":[[\"x\",\"y\"]],\"filter\":\"g\"}",
               NULL);
    assert_int_equal(recording_items(r), 2);
    assert_int_equal(recording_item(r, 1)->position, 9);
    assert_int_equal(recording_repeats(r), 1);
    recording_free(&r);
}

static void expect_scores(struct recording *r, double a, double b, bool greedy)
{
    struct completion c;
    assert_true(recording_item(r, 0)->scored);
    recording_completion(r, 0, &c);
    assert_int_equal(c.finish, FINISH_SCORED);
    assert_int_equal(c.n_choices, 2);
    assert_true(c.choices[0].logprob >= a && c.choices[0].logprob <= a);
    assert_true(c.choices[1].logprob >= b && c.choices[1].logprob <= b);
    assert_int_equal(c.choices[1].greedy, greedy);
    completion_clear(&c);
    recording_free(&r);
}

static void loglikelihoods_are_read_from_every_shape(void **state)
{
    (void)state;
    expect_scores(parsed("nll_0,nll_1\r\n-1.5,-0.25\r\n", NULL), -1.5, -0.25, false);
    expect_scores(
        parsed("{\"doc_id\":0,\"resps\":[[\"-1.5\",\"False\"],[\"-0.25\",\"True\"]]}", NULL), -1.5,
        -0.25, true);
    expect_scores(parsed("{\"doc_id\":0,\"resps\":[[[\"-1.5\",\"False\"]],[[-0.25,true]]]}", NULL),
                  -1.5, -0.25, true);
    expect_scores(
        parsed("{\"id\":\"a\",\"loglikelihoods\":[-1.5,-0.25],\"greedy\":[false,true]}", NULL),
        -1.5, -0.25, true);
    /* two texts that look like a loglikelihood are texts where a text was asked for */
    struct recording *r =
        parsed("{\"doc_id\":0,\"arguments\":{\"gen_args_0\":{\"arg_0\":\"p\",\"arg_1\":{}}},"
               "\"resps\":[[\"-1.5\",\"False\"]]}",
               NULL);
    assert_false(recording_item(r, 0)->scored);
    assert_int_equal(recording_items(r), 2);
    recording_free(&r);
}

static void keys_can_be_named(void **state)
{
    (void)state;
    static const char text[] =
        "{\"q\":{\"n\":\"a\"},\"6b\":{\"solution\":\"x\"},\"text\":\"other\"}\n"
        "{\"q\":{\"n\":\"b\"},\"6b\":{\"solution\":\"y\"}}";
    struct recording_options opt = {.id_key = "q.n", .text_key = "6b.solution"};
    struct recording *r = parsed(text, &opt);
    expect_text(r, "b", 0, "y", FINISH_EOS);
    expect_text(r, "a", 0, "x", FINISH_EOS);
    recording_free(&r);
    opt.id_key = "q.m";
    struct px_err err;
    assert_null(recording_parse(text, strlen(text), "mem", &opt, &err));
    assert_non_null(strstr(err.text, "mem:1: no problem id (q.m)"));
    opt = (struct recording_options){.format = RECORDING_BIGCODE};
    static const char row[] = "{\"task_id\":\"a\",\"completion\":\"x\"}";
    assert_null(recording_parse(row, sizeof row - 1, "mem", &opt, &err));
    assert_non_null(strstr(err.text, "not in the format bigcode"));
    opt.format = RECORDING_LM_EVAL;
    assert_null(recording_parse(text, strlen(text), "mem", &opt, &err));
    assert_non_null(strstr(err.text, "not in the format lm-eval"));
}

static void a_line_of_ten_megabytes_is_a_line(void **state)
{
    (void)state;
    enum { N = 10 << 20 };
    struct px_buf b;
    px_buf_init(&b, 2 * N);
    px_buf_str(&b, "{\"id\":\"a\",\"text\":\"");
    for (int i = 0; i < N / 64; i++)
        px_buf_str(&b, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\\");
    px_buf_str(&b, "n\"}\n{\"id\":\"b\",\"text\":\"y\"}");
    for (uint8_t *p = b.data; (p = memchr(p, '\\', b.len - (size_t)(p - b.data))); p++)
        p[0] = p[1] == '0' ? ' ' : '\\';
    struct recording *r = recording_parse((char *)b.data, b.len, "mem", NULL, NULL);
    assert_non_null(r);
    struct completion c;
    recording_find(r, "a", 0, &c);
    assert_int_equal(c.n_text, N);
    completion_clear(&c);
    expect_text(r, "b", 0, "y", FINISH_EOS);
    recording_free(&r);
    px_buf_clear(&b);
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
    struct recording *r = recording_open(path, NULL, NULL);
    unlink(path);
    assert_non_null(r);
    expect_text(r, "a/1", 1, "two", FINISH_LENGTH);
    recording_free(&r);
    struct px_err err;
    assert_null(recording_open("/nonexistent/x", NULL, &err));
    assert_int_equal(err.code, PX_EMISSING);
}

static void put_file(const char *dir, const char *name, const void *data, size_t n)
{
    PX_FREE char *path = px_path_join(dir, name);
    assert_int_equal(px_write_file(path, data, n, NULL), 0);
}

static void a_byte_order_mark_is_no_text(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf{\"id\":\"a\",\"text\":\"x\"}\r\n";
    char dir[] = "/tmp/proctor-recording.XXXXXX";
    assert_non_null(mkdtemp(dir));
    PX_FREE char *path = px_path_join(dir, "a.jsonl");
    put_file(dir, "a.jsonl", text, sizeof text - 1);
    struct px_err err = {0};
    struct recording *r = recording_open(path, NULL, &err);
    if (!r)
        fail_msg("%s", err.text);
    expect_text(r, "a", 0, "x", FINISH_EOS);
    recording_free(&r);
    unlink(path);
    rmdir(dir);
}

static void a_gzip_file_that_was_cut_is_refused(void **state)
{
    (void)state;
    char dir[] = "/tmp/proctor-recording.XXXXXX";
    assert_non_null(mkdtemp(dir));
    PX_FREE char *path = px_path_join(dir, "a.gz");
    gzFile f = gzopen(path, "wb");
    for (int i = 0; i < 1000; i++)
        gzprintf(f, "{\"task_id\": \"a/%d\", \"completion\": \"%d\"}\n", i, i * i);
    gzclose(f);
    char *data;
    size_t n;
    assert_int_equal(px_read_file(path, 1 << 20, &data, &n, NULL), 0);
    struct px_err err;
    for (size_t cut = n / 2; cut < n; cut += n / 2 - 4) {
        put_file(dir, "a.gz", data, cut);
        assert_null(recording_open(path, NULL, &err));
        if (!strstr(err.text, "cut short"))
            fail_msg("%zu of %zu bytes: %s", cut, n, err.text);
    }
    free(data);
    unlink(path);
    rmdir(dir);
}

static void a_directory_of_programs_is_read(void **state)
{
    (void)state;
    char dir[] = "/tmp/proctor-recording.XXXXXX";
    assert_non_null(mkdtemp(dir));
    PX_FREE char *task = px_path_join(dir, "HumanEval_10");
    struct px_err err;
    assert_null(recording_open(dir, NULL, &err));
    assert_non_null(strstr(err.text, "TASK_ID/n.py"));
    assert_int_equal(px_mkdirs(task, 0755, NULL), 0);
    put_file(task, "2.py", "two", 3);
    put_file(task, "10.py", "ten", 3);
    put_file(task, "notes.txt", "no", 2);
    struct recording *r = recording_open(dir, NULL, &err);
    assert_non_null(r);
    assert_true(recording_whole(r));
    expect_text(r, "HumanEval/10", 0, "two", FINISH_EOS);
    expect_text(r, "HumanEval/10", 1, "ten", FINISH_EOS);
    recording_free(&r);
    static const char *const names[] = {"2.py", "10.py", "notes.txt"};
    for (int i = 0; i < 3; i++) {
        PX_FREE char *path = px_path_join(task, names[i]);
        unlink(path);
    }
    rmdir(task);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_problem_and_sample),
        cmocka_unit_test(a_bad_row_is_named_by_its_line),
        cmocka_unit_test(bytes_that_are_no_utf8_cost_no_row),
        cmocka_unit_test(every_format_is_recognised),
        cmocka_unit_test(positions_are_those_of_the_problems),
        cmocka_unit_test(loglikelihoods_are_read_from_every_shape),
        cmocka_unit_test(keys_can_be_named),
        cmocka_unit_test(a_line_of_ten_megabytes_is_a_line),
        cmocka_unit_test(gzip_files_read_like_plain_ones),
        cmocka_unit_test(a_byte_order_mark_is_no_text),
        cmocka_unit_test(a_gzip_file_that_was_cut_is_refused),
        cmocka_unit_test(a_directory_of_programs_is_read),
    };
    return cmocka_run_group_tests_name("recorded completions", tests, NULL, NULL);
}
