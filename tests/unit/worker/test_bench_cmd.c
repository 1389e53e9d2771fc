/* test_bench_cmd.c - proctor model bench: what it takes, what it refuses, the shape of its report.
 * How fast anything is, no test says. */
#include <fcntl.h>
#include <unistd.h>

#include "tiny_model.h"

#include "proto/file.h"
#include "proto/json.h"
#include "worker/stage/bench.h"
#include "worker/stage/engine_cmds.h"

enum { MAX_ARGS = 24 };

static char dir[] = "/tmp/proctor-bench-XXXXXX";
static char *model, *captured_path;

static int make_files(void **state)
{
    struct px_err err = {0};
    struct px_buf b;
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    model = px_path_join(dir, "m.gguf");
    captured_path = px_path_join(dir, "out");
    px_buf_init(&b, 1 << 24);
    tiny_gguf("qwen2", GGML_Q8_0, &b);
    int rc = px_write_file(model, b.data, b.len, &err);
    px_buf_clear(&b);
    return rc;
}

static int remove_files(void **state)
{
    char command[128];
    (void)state;
    free(model);
    free(captured_path);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* Runs the command on words after "bench"; *out is what it wrote to stdout, owned. */
static int run(const char *const *words, char **out)
{
    char *argv[MAX_ARGS + 1] = {0};
    int argc = 0, saved_out = dup(1), saved_err = dup(2);
    size_t n;
    struct px_err err = {0};
    argv[argc++] = px_xstrdup("bench");
    for (; *words; words++)
        argv[argc++] = px_xstrdup(*words);
    fflush(stdout);
    int fd = open(captured_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(fd, 1);
    dup2(null, 2);
    int rc = bench_command(argc, argv);
    fflush(stdout);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(fd);
    close(null);
    close(saved_out);
    close(saved_err);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    if (px_read_file(captured_path, 1 << 24, out, &n, &err))
        fail_msg("%s", err.text);
    return rc;
}

#define RUN(out, ...) run((const char *const[]){__VA_ARGS__, NULL}, out)

static struct json_object *member(struct json_object *o, const char *key)
{
    struct json_object *found = NULL;
    if (!json_object_object_get_ex(o, key, &found))
        fail_msg("no member \"%s\" in %s", key, json_object_to_json_string(o));
    return found;
}

static void assert_positive(struct json_object *o, const char *key)
{
    if (!(px_json_double_or(o, key, -1) > 0))
        fail_msg("\"%s\" is not above 0 in %s", key, json_object_to_json_string(o));
}

/* A list of figures with these rows, each row of `each` tokens. */
static void assert_figures(struct json_object *report, const char *key, const int *rows, size_t n,
                           int each)
{
    struct json_object *list = member(report, key);
    assert_int_equal(json_object_array_length(list), n);
    for (size_t i = 0; i < n; i++) {
        struct json_object *f = json_object_array_get_idx(list, i);
        assert_int_equal(px_json_int_or(f, "rows", -1), rows[i]);
        assert_int_equal(px_json_int_or(f, "tokens", -1), rows[i] * each);
        assert_positive(f, "tok_s");
        assert_positive(f, "read_gb_s");
        assert_positive(f, "read_share");
        assert_positive(f, "tops");
        assert_positive(f, "compute_share");
    }
}

static void the_report_has_every_part(void **state)
{
    static const int one[] = {1}, many[] = {1, 3};
    struct px_err err = {0};
    char *out;
    (void)state;
    assert_int_equal(RUN(&out, model, "--prompt", "40", "--tokens", "6", "--rows", "1,3", "--head",
                         "64", "--own", "33", "--rounds", "2", "--threads", "2", "--json"),
                     0);
    struct json_object *o = px_json_parse(out, strlen(out), &err);
    if (o == NULL)
        fail_msg("%s: %s", err.text, out);
    struct json_object *limits = member(o, "limits");
    assert_positive(limits, "read_gb_s");
    assert_positive(limits, "huge_gb_s");
    assert_positive(limits, "int8_tops");
    assert_positive(limits, "f32_tops");
    assert_positive(o, "bytes_per_token");
    assert_string_equal(px_json_str_or(o, "kv", ""), "f16");
    assert_figures(o, "pp", one, 1, 40);
    assert_figures(o, "tg", one, 1, 6);
    assert_figures(o, "shared", many, 2, 6);
    assert_figures(o, "own", many, 2, 6);
    struct json_object *kernels = member(o, "kernels");
    int64_t matrices = 0;
    for (size_t i = 0; i < json_object_array_length(kernels); i++) {
        struct json_object *k = json_object_array_get_idx(kernels, i);
        assert_string_equal(px_json_str_or(k, "type", ""), "Q8_0");
        assert_positive(k, "read_gb_s");
        matrices += px_json_int_or(k, "rows", 0) == 1 ? px_json_int_or(k, "count", 0) : 0;
    }
    assert_int_equal(matrices, 7 * TINY_LAYERS + 1);
    json_object_put(o);
    free(out);
}

static void the_table_has_only_the_parts_asked_for(void **state)
{
    char *out;
    (void)state;
    assert_int_equal(
        RUN(&out, model, "--parts", "tg", "--tokens", "5", "--rounds", "1", "--threads", "1"), 0);
    assert_non_null(strstr(out, "\nlimits "));
    assert_non_null(strstr(out, "\ntg5 "));
    assert_null(strstr(out, "pp512"));
    assert_null(strstr(out, "head of"));
    assert_null(strstr(out, "matrices"));
    free(out);
}

static void help_is_one_page_with_an_example(void **state)
{
    char *out;
    (void)state;
    assert_int_equal(RUN(&out, "--help"), 0);
    assert_non_null(strstr(out, "Example: proctor model bench "));
    free(out);
}

static void wrong_use_exits_with_2_and_prints_no_data(void **state)
{
    static const char *const wrong[][4] = {
        {"--parts", "tg"},          {"m", "--parts=tg,speed"}, {"m", "--rows=1,x"},
        {"m", "--rows=0"},          {"m", "--tokens=0"},       {"m", "--rounds=100"},
        {"m", "--rounds=1", "two"}, {"m", "--head=-1"},        {"m", "--memory=lots"},
        {"m", "--isa=none"},        {"m", "--nonsense"},       {"/nonexistent", "--parts=tg"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *out;
        const char *words[5] = {0};
        memcpy(words, wrong[i], sizeof wrong[i]);
        assert_int_equal(run(words, &out), 2);
        assert_string_equal(out, "");
        free(out);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    static const char *const wrong[][4] = {{"--parts=pp", "--prompt=257"},
                                           {"--parts=tg", "--tokens=256"},
                                           {"--parts=own", "--own=200", "--tokens=100"},
                                           {"--parts=shared", "--head=64", "--memory=4kB"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *out;
        const char *words[6] = {model};
        memcpy(words + 1, wrong[i], sizeof wrong[i]);
        assert_int_equal(run(words, &out), 2);
        assert_string_equal(out, "");
        free(out);
    }
}

static void work_follows_from_shapes(void **state)
{
    struct tiny_model *t = tiny_model_new("llama", GGML_Q8_0);
    const struct model_config *c = &t->m->cfg;
    uint64_t kv = 2ull * c->n_layers * c->n_kv_heads * c->head_dim * 2; /* f16 */
    double weights = 0;
    (void)state;
    for (uint32_t i = 0; i < bench_n_weights(t->m); i++) {
        const struct weight *w = bench_weight_at(t->m, i);
        assert_int_equal(bench_weight_bytes(w), (uint64_t)w->n_in / 32 * 34 * w->n_out);
        weights += (double)w->n_in * w->n_out;
    }
    struct bench_work w = bench_pass_work(t->m, KV_F16, 3, 3, 10);
    assert_true(w.int8_ops == 2 * weights * 3);
    assert_true(w.f32_ops == 0);
    assert_true(w.bytes == weights / 32 * 34 + 10.0 * (double)kv);
    /* Without logits nobody needs the output matrix. */
    struct bench_work silent = bench_pass_work(t->m, KV_F16, 3, 0, 10);
    assert_true(w.int8_ops - silent.int8_ops == 2.0 * TINY_EMBD * TINY_VOCAB * 3);
    struct bench_limits l = {.read_gb_s = 2, .int8_tops = 0.5};
    struct bench_work simple = {.bytes = 4e9, .int8_ops = 1e12};
    assert_true(bench_read_s(&l, &simple) == 2);
    assert_true(bench_compute_s(&l, &simple) == 2);
    tiny_model_free(t);
}

static void medians_are_in_the_middle(void **state)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    (void)state;
    assert_true(bench_median(odd, 3) == 2);
    assert_true(bench_median(even, 4) == 2.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_has_every_part),
        cmocka_unit_test(the_table_has_only_the_parts_asked_for),
        cmocka_unit_test(help_is_one_page_with_an_example),
        cmocka_unit_test(wrong_use_exits_with_2_and_prints_no_data),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(work_follows_from_shapes),
        cmocka_unit_test(medians_are_in_the_middle),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
