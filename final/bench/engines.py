#!/usr/bin/env python3
"""The four engines side by side: `make bench-engines`. Runs engine_bench for each, prints a table, draws a chart.

    make bench-engines                          build/bench/engines.tsv and .svg, the table on the screen
    make bench-engines ARGS=--publish           also diagrams/engines.tsv, diagrams/engines.svg and the table in lesson 8
    make bench-engines ARGS="--engines=lsm,btree --keys=200000 --buffer=33554432"

The defaults are chosen so that the data are several times as large as cache and write buffer: an engine
shows what it is when something does not fit. Python's library only.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "diagrams"))
from render import style_sheet  # noqa: E402  (the path is set above)

LESSON = "chapters/02-engines/8-rocksdb.md"
OPEN, CLOSE = "<!-- bench: engines -->", "<!-- end of bench -->"
SPEED, WRITTEN, KEPT = "ops/s", "bytes written for each given", "bytes on disk for each alive"
# (what engine_bench calls it, unit, in the table, above its panel of the chart)
COLUMNS = [
    ("fill sequential", SPEED, "fill, in order", "fill in order, keys/s"),
    ("fill random", SPEED, "fill, random", "fill in random order, keys/s"),
    ("point get", SPEED, "point get", "point get, keys/s"),
    ("scan", SPEED, "scan", "scan, keys/s"),
    ("mixed", SPEED, "mixed", "half gets, half overwrites, operations/s"),
    ("fill random", WRITTEN, "written, fill", "random fill: bytes written for each byte given"),
    ("mixed", WRITTEN, "written, mixed", "mixed: bytes written for each byte given"),
    ("mixed", KEPT, "on disk", "after that: bytes on disk for each byte alive"),
]
COLOURS = {"mem": "lightgray", "lsm": "palegreen", "btree": "lightblue", "rocksdb": "lightyellow"}


def machine():
    model = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = re.search(r"model name\s*: (.*)", file.read()).group(1)
    except (OSError, AttributeError):
        pass
    return f"{os.cpu_count()} cores, {model}, load average {os.getloadavg()[0]:.1f} when it began"


def measure(options):
    """Lines of engine_bench: (engine, what, value, unit)."""
    found = []
    os.makedirs(options.dir, exist_ok=True)
    for engine in options.engines.split(","):
        scratch = tempfile.mkdtemp(prefix="cairn-engines-", dir=options.dir)
        command = [options.bench, "--tsv", f"--engine={engine}", f"--keys={options.keys}", f"--value={options.value}",
                   f"--buffer={options.buffer}", f"--cache={options.cache}", f"--dir={scratch}"]
        print(f"  {engine} ...", file=sys.stderr, flush=True)
        try:
            done = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if done.returncode != 0:
            sys.exit(f"bench-engines: {' '.join(command)} ended with {done.returncode}")
        found += [tuple(line.split("\t")) for line in done.stdout.splitlines()]
    return [(engine, what, float(value), unit) for engine, what, value, unit in found]


def conditions(options):
    mib = 1 << 20
    return (f"{options.keys:,} keys of 16 bytes with values of {options.value} bytes; write buffer {options.buffer // mib} MiB, "
            f"cache {options.cache // mib} MiB; {machine()}.")


# ---- the file of the data ------------------------------------------------------------------------------

def to_tsv(said, rows):
    return "".join([f"# {said}\n", *(f"{engine}\t{what}\t{value:.6g}\t{unit}\n" for engine, what, value, unit in rows)])


def from_tsv(text):
    lines = text.splitlines()
    cells = [line.split("\t") for line in lines if not line.startswith("#")]
    return lines[0][2:], [(engine, what, float(value), unit) for engine, what, value, unit in cells]


def value_of(rows, engine, what, unit):
    return next((value for e, w, value, u in rows if (e, w, u) == (engine, what, unit)), None)


def engines_of(rows):
    return list(dict.fromkeys(engine for engine, *_ in rows))


def short(value, unit):
    if value is None:
        return ""
    if unit != SPEED:
        return f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return f"{value / 1e6:.1f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"


# ---- the table -----------------------------------------------------------------------------------------

def table(said, rows):
    engines = engines_of(rows)
    lines = ["| | " + " | ".join(engines) + " |", "|---|" + "---:|" * len(engines)]
    for what, unit, name, _ in COLUMNS:
        name += " (per second)" if unit == SPEED else " (bytes for each byte)"
        lines.append(f"| {name} | " + " | ".join(short(value_of(rows, e, what, unit), unit) for e in engines) + " |")
    return "\n".join([*lines, "", said])


def publish_table(text):
    path = os.path.join(ROOT, LESSON)
    with open(path, encoding="utf-8") as file:
        page = file.read()
    before, _, rest = page.partition(OPEN)
    _, close, after = rest.partition(CLOSE)
    if not close:
        sys.exit(f"bench-engines: {LESSON} has no {OPEN} .. {CLOSE}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{OPEN}\n{text}\n{CLOSE}{after}")


# ---- the chart -----------------------------------------------------------------------------------------

PANEL_WIDTH, BAR_HEIGHT, BAR_STEP, LABEL, BAR_MAX = 460, 15, 20, 70, 290
FONT = "font-family=\"'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif\""


def panel(x, y, column, rows):
    what, unit, _, title = column
    engines = engines_of(rows)
    top = max(value_of(rows, engine, what, unit) or 0 for engine in engines) or 1
    lines = [f'<text x="{x}" y="{y + 12}" {FONT} font-size="12" font-weight="bold">{title}</text>']
    for i, engine in enumerate(engines):
        value, at = value_of(rows, engine, what, unit) or 0, y + 22 + i * BAR_STEP
        width = max(1, round(value / top * BAR_MAX))
        lines += [f'<text x="{x + LABEL - 8}" y="{at + 12}" text-anchor="end" {FONT} font-size="11">{engine}</text>',
                  f'<rect x="{x + LABEL}" y="{at}" width="{width}" height="{BAR_HEIGHT}" '
                  f'fill="{COLOURS.get(engine, "white")}" stroke="slategray"/>',
                  f'<text x="{x + LABEL + width + 6}" y="{at + 12}" {FONT} font-size="11">{short(value, unit)}</text>']
    return lines


def chart(said, rows):
    step = 34 + BAR_STEP * len(engines_of(rows))
    height = 20 + (len(COLUMNS) + 1) // 2 * step
    lines = [f'<svg role="img" width="940" height="{height}" viewBox="0 0 940 {height}" xmlns="http://www.w3.org/2000/svg">',
             f"<title>The engines side by side: {said}</title>", style_sheet(),
             f'<rect x="0" y="0" width="940" height="{height}" fill="snow" stroke="none"/>']
    for i, column in enumerate(COLUMNS):
        lines += panel(14 + i % 2 * PANEL_WIDTH, 14 + i // 2 * step, column, rows)
    return "\n".join([*lines, "</svg>", ""])


def save(folder, said, rows):
    os.makedirs(folder, exist_ok=True)
    for extension, text in (("tsv", to_tsv(said, rows)), ("svg", chart(said, rows))):
        with open(os.path.join(folder, f"engines.{extension}"), "w", encoding="utf-8") as file:
            file.write(text)


def main():
    parser = argparse.ArgumentParser(prog="make bench-engines", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/bench/engine_bench", help=argparse.SUPPRESS)
    parser.add_argument("--dir", default="build/bench", help="where the stores are made, and removed")
    parser.add_argument("--engines", default="mem,lsm,btree,rocksdb")
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--value", type=int, default=100, help="bytes")
    parser.add_argument("--buffer", type=int, default=8 << 20, help="write buffer, bytes")
    parser.add_argument("--cache", type=int, default=16 << 20, help="bytes")
    parser.add_argument("--publish", action="store_true", help="into diagrams/ and lesson 8")
    parser.add_argument("--draw", action="store_true", help="measure nothing: table and chart of diagrams/engines.tsv anew")
    options = parser.parse_args()
    os.chdir(ROOT)
    if options.draw:
        with open("diagrams/engines.tsv", encoding="utf-8") as file:
            said, rows = from_tsv(file.read())
    else:
        said = conditions(options)
        rows = measure(options)
        save("build/bench", said, rows)
    text = table(said, rows)
    if options.publish or options.draw:
        save("diagrams", said, rows)
        publish_table(text)
    print(text)


if __name__ == "__main__":
    main()
