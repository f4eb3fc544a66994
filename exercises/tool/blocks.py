"""The generated blocks of a page: `<!-- table: NAME ARGS -->` .. `<!-- end -->`.

Times. Prose is read at 150 to 230 words a minute; a line of code, which one reads twice, at 8 to 20 a minute.
A line of the reference takes 1 to 3 minutes to write anew, with thinking, compiling and a red test or two.
Rounded up to 5 minutes, as a range, because readers differ more than lessons do.
"""
import functools
import glob
import math
import os
import re
import subprocess

import cfile
import excerpts
import owners
from chapter import BUILD, Chapter, Trouble, read
from overlay import plain_environment
from pages import lessons_of

WORDS_A_MINUTE = (230, 150)
LINES_READ_A_MINUTE = (20, 8)
MINUTES_A_LINE_WRITTEN = (1, 3)
TEST = re.compile(r'^[ \t]*TEST\((?:"([0-9.]+)"|(\w+)),\s*\w+,\s*([\w#]+)\)', re.M)
MACRO = re.compile(r"^#define (\w+)\(invariant, name\)((?:.*\\\n)*.*)", re.M)


def rounded(minutes):
    return max(5, math.ceil(minutes / 5) * 5)


def span(low, high):
    low, high = rounded(low), rounded(high)
    return f"{low} minutes" if low == high else f"{low} to {high} minutes"


def holes_of(chapter):
    return Chapter(chapter).holes if os.path.exists(f"exercises/{chapter}/holes") else []


@functools.lru_cache(maxsize=None)
def lines_of(chapter, step):
    """function -> lines of the reference."""
    whole = Chapter(chapter)
    return {(hole.file, hole.function): whole.lines_of(hole) for hole in whole.holes if hole.step == step}


def excerpt_lines(page):
    found = 0
    for code in page.codes:
        try:
            found += len(excerpts.find(code.text).lines)
        except (Trouble, cfile.NotFound):
            pass  # the page complains of it elsewhere
    return found


def times(page):
    """(reading, writing, lines to write): the times as text, writing None if there is nothing to write."""
    lines = excerpt_lines(page)
    reading = span(*(page.words / words + lines / read_lines
                     for words, read_lines in zip(WORDS_A_MINUTE, LINES_READ_A_MINUTE)))
    written = sum(lines_of(page.chapter, page.lesson).values()) if holes_of(page.chapter) else 0
    return reading, span(*(written * rate for rate in MINUTES_A_LINE_WRITTEN)) if written else None, written


def needs_lesson(page):
    if not page.lesson:
        raise Trouble("this block belongs into a lesson")


def cell(text):
    return " ".join(text.split()).replace("|", "\\|")


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(cell(text) for text in row) + " |" for row in rows)]


# ---- the blocks ------------------------------------------------------------------------------------

def block_time(page, _):
    needs_lesson(page)
    reading, writing, lines = times(page)
    return [f"Reading: {reading}." + (f" Writing: {writing}, {lines} lines." if writing else " Nothing to write.")]


def block_holes(page, _):
    needs_lesson(page)
    lines = lines_of(page.chapter, page.lesson)
    rows = [(f"`{hole.file}`", f"`{hole.function}`", hole.task, str(lines[hole.file, hole.function]))
            for hole in holes_of(page.chapter) if hole.step == page.lesson]
    return table(("file", "function", "task", "lines"), rows)


def steps_named(texts):
    """The steps that have a name: #define LSM_STEP "5"; a later text has the last word."""
    return dict(pair for text in texts for pair in re.findall(r'^ *#define (\w+) "([0-9.]+)"', text, re.M))


def macros_of(texts, steps):
    """Macros that make several tests of one: name -> [(step, pattern)], mem_##name for instance."""
    bodies = dict(pair for text in texts for pair in MACRO.findall(text))

    def made(name):
        tests = [(steps.get(named, quoted), pattern) for quoted, named, pattern in TEST.findall(bodies[name])]
        return [test for other in bodies if re.search(rf"\b{other}\(", bodies[name]) for test in made(other)] + tests

    return {name: made(name) for name in bodies}


def tests_in(path):
    """[(step, name)] of a suite, in the order of its source."""
    text = read(path)
    texts = [read(header) for header in sorted(glob.glob(f"{os.path.dirname(path)}/*.h"))] + [text]
    steps = steps_named(texts)
    found = [(match.start(), match.group(1) or steps.get(match.group(2), "0"), match.group(3))
             for match in TEST.finditer(text)]
    for macro, tests in macros_of(texts, steps).items():
        for match in re.finditer(rf"^{macro}\(\w+,\s*(\w+)\)", text, re.M):
            found += [(match.start(), step, pattern.replace("##name", match.group(1))) for step, pattern in tests]
    return [(int(step.split(".")[0]), name) for _, step, name in sorted(found, key=lambda test: test[0])]


def block_tests(page, _):
    needs_lesson(page)
    lines = []
    for path in sorted(glob.glob(f"tests/{page.chapter}/test_*.c")):
        names = [name for step, name in tests_in(path) if step == page.lesson]
        if names:
            lines += ([""] if lines else []) + [f"`{os.path.basename(path)[:-2]}`", ""]
            lines += ["- " + name.replace("_", " ") for name in names]
    if not lines:
        raise Trouble(f"no TEST of tests/{page.chapter} belongs to step {page.lesson}")
    return lines


def block_lessons(page, _):
    lessons = lessons_of(page.chapter)
    rows = []
    owned = owners.of(page.chapter)
    for lesson in lessons:
        reading, writing, _ = times(lesson)
        title = next((title for _, level, title in lesson.headings if level == 1), "")
        files = [file for file in sorted(owned) if owned[file] == lesson.lesson and not file.endswith(".md")]
        rows.append((f"[{title}]({os.path.basename(lesson.path)})", reading, writing or "nothing",
                     ", ".join(f"`{file}`" for file in files)))
    return table(("lesson", "reading", "writing", "files"), rows)


def first_sentence(path):
    """Of the comment that opens the file, without `wal.c - `."""
    match = re.match(r"\s*(/\*(.*?)\*/|((//[^\n]*\n)+))", read(path), re.S)
    if not match:
        return ""
    text = re.sub(r"^\s*(\*|//) ?", "", match.group(2) or match.group(3), flags=re.M)
    text = re.sub(rf"^\s*{re.escape(os.path.basename(path))}\s*[-:]\s*", "", text).strip()
    sentence = re.match(r"(.*?[.:;!?])(\s|$)", text.split("\n\n")[0].replace("\n", " "), re.S)
    words = " ".join((sentence.group(1) if sentence else text.split("\n\n")[0]).split())
    return words[:1].upper() + re.sub(r"[.:;]$", "", words[1:])


def block_files(page, _):
    owned = owners.of(page.chapter)
    rows = [(f"`{file}`", first_sentence(f"chapters/{page.chapter}/{file}"), str(lesson))
            for file, lesson in sorted(owned.items(), key=lambda entry: (entry[1], entry[0]))]
    return table(("file", "what", "lesson"), rows)


def block_flags(page, _):
    program = f"{BUILD}/{page.chapter}/node"
    made = subprocess.run(["make", "-s", program], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=plain_environment(), check=False)
    if made.returncode != 0:
        raise Trouble(f"make {program} failed:\n{made.stdout}")
    try:
        done = subprocess.run([program, "--help"], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=10, check=False)
    except subprocess.TimeoutExpired as late:
        raise Trouble(f"{program} --help does not end") from late
    lines = [line.rstrip() for line in done.stdout.rstrip().splitlines()]
    flags = [re.match(r"\s+(--[\w-]+(?:=\S+)?)\s{2,}(\S.*)$", line) for line in lines]
    if any(flags):
        return table(("flag", "what"), [(f"`{flag.group(1)}`", flag.group(2)) for flag in flags if flag])
    return ["```text", *lines, "```"]


def block_targets(_, __):
    done = subprocess.run(["make", "-s", "help"], text=True, check=True, stdout=subprocess.PIPE,
                          env=plain_environment())
    rows = [match.groups() for match in re.finditer(r"^  (make(?: [a-z][\w-]*)?(?: [A-Z]+=\S+)*) +(\S.*)$",
                                                        done.stdout, re.M)]
    return table(("command", "what it does"), [(f"`{command}`", what) for command, what in rows])


BLOCKS = {"time": block_time, "holes": block_holes, "tests": block_tests, "lessons": block_lessons,
          "files": block_files, "flags": block_flags, "targets": block_targets}


def edits(page):
    wanted = []
    for block in page.blocks:
        if block.name not in BLOCKS:
            page.complain(block.line, f"no block is named `{block.name}`; there are " + ", ".join(BLOCKS), mend=False)
            continue
        try:
            lines = ["", *BLOCKS[block.name](page, block.arguments), ""]
        except (Trouble, cfile.NotFound) as trouble:
            page.complain(block.line, f"block `{block.name}`: {trouble}", mend=False)
            continue
        if page.lines[block.first:block.last] != lines:
            page.complain(block.line, f"the block `{block.name}` is not what the source says")
            wanted.append((block.first, block.last, lines))
    return wanted
