/* test_engine_cmds.c - generate, logits and perplexity as a person calls them. */
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "tiny_model.h"

#include "proto/file.h"
#include "proto/json.h"
#include "worker/engine/reuse.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/engine_cmds.h"

enum { MAX_ARGS = 24 };

static char dir[] = "/tmp/proctor-cmds-XXXXXX";
static char *model, *text, *captured_path, *floats;

static int make_files(void **state)
{
    struct px_err err = {0};
    struct px_buf b;
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    model = px_path_join(dir, "m.gguf");
    text = px_path_join(dir, "t.txt");
    captured_path = px_path_join(dir, "out");
    floats = px_path_join(dir, "l.f32");
    px_buf_init(&b, 1 << 24);
    tiny_gguf("llama", GGML_Q8_0, &b);
    if (px_write_file(model, b.data, b.len, &err))
        return -1;
    px_buf_clear(&b);
    px_buf_init(&b, 1 << 20);
    for (int i = 0; i < 100; i++)
        px_buf_printf(&b, "%cb%ca", 'a' + i % 26, 'd' + i % 7);
    int rc = px_write_file(text, b.data, b.len, &err);
    px_buf_clear(&b);
    return rc;
}

static int remove_files(void **state)
{
    char command[128];
    (void)state;
    free(model);
    free(text);
    free(captured_path);
    free(floats);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* Runs a command line of words; its stdout comes back, owned. Both streams go to files meanwhile.
 */
static int run(int (*command)(int, char **), const char *const *words, char **out)
{
    char *argv[MAX_ARGS + 1] = {0};
    int argc = 0, saved_out = dup(1), saved_err = dup(2);
    size_t n;
    struct px_err err = {0};
    for (; words[argc]; argc++)
        argv[argc] = px_xstrdup(words[argc]);
    fflush(stdout);
    int fd = open(captured_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(fd, 1);
    dup2(null, 2);
    int rc = command(argc, argv);
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

#define RUN(command, out, ...) run(command, (const char *const[]){__VA_ARGS__, NULL}, out)

static struct json_object *parse(char *out)
{
    struct px_err err = {0};
    struct json_object *o = px_json_parse(out, strlen(out), &err);
    if (o == NULL)
        fail_msg("%s: %s", err.text, out);
    free(out);
    return o;
}

static void help_is_one_page_with_an_example(void **state)
{
    int (*const commands[])(int, char **) = {generate_command, logits_command, perplexity_command};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *out;
        assert_int_equal(RUN(commands[i], &out, "x", "--help"), 0);
        assert_non_null(strstr(out, "Example: proctor model "));
        free(out);
    }
}

static void wrong_use_exits_with_2_and_prints_no_data(void **state)
{
    static const char *const wrong[][6] = {{"generate", "m.gguf"},
                                           {"generate", "--prompt", "a"},
                                           {"generate", "m", "--prompt", "a", "--nonsense"},
                                           {"generate", "m", "--prompt", "a", "--top-p=7"},
                                           {"generate", "m", "--prompt", "a", "--kv=f8"},
                                           {"generate", "m", "--prompt", "a", "--isa=none"},
                                           {"generate", "m", "--prompt", "a", "--stop="},
                                           {"generate", "/nonexistent", "--prompt", "a"}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *out;
        assert_int_equal(run(generate_command, wrong[i], &out), 2);
        assert_string_equal(out, "");
        free(out);
    }
    char *out;
    assert_int_equal(RUN(logits_command, &out, "logits", model), 2);
    free(out);
    assert_int_equal(RUN(logits_command, &out, "logits", model, "--tokens", "1,x"), 2);
    free(out);
    assert_int_equal(RUN(logits_command, &out, "logits", model, "--tokens", "9999"), 2);
    free(out);
    assert_int_equal(RUN(logits_command, &out, "logits", model, "--tokens", "1", "--all"), 2);
    free(out);
    assert_int_equal(RUN(perplexity_command, &out, "perplexity", model), 2);
    free(out);
    assert_int_equal(RUN(perplexity_command, &out, "perplexity", model, text, "--ctx", "9999"), 2);
    free(out);
}

static void generate_repeats_itself_for_a_seed(void **state)
{
    char *a, *b;
    (void)state;
    assert_int_equal(RUN(generate_command, &a, "generate", model, "--prompt", "dafa",
                         "--max-tokens", "20", "--temperature", "1.2", "--seed", "4"),
                     0);
    assert_int_equal(RUN(generate_command, &b, "generate", model, "--prompt", "dafa",
                         "--max-tokens", "20", "--temperature", "1.2", "--seed", "4", "--threads",
                         "1", "--isa", "scalar"),
                     0);
    assert_string_equal(a, b);
    assert_true(strlen(a) > 1);
    free(a);
    free(b);
}

static void generate_reports_reuse_in_json(void **state)
{
    char *out;
    (void)state;
    assert_int_equal(RUN(generate_command, &out, "generate", model, "--prompt", "dafa",
                         "--max-tokens", "9", "--json", "--reuse",
                         "k=2,subset=last,size=2,mode=skip,kv=copy"),
                     0);
    struct json_object *o = parse(out);
    int64_t steps = px_json_int_or(o, "decode_steps", -1);
    int64_t refreshes = px_json_int_or(o, "refresh_steps", -1);
    assert_true(steps > 0);
    assert_int_equal(refreshes, (steps + 1) / 2);
    assert_int_equal(px_json_int_or(o, "reused_layer_steps", -1), 2 * (steps - refreshes));
    json_object_put(o);
}

static void logits_writes_what_it_prints(void **state)
{
    struct px_err err = {0};
    char *out, *raw;
    size_t n;
    (void)state;
    assert_int_equal(RUN(logits_command, &out, "logits", model, "--tokens", "5,6,7", "--top", "3",
                         "--json", "--all", "-o", floats),
                     0);
    struct json_object *o = parse(out), *top = NULL;
    assert_true(json_object_object_get_ex(o, "top", &top));
    assert_int_equal(json_object_array_length(top), 3);
    if (px_read_file(floats, 1 << 20, &raw, &n, &err))
        fail_msg("%s", err.text);
    assert_int_equal(n, 3 * TINY_VOCAB * sizeof(float));
    const float *last = (const float *)(const void *)raw + 2 * TINY_VOCAB;
    struct json_object *best = json_object_array_get_idx(top, 0);
    int64_t id = px_json_int_or(best, "id", 0);
    for (uint32_t i = 0; i < TINY_VOCAB; i++)
        assert_true(last[i] <= last[id]);
    assert_true(fabs(px_json_double_or(best, "logit", 0) - (double)last[id]) < 1e-6);
    json_object_put(o);
    free(raw);
}

static void perplexity_of_a_random_model_is_near_its_vocabulary(void **state)
{
    char *out;
    (void)state;
    assert_int_equal(
        RUN(perplexity_command, &out, "perplexity", model, text, "--ctx", "32", "--json"), 0);
    struct json_object *o = parse(out);
    double ppl = px_json_double_or(o, "ppl", 0);
    assert_true(ppl > TINY_VOCAB / 16.0 && ppl < TINY_VOCAB * 1000.0);
    assert_int_equal(px_json_int_or(o, "scored", 0), px_json_int_or(o, "chunks", 0) * 15);
    json_object_put(o);
}

static void reuse_descriptions_are_read_strictly(void **state)
{
    static const char *const bad[] = {"k",          "k=0",           "k=x",        "subset=1+",
                                      "subset=3+1", "subset=99,k=2", "subset=mid", "mode=deltas",
                                      "kv=hole",    "size=-1",       "k=2,,size=3"};
    struct px_err err = {0};
    struct reuse_spec s;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (reuse_parse(bad[i], 8, &s, &err) == 0)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(reuse_parse("k=3,subset=2+5,mode=output,kv=copy", 8, &s, &err), 0);
    assert_int_equal(s.k, 3);
    assert_int_equal(s.n_layers, 2);
    assert_int_equal(s.layers[1], 5);
    assert_int_equal(s.mode, REUSE_OUTPUT);
    assert_int_equal(s.kv, REUSE_KV_COPY);
    free(s.layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_one_page_with_an_example),
        cmocka_unit_test(wrong_use_exits_with_2_and_prints_no_data),
        cmocka_unit_test(generate_repeats_itself_for_a_seed),
        cmocka_unit_test(generate_reports_reuse_in_json),
        cmocka_unit_test(logits_writes_what_it_prints),
        cmocka_unit_test(perplexity_of_a_random_model_is_near_its_vocabulary),
        cmocka_unit_test(reuse_descriptions_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
