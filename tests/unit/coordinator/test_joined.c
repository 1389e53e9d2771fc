/* test_joined.c - rows of recordings find their problems, and what is missing is told by name. */
#include "coordinator/recorded/join.h"
#include "coordinator/recorded/py_json.h"
#include "coordinator/recorded/spool.h"
#include "proto/json.h"
#include "task_fixture.h"

#define SUMS                                                                                       \
    "task: t\ndata: {file: ./j.jsonl, get: here}\nid: 'sum/{{ n }}'\nsubset: '{{ s }}'\n"          \
    "prompt: '{{ q }}'\nheadline: exact_match\n"                                                   \
    "scorer: {kind: numeric, problem: {answer: '{{ a }}'}}\nreference: '{{ a }}'\n"

static const char rows[] =
    "{\"n\": 3, \"s\": \"big sums\", \"q\": \"def f(x):\\n  one\\n\", \"a\": \"1\"}\n"
    "{\"n\": 5, \"s\": \"small\", \"q\": \"def g(x):\\n  two\\n\", \"a\": \"2\"}\n"
    "{\"n\": 9, \"s\": \"big sums\", \"q\": \"def h(x):\\n  three\\n\", \"a\": \"3\"}\n";

static struct task *task_of_sums(void)
{
    put("j.jsonl", rows);
    return good(SUMS);
}

/* The problems that the items find, as digits; '?' for none; "" when nothing does. words: in what
 * is said about it. */
static void expect_join(const char *text, const char *want, const char *words)
{
    struct px_err err = {0};
    struct task *t = task_of_sums();
    struct recording *r = recording_parse(text, strlen(text), "mem", NULL, &err);
    struct joined j;
    char got[32] = "";
    if (!r)
        fail_msg("%s", err.text);
    if (join_recording(t, r, &j, &err) == 0) {
        struct px_buf out;
        px_buf_init(&out, 1 << 16);
        for (uint32_t i = 0; i < j.n_items; i++)
            got[i] = j.problem[i] == JOIN_UNKNOWN ? '?' : (char)('0' + j.problem[i]);
        px_buf_printf(&out, "%s\n", j.how);
        joined_describe(&j, t, r, &out);
        if (!strstr((char *)out.data, words))
            fail_msg("%s: '%s' does not say '%s'", text, (char *)out.data, words);
        px_buf_clear(&out);
        joined_clear(&j);
    } else if (!strstr(err.text, words)) {
        fail_msg("%s: '%s' does not say '%s'", text, err.text, words);
    }
    assert_string_equal(got, want);
    recording_free(&r);
    task_free(&t);
}

static void ids_are_found_however_they_are_written(void **state)
{
    (void)state;
    expect_join("{\"id\":\"sum/9\",\"text\":\"\"}\n{\"id\":\"sum/3\",\"text\":\"\"}\n"
                "{\"id\":\"sum/5\",\"text\":\"\"}",
                "201", "id (id)");
    expect_join("{\"id\":5,\"text\":[\"\",\"\"]}\n{\"id\":9,\"text\":[\"\",\"\"]}", "1122",
                "number (id)");
    expect_join("{\"task_id\":\"sum_3\",\"text\":\"\"}", "0", "id (task_id)");
    expect_join("{\"doc_id\":1,\"resps\":[[\"x\"]]}\n{\"doc_id\":2,\"resps\":[[\"x\"]]}", "12",
                "doc_id");
    expect_join("{\"question\":\" def g(x):\\n  two\",\"text\":\"\"}", "1",
                "the prompt's text (question)");
    expect_join("{\"prompt\":\"import a\\n\\ndef h(x):\\n  other words\\n\",\"samples\":[\"\"]}",
                "2", "last signature");
    expect_join("[[\"a\"],[\"b\",\"c\"],[]]", "011", "position");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    expect_join("{\"id\":\"sum/3\",\"text\":\"\"}\n{\"id\":\"sum/3\",\"text\":\"\"}\n"
                "{\"id\":\"sum/5\",\"text\":\"\"}",
                "001", "1 of 3 problems have no completion: sum/9\n");
    expect_join("{\"id\":\"sum/3\",\"text\":\"\"}\n{\"id\":\"sum/3\",\"text\":\"\"}\n"
                "{\"id\":\"sum/5\",\"text\":\"\"}",
                "001", "1 problem has fewer completions than the 2 of others: sum/5 (1)\n");
    expect_join("{\"id\":\"sum/3\",\"text\":\"\"}\n{\"id\":\"sum/3\",\"text\":\"\"}\n"
                "{\"id\":\"sum/5\",\"text\":\"\"}\n{\"id\":\"sum/9\",\"text\":\"\"}",
                "0012",
                "1 problem has more completions than the 1 of others (the same id again?): "
                "sum/3 (2)\n");
    expect_join("[[\"a\"],[\"b\"]]", "01", "1 of 3 problems have no completion: sum/9\n");
    expect_join("[[\"a\"],[\"b\"],[\"c\"],[\"d\"]]", "", "4 rows without problem ids");
    expect_join("{\"id\":\"sum/3\",\"text\":\"\"}\n\n{\"id\":\"sum/4\",\"text\":\"\"}", "0?",
                "1 of 2 completions are about no problem of task t: 'sum/4' (line 3)\n");
    expect_join("{\"id\":\"x\",\"text\":\"\"}", "",
                "its ids (id) are like 'x', the task's like 'sum/3'");
    expect_join("{\"text\":\"a\"}\n{\"text\":\"b\"}", "", "2 rows without problem ids");
}

static void several_tasks_of_a_peer_are_subsets(void **state)
{
    (void)state;
    PX_FREE char *folder = px_path_join(dir, "peer");
    PX_FREE char *one = px_path_join(folder, "samples_their_big_sums_2025.jsonl");
    PX_FREE char *two = px_path_join(folder, "samples_their_small_2025.jsonl");
    static const char a[] =
        "{\"doc_id\":0,\"resps\":[[\"x\"]]}\n{\"doc_id\":1,\"resps\":[[\"y\"]]}\n";
    static const char b[] = "{\"doc_id\":0,\"resps\":[[\"z\"]]}";
    assert_int_equal(px_mkdirs(folder, 0755, NULL), 0);
    assert_int_equal(px_write_file(one, a, sizeof a - 1, NULL), 0);
    assert_int_equal(px_write_file(two, b, sizeof b - 1, NULL), 0);
    struct task *t = task_of_sums();
    struct recording *r = recording_open(folder, NULL, NULL);
    struct joined j;
    struct px_buf out;
    px_buf_init(&out, 1 << 16);
    assert_non_null(r);
    assert_int_equal(join_recording(t, r, &j, NULL), 0);
    assert_true(joined_complete(&j));
    spool_write(t, r, &j, &out);
    assert_string_equal((char *)out.data, "{\"id\":\"sum/3\",\"completion\":\"x\"}\n"
                                          "{\"id\":\"sum/5\",\"completion\":\"z\"}\n"
                                          "{\"id\":\"sum/9\",\"completion\":\"y\"}\n");
    px_buf_reset(&out);
    assert_int_equal(answers_write(t, ANSWERS_REFERENCE, &out, NULL), 0);
    assert_non_null(strstr((char *)out.data, "{\"id\":\"sum/9\",\"completion\":\"3\"}\n"));
    struct px_err err;
    assert_int_equal(answers_write(t, ANSWERS_FIRST, &out, &err), -1);
    assert_non_null(strstr(err.text, "has no choices"));
    px_buf_clear(&out);
    joined_clear(&j);
    recording_free(&r);
    task_free(&t);
}

/* Texts made by Python: json.dumps(v, indent=2, ensure_ascii=False). */
static void json_is_written_as_python_does(void **state)
{
    (void)state;
    static const struct {
        const char *json, *python;
    } known[] = {
        {"{\"a\":[1,2.50,-0.0,1e5],\"b\":{},\"c\":[],\"d\":null,\"e\":true}",
         "{\n  \"a\": [\n    1,\n    2.50,\n    -0.0,\n    1e5\n  ],\n  \"b\": {},\n  \"c\": [],\n"
         "  \"d\": null,\n  \"e\": true\n}"},
        {"\"\\u00e9\\n\\u001f\\/\\\"\\\\\\u007f\"", "\"\xc3\xa9\\n\\u001f/\\\"\\\\\x7f\""},
        {"[[\"x\"]]", "[\n  [\n    \"x\"\n  ]\n]"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct px_buf out;
        struct json_object *v = px_json_parse(known[i].json, strlen(known[i].json), NULL);
        px_buf_init(&out, 1 << 16);
        py_json_dumps(v, &out);
        assert_string_equal((char *)out.data, known[i].python);
        px_buf_clear(&out);
        json_object_put(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_however_they_are_written),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(several_tasks_of_a_peer_are_subsets),
        cmocka_unit_test(json_is_written_as_python_does),
    };
    return cmocka_run_group_tests_name("joined recordings", tests, set_up, tear_down);
}
