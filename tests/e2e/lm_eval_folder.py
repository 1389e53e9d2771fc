#!/usr/bin/python3
"""Writes an output folder as lm-evaluation-harness does: a generation task with two filters and
few-shot prompts drawn by its own random stream, a multiple choice task, and one whose metric is a
perplexity with its bootstrapped error. Usage:
lm_eval_folder.py DIR ROWS CHOICES [change ...]; a change plants one difference:
prompt, filtered, metric, hash, mean, stderr, taskhash, choice, twice, beyond, broken, perplexity.
`chat` is none: prompts are then rendered by Gemma 2's template, which refuses system messages."""
import hashlib
import json
import math
import os
import random
import re
import statistics
import sys

out, rows_path, choices_path, *changes = sys.argv[1:]
rows = [json.loads(line) for line in open(rows_path, encoding="utf-8")]
choices = [json.loads(line) for line in open(choices_path, encoding="utf-8")]
STAMP = "2025-01-02T03-04-05.678901"
answers = {"p0": "so 2 apples #### 2", "p1": "#### 5", "p2": "about 6", "p3": "no idea",
           "p4": "é 1,000 #### 1,000", "p5": "#### 12\n#### 10"}


chat = "chat" in changes
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception("
    "'Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}")


def rendered(*turns):
    """Questions and answers by turns, the model's to come."""
    return "<bos>" + "".join("<start_of_turn>%s\n%s<end_of_turn>\n" % (role, text.strip())
                             for role, text in zip(["user", "model"] * len(turns), turns)) + (
        "<start_of_turn>model\n")


def sha(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sample(doc_id, doc, target, arguments, resps, filtered, name, metrics):
    return {"doc_id": doc_id, "doc": doc, "target": target,
            "arguments": {"gen_args_%d" % i: {"arg_0": a, "arg_1": b}
                          for i, (a, b) in enumerate(arguments)},
            "resps": resps, "filtered_resps": filtered, "filter": name,
            "metrics": list(metrics),
            "doc_hash": sha(json.dumps(doc, indent=2, ensure_ascii=False)),
            "prompt_hash": sha(arguments[0][0]), "target_hash": sha(target), **metrics}


def strict(text):
    found = re.findall(r"#### (\-?[0-9\.\,]+)", text)
    return found[0].strip() if found else "[invalid]"


def flexible(text):
    found = re.findall(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", text)
    if not found:
        return "[invalid]"
    return next(g for g in found[-1] if g).strip()


def same(a, b):
    return float(re.sub(r",|\$", "", a) == re.sub(r",|\$", "", b))


def generation():
    stream = random.Random(1234)
    lines = []
    for i, row in enumerate(rows):
        shots = [s for s in stream.sample(rows, 3) if s != row][:2]
        prompt = "Add.\n\n" # which is dropped from chats: the template refuses it
        prompt += "".join("Q: %s\nA: %s\n\n" % (s["q"], s["a"]) for s in shots)
        prompt += "Q: %s\nA:" % row["q"]
        if chat:
            turns = [x for s in shots for x in ("Q: %s\nA:" % s["q"], s["a"])]
            prompt = rendered(*turns, "Q: %s\nA:" % row["q"])
        if "prompt" in changes and i == 3:
            prompt = prompt.replace("A:", "a:", 1)
        text = answers[row["id"]]
        for name, run in (("strict-match", strict), ("flexible-extract", flexible)):
            got = run(text)
            line = sample(i, row, row["a"], [(prompt, {"until": ["Q:"]})], [[text]], [got], name,
                          {"exact_match": same(got, row["a"])})
            if "filtered" in changes and i == 2 and name == "strict-match":
                line["filtered_resps"] = ["6"]
            if "metric" in changes and i == 1 and name == "flexible-extract":
                line["exact_match"] = 1.0 - line["exact_match"]
            if "hash" in changes and i == 4:
                line["doc_hash"] = sha("something else")
            lines.append(line)
    if "twice" in changes:
        lines.append(lines[0])
    if "beyond" in changes:
        lines[-1]["doc_id"] = lines[-2]["doc_id"] = 99
    return lines


def choice():
    lines = []
    for i, row in enumerate(choices):
        context = "%s is" % row["question"]
        context = rendered(context) if chat else context
        lls = [-2.5 - 0.25 * ((i + 3 * k) % 5) for k in range(len(row["choices"]))]
        best = max(range(len(lls)), key=lambda k: lls[k])
        norm = max(range(len(lls)), key=lambda k: lls[k] / len(row["choices"][k]))
        arguments = [(context, ("" if chat else " ") + c) for c in row["choices"]]
        if "choice" in changes and i == 1:
            arguments[1] = (context, arguments[1][1] + "!")
        lines.append(sample(i, row, str(row["gold"]), arguments,
                            [[[str(x), "False"]] for x in lls], [[str(x), "False"] for x in lls],
                            "none", {"acc": float(best == row["gold"]),
                                     "acc_norm": float(norm == row["gold"])}))
    return lines


def words():
    lines = []
    for i, row in enumerate(choices):
        ll = -1.25 - 0.5 * i
        argument = (row["question"], " " + row["choices"][0])
        if chat:
            argument = (rendered(row["question"]), row["choices"][0])
        lines.append(sample(i, row, row["choices"][0], [argument],
                            [[[str(ll), "True" if i else "False"]]], [[str(ll), "True"]], "none",
                            {"perplexity": ll, "acc": float(i > 0)}))
    return lines


ITERATIONS = 2000


def perplexity(lines):
    """The value, and the error as bootstrap_stderr makes it."""
    values, found = [x["perplexity"] for x in lines], []
    for chunk in range(ITERATIONS // 1000):
        stream = random.Random(chunk)
        for _ in range(1000):
            drawn = stream.choices(values, k=len(values))
            found.append(math.exp(-sum(drawn) / len(drawn)))
    return {"perplexity,none": math.exp(-sum(values) / len(values)),
            "perplexity_stderr,none": statistics.stdev(found) + ("perplexity" in changes)}


def summary(lines, names):
    result = {}
    for name, filt in names:
        values = [x[name] for x in lines if x["filter"] == filt]
        mean = sum(values) / len(values)
        error = statistics.stdev(values) / math.sqrt(len(values))
        result["%s,%s" % (name, filt)] = mean + ("mean" in changes and filt == "strict-match")
        result["%s_stderr,%s" % (name, filt)] = error + (
            "stderr" in changes and name == "acc" and len(names) > 1)
    return result


os.makedirs(out, exist_ok=True)
tasks = {"their_sums": generation(), "their_choice": choice(), "their_words": words()}
results = {
    "their_sums": summary(tasks["their_sums"], [("exact_match", "strict-match"),
                                                ("exact_match", "flexible-extract")]),
    "their_choice": summary(tasks["their_choice"], [("acc", "none"), ("acc_norm", "none")]),
    "their_words": summary(tasks["their_words"], [("acc", "none")])}
results["their_words"].update(perplexity(tasks["their_words"]))
hashes = {}
for name, lines in tasks.items():
    hashes[name] = sha("".join(x["doc_hash"] + x["prompt_hash"] + x["target_hash"] for x in lines)
                       + ("x" if "taskhash" in changes else ""))
    with open("%s/samples_%s_%s.jsonl" % (out, name, STAMP), "w", encoding="utf-8") as f:
        for x in lines:
            f.write(json.dumps(x, ensure_ascii=False) + "\n")
        if "broken" in changes:
            f.write('{"doc_id": 7, "resps"')
whole = {"results": results, "group_subtasks": {}, "configs":
         {"their_sums": {"task": "their_sums", "num_fewshot": 2},
          "their_choice": {"task": "their_choice", "num_fewshot": 0},
          "their_words": {"task": "their_words", "num_fewshot": 0},
          "their_unknown": {"task": "their_unknown"}},
         "versions": {}, "n-shot": {"their_sums": 2, "their_choice": 0}, "chat_template": GEMMA if chat else None, "tokenizer_bos_token": ["<bos>", "2"],
         "system_instruction": None, "config": {"bootstrap_iters": ITERATIONS},
         "task_hashes": hashes}
with open("%s/results_%s.json" % (out, STAMP), "w", encoding="utf-8") as f:
    json.dump(whole, f, indent=2, ensure_ascii=False)
