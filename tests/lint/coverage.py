#!/usr/bin/env python3
"""Prints the share of lines that the tests ran, per file and per directory: `make coverage`.

Asks gcov about every object of the coverage tree; a header's lines are counted over all of them.
"""
import collections
import glob
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

GCOV = os.environ.get("GCOV", "gcov")
COUNTED = ("lib/", "chapters/", "final/")


def ask(data):
    result = subprocess.run([GCOV, "--json-format", "--stdout", data], text=True, check=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def main():
    tree = sys.argv[1]
    notes = glob.glob(f"{tree}/obj/**/*.gcno", recursive=True)
    if not notes:
        sys.exit(f"coverage: nothing in {tree} was compiled with --coverage (CC must be gcc)")
    lines = collections.defaultdict(lambda: collections.defaultdict(int))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for reports in pool.map(ask, notes):
            for report in reports:
                for file in report["files"]:
                    name = os.path.relpath(file["file"])
                    for line in file["lines"]:
                        lines[name][line["line_number"]] += line["count"]
    totals = collections.defaultdict(lambda: [0, 0])
    for name in sorted(lines):
        if not name.startswith(COUNTED):
            continue
        run, all_lines = sum(1 for count in lines[name].values() if count), len(lines[name])
        for key in (os.path.dirname(name), "all"):
            totals[key][0] += run
            totals[key][1] += all_lines
        print(f"  {name:<44} {run:>6} of {all_lines:>6}  {100 * run / max(all_lines, 1):5.1f} %")
    print()
    for key in sorted(totals, key=lambda name: (name == "all", name)):
        run, all_lines = totals[key]
        print(f"  {key:<44} {run:>6} of {all_lines:>6}  {100 * run / max(all_lines, 1):5.1f} %")


if __name__ == "__main__":
    main()
