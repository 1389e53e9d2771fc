"""The tests' side of a split run: the candidate's functions are proxies that send plain data.

Runs in a process of its own, without the candidate's source. Everything that comes back from the
candidate is plain data, a handle or an opaque object that equals nothing. The outcome leaves
through _proctor.finish, which ends the process.
"""
import _proctor as P
import ast
import builtins
import copy
import importlib
import json
import math
import random
import sys


class CandidateError(Exception):
    """Raised in the tests for exceptions that the tests' own classes do not cover."""


class Opaque:
    """A result that is not data: it has a truth value and equals nothing."""

    __slots__ = ("_truth", "_name")

    def __init__(self, truth, name):
        self._truth, self._name = truth, name

    def __bool__(self):
        return self._truth

    def __eq__(self, other):
        return self is other

    def __repr__(self):
        return "<object of type %s>" % self._name

    __hash__ = None


WHERE = [""]  # the test that is running, for the outcome's detail
RAISED = []  # exceptions that came from the candidate, the latest last
LOCAL = {}  # exception classes of the candidate that the tests name
HANDLES = {}


def rpc(op, target, args, kwargs, keep):
    kind, value = P.rpc(op, target, args, kwargs, keep)
    if kind == "R":
        return value
    raise_candidate(value)


def usable(value):
    return (
        type(value) is tuple
        and len(value) == 3
        and type(value[0]) is list
        and all(type(n) is str for n in value[0])
        and type(value[2]) is str
    )


def raise_candidate(value):
    if not usable(value):
        P.finish(P.PROTOCOL, "", "an unusable exception")
    names, text, own = value
    text = text if type(text) is str else ""
    error = None
    for n in names:
        c = LOCAL.get(n[1:]) if n[:1] == "@" else getattr(builtins, n, None)
        if not (isinstance(c, type) and issubclass(c, Exception)) or c is Exception:
            continue
        try:
            error = c(text)
            break
        except TypeError:  # UnicodeDecodeError wants five arguments; its base does not
            continue
    if error is None:
        error = CandidateError("%s: %s" % (own, text))
    RAISED.append((error, own, text))
    del RAISED[:-64]
    raise error


def proxy(name, keep=False):
    def call(*args, **kwargs):
        return rpc("c", name, args, kwargs, keep)

    call.__name__ = call.__qualname__ = name
    return call


# ---- objects that stay with the candidate ----


class Object(P.Handle):
    __slots__ = ()

    def _method(self, name):
        def call(*args, **kwargs):
            return rpc("m", self, (name,) + args, kwargs, True)

        return call

    def __call__(self, *args, **kwargs):
        return rpc("c", self, args, kwargs, True)

    def __getattr__(self, name):
        return rpc("g", self, (name,), {}, True)

    def __setattr__(self, name, value):
        rpc("s", self, (name, value), {}, False)

    def __instancecheck__(self, other):
        return isinstance(other, Object) and rpc("i", self, (other,), {}, False) is True

    def __eq__(self, other):  # between two objects of the candidate only, never against data
        return self._between("__eq__", other)

    def __ne__(self, other):
        return self._between("__ne__", other)

    def __lt__(self, other):
        return self._between("__lt__", other)

    def __le__(self, other):
        return self._between("__le__", other)

    def __gt__(self, other):
        return self._between("__gt__", other)

    def __ge__(self, other):
        return self._between("__ge__", other)

    def _between(self, name, other):
        if isinstance(other, Object):
            r = rpc("d", self, (name, other), {}, False)
            return NotImplemented if type(r) is Opaque else r
        return NotImplemented

    def __bool__(self):
        return rpc("b", self, (), {}, False) is True

    __hash__ = None


def special(name):
    def call(self, *args):
        return rpc("d", self, (name,) + args, {}, True)

    call.__name__ = name
    return call


for _name in (
    "__len__ __iter__ __next__ __getitem__ __setitem__ __delitem__ __contains__ __str__ __repr__ "
    "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __floordiv__ __mod__ __pow__ "
    "__neg__ __abs__ __int__ __float__ __index__ __iadd__ __enter__ __exit__ __reversed__"
).split():
    setattr(Object, _name, special(_name))


def make_handle(i):
    h = HANDLES.get(i)
    if h is None:
        h = HANDLES[i] = Object(i)
    return h


P.setup(make_handle, Opaque)


# ---- binding ----


def is_exception(node, known):
    for b in node.bases:
        n = b.id if isinstance(b, ast.Name) else ""
        c = getattr(builtins, n, None)
        if n in known or (isinstance(c, type) and issubclass(c, BaseException)):
            return True
    return False


def bind_reference(source, ns):
    """Every top-level function and class of the reference solution becomes a proxy.

    Its imports are made here too: tests written beside it use them.
    """
    for node in ast.parse(source).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            try:
                exec(compile(ast.Module([node], []), "<imports>", "exec"), ns)
            except ImportError:
                pass
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            ns[node.name] = proxy(node.name)
        elif isinstance(node, ast.ClassDef) and is_exception(node, LOCAL):
            ns[node.name] = LOCAL[node.name] = type(node.name, (Exception,), {})
        elif isinstance(node, ast.ClassDef):
            ns[node.name] = rpc("h", node.name, (), {}, True)


def bind_called(tests, ns):
    """The names that the tests call or read and nobody else defines come from the program.

    When they call nothing but built-in functions, the first one that they call is meant.
    """
    called, read, bound = [], set(), set()
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.append(node.func.id)
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update((a.asname or a.name).split(".")[0] for a in node.names)
    wanted = sorted(n for n in read - bound if not hasattr(builtins, n))
    if called and not set(wanted) & set(called):
        wanted.append(called[0])
    for n in wanted:
        if n not in called:
            ns[n] = borrowed(n)
        elif rpc("y", n, (), {}, False) is True:
            ns[n] = rpc("h", n, (), {}, True)
        else:
            ns[n] = proxy(n)


def borrowed(name):
    """A global of the program that the tests read: a module is the tests' own copy of it."""
    value = rpc("h", name, (), {}, True)
    if isinstance(value, Opaque) and name in sys.stdlib_module_names:
        return importlib.import_module(name)
    return value


def run_prompt(source, ns):
    """Helpers that the prompt defines belong to the tests: redefining them gains nothing."""
    for text in (source + "    pass\n", source):
        try:
            code = compile(text, "<prompt>", "exec")
        except SyntaxError:
            continue
        exec(code, ns)
        return


def plain(value):
    """As JSON would have it: tuples are lists, at any depth."""
    if type(value) in (list, tuple):
        return [plain(v) for v in value]
    if type(value) is dict:
        return {k: plain(v) for k, v in value.items()}
    return value


# ---- kinds of tests; they return normally when everything passed ----


class Wrong(Exception):
    """A result that is data and differs."""


def humaneval(p):
    ns = {"__name__": "tests"}
    run_prompt(p["prompt"], ns)
    f = ns[p["entry_point"]] = proxy(p["entry_point"])
    exec(compile(p["test"], "<tests>", "exec"), ns)
    ns["check"](f)


def mbpp(p):
    ns = {"__name__": "tests"}
    setup = p.get("test_setup_code") or ""
    bind_called("\n".join([setup] + p["test_list"]), ns)
    WHERE[0] = "setup"
    exec(compile(setup, "<setup>", "exec"), ns)
    for i, test in enumerate(p["test_list"]):
        WHERE[0] = "test %d" % (i + 1)
        exec(compile(test, "<tests>", "exec"), ns)


def calls(p):
    f = proxy(p["entry_point"])
    for i, c in enumerate(p["calls"]):
        got = plain(f(*c["args"], **c.get("kwargs", {})))
        if isinstance(got, Opaque) or not got == c["expect"]:
            raise Wrong("call %d gave %.200r" % (i, got))


def deep_tuple(value):
    return tuple(map(deep_tuple, value)) if isinstance(value, list) else value


def is_floats(value):
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(isinstance(v, float) for v in value)
    return isinstance(value, float)


def near(got, want, atol):
    """Within atol + 1e-7 |want|, at any depth of lists; an infinity is near itself only."""
    if isinstance(want, (list, tuple)):
        same = isinstance(got, (list, tuple)) and len(got) == len(want)
        return same and all(near(g, w, atol) for g, w in zip(got, want))
    if not isinstance(got, (int, float, complex)) or not isinstance(want, (int, float, complex)):
        return False
    try:
        room = atol + 1e-7 * abs(want)
        return got == want or (abs(got - want) <= room and room < math.inf)
    except OverflowError:
        return False


class Reference:
    """What a reference solution makes of two lists of inputs: EvalPlus's tests and its rules.

    What fails here is the task's fault.
    """

    def __init__(self, p):
        ns = {"__name__": "reference"}
        exec(compile(p["reference"], "<reference>", "exec"), ns)
        self.entry_point, f = p["entry_point"], ns[p["entry_point"]]
        self.atol = p.get("atol") or 0
        self.helpers = {"deep_tuple": deep_tuple, "math": math}
        self.accept = self.expression(p, "accept")
        read = self.expression(p, "arguments")
        self.sets = []
        for name in ("base", "plus"):
            rows = []
            skip = p.get(name + "_skip") or []
            for i, a in enumerate(p[name + "_input"] or []):
                if i in skip:
                    continue
                WHERE[0] = "the reference solution fails on %s input %d" % (name, i)
                args = eval(read, dict(self.helpers, a=a)) if read else a
                rows.append((i, args, f(*copy.deepcopy(args))))
            self.sets.append((name, rows))
        WHERE[0] = ""

    @staticmethod
    def expression(p, key):
        return compile(p[key], "<%s>" % key, "eval") if p.get(key) else None

    def equal(self, args, got, want, atol):
        def close(got, want):
            return atol != 0 and type(got) is type(want) and near(got, want, atol)

        if self.accept is None:
            return got == want or close(got, want)
        names = dict(self.helpers, args=args, got=got, want=want, atol=self.atol, close=close)
        try:
            return bool(eval(self.accept, names))
        except Exception as e:
            if RAISED and RAISED[-1][0] is e:
                raise
            return False  # not of a type that the rule can work on


def made(p):
    """The reference solution's results, before anything that the program returns is looked at."""
    try:
        reference = Reference(p)
    except BaseException as e:
        send(P.BAD_TASK, "", text_of(e))
    P.heard()
    return reference


def evalplus(p):
    reference = p["reference made"]
    f = proxy(reference.entry_point, reference.accept is not None)
    for name, rows in reference.sets:
        atol = reference.atol
        for i, args, want in rows:
            WHERE[0] = "%s input %d" % (name, i)
            got = f(*args)
            if atol == 0 and is_floats(want):
                atol = 1e-6  # and it stays so for the rest of the set, as in EvalPlus
            if not reference.equal(args, got, want, atol):
                raise Wrong("gave %.100r, not %.100r" % (got, want))
        if name == "base":
            P.first_passed()


def unit(p):
    import types
    import unittest

    m = types.ModuleType("tests")
    bind_reference(p["reference"], m.__dict__)
    exec(compile(p["test"], "<tests>", "exec"), m.__dict__)
    suite = unittest.defaultTestLoader.loadTestsFromModule(m)
    n = suite.countTestCases()
    result = unittest.TestResult()
    blame = []
    result.addError = lambda t, e: (blame.append(e[1]), unittest.TestResult.addError(result, t, e))
    suite.run(result)
    for e in blame:
        for error, own, text in RAISED:
            if e is error:
                ended(error)
    broken = result.failures + result.errors
    if broken:
        raise AssertionError(broken[0][1].strip().split("\n")[-1])
    if n == 0 or result.testsRun != n or result.skipped or result.expectedFailures:
        raise AssertionError("%d of %d tests ran to their end" % (result.testsRun, n))
    if not result.wasSuccessful():
        raise AssertionError("tests succeeded unexpectedly")


KINDS = {
    "humaneval": humaneval,
    "mbpp": mbpp,
    "calls": calls,
    "evalplus": evalplus,
    "unittest": unit,
}


def text_of(error):
    try:
        return "%s: %s" % (type(error).__name__, error)
    except Exception:
        return type(error).__name__


def send(kind, exception, detail):
    if WHERE[0]:
        detail = "%s: %s" % (WHERE[0], detail)
    P.finish(kind, exception, detail.encode("utf-8", "replace").decode())


def ended(error):
    """The tests ended by an exception: whose is it?"""
    for known, own, text in RAISED:
        if known is error:
            kind = P.MEMORY if isinstance(error, MemoryError) else P.RUNTIME_ERROR
            send(kind, own, text)
    if isinstance(error, Wrong):
        send(P.WRONG_ANSWER, "", str(error))
    send(P.FAILED_ASSERTION, "", text_of(error))


def main(raw):
    try:
        p = json.loads(raw)
        p = p["problem"] if type(p.get("problem")) is dict else p
        run = KINDS[p["kind"]]
        random.seed(str(p.get("id", "")))
    except Exception as e:
        send(P.BAD_TASK, "", text_of(e))
    kind, value = P.begin(run is evalplus)
    if kind != "K":
        if not usable(value):
            P.finish(P.PROTOCOL, "", "an unusable exception")
        names, text, own = value
        bad = P.MEMORY if "MemoryError" in names else P.RUNTIME_ERROR
        send(P.COMPILE_ERROR if kind == "X" else bad, own, text if type(text) is str else "")
    try:
        if run is evalplus:
            p["reference made"] = made(p)
        run(p)
    except BaseException as e:
        ended(e)
    send(P.PASSED, "", "")
