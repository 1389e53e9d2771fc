/* fuzz_score.c - scorer JSON, problem JSON and model output in one input, split at NUL bytes. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/names.h"
#include "sandbox/score/score.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *all = px_xmemdup(data, size);
    size_t a = strlen(all);
    const char *problem = a < size ? all + a + 1 : "";
    size_t b = a < size ? a + 1 + strlen(problem) : size;
    const char *text = b < size ? all + b + 1 : "";
    struct completion c = {.finish = FINISH_EOS,
                           .text = (char *)(uintptr_t)text,
                           .n_text = (uint32_t)(b < size ? size - b - 1 : 0)};
    struct choice_score choices[3] = {
        {.logprob = -1, .n_chars = 1}, {.logprob = -2}, {.logprob = -2}};
    c.choices = choices;
    c.n_choices = 3;
    struct scorer s;
    struct px_err err;
    struct verdict v;
    struct program p;
    bool runs;
    if (scorer_parse(all, &s, &err) == 0) {
        if (score_begin(&s, problem, &c, &v, &p, &runs, &err) == 0) {
            verdict_clear(&v);
            if (runs)
                program_clear(&p);
        }
        scorer_clear(&s);
    }
    struct extract e;
    struct span span = {(const char *)data, size};
    code_extract(span, size % 2 == 0 ? STYLE_COMPLETION : STYLE_FUNCTION, "f", &e);
    free(e.text);
    numeric_extract(span, &e);
    free(e.text);
    bool builtin;
    struct span name = names_called(span, &builtin);
    if (name.n > size)
        abort();
    letter_extract(span, "ABCD", &e);
    free(e.text);
    free(all);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const struct {
        const char *text;
        size_t n;
    } seeds[] = {
#define SEED(s) {s, sizeof s - 1}
        SEED("{\"kind\":\"code\",\"style\":\"function\",\"limits\":{\"cpu_s\":2}}\0"
             "{\"kind\":\"stdio\",\"cases\":[{\"stdin\":\"1\",\"stdout\":\"2\"}]}\0"
             "Sure\n```python\ndef f(x):\n    return x\n```\n<|im_end|>"),
        SEED("{\"kind\":\"code\"}\0{\"kind\":\"calls\",\"entry_point\":\"f\",\"calls\":[]}\0"
             "<think>a</think>\n    return 1\n```\nUser:\n"),
        SEED("{\"kind\":\"numeric\"}\0{\"answer\":\"a\\n#### -1,234.50\"}\0The answer is $1,234.5 "
             "\\boxed{3}\nQuestion: x"),
        SEED("{\"kind\":\"letter\"}\0{\"gold\":\"B\",\"letters\":\"ABC\"}\0The answer is (B)."),
        SEED("{\"kind\":\"code\",\"style\":\"function\"}\0{\"kind\":\"mbpp\",\"test_list\":["
             "\"assert "
             "set(f('a\\\\'', b\\\"\\\")) # g()\"]}\0```python\ndef f(x): pass\n```"),
        SEED("{\"kind\":\"choice\"}\0{\"gold\":\"2\"}\0"),
        SEED("{\"kind\":\"choice\",\"ties\":\"wrong\",\"out_of_range\":\"wrong\"}\0"
             "{\"gold\":[2,\"b\"],\"choices\":[\"a\",\"b\",\"c\"]}\0"),
        SEED("{\"kind\":\"choice_mass\"}\0{\"gold\":[0,1]}\0"),
        SEED("{\"kind\":\"rolling\"}\0{\"text\":\"a b\"}\0"),
        SEED("{\"kind\":\"text\",\"main\":\"x\",\"filters\":[{\"name\":\"x\",\"filter\":["
             "{\"function\":\"regex\",\"regex_pattern\":\"(a)|(b+)\",\"group_select\":-2,"
             "\"fallback\":\"z\"},{\"function\":\"map\",\"mapping_dict\":{\"a\":\"b\"},"
             "\"default_value\":\"c\"},{\"function\":\"uppercase\"}]},{\"name\":\"y\",\"filter\":["
             "{\"function\":\"multi_choice_regex\",\"ignore_case\":true,"
             "\"ignore_punctuation\":true,\"regexes_to_ignore\":[\",\"]}]}],\"exact_match\":{"
             "\"ignore_case\":true,\"ignore_numbers\":true}}\0"
             "{\"target\":[\"a\",\"B\"],\"choices\":[\"aa\",\"b.\"]}\0ab bb: A, B.\xff"),
        SEED("{\"kind\":\"function_call\"}\0{\"functions\":[{\"name\":\"f\",\"parameters\":{"
             "\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"array\",\"items\":{"
             "\"type\":\"dict\"}}}}}],\"ground_truth\":[{\"f\":{\"a\":[[{\"k\":[1,\"\"]}],\"\"]}}]}"
             "\0f(a=[{'k': 1}])"),
        SEED("{\"kind\":\"rating\"}\0{}\0[[7.5]] [3]"),
        SEED("{\"kind\":\"pairwise\"}\0{}\0[[C]]"),
        SEED("{\"kind\":\"turn\"}\0{}\0<think>a</think> b"),
        SEED("{\"kind\":\"digest\"}\0{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a39617"
             "7a9cb410ff61f20015ad\"}\0abc")};
#undef SEED
    if (i >= sizeof seeds / sizeof seeds[0] || seeds[i].n > cap)
        return 0;
    memcpy(out, seeds[i].text, seeds[i].n);
    return seeds[i].n;
}
