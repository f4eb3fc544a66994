"""What `make start`, `grade`, `hint`, `solution`, `progress`, `reset`, `update`, `debug`, `mutants`
and `lessons` call: python3 exercises/tool COMMAND [CH=01] [STEP=2] [TEST=name] [APPLY=1] [LESSON=2]."""
import os
import sys

import cfile
import grading
import learner
import lessons
import mine
import mutants
from chapter import ROOT, Chapter, Trouble, named, with_holes
from overlay import Overlay, build_reference


def build(chapter):
    """The learner's files in the chapter's suites."""
    chapter.started()
    chapter.check()
    sources = learner.sources_of(chapter)
    build_reference(chapter)
    overlay = Overlay(f"learner/{chapter.name}", {chapter.name: sources})
    programs = overlay.suites(chapter)
    if overlay.warnings():
        print(overlay.warnings())
    return programs


def pick(tests, name):
    found = [test for test in tests if test.name == name]
    if not found:
        raise Trouble(f"no test is named {name!r}")
    return found


def grade(chapter, name):
    tests = grading.tests_of(chapter.suites, build(chapter))
    if name:
        tests = pick(tests, name)
    grading.run_all(tests)
    red = [test for test in tests if not test.passed]
    for test in red[:1] if not name else red:
        print("\n".join(grading.explain(chapter, test)) + "\n")
    for step in sorted({test.step for test in tests}):
        of_step = [test for test in tests if test.step == step]
        passed = sum(test.passed for test in of_step)
        mark = "green" if passed == len(of_step) else "red  "
        unwritten = sum(test.reason.startswith("TODO ") for test in of_step if not test.passed)
        print(f"  step {step}  {mark}  {passed} of {len(of_step)} tests"
              + (f", {unwritten} met a TODO" if unwritten else ""))
    if not name:
        learner.mark_passed(chapter, [step for step in chapter.steps
                                      if all(test.passed for test in tests if test.step == step)])
        others = [test for test in red[1:] if test.step == red[0].step] if red else []
        for test in others:
            print(f"  also red in step {test.step}: {test.sentence}  (TEST={test.name})")
    return 1 if red else 0


def debug(chapter, name):
    if not name:
        raise Trouble(f"say which test: make debug CH={chapter.number} TEST=name")
    test, = pick(grading.tests_of(chapter.suites, build(chapter)), name)[:1]
    sys.stdout.flush()
    try:
        os.execvp("gdb", ["gdb", "-q", "-ex", f"break test_{name}", "--args", test.program, "--no-fork", name])
    except FileNotFoundError as problem:
        raise Trouble("gdb is not installed") from problem


def main(arguments):
    os.chdir(ROOT)
    command = arguments[0] if arguments else ""
    given = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    if command == "progress":
        learner.progress()
        return 0
    if command == "lessons":
        return lessons.main(given.get("CH"), given.get("LESSON"))
    if command == "mutants":
        return mutants.run([Chapter(given["CH"])] if given.get("CH") else [Chapter(name) for name in with_holes()])
    if command == "run":
        mine.cluster(given)
        return 0
    if command == "node":
        mine.node(named(given.get("CH")), given)
        return 0
    chapter = Chapter(given.get("CH"))
    step_commands = {"hint": lambda step: learner.hint(chapter, step),
                     "solution": lambda step: learner.solution(chapter, step, given.get("APPLY") == "1")}
    commands = {"start": learner.start, "reset": learner.reset, "update": learner.update}
    if command == "grade":
        return grade(chapter, given.get("TEST"))
    if command == "debug":
        return debug(chapter, given.get("TEST"))
    if command in step_commands:
        step_commands[command](chapter.step(given.get("STEP")))
    elif command in commands:
        commands[command](chapter)
    else:
        raise Trouble(__doc__)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Trouble, cfile.NotFound) as trouble:
        print(trouble, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `make solution | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
