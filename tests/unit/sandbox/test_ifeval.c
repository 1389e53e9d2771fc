/* test_ifeval.c - every instruction of IFEval on small texts, strict and loose, and bad arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/score/ifeval.h"
#include "sandbox/score/kinds.h"
#include "sandbox/score/pyjson.h"

static struct json_object *json(const char *text)
{
    struct px_err err;
    struct json_object *o = px_json_parse(text, strlen(text), &err);
    if (o == NULL)
        fail_msg("%s: %s", text, err.text);
    return o;
}

static struct ifeval *make(const char *id, const char *kwargs, struct px_err *err)
{
    char *ids_text = px_xasprintf("[\"%s\"]", id), *kwargs_text = px_xasprintf("[%s]", kwargs);
    struct json_object *ids = json(ids_text), *k = json(kwargs_text);
    struct ifeval *f = ifeval_new(ids, k, err);
    json_object_put(ids);
    json_object_put(k);
    free(ids_text);
    free(kwargs_text);
    return f;
}

enum { NO, LOOSE, YES };

struct sample {
    const char *id, *kwargs, *response;
    int follows;
};

static int judge(const char *id, const char *kwargs, const char *text, size_t n)
{
    struct px_err err;
    struct ifeval *f = make(id, kwargs, &err);
    if (f == NULL)
        fail_msg("%s %s: %s", id, kwargs, err.text);
    bool strict, loose;
    ifeval_judge(f, (struct span){text, n}, &strict, &loose);
    ifeval_free(f);
    assert_true(!strict || loose);
    return strict ? YES : loose ? LOOSE : NO;
}

static void check(const struct sample *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int got = judge(s[i].id, s[i].kwargs, s[i].response, strlen(s[i].response));
        if (got != s[i].follows)
            fail_msg("sample %zu, %s %s on '%s': %d", i, s[i].id, s[i].kwargs, s[i].response, got);
    }
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define WORDS "length_constraints:number_words"
#define PARAGRAPHS "length_constraints:number_paragraphs"
#define NTH "length_constraints:nth_paragraph_first_word"
#define SENTENCES "length_constraints:number_sentences"

static void lengths(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {WORDS, "{\"num_words\":6,\"relation\":\"at least\"}", "it's a 3-word test", YES},
        {WORDS, "{\"num_words\":7,\"relation\":\"at least\"}", "it's a 3-word test", NO},
        {WORDS, "{\"num_words\":6,\"relation\":\"less than\"}", "it's a 3-word test", NO},
        {WORDS, "{\"num_words\":3,\"relation\":\"less than\"}", "Sure:\none two", LOOSE},
        {WORDS, "{\"num_words\":3,\"relation\":\"at least\"}", "na\xC3\xAFve caf\xC3\xA9", NO},
        {PARAGRAPHS, "{\"num_paragraphs\":2}", "a***\n***b", NO},
        {PARAGRAPHS, "{\"num_paragraphs\":2}", "a\n***\nb", YES},
        {PARAGRAPHS, "{\"num_paragraphs\":2}", "***\na\n***\nb\n***\n", YES},
        {PARAGRAPHS, "{\"num_paragraphs\":2}", "a *** b *** c", NO},
        {NTH, "{\"num_paragraphs\":2,\"nth_paragraph\":2,\"first_word\":\"b\"}", "a\n\n\n\nb", NO},
        {NTH, "{\"num_paragraphs\":2,\"nth_paragraph\":2,\"first_word\":\"b\"}", "a\n\nb c", YES},
        {NTH, "{\"num_paragraphs\":1,\"nth_paragraph\":1,\"first_word\":\"Hi\"}", "'\"hI, you",
         YES},
        {NTH, "{\"num_paragraphs\":1,\"nth_paragraph\":1,\"first_word\":\"hi\"}", "\"'hi", NO},
        {NTH, "{\"num_paragraphs\":1,\"nth_paragraph\":2,\"first_word\":\"b\"}", "a", NO},
        {SENTENCES, "{\"num_sentences\":2,\"relation\":\"at least\"}", "One. Two", YES},
        {SENTENCES, "{\"num_sentences\":2,\"relation\":\"less than\"}", "Dr. Who came at 5 p.m. on",
         YES},
    };
    check(samples, COUNT(samples));
}

static void keywords(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "category", YES},
        {"keywords:forbidden_words", "{\"forbidden_words\":[\"cat\"]}", "a CAT.", NO},
        {"keywords:forbidden_words", "{\"forbidden_words\":[\"x\",\"(\"]}", "y (", YES},
        {"keywords:existence", "{\"keywords\":[\"le\",\"hou\"]}", "LE houx", YES},
        {"keywords:existence", "{\"keywords\":[\"le\",\"hou\"]}", "le", NO},
        {"keywords:existence", "{\"keywords\":[\"a.c\"]}", "abc", YES},
        {"keywords:existence", "{\"keywords\":[\"(\"]}", "(", NO},
        {"keywords:frequency", "{\"keyword\":\"the\",\"frequency\":2,\"relation\":\"at least\"}",
         "The other", YES},
        {"keywords:frequency", "{\"keyword\":\"the\",\"frequency\":2,\"relation\":\"less than\"}",
         "The *th*e", YES},
        {"keywords:frequency", "{\"keyword\":\"the\",\"frequency\":2,\"relation\":\"at least\"}",
         "The *th*e", LOOSE},
        {"keywords:letter_frequency",
         "{\"letter\":\"Q\",\"let_frequency\":2,\"let_relation\":\"at least\"}", "qQ", YES},
        {"keywords:letter_frequency",
         "{\"letter\":\"#\",\"let_frequency\":2,\"let_relation\":\"less than\"}", "a # #", NO},
        {"keywords:letter_frequency",
         "{\"letter\":\" \",\"let_frequency\":2,\"let_relation\":\"at least\"}", "a # #", YES},
    };
    check(samples, COUNT(samples));
}

#define BULLETS "detectable_format:number_bullet_lists"
#define HIGHLIGHTS "detectable_format:number_highlighted_sections"
#define TITLE "detectable_format:title"
#define JSON "detectable_format:json_format"
#define SECTIONS "detectable_format:multiple_sections"
#define CONSTRAINED "detectable_format:constrained_response"

static void formats(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {BULLETS, "{\"num_bullets\":3}", "* a\n- b\n** c\n  * d", YES},
        {BULLETS, "{\"num_bullets\":1}", "*\nfoo\n", YES},
        {BULLETS, "{\"num_bullets\":2}", "*\n\n* foo", YES},
        {BULLETS, "{\"num_bullets\":2}", "- a\n---\n", YES},
        {BULLETS, "{\"num_bullets\":2}", "\n\n - a\n\n\n-", YES},
        {BULLETS, "{\"num_bullets\":1}", "*", NO},
        {BULLETS, "{\"num_bullets\":1}", "- title\n- one", LOOSE},
        {HIGHLIGHTS, "{\"num_highlights\":2}", "*a* and **b** and * *", YES},
        {HIGHLIGHTS, "{\"num_highlights\":3}", "*a* and **b** and * *", NO},
        {HIGHLIGHTS, "{\"num_highlights\":1}", "*a\nb*", NO},
        {HIGHLIGHTS, "{\"num_highlights\":2}", "***a*** *b*", YES},
        {TITLE, "{}", "<< >>", NO},
        {TITLE, "{}", "x <<Title>> y", YES},
        {TITLE, "{}", "<<>>", NO},
        {TITLE, "{}", "<<a\n>>", NO},
        {TITLE, "{}", "<<>> b>>", YES},
        {JSON, "{}", "5", YES},
        {JSON, "{}", "```json\n{\"a\": [1, NaN]}\n```", YES},
        {JSON, "{}", "Here:\n```\n[]\n```", LOOSE},
        {JSON, "{}", "{'a': 1}", NO},
        {SECTIONS, "{\"section_spliter\":\"SECTION\",\"num_sections\":2}",
         "SECTION 1\na\nSECTION2 b", YES},
        {SECTIONS, "{\"section_spliter\":\"SECTION\",\"num_sections\":2}",
         "Section 1\na\nSection 2 b", NO},
        {CONSTRAINED, "{}", "Well. My answer is no. So.", YES},
        {CONSTRAINED, "{}", "my answer is no.", NO},
    };
    check(samples, COUNT(samples));
}

#define PLACEHOLDERS "detectable_content:number_placeholders"
#define POSTSCRIPT "detectable_content:postscript"

static void contents(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {PLACEHOLDERS, "{\"num_placeholders\":2}", "[name] [[a] b] [", YES},
        {PLACEHOLDERS, "{\"num_placeholders\":2}", "[name] [a\nb]", NO},
        {PLACEHOLDERS, "{\"num_placeholders\":2}", "[][]", YES},
        {POSTSCRIPT, "{\"postscript_marker\":\"P.S.\"}", "end\np. s. hi", YES},
        {POSTSCRIPT, "{\"postscript_marker\":\"P.S.\"}", "end PS hi", NO},
        {POSTSCRIPT, "{\"postscript_marker\":\"P.P.S\"}", "P.P.S", YES},
        {POSTSCRIPT, "{\"postscript_marker\":\"P.P.S\"}", "P.S. x", NO},
        {POSTSCRIPT, "{\"postscript_marker\":\"Note\"}", "a NOTE b", YES},
        {"punctuation:no_comma", "{}", "a;b", YES},
        {"punctuation:no_comma", "{}", "Sure, here:\na b", LOOSE},
        {"punctuation:no_comma", "{}", "", NO},
        {"punctuation:no_comma", "{}", " \n\t", NO},
    };
    check(samples, COUNT(samples));
}

static void combinations_and_ends(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"combination:repeat_prompt", "{\"prompt_to_repeat\":\" Say HI \"}", " say hi\nhi", YES},
        {"combination:repeat_prompt", "{\"prompt_to_repeat\":\"Say hi\"}", "OK:\nsay hi", LOOSE},
        {"combination:two_responses", "{}", "a*******b", YES},
        {"combination:two_responses", "{}", "a\n******\na", NO},
        {"combination:two_responses", "{}", "******a******b******", YES},
        {"combination:two_responses", "{}", "a************b", NO},
        {"combination:two_responses", "{}", "a", NO},
        {"startend:quotation", "{}", " \"a\" ", YES},
        {"startend:quotation", "{}", "\"", NO},
        {"startend:end_checker", "{\"end_phrase\":\"done\"}", "bye. Done \"\n", NO},
        {"startend:end_checker", "{\"end_phrase\":\"done.\"}", "\"Bye. DONE.\"\n", YES},
    };
    check(samples, COUNT(samples));
}

#define CAPITAL_WORDS "change_case:capital_word_frequency"
#define LANGUAGE "language:response_language"

static void cases_and_languages(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"change_case:english_lowercase", "{}", "the cat is on the table.", YES},
        {"change_case:english_lowercase", "{}", "The cat is on the table.", NO},
        {"change_case:english_lowercase", "{}", "der hund ist nicht auf dem tisch.", NO},
        {"change_case:english_capital", "{}", "THE CAT IS ON THE TABLE.", YES},
        {"change_case:english_capital", "{}", "LE CHAT EST SUR LA TABLE ET IL DORT.", NO},
        {"change_case:english_capital", "{}", "123", NO},
        {CAPITAL_WORDS, "{\"capital_frequency\":3,\"capital_relation\":\"at least\"}", "I CAN'T go",
         YES},
        {CAPITAL_WORDS, "{\"capital_frequency\":2,\"capital_relation\":\"less than\"}",
         "I go to NASA.", NO},
        {LANGUAGE, "{\"language\":\"de\"}", "Das ist ein Haus und es ist nicht gro\xC3\x9F.", YES},
        {LANGUAGE, "{\"language\":\"de\"}", "This is a house.", NO},
        {LANGUAGE, "{\"language\":\"de\"}", "1 + 1 = 2", YES},
    };
    check(samples, COUNT(samples));
}

static void bad_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *id, *kwargs, *words;
    } samples[] = {
        {"punctuation:no_dots", "{}", "no_dots"},
        {WORDS, "{\"relation\":\"at least\"}", "num_words"},
        {WORDS, "{\"num_words\":0,\"relation\":\"at least\"}", "num_words"},
        {WORDS, "{\"num_words\":\"5\",\"relation\":\"at least\"}", "num_words"},
        {WORDS, "{\"num_words\":-5,\"relation\":\"at least\"}", "num_words"},
        {WORDS, "{\"num_words\":5,\"relation\":\"about\"}", "less than"},
        {"keywords:existence", "{\"keywords\":\"cat\"}", "keywords"},
        {"keywords:existence", "{\"keywords\":[5]}", "keywords"},
        {"keywords:existence", "{\"keywords\":[]}", "keywords"},
        {"startend:end_checker", "{\"end_phrase\":\"\"}", "end_phrase"},
        {"startend:quotation", "null", "object"},
    };
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct px_err err;
        if (make(samples[i].id, samples[i].kwargs, &err) != NULL)
            fail_msg("%s %s was taken", samples[i].id, samples[i].kwargs);
        if (strstr(err.text, samples[i].words) == NULL)
            fail_msg("%s: '%s' is not named", err.text, samples[i].words);
    }
    struct json_object *ids = json("[\"startend:quotation\"]"), *none = json("[]");
    assert_null(ifeval_new(ids, none, NULL));
    assert_null(ifeval_new(none, none, NULL));
    assert_null(ifeval_new(NULL, none, NULL));
    json_object_put(ids);
    json_object_put(none);
}

/* Texts that make a careless program slow or wrong. */
static void hostile_texts(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    static const char fill[] = {'\n', '*', '[', '<', '"', ' ', '.', '-', '\xFF', '\0', '#', 'a'};
    static const struct sample tasks[] = {
        {BULLETS, "{\"num_bullets\":3}", NULL, 0},
        {HIGHLIGHTS, "{\"num_highlights\":3}", NULL, 0},
        {TITLE, "{}", NULL, 0},
        {JSON, "{}", NULL, 0},
        {PLACEHOLDERS, "{\"num_placeholders\":3}", NULL, 0},
        {SENTENCES, "{\"num_sentences\":1048577,\"relation\":\"at least\"}", NULL, 0},
        {CAPITAL_WORDS, "{\"capital_frequency\":3,\"capital_relation\":\"at least\"}", NULL, 0},
        {"keywords:existence", "{\"keywords\":[\"(a+)+b\"]}", NULL, 0},
    };
    char *text = px_xmalloc(N);
    for (size_t f = 0; f < sizeof fill; f++) {
        memset(text, fill[f], N);
        for (size_t i = 0; i < COUNT(tasks); i++)
            assert_int_equal(judge(tasks[i].id, tasks[i].kwargs, text, N), NO);
    }
    free(text);
    assert_int_equal(judge("punctuation:no_comma", "{}", "a\0,", 3), NO);
    assert_int_equal(judge(WORDS, "{\"num_words\":3,\"relation\":\"at least\"}",
                           "a\0b\xFF"
                           "c",
                           5),
                     YES);
}

static void json_as_python_reads_it(void **state)
{
    (void)state;
    static const char *const good[] = {"5",
                                       "-0.5e+3",
                                       "\"\\ud800\"",
                                       "[]",
                                       "{}",
                                       " [1, {\"a\": [true, null, -Infinity]}] ",
                                       "[[[]], {\"\": {}}]",
                                       "0",
                                       "\"\x7F\""};
    static const char *const bad[] = {
        "",        "01",          "5 5", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a: 1}", "\"\n\"",
        "\"\\x\"", "\"\\u12g4\"", "1.",  ".5",   "1e",       "+1",        "nan",    "[1}",
        "[",       "{\"a\": 1,}", "tru", "\"",   "]",        "-"};
    for (size_t i = 0; i < COUNT(good); i++)
        if (!pyjson_valid((struct span){good[i], strlen(good[i])}))
            fail_msg("%s is refused", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (pyjson_valid((struct span){bad[i], strlen(bad[i])}))
            fail_msg("%s is taken", bad[i]);
    char digits[4301];
    memset(digits, '7', sizeof digits);
    assert_true(pyjson_valid((struct span){digits, 4300}));
    assert_false(pyjson_valid((struct span){digits, 4301}));
    assert_false(pyjson_valid((struct span){"5\0", 2}));
}

static double metric(const struct verdict *v, const char *name)
{
    for (uint32_t i = 0; i < v->n_metrics; i++)
        if (strcmp(v->metrics[i].name, name) == 0)
            return v->metrics[i].value;
    fail_msg("no metric %s", name);
    return -1;
}

static void a_verdict_says_which(void **state)
{
    (void)state;
    struct px_err err;
    struct json_object *problem = json("{\"instructions\":[\"punctuation:no_comma\","
                                       "\"startend:quotation\",\"detectable_format:title\"],"
                                       "\"kwargs\":[{},{\"n\":null},{}]}");
    struct completion c = {.text = (char *)(uintptr_t) "Sure, yes\n<<a>>", .n_text = 15};
    struct scoring in = {.problem = problem, .completion = &c, .answer = {c.text, c.n_text}};
    struct verdict v = {0};
    assert_int_equal(scorer_ifeval.score(NULL, &in, &v, &err), 0);
    assert_int_equal(v.class, VERDICT_WRONG_ANSWER);
    assert_string_equal(v.extracted,
                        "~punctuation:no_comma -startend:quotation +detectable_format:title");
    assert_true(metric(&v, "prompt_level_strict_acc") == 0);
    assert_true(metric(&v, "inst_strict_right") == 1);
    assert_true(metric(&v, "inst_loose_right") == 2);
    assert_true(metric(&v, "inst_total") == 3);
    verdict_clear(&v);
    memset(&v, 0, sizeof v);
    scorer_ifeval.zero(NULL, &in, &v);
    assert_true(metric(&v, "inst_total") == 3);
    assert_true(metric(&v, "inst_strict_right") == 0);
    verdict_clear(&v);
    json_object_put(problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(keywords),
        cmocka_unit_test(formats),
        cmocka_unit_test(contents),
        cmocka_unit_test(combinations_and_ends),
        cmocka_unit_test(cases_and_languages),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(hostile_texts),
        cmocka_unit_test(json_as_python_reads_it),
        cmocka_unit_test(a_verdict_says_which),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
