# problem: half
# expect: timeout
# limits: cpu_s=0.5
# why: ignores signals and burns processor time
# ---
import signal

for s in range(1, 32):
    try:
        signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def half(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
