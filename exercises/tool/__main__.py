"""What `make start`, `grade`, `hint`, `solution`, `progress`, `reset`, `update`, `debug`, `mutants`,
`new-chapter` and `lessons` call: python3 exercises/tool COMMAND [CH=01] [STEP=2] [TEST=name] [APPLY=1] [LESSON=2]."""
import os
import sys

import cfile
import grade
import learner
import lessons
import mine
import mutants
import newchapter
from chapter import ROOT, Chapter, Trouble, named, with_holes


def main(arguments):
    os.chdir(ROOT)
    command = arguments[0] if arguments else ""
    given = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    if command == "progress":
        learner.progress()
        return 0
    if command == "lessons":
        return lessons.main(given.get("CH"), given.get("LESSON"), given.get("PAGE"))
    if command == "mutants":
        return mutants.run([Chapter(given["CH"])] if given.get("CH") else [Chapter(name) for name in with_holes()],
                           given.get("AFRESH") == "1")
    if command == "new-chapter":
        newchapter.create(given.get("CH"), given.get("NAME"))
        return 0
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
    if command in ("grade", "debug"):
        return grade.grade(chapter, given) if command == "grade" else grade.debug(chapter, given)
    if command in step_commands:
        step_commands[command](chapter.step(given.get("STEP")))
    elif command in commands:
        commands[command](chapter)
    else:
        raise Trouble(__doc__)
    return 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(status)
    except (Trouble, cfile.NotFound) as trouble:
        print(trouble, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `make solution | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
