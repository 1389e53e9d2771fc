#!/bin/sh
# The model and the sets in this repository show what the quickstart promises: the file is small,
# has eight layers or more and passes every check; without layer reuse it solves 30 to 90 % of each
# set; at k = 3 some subset loses ten points or more on both generated sets, exact McNemar p < 0.05.
# Usage: tests/e2e/shipped_model.sh build/release/bin
. "$(dirname "$0")/lib.sh"

model=$root/recipes/models/tiny.gguf
[ "$(wc -c <"$model")" -le 6000000 ] || fail "$model is larger than 6 MB"
expect 0 "12 of 12 stages passed" "$proctor" model check "$model"
expect 0 "results.json" "$proctor" run "$root/recipes/quickstart.yaml" --run "$work/run"
/usr/bin/python3 - "$work/run/results.json" >facts.txt 2>&1 <<'PY' || { cat facts.txt; fail "see above"; }
import json
import sys

result = json.load(open(sys.argv[1]))["result"]
cells = {c["names"][0]: c for c in result["cells"]}
lost = {}
for g in result["groups"]:
    s = cells[g["cell"]]["settings"]
    what = "%s %s, %s" % (g["task"], g["cell"], g["value"])
    print(what)
    assert g["done"] == g["n"] == 80, what
    if not cells[g["cell"]]["reuse"]:
        assert 0.3 <= g["value"] <= 0.9, what
        assert g["task"] == "small_choice" or len(cells[g["cell"]]["names"]) == 3, what
        continue
    p = g["paired"]
    if s["reuse.k"] == 3 and p["difference"] <= -0.1 and p["p"] < 0.05:
        lost.setdefault(s["reuse.subset"], set()).add(g["task"])
assert len(result["groups"]) == 15, "7 cells with two tasks each, and the choices"
assert {"small_code", "small_numeric"} in lost.values(), "no subset loses enough: %s" % lost
assert not [a for a in result["alarms"] if a["severity"] == "failure"], result["alarms"]
PY
checks=$((checks + 1))
done_testing
