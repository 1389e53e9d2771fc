# problem: half
# expect: security_violation
# why: a system call that no honest program makes
# ---
import ctypes


def half(x):
    return ctypes.CDLL(None).ptrace(16, 1, 0, 0)
