/* fuzz_template.c - any bytes are a template or an error; a template gives text or an error. */
#include <string.h>

#include "coordinator/task/template.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"

static const char *const texts[] = {
    "Question: {{ q }}\nAnswer: {{- n + 1 -}} {{ x ~ 'a\\n' }}",
    "{% for c in choices %}{{ loop.index }}. {{ c.text | trim }}{% if not loop.last %}, {% endif "
    "%}{% endfor %}{# note #}",
    "{{ (choices | map(attribute='label') | list).index(key) }}",
    "{% if n > 3 and q in ['a', 'b'] %}A{% elif x == 0.5 or not none %}B{% else %}C{% endif %}",
    "{{ list[-1] if list | length >= 2 else deep['a b'][0] }} {{ q.split(',') | join('-') }}",
    "{{ ' 12 ' | int - 3 }} {{ q | replace('a', 'b') | upper }} {{ list | first ~ row_number }}",
    "{% set a = q | regex_replace('(a|b)*', '\\\\1-') %}{{ a[1:-1] ~ nix | default('x') }}",
    "{{ [3, 1] | sort | tojson }} {{ deep is mapping }} {{ ' b'.lstrip().startswith('b') }}",
    "{{ 2.5 | round(1) | int }} {{ q.split() | first | capitalize }} {{ q[0] }} {{ q.find('b') }}"};

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= sizeof texts / sizeof texts[0] || strlen(texts[i]) > cap)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char json[] =
        "{\"q\": \"a,b\", \"n\": 7, \"x\": 0.5, \"none\": null, \"list\": [\"a\", \"b\"], \"key\": "
        "\"2\", \"choices\": [{\"text\": \" r \", \"label\": \"1\"}, {\"text\": \"b\", \"label\": "
        "\"2\"}], \"deep\": {\"a b\": [1]}}";
    struct px_err err;
    struct value row, v;
    struct px_buf out;
    struct arena *a = arena_new();
    px_buf_init(&out, 32u << 20);
    px_assert(value_parse_json(a, json, strlen(json), &row, &err) == 0);
    struct template_row view = {.row = &row, .number = 3};
    struct text_template *t = template_parse((const char *)data, size, &err);
    if (t) {
        bool valid = px_utf8_valid((const char *)data, size);
        if (template_render(t, &view, a, &out, &err) == 0)
            px_assert(!valid || px_utf8_valid((char *)out.data, out.len));
        px_buf_reset(&out);
        if (template_value(t, &view, a, &v, &err) == 0)
            value_write_json(&v, &out);
    }
    template_free(&t);
    px_buf_clear(&out);
    arena_free(&a);
    return 0;
}
