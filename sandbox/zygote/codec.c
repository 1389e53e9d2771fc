/* codec.c - Python objects to the codec's bytes and back. */
#include "sandbox/zygote/codec.h"

#include <string.h>

/* ---- encoding ---- */

struct encoder {
    const struct codec *c;
    struct px_buf *b;
    uint32_t nodes;
    enum codec_result rc;
};

static void encode(struct encoder *e, PyObject *o, int depth);

static void put_text(struct px_buf *b, PyObject *s)
{
    Py_ssize_t n;
    const char *p = PyUnicode_AsUTF8AndSize(s, &n);
    if (p != NULL) {
        px_buf_blob(b, p, (size_t)n);
        return;
    }
    PyErr_Clear(); /* lone surrogates */
    PyObject *bytes = PyUnicode_AsEncodedString(s, "utf-8", "surrogatepass");
    if (bytes != NULL && PyBytes_Check(bytes)) {
        px_buf_blob(b, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    } else {
        PyErr_Clear();
        px_buf_blob(b, "?", 1);
    }
    Py_XDECREF(bytes);
}

static int long_bytes(PyObject *o, unsigned char *out, size_t n)
{
#if PY_VERSION_HEX >= 0x030D0000
    return _PyLong_AsByteArray((PyLongObject *)o, out, n, 1, 1, 0);
#else
    return _PyLong_AsByteArray((PyLongObject *)o, out, n, 1, 1);
#endif
}

static void put_int(struct encoder *e, PyObject *o)
{
    size_t n = _PyLong_NumBits(o) / 8 + 1;
    if (PyErr_Occurred() || n > CODEC_INT_BYTES) {
        PyErr_Clear();
        e->rc = CODEC_TOO_BIG;
        return;
    }
    unsigned char small[64];
    unsigned char *p = n <= sizeof small ? small : PyMem_RawMalloc(n);
    if (p == NULL || long_bytes(o, p, n) != 0) {
        PyErr_Clear();
        e->rc = CODEC_TOO_BIG;
    } else {
        px_buf_u8(e->b, 'i');
        px_buf_blob(e->b, p, n);
    }
    if (p != small)
        PyMem_RawFree(p);
}

static void put_sequence(struct encoder *e, PyObject *o, bool is_list, int depth)
{
    Py_ssize_t n = is_list ? PyList_GET_SIZE(o) : PyTuple_GET_SIZE(o);
    px_buf_u8(e->b, is_list ? 'l' : 't');
    px_buf_u32(e->b, (uint32_t)n);
    for (Py_ssize_t i = 0; i < n && e->rc == CODEC_OK; i++) {
        if (is_list && i >= PyList_GET_SIZE(o)) {
            encode(e, Py_None, depth + 1); /* it shrank while we read: keep the count true */
            continue;
        }
        PyObject *x = is_list ? PyList_GET_ITEM(o, i) : PyTuple_GET_ITEM(o, i);
        Py_INCREF(x);
        encode(e, x, depth + 1);
        Py_DECREF(x);
    }
}

static void put_set(struct encoder *e, PyObject *o, int depth)
{
    /* through a tuple, so that the count and the elements are those of one moment */
    PyObject *it = PySet_Type.tp_iter(o);
    PyObject *all = it == NULL ? NULL : PySequence_List(it);
    Py_XDECREF(it);
    if (all == NULL) {
        PyErr_Clear();
        px_buf_u8(e->b, 'N');
        return;
    }
    px_buf_u8(e->b, PyFrozenSet_Check(o) ? 'z' : 'S');
    px_buf_u32(e->b, (uint32_t)PyList_GET_SIZE(all));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all) && e->rc == CODEC_OK; i++)
        encode(e, PyList_GET_ITEM(all, i), depth + 1);
    Py_DECREF(all);
}

static void put_dict(struct encoder *e, PyObject *o, int depth)
{
    PyObject *items = PyList_New(0);
    PyObject *k, *v;
    Py_ssize_t at = 0;
    while (items != NULL && PyDict_Next(o, &at, &k, &v))
        if (PyList_Append(items, k) != 0 || PyList_Append(items, v) != 0)
            Py_CLEAR(items);
    if (items == NULL) {
        PyErr_Clear();
        e->rc = CODEC_TOO_BIG;
        return;
    }
    px_buf_u8(e->b, 'm');
    px_buf_u32(e->b, (uint32_t)(PyList_GET_SIZE(items) / 2));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items) && e->rc == CODEC_OK; i++)
        encode(e, PyList_GET_ITEM(items, i), depth + 1);
    Py_DECREF(items);
}

static void put_opaque(struct encoder *e, PyObject *o)
{
    int truth = PyObject_IsTrue(o); /* may run the program's own code: it is in its own process */
    if (truth < 0)
        PyErr_Clear();
    px_buf_u8(e->b, 'O');
    px_buf_u8(e->b, truth > 0);
    const char *name = Py_TYPE(o)->tp_name;
    px_buf_blob(e->b, name, strnlen(name, 100));
}

static bool put_plain(struct encoder *e, PyObject *o, int depth)
{
    if (PyBool_Check(o)) {
        px_buf_u8(e->b, o == Py_True ? 'T' : 'F');
    } else if (PyLong_Check(o)) {
        put_int(e, o);
    } else if (PyFloat_Check(o)) {
        px_buf_u8(e->b, 'd');
        px_buf_f64(e->b, PyFloat_AS_DOUBLE(o));
    } else if (PyComplex_Check(o)) {
        Py_complex z = ((PyComplexObject *)o)->cval;
        px_buf_u8(e->b, 'c');
        px_buf_f64(e->b, z.real);
        px_buf_f64(e->b, z.imag);
    } else if (PyUnicode_Check(o)) {
        px_buf_u8(e->b, 's');
        put_text(e->b, o);
    } else if (PyBytes_Check(o)) {
        px_buf_u8(e->b, 'b');
        px_buf_blob(e->b, PyBytes_AS_STRING(o), (size_t)PyBytes_GET_SIZE(o));
    } else if (PyByteArray_Check(o)) {
        px_buf_u8(e->b, 'b');
        px_buf_blob(e->b, PyByteArray_AS_STRING(o), (size_t)PyByteArray_GET_SIZE(o));
    } else if (PyList_Check(o) || PyTuple_Check(o)) {
        put_sequence(e, o, PyList_Check(o), depth);
    } else if (PyDict_Check(o)) {
        put_dict(e, o, depth);
    } else if (PyAnySet_Check(o)) {
        put_set(e, o, depth);
    } else {
        return false;
    }
    return true;
}

static void encode(struct encoder *e, PyObject *o, int depth)
{
    if (e->rc != CODEC_OK)
        return;
    if (depth > CODEC_DEPTH || ++e->nodes > CODEC_NODES) {
        e->rc = CODEC_TOO_DEEP;
        return;
    }
    int64_t id = e->c->handle_of != NULL ? e->c->handle_of(e->c->context, o) : -1;
    if (id >= 0) {
        px_buf_u8(e->b, 'H');
        px_buf_u32(e->b, (uint32_t)id);
    } else if (o == Py_None) {
        px_buf_u8(e->b, 'N');
    } else if (!put_plain(e, o, depth)) {
        put_opaque(e, o);
    }
    if (e->b->overflow)
        e->rc = CODEC_TOO_BIG;
}

enum codec_result codec_encode(const struct codec *c, PyObject *o, struct px_buf *b)
{
    struct encoder e = {.c = c, .b = b, .rc = CODEC_OK};
    encode(&e, o, 0);
    return e.rc;
}

/* ---- decoding; the bytes were scanned, so reads cannot be short ---- */

static PyObject *decode(const struct codec *c, struct px_reader *r);

static PyObject *decode_sequence(const struct codec *c, struct px_reader *r, uint8_t tag)
{
    uint32_t n = px_get_u32(r);
    PyObject *o = tag == 't' ? PyTuple_New((Py_ssize_t)n) : PyList_New((Py_ssize_t)n);
    for (uint32_t i = 0; o != NULL && i < n; i++) {
        PyObject *x = decode(c, r);
        if (x == NULL)
            Py_CLEAR(o);
        else if (tag == 't')
            PyTuple_SET_ITEM(o, (Py_ssize_t)i, x);
        else
            PyList_SET_ITEM(o, (Py_ssize_t)i, x);
    }
    if (o == NULL || tag == 'l' || tag == 't')
        return o;
    PyObject *set = tag == 'S' ? PySet_New(o) : PyFrozenSet_New(o);
    Py_DECREF(o);
    return set;
}

static PyObject *decode_dict(const struct codec *c, struct px_reader *r)
{
    uint32_t n = px_get_u32(r);
    PyObject *o = PyDict_New();
    for (uint32_t i = 0; o != NULL && i < n; i++) {
        PyObject *k = decode(c, r);
        PyObject *v = k == NULL ? NULL : decode(c, r);
        if (v == NULL || PyDict_SetItem(o, k, v) != 0)
            Py_CLEAR(o);
        Py_XDECREF(k);
        Py_XDECREF(v);
    }
    return o;
}

static PyObject *decode_object(const struct codec *c, struct px_reader *r, uint8_t tag)
{
    bool truth = tag == 'O' && px_get_u8(r) == 1;
    uint32_t id = tag == 'O' ? 0 : px_get_u32(r);
    if (tag == 'H' && c->object_of != NULL)
        return c->object_of(c->context, id);
    if (tag == 'H' || (tag == 'O' && c->opaque == NULL)) {
        PyErr_SetString(PyExc_ValueError, "a handle where there are none");
        return NULL;
    }
    uint32_t n;
    const uint8_t *p = px_get_blob(r, &n);
    PyObject *name = PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, "replace");
    if (name == NULL || tag == 'O') {
        PyObject *o = name == NULL ? NULL : c->opaque(c->context, truth, name);
        Py_XDECREF(name);
        return o;
    }
    PyObject *self = c->object_of == NULL ? NULL : c->object_of(c->context, id);
    if (c->object_of == NULL)
        PyErr_SetString(PyExc_ValueError, "a method where there are no handles");
    PyObject *method = self == NULL ? NULL : PyObject_CallMethod(self, "_method", "O", name);
    Py_XDECREF(self);
    Py_DECREF(name);
    return method;
}

static PyObject *decode(const struct codec *c, struct px_reader *r)
{
    uint8_t tag = px_get_u8(r);
    uint32_t n;
    const uint8_t *p;
    switch (tag) {
    case 'T':
        Py_RETURN_TRUE;
    case 'F':
        Py_RETURN_FALSE;
    case 'i':
        p = px_get_blob(r, &n);
        return _PyLong_FromByteArray(p, n, 1, 1);
    case 'd':
        return PyFloat_FromDouble(px_get_f64(r));
    case 'c': {
        double re = px_get_f64(r);
        return PyComplex_FromDoubles(re, px_get_f64(r));
    }
    case 's':
        p = px_get_blob(r, &n);
        return PyUnicode_DecodeUTF8((const char *)p, (Py_ssize_t)n, "surrogatepass");
    case 'b':
        p = px_get_blob(r, &n);
        return PyBytes_FromStringAndSize((const char *)p, (Py_ssize_t)n);
    case 'l':
    case 't':
    case 'S':
    case 'z':
        return decode_sequence(c, r, tag);
    case 'm':
        return decode_dict(c, r);
    case 'O':
    case 'H':
    case 'B':
        return decode_object(c, r, tag);
    default: /* 'N': the scan let nothing else through */
        Py_RETURN_NONE;
    }
}

PyObject *codec_decode(const struct codec *c, const void *p, size_t n)
{
    const char *wrong = codec_scan(p, n);
    if (wrong != NULL) {
        PyErr_SetString(PyExc_ValueError, wrong);
        return NULL;
    }
    struct px_reader r;
    px_reader_init(&r, p, n);
    PyObject *o = decode(c, &r);
    if (o == NULL && !PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear(); /* unhashable keys, bad UTF-8, no memory: one kind of refusal */
        PyErr_SetString(PyExc_ValueError, "a value that cannot be built");
    }
    return o;
}
