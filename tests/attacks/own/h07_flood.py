# problem: total
# expect: output_limit
# limits: out_kb=64
# why: writes without end
# ---
import sys

while True:
    sys.stdout.write("6\n" * 4096)
