/* test_task_data.c - rows that are chosen, joined and gathered from families of files; subsets and
 * groups; metrics of sums, known scores; rules of another harness. */
#include "coordinator/task/task_inner.h"
#include "tests/unit/coordinator/task_fixture.h"

#define TAIL                                                                                       \
    "prompt: 'Q: {{ q }}'\nheadline: exact_match\n"                                                \
    "scorer: {kind: numeric, problem: {answer: '{{ a }}'}}\n"

static int set_up_families(void **state)
{
    if (set_up(state) != 0)
        return -1;
    put("f_b.csv", "one,1\ntwo,2\n");
    put("f_a.csv", "three,3\n");
    put("s_b.csv", "b0,10\nb1,11\nb2,12\n");
    put("s_a.csv", "a0,20\na1,21\n");
    put("j.jsonl", "{\"id\": \"p2\", \"extra\": [1]}\n{\"id\": \"p0\", \"extra\": [2]}\n"
                   "{\"id\": \"p1\", \"extra\": [3]}\n");
    return 0;
}

static void where_keeps_rows_and_numbers_them(void **state)
{
    (void)state;
    struct task *t = good("task: t\ndata: {file: ./d.jsonl, get: here, rows: 3, where: '{{ id != "
                          "\"p1\" }}'}\n" TAIL);
    assert_int_equal(task_n_problems(t), 2);
    assert_string_equal(task_problem_id(t, 1), "1");
    assert_prompt(t, 1, -1, "Q: 0+1");
    task_free(&t);
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, where: '{{ g }}'}\n" TAIL,
        "d.jsonl:1: data.where is an integer, expected true or false");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, where: '{{ nix == 1 }}'}\n" TAIL,
        "d.jsonl:1: data.where: template 1:4: the row has no field 'nix'");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, where: '{{ g > 7 }}'}\n" TAIL,
        "d.jsonl: data.where keeps no row");
}

#define JOIN(rest) "task: t\ndata: {file: ./d.jsonl, get: here, join: {get: there" rest "}}\n" TAIL

static void a_second_file_adds_its_fields(void **state)
{
    (void)state;
    struct task *t = good("task: t\ndata: {file: ./d.jsonl, get: here, where: '{{ id != \"p0\" "
                          "}}',\n  join: {file: ./j.jsonl, get: there, on: id, rows: 3}}\n"
                          "prompt: '{{ q }} {{ extra[0] }}'\nheadline: exact_match\n"
                          "scorer: {kind: numeric, problem: {answer: x}}\n");
    assert_prompt(t, 0, -1, "1+1 3");
    assert_prompt(t, 1, -1, "0+1 1");
    struct px_digest a = task_problem_digest(t, 0), b = task_problem_digest(t, 1);
    assert_false(px_digest_eq(&a, &b));
    task_free(&t);
    BAD(JOIN(", file: ./j.jsonl"), "data.join.on: missing");
    BAD(JOIN(", on: id"), "data.join.file: missing");
    BAD(JOIN(", on: id, file: ./j.jsonl, where: x"), "data.join.where: unknown key");
    BAD(JOIN(", on: id, file: ./nix.jsonl"), "data.join: ./nix.jsonl was not found", "there");
    BAD(JOIN(", on: nix, file: ./j.jsonl"), "j.jsonl:1: the row has no field 'nix' to join on");
    put("k.jsonl", "{\"id\": \"p0\"}\n{\"id\": \"p2\"}\n");
    BAD(JOIN(", on: id, file: ./k.jsonl"), "d.jsonl:2: no row of ", "k.jsonl has the id \"p1\"");
    put("k.jsonl", "{\"id\": \"p0\"}\n\n{\"id\": \"p0\"}\n");
    BAD(JOIN(", on: id, file: ./k.jsonl"), "k.jsonl:3: id \"p0\" stands at line 1 already");
    put("k.jsonl", "{\"id\": \"p1\"}\n{\"id\": \"p0\", \"q\": 1}\n{\"id\": \"p2\"}\n");
    BAD(JOIN(", on: id, file: ./k.jsonl"), "k.jsonl:2: the field 'q' is in ", "d.jsonl too");
}

#define FAMILY_HASH "a6a4bea0cba71ca7f7e8aae1ff1b17ab4be4e1fe0ba2d4f3ae97f0d0bd3cf3f0"
#define FAMILY(rest)                                                                               \
    "task: t\ndata:\n  each: {name: s, values: [b, a], file: './f_{{ s }}.csv'}\n"                 \
    "  columns: [q, a]\n  get: here\n" rest TAIL

static void a_family_is_one_task(void **state)
{
    (void)state;
    struct task *t = good(FAMILY("  rows: 3\n") "subset: '{{ s }}'\ngroups: {g: [a], h: [b]}\n"
                                                "id: '{{ s }}/{{ row_number }}'\n");
    assert_int_equal(task_n_problems(t), 3);
    assert_prompt(t, 0, -1, "Q: one");
    assert_string_equal(task_problem_id(t, 2), "a/2");
    assert_int_equal(task_n_subsets(t), 2);
    assert_string_equal(task_subset_name(t, 0), "b");
    assert_string_equal(task_subset_group(t, 0), "h");
    assert_int_equal(task_subset(t, 1), 0);
    assert_int_equal(task_subset(t, 2), 1);
    assert_string_equal(task_subsets_json(t),
                        "[{\"name\":\"b\",\"group\":\"h\"},{\"name\":\"a\",\"group\":\"g\"}]");
    task_free(&t);
    BAD(FAMILY("  rows: 4\n"), "data.each: 3 rows in all files, expected 4");
    BAD(FAMILY("  file: x.csv\n"), "data.each: contradiction");
    BAD("task: t\ndata: {get: x, each: {name: 's t', values: [a, a], file: 'x{{'}}\n" TAIL,
        "data.each.name: is not a name", "data.each.values: names 'a' twice",
        "data.each.file: template");
    BAD("task: t\ndata: {get: there, each: {name: s, values: [a, nix], file: './f_{{ s }}.csv'}, "
        "columns: [q, a]}\n" TAIL,
        "./f_nix.csv was not found", "get it: there");
    BAD("task: t\ndata: {get: there, each: {name: q, values: [a], file: './f_{{ q }}.csv'}, "
        "columns: [q, a]}\n" TAIL,
        "f_a.csv:1: the row has a field 'q', and data.each adds one");
    BAD("task: t\ndata: {get: there, each: {name: s, values: [a, b], file: './f_{{ s }}.csv', "
        "sha256: " FAMILY_HASH "}, columns: [q, a]}\n" TAIL,
        "f_a.csv and the other 1 files of data.each: their SHA-256", "expected a6a4bea0");
    BAD(FAMILY("") "groups: {g: [a]}\n", "groups: cannot act: there is no `subset`");
    BAD(FAMILY("") "subset: '{{ s }}'\ngroups: {g: [a, c]}\n",
        ":10:17: groups.g: no problem is labelled 'c'");
    BAD(FAMILY("") "subset: '{{ s }}'\ngroups: {g: [a], h: [b, a]}\n",
        ":10:25: groups.h: 'a' is in a group already");
}

static void the_familys_digest_is_over_all_files_in_order(void **state)
{
    (void)state;
    struct px_digest d = px_sha256("three,3\none,1\ntwo,2\n", 20);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    PX_FREE char *text = px_xasprintf("task: t\ndata: {get: there, each: {name: s, values: [b, a], "
                                      "file: './f_{{ s }}.csv', sha256: %s}, columns: [q, a]}\n%s",
                                      hex, TAIL);
    struct task *t = good(text);
    assert_int_equal(task_n_problems(t), 3);
    task_free(&t);
}

#define SHOTS(name, values)                                                                        \
    FAMILY("")                                                                                     \
    "fewshot: {n: 2, selection: first, target: '{{ a }}', delimiter: '; ',\n"                      \
    "  data: {each: {name: " name ", values: [" values "], file: './s_{{ s }}.csv'},\n"            \
    "    columns: [q, a], get: shots}}\n"

static void shots_come_from_the_own_value(void **state)
{
    (void)state;
    struct task *t = good(SHOTS("s", "a, b"));
    assert_prompt(t, 0, -1, "Q: b0 10; Q: b1 11; Q: one");
    assert_prompt(t, 2, -1, "Q: a0 20; Q: a1 21; Q: three");
    struct px_err err;
    assert_int_equal(task_check_fewshot(t, 3, &err), -1);
    assert_string_equal(err.text, "s a: 3 shots, but there are only 2 rows to draw them from");
    task_free(&t);
    BAD(SHOTS("s", "a"), "fewshot.data.each has no value 'b', data.each has");
    BAD(SHOTS("s", "a, b, c"), "fewshot: ./s_c.csv was not found", "get it: shots");
    BAD(GENERATE "fewshot: {n: 1, target: x, data: {each: {name: s, values: [a], file: "
                 "'./s_{{ s }}.csv'}, columns: [q, a], get: shots}}\n",
        "fewshot.data.each is named 's', data.each does not exist");
}

static void lm_eval_draws_begin_anew_with_each_file(void **state)
{
    (void)state;
    struct task *t =
        good("task: t\ndata: {get: x, columns: [q, a], each: {name: s, values: [a, b], file: "
             "'./s_{{ s }}.csv'}}\n" TAIL "fewshot: {n: 1, selection: lm-eval, target: '{{ a }}', "
             "delimiter: '; ', data: {file: ./s_b.csv, get: x, columns: [q, a]}}\n");
    struct px_err err;
    struct task_prompt p, q;
    for (uint32_t i = 0; i < 2; i++) { /* the first two of both files draw the same */
        assert_int_equal(task_render(t, i, -1, false, &p, &err), 0);
        assert_int_equal(task_render(t, 2 + i, -1, false, &q, &err), 0);
        assert_memory_equal(p.prompt, q.prompt, 8);
        task_prompt_clear(&p);
        task_prompt_clear(&q);
    }
    task_free(&t);
}

static void a_text_is_pages_or_one_row(void **state)
{
    (void)state;
    put("w.txt", " \n = One = \n\n text \n = = Part = = \nmore\n = Two = \nend\n");
    struct task *t = good("task: t\ndata: {file: ./w.txt, get: here, page: '^\\s*= (?!=).*(?<!=) "
                          "=\\s*$'}\nprompt: '{{ page }}'\nheadline: n\nscorer: {kind: none}\n");
    assert_int_equal(task_n_problems(t), 2);
    assert_prompt(t, 0, -1, " = One = \n\n text \n = = Part = = \nmore");
    assert_prompt(t, 1, -1, " = Two = \nend\n");
    task_free(&t);
    t = good("task: t\ndata: {file: ./w.txt, get: here}\nprompt: '{{ page }}'\nheadline: n\n"
             "scorer: {kind: none}\n");
    assert_int_equal(task_n_problems(t), 1);
    task_free(&t);
    BAD("task: t\ndata: {file: ./w.txt, get: here, page: '('}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        ":2:40: data.page: regular expression: missing closing parenthesis");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, page: x}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        "data.page: cannot act: it acts on .txt and .raw files");
}

static void so_many_lines_make_a_page(void **state)
{
    (void)state;
#define LINES "task: t\ndata: {file: ./l.txt, get: here, page_lines: 2}\n"
#define REST "prompt: \"{{ page.split('\\n')[1] }}\"\nheadline: n\nscorer: {kind: none}\n"
    put("l.txt", "a\n\nb\nsecond\n");
    struct task *t = good(LINES REST);
    assert_int_equal(task_n_problems(t), 2);
    assert_prompt(t, 0, -1, "");
    assert_prompt(t, 1, -1, "second");
    task_free(&t);
    put("l.txt", "a\nb\nc");
    BAD(LINES REST, "l.txt:3: the file ends after 1 lines of a page of 2");
    BAD("task: t\ndata: {file: ./d.jsonl, get: here, page_lines: 2}\nprompt: x\nheadline: n\n"
        "scorer: {kind: none}\n",
        "data.page_lines: cannot act: it acts on .txt and .raw files");
    BAD("task: t\ndata: {file: ./l.txt, get: here, page_lines: 2, page: x}\nprompt: x\n"
        "headline: n\nscorer: {kind: none}\n",
        "data.page_lines: contradiction");
}

static void metrics_of_sums_are_told(void **state)
{
    (void)state;
    struct task *t = good(DATA "prompt: x\nheadline: r\nlower_is_better: true\n"
                               "scorer: {kind: numeric, problem: {answer: x}}\n"
                               "aggregate:\n"
                               "  - {metric: r, kind: ratio, of: exact_match, over: exact_match}\n"
                               "  - {metric: e, kind: exp_neg_mean, of: exact_match}\n"
                               "oracle: {reference: {exact_match: 1, r: 0.5}, empty: {e: 0}}\n");
    assert_true(task_lower_is_better(t));
    assert_string_equal(task_headline(t), "r");
    assert_string_equal(
        task_aggregates_json(t),
        "[{\"metric\":\"r\",\"kind\":\"ratio\",\"of\":\"exact_match\",\"over\":\"exact_match\"},"
        "{\"metric\":\"e\",\"kind\":\"exp_neg_mean\",\"of\":\"exact_match\"}]");
    assert_string_equal(task_oracle_json(t),
                        "{\"reference\":{\"exact_match\":1,\"r\":0.5},\"empty\":{\"e\":0}}");
    assert_string_equal(task_subsets_json(t), "[]");
    task_free(&t);
    t = good(GENERATE);
    assert_string_equal(task_aggregates_json(t), "[]");
    assert_string_equal(task_oracle_json(t), "{}");
    assert_false(task_lower_is_better(t));
    task_free(&t);
    BAD(GENERATE "aggregate: [{metric: r, kind: mean, of: nix}, {metric: r, of: exact_match, over: "
                 "exact_match, kind: exp_neg_mean}]\n",
        "aggregate.kind: not a value of this key; allowed: ratio",
        "aggregate.of: 'nix' is not a "
        "metric",
        "aggregate.over: missing", "aggregate.metric: is empty or named twice",
        "aggregate.over: cannot act");
    BAD(GENERATE "oracle: {reference: {nix: 1, exact_match: x}, last: {}}\n",
        "oracle.reference.nix: 'nix' is not a metric of this scorer; allowed: exact_match",
        "oracle.reference.exact_match: is not a number", "oracle.last: unknown key");
    BAD(GENERATE "lower_is_better: 7\n", "lower_is_better: is not true or false");
}

#define COMPAT                                                                                     \
    GENERATE "stop: [x]\nmax_tokens: 7\nfewshot: {n: 2, selection: first, target: '{{ a }}'}\n"    \
             "compat:\n  lm-eval:\n    stop: [y, z]\n    max_tokens: null\n"                       \
             "    fewshot: {n: 1}\n    chat: true\n"

static struct task *with_rules(const char *text, const char *rules, struct px_err *err)
{
    struct task_env e = {.seed = 1234, .compat = rules};
    put("t.yaml", text);
    return task_load(task_path, &e, err);
}

static void a_strategy_is_merged_and_is_part_of_the_identity(void **state)
{
    (void)state;
    static const char text[] = GENERATE "max_tokens: 7\n"
                                        "strategies:\n  scot: {max_tokens: 9, chat: true}\n"
                                        "compat: {lm-eval: {max_tokens: 11}}\n";
    struct px_err err;
    struct task_env e = {.seed = 1234, .strategy = "scot"};
    struct task *plain = good(text), *t = task_load(task_path, &e, &err);
    assert_non_null(t);
    assert_int_equal(task_max_tokens(plain), 7);
    assert_int_equal(task_max_tokens(t), 9);
    assert_true(task_chat(t) && !task_chat(plain));
    struct px_digest a = task_digest(plain), b = task_digest(t);
    assert_false(px_digest_eq(&a, &b));
    task_free(&t);
    task_free(&plain);
    e.compat = "lm-eval"; /* has the last word */
    t = task_load(task_path, &e, &err);
    assert_non_null(t);
    assert_int_equal(task_max_tokens(t), 11);
    task_free(&t);
    e.compat = NULL;
    e.strategy = "cgo";
    assert_null(task_load(task_path, &e, &err));
    assert_non_null(strstr(err.text, "no strategy cgo: the file has no `strategies.cgo`"));
    BAD(GENERATE "strategies: {zen: {}}\n", "strategies.zen: unknown key; allowed: few-shot, scot");
}

static void rules_of_another_harness_are_merged(void **state)
{
    (void)state;
    struct px_err err;
    uint32_t n;
    struct task *plain = good(COMPAT), *t = with_rules(COMPAT, "lm-eval", &err);
    assert_non_null(t);
    assert_string_equal(task_compat(plain), "");
    assert_string_equal(task_compat(t), "lm-eval");
    assert_string_equal(task_stops(t, &n)[1], "z");
    assert_int_equal(task_max_tokens(t), 256);
    assert_true(task_chat(t));
    assert_prompt(t, 0, -1, "Q: 1+1\nA: 2\n\nQ: 2+2\nA:"); /* the target is the file's */
    assert_int_equal(task_max_tokens(plain), 7);
    struct px_digest a = task_digest(plain), b = task_digest(t);
    assert_false(px_digest_eq(&a, &b));
    task_free(&t);
    t = good(GENERATE "stop: [x]\nmax_tokens: 7\n"
                      "fewshot: {n: 2, selection: first, target: '{{ a }}'}\n");
    b = task_digest(t);
    assert_true(px_digest_eq(&a, &b)); /* what is not in force decides nothing */
    task_free(&t);
    task_free(&plain);
    assert_null(with_rules(GENERATE, "lm-eval", &err));
    assert_non_null(strstr(err.text, "no compat lm-eval rule: the file has no `compat.lm-eval`"));
    assert_null(with_rules(COMPAT, "helm", &err));
    assert_non_null(strstr(err.text, "compat 'helm' is unknown; allowed: lm-eval"));
    BAD(GENERATE "compat: {lm_eval: {}}\n", "compat.lm_eval: unknown key; allowed: lm-eval");
    BAD(GENERATE "compat: {lm-eval: {stpo: [], task: x}}\n", "compat.lm-eval.stpo: unknown key",
        "compat.lm-eval.task: cannot be changed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_keeps_rows_and_numbers_them),
        cmocka_unit_test(a_second_file_adds_its_fields),
        cmocka_unit_test(a_family_is_one_task),
        cmocka_unit_test(the_familys_digest_is_over_all_files_in_order),
        cmocka_unit_test(shots_come_from_the_own_value),
        cmocka_unit_test(lm_eval_draws_begin_anew_with_each_file),
        cmocka_unit_test(a_text_is_pages_or_one_row),
        cmocka_unit_test(so_many_lines_make_a_page),
        cmocka_unit_test(metrics_of_sums_are_told),
        cmocka_unit_test(a_strategy_is_merged_and_is_part_of_the_identity),
        cmocka_unit_test(rules_of_another_harness_are_merged),
    };
    return cmocka_run_group_tests(tests, set_up_families, tear_down);
}
