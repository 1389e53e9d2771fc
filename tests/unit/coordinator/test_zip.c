/* test_zip.c - archives: members inflate to what was put in, equal members give equal bytes, and
 * more members than 16 bits count have a ZIP64 directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include "coordinator/export/zip.h"
#include "proto/buf.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "tests/unit/coordinator/scratch.h"

static char *read_all(const char *path, size_t *n)
{
    char *text;
    struct px_err err;
    assert_int_equal(px_read_file(path, (size_t)1 << 28, &text, n, &err), 0);
    return text;
}

/* The member at a local header, inflated; owned. */
static char *inflated(const char *at, size_t *n)
{
    size_t packed = px_load_u32(at + 18), plain = px_load_u32(at + 22);
    z_stream s = {0};
    char *out = px_xcalloc(plain + 1, 1);
    assert_int_equal(px_load_u32(at), 0x04034b50);
    s.next_in = (unsigned char *)(uintptr_t)(at + 30 + px_load_u16(at + 26) + px_load_u16(at + 28));
    s.avail_in = (unsigned)packed;
    s.next_out = (unsigned char *)out;
    s.avail_out = (unsigned)plain + 1;
    assert_int_equal(inflateInit2(&s, -15), Z_OK);
    assert_int_equal(inflate(&s, Z_FINISH), Z_STREAM_END);
    assert_int_equal(s.total_out, plain);
    assert_int_equal(s.total_in, packed);
    inflateEnd(&s);
    assert_int_equal(crc32(crc32(0, NULL, 0), (unsigned char *)out, (unsigned)plain),
                     px_load_u32(at + 14));
    *n = plain;
    return out;
}

static void make(const char *path, uint32_t n)
{
    struct px_err err;
    struct zip *z = zip_new(path, &err);
    assert_non_null(z);
    for (uint32_t i = 0; i < n; i++) {
        PX_FREE char *name = px_xasprintf("d/%u.json", i);
        PX_FREE char *text = px_xasprintf("{\"number\": %u}", i);
        assert_int_equal(zip_add(z, name, text, i ? strlen(text) : 0, &err), 0);
    }
    assert_int_equal(zip_close(&z, &err), 0);
    assert_null(z);
}

/* Walks the directory and checks its last member's text. */
static void check_directory(const char *data, uint64_t at, uint64_t size, uint64_t n)
{
    const char *p = data + at, *last = NULL;
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(px_load_u32(p), 0x02014b50);
        last = p;
        p += 46 + px_load_u16(p + 28) + px_load_u16(p + 30) + px_load_u16(p + 32);
    }
    assert_ptr_equal(p, data + at + size);
    size_t len;
    PX_FREE char *text = inflated(data + px_load_u32(last + 42), &len);
    PX_FREE char *want = px_xasprintf("{\"number\": %llu}", (unsigned long long)(n - 1));
    assert_string_equal(text, want);
}

static void members_come_back(void **state)
{
    char dir[64];
    (void)state;
    scratch_make(dir);
    PX_FREE char *a = px_path_join(dir, "a.zip"), *b = px_path_join(dir, "b.zip");
    size_t n, m, len;
    make(a, 5);
    make(b, 5);
    PX_FREE char *one = read_all(a, &n);
    PX_FREE char *two = read_all(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(one, two, n);
    PX_FREE char *empty = inflated(one, &len);
    assert_int_equal(len, 0);
    const char *end = one + n - 22;
    assert_int_equal(px_load_u32(end), 0x06054b50);
    assert_int_equal(px_load_u16(end + 10), 5);
    check_directory(one, px_load_u32(end + 16), px_load_u32(end + 12), 5);
    struct px_err err;
    assert_null(zip_new("/nowhere/x.zip", &err));
    scratch_remove(dir);
}

static void many_members_have_a_wide_directory(void **state)
{
    char dir[64];
    (void)state;
    scratch_make(dir);
    PX_FREE char *path = px_path_join(dir, "many.zip");
    size_t n;
    make(path, 65600);
    PX_FREE char *data = read_all(path, &n);
    const char *locator = data + n - 22 - 20, *wide = locator - 56;
    assert_int_equal(px_load_u16(data + n - 22 + 10), 0xffff);
    assert_int_equal(px_load_u32(locator), 0x07064b50);
    assert_int_equal(px_load_u64(locator + 8), wide - data);
    assert_int_equal(px_load_u32(wide), 0x06064b50);
    assert_int_equal(px_load_u64(wide + 32), 65600);
    check_directory(data, px_load_u64(wide + 48), px_load_u64(wide + 40), 65600);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_back),
        cmocka_unit_test(many_members_have_a_wide_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
