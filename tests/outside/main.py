"""A database watched from outside: random operations through the command line, each in a process of its own,
compared with a model after each of them.

    main.py BINARY FOLDER --seconds 60 --seed 7 --workers 2     random operations
    main.py BINARY FOLDER --replay FOLDER/w0/operations.jsonl   the same ones again

On a difference the folder is kept, with the list of operations; the list is made shorter while it still shows one.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path
from random import Random

from choose import Chooser
from compare import Compare
from generate import Facts
from operations import Database
from process import Binary, Difference

SHRINK_SECONDS = 60
# A database begins anew after so many operations.
LIFE_OPERATIONS = 150


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--worker", type=int)
    options = parser.parse_args()
    if options.replay:
        operations = [json.loads(line) for line in options.replay.read_text().splitlines()]
        difference = replay(options.binary, options.folder, operations)
        print(difference or "no difference")
        return 1 if difference else 0
    if options.worker is not None:
        return worker(options)
    command = [sys.executable, "-B", __file__, options.binary, str(options.folder), "--seconds", str(options.seconds)]
    children = [
        subprocess.Popen([*command, "--seed", str(options.seed * 1_000 + number), "--worker", str(number)])
        for number in range(options.workers)
    ]
    return max(abs(child.wait()) for child in children)


def worker(options):
    """Lives of databases, one after the other, until the time is over."""
    deadline, life, total = time.monotonic() + options.seconds, 0, {}
    while time.monotonic() < deadline:
        folder = options.folder / f"w{options.worker}-life{life}"
        folder.mkdir(parents=True)
        random = Random(f"{options.seed}/{life}")
        database = new_database(options.binary, folder)
        chooser = Chooser(random)
        database.compare.facts = chooser.generator.facts
        if not live(database, chooser, folder, deadline, options):
            return 1
        for key, value in figures(database).items():
            total[key] = total.get(key, 0) + value
        shutil.rmtree(folder)
        life += 1
    total["databases"] = life
    print(json.dumps({"seed": options.seed, **total}), flush=True)
    return 0


def new_database(binary, folder):
    binary = Binary(binary)
    return Database(binary, Compare(binary, Facts()), folder)


def figures(database):
    return {**database.counts, "comparisons": database.compare.count, "processes": database.binary.runs}


def live(database, chooser, folder, deadline, options):
    """One life. False when it ended with a difference."""
    done, difference = [], None
    with open(folder / "operations.jsonl", "w", encoding="utf-8") as log:
        for _ in range(LIFE_OPERATIONS):
            if time.monotonic() > deadline:
                break
            operation = chooser.next(database.world)
            log.write(json.dumps(operation) + "\n")
            log.flush()
            done.append(operation)
            difference = attempt(database, operation)
            if difference:
                break
        difference = difference or attempt(database, None)
        if difference:
            report(options, folder, done, difference, database)
    return not difference


def attempt(database, operation):
    """Carries out an operation, or the end of a life; the difference as text, if there is one."""
    try:
        database.apply(operation) if operation else database.finish()
        return None
    except Difference as difference:
        return str(difference)
    except Exception:
        return "the model failed: " + traceback.format_exc()


def report(options, folder, done, difference, database):
    lines = [f"DIFFERENCE, seed {options.seed}, {folder.name}, after {len(done)} operations in {folder}"]
    lines += ["  " + brief(operation) for operation in done[-10:]]
    lines.append(difference)
    print("\n".join(lines), flush=True)
    (folder / "difference.txt").write_text("\n".join(lines))
    shorter = shrink(options.binary, folder / "shrink", done, kind_of(difference))
    path = folder / "shortest.jsonl"
    path.write_text("".join(json.dumps(operation) + "\n" for operation in shorter))
    print(f"  {len(shorter)} of {len(done)} operations still show a difference; again: {Path(__file__).name} "
          f"{options.binary} {folder}/again --replay {path}", flush=True)


def brief(operation):
    text = json.dumps({key: value for key, value in operation.items() if key not in ("files", "rename")}, ensure_ascii=False)
    lines = sum(len(part) for part, _ in operation.get("files", []))
    return text[:300] + (f" ({lines} lines)" if lines else "")


def replay(binary, folder, operations):
    """Carries out operations on a new database; the difference, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    database = new_database(binary, folder)
    for operation in operations:
        difference = attempt(database, operation)
        if difference:
            return difference
    return attempt(database, None)


def kind_of(difference):
    """What a difference is about, without its ids and numbers."""
    return difference.split("\n")[0].split("'")[0][:20]


def shrink(binary, folder, operations, kind):
    """Leaves out operations while a difference of the kind stays, for a while."""
    deadline, size = time.monotonic() + SHRINK_SECONDS, max(len(operations) // 2, 1)
    while time.monotonic() < deadline:
        at = 0
        while at < len(operations) - 1 and time.monotonic() < deadline:
            fewer = operations[:at] + operations[min(at + size, len(operations) - 1):]
            if len(fewer) < len(operations) and kind_of(replay(binary, folder, fewer) or "") == kind:
                operations = fewer
            else:
                at += size
        if size == 1:
            break
        size = max(size // 2, 1)
    shutil.rmtree(folder, ignore_errors=True)
    return operations


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
