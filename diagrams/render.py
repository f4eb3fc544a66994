#!/usr/bin/env python3
"""Renders the course's diagrams: diagrams/NAME.dot becomes diagrams/NAME.svg. `make diagrams` calls it.

    make diagrams                  all of them; the generated sources are drawn anew first
    make diagrams ONLY=wal-batch   one

To add a diagram:
  1. Write diagrams/my-idea.dot in plain Graphviz. Leave fonts, sizes, line widths and arrow heads
     out: the defaults below are everybody's. Layout (rankdir, rank=same, clusters) is yours.

         digraph "A write, from the prompt to the disk" {
             rankdir=LR
             prompt [label="put a 1"]
             log    [label="log", fillcolor=palegreen]
             prompt -> log [label="append, sync"]
         }

  2. `make diagrams ONLY=my-idea`, look at it in a browser, commit the .dot and the .svg.
  3. In a lesson: ![What it shows, in a sentence](../../diagrams/my-idea.svg)

Colours are those of PALETTE, by their Graphviz names; each has a light and a dark form, and the
picture follows the reader's theme on a background of its own. A colour may underline a meaning,
never carry it: write the word, or use style=dashed, too. Code and bytes are set in
fontname="DejaVu Sans Mono". A picture wider than WIDTH_MAX would be shrunk on the page, and is refused.

A diagram that is drawn from the source or from a run has a program beside it, gen_NAME.py, which
prints NAME.dot. Both NAME.dot and NAME.svg are committed; tests/diagrams/run draws them again.

The SVG says in a comment which source it was made from and how the Graphviz at hand measures text, so
that the test knows on another machine whether bytes can be compared. Python's library only.
"""
import hashlib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH_MAX = 960  # CSS pixels
LABEL_SHIFT = 4  # points

DEFAULTS = {
    "G": {"bgcolor": "snow", "color": "slategray", "style": "rounded", "fontname": "DejaVu Sans", "fontsize": "12",
          "pad": "0.15", "nodesep": "0.3", "ranksep": "0.45"},
    "N": {"shape": "box", "style": "rounded,filled", "fillcolor": "white", "color": "slategray", "penwidth": "1.1",
          "fontname": "DejaVu Sans", "fontsize": "11", "height": "0.35", "margin": "0.13,0.07"},
    "E": {"color": "slategray", "arrowsize": "0.7", "penwidth": "1.1", "fontname": "DejaVu Sans", "fontsize": "10"},
}

# name: (in a light theme, in a dark theme)
PALETTE = {
    "snow": ("#ffffff", "#1b2028"),        # the background
    "white": ("#f6f8fa", "#2a313c"),       # a thing like any other
    "lightgray": ("#dfe3e8", "#3d4653"),   # old, at rest, not of interest
    "lightblue": ("#d3e5fb", "#1f4468"),   # what the picture is about
    "lightyellow": ("#fdf1c4", "#55481a"),  # in memory, in motion
    "palegreen": ("#d3f0d8", "#1f4d33"),   # durable, agreed, done
    "mistyrose": ("#fbdcd8", "#5f2b2b"),   # lost, damaged, refused
    "black": ("#1f2328", "#e6e9ee"),       # text
    "dimgray": ("#57606a", "#a9b3bf"),     # remarks
    "slategray": ("#6e7781", "#8b96a3"),   # lines
    "royalblue": ("#0b5cad", "#79b8ff"),   # an emphasized line
    "firebrick": ("#b3261e", "#ff9a8f"),   # a line that goes wrong
    "seagreen": ("#1a7f37", "#6fd38c"),    # a line that goes well
}

# What is drawn with DejaVu fits in Verdana and Menlo, too, which are as wide, and in all else.
FONTS = {
    "DejaVu Sans": "'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif",
    "DejaVu Sans Mono": "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace",
}

PROBE = 'digraph probe { a [label="The WAL of 1,024 quick foxes"]; b [fontname="DejaVu Sans Mono", label="jumps"]; a -> b [label="over"] }'


class Refused(Exception):
    """The diagram cannot be rendered; the text says why, for the author."""


def style_sheet():
    def rules(theme):
        lines = [f"text{{fill:{PALETTE['black'][theme]}}}"]
        for name, forms in PALETTE.items():
            lines.append(f'[fill="{name}"]{{fill:{forms[theme]}}}[stroke="{name}"]{{stroke:{forms[theme]}}}')
        return "".join(lines)
    return f"<style>{rules(0)}@media (prefers-color-scheme:dark){{{rules(1)}}}</style>"


def dot(source):
    """The SVG as Graphviz writes it, with everybody's defaults."""
    flags = [f"-{kind}{key}={value}" for kind, pairs in DEFAULTS.items() for key, value in pairs.items()]
    result = subprocess.run(["dot", "-Tsvg", *flags], input=source, text=True, capture_output=True)
    if result.returncode != 0:
        raise Refused(result.stderr.strip() or f"dot ended with {result.returncode}")
    if "syntax" in result.stderr or "Error" in result.stderr:
        raise Refused(result.stderr.strip())
    return result.stdout


def plain(svg):
    """Without what says who drew it when, and without the tooltip of every node."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.S)
    head, body = svg.split("<title>", 1)
    title, body = body.split("</title>", 1)
    body = re.sub(r"<title>.*?</title>\n?", "", body, flags=re.S)
    return head, title, body


def with_clear_labels(body):
    """Graphviz sets an edge's label right against the line: move it off."""
    def moved(match):
        return re.sub(r'(<text [^>]*?\bx=")(-?[\d.]+)', lambda text: f"{text.group(1)}{float(text.group(2)) + LABEL_SHIFT:.2f}",
                      match.group(0))
    return re.sub(r'<g id="[^"]*" class="edge">.*?</g>', moved, body, flags=re.S)


def measure():
    """A name for the way in which the Graphviz and the fonts of this machine draw; None: there is no Graphviz."""
    try:
        return hashlib.sha256(dot(PROBE).split("-->")[-1].encode()).hexdigest()[:12]
    except (FileNotFoundError, Refused):
        return None


def source_hash(source):
    return hashlib.sha256(source.encode()).hexdigest()


def check_colours(svg):
    for colour in sorted(set(re.findall(r'(?:fill|stroke)="([^"]*)"', svg)) - {"none", "transparent"}):
        if colour not in PALETTE:
            raise Refused(f"colour {colour} is not in the palette: {', '.join(PALETTE)}")


def check_fonts(svg):
    for font in sorted(set(re.findall(r'font-family="([^"]*)"', svg))):
        if font not in FONTS:
            raise Refused(f"font {font}: leave fontname out, or set \"DejaVu Sans Mono\"")


def render(source, name, measured):
    """The committed form of a diagram, as text."""
    head, title, body = plain(dot(source))
    check_colours(body)
    check_fonts(body)
    size = re.search(r'<svg width="(\d+)pt" height="(\d+)pt"', head)
    width, height = (round(int(points) * 96 / 72) for points in size.groups())
    if width > WIDTH_MAX:
        raise Refused(f"{width} pixels wide, more than {WIDTH_MAX}: break lines in labels, or try another rankdir")
    head = head.replace(size.group(0), f'<svg role="img" width="{width}" height="{height}"')
    head = head.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    for font, family in FONTS.items():
        body = body.replace(f'font-family="{font}"', f'font-family="{family}"')
    body = with_clear_labels(body)
    group = head.index("<g ")
    return (f"<!-- Rendered by `make diagrams` from {name}.dot; do not edit. source={source_hash(source)} "
            f"measure={measured} -->\n{head[:group]}<title>{title if title != '%3' else name}</title>\n{style_sheet()}\n"
            f"{head[group:]}{body}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def names():
    return sorted(name[:-4] for name in os.listdir(HERE) if name.endswith(".dot"))


def generators():
    return sorted(name[4:-3] for name in os.listdir(HERE) if name.startswith("gen_") and name.endswith(".py"))


def generate(name):
    """What gen_NAME.py prints."""
    result = subprocess.run([sys.executable, "-B", os.path.join(HERE, f"gen_{name}.py")], text=True, capture_output=True)
    if result.returncode != 0:
        raise Refused(f"gen_{name}.py ended with {result.returncode}:\n{result.stderr.strip()}")
    return result.stdout


def write(path, text):
    if not os.path.exists(path) or read(path) != text:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        print(f"  DRAW  {os.path.relpath(path)}")


def main():
    wanted = sys.argv[1:]
    measured = measure()
    if measured is None:
        sys.exit("diagrams: there is no Graphviz here; `make diagrams` installs it")
    failed = False
    known = sorted(set(names()) | set(generators()))
    for name in wanted or known:
        name = os.path.basename(name).removesuffix(".dot").removesuffix(".svg")
        try:
            if name not in known:
                raise Refused(f"there is no diagrams/{name}.dot; there are: {', '.join(known)}")
            if name in generators():
                write(os.path.join(HERE, name + ".dot"), generate(name))
            write(os.path.join(HERE, name + ".svg"), render(read(os.path.join(HERE, name + ".dot")), name, measured))
        except Refused as problem:
            print(f"diagrams/{name}: {problem}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
