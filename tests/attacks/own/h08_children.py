# problem: half
# expect: runtime_error
# why: forks, starts threads and programs, and wants to outlive its run
# ---
import os
import subprocess
import threading
import time

for _ in range(200):
    try:
        threading.Thread(target=time.sleep, args=(60,)).start()
    except RuntimeError:
        break
try:
    subprocess.Popen(["/bin/sleep", "60"])
except OSError:
    pass
if os.fork() == 0:
    os.setsid()
    time.sleep(60)


def half(x):
    return 4
