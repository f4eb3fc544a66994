"""Mutants prove that the tests are not too weak, alternates that they are not too strong.

A patch on the chapter's source: its first line is a sentence (what a mutant does wrong, how an alternate
differs), the second says what a user would lose, or why it is right. Each is compiled as an overlay. A
verdict depends on the patch, the file and the suites; the table in exercises/MUTANTS.md holds the hash
of these, so that what has not changed is not run again.
"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grading
from chapter import BUILD, Chapter, Trouble, read, with_holes, write
from overlay import Overlay, build_reference

TABLE = "MUTANTS.md"


class Patch:
    def __init__(self, chapter, path):
        self.chapter, self.path = chapter, path
        self.kind = os.path.basename(os.path.dirname(path))[:-1]  # mutant or alternate
        self.name = os.path.basename(path)[:-len(".patch")]
        text = read(path)
        head = text.split("--- a/")[0].strip().splitlines()
        if len(head) < 2:
            raise Trouble(f"{path}: opens with two lines, a sentence and what a user would lose")
        self.title, self.loss = head[0], " ".join(line.strip() for line in head[1:] if line.strip())
        self.files = re.findall(rf"^--- a/{re.escape(chapter.source)}/(\S+\.c)$", text, re.M)
        if not self.files:
            raise Trouble(f"{path}: changes no C file of {chapter.source}")
        self.hash = self.hash_of(text)
        self.verdict = self.test = None

    def hash_of(self, text):
        digest = hashlib.sha256(text.encode())
        for path in [f"{self.chapter.source}/{name}" for name in self.files] + \
                sorted(glob.glob(f"tests/{self.chapter.name}/*.[ch]")):
            digest.update(read(path).encode() + b"\0")
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
        for name in self.files:
            write(f"{folder}/{self.chapter.source}/{name}", read(f"{self.chapter.source}/{name}"))
        done = subprocess.run(["patch", "-p1", "-s", "-d", folder], input=read(self.path), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise Trouble(f"{self.path} does not apply:\n{done.stdout}")
        return {name: f"{folder}/{self.chapter.source}/{name}" for name in self.files}

    def judge(self):
        folder = f"{BUILD}/exercise/{self.kind}/{self.chapter.name}/{self.name}"
        try:
            overlay = Overlay(f"{self.kind}/{self.chapter.name}/{self.name}",
                              {self.chapter.name: self.apply(folder + "/src")})
            tests = grading.tests_of(self.chapter, overlay.suites(self.chapter))
        except Trouble as trouble:
            self.verdict, self.test = str(trouble), ""
            return
        grading.run_all(tests, stop_at_red=True, workers=1)
        red = [test for test in tests if test.output and not test.passed]
        self.test = red[0].sentence if red else ""
        self.verdict = ("caught" if red else "survives") if self.kind == "mutant" else \
            ("fails" if red else "passes")
        shutil.rmtree(folder, ignore_errors=True)


def patches_of(chapter):
    return [Patch(chapter, path) for kind in ("mutants", "alternates")
            for path in sorted(glob.glob(f"{chapter.exercise}/{kind}/*.patch"))]


def known_verdicts():
    """(chapter, kind, name) -> (hash, verdict, test), from the table."""
    known, chapter = {}, None
    path = f"exercises/{TABLE}"
    for line in read(path).splitlines() if os.path.exists(path) else []:
        if line.startswith("## "):
            chapter = line[3:].strip()
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[1] in ("mutant", "alternate"):
            known[(chapter, cells[1], cells[0])] = (cells[5].strip("`"), cells[3], cells[4])
    return known


def table(patches):
    lines = ["# Mutants and alternates", "",
             "A mutant is a bug that somebody might write; a graded test has to catch it. An alternate is another right",
             "way; every graded test has to pass it. Written by `make mutants`; a verdict holds for the patch, the",
             "file and the suites with the hash in its line.", ""]
    for name in dict.fromkeys(patch.chapter.name for patch in patches):
        lines += [f"## {name}", "", "| patch | kind | what it does | verdict | by the test | hash |",
                  "|---|---|---|---|---|---|"]
        lines += [f"| {p.name} | {p.kind} | {p.title} {p.loss} | {p.verdict} | {p.test} | `{p.hash}` |"
                  for p in patches if p.chapter.name == name]
        lines.append("")
    return "\n".join(lines)


def judge_all(patches):
    for chapter in {patch.chapter.name: patch.chapter for patch in patches}.values():
        build_reference(chapter)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(Patch.judge, patches))


def run(chapters):
    known = known_verdicts()
    picked = [patch for chapter in chapters for patch in patches_of(chapter)]
    for patch in picked:
        cached = known.get(patch.key)
        if cached and cached[0] == patch.hash:
            patch.verdict, patch.test = cached[1:]
            if not patch.good:
                patch.verdict = None
    fresh = [patch for patch in picked if patch.verdict is None]
    judge_all(fresh)
    for patch in picked:
        print(f"  {'ok  ' if patch.good else 'FAIL'} {patch.chapter.number} {patch.kind:<9} {patch.name:<36} "
              f"{patch.verdict}{', by: ' + patch.test if patch.test else ''}")
    bad = [patch for patch in picked if not patch.good]
    print(f"{len(picked)} patches, {len(fresh)} run now, {len(bad)} with the wrong verdict")
    if not bad:
        write_table(picked, known)
    return 1 if bad or not picked else 0


def write_table(picked, known):
    """What was not asked for keeps its line."""
    others = [patch for name in with_holes() for patch in patches_of(Chapter(name))
              if patch.key not in {p.key for p in picked} and patch.key in known]
    for patch in others:
        patch.hash, patch.verdict, patch.test = known[patch.key]
    write(f"exercises/{TABLE}", table(sorted(picked + others, key=lambda p: (p.chapter.name, p.kind != "mutant", p.name))))
