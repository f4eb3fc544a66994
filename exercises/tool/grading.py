"""Runs the tests of a chapter, each in a process of its own, and says what it means."""
import glob
import json
import os
import re
import shutil
import subprocess
import textwrap
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from chapter import BUILD, ROOT, read, write
from overlay import CORES, plain_environment

LIMIT_MS, LIMIT_FACTOR = 2000, 20  # of a test: the factor times what the reference takes; at least this
CHECKED_FACTOR = 4     # slower when memory is checked
HUNG_MAX = 6           # so many that did not end: the others need not be waited for
COLUMNS = 100
LABEL = 17             # columns of "  what happened  "


class Times:
    """Of the reference's tests, as measured here; kept for the next run."""

    def __init__(self, path):
        self.path, self.lock, self.known = path, threading.Lock(), {}
        try:
            self.known = json.loads(read(path))
        except (OSError, ValueError):
            pass

    def get(self, key):
        return self.known.get(key)

    def set(self, key, value):
        with self.lock:
            self.known[key] = value
            write(self.path, json.dumps(self.known))


TIMES = Times(f"{BUILD}/exercise/times.json")
Unwritten = namedtuple("Unwritten", "step function task")


class Test:
    def __init__(self, chapter, suite, program, fields):
        step, invariant, self.place, self.name = fields
        self.chapter, self.suite, self.program = chapter, suite, program
        self.step, self.invariant = int(step.split(".")[0]), int(invariant)
        self.passed, self.output = False, ""

    @property
    def sentence(self):
        return self.name.replace("_", " ")

    # ---- running ---------------------------------------------------------------------------------

    def run_once(self, program, limit_ms, options=""):
        env = plain_environment(CAIRN_TEST_LIMIT_MAX=str(limit_ms), ASAN_OPTIONS="handle_abort=1" + options, NO_COLOR="1")
        env.pop("CAIRN_RESULT", None)
        try:
            done = subprocess.run([program, "-v", self.name], text=True, errors="replace", env=env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=limit_ms / 1000 + 15, check=False)
        except subprocess.TimeoutExpired:
            return False, f"\n{self.place}: did not end, nor did the suite around it"
        return done.returncode == 0 and done.stdout.endswith("\n1 passed, 0 failed\n"), done.stdout

    def run(self, keep=False):
        limit = self.limit_ms(self.known_ms())
        self.passed, self.output = self.run_once(self.program, limit)
        if self.hung and limit < self.limit_ms(self.reference_ms()):
            limit = self.limit_ms(self.reference_ms())
            self.passed, self.output = self.run_once(self.program, limit)
        if "allocated" in self.output and "Sanitizer" in self.output:
            # Stacks of allocations are taken in a hurry, and miss callers; now they are worth their time.
            again = self.run_once(self.program, max(limit, LIMIT_MS * 5), ":fast_unwind_on_malloc=0")
            self.output = self.output if again[0] or "Sanitizer" not in again[1] else again[1]
        if not keep:
            for path in re.findall(r"^ *kept: (\S*/cairn-test-\S+)$", self.output, re.M):
                shutil.rmtree(path, ignore_errors=True)

    @staticmethod
    def limit_ms(reference_ms):
        return max(LIMIT_MS, int(LIMIT_FACTOR * CHECKED_FACTOR * reference_ms))

    def known_ms(self):
        """How long the reference takes here, if it has been measured; else 0."""
        known = TIMES.get(f"{self.suite} {self.name}")
        return known[1] if known and known[0] == os.stat(f"{BUILD}/tests/{self.suite}").st_mtime else 0

    def reference_ms(self):
        """Measured when a test does not end, since few are slow."""
        if self.known_ms() == 0:
            program = f"{BUILD}/tests/{self.suite}"
            _, output = self.run_once(program, 600000)
            seconds = re.search(r"\((\d+\.\d+) s\)", output)
            TIMES.set(f"{self.suite} {self.name}", (os.stat(program).st_mtime, float(seconds[1]) * 1000 if seconds else LIMIT_MS))
        return self.known_ms()

    @property
    def hung(self):
        return not self.passed and "did not end" in self.verdict

    # ---- what it said ----------------------------------------------------------------------------

    @property
    def verdict(self):
        """The harness's word for how it ended: the second line of what it prints."""
        lines = self.output.splitlines()
        return lines[1].split(": ", 1)[-1].strip() if len(lines) > 1 else \
            "the program ended before the test began"

    @property
    def todo(self):
        """The function that is not written yet, if that is why."""
        match = re.match(r"TODO step (\d+), (\w+): (.*)", self.verdict)
        return match and Unwritten(int(match[1]), match[2], match[3])

    @property
    def printed(self):
        lines = [line[6:] if line.startswith(" " * 6) else line for line in self.output.splitlines()[2:]]
        lines = [re.sub(r"^(\[ *(ERROR|LINE) *\] -+ ?)*", "", line).replace(ROOT + "/", "") for line in lines]
        drop = ("again: ", "0 passed", "Test failed", "TODO ", "[       OK ]")
        return [line for line in lines if line.strip() and not line.startswith(drop)]

    def what_happened(self):
        """Lines for a person: what went wrong, with expected and actual, and where."""
        if self.todo:
            return [f"{self.todo.function} is not written yet: {self.todo.task}"]
        if self.hung:
            return [f"{self.verdict} (the reference takes {self.reference_ms() / 1000:.3f} s)",
                    *stacks(self.printed, "it was in:")]
        found = sanitizer_report(self.printed)
        if found:
            return found
        lines = [self.verdict, *self.printed]
        if self.verdict == "an assertion failed":
            lines = [re.sub(r": error: Failure!$", "", line) for line in self.printed] or lines
        return [re.sub("^kept: ", "its files: ", line) for line in lines
                if not line.startswith("kept: ") or os.path.exists(line.split()[-1])]


# ---- a sanitizer's report, as short as it helps --------------------------------------------------

FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-f]+ in (\S+) (?:\S*?/)??((?:lib|chapters|exercises|tests|final|build/exercise)/\S+?:\d+)")
KNOWN = {
    "heap-use-after-free": "memory is used after it was freed",
    "heap-buffer-overflow": "memory is used beyond the end of a block",
    "stack-buffer-overflow": "memory is used beyond the end of a local array",
    "global-buffer-overflow": "memory is used beyond the end of a global array",
    "attempting double-free": "a block is freed twice",
    "attempting free on address which was not malloc()-ed": "what is freed was never allocated",
    "stack-overflow": "the stack is full: a recursion without an end, or a huge local array",
    "SEGV on unknown address": "the program reads or writes where there is no memory",
    "allocation-size-too-big": "an absurd amount of memory is asked for",
}


def frames(lines, most=5):
    found = [FRAME.match(line) for line in lines]
    kept = [f"  {'the test' if match[1].startswith('test_') else match[1]:<28} {match[2]}"
            for match in found if match and "tests/harness/" not in match[2]]
    return kept[:most]


def sections(lines):
    """(headline, frames) of every stack in a report."""
    found, headline = [], ""
    for line in lines:
        if not re.match(r"^\s*#\d+ ", line):
            headline = line.strip()
            found.append((headline, []))
        elif found:
            found[-1][1].append(line)
    return [(headline, frames(stack)) for headline, stack in found if stack]


def stacks(lines, headline):
    kept = [stack for _, stack in sections(lines) if stack]
    return [headline, *kept[0]] if kept else []


def spoken(total):
    """`57 byte(s) leaked in 1 allocation(s).` for people."""
    size, blocks = re.findall(r"\d+", total)[:2]
    return f"{size} bytes in {blocks} " + ("block" if blocks == "1" else "blocks")


def sanitizer_report(lines):
    text = "\n".join(lines)
    wrong = re.search(r"ERROR: AddressSanitizer: (.*)", text)
    odd = re.search(r"^(\S+?:\d+)(?::\d+)?: runtime error: (.*)", text, re.M)
    failed = re.search(r"(\S+:\d+): (\w+): Assertion `(.*)' failed", text)
    if odd and not wrong:
        return [f"undefined behaviour: {odd[2]}", f"  at {odd[1]}", *stacks(lines, "called from:")]
    if failed:
        return [f"the code's own assertion failed: {failed[3]}", f"  in {failed[2]}, {failed[1]}",
                *stacks(lines, "called from:")]
    if wrong:
        words = next((words for known, words in KNOWN.items() if known in wrong[1]), wrong[1].split(" on ")[0])
        said = [words]
        for headline, stack in sections(lines):
            if stack and not headline.startswith("SUMMARY"):
                kind = re.match(r"(READ|WRITE) of size (\d+)", headline)
                head = f"a {kind[1].lower()} of {kind[2]} bytes in:" if kind else \
                    re.sub(r" by thread T\d+.*", " in:", headline) if " by thread " in headline else "in:"
                said += [head, *stack]
        return said[:24]
    if "LeakSanitizer" in text:
        total = re.search(r"SUMMARY: \w+Sanitizer: (.*)", text)
        said = ["memory is never freed" + (f": {spoken(total[1])}" if total else "")]
        direct = [(headline, stack) for headline, stack in sections(lines) if headline.startswith("Direct leak")]
        for headline, stack in direct[:2]:
            size = re.search(r"of (\d+) byte\(s\) in (\d+) object", headline)
            said += [f"{size[1]} bytes, allocated in:" if size else "allocated in:", *stack]
        return said
    return []


# ---- many tests ----------------------------------------------------------------------------------

def tests_of(chapter, programs=None):
    """The chapter's graded tests, by step. Which there are, the reference's suites say: a learner's
    code may have ended before it could list them."""
    tests = []
    for number, suite in enumerate(chapter.suites):
        listed = subprocess.run([f"{BUILD}/tests/{suite}", "--list", "-v"], text=True, check=True,
                                stdout=subprocess.PIPE)
        program = programs[number] if programs else f"{BUILD}/tests/{suite}"
        tests += [Test(chapter, suite, program, line.split("\t")) for line in listed.stdout.splitlines()]
    return sorted(tests, key=lambda test: test.step)


def run_all(tests, stop_at_red=False, workers=None, done=None, keep=False):
    """Runs them and calls done(test) in their order; with stop_at_red no other is started after one
    has failed."""
    state = {"red": False, "hung": 0}

    def one(test):
        if stop_at_red and state["red"]:
            return
        if state["hung"] >= HUNG_MAX:
            test.output = f"\n{test.place}: not run, since {HUNG_MAX} others did not end"
            return
        test.run(keep)
        state["red"] |= not test.passed
        state["hung"] += test.hung

    with ThreadPoolExecutor(max_workers=workers or CORES) as pool:
        for test, _ in zip(tests, pool.map(one, tests)):
            if done:
                done(test)
    return tests


# ---- why a test is red ---------------------------------------------------------------------------

def header_of(test):
    """The header that the test is about: the first that its file includes."""
    match = re.search(r'^#include "(\w+\.h)"', read(test.place.split(":")[0]), re.M)
    found = glob.glob(f"chapters/*/{match[1]}") if match else []
    return found[0] if found else None


def invariant_of(test):
    """The sentence that the test shows: from the module's header, where it has that number, or else from the
    lesson's list. A lesson may be about several modules, a suite is about one."""
    number = test.invariant
    if not number:
        return None
    header = header_of(test)
    match = header and re.search(rf"^ \*  {number}\. (.*?)(?=^ \*  \d+\. |^ \*\n|\*/)", read(header), re.M | re.S)
    if match:
        return " ".join(re.sub(r"^ \* *", "", match[1], flags=re.M).split())
    return test.chapter.invariants(test.step).get(number)


def labelled(label, lines):
    return [f"  {label if number == 0 else '':<{LABEL - 2}}{line}" for number, line in enumerate(lines)]


def explain(test):
    """The lines that tell a learner why a test is red, and the way on."""
    chapter = test.chapter
    lines = [f"step {test.step}, red: {test.sentence}"]
    lines += labelled("what happened", test.what_happened())
    promise = invariant_of(test)
    if promise:
        lines += labelled(f"invariant {test.invariant}", textwrap.wrap(promise, COLUMNS - LABEL))
    lines += labelled("the test", [test.place])
    lines += labelled("only this", [f"make grade CH={chapter.number} TEST={test.name}"])
    lines += labelled("under gdb", [f"make debug CH={chapter.number} TEST={test.name}"])
    pages = [page for page in (chapter.lesson(test.step), header_of(test)) if page and os.path.exists(page)]
    lines += labelled("read", [", ".join(pages)])
    lines += labelled("stuck", [f"make hint CH={chapter.number} STEP={test.step}"])
    return lines
