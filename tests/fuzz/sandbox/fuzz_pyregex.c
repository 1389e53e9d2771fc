/* fuzz_pyregex.c - a pattern and a text, split at the first NUL byte; the text is searched for
 * calls and read as a value as well. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pyregex.h"
#include "proto/pystr.h"
#include "sandbox/score/call.h"
#include "sandbox/score/literal.h"
#include "tests/fuzz/fuzz.h"

static void search(const char *pattern, size_t n, struct span text)
{
    struct px_err err;
    struct pyregex *re = pyregex_new((struct span){pattern, n}, 0, &err);
    struct pyregex_match m;
    bool limited = false;
    size_t count;
    if (re == NULL)
        return;
    struct pyregex_scan *s = pyregex_scan_new(re, text);
    while (pyregex_next(s, &m))
        for (uint32_t i = 0; i < m.n; i++)
            px_assert(m.group[i].p == NULL ||
                      (m.group[i].p >= text.p && m.group[i].p + m.group[i].n <= text.p + text.n));
    (void)pyregex_scan_free(s);
    struct px_buf b;
    px_buf_init(&b, 1 << 22);
    (void)!pyregex_sub(re, text, (struct span){pattern, n < 8 ? n : 8}, &b, &limited, &err);
    px_buf_clear(&b);
    free(pyregex_delete(re, text, &count, &limited));
    pyregex_free(re);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *all = px_xmemdup(data, size);
    size_t a = strnlen(all, size);
    struct span raw = {a < size ? all + a + 1 : all, a < size ? size - a - 1 : 0};
    size_t n;
    char *text = pystr_clean(raw, &n);
    struct literal_reader r = {text, text + n, 0, true};
    struct json_object *value = NULL;
    struct call c;
    search(all, a, (struct span){text, n});
    (void)literal_read(&r, &value);
    json_object_put(value);
    call_find((struct span){text, n}, NULL, &c);
    call_clear(&c);
    free(text);
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
        SEED("(-?[$0-9.,]{2,})|(-?[0-9]+)\0it is $18.00 or 7"),
        SEED("(?s)(?P<a>\\s+)\\b[^\\W_]{,3}(?=x)(?<!y)\\Z\0  ab\xe2\x80\xa8xy"),
        SEED("[[\\]a-z\\d-]+?|^$\0{\"name\":\"f\",\"arguments\":{\"a\":[1,-2.5e3,"
             "\"\\ud83d\\ude00\"]}}"),
        SEED("x\0```json\n[f(a=1, b='x', c=(1, 2), d={'k': None})]\n```"),
        SEED("(a)(?(1)b|c)\\1\0<tool_call>{\"f\": {}}</tool_call>")};
#undef SEED
    if (i >= sizeof seeds / sizeof seeds[0] || seeds[i].n > cap)
        return 0;
    memcpy(out, seeds[i].text, seeds[i].n);
    return seeds[i].n;
}
