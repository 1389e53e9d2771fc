#!/bin/sh
# Every measurement of docs/numbers.md. Usage: tests/bench/run.sh build/release
set -eu
o=$1
echo "== machine =="
grep -m1 'model name' /proc/cpuinfo
echo "$(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
for target in bench-kernels bench-engine bench-heads bench-hall bench-dispatch; do
    echo "== $target =="
    make --no-print-directory "$target"
done
echo "== tester =="
tests/bench/bench_tester.sh "$o/bin"
echo "== scale =="
tests/bench/bench_scale.py "$o/bin"
echo "== waiting times =="
tests/bench/bench_latency.py "$o/bin"
