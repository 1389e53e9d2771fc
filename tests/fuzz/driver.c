/* driver.c - runs a fuzz target without libFuzzer: seeds, files, then seeded random mutations.
 *
 *   fuzz_x [-n RUNS] [-t SECONDS] [-s SEED] [FILE...]    run; stops at whichever comes first
 *   fuzz_x -w DIR                                        write the target's seeds as files
 *
 * The same arguments try the same inputs in the same order. An input that crashes or runs for more
 * than 20 seconds is left in crash-<target>.bin in the current directory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "tests/fuzz/fuzz.h"

struct input {
    uint8_t *data;
    size_t size;
};

static struct input *seeds;
static size_t n_seeds, cap_seeds;
static uint64_t state;
static uint8_t current[FUZZ_MAX];
static size_t current_size;
static char crash_path[256];

__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void save_input(void)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0 && write(fd, current, current_size) == (ssize_t)current_size)
        dprintf(2, "the input (%zu bytes) is in %s\n", current_size, crash_path);
}

static void on_signal(int sig)
{
    save_input();
    if (sig == SIGALRM)
        dprintf(2, "an input took more than 20 s\n");
    signal(sig, SIG_DFL);
    raise(sig);
}

/* xorshift64*, good enough to pick mutations */
static uint64_t next(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

static size_t below(size_t n)
{
    return n ? (size_t)(next() >> 11) % n : 0;
}

static void run_current(void)
{
    /* A copy of the exact size, so that a sanitizer sees a read past the end. */
    uint8_t *exact = px_xmalloc(current_size);
    memcpy(exact, current, current_size);
    alarm(20);
    LLVMFuzzerTestOneInput(exact, current_size);
    alarm(0);
    free(exact);
}

static void add_seed(const uint8_t *data, size_t size)
{
    PX_GROW(seeds, n_seeds, cap_seeds);
    seeds[n_seeds].data = (uint8_t *)px_xmemdup(data, size);
    seeds[n_seeds++].size = size;
}

static void put_interesting(size_t at)
{
    static const uint64_t values[] = {0,          1,          0x7f,       0x80,      0xff,
                                      0x7fff,     0xffff,     0x10000,    1u << 20,  0x7fffffff,
                                      0x80000000, 0xffffffff, UINT64_MAX, 1ull << 63};
    uint64_t v = values[below(sizeof values / sizeof values[0])];
    size_t n = (size_t)1 << below(4);
    for (size_t i = 0; i < n && at + i < current_size; i++)
        current[at + i] = (uint8_t)(v >> (8 * i));
}

static void insert(size_t at, const uint8_t *p, size_t n)
{
    if (n > FUZZ_MAX - current_size)
        n = FUZZ_MAX - current_size;
    memmove(current + at + n, current + at, current_size - at);
    memmove(current + at, p, n);
    current_size += n;
}

static void mutate_once(void)
{
    size_t at = below(current_size + 1), n = 1 + below(1 + below(64));
    uint8_t piece[64];
    const struct input *other = &seeds[below(n_seeds)];
    size_t left = current_size - at;
    switch (below(8)) {
    case 0:
        if (left)
            current[at] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        if (left)
            current[at] = (uint8_t)next();
        break;
    case 2:
    case 3:
        put_interesting(at);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            piece[i] = (uint8_t)next();
        insert(at, piece, n);
        break;
    case 5:
        n = n < left ? n : left;
        memmove(current + at, current + at + n, left - n);
        current_size -= n;
        break;
    case 6:
        if (other->size) {
            size_t from = below(other->size);
            insert(at, other->data + from, n < other->size - from ? n : other->size - from);
        }
        break;
    default:
        if (below(8) == 0)
            current_size = at;
    }
}

static void mutate(void)
{
    const struct input *seed = &seeds[below(n_seeds)];
    current_size = seed->size;
    memcpy(current, seed->data, seed->size);
    for (size_t i = 1 + below(6); i > 0; i--)
        mutate_once();
}

static int load_seeds(char **files, int n)
{
    struct px_err err;
    for (unsigned i = 0; fuzz_seed && (current_size = fuzz_seed(i, current, FUZZ_MAX)) > 0; i++)
        add_seed(current, current_size);
    for (int i = 0; i < n; i++) {
        char *data;
        size_t size;
        if (px_read_file(files[i], FUZZ_MAX, &data, &size, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            return -1;
        }
        add_seed((uint8_t *)data, size);
        free(data);
    }
    if (n_seeds == 0)
        add_seed((const uint8_t *)"", 0);
    return 0;
}

static int write_seeds(const char *dir)
{
    struct px_err err;
    for (size_t i = 0; i < n_seeds; i++) {
        PX_FREE char *path = px_xasprintf("%s/seed-%zu", dir, i);
        if (px_write_file(path, seeds[i].data, seeds[i].size, &err) != 0) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    }
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void install_handlers(const char *program)
{
    const char *slash = strrchr(program, '/');
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    snprintf(crash_path, sizeof crash_path, "crash-%.200s.bin", slash ? slash + 1 : program);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_input);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], on_signal);
}

int main(int argc, char **argv)
{
    int64_t runs = 100000, seconds = 2, seed = 1;
    const char *write_dir = NULL;
    int c;
    while ((c = getopt(argc, argv, "n:t:s:w:")) != -1) {
        struct px_err err;
        int64_t *to = c == 'n' ? &runs : c == 't' ? &seconds : &seed;
        if (c == '?')
            return 2;
        if (c == 'w') {
            write_dir = optarg;
        } else if (px_parse_int(optarg, 0, INT64_MAX / 1000, to, &err) != 0) {
            fprintf(stderr, "-%c: %s\n", c, err.text);
            return 2;
        }
    }
    if (load_seeds(argv + optind, argc - optind) != 0)
        return 2;
    if (write_dir)
        return write_seeds(write_dir);
    install_handlers(argv[0]);
    state = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < n_seeds; i++) {
        memcpy(current, seeds[i].data, current_size = seeds[i].size);
        run_current();
    }
    int64_t done = 0, end = now_ms() + seconds * 1000;
    for (; done < runs && now_ms() < end; done++) {
        if (done % 16 == 15) {
            current_size = below(512);
            for (size_t i = 0; i < current_size; i++)
                current[i] = (uint8_t)next();
        } else {
            mutate();
        }
        run_current();
    }
    printf("  ok   %-50s %zu seeds, %lld mutations, seed %lld\n", argv[0], n_seeds, (long long)done,
           (long long)seed);
    return 0;
}
