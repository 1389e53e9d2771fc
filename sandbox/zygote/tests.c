/* tests.c - the fork that holds the tests: the Python module _proctor under harness.py.
 *
 * It calls the candidate over the call channel, takes back plain data and writes one record on
 * the verdict pipe. What comes over the channel is hostile: frames are bounded, values go through
 * the codec, everything else ends the run against the candidate. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/buf.h"
#include "sandbox/record.h"
#include "sandbox/zygote/codec.h"
#include "sandbox/zygote/zygote.h"

static struct {
    uint32_t seq;
    PyObject *make_handle; /* harness: id -> object */
    PyObject *opaque;      /* harness: (truth, name) -> object */
} state;

struct handle {
    PyObject_HEAD uint32_t id;
};

static int handle_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    unsigned id;
    if (kwargs != NULL || !PyArg_ParseTuple(args, "I", &id))
        return -1;
    ((struct handle *)self)->id = id;
    return 0;
}

static PyTypeObject handle_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_proctor.Handle",
    .tp_basicsize = sizeof(struct handle),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
    .tp_init = handle_init,
    .tp_doc = "An object that lives in the candidate's process.",
};

static int64_t handle_of(void *context, PyObject *o)
{
    (void)context;
    return PyObject_TypeCheck(o, &handle_type) ? (int64_t)((struct handle *)o)->id : -1;
}

static PyObject *object_of(void *context, uint32_t id)
{
    (void)context;
    return PyObject_CallFunction(state.make_handle, "I", (unsigned)id);
}

static PyObject *opaque_of(void *context, bool truth, PyObject *name)
{
    (void)context;
    return PyObject_CallFunction(state.opaque, "OO", truth ? Py_True : Py_False, name);
}

static const struct codec codec = {NULL, handle_of, object_of, opaque_of};

static _Noreturn void write_record(const struct record *r)
{
    struct px_buf b;
    px_buf_init(&b, RECORD_BYTES);
    record_encode(r, &b);
    _exit(packet_write_all(FD_VERDICT, b.data, b.len) ? 0 : 1);
}

static _Noreturn void end(enum record_class class, const char *detail)
{
    struct record r = {.class = class, .calls = state.seq};
    snprintf(r.detail, sizeof r.detail, "%s", detail);
    write_record(&r);
}

/* One frame of the candidate. The body is owned (malloc). */
static uint8_t receive(uint32_t seq, char **body, uint32_t *n)
{
    uint8_t head[FRAME_HEAD];
    if (!packet_read_all(FD_CHANNEL, head, sizeof head))
        end(RECORD_DIED, "the program's process ended");
    *n = px_load_u32(head);
    if (*n > CODEC_ANSWER_BYTES || px_load_u32(head + 5) != seq)
        end(RECORD_PROTOCOL, "the program wrote on its call channel");
    *body = malloc((size_t)*n + 1);
    if (*body == NULL)
        end(RECORD_OUTPUT, "a result that does not fit into memory");
    if (!packet_read_all(FD_CHANNEL, *body, *n))
        end(RECORD_DIED, "the program's process ended inside an answer");
    return head[4];
}

static PyObject *decode(const char *body, uint32_t n)
{
    PyObject *o = codec_decode(&codec, body, n);
    if (o == NULL) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        const char *text = value != NULL && PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : NULL;
        end(RECORD_PROTOCOL, text != NULL ? text : "an unusable answer");
    }
    return o;
}

static void mark(const char *what)
{
    if (!packet_write_all(FD_VERDICT, what, 1))
        _exit(1);
}

/* begin(later) -> (kind, value): how the candidate's module began. With later, a beginning without
 * an exception, of which nothing but its kind is looked at, is marked by heard(). */
static PyObject *m_begin(PyObject *self, PyObject *later)
{
    (void)self;
    char *body;
    uint32_t n;
    uint8_t kind = receive(0, &body, &n);
    if (kind != FRAME_READY || later != Py_True)
        mark("M");
    if (kind != FRAME_READY && kind != FRAME_NOT_COMPILED && kind != FRAME_NOT_LOADED)
        end(RECORD_PROTOCOL, "the program wrote on its call channel");
    PyObject *value = kind == FRAME_READY ? Py_None : decode(body, n);
    free(body);
    return Py_BuildValue("(CO)", (int)kind, value);
}

/* heard(): from now on it is the candidate's results that the tests work on. */
static PyObject *m_heard(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    mark("M");
    Py_RETURN_NONE;
}

/* first_passed(): the first of two sets of tests was passed. */
static PyObject *m_first_passed(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    mark("B");
    Py_RETURN_NONE;
}

/* rpc(op, target, args, kwargs, keep) -> (kind, value) */
static PyObject *m_rpc(PyObject *self, PyObject *args)
{
    (void)self;
    struct px_buf b;
    px_buf_init(&b, CODEC_REQUEST_BYTES);
    static const uint8_t head[FRAME_HEAD];
    px_buf_put(&b, head, sizeof head);
    if (codec_encode(&codec, args, &b) != CODEC_OK) {
        px_buf_clear(&b);
        PyErr_SetString(PyExc_RuntimeError, "the test's arguments are too large to be sent");
        return NULL;
    }
    uint32_t seq = ++state.seq;
    px_store_u32(b.data, (uint32_t)(b.len - FRAME_HEAD));
    b.data[4] = FRAME_CALL;
    px_store_u32(b.data + 5, seq);
    if (!packet_write_all(FD_CHANNEL, b.data, b.len))
        end(RECORD_DIED, "the program's process ended");
    px_buf_clear(&b);
    char *body;
    uint32_t n;
    uint8_t kind = receive(seq, &body, &n);
    if (kind == FRAME_UNUSABLE)
        end(n == 1 && body[0] == 'b' ? RECORD_OUTPUT : RECORD_WRONG_ANSWER,
            n == 1 && body[0] == 'b' ? "a result that is too large"
                                     : "a result that is too deep or has too many parts");
    if (kind != FRAME_RESULT && kind != FRAME_RAISED)
        end(RECORD_PROTOCOL, "the program wrote on its call channel");
    PyObject *value = decode(body, n);
    free(body);
    return Py_BuildValue("(CN)", (int)kind, value);
}

/* finish(class, exception, detail): writes the record and ends the process. */
static PyObject *m_finish(PyObject *self, PyObject *args)
{
    (void)self;
    int class;
    const char *exception, *detail;
    Py_ssize_t n_exception, n_detail;
    if (!PyArg_ParseTuple(args, "is#s#", &class, &exception, &n_exception, &detail, &n_detail))
        end(RECORD_WRONG_ANSWER, "an outcome that cannot be written down");
    struct record r = {.class = (enum record_class) class, .calls = state.seq};
    snprintf(r.exception, sizeof r.exception, "%.*s", (int)n_exception, exception);
    snprintf(r.detail, sizeof r.detail, "%.*s", (int)n_detail, detail);
    write_record(&r);
}

static PyObject *m_setup(PyObject *self, PyObject *args)
{
    (void)self;
    if (!PyArg_ParseTuple(args, "OO", &state.make_handle, &state.opaque))
        return NULL;
    Py_INCREF(state.make_handle);
    Py_INCREF(state.opaque);
    Py_RETURN_NONE;
}

static PyObject *m_identity(PyObject *self, PyObject *o)
{
    (void)self;
    if (!PyObject_TypeCheck(o, &handle_type)) {
        PyErr_SetString(PyExc_TypeError, "not a handle");
        return NULL;
    }
    return PyLong_FromUnsignedLong(((struct handle *)o)->id);
}

PyObject *tests_module_init(void)
{
    static PyMethodDef methods[] = {{"begin", m_begin, METH_O, "How the candidate began."},
                                    {"heard", m_heard, METH_NOARGS, "Results are next."},
                                    {"first_passed", m_first_passed, METH_NOARGS, "Halfway."},
                                    {"rpc", m_rpc, METH_VARARGS, "One call of the candidate."},
                                    {"finish", m_finish, METH_VARARGS, "The verdict."},
                                    {"setup", m_setup, METH_VARARGS, "What stands for objects."},
                                    {"identity", m_identity, METH_O, "The id of a handle."},
                                    {NULL, NULL, 0, NULL}};
    static struct PyModuleDef def = {PyModuleDef_HEAD_INIT,
                                     "_proctor",
                                     "The tests' side of a split run.",
                                     -1,
                                     methods,
                                     NULL,
                                     NULL,
                                     NULL,
                                     NULL};
    if (PyType_Ready(&handle_type) != 0)
        return NULL;
    PyObject *m = PyModule_Create(&def);
    if (m != NULL && PyModule_AddObjectRef(m, "Handle", (PyObject *)&handle_type) != 0)
        Py_CLEAR(m);
    for (int i = 0; m != NULL && i < RECORD_CLASSES; i++) {
        static const char *const names[RECORD_CLASSES] = {
            "NONE",          "PASSED",        "FAILED_ASSERTION", "WRONG_ANSWER",
            "COMPILE_ERROR", "RUNTIME_ERROR", "MEMORY",           "OUTPUT",
            "DIED",          "PROTOCOL",      "BAD_TASK"};
        if (PyModule_AddIntConstant(m, names[i], i) != 0)
            Py_CLEAR(m);
    }
    return m;
}

/* ---- the harness: Python source that the build turned into an array ---- */

extern const unsigned char harness_py[];
extern const unsigned harness_py_len;

static PyObject *harness; /* its module dictionary */

void tests_prepare(void)
{
    if (harness != NULL)
        return;
    PyObject *text = PyUnicode_DecodeUTF8((const char *)harness_py, harness_py_len, NULL);
    const char *s = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    PyObject *code = s == NULL ? NULL : Py_CompileString(s, "<harness>", Py_file_input);
    PyObject *m = code == NULL ? NULL : PyImport_ExecCodeModule("_harness", code);
    if (m == NULL) {
        PyErr_Clear();
    } else {
        harness = PyModule_GetDict(m);
    }
    Py_XDECREF(code);
    Py_XDECREF(text);
}

_Noreturn void tests_run(void)
{
    size_t n;
    char *task = read_source(&n);
    PyObject *f = harness == NULL ? NULL : PyDict_GetItemString(harness, "main");
    if (task == NULL || f == NULL)
        _exit(1);
    PyObject *r = PyObject_CallFunction(f, "y#", task, (Py_ssize_t)n);
    (void)r; /* main ends in finish(); to come here is to have failed */
    end(RECORD_WRONG_ANSWER, "the tests ended without an outcome");
}
