# problem: pairs
# expect: memory_limit
# limits: mem_mb=128
# why: keeps more memory than it may
# ---
def pairs(xs):
    keep = []
    while True:
        keep.append(bytearray(8 << 20))
