#!/bin/sh
# A full disk stops the run with a clear message and exit 3; after space is made the same command
# goes on and loses nothing.
. "$(dirname "$0")/lib.sh"
if [ -z "${PROCTOR_IN_NAMESPACE:-}" ]; then
    as_root=-rm
    [ "$(id -u)" != 0 ] || as_root=-m
    if ! unshare $as_root true 2>/dev/null; then
        echo "SKIP a full disk: this host gives no mount namespace"
        exit 77
    fi
    PROCTOR_IN_NAMESPACE=1 unshare $as_root "$root/tests/e2e/disk_full.sh" "$bin"
    exit $?
fi
mkdir small
trap 'umount -l "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
mount -t tmpfs -o size=1m tmpfs small || fail "cannot mount a small file system"
/usr/bin/python3 - "$root" <<'PY'
import json, random, sys
rng = random.Random(1)
rows = [json.loads(l) for l in open(sys.argv[1] + "/recipes/data/small_numeric.jsonl", encoding="utf-8")]
with open("recorded.jsonl", "w") as f:
    for r in rows:
        noise = "".join(rng.choice("abcdefgh ") for _ in range(40000))
        f.write(json.dumps({"id": r["id"], "completion": noise + r["answer"]}) + "\n")
PY
# An imported model needs more than the megabyte: it says how much, and leaves nothing behind.
expect 3 "it needs" "$proctor" model import "$root/recipes/models/tiny.gguf" --to small/models
[ -z "$(find small -type f)" ] || { find small; fail "an import without space left files"; }
cat > recipe.yaml <<'Y'
recipe: full
models:
  old: {backend: replay, source: recorded.jsonl}
stages:
  - eval: {models: [old], tasks: [small_numeric]}
Y
expect 3 "" "$proctor" run recipe.yaml --run small/r --quiet
grep -qi "space\|full" err.txt || { cat err.txt; fail "the message does not name the full disk"; }
# With the device named, no option of the old mount is repeated: its uid means nothing in here.
mount -t tmpfs -o remount,size=64m tmpfs small || fail "cannot enlarge the file system"
"$proctor" run recipe.yaml --run small/r --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "the run did not go on after space was made"; }
"$proctor" run recipe.yaml --run fresh --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "the undisturbed run failed"; }
"$root/tests/e2e/compare_runs.py" small/r fresh || fail "results differ after a full disk"
checks=$((checks + 2))
done_testing
