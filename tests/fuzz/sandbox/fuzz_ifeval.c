/* fuzz_ifeval.c - arguments and responses of IFEval: the first byte chooses the instruction, text
 * up to a NUL is its argument, the rest the response. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/score/ifeval.h"
#include "sandbox/score/language.h"
#include "tests/fuzz/fuzz.h"

static const char *const ids[] = {
    "punctuation:no_comma",
    "length_constraints:number_words",
    "length_constraints:number_sentences",
    "length_constraints:number_paragraphs",
    "length_constraints:nth_paragraph_first_word",
    "keywords:forbidden_words",
    "keywords:existence",
    "keywords:frequency",
    "keywords:letter_frequency",
    "detectable_format:number_highlighted_sections",
    "detectable_format:title",
    "detectable_format:number_bullet_lists",
    "detectable_format:json_format",
    "detectable_format:multiple_sections",
    "detectable_format:constrained_response",
    "detectable_content:number_placeholders",
    "detectable_content:postscript",
    "combination:repeat_prompt",
    "combination:two_responses",
    "startend:quotation",
    "startend:end_checker",
    "change_case:english_lowercase",
    "change_case:english_capital",
    "change_case:capital_word_frequency",
    "language:response_language",
};

/* Every name that an instruction may take; the rest is ignored. */
static const char *const numbers[] = {"num_words",        "num_sentences",    "num_paragraphs",
                                      "nth_paragraph",    "frequency",        "let_frequency",
                                      "num_highlights",   "num_bullets",      "num_sections",
                                      "num_placeholders", "capital_frequency"};
static const char *const relations[] = {"relation", "let_relation", "capital_relation"};
static const char *const texts[] = {"first_word",      "keyword",           "letter",
                                    "section_spliter", "postscript_marker", "end_phrase",
                                    "language",        "prompt_to_repeat"};
static const char *const lists[] = {"forbidden_words", "keywords"};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct json_object *arguments(const char *text, size_t n)
{
    struct json_object *o = json_object_new_object();
    for (size_t i = 0; i < COUNT(numbers); i++)
        json_object_object_add(o, numbers[i], json_object_new_int(2));
    for (size_t i = 0; i < COUNT(relations); i++)
        json_object_object_add(o, relations[i], json_object_new_string("at least"));
    for (size_t i = 0; i < COUNT(texts); i++)
        json_object_object_add(o, texts[i], json_object_new_string_len(text, (int)n));
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct json_object *list = json_object_new_array();
        json_object_array_add(list, json_object_new_string_len(text, (int)n));
        json_object_object_add(o, lists[i], list);
    }
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *argument = (const char *)data + 1;
    size_t n = strnlen(argument, size - 1);
    struct span response = {argument + n, size - 1 - n};
    struct json_object *id = json_object_new_array(), *kwargs = json_object_new_array();
    json_object_array_add(id, json_object_new_string(ids[data[0] % COUNT(ids)]));
    json_object_array_add(kwargs, arguments(argument, n));
    struct ifeval *f = ifeval_new(id, kwargs, NULL);
    if (f != NULL) {
        bool strict, loose;
        ifeval_judge(f, response, &strict, &loose);
        px_assert(!strict || loose);
        ifeval_free(f);
    }
    json_object_put(id);
    json_object_put(kwargs);
    (void)language_of(response);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char body[] =
        "\0<<A title>> I CAN'T. Mr. X came... Then? \"1. Do\" [name]\n\n"
        "* one\n- two\n***\n**bold** ****** P.S. SECTION 1 end, \xC3\xA9\xFF";
    size_t n = sizeof body - 1 + 3;
    if (i >= COUNT(ids) || cap < n)
        return 0;
    out[0] = (uint8_t)i;
    memcpy(out + 1, "en", 2);
    memcpy(out + 3, body, sizeof body - 1);
    return n;
}
