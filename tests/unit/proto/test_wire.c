/* The messages of the wire, and that docs/protocol.md tells the truth about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/mem.h"
#include "proto/wire.h"

#define S(literal) ((char *)(literal))

static struct wire_msg full_message(enum wire_kind kind)
{
    static uint8_t body[] = {1, 2, 3};
    struct wire_msg m = {.kind = kind, .n = 5};
    char *base = (char *)&m;
    for (unsigned i = 0; i < wire_n_fields; i++) {
        const struct wire_field *f = &wire_fields[i];
        if (f->type == WIRE_TEXT)
            *(char **)(base + f->offset) = S("text \"with\" \n everything \xc3\xa9");
        else if (f->type == WIRE_INT)
            *(int64_t *)(base + f->offset) = -((int64_t)i << 40);
        else
            *(bool *)(base + f->offset) = true;
    }
    for (unsigned i = 0; i < wire_n_bodies(kind); i++) {
        m.body[i] = body;
        m.n_body[i] = sizeof body - i;
    }
    return m;
}

static unsigned frames_of(const struct wire_msg *m, uint8_t header[WIRE_HEADER],
                          struct px_buf *json, struct wire_frame *out)
{
    unsigned n = 2;
    wire_put_header(header, m->kind);
    px_buf_reset(json);
    wire_put_json(m, json);
    out[0] = (struct wire_frame){header, WIRE_HEADER};
    out[1] = (struct wire_frame){json->data, json->len};
    for (unsigned i = 0; !m->bare && i < wire_n_bodies(m->kind); i++)
        out[n++] = (struct wire_frame){m->body[i], m->n_body[i]};
    return n;
}

static void every_kind_survives_the_wire(void **state)
{
    (void)state;
    uint8_t header[WIRE_HEADER];
    struct wire_frame f[4];
    struct px_buf json;
    struct px_err err;
    px_buf_init(&json, WIRE_JSON_LIMIT);
    for (int k = WIRE_HELLO; k < WIRE_GET; k++) {
        struct wire_msg m = full_message((enum wire_kind)k), back;
        unsigned n = frames_of(&m, header, &json, f);
        if (wire_parse(f, n, &back, &err) != 0)
            fail_msg("%s: %s", wire_kind_name((enum wire_kind)k), err.text);
        assert_int_equal(back.kind, k);
        for (unsigned i = 0; i < wire_n_fields; i++) {
            const struct wire_field *fd = &wire_fields[i];
            if (!(fd->kinds >> k & 1u))
                continue;
            if (fd->type == WIRE_TEXT)
                assert_string_equal(*(char **)((char *)&back + fd->offset),
                                    *(char **)((char *)&m + fd->offset));
            else if (fd->type == WIRE_INT)
                assert_int_equal(*(int64_t *)((char *)&back + fd->offset),
                                 *(int64_t *)((char *)&m + fd->offset));
            else
                assert_true(*(bool *)((char *)&back + fd->offset));
        }
        for (unsigned i = 0; i < wire_n_bodies(m.kind); i++) {
            assert_int_equal(back.n_body[i], m.n_body[i]);
            assert_memory_equal(back.body[i], m.body[i], m.n_body[i]);
        }
        wire_clear(&back);
        assert_int_equal(wire_parse(f, n - 1, &back, NULL), -1);
    }
    px_buf_clear(&json);
}

static void bare_messages_are_empty_objects(void **state)
{
    (void)state;
    uint8_t header[WIRE_HEADER];
    struct wire_frame f[4];
    struct px_buf json;
    px_buf_init(&json, WIRE_JSON_LIMIT);
    for (int k = WIRE_HELLO; k < WIRE_GET; k++) {
        struct wire_msg m = {.kind = (enum wire_kind)k, .bare = true}, back;
        unsigned n = frames_of(&m, header, &json, f);
        assert_string_equal((char *)json.data, "{}");
        int rc = wire_parse(f, n, &back, NULL);
        assert_int_equal(rc, wire_may_be_bare(m.kind) ? 0 : -1);
        if (rc == 0) {
            assert_true(back.bare);
            wire_clear(&back);
        }
    }
    px_buf_clear(&json);
}

static void a_missing_or_mistyped_field_is_an_error_with_its_name(void **state)
{
    (void)state;
    uint8_t header[WIRE_HEADER];
    struct wire_msg back;
    struct px_err err;
    wire_put_header(header, WIRE_READY);
    struct wire_frame f[2] = {{header, WIRE_HEADER}, {"{\"credit\":1}", 12}};
    assert_int_equal(wire_parse(f, 2, &back, &err), -1);
    assert_non_null(strstr(err.text, "READY"));
    assert_non_null(strstr(err.text, "credits"));
    f[1] = (struct wire_frame){"{\"credits\":\"x\"}", 15};
    assert_int_equal(wire_parse(f, 2, &back, &err), -1);
    assert_non_null(strstr(err.text, "credits"));
}

static void another_version_and_reserved_kinds_are_told_apart(void **state)
{
    (void)state;
    uint8_t header[WIRE_HEADER];
    struct wire_msg back;
    struct px_err err;
    enum wire_kind kind;
    wire_put_header(header, WIRE_GET);
    struct wire_frame f[2] = {{header, WIRE_HEADER}, {"{}", 2}};
    assert_int_equal(wire_parse(f, 2, &back, &err), -1);
    assert_int_equal(err.code, PX_EUNSUPPORTED);
    wire_put_header(header, WIRE_HELLO);
    header[4]++;
    assert_int_equal(wire_get_header(header, WIRE_HEADER, &kind, &err), -1);
    assert_int_equal(err.code, PX_EVERSION);
    assert_int_equal(kind, WIRE_HELLO);
    header[0] = 'X';
    assert_int_equal(wire_get_header(header, WIRE_HEADER, &kind, &err), -1);
    assert_int_equal(err.code, PX_EINPUT);
    wire_put_header(header, (enum wire_kind)77);
    assert_int_equal(wire_get_header(header, WIRE_HEADER, &kind, &err), -1);
    assert_int_equal(err.code, PX_EINPUT);
}

static void packed_bodies_hold_exactly_what_is_announced(void **state)
{
    (void)state;
    struct px_buf b;
    struct wire_unit *u;
    struct wire_result *r;
    struct px_digest *k, key = px_sha256("x", 1);
    px_buf_init(&b, 1 << 20);
    wire_pack_unit(&b, 1, "abc", 3);
    wire_pack_unit(&b, 7, "", 0);
    assert_int_equal(wire_unpack_units(b.data, b.len, 2, &u, NULL), 0);
    assert_int_equal(u[1].attempt, 7);
    assert_memory_equal(u[0].p, "abc", 3);
    free(u);
    assert_int_equal(wire_unpack_units(b.data, b.len, 1, &u, NULL), -1);
    assert_int_equal(wire_unpack_units(b.data, b.len, 3, &u, NULL), -1);
    assert_int_equal(wire_unpack_units(b.data, b.len, -1, &u, NULL), -1);
    assert_int_equal(wire_unpack_units(b.data, b.len, INT64_MAX, &u, NULL), -1);
    px_buf_reset(&b);
    wire_pack_result(&b, 1ull << 50, &key, "record", 6);
    assert_int_equal(wire_unpack_results(b.data, b.len, 1, &r, NULL), 0);
    assert_true(r[0].lease == 1ull << 50 && px_digest_eq(&r[0].key, &key) && r[0].n == 6);
    free(r);
    assert_int_equal(wire_unpack_results(b.data, b.len - 1, 1, &r, NULL), -1);
    px_buf_reset(&b);
    wire_pack_key(&b, &key);
    assert_int_equal(wire_unpack_keys(b.data, b.len, 1, &k, NULL), 0);
    assert_true(px_digest_eq(k, &key));
    free(k);
    assert_int_equal(wire_unpack_keys(b.data, b.len, 0, &k, NULL), -1);
    px_buf_clear(&b);
}

/* ---- docs/protocol.md ---- */

/* Cells of a table row "| `A` | b | ...", trimmed, back quotes taken off. Returns how many. */
static int cells(char *line, char *out[8])
{
    int n = 0;
    char *save, *cell = strtok_r(line, "|", &save);
    for (; cell && n < 8; cell = strtok_r(NULL, "|", &save)) {
        cell += strspn(cell, " `");
        size_t len = strlen(cell);
        while (len > 0 && strchr(" `", cell[len - 1]))
            cell[--len] = '\0';
        out[n++] = cell;
    }
    return n;
}

static const char *type_name(enum wire_type t)
{
    return t == WIRE_TEXT ? "text" : t == WIRE_INT ? "int" : "bool";
}

static int kind_of(const char *name)
{
    for (int k = 1; k < WIRE_N_KINDS; k++)
        if (strcmp(wire_kind_name((enum wire_kind)k), name) == 0)
            return k;
    return -1;
}

static void check_kind(char *c[8])
{
    int k = kind_of(c[0]);
    assert_true(k > 0);
    assert_int_equal((int)strtol(c[1], NULL, 10), k);
    assert_int_equal((int)strtol(c[3], NULL, 10), (int)wire_n_bodies((enum wire_kind)k));
    assert_string_equal(c[4], wire_may_be_bare((enum wire_kind)k) ? "yes" : "no");
    assert_true(strlen(c[5]) > 20 && c[5][strlen(c[5]) - 1] == '.');
}

static void check_field(char *c[8])
{
    int k = kind_of(c[0]);
    for (unsigned i = 0; i < wire_n_fields; i++) {
        const struct wire_field *f = &wire_fields[i];
        if (strcmp(f->name, c[1]) == 0 && (f->kinds >> k & 1u)) {
            assert_string_equal(c[2], type_name(f->type));
            assert_true(strlen(c[3]) > 10);
            return;
        }
    }
    fail_msg("docs/protocol.md describes %s.%s, which the code does not have", c[0], c[1]);
}

static void the_document_and_the_code_agree(void **state)
{
    (void)state;
    char *text, *c[8];
    size_t len;
    int n_kinds = 0, n_fields = 0, want = 0;
    assert_int_equal(px_read_file("docs/protocol.md", 1 << 20, &text, &len, NULL), 0);
    for (char *save, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "| `", 3) != 0)
            continue;
        int n = cells(line, c);
        if (n == 6) {
            check_kind(c);
            n_kinds++;
        } else {
            assert_int_equal(n, 4);
            check_field(c);
            n_fields++;
        }
    }
    for (unsigned i = 0; i < wire_n_fields; i++)
        want += __builtin_popcount(wire_fields[i].kinds);
    assert_int_equal(n_kinds, WIRE_N_KINDS - 1);
    assert_int_equal(n_fields, want);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives_the_wire),
        cmocka_unit_test(bare_messages_are_empty_objects),
        cmocka_unit_test(a_missing_or_mistyped_field_is_an_error_with_its_name),
        cmocka_unit_test(another_version_and_reserved_kinds_are_told_apart),
        cmocka_unit_test(packed_bodies_hold_exactly_what_is_announced),
        cmocka_unit_test(the_document_and_the_code_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
