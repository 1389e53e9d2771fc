/* Model checks and the import stage: good models pass, each kind of damage fails its stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/file.h"
#include "proto/json.h"
#include "tests/unit/proto/gguf_builder.h"
#include "worker/stage/check.h"
#include "worker/stage/import.h"
#include "worker/stage/model_cmd.h"

static char dir[] = "/tmp/proctor-check-XXXXXX";
static unsigned n_files;

/* A new file with these bytes; frees them. The path is owned. */
static char *file_of(uint8_t *bytes, size_t n)
{
    struct px_err err = {0};
    char *path = px_xasprintf("%s/%u.gguf", dir, n_files++);
    if (px_write_file(path, bytes, n, &err) != 0)
        fail_msg("%s", err.text);
    free(bytes);
    return path;
}

static char *model_file(const struct tiny_options *o)
{
    size_t n;
    uint8_t *bytes = tiny_model(o, &n);
    return file_of(bytes, n);
}

static struct check_report check(const char *path)
{
    struct check_report r;
    struct px_err err = {0};
    if (check_file(path, &(struct check_options){0}, &r, &err) != 0)
        fail_msg("%s", err.text);
    return r;
}

static void good_models_pass_every_stage(void **state)
{
    (void)state;
    static const char *const archs[] = {"llama", "qwen2", "qwen3"};
    for (int i = 0; i < 3; i++) {
        PX_FREE char *path = model_file(&(struct tiny_options){.arch = archs[i], .tied = i == 2});
        struct check_report r = check(path);
        if (check_cause(&r))
            fail_msg("%s: %s", check_cause(&r)->name, check_cause(&r)->details);
        assert_int_equal(r.passed, CHECK_STAGES);
        assert_string_equal(r.architecture, archs[i]);
    }
}

/* The stage fails with these words. Frees path. */
static void stretched_positions_pass_too(void **state)
{
    (void)state;
    static const struct tiny_extra yarn[] = {{"rope.scaling.type", GB_STR, 0, "yarn"},
                                             {"rope.scaling.factor", GB_F32, 4, NULL},
                                             {"rope.scaling.attn_factor", GB_F32, 1.5, NULL},
                                             {.name = NULL}};
    static const struct tiny_extra llama3[] = {
        {"rope.scaling.type", GB_STR, 0, "llama3"},
        {"rope.scaling.factor", GB_F32, 8, NULL},
        {"rope.scaling.low_freq_factor", GB_F32, 1, NULL},
        {"rope.scaling.high_freq_factor", GB_F32, 4, NULL},
        {"rope.scaling.original_context_length", GB_U32, 64, NULL},
        {.name = NULL}};
    for (int i = 0; i < 2; i++) {
        PX_FREE char *path = model_file(&(struct tiny_options){.extra = i ? yarn : llama3});
        struct check_report r = check(path);
        if (check_cause(&r))
            fail_msg("%s: %s", check_cause(&r)->name, check_cause(&r)->details);
        const char *details = NULL;
        for (int s = 0; s < CHECK_STAGES; s++)
            if (strcmp(r.stages[s].name, "positions") == 0)
                details = r.stages[s].details;
        assert_non_null(strstr(details, i ? "yarn scale 4" : "llama3 scale 8"));
    }
}

static void fails(char *path, const char *stage, const char *words)
{
    struct check_report r = check(path);
    const struct check_stage *s = check_cause(&r);
    assert_non_null(s);
    assert_string_equal(s->name, stage);
    if (!strstr(s->details, words))
        fail_msg("expected '%s' in: %s", words, s->details);
    assert_true(r.passed < CHECK_STAGES);
    free(path);
}

static void damaged_files_fail_the_container_stage(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = tiny_model(&(struct tiny_options){0}, &n);
    fails(file_of(bytes, n - 5000), "container", "ends at");
    bytes = tiny_model(&(struct tiny_options){0}, &n);
    memcpy(bytes, "GGML", 4);
    fails(file_of(bytes, n), "container", "not a GGUF file");
    fails(model_file(&(struct tiny_options){.wide_tensor = "blk.1.ffn_down.weight"}), "container",
          "blk.1.ffn_down.weight is [64 x 64], but the configuration asks for [64 x 32]");
    fails(model_file(&(struct tiny_options){.arch = "mamba"}), "container",
          "unknown architecture 'mamba'");
    fails(model_file(&(struct tiny_options){.skip_key = "block_count"}), "container",
          "the key llama.block_count is missing");
}

static void an_unknown_tokenizer_fails_its_stage_alone(void **state)
{
    (void)state;
    PX_FREE char *path = model_file(&(struct tiny_options){.tokenizer = "bert"});
    struct check_report r = check(path);
    assert_string_equal(check_cause(&r)->name, "tokenizer");
    assert_non_null(strstr(check_cause(&r)->details, "unknown tokenizer 'bert'"));
    assert_int_equal(r.passed, CHECK_STAGES - 3); /* logits and sampler need it */
}

static void damaged_weights_fail_the_data_stage(void **state)
{
    (void)state;
    fails(model_file(&(struct tiny_options){.nan_tensor = "blk.1.ffn_up.weight"}), "data",
          "tensor blk.1.ffn_up.weight holds 1 NaN and 0 infinite values, the first at index 5");
    fails(model_file(&(struct tiny_options){.zero_tensor = "blk.0.attn_v.weight"}), "data",
          "every value of tensor blk.0.attn_v.weight is zero");
}

static void a_zero_norm_fails_its_stage(void **state)
{
    (void)state;
    fails(model_file(&(struct tiny_options){.zero_tensor = "blk.1.ffn_norm.weight"}),
          "feed forward", "layer 1: the variance of the output is 0");
}

static void a_missing_file_is_an_error_not_a_report(void **state)
{
    (void)state;
    struct check_report r;
    struct px_err err = {0};
    assert_int_equal(check_file("/nonexistent.gguf", &(struct check_options){0}, &r, &err), -1);
    assert_int_equal(err.code, PX_EMISSING);
    assert_non_null(strstr(err.text, "/nonexistent.gguf"));
}

/* ---- the import stage ---- */

static uint64_t most_done;
static void note_progress(void *ctx, uint64_t done)
{
    (void)ctx;
    most_done = done > most_done ? done : most_done;
}

static struct completion import(char *path, const struct px_digest *digest)
{
    struct px_err err = {0};
    struct completion c;
    struct unit unit = {0};
    struct job job = {.kind = UNIT_IMPORT, .model_name = (char *)"base", .model_path = path};
    if (digest)
        job.model = *digest;
    most_done = 0;
    if (stage_import(&job, &unit, note_progress, NULL, &c, &err) != 0)
        fail_msg("%s", err.text);
    return c;
}

static void import_reports_digest_and_stages(void **state)
{
    (void)state;
    size_t n;
    struct px_err err = {0};
    uint8_t *bytes = tiny_model(&(struct tiny_options){0}, &n);
    struct px_digest digest = px_sha256(bytes, n);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&digest, hex);
    PX_FREE char *path = file_of(bytes, n);
    struct completion c = import(path, &digest);
    assert_int_equal(c.finish, FINISH_EOS);
    assert_null(c.error);
    assert_true(most_done > 50000);
    struct json_object *o = px_json_parse(c.text, c.n_text, &err);
    assert_non_null(o);
    assert_string_equal(px_json_str_or(o, "digest", ""), hex);
    assert_string_equal(px_json_str_or(o, "model", ""), "base");
    assert_string_equal(px_json_str_or(o, "architecture", ""), "llama");
    assert_int_equal(px_json_int_or(o, "bytes", 0), n);
    assert_int_equal(px_json_int_or(o, "passed", 0), CHECK_STAGES);
    assert_int_equal(px_json_int_or(o, "total", 0), CHECK_STAGES);
    assert_true(px_json_bool_or(o, "all_passed", false));
    assert_int_equal(json_object_array_length(json_object_object_get(o, "stages")), CHECK_STAGES);
    json_object_put(o);
    completion_clear(&c);
}

static struct json_object *import_as(char *path, const char *options)
{
    struct px_err err = {0};
    struct completion c;
    struct unit unit = {0};
    struct job job = {.kind = UNIT_IMPORT,
                      .model_name = (char *)"base",
                      .model_path = path,
                      .options = (char *)options};
    if (stage_import(&job, &unit, NULL, NULL, &c, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(c.finish, FINISH_EOS);
    struct json_object *o = px_json_parse(c.text, c.n_text, &err);
    assert_non_null(o);
    completion_clear(&c);
    return o;
}

static void import_writes_the_imported_form_where_it_can(void **state)
{
    (void)state;
    static const char panels[] = "{\"layout\": \"panels\"}";
    struct json_object *f;
    struct px_err err = {0};
    PX_FREE char *path = model_file(&(struct tiny_options){.arch = "qwen2"});
    struct json_object *o = import_as(path, "{\"layout\": \"file\"}");
    assert_false(json_object_object_get_ex(o, "imported", &f));
    json_object_put(o);
    PX_FREE char *none = px_xasprintf("%s/models", path); /* below a file there is no directory */
    setenv("PROCTOR_MODELS", none, 1);
    o = import_as(path, panels);
    assert_true(json_object_object_get_ex(o, "imported", &f));
    assert_non_null(strstr(px_json_str_or(f, "problem", ""), none));
    json_object_put(o);
    PX_FREE char *models = px_path_join(dir, "models");
    setenv("PROCTOR_MODELS", models, 1);
    for (int i = 0; i < 2; i++) {
        o = import_as(path, panels);
        assert_true(json_object_object_get_ex(o, "imported", &f));
        assert_int_equal(px_json_bool_or(f, "was_there", i == 0), i == 1);
        struct gguf *g = gguf_open(px_json_str_or(f, "path", ""), &err);
        if (g == NULL)
            fail_msg("%s", err.text);
        assert_int_equal(gguf_file_size(g), px_json_int_or(f, "bytes", 0));
        if (i == 1) { /* the imported form itself is a good model that needs no import */
            struct json_object *again = import_as((char *)gguf_path(g), panels);
            assert_string_equal(px_json_str_or(again, "digest", "?"),
                                px_json_str_or(o, "digest", ""));
            assert_false(json_object_object_get_ex(again, "imported", &f));
            json_object_put(again);
        }
        gguf_free(&g);
        json_object_put(o);
    }
    unsetenv("PROCTOR_MODELS");
}

static void import_refuses_another_file_than_planned(void **state)
{
    (void)state;
    struct px_digest other = px_sha256("x", 1);
    PX_FREE char *path = model_file(&(struct tiny_options){0});
    struct completion c = import(path, &other);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_non_null(strstr(c.error, "the run was planned with 2d711642"));
    completion_clear(&c);
}

static void import_names_the_stage_that_failed(void **state)
{
    (void)state;
    PX_FREE char *path = model_file(&(struct tiny_options){.nan_tensor = "output.weight"});
    struct completion c = import(path, NULL);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_non_null(strstr(c.error, "model check, stage data: tensor output.weight holds 1 NaN"));
    completion_clear(&c);
    struct px_err err = {0};
    struct job job = {.model_name = (char *)"base", .model_path = (char *)"/nonexistent.gguf"};
    assert_int_equal(stage_import(&job, &(struct unit){0}, NULL, NULL, &c, &err), -1);
}

/* ---- the commands ---- */

/* Runs a command with its stdout and stderr in a file; returns what it wrote. Owned. */
static char *output_of(int *rc, int argc, char **argv)
{
    PX_FREE char *path = px_xasprintf("%s/output", dir);
    struct px_err err = {0};
    fflush(stdout);
    fflush(stderr);
    int out = dup(1), both = dup(2);
    assert_non_null(freopen(path, "w", stdout));
    dup2(1, 2);
    *rc = model_command(argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(both, 2);
    close(out);
    close(both);
    char *text;
    size_t n;
    if (px_read_file(path, 1 << 20, &text, &n, &err) != 0)
        fail_msg("%s", err.text);
    return text;
}

static void expect_output(int want_rc, const char *words, int argc, char **argv)
{
    int rc;
    PX_FREE char *text = output_of(&rc, argc, argv);
    if (!strstr(text, words))
        fail_msg("expected '%s' in: %s", words, text);
    assert_int_equal(rc, want_rc);
}

#define EXPECT(rc, words, ...)                                                                     \
    do {                                                                                           \
        char *argv_[] = {__VA_ARGS__, NULL};                                                       \
        expect_output(rc, words, (int)(sizeof argv_ / sizeof argv_[0]) - 1, argv_);                \
    } while (0)

static void commands_show_check_and_tokenise(void **state)
{
    (void)state;
    PX_FREE char *good = model_file(&(struct tiny_options){.arch = "qwen3"});
    PX_FREE char *bad = model_file(&(struct tiny_options){.nan_tensor = "output.weight"});
    char inspect[] = "inspect", check_word[] = "check", tokenize[] = "tokenize", json[] = "--json",
         the[] = " the", end[] = "<|im_end|>", parse[] = "--parse-special";
    EXPECT(0, "12 of 12 stages passed", check_word, good);
    EXPECT(0, "\"all_passed\": true", check_word, good, json);
    EXPECT(1, "11 data          FAILED   tensor output.weight holds 1 NaN", check_word, bad);
    EXPECT(0, "2 query heads and 1 key-value heads of 16 dimensions", inspect, good);
    EXPECT(0, "\"chat_template\": \"chatml\"", inspect, good, json);
    EXPECT(0, "258\t\" the\"\n", tokenize, good, the);
    EXPECT(0, "{\"text\": \"<|im_end|>\", \"ids\": [262], \"pieces\": [\"<|im_end|>\"]}", tokenize,
           good, end, parse, json);
}

static void wrong_use_exits_2_and_help_has_an_example(void **state)
{
    (void)state;
    char inspect[] = "inspect", check_word[] = "check", tokenize[] = "tokenize", help[] = "--help",
         odd[] = "--odd", none[] = "/nonexistent.gguf", unknown[] = "train";
    EXPECT(0, "Example: ", inspect, help);
    EXPECT(0, "Example: ", check_word, help);
    EXPECT(0, "Example: ", tokenize, help);
    EXPECT(0, "Example: ", help);
    EXPECT(2, "unknown option or missing value: --odd", check_word, odd);
    EXPECT(2, "one model file is expected, 0 were given", inspect);
    EXPECT(2, "a model file and a text", tokenize, none);
    EXPECT(2, "cannot open model /nonexistent.gguf", check_word, none);
    EXPECT(2, "unknown command 'train'", unknown);
}

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    PX_FREE char *cache = px_path_join(dir, "cache");
    return setenv("PROCTOR_CACHE", cache, 1);
}

static int remove_directory(void **state)
{
    (void)state;
    PX_FREE char *command = px_xasprintf("rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_models_pass_every_stage),
        cmocka_unit_test(stretched_positions_pass_too),
        cmocka_unit_test(damaged_files_fail_the_container_stage),
        cmocka_unit_test(an_unknown_tokenizer_fails_its_stage_alone),
        cmocka_unit_test(damaged_weights_fail_the_data_stage),
        cmocka_unit_test(a_zero_norm_fails_its_stage),
        cmocka_unit_test(a_missing_file_is_an_error_not_a_report),
        cmocka_unit_test(import_reports_digest_and_stages),
        cmocka_unit_test(import_writes_the_imported_form_where_it_can),
        cmocka_unit_test(import_refuses_another_file_than_planned),
        cmocka_unit_test(import_names_the_stage_that_failed),
        cmocka_unit_test(commands_show_check_and_tokenise),
        cmocka_unit_test(wrong_use_exits_2_and_help_has_an_example),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
