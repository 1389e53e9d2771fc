/* test_code.c - finding the program in a completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sandbox/score/score.h"

struct sample {
    enum code_style style;
    const char *text, *want, *rule;
};

static const struct sample samples[] = {
    /* bodies keep their indent, to the byte */
    {STYLE_COMPLETION, "    return a + b\n", "    return a + b\n", "whole"},
    {STYLE_COMPLETION, "\n    r = 1\n\n    return r", "\n    r = 1\n\n    return r\n", "whole"},
    {STYLE_COMPLETION, "\treturn 1", "\treturn 1\n", "whole"},
    /* a definition in a fence, whatever the language is called */
    {STYLE_FUNCTION, "Sure!\n```python\ndef add(a, b):\n    return a + b\n```\nDone.",
     "def add(a, b):\n    return a + b\n", "fence-entry"},
    {STYLE_FUNCTION, "```Python3\ndef add(a, b):\n    return 1\n```",
     "def add(a, b):\n    return 1\n", "fence-entry"},
    {STYLE_FUNCTION, "~~~\nasync def add(a, b):\n    return 1\n~~~",
     "async def add(a, b):\n    return 1\n", "fence-entry"},
    /* the last block that defines the entry point */
    {STYLE_FUNCTION,
     "```py\ndef add(a, b):\n    return 0\n```\nBetter:\n```py\ndef add(a, b):\n    return a\n```\n"
     "```\nadd(1, 2)\n```",
     "def add(a, b):\n    return a\n", "fence-entry"},
    /* a longer name is another name */
    {STYLE_FUNCTION, "```\ndef add2():\n    pass\n```\n```\nx = add\n```",
     "def add2():\n    pass\n", "fence-longest"},
    {STYLE_FUNCTION, "```sh\npip install numpy scipy torch everything\n```\n```python\nx = 1\n```",
     "x = 1\n", "fence-longest"},
    /* fences in lists are indented, and so is their code */
    {STYLE_FUNCTION, "1. So:\n   ```python\n   def add(a, b):\n       return a\n   ```\n",
     "def add(a, b):\n    return a\n", "fence-entry"},
    /* cut off by the token limit */
    {STYLE_FUNCTION, "```python\ndef add(a, b):\n    return a", "def add(a, b):\n    return a\n",
     "fence-entry"},
    /* a fence that closes what the prompt opened */
    {STYLE_COMPLETION, "    return a\n```\nThis adds.", "    return a\n", "before-fence"},
    /* prose before unfenced code, roles after it */
    {STYLE_FUNCTION, "Here you are:\n\nimport math\ndef add(a, b):\n    return a\nUser\nThanks",
     "import math\ndef add(a, b):\n    return a\n", "definition"},
    /* constants and comments before the first definition belong to it */
    {STYLE_FUNCTION, "MAX = 9\n\n# so\ndef add(a, b):\n    return MAX",
     "MAX = 9\n\n# so\ndef add(a, b):\n    return MAX\n", "whole"},
    {STYLE_FUNCTION, "With a = b it is\nMAX == 9\nMAX = 9\ndef add(a, b):\n    return MAX",
     "MAX = 9\ndef add(a, b):\n    return MAX\n", "definition"},
    {STYLE_COMPLETION, "    return 1\nHuman:\nnext", "    return 1\n", "whole"},
    /* a comment of many # and a dictionary are code */
    {STYLE_COMPLETION, "    ### three\n    return {'Human': 1}\n",
     "    ### three\n    return {'Human': 1}\n", "whole"},
    /* special tokens and thinking */
    {STYLE_COMPLETION, "    return 1\n<|im_end|>\n<|im_start|>user", "    return 1\n", "whole"},
    {STYLE_COMPLETION, "<think>\ndef add(): pass\n</think>\n    return 2", "    return 2\n",
     "whole"},
    {STYLE_COMPLETION, "d = t[151643]\n", "d = t[151643]\n", "whole"},
    {STYLE_FUNCTION, "hmm </think>```python\ndef add():\n    pass\n```", "def add():\n    pass\n",
     "fence-entry"},
    /* no definition, still a program */
    {STYLE_FUNCTION, "n = int(input())\nprint(n)", "n = int(input())\nprint(n)\n", "whole"},
};

static void programs_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *s = &samples[i];
        struct extract e;
        code_extract((struct span){s->text, strlen(s->text)}, s->style, "add", &e);
        if (e.text == NULL)
            fail_msg("sample %zu: nothing found", i);
        if (strcmp(e.text, s->want) != 0 || strcmp(e.rule, s->rule) != 0)
            fail_msg("sample %zu: %s gave <<%s>>", i, e.rule, e.text);
        free(e.text);
    }
}

static enum verdict_class unusable(const char *text, size_t n, enum code_style style)
{
    struct extract e;
    code_extract((struct span){text, n}, style, "add", &e);
    assert_null(e.text);
    assert_string_equal(e.rule, "");
    return e.unusable;
}

static void what_is_no_code_is_said_to_be_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", " \n\t\n", "```python\n```", "```\n\n```\n",
                                        "<|im_end|>    return 1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(unusable(texts[i], strlen(texts[i]), STYLE_COMPLETION), VERDICT_NO_CODE);
        assert_int_equal(unusable(texts[i], strlen(texts[i]), STYLE_FUNCTION), VERDICT_NO_CODE);
    }
    const char prose[] = "I am sorry, but I cannot help with that.\nIf you like, ask again.";
    assert_int_equal(unusable(prose, sizeof prose - 1, STYLE_FUNCTION), VERDICT_NO_CODE);
}

static void a_thought_without_end_is_overflow(void **state)
{
    (void)state;
    const char text[] = "<think>\nlet me see\ndef add(a, b):\n    return a";
    assert_int_equal(unusable(text, sizeof text - 1, STYLE_FUNCTION), VERDICT_OVERFLOW);
}

static void nul_bytes_stay(void **state)
{
    (void)state;
    struct extract e;
    code_extract((struct span){"    return 1\0x\n", 15}, STYLE_COMPLETION, "add", &e);
    assert_int_equal(e.n, 15);
    assert_memory_equal(e.text, "    return 1\0x\n", 15);
    free(e.text);
}

static char *program(enum code_style style, const char *prompt, const char *text)
{
    struct extract e;
    size_t n;
    code_extract((struct span){text, strlen(text)}, style, "add", &e);
    char *p = code_program(style, (struct span){prompt, strlen(prompt)}, &e, &n);
    assert_int_equal(strlen(p), n);
    free(e.text);
    return p;
}

static void completions_continue_their_prompt(void **state)
{
    (void)state;
    const char *prompt = "def add(a, b):\n    \"\"\"Sum.\"\"\"\n";
    char *p = program(STYLE_COMPLETION, prompt, "    return a + b\n");
    assert_string_equal(p, "def add(a, b):\n    \"\"\"Sum.\"\"\"\n    return a + b\n");
    free(p);
    /* a prompt that ends inside a line is continued there */
    p = program(STYLE_COMPLETION, "def add(a, b):\n    return", " a + b");
    assert_string_equal(p, "def add(a, b):\n    return a + b\n");
    free(p);
    /* a second definition keeps the prompt's imports */
    p = program(STYLE_COMPLETION, "import math\ndef add(a, b):\n    pass",
                "def add(a, b):\n    return 1");
    assert_string_equal(p, "import math\ndef add(a, b):\n    pass\ndef add(a, b):\n    return 1\n");
    free(p);
    p = program(STYLE_FUNCTION, prompt, "def add(a, b):\n    return 1\n");
    assert_string_equal(p, "def add(a, b):\n    return 1\n");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_are_found), cmocka_unit_test(what_is_no_code_is_said_to_be_none),
        cmocka_unit_test(a_thought_without_end_is_overflow), cmocka_unit_test(nul_bytes_stay),
        cmocka_unit_test(completions_continue_their_prompt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
