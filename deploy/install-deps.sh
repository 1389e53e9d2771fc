#!/bin/sh
# Installs what Proctor needs to build, run and test itself on Debian 12.
#
#   deploy/install-deps.sh          what building, running and `make test` need
#   deploy/install-deps.sh dev      also what linting, fuzzing and the kernels' test for ARM need
#
# Looks with pkg-config first and installs only when something is missing: with apt-get as root or
# through sudo; without either it prints the exact command and stops with status 2.
set -eu

core_pc="libzmq lmdb yaml-0.1 json-c libseccomp libpcre2-8 openssl zlib libcurl cmocka python3-embed"
core_deb="gcc libc6-dev pkg-config libzmq3-dev liblmdb-dev libyaml-dev libjson-c-dev \
libseccomp-dev libpcre2-dev libssl-dev zlib1g-dev libcmocka-dev \
libcurl4-openssl-dev \
libpython3-dev python3"
dev_deb="clang clang-format clang-tidy cppcheck libclang-rt-14-dev gdb valgrind \
gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"

missing=""
command -v gcc >/dev/null 2>&1 || missing="$missing gcc"
command -v pkg-config >/dev/null 2>&1 || missing="$missing pkg-config"
[ -x /usr/bin/python3 ] || missing="$missing python3"
if command -v pkg-config >/dev/null 2>&1; then
    for pc in $core_pc; do
        pkg-config --exists "$pc" || missing="$missing $pc"
    done
else
    missing="$missing $core_pc"
fi

want="$core_deb"
if [ "${1:-}" = dev ]; then
    want="$core_deb $dev_deb"
    for tool in clang clang-format clang-tidy cppcheck aarch64-linux-gnu-gcc qemu-aarch64; do
        command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
elif [ -n "${1:-}" ]; then
    echo "install-deps.sh: unknown argument '$1' (expected nothing or 'dev')" >&2
    exit 2
fi

[ -n "$missing" ] || exit 0
echo "install-deps.sh: missing:$missing" >&2

if ! command -v apt-get >/dev/null 2>&1; then
    echo "install-deps.sh: no apt-get here; install the counterparts of: $want" >&2
    exit 2
fi
update="apt-get update"
install="apt-get install -y --no-install-recommends $want"

by_hand()
{
    echo "install-deps.sh: $1; $2, then try again:" >&2
    echo "    $3$update && $3$install" >&2
    exit 2
}

as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || by_hand "not root, and there is no sudo" "run this as root" ""
    as_root="sudo env DEBIAN_FRONTEND=noninteractive"
    # Without a terminal nobody can answer sudo's question.
    if ! sudo -n true 2>/dev/null; then
        [ -t 0 ] && [ -t 2 ] || by_hand "sudo wants a password" "run this" "sudo "
        echo "install-deps.sh: sudo may ask for your password, to install the packages" >&2
        sudo true || by_hand "sudo refused" "run this as root" ""
    fi
fi
echo "install-deps.sh: installing with apt-get (a minute or two)" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086 # the package lists are words
if ! { $as_root $update && $as_root $install; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    by_hand "apt-get failed (its last words are above)" "find out why with this" \
        "${as_root:+sudo }"
fi
rm -f "$log"
echo "install-deps.sh: installed" >&2
