/* interpreter.c - the embedded interpreter: isolated, reproducible, warm.
 *
 * PROCTOR_PYTHON_STDLIB, the directory of its library, comes from the Makefile. */
#include <string.h>
#include <wchar.h>

#include "sandbox/zygote/zygote.h"

/* What programs of the usual benchmarks import; each costs every fork some pages. */
static const char *const warm[] = {
    "math",   "cmath",     "re",         "collections", "heapq",    "itertools",  "functools",
    "typing", "string",    "random",     "copy",        "operator", "bisect",     "hashlib",
    "json",   "datetime",  "decimal",    "fractions",   "array",    "statistics", "queue",
    "enum",   "threading", "contextlib", "dataclasses", "struct",   "io",         "time",
    "os",     "sys",       "traceback",  "ast",         "types",    "warnings",   "atexit"};

const char *interpreter_stdlib(void)
{
    return PROCTOR_PYTHON_STDLIB;
}

const char *interpreter_version(void)
{
    static char text[32];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(Py_GetVersion(), " "), Py_GetVersion());
    return text;
}

void interpreter_import(const char *module)
{
    PyObject *m = PyImport_ImportModule(module);
    if (m == NULL)
        PyErr_Clear();
    Py_XDECREF(m);
}

static PyStatus configure(PyConfig *c)
{
    static wchar_t script[] = L"main.py";
    static wchar_t *argv[] = {script};
    PyConfig_InitIsolatedConfig(c);
    c->site_import = 0;
    c->install_signal_handlers = 0;
    c->use_hash_seed = 1;
    c->hash_seed = 0;
    c->write_bytecode = 0;
    c->pathconfig_warnings = 0;
    c->code_debug_ranges = 0;
    c->parse_argv = 0;
    c->module_search_paths_set = 1;
    wchar_t lib[1024], dyn[1100];
    swprintf(lib, 1024, L"%s", PROCTOR_PYTHON_STDLIB);
    swprintf(dyn, 1100, L"%s/lib-dynload", PROCTOR_PYTHON_STDLIB);
    PyStatus s = PyWideStringList_Append(&c->module_search_paths, lib);
    if (!PyStatus_Exception(s))
        s = PyWideStringList_Append(&c->module_search_paths, dyn);
    wchar_t **places[] = {&c->prefix, &c->exec_prefix, &c->base_prefix, &c->base_exec_prefix,
                          &c->home};
    for (size_t i = 0; !PyStatus_Exception(s) && i < sizeof places / sizeof places[0]; i++)
        s = PyConfig_SetString(c, places[i], L"/usr");
    if (!PyStatus_Exception(s))
        s = PyConfig_SetString(c, &c->executable, L"");
    if (!PyStatus_Exception(s))
        s = PyConfig_SetWideStringList(c, &c->argv, 1, argv);
    return s;
}

const char *interpreter_start(void)
{
    PyPreConfig pre;
    PyPreConfig_InitIsolatedConfig(&pre);
    pre.utf8_mode = 1;
    PyStatus s = Py_PreInitialize(&pre);
    if (PyStatus_Exception(s))
        return "the interpreter cannot be initialised";
    if (PyImport_AppendInittab("_proctor", tests_module_init) != 0)
        return "the interpreter has no room for a module";
    PyConfig c;
    s = configure(&c);
    if (!PyStatus_Exception(s))
        s = Py_InitializeFromConfig(&c);
    PyConfig_Clear(&c);
    if (PyStatus_Exception(s))
        return s.err_msg != NULL ? s.err_msg : "the interpreter cannot start";
    for (size_t i = 0; i < sizeof warm / sizeof warm[0]; i++)
        interpreter_import(warm[i]);
    /* compile and run once, so that forks find these paths touched */
    if (PyRun_SimpleString("import gc\nexec(compile('def f(x):\\n    return [x]\\nf(1)', 'w', "
                           "'exec'), {})\ngc.collect()\ngc.freeze()") != 0)
        return "the interpreter cannot run a line of Python";
    return NULL;
}

void interpreter_after_fork(void)
{
    PyOS_AfterFork_Child();
    /* the module's generator was seeded anew by its fork hook: make it the same in every run */
    PyObject *random = PyImport_ImportModule("random");
    PyObject *r = random == NULL ? NULL : PyObject_CallMethod(random, "seed", "i", 0);
    PyErr_Clear();
    Py_XDECREF(r);
    Py_XDECREF(random);
}
