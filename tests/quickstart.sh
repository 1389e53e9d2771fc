#!/bin/sh
# The main job on what the repository ships: `make quickstart` ends here.
set -eu
bin=$1
start=$(date +%s)
status=0
"$bin/proctor" run recipes/quickstart.yaml || status=$?
echo
echo "took $(($(date +%s) - start)) s; the same command again resumes (or shows what is there):"
echo "    $bin/proctor run recipes/quickstart.yaml"
echo "next: $bin/proctor report --format md, $bin/proctor samples --verdict wrong_answer, docs/"
exit "$status"
