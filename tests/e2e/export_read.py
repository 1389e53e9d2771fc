#!/usr/bin/python3
"""Reads the exports x-<format>/ of the run q again: counts and means must be those of results.json,
and every member that the readers of the formats ask for must be there."""
import csv
import glob
import hashlib
import json
import os
import zipfile

result = json.load(open("q/results.json", encoding="utf-8"))["result"]
groups = {(g["cell"], g["task"]): g for g in result["groups"]}
cells = {c["names"][0].replace("/", "_"): c["names"][0] for c in result["cells"]}


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def close(a, b):
    return abs(a - b) < 1e-12


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def lm_eval():
    seen = 0
    for folder in os.listdir("x-lm-eval"):
        cell = cells[folder]
        path, = glob.glob("x-lm-eval/%s/results_*.json" % glob.escape(folder))
        stamp = path.rsplit("results_", 1)[1][:-len(".json")]
        r = json.load(open(path, encoding="utf-8"))
        for key in ("results", "groups", "group_subtasks", "configs", "versions", "n-shot", "higher_is_better",
                    "n-samples", "config", "git_hash", "date", "task_hashes", "model_name", "chat_template",
                    "total_evaluation_time_seconds"):
            assert key in r, key
        for task, got in r["results"].items():
            g = groups[cell, task]
            seen += 1
            assert r["n-samples"][task] == {"original": g["task_problems"], "effective": g["problems"]}
            rows = lines("x-lm-eval/%s/samples_%s_%s.jsonl" % (folder, task, stamp))
            hashes = ""
            for name, m in g["metrics"].items():
                metric, _, flt = name.partition(",")
                flt = flt or "none"
                assert close(got["%s,%s" % (metric, flt)], m["value"])
                assert close(got["%s_stderr,%s" % (metric, flt)], m["std_error"])
                mine = [x for x in rows if x["filter"] == flt]
                assert len(mine) == g["problems"] == got["sample_len"] and metric in mine[0]["metrics"]
                assert close(sum(x[metric] for x in mine) / len(mine), m["value"]), (task, name)
            for x in rows:
                hashes += x["doc_hash"] + x["prompt_hash"] + x["target_hash"]
                assert x["doc_hash"] == sha(json.dumps(x["doc"], indent=2, ensure_ascii=False))
                assert x["prompt_hash"] == sha(x["arguments"]["gen_args_0"]["arg_0"])
                assert x["target_hash"] == sha(x["target"])
                if g["metric"] == "acc":
                    assert len(x["resps"]) == len(x["arguments"]) == 4 and float(x["resps"][0][0][0]) < 0
                    best = max(range(4), key=lambda i: float(x["resps"][i][0][0]))
                    assert x["acc"] == (str(best) == x["target"])
                else:
                    assert x["arguments"]["gen_args_0"]["arg_1"]["max_gen_toks"] > 0
                    assert isinstance(x["resps"][0][0], str)
            assert r["task_hashes"][task] == sha(hashes)
    assert seen == len(groups)


def programs():
    code = {c: g for (c, t), g in groups.items() if t == "small_code"}
    assert len(code) == len(os.listdir("x-humaneval")) == len(os.listdir("x-evalplus"))
    rows = {r["task_id"]: r for r in lines(os.path.join(os.environ["PROCTOR_HOME"], "recipes/data/small_code.jsonl"))}
    for folder in os.listdir("x-humaneval"):
        g = code[cells[folder]]
        plain = lines("x-humaneval/%s/small_code.jsonl" % folder)
        judged = lines("x-humaneval/%s/small_code.jsonl_results.jsonl" % folder)
        assert [list(r) for r in plain] == [["task_id", "completion"]] * g["n"]
        assert sum(r["passed"] for r in judged) == g["outcomes"]["right"]
        assert all((r["result"] == "passed") == r["passed"] for r in judged)
        for r in judged:
            space = {}
            if r["passed"]:
                row = rows[r["task_id"]]
                exec(row["prompt"] + r["completion"] + "\n" + row["test"], space)
                space["check"](space[row["entry_point"]])
        e = json.load(open("x-evalplus/%s/small_code.eval_results.json" % folder))
        assert set(e) == {"date", "hash", "eval", "pass_at_k"}
        assert sum(x[0]["base_status"] == "pass" for x in e["eval"].values()) == g["outcomes"]["right"]
        assert close(e["pass_at_k"]["base"]["pass@1"], g["value"])
        b = json.load(open("x-bigcode/%s/small_code/generations.json" % folder))
        assert len(b) == g["problems"] and all(len(x) == g["samples"] for x in b)
        v = json.load(open("x-bigcode/%s/small_code/evaluation_results.json" % folder))
        assert close(v["small_code"]["pass@1"], g["value"])
        solutions = lines("x-evalplus/%s/small_code.jsonl" % folder)
        assert [x["solution"] for x in solutions] == [x[0] for x in b]
        assert all(s["solution"].startswith(rows[s["task_id"]]["prompt"]) for s in solutions)


def inspect():
    logs = glob.glob("x-inspect/*.eval")
    assert len(logs) == len(groups)
    ids = set()
    for path in logs:
        z = zipfile.ZipFile(path)
        assert z.testzip() is None
        assert {i.compress_type for i in z.infolist()} == {zipfile.ZIP_DEFLATED}
        names = z.namelist()
        h = json.loads(z.read("header.json"))
        g = groups[h["eval"]["metadata"]["cell"], h["eval"]["task"]]
        assert h["version"] == 2 and h["status"] == "success"
        ids.add(h["eval"]["eval_id"])
        for key in ("created", "dataset", "model", "config", "task_id", "run_id"):
            assert key in h["eval"], key
        assert h["results"]["total_samples"] == h["results"]["completed_samples"] == g["n"]
        scores = {s["name"]: s["metrics"] for s in h["results"]["scores"]}
        for name, m in g["metrics"].items():
            assert close(scores[name]["mean"]["value"], m["value"]) and close(scores[name]["stderr"]["value"], m["std_error"])
        start = json.loads(z.read("_journal/start.json"))
        assert start["eval"] == h["eval"] and start["plan"] == h["plan"] and start["version"] == 2
        summaries = json.loads(z.read("summaries.json"))
        assert summaries == json.loads(z.read("_journal/summaries/1.json")) and len(summaries) == g["n"]
        assert h["eval"]["dataset"]["sample_ids"] == [s["id"] for s in summaries]
        values = []
        for s in summaries:
            name = "samples/%s_epoch_%d.json" % (s["id"], s["epoch"])
            sample = json.loads(z.read(name))
            assert sample["id"] == s["id"] and sample["scores"] == s["scores"] and sample["input"] == s["input"]
            assert sample["messages"][0]["role"] == "user" and sample["messages"][0]["content"]
            if g["metric"] != "acc":
                assert sample["output"]["completion"] == sample["output"]["choices"][0]["message"]["content"]
                assert sample["messages"][-1]["role"] == "assistant"
            values.append(sample["scores"][g["metric"]]["value"])
        assert close(sum(values) / len(values), g["value"])
        assert len(names) == len(set(names)) == g["n"] + 5
        reduced = {x["scorer"]: x["samples"] for x in json.loads(z.read("reductions.json"))}
        assert [x["value"] for x in reduced[g["metric"]]] == values
    assert len(ids) == len(logs)


def pages():
    rows = list(csv.DictReader(open("x-csv/report.csv", encoding="utf-8")))
    assert len(rows) == len(groups)
    for r in rows:
        g = groups[r["cell"].split("; ")[0], r["task"]]
        assert close(float(r["value"]), g["value"]) and int(r["n"]) == g["n"]
    assert all(g["task"] in open("x-md/report.md", encoding="utf-8").read() for g in groups.values())
    assert json.load(open("x-json/results.json", encoding="utf-8"))["result"] == result
    pairs = lines("x-preference/preference.jsonl")
    assert len(pairs) > 10
    for p in pairs:
        assert p["chosen"] != p["rejected"] and sha(p["prompt"]) == p["prompt_sha256"]


lm_eval()
programs()
inspect()
pages()
