/* py_json.c - Python's indented JSON. */
#include "coordinator/recorded/py_json.h"

#include <string.h>

static void put_string(struct px_buf *b, const char *s, size_t n)
{
    static const char names[][2] = {{'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\b', 'b'},
                                    {'\f', 'f'}, {'"', '"'},  {'\\', '\\'}};
    px_buf_char(b, '"');
    for (size_t i = 0; i < n; i++) {
        char name = 0;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (names[k][0] == s[i])
                name = names[k][1];
        if (name) {
            px_buf_char(b, '\\');
            px_buf_char(b, name);
        } else if ((unsigned char)s[i] < 0x20) {
            px_buf_printf(b, "\\u%04x", (unsigned char)s[i]);
        } else {
            px_buf_char(b, s[i]);
        }
    }
    px_buf_char(b, '"');
}

static void line(struct px_buf *b, unsigned depth)
{
    px_buf_char(b, '\n');
    for (unsigned i = 0; i < 2 * depth; i++)
        px_buf_char(b, ' ');
}

static void dump(struct json_object *v, unsigned depth, struct px_buf *b)
{
    size_t n = 0;
    if (json_object_is_type(v, json_type_string)) {
        put_string(b, json_object_get_string(v), (size_t)json_object_get_string_len(v));
    } else if (json_object_is_type(v, json_type_array) && json_object_array_length(v)) {
        px_buf_char(b, '[');
        for (; n < json_object_array_length(v); n++) {
            if (n)
                px_buf_char(b, ',');
            line(b, depth + 1);
            dump(json_object_array_get_idx(v, n), depth + 1, b);
        }
        line(b, depth);
        px_buf_char(b, ']');
    } else if (json_object_is_type(v, json_type_object) && json_object_object_length(v)) {
        px_buf_char(b, '{');
        json_object_object_foreach(v, key, value)
        {
            if (n++)
                px_buf_char(b, ',');
            line(b, depth + 1);
            put_string(b, key, strlen(key));
            px_buf_str(b, ": ");
            dump(value, depth + 1, b);
        }
        line(b, depth);
        px_buf_char(b, '}');
    } else if (json_object_is_type(v, json_type_array)) {
        px_buf_str(b, "[]");
    } else if (json_object_is_type(v, json_type_object)) {
        px_buf_str(b, "{}");
    } else {
        px_buf_str(b, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
    }
}

void py_json_dumps(struct json_object *v, struct px_buf *out)
{
    dump(v, 0, out);
}
