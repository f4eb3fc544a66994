"""`make grade` and `make debug`: the chapter's tests on the learner's files, a line a step, and why."""
import os
import re
import shutil
import subprocess
import sys

import grading
import learner
import mine
from chapter import Trouble
from overlay import Overlay, build_reference, plain_environment

ALSO_MAX = 5  # other red tests that are named


def linked(chapter, sources=None, how="checked", tag="learner"):
    """The learner's files in the chapter's suites."""
    chapter.started()
    chapter.check()
    sources = sources or {chapter.name: learner.sources_of(chapter)}
    build_reference(chapter)
    overlay = Overlay(f"{tag}/{chapter.name}", sources, how)
    programs = overlay.suites(chapter)
    if overlay.warnings():
        print(overlay.warnings(), file=sys.stderr)
    return programs


def pick(tests, name, step):
    found = [test for test in tests if (not name or test.name == name) and (not step or test.step == step)]
    if not found:
        raise Trouble(f"no test is named {name!r}" + (f" in step {step}" if step else ""))
    return found


def missing(step, red):
    """What of the step is not written yet, or which lower one it waits for."""
    todos = [test.todo for test in red if test.todo]
    lower = {todo.step for todo in todos if todo.step < step}
    if lower:
        return f"waits for step {min(lower)}"
    functions = list(dict.fromkeys(todo.function for todo in todos))
    return "not written yet: " + ", ".join(functions[:3] + ["..."] * (len(functions) > 3)) if functions else ""


def report_step(step, tests):
    red = [test for test in tests if not test.passed]
    count = f"{len(tests) - len(red)} of {len(tests)}"
    print(f"  step {step}  {'red  ' if red else 'green'}  {count:>8} tests   {missing(step, red)}".rstrip(), flush=True)


def run_by_step(tests):
    """Says how a step went as soon as its last test has ended."""
    left = {step: [test for test in tests if test.step == step] for step in {test.step for test in tests}}
    pending = {step: len(group) for step, group in left.items()}

    def done(test):
        pending[test.step] -= 1
        if pending[test.step] == 0:
            report_step(test.step, left[test.step])

    grading.run_all(tests, done=done, keep=len(tests) == 1)
    return [test for test in tests if not test.passed]


def breadth(test, red):
    """How far a test looks from the learner's functions: least, if its suite is about one file of the step (the small
    suites first); most, if it did not end, or met a TODO."""
    suite = os.path.basename(test.suite)
    narrow = any(hole.step == test.step and suite == "test_" + hole.file.removesuffix(".c") for hole in test.chapter.holes)
    return bool(test.todo), test.hung, not narrow, narrow and sum(other.suite == test.suite for other in red)


def show_red(red):
    """One of them in full: of the lowest red step that which says most plainly what is wrong."""
    of_step = [test for test in red if test.step == red[0].step]
    failed = [test for test in of_step if not test.todo]
    first = min(failed, key=lambda test: breadth(test, of_step)) if failed else red[0]
    print("\n" + "\n".join(grading.explain(first)))
    others = [test for test in red if test.step == first.step and test is not first]
    if others:
        print(f"\nalso red in step {first.step}:")
        for test in others[:ALSO_MAX]:
            print(f"  {test.sentence}")
        if len(others) > ALSO_MAX:
            print(f"  and {len(others) - ALSO_MAX} more")


def grade(chapter, given):
    name, step = given.get("TEST"), chapter.step(given["STEP"]) if given.get("STEP") else None
    if given.get("TRACE"):
        return debug(chapter, given)
    tests = pick(grading.tests_of(chapter, linked(chapter)), name, step)
    red = run_by_step(tests)
    if not name:
        learner.mark_passed(chapter, sorted({test.step for test in tests} - {test.step for test in red}),
                            sorted({test.step for test in tests}))
    if red:
        show_red(red)
    elif given.get("STACK"):
        return stacked(chapter, name, step)
    elif not name:
        print("\n" + learner.what_next(chapter))
    return 1 if red else 0


def stacked(chapter, name, step):
    """The same tests with the learner's own chapters below. Red only there: which of them is it?"""
    below = [share for share in mine.shares(chapter.name) if share.chapter.name < chapter.name]
    own = {share.chapter.name: share.files for share in below if share.files}
    for share in below:
        print("\n".join(mine.described(share)))
    if not own:
        print(f"\nno chapter of yours below {chapter.number} has passed: nothing to stack on")
        return 1
    print(f"\non your own {', '.join(own)}:")

    def red_on(some):
        sources = {chapter.name: learner.sources_of(chapter), **{below: own[below] for below in some}}
        tests = pick(grading.tests_of(chapter, linked(chapter, sources, tag="stack")), name, step)
        return tests

    red = run_by_step(red_on(own))
    if not red:
        return 0
    show_red(red)
    names = {test.name for test in red}
    suspects = []
    for lower in own:
        alone = [test for test in red_on([lower]) if test.name in names]
        if any(not test.passed for test in grading.run_all(alone)):
            suspects.append(lower)
    print("\ngreen on the reference, red on your own chapters: suspect " +
          (", ".join(f"your {lower} (make grade CH={lower[:2]})" for lower in suspects) or "what they do together"))
    return 1


def debug(chapter, given):
    name = given.get("TEST")
    if not name:
        raise Trouble(f"say which test: make debug CH={chapter.number} TEST=name")
    test, = pick(grading.tests_of(chapter, linked(chapter, how="debug", tag="debug")), name, None)[:1]
    os.environ["CAIRN_TRACE"] = " ".join(f"{hole.file}:{hole.function}" for hole in chapter.holes)
    os.environ.pop("CAIRN_RESULT", None)
    gdb = ["gdb", "-q", "-ex", "set confirm off", "-ex", "set debuginfod enabled off"]
    run = ["--args", test.program, "--no-fork", name]
    if not shutil.which("gdb"):
        raise Trouble("gdb is not installed")
    if given.get("TRACE"):
        return trace([*gdb, "-nx", "-batch", "-x", f"{os.path.dirname(os.path.abspath(__file__))}/trace.py", *run])
    sys.stdout.flush()
    return os.execvp("gdb", [*gdb, "-ex", f"break test_{name}", "-ex", "run", *run])


NOISE = re.compile(r"\[(Thread debugging|New Thread|Thread 0x|Inferior|Detaching|=====|  (FAILED|PASSED)| RUN )|Using host lib"
                   r"|\s*\d+ FAILED TEST|Reading symbols|\d+ passed, |$")


def trace(command):
    with subprocess.Popen(command, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=plain_environment()) as gdb:
        for line in gdb.stdout:
            if not NOISE.match(line):
                print(re.sub(r"^(\[ *(ERROR|LINE) *\] -+ ?)*", "", line), end="", flush=True)
    return 0
