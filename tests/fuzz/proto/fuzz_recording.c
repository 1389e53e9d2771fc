/* fuzz_recording.c - any bytes are recorded completions or an error, and what was taken can be
 * found: every answer is a text or says why there is none. */
#include <string.h>

#include "proto/mem.h"
#include "proto/recording.h"
#include "tests/fuzz/fuzz.h"

static const char *const texts[] = {
    "{\"task_id\": \"p/0\", \"completion\": \"a\\nb\", \"finish_reason\": \"length\"}\n"
    "{\"task_id\": \"p/1\", \"completion\": [\"x\", \"\\u00e9\\u0000\", \"\"]}\r\n\n",
    "{\"id\": 7, \"response\": \"one\"}\n{\"id\": 7, \"response\": \"two\"}",
    "{\"doc_id\": 0, \"problem\": \"p/0\", \"output\": \"t\", \"text\": [\"u\"]}\n",
    "[[\"x\", \"y\"], [], [\"z\"]]",
    "{\"date\": 1,\n\"eval\": {\"p/0\": [{\"solution\": \"x\", \"base_status\": \"pass\"}]}}",
    "nll_0,nll_1\n-1.5,-2e3\n-inf,nan\n",
    "{\"doc_id\":0,\"resps\":[[\"-1.5\",\"False\"],[\"-0.25\",\"True\"]],\"filter\":\"f\"}\n"
    "{\"doc_id\":1,\"resps\":[[[\"-1.5\",\"False\"]]],\"filter\":\"f\"}\n"};

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= sizeof texts / sizeof texts[0] || strlen(texts[i]) > cap)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

static void check(struct completion *c)
{
    if (c->finish == FINISH_ERROR)
        px_assert(c->error && *c->error);
    else if (c->finish == FINISH_SCORED)
        px_assert(c->n_choices > 0);
    else
        px_assert(c->text && c->text[c->n_text] == '\0');
    completion_clear(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const problems[] = {"p/0", "p/1", "0", "7", ""};
    struct px_err err;
    struct recording *r = recording_parse((const char *)data, size, "fuzz", NULL, &err);
    for (size_t i = 0; r && i < sizeof problems / sizeof problems[0]; i++)
        for (uint32_t sample = 0; sample < 3; sample++) {
            struct completion c = {0};
            recording_find(r, problems[i], sample, &c);
            check(&c);
        }
    for (uint32_t i = 0; r && i < recording_items(r); i++) {
        struct completion c = {0};
        recording_completion(r, i, &c);
        px_assert(c.finish != FINISH_ERROR);
        px_assert(recording_item(r, i)->scored == (c.finish == FINISH_SCORED));
        check(&c);
    }
    recording_free(&r);
    return 0;
}
