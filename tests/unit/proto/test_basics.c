/* The common ground: numbers, buffers and readers, digests, JSON, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"

static void sizes_and_durations_are_read_with_their_units(void **state)
{
    (void)state;
    int64_t v;
    assert_int_equal(px_parse_size("6GiB", &v, NULL), 0);
    assert_int_equal(v, INT64_C(6) << 30);
    assert_int_equal(px_parse_size("1.5 GB", &v, NULL), 0);
    assert_int_equal(v, 1500000000);
    assert_int_equal(px_parse_size("4096", &v, NULL), 0);
    assert_int_equal(v, 4096);
    assert_int_equal(px_parse_duration("30s", &v, NULL), 0);
    assert_int_equal(v, 30000000);
    assert_int_equal(px_parse_duration("2h", &v, NULL), 0);
    assert_int_equal(v, INT64_C(7200000000));
    static const char *const bad[] = {"", "GiB", "-1GiB", "6 giB", "1e300TiB", "6GiBx", "nan"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(px_parse_size(bad[i], &v, NULL), -1);
}

static void whole_numbers_are_read_strictly(void **state)
{
    (void)state;
    int64_t v = 7;
    struct px_err err;
    static const char *const bad[] = {"", " 1", "1 ", "1.0", "0x10", "99999999999999999999", "11"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(px_parse_int(bad[i], 0, 10, &v, &err), -1);
    assert_int_equal(v, 7); /* outputs are untouched on failure */
    assert_int_equal(px_parse_int("10", 0, 10, &v, &err), 0);
    assert_int_equal(v, 10);
}

static void a_reader_of_nothing_is_at_its_end(void **state)
{
    struct px_reader r;
    (void)state;
    px_reader_init(&r, NULL, 0);
    assert_true(px_reader_end(&r));
    assert_int_equal(px_reader_left(&r), 0);
    assert_non_null(px_get_bytes(&r, 0)); /* NULL is for what is short */
    assert_true(px_reader_ok(&r));
    assert_null(px_get_bytes(&r, 1));
    assert_false(px_reader_ok(&r));
}

static void a_short_reader_gives_zeros_and_says_so(void **state)
{
    (void)state;
    struct px_buf b;
    struct px_reader r;
    px_buf_init(&b, 100);
    px_buf_u16(&b, 0x1234);
    px_buf_f64(&b, -2.5);
    px_buf_cstr(&b, "abc");
    px_reader_init(&r, b.data, b.len);
    assert_int_equal(px_get_u16(&r), 0x1234);
    assert_true(px_get_f64(&r) == -2.5);
    char *s = px_get_cstr(&r);
    assert_string_equal(s, "abc");
    free(s);
    assert_true(px_reader_end(&r));
    assert_int_equal(px_get_u64(&r), 0);
    assert_false(px_reader_ok(&r));
    px_reader_init(&r, b.data, b.len - 1);
    px_get_u16(&r);
    px_get_f64(&r);
    uint32_t n;
    px_get_blob(&r, &n);
    assert_int_equal(n, 0);
    assert_false(px_reader_ok(&r));
    px_buf_clear(&b);
}

static void a_full_buffer_overflows_instead_of_growing(void **state)
{
    (void)state;
    struct px_buf b;
    px_buf_init(&b, 8);
    px_buf_str(&b, "12345678");
    assert_false(b.overflow);
    px_buf_char(&b, '9');
    assert_true(b.overflow);
    assert_int_equal(b.len, 8);
    px_buf_clear(&b);
}

static void digests_know_where_fields_end(void **state)
{
    (void)state;
    struct px_hash *h = px_hash_new("t");
    px_hash_str(h, "ab");
    px_hash_str(h, "c");
    struct px_digest one = px_hash_end(&h);
    assert_null(h);
    h = px_hash_new("t");
    px_hash_str(h, "a");
    px_hash_str(h, "bc");
    struct px_digest two = px_hash_end(&h);
    assert_false(px_digest_eq(&one, &two));
    /* FIPS 180-4's example for "abc" */
    struct px_digest d = px_sha256("abc", 3);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(px_digest_parse(hex, &one, NULL), 0);
    assert_true(px_digest_eq(&one, &d));
    assert_int_equal(px_digest_parse("zz", &one, NULL), -1);
}

static void a_file_digest_is_cached_until_the_file_changes(void **state)
{
    (void)state;
    char dir[] = "/tmp/proctor-basics.XXXXXX";
    assert_non_null(mkdtemp(dir));
    setenv("PROCTOR_CACHE", dir, 1);
    PX_FREE char *path = px_path_join(dir, "f");
    struct px_digest d, e;
    bool hit;
    assert_int_equal(px_write_file(path, "abc", 3, NULL), 0);
    assert_int_equal(px_sha256_file(path, &d, &hit, NULL), 0);
    assert_false(hit);
    assert_int_equal(px_sha256_file(path, &e, &hit, NULL), 0);
    assert_true(hit);
    assert_true(px_digest_eq(&d, &e));
    assert_int_equal(px_write_file(path, "abcd", 4, NULL), 0);
    assert_int_equal(px_sha256_file(path, &e, &hit, NULL), 0);
    assert_false(hit);
    assert_false(px_digest_eq(&d, &e));
    struct px_err err;
    assert_int_equal(px_sha256_file("/nonexistent/x", &e, &hit, &err), -1);
    assert_int_equal(err.code, PX_EMISSING);
    PX_FREE char *rm = px_xasprintf("rm -rf %s", dir);
    assert_int_equal(system(rm), 0);
}

static void json_is_one_valid_value_or_an_error(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "{\"a\":1} x", "NaN", "[1,]", "\"\xff\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct px_err err;
        struct json_object *o = px_json_parse(bad[i], strlen(bad[i]), &err);
        if (o)
            fail_msg("accepted: %s", bad[i]);
    }
    struct json_object *o = px_json_parse("{\"a\": 1.5, \"b\": \"x\"} \n", 22, NULL);
    const char *s;
    struct px_err err;
    assert_non_null(o);
    assert_true(px_json_double_or(o, "a", 0) == 1.5);
    assert_int_equal(px_json_str(o, "b", &s, NULL), 0);
    assert_int_equal(px_json_str(o, "a", &s, &err), -1);
    assert_non_null(strstr(err.text, "'a'"));
    json_object_put(o);
}

static void any_bytes_are_quoted_as_valid_json(void **state)
{
    (void)state;
    char bytes[300];
    uint64_t rng = 99;
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            rng = rng * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (char)(rng >> 56);
        }
        struct px_buf b;
        px_buf_init(&b, 1 << 16);
        px_json_quote(&b, bytes, sizeof bytes);
        struct json_object *o = px_json_parse((char *)b.data, b.len, NULL);
        assert_non_null(o);
        json_object_put(o);
        px_buf_clear(&b);
    }
}

static void numbers_read_back_to_the_same_bits(void **state)
{
    (void)state;
    static const double values[] = {0.1,     1.0 / 3,       1e300,
                                    -5e-324, 123456789.125, 0.30000000000000004};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct px_buf b;
        px_buf_init(&b, 64);
        px_json_number(&b, values[i]);
        assert_true(strtod((char *)b.data, NULL) == values[i]);
        px_buf_clear(&b);
    }
    struct px_buf b;
    px_buf_init(&b, 64);
    px_json_number(&b, (double)NAN);
    assert_string_equal((char *)b.data, "null");
    px_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_durations_are_read_with_their_units),
        cmocka_unit_test(whole_numbers_are_read_strictly),
        cmocka_unit_test(a_reader_of_nothing_is_at_its_end),
        cmocka_unit_test(a_short_reader_gives_zeros_and_says_so),
        cmocka_unit_test(a_full_buffer_overflows_instead_of_growing),
        cmocka_unit_test(digests_know_where_fields_end),
        cmocka_unit_test(a_file_digest_is_cached_until_the_file_changes),
        cmocka_unit_test(json_is_one_valid_value_or_an_error),
        cmocka_unit_test(any_bytes_are_quoted_as_valid_json),
        cmocka_unit_test(numbers_read_back_to_the_same_bits),
    };
    return cmocka_run_group_tests_name("basics", tests, NULL, NULL);
}
