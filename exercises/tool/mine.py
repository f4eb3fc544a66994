"""The learner's functions in programs that run: a chapter's node, and the cluster.

What takes part has passed: a chapter of which all steps passed as its files lie there; of any other the
functions of the steps that passed, with the reference's in the place of the rest. An edit voids a pass.
"""
import os
import re
import shlex
import shutil
import sys
import textwrap

import cfile
import learner
from chapter import BUILD, WORK, Chapter, Trouble, read, with_holes, write
from overlay import Overlay, build


class Share:
    """What of one chapter is the learner's: files, and the words that say so."""

    def __init__(self, chapter):
        self.chapter, self.files = chapter, {}
        steps = learner.passed_steps(chapter)
        self.holes = [hole for hole in chapter.holes if hole.step in steps]
        if not steps:
            again = f"make grade CH={chapter.number}"
            self.words = (f"the reference's: your files were edited since they passed; {again}"
                          if learner.edited_since(chapter) else f"the reference's: no step of yours has passed; {again}")
            return
        self.files = learner.sources_of(chapter)
        rest = [step for step in chapter.steps if step not in steps]
        if rest:
            self.fill_in(rest)
        own = " ".join(hole.function for hole in self.holes)
        self.words = f"yours, {spoken(steps) if rest else 'every step'}: {own}" + \
            (f"; {spoken(rest)}: the reference's" if rest else "")

    def fill_in(self, rest):
        """The reference's functions in place of the steps that have not passed."""
        for name, path in self.files.items():
            text = read(path)
            for hole in self.chapter.holes:
                if hole.step in rest and hole.file == name:
                    text = cfile.splice(text, hole.function, self.chapter.solution(hole), path)
            if text != read(path):
                self.files[name] = f"{WORK}/mine/{self.chapter.name}/{name}"
                write(self.files[name], text)


def spoken(steps):
    return ("step " if len(steps) == 1 else "steps ") + " ".join(map(str, steps))


def shares(upto=None):
    """Of every chapter that was begun, up to the one named."""
    begun = [Chapter(name) for name in with_holes() if upto is None or name <= upto]
    return [Share(chapter) for chapter in begun if os.path.isdir(chapter.learner)]


def described(share):
    return textwrap.wrap(f"{share.chapter.name:<12} {share.words}", 98, subsequent_indent=" " * 13)


def banner(taken, more):
    lines = [line for share in taken for line in described(share)]
    lines.append("all else: the reference's")
    print("\n".join("  " + line for line in lines + more), file=sys.stderr)


def some(taken):
    sources = {share.chapter.name: share.files for share in taken if share.files}
    if not sources:
        raise Trouble("nothing of yours has passed, so there is nothing of yours to run: make progress")
    return sources


def linked(tag, sources, program, *others):
    build([program, *others])
    return Overlay(tag, sources, "plain").link(program)


def fraction(text):
    """MINE=1: all nodes; MINE=1/3: the first of three. (mine, all) or (None, None)."""
    if text == "1":
        return None, None
    match = re.fullmatch(r"(\d+)/(\d+)", text or "")
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= 9:
        raise Trouble("MINE=1: your functions in every node; MINE=1/3: in one node of three")
    return int(match[1]), int(match[2])


def choose(folder, name, own, reference, share):
    """A program that becomes the learner's for nodes 1 to share, the reference's for all others."""
    path = f"{folder}/{name}"
    write(path, '#!/bin/sh\n# Nodes whose functions are the learner\'s, and the others.\nfor word in "$@"; do\n'
          '    case "$word" in\n' +
          f'    {"|".join(f"--node-id={node}" for node in range(1, share + 1))}) exec "{os.path.abspath(own)}" "$@" ;;\n'
          f'    esac\ndone\nexec "{os.path.abspath(reference)}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def node(chapter_name, given):
    """Prints how `make node` is to be called; the banner goes to the terminal."""
    share, _ = fraction(given["MINE"])
    taken = shares(chapter_name)
    sources = some(taken)
    data = f"data/mine/{chapter_name}"
    program = f"{chapter_name}/node"
    own = linked(f"mine/{chapter_name}", sources, program)
    if share:
        own = choose(f"{WORK}/mine/{chapter_name}", "some-nodes", own, f"{BUILD}/{program}", share)
    arguments = given.get("ARGS", "")
    if not os.path.exists(f"chapters/{chapter_name}/run") and "--data=" in read(f"chapters/{chapter_name}/node.c") \
            and "--data" not in arguments and "--client" not in arguments:
        os.makedirs(os.path.dirname(data), exist_ok=True)
        arguments = f"--data={data} {arguments}".strip()
    banner(taken, [f"data in {data}"] if data in arguments else [])
    print(f"NODE_PROGRAM={own} DATA={data} ARGS={shlex.quote(arguments)}")


def own_engine(sources):
    """The engine on which the learner's functions of chapter 02 carry the cluster."""
    files = " ".join(hole.file for share in sources for hole in share.holes)
    if re.search(r"\b(lsm|sstable|block|bloom|engine_lsm)", files):
        return "lsm"
    return "btree" if "btree" in files else ""


def cluster(given):
    """The same for `make run`."""
    share, nodes = fraction(given["MINE"])
    taken = shares()
    sources = some(taken)
    engine = given.get("ENGINE") or own_engine([s for s in taken if s.files and s.chapter.number == "02"])
    directory = given.get("DIR") or "data/mine" + (f"-{engine}" if engine else "")
    own = linked("mine/run", sources, "cairnd", "cairn")
    folder = os.path.dirname(own)
    shutil.copy(f"{BUILD}/cairn", f"{folder}/cairn.new")
    os.replace(f"{folder}/cairn.new", f"{folder}/cairn")  # one that runs cannot be written over
    if share:
        os.replace(own, f"{folder}/cairnd.mine")
        os.remove(own + ".key")
        choose(folder, "cairnd", f"{folder}/cairnd.mine", f"{BUILD}/cairnd", share)
    more = [f"nodes 1 to {share} of {nodes} are yours, the others the reference's" if share and share > 1 else
            f"node 1 of {nodes} is yours, the others are the reference's"] if share else []
    banner(taken, [*more, f"engine {engine or 'rocksdb'}, data in {directory}"])
    print(f"BIN={folder} DIR={directory} ENGINE={engine}" + (f" NODES={nodes}" if nodes else ""))
