#!/bin/sh
# Installs what Proctor needs to build, run and test itself on Debian 12.
#
#   deploy/install-deps.sh          what building, running and `make test` need
#   deploy/install-deps.sh dev      also what linting and fuzzing need
#
# Looks with pkg-config first and installs only when something is missing: with apt-get as root or
# through sudo; without either it prints the exact command and stops with status 2.
set -eu

core_pc="libzmq lmdb yaml-0.1 json-c libseccomp libpcre2-8 openssl zlib cmocka python3-embed"
core_deb="gcc libc6-dev pkg-config libzmq3-dev liblmdb-dev libyaml-dev libjson-c-dev \
libseccomp-dev libpcre2-dev libssl-dev zlib1g-dev libcmocka-dev \
libpython3-dev python3"
dev_deb="clang clang-format clang-tidy cppcheck libclang-rt-14-dev gdb valgrind"

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
    for tool in clang clang-format clang-tidy cppcheck; do
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
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "install-deps.sh: not root and no password-less sudo; run this, then try again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $want" >&2
    exit 2
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the package lists are words
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root apt-get install -y -qq --no-install-recommends $want >/dev/null
echo "install-deps.sh: installed" >&2
