#!/bin/sh
# Hostile and honest programs of our own, in the best jail of this host and without namespaces.
# Usage: tests/attacks/own.sh BIN
here=$(dirname "$0")
python3 "$here/own.py" "$1" || exit 1
python3 "$here/own.py" "$1" level-2 || exit 1

# Nothing runs unconfined: without seccomp the tester refuses, and says why.
if PROCTOR_NO_SECCOMP=1 "$1/proctor-tester" judge /dev/null /dev/null 2>/tmp/refused.$$; then
    echo "BAD  judged without seccomp"
    exit 1
fi
grep -q "no seccomp" /tmp/refused.$$ || { cat /tmp/refused.$$; rm -f /tmp/refused.$$; exit 1; }
if PROCTOR_NO_USERNS=1 "$1/proctor-tester" judge --require strict /dev/null /dev/null 2>/tmp/refused.$$; then
    echo "BAD  accepted a weaker jail than --require strict"
    exit 1
fi
grep -q "level 3" /tmp/refused.$$ || { cat /tmp/refused.$$; rm -f /tmp/refused.$$; exit 1; }
rm -f /tmp/refused.$$
echo "own programs: as expected at both levels; refusals without seccomp and below strict"
