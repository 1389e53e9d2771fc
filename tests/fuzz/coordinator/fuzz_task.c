/* fuzz_task.c - any bytes are a task file or findings; a file without findings has what a task
 * needs. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"

static const char *const texts[] = {
    "task: t\nabout: x\ndata: {file: a.jsonl.gz, get: here, rows: 4, sha256: "
    "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef}\nid: '{{ id }}'\n"
    "prompt: 'Q {{ q }}'\nprefix: P\nhead: H\nchat: true\nstop: [a, \"\\n\"]\nmax_tokens: 5\n"
    "fewshot: {n: 2, target: '{{ a }}', selection: lm-eval, seed: 7, samples: [{a: 1}, {a: x}]}\n"
    "scorer: {kind: code, style: function, limits: {cpu_s: 1.5}, problem: {kind: calls, "
    "entry_point: f, calls: [[1, '{{ q }}'], true]}}\nheadline: pass@1\nreference: r\n",
    "task: c\ndata:\n  files: [{file: a.csv}, {file: b.csv}]\n  get: here\n  columns: [q, a]\n"
    "request: choice\nprompt: x\nchoices: ['{{ q }}', b]\ngold: '{{ 0 }}'\nchance: 0.5\n"
    "scorer: {kind: choice}\nheadline: acc\ntarget_delimiter: ''\n"
    "fewshot: {n: 1, data: {file: d.json, records: a.b, get: there}}\n",
    "task: e\ndata: {each: {name: s, values: [a, b], file: '{{ s }}.csv'}, get: here, where: '{{ q "
    "> "
    "1 }}', columns: [q, s2], join: {file: j.jsonl, get: here, on: q}}\nprompt: x\n"
    "scorer: {kind: numeric, problem: {answer: x}}\nheadline: m\nlower_is_better: true\n"
    "aggregate: [{metric: m, kind: ratio, of: exact_match, over: exact_match}]\n"
    "subset: '{{ s }}'\ngroups: {g: [a, b]}\noracle: {reference: {m: 1}, empty: {m: 0}}\n"
    "compat: {lm-eval: {stop: [x]}}\n",
    "task: w\ndata: {file: a.jsonl, get: h}\nrequest: choice\ncontexts: '{{ c }}'\n"
    "continuation: '{{ e }}'\ngold: 0\ntruncate: left\nscorer: {kind: choice}\nheadline: acc\n",
    "task: r\ndata: {file: a.raw, get: h, page: '^= '}\nrequest: rolling\ntext: '{{ page }}'\n"
    "windows: {rule: llamacpp, context: 512}\nscorer: {kind: none}\nheadline: n\n"};

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= sizeof texts / sizeof texts[0] || strlen(texts[i]) > cap)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_err err;
    struct findings f = {.file = "f"};
    struct yaml_doc *d = yaml_parse_findings((const char *)data, size, "f", &f, &err);
    if (d) {
        struct task *t = px_xcalloc(1, sizeof *t);
        struct data_spec rows, pool;
        char *samples;
        t->compat = "";
        task_read(t, yaml_root(d), &f, &rows, &pool, &samples);
        if (f.n == 0) {
            px_assert(*t->name && (t->prompt || t->contexts.n || t->text) && t->headline &&
                      t->scorer && data_spec_given(&rows));
            px_assert(t->request != TASK_CHOICE || t->continuation || (t->gold && t->choices.n));
            px_assert(t->fewshot == 0 || t->shot_target || t->request == TASK_CHOICE);
        }
        data_spec_clear(&rows);
        data_spec_clear(&pool);
        free(samples);
        task_free(&t);
    }
    yaml_doc_free(&d);
    findings_clear(&f);
    return 0;
}
