/* test_task_requests.c - continuations behind contexts, rolling texts, several right choices. */
#include "coordinator/task/task_inner.h"
#include "tests/unit/coordinator/task_fixture.h"

#define CONTEXTS                                                                                   \
    DATA "request: choice\ncontexts: ['{{ q }} one', '{{ q }} two']\ncontinuation: 'is {{ a }}'\n" \
         "gold: '{{ g }}'\nheadline: acc\nscorer: {kind: choice}\n"

static void one_continuation_stands_behind_each_context(void **state)
{
    (void)state;
    struct px_err err;
    struct task_prompt p;
    struct task *t = good(CONTEXTS "head: 'H '\nfewshot: {n: 1, selection: first}\n");
    assert_int_equal(task_render(t, 0, -1, false, &p, &err), 0);
    assert_string_equal(p.prompt, "H 1+1 two is 2\n\n"); /* the right context of the shot */
    assert_int_equal(p.n_choices, 2);
    assert_string_equal(p.choices[1].context, "2+2 two");
    assert_string_equal(p.choices[1].continuation, " is 4");
    assert_string_equal(p.choices[1].text, "is 4");
    task_prompt_clear(&p);
    assert_problem(t, 1, "{\"gold\":1}");
    assert_false(task_takes_chat(t));
    assert_int_equal(task_render(t, 0, 0, true, &p, &err), -1);
    assert_non_null(strstr(err.text, "cannot be a chat's messages"));
    task_free(&t);
    BAD(CONTEXTS "prompt: x\nprefix: y\nchoices: [a, b]\nchat: true\n",
        "prompt: contradiction: `contexts` stand in its place", "prefix: contradiction",
        "continuation: contradiction: `choices` is given too", "chat: contradiction");
    BAD(DATA "request: choice\ncontexts: ['x']\ngold: 0\nheadline: acc\nscorer: {kind: choice}\n",
        "continuation: missing: `contexts` need it", "contexts: needs at least 2 items");
    BAD(DATA "request: choice\nheadline: acc\nscorer: {kind: choice}\n",
        "choices: missing: `request: choice` needs it, or `continuation`", "prompt: missing");
    BAD(DATA "request: choice\ncontexts: '{{ q }}'\ncontinuation: x\ngold: 0\nheadline: acc\n"
             "scorer: {kind: choice}\n",
        "choices: a text, expected a list (", "d.jsonl:1)");
}

static void one_continuation_may_be_all(void **state)
{
    (void)state;
    struct px_err err;
    struct task_prompt p;
    struct task *t = good(DATA "request: choice\nprompt: '{{ q }}'\ncontinuation: '{{ a }}'\n"
                               "headline: acc\nscorer: {kind: continuation}\ntruncate: left\n");
    assert_int_equal(task_render(t, 2, 1, false, &p, &err), 0);
    assert_int_equal(p.n_choices, 1);
    assert_null(p.choices[0].context);
    assert_string_equal(p.choices[0].continuation, " 1");
    assert_int_equal(strlen(p.prompt), strlen("2+2 4\n\n0+1"));
    task_prompt_clear(&p);
    assert_problem(t, 1, "{}");
    assert_true(task_truncates(t));
    task_free(&t);
    BAD(DATA "request: choice\nprompt: x\ncontinuation: y\ngold: 0\nheadline: acc\n"
             "scorer: {kind: continuation}\n",
        "gold: cannot act: there is one continuation only");
}

static void several_choices_may_be_right(void **state)
{
    (void)state;
    struct task *t = good(DATA "request: choice\nprompt: x\nchoices: [a, b, c]\n"
                               "gold: '{{ [2, 0] }}'\nheadline: acc\nscorer: {kind: choice}\n");
    assert_problem(t, 0, "{\"gold\":[2,0]}");
    task_free(&t);
    t = good(DATA "request: choice\nprompt: x\nchoices: [a, b]\ngold: '{{ 7 }}'\nheadline: acc\n"
                  "scorer: {kind: choice, out_of_range: wrong}\n");
    assert_problem(t, 0, "{\"gold\":-100}");
    task_free(&t);
    BAD(DATA "request: choice\nprompt: x\nchoices: [a, b]\ngold: '{{ [] }}'\nheadline: acc\n"
             "scorer: {kind: choice}\n",
        "choices: gold is a list of 0, expected 1 to 2 (", "d.jsonl:1)");
    BAD(DATA "request: choice\nprompt: x\nchoices: [a, b]\ngold: '{{ [0, 2] }}'\nheadline: acc\n"
             "scorer: {kind: choice}\n",
        "gold is 2: neither an index from 0 to 1 nor the text of one of the 2 choices (");
    BAD(DATA "request: choice\nprompt: x\nchoices: '{{ [] }}'\ngold: 0\nheadline: acc\n"
             "scorer: {kind: choice}\n",
        "choices: 0 choices, expected 2 to 1000 (", "d.jsonl:1)");
}

#define ROLLING                                                                                    \
    DATA "request: rolling\ntext: '{{ q }}!'\nheadline: loglikelihood\n"                           \
         "scorer: {kind: rolling, problem: {text: '{{ q }}'}}\n"

static void a_rolling_text_has_windows(void **state)
{
    (void)state;
    struct px_err err;
    struct task_prompt p;
    struct task *t = good(ROLLING);
    assert_int_equal(task_request(t), TASK_ROLLING);
    assert_string_equal(task_request_name(task_request(t)), "rolling");
    assert_int_equal(task_windows(t).rule, WINDOWS_ROLLING);
    assert_int_equal(task_windows(t).context, 0);
    assert_false(task_windows(t).score_bos);
    assert_int_equal(task_render(t, 0, -1, false, &p, &err), 0);
    assert_string_equal(p.text, "2+2!");
    assert_int_equal(p.n_choices, 0);
    task_prompt_clear(&p);
    assert_problem(t, 0, "{\"text\":\"2+2\"}");
    task_free(&t);
    t = good(ROLLING "windows: {rule: llamacpp, context: 512}\n");
    assert_int_equal(task_windows(t).rule, WINDOWS_LLAMACPP);
    assert_int_equal(task_windows(t).context, 512);
    task_free(&t);
    BAD(ROLLING "windows: {rule: llamacpp, score_bos: true, x: 1}\nprompt: x\nstop: [y]\n",
        "windows.context: missing", "windows.score_bos: cannot act", "windows.x: unknown key",
        "prompt: cannot act on `request: rolling`", "stop: cannot act: it acts on");
    BAD(DATA "request: rolling\ntext: x\nheadline: acc\nscorer: {kind: choice}\n",
        "scorer.kind: contradiction: this scorer goes with `request: choice`");
    BAD(GENERATE "text: x\nwindows: {}\ntruncate: right\n", "text: cannot act: it acts on",
        "windows: cannot act", "truncate: not a value of this key; allowed: refuse, left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_continuation_stands_behind_each_context),
        cmocka_unit_test(one_continuation_may_be_all),
        cmocka_unit_test(several_choices_may_be_right),
        cmocka_unit_test(a_rolling_text_has_windows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
