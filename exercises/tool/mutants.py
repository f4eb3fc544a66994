"""Mutants prove that the tests are not too weak, alternates that they are not too strong.

A patch on the chapter's source: its first line is a sentence (what a mutant does wrong, how an alternate
differs), the second says what a user would lose, or why it is right. Each is compiled as an overlay, as a
learner's files are. A verdict depends on the patch, the files and the suites; the table in
exercises/MUTANTS.md holds the hash of these, so that what has not changed is not run again. The test that
caught a mutant last time goes first, then those of the step whose file is changed.
"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grading
from chapter import WORK, Chapter, Trouble, read, with_holes, write
from overlay import CORES, Overlay, build_reference

TABLE = "exercises/MUTANTS.md"


class Patch:
    def __init__(self, chapter, path):
        self.chapter, self.path = chapter, path
        self.kind = os.path.basename(os.path.dirname(path))[:-1]  # mutant or alternate
        self.name = os.path.basename(path)[:-len(".patch")]
        text = read(path)
        head = re.split(r"^--- ", text, maxsplit=1, flags=re.M)[0].strip().splitlines()
        if len(head) < 2:
            raise Trouble(f"{path}: opens with two lines, a sentence and what a user would lose")
        self.title, self.loss = head[0], " ".join(line.strip() for line in head[1:] if line.strip())
        touched = re.findall(r"^\+\+\+ b/(\S+)", text, re.M)
        self.files = [name[len(chapter.source) + 1:] for name in touched]
        if not touched or not all(re.fullmatch(rf"{re.escape(chapter.source)}/\w+\.[ch]", name) for name in touched):
            raise Trouble(f"{path}: changes C files and headers of {chapter.source}, nothing else")
        self.hash = self.hash_of(text)
        self.verdict = self.test = self.killer = None

    def hash_of(self, text):
        digest = hashlib.sha256(text.encode())
        for path in [f"{self.chapter.source}/{name}" for name in self.files] + \
                sorted(glob.glob(f"tests/{self.chapter.name}/*.[ch]")):
            digest.update((read(path).encode() if os.path.exists(path) else b"") + b"\0")
        return digest.hexdigest()[:12]

    @property
    def key(self):
        return (self.chapter.name, self.kind, self.name)

    @property
    def good(self):
        return self.verdict == {"mutant": "caught", "alternate": "passes"}[self.kind]

    def apply(self, folder):
        """The patched files, by name."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(f"{folder}/{self.chapter.source}")
        for name in self.files:
            if os.path.exists(f"{self.chapter.source}/{name}"):
                shutil.copyfile(f"{self.chapter.source}/{name}", f"{folder}/{self.chapter.source}/{name}")
        done = subprocess.run(["patch", "-p1", "-s", "-d", folder], input=read(self.path), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise Trouble(f"{self.path} does not apply:\n{done.stdout}")
        return {name: f"{folder}/{self.chapter.source}/{name}" for name in self.files}

    def judge(self):
        tag = f"{self.kind}/{self.chapter.name}/{self.name}"
        try:
            overlay = Overlay(tag, {self.chapter.name: self.apply(f"{WORK}/{tag}/src")})
            self.test = self.first_red(overlay)
        except Trouble as trouble:
            self.verdict, self.test = str(trouble), ""
            return
        self.verdict = {"mutant": ("survives", "caught"), "alternate": ("passes", "fails")}[self.kind][self.test != ""]
        shutil.rmtree(f"{WORK}/{tag}", ignore_errors=True)

    def first_red(self, overlay):
        """The sentence of a test that is red; "" if there is none."""
        steps = {hole.step for hole in self.chapter.holes if hole.file in self.files}
        tests = sorted(grading.tests_of(self.chapter),
                       key=lambda test: (test.sentence != self.killer, test.step not in steps))
        for test in tests:
            test.program = overlay.link(f"tests/{test.suite}")
            test.run()
            if not test.passed:
                return test.sentence
        return ""


def patches_of(chapter):
    return [Patch(chapter, path) for kind in ("mutants", "alternates")
            for path in sorted(glob.glob(f"{chapter.exercise}/{kind}/*.patch"))]


def known_verdicts():
    """(chapter, kind, name) -> its lines in the table, as (hash, verdict, test). Where two branches
    have each judged, both of their lines are there."""
    known, chapter = {}, None
    for line in read(TABLE).splitlines() if os.path.exists(TABLE) else []:
        if line.startswith("## "):
            chapter = line[3:].strip()
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[1] in ("mutant", "alternate"):
            known.setdefault((chapter, cells[1], cells[0]), []).append((cells[5].strip("`"), cells[3], cells[4]))
    return known


def recall(patches, known, afresh=False):
    """Takes over what the table knows; returns those that have to be judged."""
    for patch in patches:
        for line_hash, verdict, test in known.get(patch.key, []):
            patch.killer = test
            if line_hash == patch.hash and not afresh:
                patch.verdict, patch.test = verdict, test
    return [patch for patch in patches if not patch.good]


def table(patches):
    lines = ["# Mutants and alternates", "",
             "A mutant is a bug that somebody might write; a graded test has to catch it. An alternate is another right",
             "way; every graded test has to pass it. Written by `make mutants`; a verdict holds for the patch, the",
             "files and the suites with the hash in its line.", ""]
    for name in sorted({patch.chapter.name for patch in patches}):
        of_chapter = [patch for patch in patches if patch.chapter.name == name]
        lines += [f"## {name}", "", "| patch | kind | what it does | verdict | by the test | hash |",
                  "|---|---|---|---|---|---|"]
        lines += [f"| {p.name} | {p.kind} | {p.title} {p.loss} | {p.verdict} | {p.test} | `{p.hash}` |"
                  for p in sorted(of_chapter, key=lambda p: (p.kind != "mutant", p.name))]
        lines.append("")
    return "\n".join(lines)


def judge_all(patches, say=lambda patch: None):
    if patches:
        build_reference(*{patch.chapter.name: patch.chapter for patch in patches}.values())
    with ThreadPoolExecutor(max_workers=CORES) as pool:
        for patch, _ in zip(patches, pool.map(Patch.judge, patches)):
            say(patch)


def line_of(patch):
    return (f"  {'ok  ' if patch.good else 'FAIL'} {patch.chapter.number} {patch.kind:<9} {patch.name:<40} "
            f"{patch.verdict}{', by: ' + patch.test if patch.test else ''}")


def run(chapters, afresh=False):
    known = known_verdicts()
    picked = [patch for chapter in chapters for patch in patches_of(chapter)]
    fresh = recall(picked, known, afresh)
    for patch in picked:
        if patch not in fresh:
            print(line_of(patch))

    def judged(patch):
        print(line_of(patch), flush=True)
        write_table([patch for patch in picked if patch.verdict], known)  # also if somebody stops this

    judge_all(fresh, judged)
    bad = [patch for patch in picked if not patch.good]
    print(f"{len(picked)} patches, {len(fresh)} run now, {len(bad)} with the wrong verdict")
    write_table(picked, known)
    return 1 if bad or not picked else 0


def write_table(picked, known):
    """What was not asked for keeps its line; a wrong verdict has none."""
    others = [patch for name in with_holes() for patch in patches_of(Chapter(name))
              if patch.key not in {p.key for p in picked} and patch.key in known]
    for patch in others:
        lines = known[patch.key]
        patch.hash, patch.verdict, patch.test = next((line for line in lines if line[0] == patch.hash), lines[-1])
    text = table([patch for patch in picked + others if patch.good])
    if not os.path.exists(TABLE) or read(TABLE) != text:
        write(TABLE, text)
