/* test_native.c - the native backend: models within budgets, one engine at a time, full records. */
#include <unistd.h>

#include "tiny_model.h"

#include "proto/file.h"
#include "proto/unit.h"
#include "worker/backend/backend.h"
#include "worker/stage/import_file.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW_BUILD 1
#else
#define SLOW_BUILD 0
#endif

enum { MEMORY = 1 << 30 };

static char dir[] = "/tmp/proctor-native-XXXXXX";
static char *path_a, *path_b;
static int64_t bytes_a;
static uint32_t stop_token = 2;
static uint32_t prompt[] = {5, 9, 77, 31, 8};

static char *write_model(const char *name, const char *arch)
{
    struct px_err err = {0};
    struct tiny_model *t = tiny_model_new(arch, GGML_Q8_0);
    char *path = px_path_join(dir, name);
    if (px_write_file(path, t->file.data, t->file.len, &err))
        fail_msg("%s", err.text);
    bytes_a = (int64_t)t->file.len;
    tiny_model_free(t);
    return path;
}

static int make_files(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    setenv("PROCTOR_CACHE", dir, 1);
    path_b = write_model("b.gguf", "qwen3");
    path_a = write_model("a.gguf", "qwen2");
    return 0;
}

static int remove_files(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    free(path_a);
    free(path_b);
    return system(command);
}

static struct job job_for(char *path)
{
    return (struct job){.kind = UNIT_GENERATE,
                        .backend = BACKEND_NATIVE,
                        .model_path = path,
                        .max_tokens = 12,
                        .kv = KV_F16,
                        .sampler = {.temperature = 0.8, .top_p = 1, .seed = 3},
                        .stop_tokens = &stop_token,
                        .n_stop_tokens = 1};
}

static struct unit some_unit(uint32_t sample)
{
    return (struct unit){.problem = (char *)"p", .sample = sample, .prompt = prompt, .n_prompt = 5};
}

static struct backend *new_backend(int64_t memory, int64_t host_memory)
{
    struct px_err err = {0};
    struct backend_config cfg = {
        .memory_budget = memory, .host_memory = host_memory, .threads = 1, .isa = "auto"};
    struct backend *b = backend_native_new(&cfg, &err);
    if (b == NULL)
        fail_msg("%s", err.text);
    return b;
}

static void free_backend(struct backend *b)
{
    b->free(b->self);
    free(b);
}

static struct completion finish_one(struct backend *b)
{
    struct backend_done d = {0};
    struct px_err err = {0};
    int n;
    while ((n = b->step(b->self, &d, 1, &err)) == 0)
        ;
    assert_int_equal(n, 1);
    assert_false(d.failed);
    return d.completion;
}

static struct completion run(struct backend *b, const struct job *j, const struct unit *u)
{
    struct px_err err = {0};
    assert_true(b->credits(b->self, j) > 0);
    if (b->submit(b->self, j, u, 4, &err))
        fail_msg("%s", err.text);
    return finish_one(b);
}

static bool is_mapped(const char *path)
{
    char line[4096];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "re");
    while (fgets(line, sizeof line, f))
        found = found || strstr(line, path);
    fclose(f);
    return found;
}

static void a_completion_says_where_it_came_from(void **state)
{
    struct backend *b = new_backend(MEMORY, 0);
    struct job j = job_for(path_a);
    struct unit u = some_unit(0);
    (void)state;
    assert_int_equal(b->credits(b->self, &j), BACKEND_ROWS);
    uint64_t before = b->progress(b->self);
    struct completion c = run(b, &j, &u);
    assert_true(c.finish == FINISH_LENGTH || c.finish == FINISH_EOS);
    assert_string_equal(c.backend, "native");
    assert_true(c.host && c.isa && c.isa[0] && c.build[0]);
    assert_int_equal(c.n_prompt, 5);
    assert_int_equal(c.batch, 1);
    assert_true(c.wall_us > 0 && c.rss_bytes > 0 && c.prefill_s >= 0 && c.decode_s > 0);
    assert_true(b->progress(b->self) - before >= 5 + c.decode_steps); /* guesses count as well */
    completion_clear(&c);
    free_backend(b);
}

static void another_model_waits_until_the_engine_is_idle(void **state)
{
    struct backend *b = new_backend(MEMORY, 0);
    struct job ja = job_for(path_a), jb = job_for(path_b), jk = job_for(path_a);
    struct unit u = some_unit(0);
    struct px_err err = {0};
    (void)state;
    jk.kv = KV_F32;
    assert_int_equal(b->submit(b->self, &ja, &u, 1, &err), 0);
    assert_int_equal(b->credits(b->self, &ja), BACKEND_ROWS - 1);
    assert_int_equal(b->credits(b->self, &jb), 0);
    assert_int_equal(b->credits(b->self, &jk), 0);
    assert_int_equal(b->submit(b->self, &jb, &u, 2, &err), -1);
    struct completion first = finish_one(b);
    uint64_t before = b->progress(b->self);
    struct completion other = run(b, &jb, &u);
    assert_true(is_mapped(path_a) && is_mapped(path_b));
    assert_true(b->progress(b->self) > before);
    struct completion again = run(b, &ja, &u);
    assert_int_equal(first.n_tokens, again.n_tokens);
    assert_memory_equal(first.tokens, again.tokens, first.n_tokens * sizeof *first.tokens);
    completion_clear(&first);
    completion_clear(&other);
    completion_clear(&again);
    free_backend(b);
}

static void the_least_used_model_is_unmapped(void **state)
{
    struct backend *b = new_backend(MEMORY, MEMORY + 2 * bytes_a - 1);
    struct job ja = job_for(path_a), jb = job_for(path_b);
    struct unit u = some_unit(1);
    (void)state;
    struct completion c = run(b, &ja, &u);
    completion_clear(&c);
    assert_true(is_mapped(path_a));
    c = run(b, &jb, &u);
    completion_clear(&c);
    assert_true(is_mapped(path_b) && !is_mapped(path_a));
    free_backend(b);
    assert_false(is_mapped(path_b));
}

static void a_model_beyond_host_memory_is_refused_with_the_arithmetic(void **state)
{
    struct backend *b = new_backend(MEMORY, MEMORY + bytes_a - 1);
    struct job j = job_for(path_a);
    struct unit u = some_unit(0);
    struct px_err err = {0};
    char number[32];
    (void)state;
    assert_int_equal(b->submit(b->self, &j, &u, 1, &err), -1);
    assert_int_equal(err.code, PX_ELIMIT);
    snprintf(number, sizeof number, "%lld", (long long)bytes_a);
    assert_non_null(strstr(err.text, number));
    assert_false(is_mapped(path_a));
    free_backend(b);
    b = new_backend(1 << 16, 0);
    assert_int_equal(b->submit(b->self, &j, &u, 1, &err), -1);
    assert_int_equal(err.code, PX_ELIMIT);
    assert_non_null(strstr(err.text, "65536"));
    free_backend(b);
}

static void a_file_with_another_digest_is_refused(void **state)
{
    struct backend *b = new_backend(MEMORY, 0);
    struct job j = job_for(path_a);
    struct unit u = some_unit(0);
    struct px_err err = {0};
    bool hit;
    (void)state;
    j.model.b[0] = 1;
    assert_int_equal(b->submit(b->self, &j, &u, 1, &err), -1);
    assert_non_null(strstr(err.text, "SHA-256"));
    assert_int_equal(px_sha256_file(path_a, &j.model, &hit, &err), 0);
    struct completion c = run(b, &j, &u);
    completion_clear(&c);
    j.model_path = (char *)"/nonexistent.gguf";
    assert_int_equal(b->submit(b->self, &j, &u, 1, &err), -1);
    assert_int_equal(err.code, PX_EMISSING);
    free_backend(b);
}

static void private_memory_stays_within_the_budget(void **state)
{
    struct px_err err = {0};
    struct backend_done done[4];
    (void)state;
    if (SLOW_BUILD) {
        printf("SKIP private memory: a sanitizer's own memory counts too\n");
        skip();
    }
    int64_t budget = 24 << 20;
    struct backend *b = new_backend(budget, 0);
    struct job j = job_for(path_a);
    struct unit units[40];
    uint32_t sent = 0, finished = 0;
    j.max_tokens = 100;
    while (finished < 40) {
        for (; sent < 40 && b->credits(b->self, &j) > 0; sent++) {
            units[sent] = some_unit(sent);
            if (b->submit(b->self, &j, &units[sent], sent, &err))
                fail_msg("%s", err.text);
        }
        int n = b->step(b->self, done, 4, &err);
        for (int i = 0; i < n; i++, finished++) {
            assert_true(done[i].completion.rss_bytes <= (uint64_t)budget);
            completion_clear(&done[i].completion);
        }
    }
    free_backend(b);
}

/* ---- imported models ---- */

static struct completion run_alone(const struct job *j, char *mapped, const char *expect)
{
    struct backend *b = new_backend(MEMORY, 0);
    struct unit u = some_unit(3);
    struct completion c = run(b, j, &u);
    snprintf(mapped, 8, "%s", is_mapped(expect) ? "yes" : "no");
    free_backend(b);
    return c;
}

static void assert_same_tokens(const struct completion *a, const struct completion *b)
{
    assert_int_equal(a->n_tokens, b->n_tokens);
    assert_memory_equal(a->tokens, b->tokens, a->n_tokens * sizeof *a->tokens);
}

static void the_imported_form_is_used_where_it_is_whole(void **state)
{
    struct job j = job_for(path_a);
    struct px_err err = {0};
    struct imported_file f;
    char mapped[8];
    (void)state;
    assert_int_equal(px_sha256_file(path_a, &j.model, NULL, &err), 0);
    struct completion plain = run_alone(&j, mapped, path_a), c;
    assert_string_equal(mapped, "yes");
    assert_int_equal(import_file(path_a, &(struct import_options){0}, &f, &err), 0);
    c = run_alone(&j, mapped, f.path);
    assert_string_equal(mapped, "yes");
    assert_same_tokens(&plain, &c);
    completion_clear(&c);
    j.model_path = (char *)"/nonexistent.gguf"; /* a host that has only the imported form */
    c = run_alone(&j, mapped, f.path);
    assert_same_tokens(&plain, &c);
    completion_clear(&c);
    j.model_path = f.path; /* a recipe that names it */
    c = run_alone(&j, mapped, f.path);
    assert_same_tokens(&plain, &c);
    completion_clear(&c);
    j.model_path = path_a;
    assert_int_equal(truncate(f.path, (off_t)f.bytes - 64), 0);
    c = run_alone(&j, mapped, path_a);
    assert_string_equal(mapped, "yes");
    assert_same_tokens(&plain, &c);
    completion_clear(&c);
    assert_int_equal(unlink(f.path), 0);
    completion_clear(&plain);
    free(f.path);
}

static void host_memory_counts_the_file_that_is_mapped(void **state)
{
    struct job j = job_for(path_a);
    struct px_err err = {0};
    struct imported_file f;
    struct unit u = some_unit(0);
    (void)state;
    assert_int_equal(px_sha256_file(path_a, &j.model, NULL, &err), 0);
    assert_int_equal(import_file(path_a, &(struct import_options){0}, &f, &err), 0);
    assert_true((int64_t)f.bytes > bytes_a);
    struct backend *b = new_backend(MEMORY, MEMORY + (int64_t)f.bytes);
    struct completion c = run(b, &j, &u);
    assert_true(is_mapped(f.path));
    completion_clear(&c);
    free_backend(b);
    b = new_backend(MEMORY, MEMORY + (int64_t)f.bytes - 1); /* the original still fits */
    c = run(b, &j, &u);
    assert_true(is_mapped(path_a) && !is_mapped(f.path));
    completion_clear(&c);
    free_backend(b);
    assert_int_equal(unlink(f.path), 0);
    free(f.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_completion_says_where_it_came_from),
        cmocka_unit_test(another_model_waits_until_the_engine_is_idle),
        cmocka_unit_test(the_least_used_model_is_unmapped),
        cmocka_unit_test(a_model_beyond_host_memory_is_refused_with_the_arithmetic),
        cmocka_unit_test(a_file_with_another_digest_is_refused),
        cmocka_unit_test(the_imported_form_is_used_where_it_is_whole),
        cmocka_unit_test(host_memory_counts_the_file_that_is_mapped),
        cmocka_unit_test(private_memory_stays_within_the_budget),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
