/* candidate.c - the fork that holds a model's program: loads it, then serves calls or runs it.
 *
 * Nothing here is trusted once the source has been read: whatever this process answers is an
 * answer, and wrong answers fail. It is in C so that an honest program finds it working whatever
 * it does to the interpreter (recursion limit, sys.modules, streams). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "sandbox/zygote/codec.h"
#include "sandbox/zygote/zygote.h"

#define EXCEPTION_TEXT 300

struct candidate {
    PyObject *globals;  /* of the program's module; borrowed */
    PyObject *module;   /* its name */
    PyObject *kept;     /* list: objects that stay here, by id */
    PyObject *kept_ids; /* dict: address -> id */
};

char *read_source(size_t *n)
{
    struct stat st;
    if (fstat(FD_SOURCE, &st) != 0 || st.st_size < 0)
        return NULL;
    char *p = malloc((size_t)st.st_size + 1);
    size_t at = 0;
    while (p != NULL && at < (size_t)st.st_size) {
        ssize_t k = pread(FD_SOURCE, p + at, (size_t)st.st_size - at, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break;
        at += (size_t)k;
    }
    close(FD_SOURCE);
    if (p == NULL || at != (size_t)st.st_size) {
        free(p);
        return NULL;
    }
    p[at] = '\0';
    *n = at;
    return p;
}

/* b holds FRAME_HEAD free bytes and the body. */
static void send_frame(struct px_buf *b, char kind, uint32_t seq)
{
    px_store_u32(b->data, (uint32_t)(b->len - FRAME_HEAD));
    b->data[4] = (uint8_t)kind;
    px_store_u32(b->data + 5, seq);
    if (!packet_write_all(FD_CHANNEL, b->data, b->len))
        _exit(1);
}

static void open_frame(struct px_buf *b)
{
    static const uint8_t head[FRAME_HEAD];
    px_buf_reset(b);
    px_buf_put(b, head, sizeof head);
}

/* ---- exceptions ---- */

static PyObject *class_names(PyTypeObject *t)
{
    PyObject *names = PyList_New(0);
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(t->tp_mro); i++) {
        PyTypeObject *c = (PyTypeObject *)PyTuple_GET_ITEM(t->tp_mro, i);
        bool own = c->tp_flags & Py_TPFLAGS_HEAPTYPE;
        if (!PyType_Check((PyObject *)c) || (!own && strchr(c->tp_name, '.') != NULL))
            continue;
        PyObject *s = PyUnicode_FromFormat(own ? "@%.100s" : "%.100s", c->tp_name);
        if (s == NULL || PyList_Append(names, s) != 0 || PyList_GET_SIZE(names) >= 32)
            i = PyTuple_GET_SIZE(t->tp_mro);
        Py_XDECREF(s);
    }
    PyErr_Clear();
    return names;
}

/* Takes the current exception and describes it: ([names], text, own name). */
static void put_exception(struct px_buf *b)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *names = type == NULL ? NULL : class_names((PyTypeObject *)type);
    PyObject *text = value == NULL ? NULL : PyObject_Str(value);
    PyErr_Clear();
    PyObject *cut = text == NULL ? NULL : PyUnicode_Substring(text, 0, EXCEPTION_TEXT);
    PyErr_Clear();
    const char *own = type == NULL ? "?" : ((PyTypeObject *)type)->tp_name;
    PyObject *all =
        Py_BuildValue("(OOs)", names != NULL ? names : Py_None, cut != NULL ? cut : Py_None, own);
    PyErr_Clear();
    static const struct codec plain;
    if (all == NULL || codec_encode(&plain, all, b) != CODEC_OK)
        _exit(1);
    Py_XDECREF(all);
    Py_XDECREF(cut);
    Py_XDECREF(text);
    Py_XDECREF(names);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static void send_exception(struct px_buf *b, char kind, uint32_t seq)
{
    open_frame(b);
    put_exception(b);
    send_frame(b, kind, seq);
}

/* ---- objects that stay ---- */

static bool made_by_program(const struct candidate *c, PyObject *o)
{
    PyTypeObject *t = PyType_Check(o) ? (PyTypeObject *)o : Py_TYPE(o);
    if (PyFunction_Check(o) || PyMethod_Check(o) || PyIter_Check(o))
        return true;
    if (!(t->tp_flags & Py_TPFLAGS_HEAPTYPE) || t->tp_dict == NULL)
        return false;
    PyObject *m = PyDict_GetItemString(t->tp_dict, "__module__");
    return m != NULL && PyUnicode_CheckExact(m) && PyUnicode_Compare(m, c->module) == 0;
}

static int64_t keep(struct candidate *c, PyObject *o)
{
    PyObject *key = PyLong_FromVoidPtr(o);
    PyObject *id = key == NULL ? NULL : PyDict_GetItem(c->kept_ids, key);
    int64_t n = id != NULL ? PyLong_AsLongLong(id) : PyList_GET_SIZE(c->kept);
    if (id == NULL) {
        id = PyLong_FromLongLong(n);
        if (key == NULL || id == NULL || PyList_Append(c->kept, o) != 0 ||
            PyDict_SetItem(c->kept_ids, key, id) != 0)
            n = -1;
        Py_XDECREF(id);
    }
    PyErr_Clear();
    Py_XDECREF(key);
    return n;
}

static int64_t handle_of(void *context, PyObject *o)
{
    return made_by_program(context, o) ? keep(context, o) : -1;
}

static PyObject *object_of(void *context, uint32_t id)
{
    struct candidate *c = context;
    PyObject *o = id < (uint64_t)PyList_GET_SIZE(c->kept) ? PyList_GET_ITEM(c->kept, id) : NULL;
    if (o == NULL)
        PyErr_SetString(PyExc_ValueError, "no such object");
    Py_XINCREF(o);
    return o;
}

/* ---- calls ---- */

static PyObject *find(struct candidate *c, PyObject *target)
{
    if (!PyUnicode_CheckExact(target)) {
        Py_INCREF(target);
        return target;
    }
    PyObject *o = PyDict_GetItemWithError(c->globals, target);
    if (o == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_NameError, "name '%U' is not defined", target);
    Py_XINCREF(o);
    return o;
}

static PyObject *call_special(PyObject *o, PyObject *args)
{
    PyObject *f = PyObject_GetAttr((PyObject *)Py_TYPE(o), PyTuple_GET_ITEM(args, 0));
    if (f == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Format(PyExc_TypeError, "'%.100s' object does not support %S", Py_TYPE(o)->tp_name,
                     PyTuple_GET_ITEM(args, 0)); /* as the operator itself would say */
    PyObject *all = PyTuple_New(PyTuple_GET_SIZE(args));
    PyObject *r = NULL;
    if (f != NULL && all != NULL) {
        Py_INCREF(o);
        PyTuple_SET_ITEM(all, 0, o);
        for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(args); i++) {
            Py_INCREF(PyTuple_GET_ITEM(args, i));
            PyTuple_SET_ITEM(all, i, PyTuple_GET_ITEM(args, i));
        }
        r = PyObject_Call(f, all, NULL);
    }
    Py_XDECREF(f);
    Py_XDECREF(all);
    return r;
}

static PyObject *call_method(PyObject *o, PyObject *args, PyObject *kwargs)
{
    PyObject *f = PyObject_GetAttr(o, PyTuple_GET_ITEM(args, 0));
    PyObject *rest = f == NULL ? NULL : PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    PyObject *r = rest == NULL ? NULL : PyObject_Call(f, rest, kwargs);
    Py_XDECREF(f);
    Py_XDECREF(rest);
    return r;
}

/* op: c call, m method, d dunder, g get, s set, h handle on a global, y is it a class,
 * i isinstance, b truth */
static PyObject *perform(struct candidate *c, char op, PyObject *target, PyObject *args,
                         PyObject *kwargs)
{
    PyObject *o = find(c, target), *r = NULL;
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    if (o == NULL)
        return NULL;
    if (op == 'c') {
        r = PyObject_Call(o, args, kwargs);
    } else if (op == 'h') {
        r = o;
        Py_INCREF(r);
    } else if (op == 'y') {
        r = PyBool_FromLong(PyType_Check(o));
    } else if (op == 'b') {
        int is = PyObject_IsTrue(o);
        r = is < 0 ? NULL : PyBool_FromLong(is);
    } else if (n < 1) {
        PyErr_SetString(PyExc_TypeError, "malformed request");
    } else if (op == 'm') {
        r = call_method(o, args, kwargs);
    } else if (op == 'd') {
        r = call_special(o, args);
    } else if (op == 'g') {
        r = PyObject_GetAttr(o, PyTuple_GET_ITEM(args, 0));
    } else if (op == 's' && n == 2) {
        if (PyObject_SetAttr(o, PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1)) == 0) {
            r = Py_None;
            Py_INCREF(r);
        }
    } else if (op == 'i') {
        int is = PyObject_IsInstance(PyTuple_GET_ITEM(args, 0), o);
        r = is < 0 ? NULL : PyBool_FromLong(is);
    } else {
        PyErr_SetString(PyExc_TypeError, "malformed request");
    }
    Py_DECREF(o);
    return r;
}

static void put_result(struct candidate *c, PyObject *r, PyObject *request, bool keeps,
                       struct px_buf *b, uint32_t seq)
{
    struct codec codec = {.context = c, .handle_of = keeps ? handle_of : NULL};
    PyObject *op = PyTuple_GET_ITEM(request, 0), *target = PyTuple_GET_ITEM(request, 1);
    open_frame(b);
    enum codec_result rc = CODEC_OK;
    if (PyUnicode_READ_CHAR(op, 0) == 'g' && PyCallable_Check(r) && !PyType_Check(r) &&
        !PyUnicode_CheckExact(target)) {
        Py_ssize_t n;
        const char *name =
            PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(PyTuple_GET_ITEM(request, 2), 0), &n);
        px_buf_u8(b, 'B');
        px_buf_u32(b, (uint32_t)keep(c, target));
        px_buf_blob(b, name != NULL ? name : "", name != NULL ? (size_t)n : 0);
        PyErr_Clear();
    } else {
        rc = codec_encode(&codec, r, b);
        PyErr_Clear();
    }
    if (rc == CODEC_OK) {
        send_frame(b, FRAME_RESULT, seq);
        return;
    }
    open_frame(b);
    px_buf_u8(b, rc == CODEC_TOO_BIG ? 'b' : 'd');
    send_frame(b, FRAME_UNUSABLE, seq);
}

static PyObject *receive(struct candidate *c, uint32_t *seq)
{
    uint8_t head[FRAME_HEAD];
    if (!packet_read_all(FD_CHANNEL, head, sizeof head))
        _exit(0);
    uint32_t n = px_load_u32(head);
    *seq = px_load_u32(head + 5);
    char *body = n > CODEC_REQUEST_BYTES ? NULL : malloc((size_t)n + 1);
    if (body == NULL || !packet_read_all(FD_CHANNEL, body, n))
        _exit(0);
    struct codec codec = {.context = c, .object_of = object_of};
    PyObject *request = codec_decode(&codec, body, n);
    free(body);
    return request;
}

static _Noreturn void serve_calls(struct candidate *c, struct px_buf *b)
{
    for (;;) {
        uint32_t seq;
        PyObject *request = receive(c, &seq), *op, *target, *args, *kwargs, *r = NULL;
        int keeps = 0;
        if (request != NULL &&
            PyArg_ParseTuple(request, "UOO!O!p", &op, &target, &PyTuple_Type, &args, &PyDict_Type,
                             &kwargs, &keeps) &&
            PyUnicode_GET_LENGTH(op) == 1)
            r = perform(c, (char)PyUnicode_READ_CHAR(op, 0), target, args, kwargs);
        if (r != NULL)
            put_result(c, r, request, keeps != 0, b, seq);
        else
            send_exception(b, FRAME_RAISED, seq);
        PyErr_Clear();
        Py_XDECREF(r);
        Py_XDECREF(request);
    }
}

/* ---- loading ---- */

static PyObject *compile_source(const char *source, size_t n)
{
    PyObject *text = PyUnicode_DecodeUTF8(source, (Py_ssize_t)n, NULL);
    PyObject *compile = PyDict_GetItemString(PyEval_GetBuiltins(), "compile");
    PyObject *code = text == NULL ? NULL
                                  : PyObject_CallFunction(compile, "OssiO", text, "<candidate>",
                                                          "exec", 0, Py_True);
    Py_XDECREF(text);
    return code;
}

static PyObject *make_module(const char *name)
{
    PyObject *m = PyImport_AddModule(name);
    PyObject *d = m == NULL ? NULL : PyModule_GetDict(m);
    if (d == NULL || PyDict_SetItemString(d, "__builtins__", PyEval_GetBuiltins()) != 0)
        _exit(1);
    return d;
}

static void call_quietly(const char *module, const char *function)
{
    PyObject *m = PyImport_ImportModule(module);
    PyObject *r = m == NULL ? NULL : PyObject_CallMethod(m, function, NULL);
    PyErr_Clear();
    Py_XDECREF(r);
    Py_XDECREF(m);
}

static int exit_code(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *code = value == NULL ? NULL : PyObject_GetAttrString(value, "code");
    PyErr_Clear();
    if (code == NULL || code == Py_None)
        return 0;
    if (PyLong_Check(code))
        return (int)(PyLong_AsLongLong(code) & 0xff);
    PyObject *err = PySys_GetObject("stderr");
    if (err != NULL)
        (void)PyFile_WriteObject(code, err, Py_PRINT_RAW);
    PyErr_Clear();
    return 1;
}

/* As the interpreter ends a script: threads, exit handlers, streams. */
static _Noreturn void finish_script(int code)
{
    call_quietly("threading", "_shutdown");
    call_quietly("atexit", "_run_exitfuncs");
    static const char *const streams[] = {"stdout", "stderr"};
    for (size_t i = 0; i < 2; i++) {
        PyObject *s = PySys_GetObject(streams[i]);
        PyObject *r = s == NULL || s == Py_None ? NULL : PyObject_CallMethod(s, "flush", NULL);
        PyErr_Clear();
        Py_XDECREF(r);
    }
    _exit(code);
}

static _Noreturn void run_script(PyObject *globals, PyObject *code, struct px_buf *b)
{
    if (PyEval_EvalCode(code, globals, globals) != NULL)
        finish_script(0);
    if (PyErr_ExceptionMatches(PyExc_SystemExit))
        finish_script(exit_code());
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XINCREF(type);
    Py_XINCREF(value);
    PyErr_Restore(type, value, NULL);
    send_exception(b, FRAME_NOT_LOADED, 0);
    PyErr_Restore(type, value, trace);
    PyErr_Print();
    finish_script(1);
}

_Noreturn void candidate_run(bool script)
{
    size_t n;
    char *source = read_source(&n);
    if (source == NULL)
        _exit(1);
    struct px_buf b;
    px_buf_init(&b, CODEC_ANSWER_BYTES + FRAME_HEAD);
    const char *name = script ? "__main__" : "solution";
    struct candidate c = {.globals = make_module(name),
                          .module = PyUnicode_InternFromString(name),
                          .kept = PyList_New(0),
                          .kept_ids = PyDict_New()};
    PyObject *code = compile_source(source, n);
    free(source);
    if (code == NULL) {
        send_exception(&b, FRAME_NOT_COMPILED, 0);
        _exit(1);
    }
    if (script)
        run_script(c.globals, code, &b);
    PyObject *r = PyEval_EvalCode(code, c.globals, c.globals);
    if (r == NULL) {
        send_exception(&b, FRAME_NOT_LOADED, 0);
        _exit(1);
    }
    open_frame(&b);
    send_frame(&b, FRAME_READY, 0);
    serve_calls(&c, &b);
}
