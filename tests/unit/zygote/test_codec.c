/* test_codec.c - Python values through the codec and back, and bytes that are no message. */
#include "sandbox/zygote/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* The interpreter keeps its own memory until the process ends. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static PyObject *opaque(void *context, bool truth, PyObject *name)
{
    (void)context;
    return Py_BuildValue("(sOO)", "opaque", truth ? Py_True : Py_False, name);
}

static PyObject *object_of(void *context, uint32_t id)
{
    (void)context;
    return Py_BuildValue("(sI)", "handle", (unsigned)id);
}

static const struct codec codec = {.opaque = opaque, .object_of = object_of};

static PyObject *eval(const char *text)
{
    PyObject *globals = PyDict_New();
    PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
    PyObject *o = PyRun_String(text, Py_eval_input, globals, globals);
    if (o == NULL) {
        PyErr_Print();
        fail_msg("%s", text);
    }
    Py_DECREF(globals);
    return o;
}

static const char *repr(PyObject *o)
{
    PyObject *r = PyObject_ASCII(o); /* kept: the program is short */
    return r == NULL ? "?" : PyUnicode_AsUTF8(r);
}

static PyObject *through(const char *text, enum codec_result *rc)
{
    PyObject *o = eval(text);
    struct px_buf b;
    px_buf_init(&b, CODEC_ANSWER_BYTES);
    *rc = codec_encode(&codec, o, &b);
    PyObject *back = *rc == CODEC_OK ? codec_decode(&codec, b.data, b.len) : NULL;
    if (*rc == CODEC_OK && back == NULL)
        PyErr_Print();
    px_buf_clear(&b);
    Py_DECREF(o);
    return back;
}

static void plain_data_comes_back_as_it_was(void **state)
{
    (void)state;
    static const char *const same[] = {"None",
                                       "True",
                                       "False",
                                       "0",
                                       "-1",
                                       "255",
                                       "-128",
                                       "2**64",
                                       "-2**64",
                                       "10**1000",
                                       "0.1",
                                       "-0.0",
                                       "float('inf')",
                                       "5e-324",
                                       "1j",
                                       "'h\\u00e9\\U0001f600\\x00'",
                                       "'\\ud800'",
                                       "b'\\x00\\xff'",
                                       "[1, [2, (3,)], {}]",
                                       "(1, 'a')",
                                       "{1, 2}",
                                       "frozenset([1])",
                                       "{'b': 1, 'a': {2: (3,)}}",
                                       "[[]] * 3",
                                       "set()",
                                       "()"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        enum codec_result rc;
        PyObject *back = through(same[i], &rc), *o = eval(same[i]);
        assert_int_equal(rc, CODEC_OK);
        assert_non_null(back);
        assert_string_equal(repr(back), repr(o));
        Py_DECREF(o);
        Py_DECREF(back);
    }
}

static void subclasses_become_their_base(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"__import__('collections').Counter('aab')", "{'a': 2, 'b': 1}"},
        {"__import__('collections').namedtuple('P', 'x')(1)", "(1,)"},
        {"type('I', (int,), {'__eq__': lambda s, o: True, '__hash__': None})(7)", "7"},
        {"type('F', (float,), {'__float__': lambda s: 0.0})(2.5)", "2.5"},
        {"type('S', (str,), {'encode': None})('x')", "'x'"},
        {"type('L', (list,), {'__iter__': None, '__len__': lambda s: 9})([1])", "[1]"},
        {"bytearray(b'ab')", "b'ab'"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        enum codec_result rc;
        PyObject *back = through(pairs[i][0], &rc);
        assert_int_equal(rc, CODEC_OK);
        assert_string_equal(repr(back), pairs[i][1]);
        Py_DECREF(back);
    }
}

static void what_is_no_data_has_only_a_truth(void **state)
{
    (void)state;
    enum codec_result rc;
    PyObject *back =
        through("[object(), iter([]), type('Z', (), {'__bool__': lambda s: 1/0})()]", &rc);
    assert_int_equal(rc, CODEC_OK);
    assert_string_equal(repr(back),
                        "[('opaque', True, 'object'), ('opaque', True, 'list_iterator'), "
                        "('opaque', False, 'Z')]");
    Py_DECREF(back);
}

static void monsters_are_refused_when_sent(void **state)
{
    (void)state;
    enum codec_result rc;
    assert_null(through("1 << (8 << 21)", &rc));
    assert_int_equal(rc, CODEC_TOO_BIG);
    assert_null(through("'x' * (25 << 20)", &rc));
    assert_int_equal(rc, CODEC_TOO_BIG);
    assert_null(through("(lambda l: l.append(l) or l)([])", &rc));
    assert_int_equal(rc, CODEC_TOO_DEEP);
    assert_null(through("[0] * 3100000", &rc));
    assert_int_equal(rc, CODEC_TOO_DEEP);
}

static void refused(const char *bytes, size_t n)
{
    PyObject *o = codec_decode(&codec, bytes, n);
    assert_null(o);
    assert_true(PyErr_ExceptionMatches(PyExc_ValueError));
    PyErr_Clear();
}

static void bytes_that_are_no_message_are_refused(void **state)
{
    (void)state;
    refused("", 0);
    refused("x", 1);
    refused("NN", 2);
    refused("l\xff\xff\xff\xff", 5);
    refused("i\x01\x00\x00\x00", 5);
    refused("s\x01\x00\x00\x00\xff", 6);        /* not UTF-8 */
    refused("m\x01\x00\x00\x00l\0\0\0\0N", 11); /* a list as a key */
    refused("S\x01\x00\x00\x00l\0\0\0\0", 10);  /* and in a set */
    char deep[5 * 300 + 1];
    for (size_t i = 0; i < 300; i++)
        memcpy(deep + 5 * i, "l\x01\x00\x00\x00", 5);
    deep[1500] = 'N';
    refused(deep, sizeof deep);
    static const struct codec plain;
    assert_null(codec_decode(&plain, "H\0\0\0\0", 5)); /* handles where there are none */
    PyErr_Clear();
    assert_null(codec_decode(&plain, "O1\x01\0\0\0x", 7));
    PyErr_Clear();
}

static void random_bytes_give_a_value_or_an_error(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ull;
    static const char tags[] = "NTFidcsbltSzmOHB\0\1\2\3";
    for (int round = 0; round < 20000; round++) {
        char bytes[64];
        size_t n = 0;
        do {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[n++] = x % 3 == 0 ? (char)(x >> 32) : tags[(x >> 16) % (sizeof tags - 1)];
        } while (n < sizeof bytes && x % 31 != 0);
        PyObject *o = codec_decode(&codec, bytes, n);
        assert_true((o == NULL) == (PyErr_Occurred() != NULL));
        assert_true(o == NULL || codec_scan(bytes, n) == NULL);
        PyErr_Clear();
        Py_XDECREF(o);
    }
}

int main(void)
{
    Py_InitializeEx(0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_data_comes_back_as_it_was),
                                       cmocka_unit_test(subclasses_become_their_base),
                                       cmocka_unit_test(what_is_no_data_has_only_a_truth),
                                       cmocka_unit_test(monsters_are_refused_when_sent),
                                       cmocka_unit_test(bytes_that_are_no_message_are_refused),
                                       cmocka_unit_test(random_bytes_give_a_value_or_an_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
