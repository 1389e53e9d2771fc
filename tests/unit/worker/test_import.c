/* test_import.c - the imported form: the same values in another place, whole or refused. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "import_fixture.h"

#include "proto/model/gguf_internal.h"
#include "proto/model/tokenizer.h"
#include "worker/engine/eval.h"
#include "worker/engine/panels.h"
#include "worker/stage/import_layout.h"

static const enum ggml_type all_types[] = {
    GGML_F32,  GGML_F16,  GGML_BF16, GGML_Q4_0, GGML_Q4_1, GGML_Q5_0,   GGML_Q5_1,  GGML_Q8_0,
    GGML_Q2_K, GGML_Q3_K, GGML_Q4_K, GGML_Q5_K, GGML_Q6_K, GGML_IQ4_NL, GGML_IQ4_XS};
enum { N_TYPES = sizeof all_types / sizeof all_types[0] };

static struct gguf *open_good(const char *path)
{
    struct px_err err = {0};
    struct gguf *g = gguf_open(path, &err);
    if (g == NULL)
        fail_msg("%s", err.text);
    return g;
}

/* ---- the form ---- */

/* A file with the small model's vocabulary and one matrix of each type, of random blocks whose
 * bytes stay below 0x78, so that no half among them is infinite. */
static char *file_of_all_types(uint32_t n_in, uint32_t n_out)
{
    struct px_buf keys, infos, data, file;
    struct px_err err = {0};
    uint32_t random = 1, n_types = 0;
    px_buf_init(&keys, 1 << 20);
    px_buf_init(&infos, 1 << 20);
    px_buf_init(&data, 1 << 24);
    px_buf_init(&file, 1 << 24);
    uint32_t n_keys = tiny_vocabulary(&keys);
    for (uint32_t i = 0; i < N_TYPES; i++) {
        const struct ggml_type_info *t = ggml_type_info(all_types[i]);
        if (n_in % t->block)
            continue;
        tiny_gguf_str(&infos, t->name);
        px_buf_u32(&infos, 2);
        px_buf_u64(&infos, n_in);
        px_buf_u64(&infos, n_out);
        px_buf_u32(&infos, all_types[i]);
        px_buf_u64(&infos, data.len);
        for (size_t b = 0; b < (size_t)n_in / t->block * t->bytes * n_out; b++) {
            random = random * 1664525 + 1013904223;
            px_buf_u8(&data, (uint8_t)((random >> 24) % 0x78));
        }
        while (data.len % 32)
            px_buf_u8(&data, 0);
        n_types++;
    }
    px_buf_str(&file, "GGUF");
    px_buf_u32(&file, 3);
    px_buf_u64(&file, n_types);
    px_buf_u64(&file, n_keys);
    px_buf_put(&file, keys.data, keys.len);
    px_buf_put(&file, infos.data, infos.len);
    while (file.len % 32)
        px_buf_u8(&file, 0);
    px_buf_put(&file, data.data, data.len);
    char *path = px_path_join(import_dir, "types.gguf");
    if (px_write_file(path, file.data, file.len, &err))
        fail_msg("%s", err.text);
    px_buf_clear(&keys);
    px_buf_clear(&infos);
    px_buf_clear(&data);
    px_buf_clear(&file);
    return path;
}

static void assert_same_rows(const struct gguf_tensor *a, const struct gguf_tensor *b)
{
    const struct ggml_type_info *t = ggml_type_info(a->type);
    uint32_t n_in = (uint32_t)a->dims[0];
    PX_FREE float *x = px_xcalloc(n_in, sizeof *x);
    PX_FREE float *y = px_xcalloc(n_in, sizeof *y);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->dims[0], b->dims[0]);
    assert_int_equal(a->dims[1], b->dims[1]);
    assert_int_equal(b->in_panels, panels_suit(a->type));
    for (uint32_t o = 0; o < a->dims[1]; o++) {
        uint64_t row = (uint64_t)o * (n_in / t->block) * t->bytes;
        dequantize(a->type, (const char *)a->data + row, x, n_in);
        if (b->in_panels)
            panels_row(b->type, b->data, n_in, o, y);
        else
            dequantize(b->type, (const char *)b->data + row, y, n_in);
        if (memcmp(x, y, n_in * sizeof *x) != 0)
            fail_msg("%s, row %u of %llu: other values", t->name, o,
                     (unsigned long long)a->dims[1]);
    }
}

static void every_type_keeps_its_values(void **state)
{
    static const uint32_t shapes[][2] = {{512, 35}, {96, 16}, {288, 1}};
    struct px_err err = {0};
    (void)state;
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        PX_FREE char *path = file_of_all_types(shapes[s][0], shapes[s][1]);
        PX_FREE char *to = px_path_join(import_dir, "types.pxm");
        struct px_digest source = px_sha256("x", 1);
        struct import_layout l;
        struct gguf *g = open_good(path);
        FILE *f = fopen(to, "w+be");
        if (import_layout_make(g, &source, &l, &err) ||
            import_write_data(&l, fileno(f), 1 + s % 2, NULL, NULL, &err) ||
            import_write_head(&l, fileno(f), &err))
            fail_msg("%s", err.text);
        fclose(f);
        struct gguf *h = open_good(to);
        assert_int_equal(gguf_file_size(h), l.bytes);
        assert_true(px_digest_eq(&gguf_source(h)->digest, &source));
        assert_int_equal(gguf_source(h)->bytes, gguf_file_size(g));
        assert_int_equal(gguf_n_tensors(h), gguf_n_tensors(g) + 2);
        for (uint32_t i = 0; i < gguf_n_tensors(g); i++) {
            const struct gguf_tensor *t = gguf_tensor_at(h, i);
            assert_int_equal(t->offset % (t->bytes >= IMPORTED_PAGE ? IMPORTED_PAGE : 64), 0);
            assert_same_rows(gguf_tensor_at(g, i), t);
        }
        assert_int_equal(gguf_check_data(h, NULL, NULL, &err), 0);
        import_layout_clear(&l);
        gguf_free(&g);
        gguf_free(&h);
    }
}

/* Files that were written before a change of the layout must be refused, not misread: whoever
 * changes the bytes raises IMPORTED_VERSION and puts the new digest here. */
static void other_bytes_need_another_version(void **state)
{
    static const char digest_of_version[] =
        "2: a20702af36c4f72a68d978a87fdb422a5b0da10612b8a45a0f943b81efff3289";
    char found[PX_HEX_SIZE + 16], hex[PX_HEX_SIZE];
    (void)state;
    PX_FREE char *path = file_of_all_types(512, 19);
    struct gguf *g = open_good(path);
    struct px_sha256 *s = px_sha256_new();
    for (uint32_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        for (uint32_t n_in = 512; panels_suit(t->type) && n_in >= 256; n_in -= 224) {
            if (n_in % ggml_type_info(t->type)->block)
                continue;
            uint64_t n = panels_bytes(t->type, n_in, 19);
            PX_FREE void *panels = px_xmalloc((size_t)n);
            panels_pack(t->type, t->data, n_in, 19, 0, 2, panels);
            px_sha256_add(s, panels, (size_t)n);
        }
    }
    gguf_free(&g);
    struct px_digest d = px_sha256_end(&s);
    px_digest_hex(&d, hex);
    snprintf(found, sizeof found, "%d: %s", IMPORTED_VERSION, hex);
    if (strcmp(found, digest_of_version) != 0)
        fail_msg("the imported form has changed: raise IMPORTED_VERSION (proto/model/imported.h) "
                 "and expect \"<version>: %s\" here",
                 hex);
}

static void the_head_says_what_the_original_says(void **state)
{
    static const char *const dropped[] = {"tokenizer.ggml.tokens", "tokenizer.ggml.scores",
                                          "tokenizer.ggml.token_type"};
    char key[2][128], value[2][256];
    struct px_digest digest;
    struct px_err err = {0};
    (void)state;
    PX_FREE char *path = import_source("head.gguf", "qwen2", GGML_Q8_0);
    struct imported_file f = import_good(path);
    struct gguf *g = open_good(path), *h = open_good(f.path);
    for (uint32_t i = 0, j = 0; i < gguf_n_keys(g); i++) {
        gguf_key_text(g, i, key[0], sizeof key[0], value[0], sizeof value[0]);
        bool kept = true;
        for (int d = 0; d < 3; d++)
            kept = kept && strcmp(key[0], dropped[d]) != 0;
        assert_int_equal(gguf_has(h, key[0]), kept);
        if (!kept)
            continue;
        gguf_key_text(h, j++, key[1], sizeof key[1], value[1], sizeof value[1]);
        assert_string_equal(key[0], key[1]);
        assert_string_equal(value[0], value[1]);
    }
    assert_int_equal(gguf_digest(h, &digest, &err), 0);
    size_t n;
    char *bytes;
    assert_int_equal(px_read_file(path, 1 << 24, &bytes, &n, &err), 0);
    struct px_digest plain = px_sha256(bytes, n);
    free(bytes);
    assert_true(px_digest_eq(&digest, &plain));
    assert_true(imported_bytes(g) <= gguf_file_size(h) + IMPORTED_PAGE);
    gguf_free(&g);
    gguf_free(&h);
    free(f.path);
}

static void expect_same_logits(struct model *a, struct model *b, const struct kernels *kn)
{
    static const uint32_t tokens[] = {3, 17, 99, 64, 5, 5, 31, 127, 80};
    struct eval_config cfg = {.isa = "scalar", .threads = 1, .max_tokens = 16};
    struct px_err err = {0};
    struct eval *e = eval_new(a, &cfg, &err);
    cfg.isa = kn->isa;
    cfg.threads = 2;
    struct eval *f = eval_new(b, &cfg, &err);
    for (uint32_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        const float *x = eval_tokens(e, &tokens[i], 1, NULL, NULL, &err);
        const float *y = eval_tokens(f, &tokens[i], 1, NULL, NULL, &err);
        if (!x || !y)
            fail_msg("%s", err.text);
        if (memcmp(x, y, TINY_VOCAB * sizeof *x) != 0)
            fail_msg("%s: the imported model has other logits", kn->isa);
    }
    eval_free(&e);
    eval_free(&f);
}

static void every_instruction_set_computes_the_same_logits(void **state)
{
    static const enum ggml_type types[] = {GGML_F16,  GGML_Q4_0, GGML_Q4_1,
                                           GGML_Q5_0, GGML_Q5_1, GGML_Q8_0};
    static const char *const archs[] = {"llama", "qwen2", "qwen3"};
    struct px_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        PX_FREE char *path = import_source("logits.gguf", archs[i % 3], types[i]);
        struct imported_file f = import_good(path);
        struct model *a = model_open(path, &err), *b = model_open(f.path, &err);
        if (!a || !b)
            fail_msg("%s", err.text);
        assert_int_equal(b->output.layout, panels_suit(types[i]) ? WEIGHT_PANELS : WEIGHT_ROWS);
        const struct kernels *kn;
        for (unsigned k = 0; (kn = kernels_at(k)) != NULL; k++)
            expect_same_logits(a, b, kn);
        model_free(&a);
        model_free(&b);
        free(f.path);
    }
}

static void the_vocabulary_is_in_the_file(void **state)
{
    static const char text[] = "daeafa ba";
    struct px_err err = {0};
    uint32_t *ids[2];
    size_t n[2];
    (void)state;
    PX_FREE char *path = import_source("vocabulary.gguf", "llama", GGML_Q8_0);
    struct imported_file f = import_good(path);
    struct gguf *g[2] = {open_good(path), open_good(f.path)};
    for (int i = 0; i < 2; i++) {
        struct tokenizer *t = tokenizer_new(g[i], &err);
        if (t == NULL || tokenizer_encode(t, text, sizeof text - 1, 0, &ids[i], &n[i], &err))
            fail_msg("%s", err.text);
        tokenizer_free(&t);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(ids[0], ids[1], n[0] * sizeof *ids[0]);
    for (int i = 0; i < 2; i++) {
        free(ids[i]);
        gguf_free(&g[i]);
    }
    free(f.path);
}

/* ---- whole or refused ---- */

static void expect_refused(const char *path, enum px_code code, const char *words)
{
    struct px_err err = {0};
    struct gguf *g = gguf_open(path, &err);
    assert_null(g);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
}

/* Where a key's value stands in the file. */
static uint64_t place_of(const char *path, const char *key)
{
    struct gguf *g = open_good(path);
    uint64_t at = (uint64_t)(gguf_find_key(g, key)->p - g->base);
    gguf_free(&g);
    return at;
}

static void damaged_heads_are_refused(void **state)
{
    (void)state;
    PX_FREE char *path = import_source("damaged.gguf", "qwen3", GGML_Q5_1);
    struct imported_file f = import_good(path), again;
    uint64_t version = place_of(f.path, "proctor.layout");
    uint64_t digest = place_of(f.path, "proctor.source_sha256") + 8;
    uint64_t name = place_of(f.path, "general.architecture") + 8;
    import_damage(f.path, version, "\x09", 1);
    expect_refused(f.path, PX_EVERSION, "layout 9");
    again = import_good(path); /* replaces it */
    assert_false(again.was_there);
    free(again.path);
    import_damage(f.path, digest, "ffffffff", 8);
    expect_refused(f.path, PX_EINPUT, "checksum");
    free(import_good(path).path);
    import_damage(f.path, name, "Q", 1);
    expect_refused(f.path, PX_EINPUT, "checksum");
    free(import_good(path).path);
    import_damage(f.path, f.bytes - 2, "\x55\xaa", 2); /* the last tensor's checksum */
    expect_refused(f.path, PX_EINPUT, "checksum");
    free(import_good(path).path);
    assert_int_equal(truncate(f.path, (off_t)f.bytes - 1), 0);
    expect_refused(f.path, PX_EINPUT, "ends at");
    assert_int_equal(truncate(f.path, 3000), 0);
    expect_refused(f.path, PX_EINPUT, "goes past the end");
    again = import_good(path);
    assert_false(again.was_there);
    free(again.path);
    free(f.path);
}

static void damaged_data_are_found(void **state)
{
    struct px_err err = {0};
    (void)state;
    PX_FREE char *path = import_source("data.gguf", "qwen2", GGML_Q4_1);
    struct imported_file f = import_good(path);
    struct gguf *g = open_good(f.path);
    uint64_t at = gguf_tensor_find(g, "blk.2.ffn_up.weight")->offset + 77;
    assert_int_equal(gguf_check_data_once(g, &err), 0);
    gguf_free(&g);
    import_damage(f.path, at, "\x5a\x5b", 2);
    g = open_good(f.path);
    assert_int_equal(gguf_check_data(g, NULL, NULL, &err), -1);
    assert_int_equal(err.code, PX_EINPUT);
    assert_non_null(strstr(err.text, "blk.2.ffn_up.weight"));
    assert_int_equal(gguf_check_data_once(g, &err), -1); /* the time of change is another */
    gguf_free(&g);
    struct imported_file again = import_good(path);
    assert_false(again.was_there);
    g = open_good(f.path);
    assert_int_equal(gguf_check_data(g, NULL, NULL, &err), 0);
    gguf_free(&g);
    free(again.path);
    free(f.path);
}

static void a_second_time_it_is_there(void **state)
{
    struct px_err err = {0};
    (void)state;
    PX_FREE char *path = import_source("twice.gguf", "llama", GGML_Q4_0);
    struct imported_file a = import_good(path), b = import_good(path), c;
    assert_false(a.was_there);
    assert_true(b.was_there);
    assert_string_equal(a.path, b.path);
    assert_int_equal(a.bytes, b.bytes);
    assert_int_equal(import_file(a.path, &(struct import_options){0}, &c, &err), -1);
    assert_int_equal(err.code, PX_EUSAGE);
    free(a.path);
    free(b.path);
}

static void several_importers_end_well(void **state)
{
    enum { N = 4 };
    pid_t pids[N];
    (void)state;
    PX_FREE char *path = import_source("several.gguf", "qwen3", GGML_Q8_0);
    PX_FREE char *to = px_path_join(import_dir, "several");
    for (int i = 0; i < N; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct imported_file f;
            struct px_err err;
            _exit(import_file(path, &(struct import_options){.dir = to}, &f, &err) != 0);
        }
    }
    for (int i = 0; i < N; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(import_count(to), 1);
    struct imported_file f;
    struct px_err err = {0};
    assert_int_equal(import_file(path, &(struct import_options){.dir = to}, &f, &err), 0);
    assert_true(f.was_there);
    free(f.path);
}

static void without_space_nothing_is_left(void **state)
{
    struct rlimit old, small;
    struct imported_file f;
    struct px_err err = {0};
    (void)state;
    PX_FREE char *path = import_source("space.gguf", "qwen2", GGML_Q8_0);
    PX_FREE char *to = px_path_join(import_dir, "space");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 10000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = import_file(path, &(struct import_options){.dir = to}, &f, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -1);
    assert_int_equal(err.code, PX_ENOSPC);
    assert_non_null(strstr(err.text, "it needs"));
    assert_int_equal(import_count(to), 0);
}

static void what_is_no_model_is_not_imported(void **state)
{
    struct imported_file f;
    struct px_err err = {0};
    (void)state;
    PX_FREE char *path = file_of_all_types(256, 3);
    PX_FREE char *to = px_path_join(import_dir, "none");
    assert_int_equal(import_file(path, &(struct import_options){.dir = to}, &f, &err), -1);
    assert_int_equal(err.code, PX_EINPUT);
    assert_int_equal(
        import_file("/nonexistent.gguf", &(struct import_options){.dir = to}, &f, &err), -1);
    assert_int_equal(err.code, PX_EMISSING);
    assert_int_equal(import_count(to), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_keeps_its_values),
        cmocka_unit_test(other_bytes_need_another_version),
        cmocka_unit_test(the_head_says_what_the_original_says),
        cmocka_unit_test(every_instruction_set_computes_the_same_logits),
        cmocka_unit_test(the_vocabulary_is_in_the_file),
        cmocka_unit_test(damaged_heads_are_refused),
        cmocka_unit_test(damaged_data_are_found),
        cmocka_unit_test(a_second_time_it_is_there),
        cmocka_unit_test(several_importers_end_well),
        cmocka_unit_test(without_space_nothing_is_left),
        cmocka_unit_test(what_is_no_model_is_not_imported),
    };
    return cmocka_run_group_tests(tests, import_setup, import_teardown);
}
