# problem: half
# expect: passed
# ---
import sys
import tempfile
import threading

sys.setrecursionlimit(20000)
print("noise")


def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)


def half(x):
    if x < 0:
        raise ValueError("negative")
    t = threading.Thread(target=deep, args=(10,))
    t.start()
    t.join()
    return x // 2 + deep(10000) - 10000
