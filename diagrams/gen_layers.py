#!/usr/bin/env python3
"""Prints layers.dot: the chapters as a pile, and which one includes headers of which, as the sources say.

A row is a layer, the lowest at the bottom; a dot says that it includes headers of the column's layer. What lies above
a layer it may not include: there the picture has no cell.
"""
import html
import glob
import os
import re
import sys
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def layer_of(path):
    parts = os.path.relpath(path, ROOT).split(os.sep)
    return parts[1] if parts[0] == "chapters" else parts[0]


def files(*endings):
    for place in ("lib", "chapters/*", "final"):
        for ending in endings:
            yield from sorted(glob.glob(os.path.join(ROOT, place, ending)))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def includes():
    """{(layer, layer whose headers it includes)}"""
    owner = {os.path.basename(path): layer_of(path) for path in files("*.h")}
    owner.update({os.path.basename(path)[:-6] + ".pb-c.h": layer_of(path) for path in files("*.proto")})
    edges = set()
    for path in files("*.c", "*.h"):
        for header in re.findall(r'^#include "([^"]+)"', read(path), re.M):
            below = owner.get(header, layer_of(path))
            if below != layer_of(path):
                edges.add((layer_of(path), below))
    return edges


def what_it_is(chapter):
    """The first line of its README says so: "# 04 raft: several nodes, one log"."""
    if chapter == "lib":
        return "lib", "common ground: disk, network, time, bytes"
    if chapter == "final":
        return "final", "the database: cairnd and cairn"
    readme = os.path.join(ROOT, "chapters", chapter, "README.md")
    if not os.path.exists(readme):
        return chapter.replace("-", " "), ""
    heading = read(readme).splitlines()[0].lstrip("# ")
    name, _, text = heading.partition(": ")
    return name, text


def label_of(layer):
    return layer[:2] if layer[0].isdigit() else layer


def row(layer, edges, pile):
    """One layer: its name, and a cell for itself and for each layer below."""
    name, text = what_it_is(layer)
    lines = '<BR ALIGN="LEFT"/>'.join(html.escape(line) for line in textwrap.wrap(text, 34))
    own = pile.index(layer)
    cells = [f'<TD ALIGN="LEFT" BGCOLOR="white"><B>{name}</B><BR ALIGN="LEFT"/>{lines}<BR ALIGN="LEFT"/></TD>']
    for below in pile[:own]:
        cells.append('<TD BGCOLOR="lightblue">\u25cf</TD>' if (layer, below) in edges else "<TD> </TD>")
    if layer != "final":
        cells.append(f'<TD BGCOLOR="lightgray">{label_of(layer)}</TD>')
    cells += ['<TD BORDER="0"> </TD>'] * (len(pile) - own - 2)
    return f"<TR>{''.join(cells)}</TR>"


def main():
    edges = includes()
    chapters = sorted({layer_of(path) for path in files("*.c")} - {"lib", "final"})
    pile = ["lib", *chapters, "final"]
    for above, below in edges:
        if pile.index(below) > pile.index(above):
            sys.exit(f"{above} includes a header of {below}, which lies above it")
    names = "".join(f'<TD BORDER="0" WIDTH="26">{label_of(layer)}</TD>' for layer in pile[:-1])
    rows = [row(layer, edges, pile) for layer in reversed(pile)]
    rows.append(f'<TR><TD BORDER="0" ALIGN="RIGHT">includes headers of</TD>{names}</TR>')
    print("// Drawn by diagrams/gen_layers.py from the #include lines of the sources; do not edit.")
    print('digraph "The layers of Cairn" {')
    print('    pile [shape=plain, style="", label=<<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="2" CELLPADDING="4" COLOR="slategray">')
    print("        " + "\n        ".join(rows))
    print("    </TABLE>>]\n}")


main()
