#!/bin/sh
# The kernels on 64-bit ARM: built statically with the cross compiler, run by qemu-user as a CPU
# without and as one with dot products of bytes. All tables must give the definition's bits, and the
# definition the bits that it gives on this machine.
# Usage: tests/neon/run.sh build/release
set -u
o=$1
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $tool >/dev/null 2>&1 || {
        echo "SKIP kernels on aarch64: no $tool (deploy/install-deps.sh dev)"
        exit 77
    }
done
make --no-print-directory VARIANT="$(basename "$o")" neon || exit 1

tables=""
run()
{
    out=$("$@") || { echo "$out"; echo "$*: failed"; exit 1; }
    hash=$(echo "$out" | sed -n 's/^hash //p')
    tables=$(echo "$out" | sed -n 's/^tables: //p')
    results=$(echo "$out" | tail -n 1)
}

run "$o/neon/native"
native=$hash
[ -n "$native" ] || { echo "no hash from $o/neon/native"; exit 1; }
check()
{
    run qemu-aarch64 -cpu "$1" "$o/neon/aarch64"
    [ "$tables" = "$2" ] || { echo "$1: tables are '$tables', expected '$2'"; exit 1; }
    [ "$hash" = "$native" ] || { echo "$1: the definition gives $hash, here $native"; exit 1; }
    echo "$1: $tables: $results"
}
check cortex-a53 "scalar neon"
check cortex-a76 "scalar neon neon-dot"
echo "the definition's bits on both machines, $results"
