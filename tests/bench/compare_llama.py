#!/usr/bin/python3
"""Proctor beside llama.cpp on the same files, in turn, in one run; medians of some rounds.

    compare_llama.py --llama DIR --proctor build/release/bin --models FILE... [options]

Four measurements, as tests/bench/README.md defines them: pp512, tg128 (llama-bench, its defaults
and -fa 1: the better median counts), and the decode phase of 32 rows behind one head of 512 tokens
and with 128 tokens of their own (llama-batched-bench) against `proctor model bench`. Prints a
table in Markdown; --json FILE has every single round. Exit 1 when a ratio misses its target.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

TESTS = ("pp", "tg", "shared", "own")
TITLES = {"pp": "pp{prompt}", "tg": "tg{tokens}", "shared": "{rows} rows behind a head of {head}",
          "own": "{rows} rows, {own} own tokens"}
# At least so many times llama.cpp's figure; tg of Q8_0 also this share of the reading limit.
TARGETS = {("0.5b", "Q8_0"): (1.5, 1.0, 5.0, 2.5), ("0.5b", "Q4_K_M"): (3.0, 1.5, 6.0, 4.0),
           ("0.5b", "F16"): (1.4, 1.25, 4.0, 3.0), ("1.5b", "Q8_0"): (2.0, 1.0, 3.0, 2.5),
           ("1.5b", "Q4_K_M"): (2.5, 1.7, 4.0, 3.0)}
READ_SHARE = {("0.5b", "Q8_0"): 0.92, ("1.5b", "Q8_0"): 0.92}


def arguments():
    p = argparse.ArgumentParser(description="Proctor beside llama.cpp, in turn.")
    p.add_argument("--llama", required=True, help="folder of llama-bench and llama-batched-bench")
    p.add_argument("--proctor", default="build/release/bin", help="folder of proctor")
    p.add_argument("--models", required=True, nargs="+", help="GGUF files")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--tests", default=",".join(TESTS), help="some of " + ",".join(TESTS))
    p.add_argument("--flash", default="auto,1", help="llama-bench's -fa, the better counts")
    p.add_argument("--prompt", type=int, default=512)
    p.add_argument("--tokens", type=int, default=128)
    p.add_argument("--rows", type=int, default=32)
    p.add_argument("--head", type=int, default=512)
    p.add_argument("--own", type=int, default=128)
    p.add_argument("--memory", default="4GiB", help="Proctor's, for keys and values")
    p.add_argument("--isa", default="auto", help="Proctor's")
    p.add_argument("--plain", action="store_true", help="the GGUF file itself, not imported")
    p.add_argument("--json", help="write every round to this file")
    args = p.parse_args()
    args.tests = args.tests.split(",")
    unknown = set(args.tests) - set(TESTS)
    if unknown:
        p.error("unknown tests: " + ", ".join(sorted(unknown)))
    return args


def run(argv):
    """Standard output; what failed is told with its last words."""
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode != 0:
        sys.exit("%s\nended with %d: %s" % (" ".join(argv), p.returncode, p.stderr[-2000:]))
    return p.stdout


def imported(args, path):
    """The form that Proctor maps, written by it; the file itself where that is asked for."""
    if args.plain:
        return path
    out = run([os.path.join(args.proctor, "proctor"), "model", "import", path, "--json"])
    return json.loads(out)["path"]


def llama_bench(args, path, flash, prompt, tokens):
    out = run([os.path.join(args.llama, "llama-bench"), "-m", path, "-t", str(args.threads),
               "-p", str(prompt), "-n", str(tokens), "-r", "1", "-fa", flash, "-o", "json"])
    return json.loads(out)[0]["avg_ts"]


def llama_batched(args, path, test):
    """Tokens/s of the decode phase."""
    shared = test == "shared"
    before = args.head if shared else args.own
    cells = (before if shared else args.rows * before) + args.rows * (args.tokens + 32)
    # One row afterwards: what the program prints last may be lost when it ends.
    argv = [os.path.join(args.llama, "llama-batched-bench"), "-m", path, "-t", str(args.threads),
            "-c", str(cells), "-npp", str(before), "-ntg", str(args.tokens), "-npl",
            "%d,1" % args.rows, "--output-format", "jsonl"]
    out = run(argv + (["-pps", "-kvu"] if shared else []))
    for line in out.splitlines():
        if line.startswith("{"):
            return json.loads(line)["speed_tg"]
    sys.exit("llama-batched-bench printed no result:\n" + out[-2000:])


def llama(args, path, test):
    """{variant: tokens/s} of one round."""
    if test in ("shared", "own"):
        return {"default": llama_batched(args, path, test)}
    sizes = (args.prompt, 0) if test == "pp" else (0, args.tokens)
    return {"-fa " + f: llama_bench(args, path, f, *sizes) for f in args.flash.split(",")}


def proctor(args, path, test):
    """The figure and the limits of one round."""
    out = run([os.path.join(args.proctor, "proctor"), "model", "bench", path, "--json", "--parts",
               test, "--rounds", "1", "--threads", str(args.threads), "--isa", args.isa,
               "--memory", args.memory, "--prompt", str(args.prompt), "--tokens",
               str(args.tokens), "--rows", str(args.rows), "--head", str(args.head), "--own",
               str(args.own)])
    report = json.loads(out)
    return dict(report[test][0], limits=report["limits"], isa=report["isa"])


def key_of(path):
    """(shape, format) as the targets name them, by the file's name."""
    name = os.path.basename(path).lower()
    shape = next((s for s in ("0.5b", "1.5b") if s in name), "")
    kind = re.search(r"q8_0|q4_k_m|f16", name)
    return shape, kind.group(0).upper() if kind else ""


def compare(args, path, ours, test):
    """All rounds of one test, llama.cpp first in the even ones."""
    theirs, mine = {}, []
    for i in range(args.rounds):
        if i % 2:
            mine.append(proctor(args, ours, test))
        for variant, speed in llama(args, path, test).items():
            theirs.setdefault(variant, []).append(speed)
        if i % 2 == 0:
            mine.append(proctor(args, ours, test))
        print("  %s %s round %d: proctor %.1f, llama.cpp %s" % (
            os.path.basename(path), test, i + 1, mine[-1]["tok_s"],
            ", ".join("%.1f (%s)" % (v[-1], k) for k, v in theirs.items())), file=sys.stderr)
    return summary(args, path, test, theirs, mine)


def summary(args, path, test, theirs, mine):
    best = max(theirs, key=lambda k: statistics.median(theirs[k]))
    speed = statistics.median(m["tok_s"] for m in mine)
    # The limit is the machine's: what it reached in any of the rounds' neighbourhoods, the median.
    limits = {k: statistics.median(m["limits"][k] for m in mine)
              for k in ("read_gb_s", "huge_gb_s", "int8_tops", "f32_tops")}
    key = key_of(path)
    row = {"model": os.path.basename(path), "test": test, "proctor": speed, "isa": mine[0]["isa"],
           "llama": statistics.median(theirs[best]), "llama_variant": best,
           "target": TARGETS[key][TESTS.index(test)] if key in TARGETS else None,
           "read_target": READ_SHARE.get(key) if test == "tg" else None, "limits": limits,
           "rounds": {"proctor": mine, "llama": theirs}}
    for k in ("read_gb_s", "read_share", "tops", "compute_share"):
        row[k] = statistics.median(m[k] for m in mine)
    row["ratio"] = row["proctor"] / row["llama"]
    return row


def misses(row):
    return (row["target"] is not None and row["ratio"] < row["target"]) or \
        (row["read_target"] is not None and row["read_share"] < row["read_target"])


def table(args, rows):
    lines = ["| model | test | Proctor | llama.cpp | ratio | target | reads GB/s (limit) | of limit "
             "| TOP/s (limits int8, f32) | of limit |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for r in rows:
        target = "-" if r["target"] is None else "%.2f" % r["target"]
        if r["read_target"] is not None:
            target += " and %.0f %% of reading" % (100 * r["read_target"])
        lines.append("| %s | %s | %.1f | %.1f (%s) | **%.2f**%s | %s | %.1f (%.1f) | %.0f %% | "
                     "%.3f (%.3f, %.3f) | %.0f %% |" % (
                         r["model"], TITLES[r["test"]].format(**vars(args)), r["proctor"],
                         r["llama"], r["llama_variant"], r["ratio"],
                         " missed" if misses(r) else "", target, r["read_gb_s"],
                         r["limits"]["read_gb_s"], 100 * r["read_share"], r["tops"],
                         r["limits"]["int8_tops"], r["limits"]["f32_tops"],
                         100 * r["compute_share"]))
    return "\n".join(lines)


def machine():
    with open("/proc/cpuinfo") as f:
        name = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "")
    return "%s, %d CPUs, load %.2f %.2f %.2f" % ((name, os.cpu_count()) + os.getloadavg())


def main():
    args = arguments()
    before, rows = machine(), []
    print("machine: %s; %d threads, medians of %d in turn" % (before, args.threads, args.rounds))
    for path in args.models:
        ours = imported(args, path)
        for test in args.tests:
            rows.append(compare(args, path, ours, test))
    print(table(args, rows))
    print("\nafter: " + machine())
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"before": before, "after": machine(), "arguments": vars(args),
                       "rows": rows}, f, indent=1)
    return 1 if any(misses(r) for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
