"""Runs the tests of a chapter, each in a process of its own, and says what it means."""
import glob
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from chapter import read
from overlay import plain_environment

LIMIT_MS = 20000       # of a test, whatever it says itself
LIMIT_HUNG_MS = 3000   # once one has hung: many may


class Test:
    def __init__(self, suite, program, step, invariant, place, name):
        self.suite, self.program, self.name = suite, program, name
        self.step = int(step.split(".")[0])
        self.invariant = int(invariant)
        self.place = place
        self.passed, self.output = False, ""

    @property
    def sentence(self):
        return self.name.replace("_", " ")

    @property
    def reason(self):
        """The harness's word for how it ended: the second line of what it prints."""
        lines = self.output.splitlines()
        return lines[1].split(": ", 1)[-1].strip() if len(lines) > 1 else "it said nothing"

    @property
    def header(self):
        """The header that the test is about: the first that its file includes."""
        match = re.search(r'^#include "(\w+\.h)"', read(self.place.split(":")[0]), re.M)
        found = glob.glob(f"chapters/*/{match.group(1)}") if match else []
        return found[0] if found else None

    def invariant_text(self):
        if not self.invariant or not self.header:
            return None
        match = re.search(rf"^ \*  {self.invariant}\. (.*?)(?=^ \*  \d+\. |^ \*\n|^ \* ?\S|\*/)",
                          read(self.header), re.M | re.S)
        return " ".join(re.sub(r"^ \* *", "", match.group(1), flags=re.M).split()) if match else None

    def run(self, limit_ms):
        env = plain_environment(CAIRN_TEST_LIMIT_MAX=str(limit_ms))
        env.pop("CAIRN_RESULT", None)
        try:
            done = subprocess.run([self.program, self.name], text=True, errors="replace", env=env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=limit_ms / 1000 + 10, check=False)
        except subprocess.TimeoutExpired:
            self.output = f"\n{self.place}: did not end, nor did the suite around it"
            return
        self.output = done.stdout
        self.passed = done.returncode == 0 and "1 passed, 0 failed" in done.stdout

    @property
    def hung(self):
        return not self.passed and "did not end" in self.reason


def tests_of(suites, programs):
    tests = []
    for suite, program in zip(suites, programs):
        listed = subprocess.run([program, "--list", "-v"], text=True, check=True, stdout=subprocess.PIPE)
        for line in listed.stdout.splitlines():
            step, invariant, place, name = line.split("\t")
            tests.append(Test(suite, program, step, invariant, place, name))
    return sorted(tests, key=lambda test: test.step)


def run_all(tests, stop_at_red=False, workers=None):
    """Runs them; with stop_at_red no other is started after one has failed."""
    state = {"limit": LIMIT_MS, "red": False}

    def one(test):
        if stop_at_red and state["red"]:
            return
        test.run(state["limit"])
        state["red"] |= not test.passed
        if test.hung:
            state["limit"] = LIMIT_HUNG_MS

    with ThreadPoolExecutor(max_workers=workers or os.cpu_count() or 1) as pool:
        list(pool.map(one, tests))
    return tests


def details(test):
    """What the harness printed below its headline: expected and actual, where, what was kept."""
    lines = [line.strip() for line in test.output.splitlines()[2:]]
    lines = [re.sub(r"^\[ *(ERROR|LINE) *\] -+ *", "", line) for line in lines]
    drop = ("again:", "[  FAILED", "0 passed", "Test failed")
    return [line for line in lines if line and not line.startswith(drop)]


def explain(chapter, test):
    """The lines that tell a learner why a test is red."""
    lines = [f"step {test.step}: {test.sentence}", f"    {test.reason}"]
    lines += [f"    {line}" for line in details(test) if not line.startswith("TODO ")]
    text = test.invariant_text()
    if text:
        lines.append(f"    invariant {test.invariant} of {os.path.basename(test.header)}: {text}")
    lines.append(f"    this case:  make grade CH={chapter.number} TEST={test.name}")
    lines.append(f"    debug it:   make debug CH={chapter.number} TEST={test.name}")
    read_in = [name for name in (test.header, f"{chapter.exercise}/README.md") if name]
    lines.append(f"    read:       {', '.join(read_in)} (step {test.step}); the test, {test.place}")
    return lines
