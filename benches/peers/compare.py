#!/usr/bin/env python3
"""Tracehouse beside SQLite, DuckDB, chDB and MLflow: the same traces, the same questions, one run.

    python3 benches/peers/compare.py --harness DIR [--scales 10000,100000] [--peers ours,sqlite,duckdb,chdb]
        [--work DIR] [--python PYTHON] [--rounds 5] [--load otlp|parquet|reuse] [--phases cold,query,append,mutate]

`DIR` holds the workload generator (`gen.py`) and the harness (`run.py`) with the other databases'
adapters; `PYTHON` has their packages. The harness makes sure that all answers are equal before it times
them and asks the databases in turn. This script builds `tracehouse-peer`, makes the data that is missing,
runs each scale and writes to `--work`:

* `results-SCALE.json`, as the harness measured;
* `compare.md`: its tables, then what follows from them: for each peer the geometric mean of its times over ours,
  our time over the best peer's for each row, and our times at each scale over those at the scale before it.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = "ours"


def times(result):
    """Seconds by row and database, answers that were wrong or missing left out."""
    rows = {**result["query"]}
    rows.update(result["mutate"])
    rows.update({f"after mutations: {name}": row for name, row in result["after"].items()})
    if result["append"]:
        rows["append"] = result["append"]
    return {
        name: {peer: cell["s"] for peer, cell in row.items() if cell.get("s") and "WRONG" not in cell.get("note", "")}
        for name, row in rows.items()
    }


def geometric_means(result):
    """For each peer: how many times longer than ours its queries take, and over how many rows."""
    rows = [row for name, row in times(result).items() if name in result["query"]]
    lines = ["| peer | time / ours, geometric mean | rows |", "|---|---|---|"]
    for peer in result["cold"]:
        ratios = [row[peer] / row[OURS] for row in rows if peer in row and OURS in row]
        if peer != OURS and ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            lines.append(f"| {peer} | {mean:.2f} | {len(ratios)} |")
    return lines


def beside_best(result):
    """Our time over that of the best other database, row by row."""
    lines = ["| row | ours, ms | best other | ours / best |", "|---|---|---|---|"]
    for name, row in times(result).items():
        others = {peer: seconds for peer, seconds in row.items() if peer != OURS}
        if OURS in row and others:
            best = min(others, key=others.get)
            ratio = row[OURS] / others[best]
            lines.append(f"| {name} | {row[OURS] * 1e3:.3g} | {best} {others[best] * 1e3:.3g} | {ratio:.2f} |")
    return lines


def growth(results):
    """Our times by scale, and each over the one before."""
    scales = sorted(results)
    lines = ["| row | " + " | ".join(f"{scale} traces, ms" for scale in scales) + " |", "|---" * (len(scales) + 1) + "|"]
    by_scale = [times(results[scale]) for scale in scales]
    for name in by_scale[0]:
        cells, before = [], None
        for rows in by_scale:
            seconds = rows.get(name, {}).get(OURS)
            ratio = f" ({seconds / before:.2f}x)" if seconds and before else ""
            cells.append(f"{seconds * 1e3:.3g}{ratio}" if seconds else "")
            before = seconds
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def measure(options, scale, environment):
    """One run of the harness; its table and figures."""
    harness, work = options.harness.resolve(), options.work
    if not (work / "data" / str(scale) / "manifest.json").exists():
        subprocess.run([options.python, "gen.py", "--scale", str(scale)], cwd=harness, env=environment, check=True)
    out = work / f"results-{scale}.json"
    command = [options.python, "run.py", "--scale", str(scale), "--peers", options.peers, "--keep", "--out", str(out)]
    command += ["--load", options.load, "--rounds", str(options.rounds), "--phases", options.phases]
    run = subprocess.run(command, cwd=harness, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout, json.loads(out.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", type=pathlib.Path, required=True)
    parser.add_argument("--scales", default="10000,100000")
    parser.add_argument("--peers", default="ours,sqlite,duckdb,chdb")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target" / "peers")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--load", default="otlp", choices=["otlp", "parquet", "reuse"])
    parser.add_argument("--phases", default="cold,query,append,mutate")
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cargo", "build", "--release", "--locked", "-p", "tracehouse-peer"], cwd=ROOT, check=True)
    binary = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    environment = dict(os.environ, BENCH_DIR=str(options.work), OURS_BIN=f"{binary}/release/tracehouse-peer")
    results, page = {}, []
    for scale in map(int, options.scales.split(",")):
        table, results[scale] = measure(options, scale, environment)
        page += [table, "", *geometric_means(results[scale]), "", *beside_best(results[scale]), ""]
    if len(results) > 1:
        page += growth(results)
    text = "\n".join(page) + "\n"
    (options.work / "compare.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
