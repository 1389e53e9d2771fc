#!/bin/sh
# Exports of a run, read again: the quickstart's grid (few problems) in every format, counts and
# means equal to results.json; our own readers (score, conform) and the shapes that others read.
. "$(dirname "$0")/lib.sh"
"$proctor" run "$root/recipes/quickstart.yaml" --limit 24 --run q --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "the run"; }
for f in lm-eval humaneval evalplus bigcode inspect csv md json preference; do
    expect 0 "as $f" "$proctor" export q --format $f -o x-$f
    "$proctor" export q --format $f -o again >/dev/null 2>&1 || fail "$f a second time"
    diff -r x-$f again >/dev/null || fail "$f: two exports of one run differ"
    rm -r again
done
expect 0 "" "$proctor" export q --format lm-eval --output one --task small_code --cell "reuse/reuse.k=2,reuse.subset=first"
[ "$(find one -type f | wc -l)" -eq 3 ] || fail "--task and --cell"
for f in x-*; do
    grep -q "24 of 80 problems" "$f/INCOMPLETE.txt" || fail "$f: not said to be a part"
    rm "$f/INCOMPLETE.txt"
done
/usr/bin/python3 "$root/tests/e2e/export_read.py" || fail "an export is not what the run was"
checks=$((checks + 1))
cell="reuse_reuse.k=1,reuse.subset=first"
expect 0 "1 of 1 tasks compared, 1 equal" "$proctor" conform x-lm-eval/choice_default --run c1 --quiet
expect 0 "2 of 2 tasks compared, 2 equal" "$proctor" conform "x-lm-eval/$cell" --run c2 --quiet

# Our own grading of what was exported gives the same right answers.
right=$(/usr/bin/python3 -c '
import json
g = [g for g in json.load(open("q/results.json"))["result"]["groups"] if g["task"] == "small_code"][0]
print(g["outcomes"]["right"])')
for f in humaneval evalplus; do
    rm -rf graded
    "$proctor" score small_code "x-$f/$cell/small_code.jsonl" --allow-missing --run graded --quiet -o rows.jsonl >log.txt 2>&1
    [ "$(grep -c '"passed":true' rows.jsonl)" -eq "$right" ] || { cat log.txt; fail "$f, graded again"; }
    checks=$((checks + 1))
done

# Refusals
expect 2 "is none of lm-eval" "$proctor" export q --format pdf -o y
expect 2 "--output is missing" "$proctor" export q --format csv
expect 2 "not an empty directory" "$proctor" export q --format csv -o x-csv
expect 2 "the run has no task 'nothing'; its tasks are" "$proctor" export q --format lm-eval -o y --task nothing
expect 2 "there is no cell 'k=9'" "$proctor" export q --format lm-eval -o y --cell k=9
[ ! -e y ] || fail "a refused export left something"
expect 0 "of 1 groups" "$proctor" export q --format lm-eval -o labelled --task small_code --cell k=2,subset=first
diff -r one labelled >/dev/null || fail "the same cell by another of its names gave another export"
mkdir -p slash/full && expect 0 "the report" "$proctor" export q --format md -o slash/full/
[ "$(ls -A slash)" = full ] && [ -f slash/full/report.md ] || fail "a directory named with a slash"
expect 2 "can be told in the format humaneval" "$proctor" export q --format humaneval -o y --task small_choice
expect 2 "cannot act on the report" "$proctor" export q --format csv -o y --task small_choice
[ ! -e y ] || fail "a refused export left something"
[ -z "$(ls -d y.part.* 2>/dev/null)" ] || fail "a refused export left a part"

# Without its task files' data, prompts are null and their digests stay; nothing is made up.
mkdir bare && cp "$root/recipes/data/small_numeric.jsonl" bare/own.jsonl
sed -e 's/small_numeric.jsonl/own.jsonl/' -e 's/^task: .*/task: own/' "$root/recipes/tasks/small_numeric.yaml" > own.yaml
printf 'recipe: bare\nmodels: {m: {source: %s}}\nstages:\n  - eval: {models: [m], tasks: [./own.yaml], limit: 6}\n' \
    "$(ls "$root"/recipes/models/*.gguf | head -n 1)" > bare.yaml
"$proctor" run bare.yaml --data bare --run b --quiet >log.txt 2>&1
[ $? -le 1 ] || { cat log.txt; fail "the run with its own data"; }
expect 0 "prompts are left out" "$proctor" export b --format lm-eval -o y
/usr/bin/python3 - <<'PY' || fail "an export without data makes something up"
import glob, json
rows = [json.loads(l) for l in open(glob.glob("y/*/samples_own_*.jsonl")[0], encoding="utf-8")]
assert len(rows) == 6 * 3, len(rows)
for r in rows:
    assert r["arguments"] is None and r["doc"] is None and r["target"] is None and r["doc_hash"] is None, r
    assert len(r["prompt_hash"]) == 64 and r["resps"][0][0], r
assert json.load(open(glob.glob("y/*/results_*.json")[0]))["task_hashes"] == {"own": None}
PY
checks=$((checks + 1))
expect 0 "6 answers of 1 groups" "$proctor" export b --format lm-eval -o z --data bare
if grep -q "left out" err.txt; then fail "prompts are left out though the data are there"; fi

# Incomplete: refused, or marked.
printf 'recipe: part\nmodels: {m: {source: %s}}\nstages:\n  - eval: {models: [m], tasks: [small_numeric]}\n' \
    "$(ls "$root"/recipes/models/*.gguf | head -n 1)" > part.yaml
"$proctor" run part.yaml --run p --quiet --testers 0 >log.txt 2>&1 &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    [ "$("$proctor" samples p 2>/dev/null | wc -l)" -ge 1 ] && break
    sleep 0.2
done
kill -INT $pid
wait $pid
expect 2 "is incomplete" "$proctor" export p --format inspect -o w
[ ! -e w ] || fail "a refused export left something"
expect 0 "not finished" "$proctor" export p --format inspect -o w --allow-incomplete
grep -q "small_numeric" w/INCOMPLETE.txt || fail "INCOMPLETE.txt"
/usr/bin/python3 - <<'PY' || fail "an incomplete log says success"
import glob, json, zipfile
h = json.loads(zipfile.ZipFile(glob.glob("w/*.eval")[0]).read("header.json"))
assert h["status"] == "cancelled" and h["eval"]["metadata"]["units_done"] < h["eval"]["metadata"]["units"], h
PY
checks=$((checks + 1))
done_testing
