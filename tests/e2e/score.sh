#!/bin/sh
# proctor score: formats, coverage, published verdicts, graded rows, resuming, and bad input.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 - "$root" <<'PY'
import gzip, json, os, sys
rows = [json.loads(l) for l in open(sys.argv[1] + "/recipes/data/small_code.jsonl", encoding="utf-8")]
def put(name, lines, opener=open):
    with opener(name, "wt") as f:
        for line in lines:
            f.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
body = lambda r: r["canonical_solution"]
wrong = "    return None\n"
answers = [body(r) if i % 4 else wrong for i, r in enumerate(rows)]
ids = [r["task_id"] for r in rows]
plain = [{"task_id": i, "completion": a} for i, a in zip(ids, answers)]
put("plain.jsonl", plain)
put("flags.jsonl.gz", [dict(p, passed=(p["completion"] != wrong) if k != 5 else False)
                       for k, p in enumerate(plain)], gzip.open)
put("whole.jsonl", [{"task_id": r["task_id"], "solution": r["prompt"] + a}
                    for r, a in zip(rows, answers)])
json.dump([[r["prompt"] + a] for r, a in zip(rows, answers)], open("generations.json", "w"))
json.dump({"date": "d", "hash": "h", "eval": {r["task_id"]: [
    {"task_id": r["task_id"], "solution": r["prompt"] + a,
     "base_status": "fail" if a == wrong else "pass", "plus_status": "fail"}]
    for r, a in zip(rows, answers)}}, open("x_eval_results.json", "w"), indent=1)
for r, a in zip(rows, answers):
    os.makedirs("dir/" + r["task_id"].replace("/", "_"))
    open("dir/" + r["task_id"].replace("/", "_") + "/0.py", "w").write(r["prompt"] + a)
put("position.jsonl", [{"output": a} for a in answers])
put("prompt.jsonl", [{"prompt": r["prompt"], "samples": [a, body(r)]} for r, a in zip(rows, answers)])
put("fenced.jsonl", [{"id": i, "response": "Sure!\n```python\n" + r["prompt"] + a + "```\n"}
                     for i, r, a in zip(ids, rows, answers)])
put("lm.jsonl", [{"doc_id": k, "doc": {}, "target": "", "arguments":
                  {"gen_args_0": {"arg_0": r["prompt"], "arg_1": {}}}, "resps": [[a]],
                  "filtered_resps": [a], "filter": f, "metrics": ["pass@1"],
                  "pass@1": float(a != wrong)}
                 for k, (r, a) in enumerate(zip(rows, answers)) for f in ("one", "two")])
put("unknown.jsonl", plain[:-1] + [{"task_id": "small_code/999", "completion": ""}])
put("twice.jsonl", plain + [plain[7]])
put("short.jsonl", plain[:-3])
put("broken.jsonl", plain[:2] + ['{"task_id": "x", "completion":'] + plain[2:])
open("garbage.jsonl", "wb").write(bytes(range(256)) * 40)
open("empty.jsonl", "w").close()
open("cut.jsonl.gz", "wb").write(open("flags.jsonl.gz", "rb").read()[:-40])
put("long.jsonl", [dict(plain[0], completion="    #" + "x" * (10 << 20) + "\n" + answers[0])]
    + plain[1:])
choices = [json.loads(l) for l in open(sys.argv[1] + "/recipes/data/small_choice.jsonl", encoding="utf-8")]
put("ll.csv", [",".join("nll_%d" % k for k in range(len(choices[0]["choices"])))]
    + [",".join("-%d.5" % (1 + (k - c["gold"]) % len(c["choices"])) for k in range(len(c["choices"])))
       for c in choices])
PY
n=$(wc -l < plain.jsonl)
n_right=$((n - (n + 3) / 4))
# graded RECORDING WORDS [options]: the expected number is right, and WORDS are said.
graded()
{
    file=$1
    words=$2
    shift 2
    expect 0 "$words" "$proctor" score small_code "$file" --run "run-$file" --json "$@"
    grep -q "\"right\":$n_right," out.txt || { cat out.txt err.txt; fail "$file: not $n_right right"; }
}
graded plain.jsonl "humaneval, $n completions of $n of $n problems, found by id (task_id)"
graded whole.jsonl "style whole"
graded generations.json "position: row N is problem N"
graded x_eval_results.json '"published":"base_status","metric":"pass@1","n":80,"equal":80'
graded dir "evalplus, $n completions"
graded position.jsonl "jsonl"
graded fenced.jsonl "found by id (id)"
graded lm.jsonl "$n rows repeat a document for another filter"
grep -q '"published":"pass@1","metric":"pass@1","n":80,"equal":80' out.txt || fail "lm-eval's metrics"
graded flags.jsonl.gz '"published":"passed","metric":"pass@1","n":80,"equal":79' -o graded.jsonl
grep -q '"differ":\[{"problem":"'"$(sed -n 6p plain.jsonl | cut -d'"' -f4)"'","sample":0,"published":0,"ours":1}\]' out.txt ||
    { cat out.txt; fail "the difference is not named"; }
/usr/bin/python3 - "$n_right" <<'PY' || fail "the graded rows"
import json, sys
rows = [json.loads(l) for l in open("graded.jsonl")]
assert len(rows) == 80 and sum(r["passed"] for r in rows) == int(sys.argv[1]), len(rows)
assert all(r["result"] == "passed" if r["passed"] else r["result"].startswith("failed: ") for r in rows)
assert all(r["task_id"] and "completion" in r and r["metrics"]["pass@1"] == r["passed"] for r in rows)
PY
expect 0 "found by prompt is the task's field prompt" "$proctor" score small_code prompt.jsonl --run run-p --json
grep -q '"samples":2,' out.txt || fail "two samples per problem"
grep -q '"pass_at"' run-p/results.json || fail "no pass@k of two samples"
expect 0 " 0 to do" "$proctor" score small_code prompt.jsonl --run run-p
"$proctor" score small_code - --run run-stdin --json <plain.jsonl >out.txt 2>err.txt || fail "stdin"
grep -q "\"right\":$n_right," out.txt || fail "stdin: not $n_right right"
checks=$((checks + 3))

# Loglikelihoods: the right choice is the likeliest in every row.
expect 0 '"right":80,' "$proctor" score small_choice ll.csv --run run-ll --json
expect 0 '"right":80,' "$proctor" score small_choice --answers reference --run run-ref --json
expect 0 '"value":0.2' "$proctor" score small_choice --answers first --run run-first --json
expect 0 '"right":80,' "$proctor" score small_code --answers reference --run run-ref2 --json
expect 0 '"right":0,' "$proctor" score small_code --answers empty --run run-empty --json
cut -d, -f1-3 ll.csv >narrow.csv
expect 2 "narrow.csv:2: 3 loglikelihoods, and problem small_choice/0 of task small_choice wants 4" \
    "$proctor" score small_choice narrow.csv
sed 's/-//g' ll.csv >negated.csv
expect 0 "320 loglikelihoods are above 0" "$proctor" score small_choice negated.csv --quiet
expect 2 "there is no empty answer" "$proctor" score small_choice --answers empty
expect 2 "no choices" "$proctor" score small_code --answers first

# What does not fit is refused before any work, by name.
expect 2 "1 of $n completions are about no problem of task small_code: 'small_code/999' (line $n)" \
    "$proctor" score small_code unknown.jsonl
expect 2 "problems have no completion: $(tail -n 1 plain.jsonl | cut -d'"' -f4)" \
    "$proctor" score small_code unknown.jsonl
expect 2 "1 problem has more completions than the 1 of others (the same id again?)" "$proctor" score small_code twice.jsonl
for bad in "--style frob" "--temperature -1" "--flag nosuch" "--flag task_id=acc" "--output ./plain.jsonl"; do
    # shellcheck disable=SC2086
    expect 2 "${bad%% *}" "$proctor" score small_code plain.jsonl $bad
    [ ! -d runs/score-small_code-plain ] || fail "refused for $bad, and left a run directory"
done
expect 2 "3 of $n problems have no completion" "$proctor" score small_code short.jsonl
[ ! -d runs/score-small_code-short ] || fail "a refused recording left a run directory"
expect 0 "INCOMPLETE: 3 of $n problems have no completion" "$proctor" score small_code short.jsonl --allow-missing
grep -q "over the 77 recorded completions alone" out.txt || { cat out.txt; fail "the part alone"; }
expect 2 "broken.jsonl:3: not valid JSON" "$proctor" score small_code broken.jsonl
expect 2 "garbage.jsonl:1: not valid JSON" "$proctor" score small_code garbage.jsonl
expect 2 "the recording is empty" "$proctor" score small_code empty.jsonl
expect 2 "cut short" "$proctor" score small_code cut.jsonl.gz
expect 2 "not in the format bigcode" "$proctor" score small_code plain.jsonl --format bigcode
expect 2 "not in the format lm-eval" "$proctor" score small_code plain.jsonl --format lm-eval
expect 2 "is not auto, humaneval" "$proctor" score small_code plain.jsonl --format humanevil
expect 2 "a text, and task small_choice asks for loglikelihoods" "$proctor" score small_choice position.jsonl
expect 2 "loglikelihoods, and task small_numeric asks for a text" "$proctor" score small_numeric ll.csv
expect 2 "no problem id (nowhere)" "$proctor" score small_code plain.jsonl --id-key nowhere
expect 2 "no text under 'nothing'" "$proctor" score small_code plain.jsonl --text-key nothing
expect 2 "cannot open recorded completions nowhere.jsonl" "$proctor" score small_code nowhere.jsonl
expect 2 "there is no task 'small_cod'" "$proctor" score small_cod plain.jsonl
expect 2 "which recorded completions?" "$proctor" score small_code
expect 2 "which task?" "$proctor" score
expect 0 '"n":80' "$proctor" score small_code long.jsonl --run run-long --json
done_testing
