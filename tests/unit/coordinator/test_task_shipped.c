/* test_task_shipped.c - the shipped benchmarks on their real data (PROCTOR_REFERENCE, visible skip
 * without it): prompts and texts by their digests, numbers of problems, known scores. */
#include <math.h>

#include "proto/json.h"
#include "proto/pystr.h"
#include "tests/unit/coordinator/task_fixture.h"

/* The data's directory; skips the test when it is absent. */
static char *data_or_skip(void)
{
    char *data = reference_data();
    if (!data)
        skip();
    return data;
}

static void every_file_loads_with_its_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t n, n_subsets;
        bool compat;
    } tasks[] = {
        {"arc_challenge", 1172, 0, true},
        {"arc_easy", 2376, 0, true},
        {"boolq", 3270, 0, true},
        {"bfcl_simple", 400, 0, false},
        {"gsm8k", 1319, 0, true},
        {"gsm8k_cot", 1319, 0, true},
        {"gsm8k_cot_zeroshot", 1319, 0, true},
        {"humaneval", 164, 0, true},
        {"humaneval_plus", 164, 0, true},
        {"ifeval", 541, 0, true},
        {"math500", 500, 7, true},
        {"mbpp", 500, 0, true},
        {"mbpp_sanitized", 257, 0, false},
        {"minerva_math", 5000, 7, true},
        {"hellaswag_sample", 1000, 0, true},
        {"lambada_openai", 5153, 0, true},
        {"mmlu", 14042, 57, true},
        {"piqa", 1838, 0, true},
        {"ppl_llamacpp", 1, 0, false},
        {"truthfulqa_mc1", 790, 0, true},
        {"truthfulqa_mc2", 790, 0, true},
        {"wikitext", 62, 0, true},
        {"winogrande", 1267, 0, true},
    };
    PX_FREE char *data = data_or_skip();
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        struct task *t = load_real(tasks[i].name, data);
        assert_int_equal(task_n_problems(t), tasks[i].n);
        assert_int_equal(task_n_subsets(t), tasks[i].n_subsets);
        assert_false(task_truncates(t));
        task_free(&t);
        if (!tasks[i].compat)
            continue;
        t = load_compat(tasks[i].name, data);
        assert_true(task_truncates(t) || task_request(t) == TASK_ROLLING);
        task_free(&t);
    }
}

static void gsm8k_prompts_are_lm_evals(void **state)
{
    (void)state;
    PX_FREE char *data = data_or_skip();
    struct task *t = load_compat("gsm8k", data);
    assert_prompt_hash(t, 2, 3257,
                       "97eb2662b11bbd7bd0423f898efde0e9a04d22028ed5fc1f80576965b0f570fa");
    assert_prompt_hash(t, 0, 3189,
                       "32680f263ba83280e98a8a24ceefed10a722a4cdcd9f4d78e93c45d43143ca66");
    assert_prompt_hash(t, 1, 3321,
                       "e6b9a0195411932e5323ed20ad05e965b08b979103bbb26594a5bdf123d27990");
    task_free(&t);
    t = load_real("gsm8k", data);
    assert_int_equal(task_fewshot(t), 5);
    task_free(&t);
}

/* Shots of tasks whose training set is not at hand: never drawn from what is asked. */
static void missing_training_sets_are_named(void **state)
{
    (void)state;
    static const char *const tasks[][2] = {{"winogrande", "winogrande/train_xl.jsonl"},
                                           {"piqa", "piqa/train.jsonl"},
                                           {"boolq", "boolq/train.jsonl"},
                                           {"arc_easy", "arc/ARC-Easy-Train.jsonl"}};
    PX_FREE char *data = data_or_skip();
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        struct px_err err;
        struct task *t = load_compat(tasks[i][0], data);
        assert_int_equal(task_check_fewshot(t, 0, &err), 0);
        assert_int_equal(task_check_fewshot(t, 5, &err), -1);
        assert_int_equal(err.code, PX_EMISSING);
        assert_non_null(strstr(err.text, tasks[i][1]));
        task_free(&t);
    }
}

/* The digests were made by an assembly of the same files in Python. */
static void mmlu_prompts_have_their_subjects_examples(void **state)
{
    (void)state;
    PX_FREE char *data = data_or_skip();
    struct task *t = load_real("mmlu", data);
    assert_prompt_hash(t, 0, 993,
                       "ff9b00310e214beacf4b324da8c9e6c1de4e49cb422f1bcb1f7037b78f40a2a3");
    assert_prompt_hash(t, 14041, 880,
                       "a5e180fb7b8fc800b0eb609ba29d155c2bccc1352d1f7104c99bf3f6cce984b1");
    assert_string_equal(task_subset_name(t, task_subset(t, 14041)), "world_religions");
    assert_string_equal(task_subset_group(t, 0), "stem");
    uint32_t groups[4] = {0};
    static const char *const names[] = {"stem", "other", "social_sciences", "humanities"};
    for (uint32_t i = 0; i < 57; i++)
        for (uint32_t k = 0; k < 4; k++)
            groups[k] += strcmp(task_subset_group(t, i), names[k]) == 0;
    assert_int_equal(groups[0], 19);
    assert_int_equal(groups[1], 13);
    assert_int_equal(groups[2], 12);
    assert_int_equal(groups[3], 13);
    task_free(&t);
    t = load_compat("mmlu", data);
    assert_int_equal(task_fewshot(t), 0);
    task_free(&t);
}

static void put_with_end(struct px_buf *b, const char *s)
{
    px_buf_str(b, s);
    px_buf_char(b, '\0');
}

/* Digest over all prompts and continuations, each with its NUL. */
static void assert_texts(const struct task *t, bool prompts, const char *want)
{
    struct px_err err;
    struct px_buf b;
    char hex[PX_HEX_SIZE];
    px_buf_init(&b, 64u << 20);
    for (uint32_t i = 0; i < task_n_problems(t); i++) {
        struct task_prompt p;
        assert_int_equal(task_render(t, i, -1, false, &p, &err), 0);
        if (prompts)
            put_with_end(&b, p.prompt);
        for (uint32_t k = 0; k < p.n_choices; k++)
            put_with_end(&b, p.choices[k].continuation);
        task_prompt_clear(&p);
    }
    struct px_digest d = px_sha256(b.data, b.len);
    px_digest_hex(&d, hex);
    assert_string_equal(hex, want);
    px_buf_clear(&b);
}

static void hellaswag_texts_are_lm_evals(void **state)
{
    (void)state;
    PX_FREE char *data = data_or_skip();
    struct task *t = load_compat("hellaswag_sample", data);
    assert_texts(t, true, "ee159688acf25c31fb0d69d32d4f4dc73a0d4e0e5e9de7771ad73194713f0d51");
    struct px_err err;
    assert_int_equal(task_check_fewshot(t, 10, &err), -1); /* its training set is not there */
    assert_int_equal(err.code, PX_EMISSING);
    assert_non_null(strstr(err.text, "hellaswag_train.jsonl was not found"));
    assert_non_null(strstr(err.text, "get it: "));
    task_free(&t);
}

/* The rule that lm-eval cleans HellaSwag's texts by, on its check value. */
static void hellaswags_tags_are_cut_out(void **state)
{
    (void)state;
    char *yaml;
    size_t n;
    assert_int_equal(px_read_file("recipes/tasks/hellaswag.yaml", 1u << 20, &yaml, &n, NULL), 0);
    const char *file = strstr(yaml, "  file: hellaswag/hellaswag_val.jsonl\n  rows: 10042\n");
    assert_non_null(file);
    PX_FREE char *own =
        px_xasprintf("%.*s  file: ./h.jsonl\n%s", (int)(file - yaml), yaml, strstr(file, "  get:"));
    put("h.jsonl",
        "{\"ind\": 1, \"activity_label\": \"[header] How to X [title] Get Y. [step] Do "
        "it.   Then\", \"ctx_a\": \"a\", \"ctx_b\": \"he USES Tape\", \"label\": \"1\", "
        "\"endings\": [\"[header] How to X [title] Get Y. [step] Do it.   Then\", \"b\", "
        "\"c\", \"d\"]}\n");
    put("t.yaml", own);
    struct px_err err;
    struct task_env e = {.seed = 1, .compat = "lm-eval"};
    struct task *t = task_load(task_path, &e, &err);
    if (!t)
        fail_msg("%s", err.text);
    struct task_prompt p;
    assert_int_equal(task_render(t, 0, -1, false, &p, &err), 0);
    assert_string_equal(p.choices[0].text, " How to X. Get Y. Do it.  Then");
    assert_string_equal(p.prompt, " How to X. Get Y. Do it.  Then: a He uses tape");
    task_prompt_clear(&p);
    task_free(&t);
    e.compat = NULL;
    t = task_load(task_path, &e, &err);
    assert_int_equal(task_render(t, 0, -1, false, &p, &err), 0);
    assert_string_equal(p.choices[0].text, "How to X. Get Y. Do it. Then");
    assert_string_equal(p.prompt, "How to X. Get Y. Do it. Then: a He USES Tape");
    task_prompt_clear(&p);
    task_free(&t);
    free(yaml);
}

static void truthfulqa_answers_are_the_files(void **state)
{
    (void)state;
    PX_FREE char *data = data_or_skip();
    struct task *t = load_real("truthfulqa_mc2", data);
    assert_texts(t, false, "db1512c6efb62795d7c32ab09edb6eb3575cde06e584cb992d6de5cb23350326");
    assert_problem(t, 0, "{\"gold\":[0,1,2,3,4,5]}");
    task_free(&t);
    t = load_real("truthfulqa_mc1", data);
    assert_non_null(strstr(task_scorer(t), "\"ties\":\"wrong\""));
    task_free(&t);
    t = load_compat("truthfulqa_mc1", data);
    assert_null(strstr(task_scorer(t), "ties"));
    task_free(&t);
}

struct page {
    size_t words, bytes, scored;
    char hash[17]; /* of what is scored: its first digits */
};

/* Fields of a split on white space: those at the ends may be empty. */
static size_t count_words(const char *s)
{
    struct span all = pystr_of(s), rest = all, field;
    size_t n = 0;
    while (pystr_word(&rest, &field))
        n++;
    n += pystr_lstrip(all).n < all.n;
    return n + (pystr_rstrip(all).n < all.n);
}

static struct page read_page(const struct task *t, uint32_t i)
{
    struct page page;
    struct px_err err;
    struct px_buf b;
    struct task_prompt p;
    const char *text;
    char hex[PX_HEX_SIZE];
    px_buf_init(&b, 1u << 20);
    assert_int_equal(task_problem_json(t, i, &b, &err), 0);
    struct json_object *o = px_json_parse((char *)b.data, b.len, &err);
    assert_int_equal(px_json_str(o, "text", &text, &err), 0);
    page.words = count_words(text);
    page.bytes = strlen(text);
    json_object_put(o);
    px_buf_clear(&b);
    assert_int_equal(task_render(t, i, -1, false, &p, &err), 0);
    page.scored = strlen(p.text);
    struct px_digest d = px_sha256(p.text, page.scored);
    px_digest_hex(&d, hex);
    snprintf(page.hash, sizeof page.hash, "%.16s", hex);
    task_prompt_clear(&p);
    return page;
}

static void wikitexts_pages_are_lm_evals(void **state)
{
    (void)state;
    static const struct {
        uint32_t i;
        struct page want;
    } known[] = {{0, {1093, 5667, 5423, "d73a87153b7d7233"}},
                 {1, {4751, 24540, 23641, "6635a9c46b04b4af"}},
                 {61, {3479, 17903, 0, "b35a21525cd35c82"}}};
    PX_FREE char *data = data_or_skip();
    struct task *t = load_real("wikitext", data);
    struct page sum = {0};
    for (uint32_t i = 0; i < 62; i++) {
        struct page p = read_page(t, i);
        sum.words += p.words;
        sum.bytes += p.bytes;
        sum.scored += p.scored;
        for (size_t k = 0; k < 3; k++) {
            if (known[k].i != i)
                continue;
            assert_int_equal(p.words, known[k].want.words);
            assert_int_equal(p.bytes, known[k].want.bytes);
            assert_string_equal(p.hash, known[k].want.hash);
            if (known[k].want.scored)
                assert_int_equal(p.scored, known[k].want.scored);
        }
    }
    assert_int_equal(sum.words, 241335);
    assert_int_equal(sum.bytes, 1290527);
    assert_int_equal(sum.scored, 1240466);
    task_free(&t);
}

/* Always the first choice: what `oracle.first` says is what the golds give. */
static void the_first_choices_score_is_the_known_one(void **state)
{
    (void)state;
    static const char *const names[] = {
        "arc_challenge", "arc_easy", "boolq", "hellaswag_sample", "mmlu", "piqa", "winogrande"};
    PX_FREE char *data = data_or_skip();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct task *t = load_real(names[i], data);
        struct px_err err;
        struct px_buf b;
        uint32_t n = task_n_problems(t), right = 0;
        px_buf_init(&b, 1u << 20);
        for (uint32_t k = 0; k < n; k++) {
            px_buf_reset(&b);
            assert_int_equal(task_problem_json(t, k, &b, &err), 0);
            right += strcmp((char *)b.data, "{\"gold\":0}") == 0;
        }
        px_buf_clear(&b);
        const char *oracle = task_oracle_json(t);
        struct json_object *o = px_json_parse(oracle, strlen(oracle), &err), *first, *acc;
        assert_true(json_object_object_get_ex(o, "first", &first));
        assert_true(json_object_object_get_ex(first, "acc", &acc));
        assert_true(fabs(json_object_get_double(acc) - (double)right / n) < 1e-12);
        json_object_put(o);
        task_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_loads_with_its_rules),
        cmocka_unit_test(gsm8k_prompts_are_lm_evals),
        cmocka_unit_test(missing_training_sets_are_named),
        cmocka_unit_test(mmlu_prompts_have_their_subjects_examples),
        cmocka_unit_test(hellaswag_texts_are_lm_evals),
        cmocka_unit_test(hellaswags_tags_are_cut_out),
        cmocka_unit_test(truthfulqa_answers_are_the_files),
        cmocka_unit_test(wikitexts_pages_are_lm_evals),
        cmocka_unit_test(the_first_choices_score_is_the_known_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
