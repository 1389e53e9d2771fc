/* import_fixture.h - model files and their imported forms in a directory of the test's own. */
#ifndef TESTS_WORKER_IMPORT_FIXTURE_H
#define TESTS_WORKER_IMPORT_FIXTURE_H

#include <dirent.h>
#include <unistd.h>

#include "tiny_model.h"

#include "proto/file.h"
#include "proto/model/imported.h"
#include "worker/stage/import_file.h"

static char import_dir[] = "/tmp/proctor-import-XXXXXX";

static inline int import_setup(void **state)
{
    (void)state;
    return mkdtemp(import_dir) == NULL || setenv("PROCTOR_CACHE", import_dir, 1) ||
           unsetenv("PROCTOR_MODELS");
}

static inline int import_teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", import_dir, import_dir);
    return system(command);
}

/* A small model's file of that name; the path is owned. */
static inline char *import_source(const char *name, const char *arch, enum ggml_type type)
{
    struct px_err err = {0};
    struct px_buf file;
    px_buf_init(&file, 1 << 24);
    tiny_gguf(arch, type, &file);
    char *path = px_path_join(import_dir, name);
    if (px_write_file(path, file.data, file.len, &err))
        fail_msg("%s", err.text);
    px_buf_clear(&file);
    return path;
}

static inline struct imported_file import_good(const char *source)
{
    struct imported_file f;
    struct px_err err = {0};
    if (import_file(source, &(struct import_options){.threads = 2}, &f, &err))
        fail_msg("%s", err.text);
    return f;
}

/* How many files the directory below holds in all. */
static inline unsigned import_count(const char *below)
{
    unsigned n = 0;
    DIR *d = opendir(below);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        char *path = px_path_join(below, e->d_name);
        n += px_is_dir(path) ? import_count(path) : 1;
        free(path);
    }
    if (d)
        closedir(d);
    return n;
}

/* Changes a file in place: n bytes at `at`. */
static inline void import_damage(const char *path, uint64_t at, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "r+be");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

#endif
