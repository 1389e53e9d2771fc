# lib.sh - what the end-to-end tests share. Sourced with the directory of the programs in $1.
set -u
bin=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
proctor=$bin/proctor
work=$(mktemp -d "${TMPDIR:-/tmp}/proctor-e2e.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
PROCTOR_CACHE=$work/cache
PROCTOR_HOME=$root
case "${PROCTOR_REFERENCE:-../shared}" in
    /*) ;;
    *) PROCTOR_REFERENCE=$root/${PROCTOR_REFERENCE:-../shared} ;;
esac
export PROCTOR_CACHE PROCTOR_HOME PROCTOR_REFERENCE
checks=0

fail()
{
    echo "FAIL: $*"
    exit 1
}

# expect STATUS WORDS COMMAND...: the exit status, and WORDS somewhere in stdout or stderr.
expect()
{
    want=$1
    words=$2
    shift 2
    "$@" >out.txt 2>err.txt </dev/null
    got=$?
    [ "$got" -eq "$want" ] || { cat out.txt err.txt; fail "exit $got instead of $want: $*"; }
    if [ -n "$words" ] && ! grep -qF -- "$words" out.txt err.txt; then
        cat out.txt err.txt
        fail "'$words' not said by: $*"
    fi
    checks=$((checks + 1))
}

done_testing()
{
    echo "$checks checks passed"
    exit 0
}
