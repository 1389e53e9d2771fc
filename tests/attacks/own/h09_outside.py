# problem: half
# expect: failed_assertion
# why: writes, links and connects outside its own directory
# ---
import os
import socket


def attempt(f, *args):
    try:
        f(*args)
        return 1
    except OSError:
        return 0


def half(x):
    done = attempt(open, "@@CANARY@@", "w")
    done += attempt(os.unlink, "@@CANARY@@")
    done += attempt(os.chmod, "@@CANARY@@", 0o777)
    done += attempt(os.symlink, "@@CANARY@@", "canary")
    done += attempt(os.link, "@@CANARY@@", "canary")
    done += attempt(os.listdir, os.path.dirname("@@CANARY@@"))
    done += attempt(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
    done += attempt(socket.socket, socket.AF_UNIX, socket.SOCK_STREAM)
    done += attempt(open, "/proc/self/mem", "rb")
    done += attempt(os.kill, os.getppid(), 0)
    return done
