#!/bin/sh
# Style checked by a program: formatting, cppcheck, include arrows, lengths, banned functions and words.
set -u
bad=0
files=$(git ls-files '*.c' '*.h')

if command -v clang-format >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $files 2>/tmp/lint.$$ || { grep -c 'error:' /tmp/lint.$$ | sed 's/$/ formatting findings (make format)/'; bad=1; }
    rm -f /tmp/lint.$$
else
    echo "SKIP clang-format is not installed (deploy/install-deps.sh dev)"
fi

# Arrows point down to proto/ and never sideways; inside a program they run one way.
arrows()
{
    awk -v from="$1" -v banned="$2" '
        /^#include "/ { split($2, q, "\""); if (q[2] ~ banned) { print FILENAME ":" FNR ": " from " must not include " q[2]; bad = 1 } }
        END { exit bad }' $3
}
for room in proto coordinator worker sandbox; do
    others=$(echo "coordinator worker sandbox" | tr ' ' '\n' | grep -v "^$room$" | paste -sd'|')
    arrows "$room" "^($others)/" "$(git ls-files "$room/*.c" "$room/*.h")" || bad=1
done
arrows "recipe" "^coordinator/(task|plan|dispatch|run|store|report|cli)/" "$(git ls-files 'coordinator/recipe/*')" || bad=1
arrows "data" "^coordinator/(task|plan|dispatch|run|store|report|cli)/" "$(git ls-files 'coordinator/data/*')" || bad=1
arrows "task" "^coordinator/(plan|dispatch|run|store|report|cli)/" "$(git ls-files 'coordinator/task/*')" || bad=1
arrows "plan" "^coordinator/(dispatch|run|report|cli)/" "$(git ls-files 'coordinator/plan/*')" || bad=1
arrows "store" "^coordinator/(recipe|task|plan|dispatch|run|report|cli)/" "$(git ls-files 'coordinator/store/*')" || bad=1
arrows "dispatch" "^coordinator/(recipe|task|plan|run|report|cli)/" "$(git ls-files 'coordinator/dispatch/*')" || bad=1
arrows "recorded" "^coordinator/(dispatch|run|cli)/" "$(git ls-files 'coordinator/recorded/*')" || bad=1
arrows "report" "^coordinator/(recipe|task|plan|dispatch|run|cli)/" "$(git ls-files 'coordinator/report/*')" || bad=1
arrows "export" "^coordinator/(dispatch|run|cli)/" "$(git ls-files 'coordinator/export/*')" || bad=1
arrows "engine" "^worker/(backend|stage|session)" "$(git ls-files 'worker/engine/*')" || bad=1

# Files and functions that are too long to be one idea.
# shellcheck disable=SC2086
awk 'FNR == 1 { if (last) size(); last = FILENAME }
     function size() { if (lines > 800) { print last ": " lines " lines, at most 800"; bad = 1 } }
     { lines = FNR }
     /^{/ { start = FNR }
     /^}/ { if (start && FNR - start > 80) { print FILENAME ":" start ": a function of " FNR - start " lines, at most 80"; bad = 1 } start = 0 }
     END { size(); exit bad }' $files || bad=1

# Unbounded or surprising functions, and marks of unfinished work.
if git grep -nE '\b(strcpy|strcat|sprintf|strtok|atoi|atol|gets|alloca)\(' -- '*.c' '*.h' ':!tests/attacks'; then
    echo "banned functions (see above)"
    bad=1
fi
if git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.c' '*.h' '*.py' '*.sh' ':!tests/lint.sh'; then
    echo "unfinished marks (see above)"
    bad=1
fi
if command -v cppcheck >/dev/null 2>&1; then
    cppcheck --quiet --std=c11 -I. -D_GNU_SOURCE --inline-suppr --suppressions-list=tests/cppcheck.supp \
        --enable=warning,portability --error-exitcode=1 proto coordinator worker sandbox || bad=1
else
    echo "SKIP cppcheck is not installed (deploy/install-deps.sh dev)"
fi
[ "$bad" -eq 0 ] && echo "lint: clean"
exit "$bad"
