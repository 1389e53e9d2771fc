# problem: half
# expect: timeout
# limits: wall_s=1.5
# why: stops itself: it neither runs nor ends
# ---
import os
import signal


def half(x):
    os.kill(os.getpid(), signal.SIGSTOP)
