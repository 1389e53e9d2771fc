# problem: half
# expect: runtime_error
# why: leaves with status 0 inside a call
# ---
import os


def half(x):
    os._exit(0)
