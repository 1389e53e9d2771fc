/* fuzz_catalogue.c - any bytes are a catalogue of data sets and a task file whose needs are read;
 * what is accepted names only files below a data directory. */
#include <string.h>

#include "coordinator/data/catalogue.h"
#include "coordinator/task/needs.h"
#include "proto/mem.h"
#include "tests/fuzz/fuzz.h"

static const char *const texts[] = {
    "catalogue: 1\nsets:\n  s:\n    about: a\n    licence: MIT\n    origin: o\n    files:\n"
    "      - file: a/b.jsonl\n        sha256: "
    "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c\n        bytes: 4\n"
    "        rows: 1\n        url: https://h/b.jsonl\n"
    "      - {file: a/b.gz, instead_of: a/b.jsonl, manual: unpack it}\n"
    "  t: {about: b, licence: l, origin: o, files: [{file: 'm/*.csv', files: 2, manual: m}]}\n"
    "  u: {about: c, licence: l, origin: o, files: [{file: own.jsonl, shipped: true}]}\n",
    "data:\n  files: [{file: a.gz}, {file: a}]\n  join: {file: j, on: id}\n"
    "fewshot: {n: 2, data: {each: {name: s, values: [x, y], file: 'p/{{ s }}.csv'}}}\n",
};

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= sizeof texts / sizeof texts[0] || strlen(texts[i]) > cap)
        return 0;
    memcpy(out, texts[i], strlen(texts[i]));
    return strlen(texts[i]);
}

/* Does a path have ".." among its parts? */
static bool climbs(const char *path)
{
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t n = strcspn(at, "/");
        if (n == 2 && memcmp(at, "..", 2) == 0)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_err err;
    struct catalogue *c = catalogue_parse((const char *)data, size, "c.yaml", &err);
    struct task_needs *n = task_needs_parse((const char *)data, size, "t.yaml", &err);
    for (uint32_t i = 0; c && i < c->n_files; i++) {
        const char *file = c->files[i].file;
        px_assert(file && file[0] != '/' && !climbs(file) && catalogue_file(c, file));
        px_assert(!c->files[i].url || c->files[i].bytes > 0);
    }
    for (uint32_t i = 0; n && i < n->n; i++)
        px_assert(n->list[i].n_files > 0);
    catalogue_free(&c);
    task_needs_free(&n);
    return 0;
}
