"""A chapter as an exercise: where its files are, and what stands in `holes`."""
import glob
import os
import re

import cfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("CAIRN_BUILD", "build")
# Learners' folders and marks; a test of the machinery points it elsewhere.
LEARNERS = os.environ.get("CAIRN_EXERCISES", "exercises")
# What is compiled for it, likewise apart.
WORK = f"{BUILD}/exercise" + ("" if LEARNERS == "exercises" else f"/scratch/{os.path.basename(LEARNERS)}")
LINES_MAX = 60  # to write in a step


class Trouble(Exception):
    """Said to the person in front of the terminal, without a trace."""


class Hole:
    def __init__(self, step, file, function, task):
        self.step, self.file, self.function, self.task = step, file, function, task


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def names():
    return sorted(os.path.basename(path) for path in glob.glob("chapters/[0-9][0-9]-*"))


def with_holes():
    return [name for name in names() if os.path.exists(f"exercises/{name}/holes")]


def named(wanted, among=names):
    """The chapter that `wanted` means: its number or its name."""
    known = [name for name in names() if wanted and wanted in (name, name[:2])]
    if not known:
        raise Trouble("say which chapter, one of: " + " ".join("CH=" + name[:2] for name in among()))
    return known[0]


class Chapter:
    def __init__(self, wanted):
        self.name = named(wanted, with_holes)
        self.number = self.name[:2]
        self.source = f"chapters/{self.name}"
        self.exercise = f"exercises/{self.name}"
        self.learner = f"{LEARNERS}/{self.name}/src"
        self.marks = f"{self.learner}/.cairn"  # base, marks of progress, kept versions
        self.holes = self.read_holes()

    def read_holes(self):
        path = f"{self.exercise}/holes"
        if not os.path.exists(path):
            raise Trouble(f"chapter {self.name} has no exercise: there is no {path}")
        holes = []
        for number, line in enumerate(read(path).splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            fields = [field.strip() for field in line.split("|")]
            if len(fields) != 4 or not re.fullmatch(r"[1-9][0-9]*", fields[0]):
                raise Trouble(f"{path}:{number}: not `step | file | function | task`")
            holes.append(Hole(int(fields[0]), *fields[1:]))
        return holes

    @property
    def steps(self):
        return sorted({hole.step for hole in self.holes})

    @property
    def files(self):
        """The files that are laid: those with a hole, in the order of `holes`."""
        return list(dict.fromkeys(hole.file for hole in self.holes))

    def step(self, wanted):
        if not wanted or not wanted.isdigit() or int(wanted) not in self.steps:
            raise Trouble("say which step, one of: " + " ".join(f"STEP={step}" for step in self.steps))
        return int(wanted)

    def reference(self, file):
        return read(f"{self.source}/{file}")

    def skeleton(self, file):
        """The real source with the bodies of its holes replaced."""
        text = self.reference(file)
        for hole in self.holes:
            if hole.file == file:
                text = cfile.empty(text, hole.function, hole.step, hole.task, f"{self.source}/{file}")
        return text

    def check(self):
        """Every hole names a function that is there; no step asks for too much."""
        for file in self.files:
            if not os.path.exists(f"{self.source}/{file}"):
                raise Trouble(f"{self.exercise}/holes: there is no {self.source}/{file}")
            self.skeleton(file)
        for step in self.steps:
            lines = sum(self.lines_of(hole) for hole in self.holes if hole.step == step)
            if lines > LINES_MAX:
                raise Trouble(f"{self.exercise}/holes: step {step} asks for {lines} lines, at most {LINES_MAX}")

    def lines_of(self, hole):
        text = self.reference(hole.file)
        return cfile.find(text, hole.function, f"{self.source}/{hole.file}").lines_inside(text)

    def solution(self, hole):
        return cfile.find(self.reference(hole.file), hole.function, f"{self.source}/{hole.file}").text

    def started(self):
        if not os.path.isdir(self.learner):
            raise Trouble(f"nothing is laid out yet: make start CH={self.number}")

    def lesson(self, step):
        """The file to read: the step's lesson, or the chapter's one page."""
        found = sorted(glob.glob(f"{self.source}/{step}-*.md"))
        return found[0] if found else f"{self.source}/README.md"

    def invariants(self, step):
        """The numbered list under **Invariants** of a step's lesson: number -> sentence."""
        page = self.lesson(step)
        text = read(page) if os.path.exists(page) else ""
        idea = re.search(r"^## The idea$(.*?)(?=^## |\Z)", text, re.M | re.S)
        listed = idea and re.search(r"\*\*Invariants\*\*(.*)", idea[1], re.S)
        items = re.findall(r"^ {0,3}(\d+)\. +(.*?)(?=^ {0,3}\d+\. |^\s*$|\Z)", listed[1], re.M | re.S) if listed else []
        return {int(number): " ".join(text.split()) for number, text in items}

    @property
    def suites(self):
        """The graded suites, as paths below tests/ without .c."""
        return [path[len("tests/"):-2] for path in sorted(glob.glob(f"tests/{self.name}/test_*.c"))]
