#!/usr/bin/python3
"""The same documents through `proctor run`, end to end, and through llama-server; in turn.

    compare_server.py --llama DIR --proctor build/release/bin --models FILE... [options]

Three recipes: humaneval (greedy, --tokens new tokens for each prompt), mmlu (five examples, one
token a question) in the order of its subjects, and the same questions shuffled. Proctor's time is
that of the whole command, start, tokenizer, store and scoring included; the server's begins when
it answers its first request about its health. It gets the token ids that Proctor made, and as many
new tokens per prompt as Proctor generated. Of the server's settings that are tried in the first
round the fastest stays. Prints a table in Markdown; --json FILE has every round. Exit 1 when a
ratio misses its target.
"""
import argparse
import csv
import hashlib
import http.client
import io
import json
import os
import queue
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RECIPES = ("humaneval", "mmlu", "mmlu_shuffled")
TARGETS = {"humaneval": {"": 1.5}, "mmlu": {"q4_k_m": 3.0, "q8_0": 1.5}, "mmlu_shuffled": {}}
SLOTS = {"humaneval": "8,16,32", "mmlu": "1,4,8", "mmlu_shuffled": "1,4,8"}
MMLU_EACH = 18  # questions of each of 57 subjects: 1,026
START_LIMIT_S, POLL_S, ANSWER_LIMIT_S = 300, 0.05, 3600

RECIPE = """recipe: compare
models:
  m: {{source: {model}}}
stages:
  - eval:
      models: [m]
      tasks: [{task}]
      limit: {limit}
{sampler}resources: {{workers: 1, threads: {threads}, memory: {memory}}}
"""
# The shipped task's questions as texts of their own: what they begin with has to be found.
SHUFFLED = """task: mmlu_shuffled
data: {file: ./rows.jsonl, get: made by the benchmark}
id: "{{ id }}"
request: choice
prompt: "{{ prompt }}"
choices: [A, B, C, D]
gold: "{{ gold }}"
scorer: {kind: choice, version: 1}
headline: acc
chance: 0.25
"""


def arguments():
    p = argparse.ArgumentParser(description="proctor run beside llama-server, in turn.")
    p.add_argument("--llama", required=True, help="folder of llama-server")
    p.add_argument("--proctor", default="build/release/bin", help="folder of proctor")
    p.add_argument("--models", required=True, nargs="+", help="GGUF files")
    p.add_argument("--data", default=os.environ.get("PROCTOR_DATA"),
                   help="folder of the data sets (default $PROCTOR_DATA)")
    p.add_argument("--recipes", default=",".join(RECIPES), help="some of " + ",".join(RECIPES))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--tokens", type=int, default=256, help="new tokens of a humaneval prompt")
    p.add_argument("--limit", type=int, help="humaneval: prompts (default all); mmlu: questions "
                   "of each subject (default %d)" % MMLU_EACH)
    p.add_argument("--slots", help="of the server, tried in turn (default %s)" % SLOTS)
    p.add_argument("--memory", default="4GiB", help="Proctor's, for keys and values")
    p.add_argument("--seed", type=int, default=1, help="of the shuffled order")
    p.add_argument("--json", help="write every round to this file")
    args = p.parse_args()
    args.recipes = args.recipes.split(",")
    unknown = set(args.recipes) - set(RECIPES)
    if unknown:
        p.error("unknown recipes: " + ", ".join(sorted(unknown)))
    if not args.data or not os.path.isdir(args.data):
        p.error("--data: no folder of data sets (or set PROCTOR_DATA)")
    args.proctor, args.llama = os.path.abspath(args.proctor), os.path.abspath(args.llama)
    return args


# ---- Proctor ----

def proctor(args, words, **kw):
    env = dict(os.environ, PROCTOR_HOME=ROOT, PROCTOR_DATA=os.path.abspath(args.data))
    p = subprocess.run([os.path.join(args.proctor, "proctor")] + words, env=env, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    # 1: a gate or an alarm, as noise models have them; what was asked is done.
    if p.returncode not in (0, 1):
        sys.exit("proctor %s\nended with %d: %s" % (" ".join(words), p.returncode,
                                                    p.stderr[-2000:]))
    return p.stdout


def mmlu_rows(args):
    """The questions of every subject with five examples before them, as the shipped task asks."""
    folder = os.path.join(args.data, "mmlu")
    subjects = sorted(f[:-len("_test.csv")] for f in os.listdir(os.path.join(folder, "test"))
                      if f.endswith("_test.csv"))

    def read(part, subject):
        name = os.path.join(folder, part, "%s_%s.csv" % (subject, part))
        with open(name, newline="", encoding="utf-8") as f:
            return list(csv.reader(io.StringIO(f.read())))

    def ask(row):
        return "%s\nA. %s\nB. %s\nC. %s\nD. %s\nAnswer:" % (row[0].strip(), *row[1:5])

    rows = []
    for subject in subjects:
        head = ("The following are multiple choice questions (with answers) about %s.\n\n" %
                subject.replace("_", " "))
        head += "".join("%s %s\n\n" % (ask(r), r[5]) for r in read("dev", subject)[:5])
        for i, row in enumerate(read("test", subject)[:args.limit or MMLU_EACH]):
            rows.append({"id": "%s/%d" % (subject, i), "prompt": head + ask(row),
                         "gold": "ABCD".index(row[5])})
    return rows


def write_recipe(args, recipe, model, work):
    """recipe.yaml in work, with its data where they are made here."""
    task, limit, sampler = recipe, args.limit or "all", ""
    if recipe == "humaneval":
        sampler = "      sampler: {temperature: 0, max_tokens: %d}\n" % args.tokens
    elif recipe == "mmlu":
        limit = args.limit or MMLU_EACH
    else:
        rows = mmlu_rows(args)
        random.Random(args.seed).shuffle(rows)
        with open(os.path.join(work, "rows.jsonl"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(r) + "\n" for r in rows)
        with open(os.path.join(work, "task.yaml"), "w") as f:
            f.write(SHUFFLED)
        task, limit = "./task.yaml", "all"
    with open(os.path.join(work, "recipe.yaml"), "w") as f:
        f.write(RECIPE.format(model=os.path.abspath(model), task=task, limit=limit,
                              sampler=sampler, threads=args.threads, memory=args.memory))


def proctor_round(args, work, i):
    """Seconds of the whole command, and its samples."""
    name = "run%d" % i
    start = time.monotonic()
    proctor(args, ["run", "recipe.yaml", "--quiet", "--run", name], cwd=work)
    seconds = time.monotonic() - start
    lines = proctor(args, ["samples", name, "--tokens"], cwd=work).splitlines()
    samples = [json.loads(line)["result"] for line in lines]
    shutil.rmtree(os.path.join(work, name))
    return seconds, samples


def requests_of(recipe, samples):
    """(prompt's token ids, tokens to generate) in the order of the run."""
    is_choice = recipe != "humaneval"
    return [(s["receipt"]["prompt_token_ids"], 1 if is_choice else max(len(s["tokens"]), 1))
            for s in samples]


# ---- llama-server ----

class Server:
    """llama-server with n slots over one unified cache, ready when entered."""

    def __init__(self, args, model, slots, longest):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        # Every slot's longest request; heads in common take less than that.
        cells = slots * ((longest + 255) // 256 * 256)
        self.argv = [os.path.join(args.llama, "llama-server"), "-m", os.path.abspath(model),
                     "--host", "127.0.0.1", "--port", str(self.port), "-t", str(args.threads),
                     "-np", str(slots), "-c", str(cells), "--kv-unified", "--cache-reuse", "32",
                     "-fa", "on", "--threads-http", str(slots + 2)]

    def __enter__(self):
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(self.argv, stdout=self.log, stderr=self.log)
        until = time.monotonic() + START_LIMIT_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                self.log.seek(0)
                sys.exit("llama-server does not come up:\n" + self.log.read()[-2000:])
            time.sleep(POLL_S)
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()

    def is_ready(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            c.request("GET", "/health")
            return c.getresponse().status == 200
        except OSError:
            return False
        finally:
            c.close()

    def ask(self, connection, prompt, n, n_probs):
        body = {"prompt": prompt, "n_predict": n, "temperature": 0, "ignore_eos": True,
                "cache_prompt": True}
        if n_probs:
            body["n_probs"] = n_probs
        connection.request("POST", "/completion", json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError("llama-server answered %d: %s" % (answer.status, text[:500]))
        return json.loads(text)["tokens_predicted"]


def drive(server, slots, wanted, n_probs):
    """Seconds for all requests, `slots` at a time in their order, and the tokens generated."""
    todo, lock, done, failed = queue.SimpleQueue(), threading.Lock(), [], []
    for item in wanted:
        todo.put(item)

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=ANSWER_LIMIT_S)
        while not failed:
            try:
                prompt, n = todo.get_nowait()
            except queue.Empty:
                break
            try:
                got = server.ask(connection, prompt, n, n_probs)
            except (OSError, RuntimeError, http.client.HTTPException) as e:
                failed.append(str(e))
                break
            with lock:
                done.append(got)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(slots)]
    start = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        sys.exit(failed[0])
    return time.monotonic() - start, sum(done)


def server_round(args, recipe, model, slots, wanted):
    longest = max(len(prompt) + n for prompt, n in wanted)
    with Server(args, model, slots, longest) as server:
        seconds, tokens = drive(server, slots, wanted, 0 if recipe == "humaneval" else 4)
    expected = sum(n for _, n in wanted)
    if tokens != expected:
        sys.exit("llama-server generated %d tokens, %d were asked for" % (tokens, expected))
    return seconds


# ---- the comparison ----

def target_of(recipe, model):
    name = os.path.basename(model).lower()
    return next((t for kind, t in TARGETS[recipe].items() if kind in name), None)


def say(words, *values):
    print("  " + words % values, file=sys.stderr, flush=True)


def compare(args, recipe, model, work):
    write_recipe(args, recipe, model, work)
    slots = [int(s) for s in (args.slots or SLOTS[recipe]).split(",")]
    ours, theirs, tried = [], [], {}
    for i in range(args.rounds):
        seconds, samples = proctor_round(args, work, i)
        ours.append(seconds)
        wanted = requests_of(recipe, samples)
        say("%s %s round %d: proctor %.2f s", os.path.basename(model), recipe, i + 1, seconds)
        for s in slots:
            tried.setdefault(s, []).append(server_round(args, recipe, model, s, wanted))
            say("%s %s round %d: llama-server %.2f s (%d slots)", os.path.basename(model), recipe,
                i + 1, tried[s][-1], s)
        if i == 0:
            slots = [min(slots, key=lambda s: tried[s][0])]
        theirs.append(tried[slots[0]][i])
    return {"model": os.path.basename(model), "recipe": recipe, "units": len(wanted),
            "prompt_tokens": sum(len(p) for p, _ in wanted),
            "generated_tokens": sum(n for _, n in wanted), "slots": slots[0],
            "proctor_s": statistics.median(ours), "llama_s": statistics.median(theirs),
            "ratio": statistics.median(theirs) / statistics.median(ours),
            "target": target_of(recipe, model), "rounds": {"proctor": ours, "llama": tried},
            "prompts": hashlib.sha256(repr(sorted(p for p, _ in wanted)).encode()).hexdigest()}


def misses(row):
    return row["target"] is not None and row["ratio"] < row["target"]


def table(rows):
    lines = ["| model | recipe | units | prompt tokens | new tokens | Proctor s | units/s "
             "| tokens/s | llama-server s (slots) | units/s | tokens/s | ratio | target |",
             "| --- | --- " + "| ---: " * 11 + "|"]
    for r in rows:
        # What a recipe's time goes into: tokens generated, or tokens read where one is generated.
        key = "generated_tokens" if r["recipe"] == "humaneval" else "prompt_tokens"
        lines.append("| %s | %s | %d | %d | %d | %.2f | %.2f | %.1f | %.2f (%d) | %.2f | %.1f | "
                     "**%.2f**%s | %s |" % (
                         r["model"], r["recipe"], r["units"], r["prompt_tokens"],
                         r["generated_tokens"], r["proctor_s"], r["units"] / r["proctor_s"],
                         r[key] / r["proctor_s"], r["llama_s"], r["slots"],
                         r["units"] / r["llama_s"], r[key] / r["llama_s"], r["ratio"],
                         " missed" if misses(r) else "",
                         "-" if r["target"] is None else "%.2f" % r["target"]))
    return "\n".join(lines)


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(143))  # the server goes too
    load, rows = os.getloadavg(), []
    print("load %.2f %.2f %.2f before; %d threads, medians of %d in turn" %
          (load + (args.threads, args.rounds)))
    for model in args.models:
        for recipe in args.recipes:
            with tempfile.TemporaryDirectory(prefix="compare.") as work:
                rows.append(compare(args, recipe, model, work))
        asked = {r["prompts"] for r in rows if r["model"] == os.path.basename(model) and
                 r["recipe"].startswith("mmlu")}
        if len(asked) > 1:
            sys.exit("the shuffled questions are not those of the task mmlu")
    print(table(rows))
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"load": load, "arguments": vars(args), "rows": rows}, f, indent=1)
    return 1 if any(misses(r) for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
