"""A learner's folder: laid, helped along, solved, brought up to date. Their files are never overwritten
without being asked for by name, and what is replaced is kept."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import cfile
from chapter import Chapter, Trouble, read, with_holes, write
from overlay import export_commands


# ---- marks: hints shown, solutions seen, steps passed --------------------------------------------

def marks_path(chapter):
    return f"{chapter.marks}/marks.json"


def load_marks(chapter):
    try:
        return json.loads(read(marks_path(chapter)))
    except (OSError, ValueError):
        return {}


def save_marks(chapter, marks):
    write(marks_path(chapter), json.dumps(marks, indent=1, sort_keys=True) + "\n")


def sources_of(chapter):
    """The learner's files by name: what they replace and what they add."""
    names = sorted(os.listdir(chapter.learner)) if os.path.isdir(chapter.learner) else []
    for name in names:
        if name.endswith(".proto"):
            raise Trouble(f"{chapter.learner}/{name}: the chapter's messages stay as they are; remove this one")
    return {name: f"{chapter.learner}/{name}" for name in names if name.endswith((".c", ".h"))}


def fingerprint(chapter):
    digest = hashlib.sha256()
    for name in sorted(os.listdir(chapter.learner)):
        if name.endswith((".c", ".h")):
            digest.update(name.encode() + b"\0" + read(f"{chapter.learner}/{name}").encode() + b"\0")
    return digest.hexdigest()


def mark_passed(chapter, green, run):
    """Of the steps that were run those are green now. What was not run keeps its mark only if no file
    has changed since."""
    marks = load_marks(chapter)
    kept = [step for step in passed_steps(chapter) if step not in run]
    marks["passed"] = {"files": fingerprint(chapter), "steps": sorted({*green, *kept})}
    save_marks(chapter, marks)


def passed_steps(chapter):
    """The steps that passed with the files as they are."""
    passed = load_marks(chapter).get("passed", {})
    valid = os.path.isdir(chapter.learner) and passed.get("files") == fingerprint(chapter)
    return [step for step in chapter.steps if valid and step in passed.get("steps", [])]


def edited_since(chapter):
    """Something passed, and the files are others now."""
    return bool(load_marks(chapter).get("passed", {}).get("steps")) and not passed_steps(chapter)


# ---- commands ------------------------------------------------------------------------------------

def start(chapter):
    chapter.check()
    for file in chapter.files:
        path = f"{chapter.learner}/{file}"
        if os.path.exists(path):
            print(f"  there already  {path}")
            continue
        write(path, chapter.skeleton(file))
        write(f"{chapter.marks}/base/{file}", chapter.skeleton(file))
        print(f"  laid           {path}")
    export_commands(chapter, sources_of(chapter))
    show_step(chapter, chapter.steps[0])
    print(f"\nThen: make grade CH={chapter.number}    Stuck: make hint CH={chapter.number} "
          f"STEP={chapter.steps[0]}    The whole exercise: {chapter.exercise}/README.md")


def show_step(chapter, step):
    print(f"\nstep {step}, write:")
    holes = [hole for hole in chapter.holes if hole.step == step]
    files, functions = (max(len(text) for text in column) for column in
                        ([hole.file for hole in holes], [hole.function for hole in holes]))
    for hole in holes:
        print(f"  {hole.file:<{files}}  {hole.function:<{functions}}  {hole.task}")


def reset(chapter):
    chapter.started()
    print(f"This lays {chapter.learner} anew; your files move to {chapter.learner}.before-<time>.")
    print('Type "yes" to go on: ', end="", flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise Trouble("nothing was changed")
    kept = f"{chapter.learner}.before-{time.strftime('%Y%m%d-%H%M%S')}"
    os.rename(chapter.learner, kept)
    print(f"kept: {kept}")
    start(chapter)


def hints_of(chapter, step):
    path = f"{chapter.exercise}/README.md"
    section = re.search(rf"^## Step {step}\b.*?(?=^## |\Z)", read(path), re.M | re.S)
    hints = re.findall(r"<summary>Hint \d</summary>\s*?\n\s*?\n(.*?)\s*</details>", section.group(), re.S) if section else []
    if not hints:
        raise Trouble(f"{path} has no hints for step {step}")
    return hints


def hint(chapter, step):
    chapter.started()
    hints = hints_of(chapter, step)
    marks = load_marks(chapter)
    shown = marks.setdefault("hints", {}).get(str(step), 0)
    number = min(shown + 1, len(hints))
    print(f"Step {step}, hint {number} of {len(hints)}:\n\n{hints[number - 1]}")
    if shown >= len(hints):
        print(f"\nThat was the last one. The answer: make solution CH={chapter.number} STEP={step}")
    marks["hints"][str(step)] = number
    save_marks(chapter, marks)


def solution(chapter, step, apply):
    if apply:
        chapter.started()
        for path, functions, kept in splice_step(chapter, step):
            print(f"  spliced   {path}: {', '.join(functions)}; yours is kept in {kept}" if kept else f"  as it is  {path}")
    else:
        for file in dict.fromkeys(hole.file for hole in chapter.holes if hole.step == step):
            print(f"/* {chapter.source}/{file} */\n")
            for hole in chapter.holes:
                if hole.step == step and hole.file == file:
                    print(chapter.solution(hole) + "\n")
    if os.path.isdir(chapter.learner):
        marks = load_marks(chapter)
        marks["seen"] = sorted({*marks.get("seen", []), step})
        save_marks(chapter, marks)


def splice_step(chapter, step):
    """The reference's functions of a step go into the learner's files; (path, functions, where the
    learner's version is kept, or None if it was the same) for each file."""
    done = []
    for file in dict.fromkeys(hole.file for hole in chapter.holes if hole.step == step):
        holes = [hole for hole in chapter.holes if hole.step == step and hole.file == file]
        path = f"{chapter.learner}/{file}"
        if not os.path.exists(path):
            raise Trouble(f"there is no {path}: make start CH={chapter.number} lays it again")
        before = after = read(path)
        for hole in holes:
            after = cfile.splice(after, hole.function, chapter.solution(hole), path)
        done.append((path, [hole.function for hole in holes], keep(chapter, file) if after != before else None))
        if after != before:
            write(path, after)
    return done


def keep(chapter, file):
    """A copy of the learner's file that nothing overwrites."""
    number = 1
    while os.path.exists(f"{chapter.marks}/kept/{file}.{number}"):
        number += 1
    path = f"{chapter.marks}/kept/{file}.{number}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(f"{chapter.learner}/{file}", path)
    return path


def update(chapter):
    """Three ways: what was laid, what would be laid today, what the learner made of it."""
    chapter.started()
    conflicts = []
    for file in chapter.files:
        mine, base = f"{chapter.learner}/{file}", f"{chapter.marks}/base/{file}"
        newer = chapter.skeleton(file)
        if not os.path.exists(mine) or not os.path.exists(base):
            if not os.path.exists(mine):
                write(mine, newer)
            write(base, newer)
            print(f"  laid     {mine}")
            continue
        if read(base) == newer:
            print(f"  current  {mine}")
            continue
        write(f"{chapter.marks}/newer/{file}", newer)
        merged = subprocess.run(["git", "merge-file", "-p", "-L", "yours", "-L", "laid before", "-L", "newer", mine,
                                 base, f"{chapter.marks}/newer/{file}"], text=True, stdout=subprocess.PIPE,
                                check=False)
        if merged.returncode < 0 or merged.returncode > 127:
            raise Trouble(f"{mine}: git merge-file failed")
        kept = keep(chapter, file)
        write(mine, merged.stdout)
        write(base, newer)
        print(f"  merged   {mine}; yours is kept in {kept}")
        if merged.returncode:
            conflicts.append(mine)
    shutil.rmtree(f"{chapter.marks}/newer", ignore_errors=True)
    if conflicts:
        raise Trouble("both sides changed the same lines, between <<<<<<< and >>>>>>>: " + ", ".join(conflicts))


def what_next(chapter):
    """A line for somebody whose tests are green."""
    left = [step for step in chapter.steps if step not in passed_steps(chapter)]
    if left:
        return f"next: step {left[0]}, {chapter.lesson(left[0])}"
    return f"every step has passed; make node CH={chapter.number} MINE=1 and make run MINE=1 run it"


def progress():
    for name in with_holes():
        chapter = Chapter(name)
        if not os.path.isdir(chapter.learner):
            print(f"  {name:<16} not started: make start CH={chapter.number}")
            continue
        marks, valid = load_marks(chapter), passed_steps(chapter)
        words = []
        for step in chapter.steps:
            state = "done" if step in valid else "open"
            words.append(f"{step} {state}{' (seen)' if step in marks.get('seen', []) else ''}")
        following = next((step for step in chapter.steps if step not in valid), None)
        edited = edited_since(chapter)
        print(f"  {name:<16} {'   '.join(words)}"
              + ("   edited since: make grade says what holds" if edited else "")
              + (f"   next: step {following}" if following and not edited else ""))
