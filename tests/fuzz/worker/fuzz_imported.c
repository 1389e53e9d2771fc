/* fuzz_imported.c - a damaged imported file: an error, or a model that can be asked and run.
 *
 * The seeds are good imported files. The checksum of the head is not asked for before the model is
 * used, because no changed byte would pass it. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TINY_LAYERS 1
#include "proto/model/gguf_internal.h"
#include "proto/model/tokenizer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/worker/tiny_gguf.h"
#include "worker/engine/eval.h"
#include "worker/stage/import_layout.h"

enum { TOKENS = 5 };

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const struct {
        const char *arch;
        enum ggml_type type;
    } seeds[] = {{"qwen2", GGML_Q8_0}, {"llama", GGML_Q4_0}, {"qwen2", GGML_Q5_1}};
    struct px_buf file;
    struct px_err err;
    struct import_layout l;
    const struct px_digest source = px_sha256("seed", 4);
    if (i >= sizeof seeds / sizeof seeds[0])
        return 0;
    px_buf_init(&file, 1 << 20);
    tiny_gguf(seeds[i].arch, seeds[i].type, &file);
    struct gguf *g = gguf_from_memory(file.data, file.len, "seed", &err);
    px_assert(g && import_layout_make(g, &source, &l, &err) == 0 && l.bytes <= cap);
    int fd = memfd_create("seed", MFD_CLOEXEC);
    px_assert(fd >= 0 && import_write_data(&l, fd, 1, NULL, NULL, &err) == 0 &&
              import_write_head(&l, fd, &err) == 0 &&
              pread(fd, out, (size_t)l.bytes, 0) == (ssize_t)l.bytes);
    close(fd);
    size_t n = (size_t)l.bytes;
    import_layout_clear(&l);
    gguf_free(&g);
    px_buf_clear(&file);
    return n;
}

static void ask(const struct gguf *g)
{
    for (uint32_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        px_assert(t->offset + t->bytes <= gguf_file_size(g));
        px_assert(!t->in_panels || t->offset % IMPORTED_ALIGN == 0);
    }
    if (gguf_source(g) && gguf_check_head(g, NULL) == 0)
        (void)!gguf_check_data(g, NULL, NULL, NULL);
}

static void run(const struct model *m)
{
    struct eval_config cfg = {.threads = 1, .kv = KV_F16, .max_tokens = TOKENS};
    uint32_t tokens[TOKENS];
    if ((uint64_t)m->cfg.n_layers * m->cfg.n_kv_heads * m->cfg.head_dim > 1 << 20)
        return;
    for (uint32_t i = 0; i < TOKENS; i++)
        tokens[i] = i * 31 % m->cfg.n_vocab;
    PX_FREE float *row = px_xcalloc(m->cfg.n_embd, sizeof *row);
    model_embed(m, m->cfg.n_vocab - 1, row);
    struct eval *e = eval_new(m, &cfg, NULL);
    if (e)
        (void)eval_tokens(e, tokens, TOKENS, NULL, NULL, NULL);
    eval_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *bytes = NULL; /* where a mapping would be */
    if (size == 0 || posix_memalign(&bytes, IMPORTED_ALIGN, size) != 0)
        return 0;
    memcpy(bytes, data, size);
    struct gguf *g = gguf_parse(bytes, size, "fuzz", NULL);
    if (g)
        ask(g);
    struct model *m = g ? model_from_gguf(g, NULL) : NULL;
    struct tokenizer *t = m ? tokenizer_new(m->gguf, NULL) : NULL;
    if (t)
        px_assert(tokenizer_n_vocab(t) == m->cfg.n_vocab);
    if (m)
        run(m);
    tokenizer_free(&t);
    model_free(&m);
    free(bytes);
    return 0;
}
