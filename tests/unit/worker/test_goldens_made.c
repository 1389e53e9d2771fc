/* test_goldens_made.c - F32, F16 and BF16 models made by the reference tools, then checked.
 *
 * Needs python3 with numpy and regex beside the reference data; skips visibly otherwise. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "golden_check.h"

/* The tool writes F32 and F16; once more with its matrices as BF16. */
static const char script[] =
    "import functools, os, sys\n"
    "root, out = sys.argv[1:3]\n"
    "sys.dont_write_bytecode = True\n"
    "sys.path.insert(0, root + '/tools')\n"
    "import make_models as mm\n"
    "mm.vocabs.small_bpe = functools.cache(mm.vocabs.small_bpe)\n"
    "def run(folder, names, *more):\n"
    "    os.makedirs(folder, exist_ok=True)\n"
    "    sys.argv = ['make_models.py', folder, '--text', root + '/vocab-corpus.txt', '--only',\n"
    "                *names, *more]\n"
    "    mm.main()\n"
    "run(out, ['rand-qwen2-tied', 'rand-qwen2-untied', 'rand-qwen3', 'rand-llama-gqa',\n"
    "          'rand-llama3-ropefreqs'], '--f16')\n"
    "plain = mm.Writer.lazy_tensor\n"
    "def bf16(self, name, fn, shape, t):\n"
    "    plain(self, name, fn, shape, 30 if len(shape) > 1 else t)\n"
    "mm.Writer.lazy_tensor = bf16\n"
    "run(out + '/bf16', ['rand-qwen2-tied'])\n";

static char made[] = "/tmp/proctor-goldens-XXXXXX";
static bool have_made;

static int run_script(const char *root)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 1);
        dup2(null, 2);
        execl("/usr/bin/python3", "python3", "-c", script, root, made, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    if (pid > 0)
        waitpid(pid, &status, 0);
    return status;
}

static int make_all(void **state)
{
    char *root = reference_path("");
    (void)state;
    if (mkdtemp(made) == NULL)
        return -1;
    if (root == NULL || access("/usr/bin/python3", X_OK) != 0)
        printf("SKIP made models: reference data or python3 not found\n");
    else if (SLOW_BUILD)
        printf("SKIP made models: not under sanitizers\n");
    else if (run_script(root) != 0)
        printf("SKIP made models: the tools need python3-numpy and python3-regex\n");
    else
        have_made = true;
    free(root);
    return 0;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *p = px_path_join(path, e->d_name);
        if (unlink(p) != 0)
            remove_tree(p);
        free(p);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static int remove_all(void **state)
{
    (void)state;
    remove_tree(made);
    return 0;
}

static void check(const char *below, const char *golden, bool is_exact)
{
    if (!have_made)
        skip();
    char *path = px_path_join(made, below);
    golden_file_check(path, golden, is_exact);
    free(path);
}

static void f32_files_are_exact(void **state)
{
    (void)state;
    check("rand-qwen2-tied-F32.gguf", "rand-qwen2-tied-F32", true);
    check("rand-qwen2-untied-F32.gguf", "rand-qwen2-untied-F32", true);
    check("rand-qwen3-F32.gguf", "rand-qwen3-F32", true);
    check("rand-llama-gqa-F32.gguf", "rand-llama-gqa-F32", true);
    check("rand-llama3-ropefreqs-F32.gguf", "rand-llama3-ropefreqs-F32", true);
}

/* Weights of 16 bits are widened exactly and activations stay F32, so these are exact too. */
static void f16_and_bf16_files_are_exact(void **state)
{
    (void)state;
    check("rand-qwen2-tied-F16.gguf", "rand-qwen2-tied-F16", true);
    check("rand-qwen2-untied-F16.gguf", "rand-qwen2-untied-F16", true);
    check("rand-qwen3-F16.gguf", "rand-qwen3-F16", true);
    check("rand-llama-gqa-F16.gguf", "rand-llama-gqa-F16", true);
    check("bf16/rand-qwen2-tied-F32.gguf", "rand-qwen2-tied-BF16", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_files_are_exact),
        cmocka_unit_test(f16_and_bf16_files_are_exact),
    };
    return cmocka_run_group_tests(tests, make_all, remove_all);
}
