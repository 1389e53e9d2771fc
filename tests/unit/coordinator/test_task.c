/* test_task.c - task files: every error with its place, prompts by the letter, the shipped tasks on
 * the real data (PROCTOR_REFERENCE, visible skip without it), speed of loading aside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/recipe/findings.h"
#include "coordinator/task/task_inner.h"
#include "proto/json.h"
#include "tests/unit/coordinator/task_fixture.h"

static void a_generate_task_has_its_defaults(void **state)
{
    (void)state;
    uint32_t n;
    struct task *t = good(GENERATE);
    assert_string_equal(task_name(t), "t");
    assert_int_equal(task_request(t), TASK_GENERATE);
    assert_int_equal(task_max_tokens(t), 256);
    assert_int_equal(task_fewshot(t), 0);
    assert_false(task_chat(t));
    assert_null(task_stops(t, &n));
    assert_int_equal(n, 0);
    assert_string_equal(task_headline(t), "exact_match");
    assert_string_equal(task_scorer_kind(t), "numeric");
    assert_string_equal(task_scorer(t), "{\"kind\":\"numeric\",\"version\":1}");
    assert_int_equal(task_n_problems(t), 3);
    assert_string_equal(task_problem_id(t, 2), "p2");
    assert_prompt(t, 0, -1, "Q: 2+2\nA:"); /* YAML folds the line ends */
    assert_problem(t, 1, "{\"answer\":\"2\"}");
    assert_null(task_reference(t, 0));
    task_free(&t);
    assert_null(t);
}

static void shots_come_before_the_question(void **state)
{
    (void)state;
    struct task *t = good(GENERATE "head: 'Answer.\n\n  '\n"
                                   "fewshot: {n: 2, selection: first, target: '{{ a }}'}\n"
                                   "reference: ' {{ a }}'\n");
    assert_int_equal(task_fewshot(t), 2);
    assert_prompt(t, 0, -1, "Answer.\nQ: 1+1\nA: 2\n\nQ: 0+1\nA: 1\n\nQ: 2+2\nA:");
    assert_prompt(t, 2, 1, "Answer.\nQ: 2+2\nA: 4\n\nQ: 0+1\nA:");
    assert_prompt(t, 2, 0, "Answer.\nQ: 0+1\nA:");
    char *ref = task_reference(t, 1);
    assert_string_equal(ref, " 2");
    free(ref);
    task_free(&t);
}

static void own_samples_and_a_prefix_are_joined(void **state)
{
    (void)state;
    struct task *t =
        good(GENERATE "prefix: 'The answer is'\n"
                      "fewshot: {n: 1, selection: first, delimiter: \"\\n\",\n"
                      "  target: '{{ a }}', samples: [{q: 7, a: 8}, {q: x, a: 'y'}]}\n");
    assert_prompt(t, 0, -1, "Q: 7\nA: The answer is 8\nQ: 2+2\nA: The answer is");
    struct px_err err;
    struct task_prompt p;
    assert_int_equal(task_render(t, 0, 2, true, &p, &err), 0);
    assert_null(p.prompt);
    assert_int_equal(p.n_messages, 5);
    assert_string_equal(p.messages[0].role, "user");
    assert_string_equal(p.messages[0].content, "Q: 7\nA:");
    assert_string_equal(p.messages[1].role, "assistant");
    assert_string_equal(p.messages[1].content, "The answer is 8");
    assert_string_equal(p.messages[4].content, "Q: 2+2\nA:");
    assert_string_equal(p.prefix, "The answer is");
    task_prompt_clear(&p);
    task_free(&t);
}

static void a_choice_task_gives_choices_and_gold(void **state)
{
    (void)state;
    struct px_err err;
    struct task_prompt p;
    struct task *t = good(CHOICE "head: Sums\n");
    assert_int_equal(task_render(t, 1, -1, false, &p, &err), 0);
    assert_string_equal(p.prompt, "SumsQ: 1+1");
    assert_int_equal(p.n_choices, 2);
    assert_string_equal(p.choices[1].text, "2");
    assert_string_equal(p.choices[1].continuation, " 2");
    task_prompt_clear(&p);
    assert_int_equal(task_render(t, 1, 1, true, &p, &err), 0);
    assert_string_equal(p.messages[0].role, "system");
    assert_string_equal(p.choices[1].continuation, "2"); /* a turn begins with the choice */
    assert_int_equal(p.n_messages, 4);
    assert_int_equal(strlen(p.messages[2].content), 1); /* the gold choice of a shot */
    task_prompt_clear(&p);
    assert_problem(t, 1, "{\"gold\":1}");
    assert_string_equal(task_problem_id(t, 1), "1"); /* the row's number */
    task_free(&t);
}

static void gold_may_be_a_text(void **state)
{
    (void)state;
    struct task *t = good(DATA "request: choice\nprompt: x\nchoices: ['{{ q }}', no]\n"
                               "gold: '{{ q }}'\nheadline: acc\nscorer: {kind: choice}\n");
    assert_problem(t, 2, "{\"gold\":0}");
    task_free(&t);
    BAD(DATA "request: choice\nprompt: x\nchoices: ['1', '0']\ngold: '{{ \"1\" }}'\n"
             "headline: acc\nscorer: {kind: choice}\n",
        "gold '1' is the text of choice 0 and the index of another");
    BAD(DATA "request: choice\nprompt: x\nchoices: [a, b]\ngold: '{{ 2 }}'\n"
             "headline: acc\nscorer: {kind: choice}\n",
        "gold is 2: neither an index from 0 to 1 nor the text of one of the 2 choices (",
        "d.jsonl:1)");
}

static void scorers_of_another_version_are_refused(void **state)
{
    (void)state;
    BAD(DATA
        "prompt: x\nheadline: exact_match\nscorer: {kind: numeric, version: 2, problem: {answer: "
        "'1'}}\n",
        "scorer.version: 2 is asked for, this build's scorers are version 1");
}

static void scorers_fields_keep_their_types(void **state)
{
    (void)state;
    struct task *t = good(DATA "prompt: x\nheadline: pass@1\nscorer:\n  kind: code\n  version: 1\n"
                               "  style: function\n  limits: {cpu_s: 2, memory_mb: 256}\n"
                               "  problem:\n    kind: calls\n    entry_point: '{{ q }}'\n"
                               "    calls: [{args: '{{ c }}', n: 3}, ['{{ g }}', 'x {{ g }}']]\n"
                               "    strict: true\n");
    assert_string_equal(task_scorer(t), "{\"kind\":\"code\",\"version\":1,\"style\":\"function\","
                                        "\"limits\":{\"cpu_s\":2,\"memory_mb\":256}}");
    assert_problem(t, 1,
                   "{\"id\":\"1\",\"kind\":\"calls\",\"entry_point\":\"1+1\",\"calls\":"
                   "[{\"args\":[\"3\",\"2\"],\"n\":3},[1,\"x 1\"]],\"strict\":true}");
    task_free(&t);
}

static void mistakes_in_a_task_file_are_told_at_once(void **state)
{
    (void)state;
    BAD("task: 'a b'\ndata: {file: d.xls, gte: x, rows: -1}\npromt: x\nmax_tokens: 0\n"
        "scorer: {kind: numric, limits: {cpu_s: 1}}\nchance: 2\nchat: maybe\n",
        ":1:7: task: is not a name", ":2:14: data.file: unknown format; allowed: .jsonl",
        ":2:21: data.gte: unknown key; allowed: file, ", "did you mean 'get'",
        ":2:7: data.get: missing", ":2:35: data.rows: is not an integer from 0",
        ":3:1: promt: unknown key;", "did you mean 'prompt'", ":1:1: prompt: missing");
    BAD(GENERATE "fewshot: {n: 65, selection: frist, sede: 1, seed: 2}\n",
        ":9:14: fewshot.n: is not an integer from 0 to 64",
        ":9:29: fewshot.selection: not a value of this key; allowed: random, first, lm-eval; did "
        "you mean 'first'",
        ":9:10: fewshot.target: missing", ":9:51: fewshot.seed: cannot act",
        "fewshot.sede: unknown key");
    BAD(GENERATE "choices: x\ngold: 1\n", ":9:10: choices: cannot act", ":10:7: gold: cannot act");
    BAD(CHOICE "stop: [a]\nmax_tokens: 3\nreference: x\n", "stop: cannot act: it acts on",
        "max_tokens: cannot act", "reference: cannot act");
    BAD(DATA "prompt: x\nheadline: acc\nscorer: {kind: numeric, style: function, problem: {}}\n",
        ":4:11: headline: 'acc' is not a metric of this scorer; allowed: exact_match",
        ":5:32: scorer.style: cannot act", "scorer.problem.answer: missing");
    BAD(DATA "prompt: x\nheadline: acc\nscorer: {kind: choice}\n", "scorer.kind: contradiction");
    BAD(GENERATE "stop: x\n", ":9:7: stop: is not a list of texts");
    BAD(GENERATE "prompt: y\n", ":9:1: prompt: duplicate key");
    BAD("task: ''\ndata: {file: a.json, get: x}\nprompt: x\nheadline: ''\nscorer: {kind: none}\n",
        ":1:7: task: is not a name", ":4:11: headline: is not the name of a metric");
    BAD("- x\n", ":1:1: a task is a map");
    BAD("task: [\n", "t.yaml:2:1: ");
}

static void mistakes_in_templates_are_told_with_both_places(void **state)
{
    (void)state;
    BAD(GENERATE "prefix: '{{ q | frob }}'\n", ":9:9: prefix: template 1:8: unknown filter 'frob'");
    BAD(GENERATE "prefix: '{{ z }}'\n", "task t: prefix: template 1:4: the row has no field 'z' (",
        "d.jsonl:1)");
    BAD(GENERATE "reference: '{% if %}'\n", "reference: template 1:7: ");
}

static void mistakes_in_data_are_told(void **state)
{
    (void)state;
    BAD("task: t\ndata: {file: no/such.jsonl, get: the library}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        "task t: no/such.jsonl was not found in ", "get it: the library");
    BAD("task: t\ndata: {file: ./no.jsonl, get: the library}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        "task t: ./no.jsonl was not found in /", " (the task file's); ", "get it: the library");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, sha256: "
        "0000000000000000000000000000000000000000000000000000000000000000}\nprompt: x\n"
        "headline: n\nscorer: {kind: none}\n",
        ":2:44: data.sha256: is no file's: put the file's own, or leave the key out");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, rows: 4}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        "d.jsonl: 3 rows, expected 4");
    BAD(DATA "id: same\nprompt: x\nheadline: n\nscorer: {kind: none}\n",
        "d.jsonl:2: the id 'same' stands at line 1 already");
    BAD(DATA "id: '{{ c }}'\nprompt: x\nheadline: n\nscorer: {kind: none}\n",
        "d.jsonl:1: id: a list cannot be written as text");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, sha256: 12}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        ":2:44: data.sha256: is not a SHA-256 of 64 hexadecimal digits");
    put("e.jsonl", "\n");
    BAD("task: t\ndata: {file: ./e.jsonl, get: here}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        "e.jsonl: no rows");
}

static void shots_that_cannot_be_made_are_an_error(void **state)
{
    (void)state;
    struct px_err err;
    struct task_prompt p;
    struct task *t = good(GENERATE);
    assert_int_equal(task_check_fewshot(t, -1, &err), 0);
    assert_int_equal(task_check_fewshot(t, 1, &err), -1);
    assert_int_equal(task_render(t, 0, 1, false, &p, &err), -1);
    assert_non_null(strstr(err.text, "does not say how to make them (fewshot)"));
    task_free(&t);
    t = good(CHOICE);
    assert_int_equal(task_check_fewshot(t, 2, &err), 0);
    assert_int_equal(task_check_fewshot(t, 3, &err), -1);
    assert_int_equal(task_render(t, 0, 3, false, &p, &err), -1);
    assert_non_null(strstr(err.text, "3 shots, but there are only 3 rows"));
    task_free(&t);
}

static struct px_digest digest_of(const char *text)
{
    struct task *t = good(text);
    struct px_digest d = task_digest(t);
    task_free(&t);
    return d;
}

static void identity_is_what_decides_prompts_and_scores(void **state)
{
    (void)state;
    struct px_digest a = digest_of(GENERATE), b = digest_of(GENERATE "about: words\n# more\n");
    assert_true(px_digest_eq(&a, &b));
    b = digest_of(GENERATE "stop: [x]\n");
    assert_false(px_digest_eq(&a, &b));
    b = digest_of(GENERATE "fewshot: {n: 0, target: x}\n");
    assert_false(px_digest_eq(&a, &b));
}

static void a_task_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct px_err err;
    assert_null(task_load("small_cod", &env, &err));
    assert_int_equal(err.code, PX_EMISSING);
    assert_non_null(strstr(err.text, "there is no task 'small_cod' in ./recipes/tasks"));
    assert_non_null(strstr(err.text, "did you mean 'small_code'"));
    assert_null(task_load("./nowhere.yaml", &env, &err));
    assert_int_equal(err.code, PX_EMISSING);
}

static void the_shipped_sets_load(void **state)
{
    (void)state;
    static const char *const names[] = {"small_code", "small_numeric", "small_choice"};
    for (size_t i = 0; i < 3; i++) {
        struct px_err err;
        struct task *t = task_load(names[i], &env, &err);
        if (!t)
            fail_msg("%s", err.text);
        assert_true(task_n_problems(t) >= 40);
        assert_string_equal(task_name(t), names[i]);
        task_free(&t);
    }
}

/* Three shots of the training split, their carriage returns kept. */
static void mbpp_prompts_are_lm_evals(void **state)
{
    (void)state;
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    struct task *t = load_real("mbpp", data);
    assert_int_equal(task_n_problems(t), 500);
    assert_string_equal(task_problem_id(t, 0), "11");
    assert_string_equal(task_problem_id(t, 499), "510");
    assert_prompt_hash(t, 0, 1822,
                       "8d9e21c0a49993c96c3d9b9ebfeab807986ec347f22336422e51e0032820a29b");
    task_free(&t);
    t = load_real("mbpp_sanitized", data);
    assert_int_equal(task_n_problems(t), 257);
    task_free(&t);
}

/* What is no JSON number in a strict sense reaches the tester as it is in the file. */
static void evalplus_inputs_keep_their_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *task, *id, *holds;
        uint32_t n;
    } cases[] = {{"humaneval_plus", "HumanEval/32", "\"accept\":\"abs(sum(", 164},
                 {"humaneval_plus", "HumanEval/0", "[[1.0,2.0,3.9,4.0,5.0,2.2],0.3]", 164},
                 {"humaneval_plus", "HumanEval/137", "\"cpu_s\":15", 164},
                 {"mbpp_plus", "Mbpp/404", "-Infinity", 378},
                 {"mbpp_plus", "Mbpp/599", "\"cpu_s\":240", 378},
                 {"mbpp_plus", "Mbpp/255", "\"plus_skip\":[85,86,90,96,100]", 378},
                 {"mbpp_plus_v010", "Mbpp/615", "\"arguments\":\"deep_tuple(a)\"", 399},
                 {"mbpp_plus_v010", "Mbpp/99", "999999999999999999999999999999999999999999", 399}};
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct task *t = load_real(cases[i].task, data);
        struct px_buf b;
        struct px_err err;
        uint32_t at = 0;
        assert_int_equal(task_n_problems(t), cases[i].n);
        while (strcmp(task_problem_id(t, at), cases[i].id) != 0)
            at++;
        px_buf_init(&b, 1u << 20);
        if (task_problem_json(t, at, &b, &err) != 0)
            fail_msg("%s", err.text);
        px_buf_char(&b, '\0');
        if (!strstr((char *)b.data, cases[i].holds))
            fail_msg("%s: no %s", cases[i].id, cases[i].holds);
        px_buf_clear(&b);
        task_free(&t);
    }
}

static void humaneval_prompts_are_the_files_own(void **state)
{
    (void)state;
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    struct task *t = load_real("humaneval", data);
    struct px_buf b;
    struct px_err err;
    assert_int_equal(task_n_problems(t), 164);
    assert_string_equal(task_problem_id(t, 163), "HumanEval/163");
    px_buf_init(&b, 1u << 20);
    for (uint32_t i = 0; i < 164; i++) {
        char *ref = task_reference(t, i);
        px_buf_reset(&b);
        assert_int_equal(task_problem_json(t, i, &b, &err), 0);
        struct json_object *o = px_json_parse((char *)b.data, b.len, &err);
        const char *text;
        assert_int_equal(px_json_str(o, "reference", &text, &err), 0);
        assert_string_equal(text, ref);
        json_object_put(o);
        free(ref);
    }
    px_buf_clear(&b);
    task_free(&t);
}

static void arc_has_other_labels_and_numbers_of_choices(void **state)
{
    (void)state;
    PX_FREE char *data = reference_data();
    if (!data)
        skip();
    struct task *t = load_real("arc_challenge", data);
    uint32_t counts[6] = {0};
    struct px_err err;
    assert_int_equal(task_n_problems(t), 1172);
    for (uint32_t i = 0; i < 1172; i++) {
        struct task_prompt p;
        assert_int_equal(task_render(t, i, -1, false, &p, &err), 0);
        assert_true(p.n_choices >= 3 && p.n_choices <= 5);
        counts[p.n_choices]++;
        task_prompt_clear(&p);
    }
    assert_int_equal(counts[3] + counts[4] + counts[5], 1172);
    assert_true(counts[3] > 0 && counts[5] > 0);
    task_free(&t);
}

static void assert_documented(const char *doc, const char *const *keys)
{
    for (; *keys; keys++) {
        PX_FREE char *row = px_xasprintf("| `%s` |", *keys);
        if (!strstr(doc, row))
            fail_msg("docs/tasks.md lacks the key %s", *keys);
    }
}

static void every_key_is_documented(void **state)
{
    (void)state;
    char *doc;
    size_t n;
    assert_int_equal(px_read_file("docs/tasks.md", 1u << 20, &doc, &n, NULL), 0);
    assert_documented(doc, task_keys_top);
    assert_documented(doc, task_keys_data);
    assert_documented(doc, task_keys_fewshot);
    assert_documented(doc, task_keys_scorer);
    static const char *const *const in_words[] = {
        task_keys_limits,     task_keys_each,   task_keys_join,
        task_keys_aggregate,  task_keys_oracle, task_keys_compat,
        task_keys_strategies, task_keys_judge,  task_keys_judge_mode};
    for (size_t i = 0; i < sizeof in_words / sizeof in_words[0]; i++)
        for (const char *const *k = in_words[i]; *k; k++)
            assert_non_null(strstr(doc, *k));
    free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_generate_task_has_its_defaults),
        cmocka_unit_test(shots_come_before_the_question),
        cmocka_unit_test(own_samples_and_a_prefix_are_joined),
        cmocka_unit_test(a_choice_task_gives_choices_and_gold),
        cmocka_unit_test(gold_may_be_a_text),
        cmocka_unit_test(scorers_of_another_version_are_refused),
        cmocka_unit_test(scorers_fields_keep_their_types),
        cmocka_unit_test(mistakes_in_a_task_file_are_told_at_once),
        cmocka_unit_test(mistakes_in_templates_are_told_with_both_places),
        cmocka_unit_test(mistakes_in_data_are_told),
        cmocka_unit_test(shots_that_cannot_be_made_are_an_error),
        cmocka_unit_test(identity_is_what_decides_prompts_and_scores),
        cmocka_unit_test(a_task_that_is_not_there_is_named),
        cmocka_unit_test(the_shipped_sets_load),
        cmocka_unit_test(mbpp_prompts_are_lm_evals),
        cmocka_unit_test(evalplus_inputs_keep_their_kinds),
        cmocka_unit_test(humaneval_prompts_are_the_files_own),
        cmocka_unit_test(arc_has_other_labels_and_numbers_of_choices),
        cmocka_unit_test(every_key_is_documented),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
