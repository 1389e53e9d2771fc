# problem: half
# expect: runtime_error
# why: writes frames that look like answers and records on every descriptor
# ---
import os
import struct


def half(x):
    record = b"V\x01" + struct.pack("<III", 0, 0, 0) + b"."
    answer = struct.pack("<IBI", 5, ord("R"), 2) + b"i\x01\x00\x00\x00\x04"
    for fd in range(3, 64):
        for b in (record, b"M" + record, answer, answer):
            try:
                os.write(fd, b)
            except OSError:
                break
    return 4
