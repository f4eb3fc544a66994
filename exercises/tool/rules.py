"""What a page has to be like: a lesson's sections and limits, and which fences any page may hold."""
import functools
import os
import re

import cfile
from blocks import excerpt_lines, holes_of
from chapter import Trouble, read, with_holes
from excerpts import LANGUAGES, find
from pages import lesson_files, lessons_of
from transcripts import parse_options

SECTIONS = ["The problem", "What you will be able to do", "The idea", "Predict before you run", "The contract",
            "Your turn", "Try it", "One way to write it", "What real systems do", "Questions"]
WORDS = (1200, 2200)
EXCERPT_LINES_MAX = 400
WANTED_BLOCKS = {"What you will be able to do": "time", "The contract": "holes", "Your turn": "tests"}


def check(page):
    check_fences(page)
    check_overview(page)
    if page.lesson:
        check_sections(page)
        check_size(page)
        check_secrets(page)


def check_fences(page):
    for fence in page.fences:
        if fence.lang in LANGUAGES.values() and fence.code is None:
            page.complain(fence.line, f"a ```{fence.lang} fence is never typed: put `<!-- code: FILE:NAME -->` above it",
                          mend=False)
        if fence.code is not None and fence.lang not in LANGUAGES.values():
            page.complain(fence.line, f"the fence below `<!-- code: {fence.code.text} -->` is ```{fence.lang}")
        if fence.lang == "console":
            try:
                parse_options(fence)
            except (ValueError, re.error) as problem:
                page.complain(fence.line, f"the fence's options: {problem}", mend=False)
        if fence.lang == "text":
            for number, line in enumerate(fence.content(page), fence.first + 1):
                if line.startswith("$ "):
                    page.complain(number, "a ```text fence holds no command; make it a ```console fence, which is run",
                                  mend=False)


def check_overview(page):
    """A chapter with lesson files names them, and every file of the chapter, in generated blocks."""
    if page.lesson or page.path != f"chapters/{page.chapter}/README.md" or not lesson_files(page.chapter):
        return
    for name in ("lessons", "files"):
        if name not in [block.name for block in page.blocks]:
            page.complain(1, f"the overview of a chapter with lessons has a block `<!-- table: {name} -->`", mend=False)
    numbers = [lesson.lesson for lesson in lessons_of(page.chapter)]
    steps = sorted({hole.step for hole in holes_of(page.chapter)})
    for step in steps:
        if numbers.count(step) != 1:
            page.complain(1, f"step {step} of exercises/{page.chapter}/holes has {numbers.count(step)} lessons, not one",
                          mend=False)


def check_sections(page):
    titles = [(line, title) for line, level, title in page.headings if level == 2]
    names = [title for _, title in titles]
    for line, title in titles:
        if title not in SECTIONS:
            page.complain(line, f"`## {title}` is none of a lesson's sections: {', '.join(SECTIONS)}",
                          mend=False)
        elif names.count(title) > 1 and names.index(title) != titles.index((line, title)):
            page.complain(line, f"`## {title}` stands here twice", mend=False)
    for title in SECTIONS:
        if title not in names:
            page.complain(len(page.lines), f"the section `## {title}` is missing", mend=False)
    known = [title for title in names if title in SECTIONS]
    if known != sorted(known, key=SECTIONS.index):
        line = next(line for line, title in titles if title in known
                    and known.index(title) != sorted(known, key=SECTIONS.index).index(title))
        page.complain(line, "the sections are not in their order: " + ", ".join(SECTIONS), mend=False)
    first = page.lines[0] if page.lines else ""
    wanted = "# " if page.path.endswith("README.md") else f"# {page.lesson}. "
    if not first.startswith(wanted):
        page.complain(1, f"the first line is not `# {page.lesson}. Title`", mend=False)
    check_contents(page, names)


def section_lines(page, title):
    """(number, line) of a section."""
    begin = next((line for line, level, name in page.headings if level == 2 and name == title), None)
    if begin is None:
        return []
    end = next((line for line, level, _ in page.headings if level <= 2 and line > begin), len(page.lines) + 1)
    return list(enumerate(page.lines[begin:end - 1], begin + 1))


def check_contents(page, names):
    """What the sections have to hold."""
    has_holes = any(hole.step == page.lesson for hole in holes_of(page.chapter))
    if not has_holes:
        page.complain(1, f"exercises/{page.chapter}/holes has no step {page.lesson} for this lesson", mend=False)
    for title, name in WANTED_BLOCKS.items():
        lines = section_lines(page, title)
        if title in names and not any(re.match(rf"<!-- *table: *{name}\b", line) for _, line in lines):
            page.complain(lines[0][0] if lines else 1, f"`## {title}` has no block `<!-- table: {name} -->`",
                          mend=False)
    wanted = (("The problem", r"```console", "a ```console fence"), ("Try it", r"```console", "a ```console fence"),
              ("Try it", r"### Break it$", "a part `### Break it`"), ("The idea", r"!\[", "a diagram"),
              ("The idea", r"\d+\. ", "the invariants as a numbered list"),
              ("One way to write it", r"<details markdown=\"1\"><summary>", "a fold"),
              ("Questions", r"<details markdown=\"1\"><summary>Answer</summary>", "a folded answer"))
    for title, pattern, what in wanted:
        lines = section_lines(page, title)
        if title in names and not any(re.match(pattern, line) for _, line in lines):
            page.complain(lines[0][0] if lines else 1, f"`## {title}` has not {what}", mend=False)


def check_size(page):
    if not WORDS[0] <= page.words <= WORDS[1]:
        page.complain(1, f"{page.words} words of prose; a lesson has {WORDS[0]} to {WORDS[1]}", mend=False)
    lines = excerpt_lines(page)
    if lines > EXCERPT_LINES_MAX:
        page.complain(1, f"{lines} lines of excerpts; a lesson has at most {EXCERPT_LINES_MAX}", mend=False)


@functools.lru_cache(maxsize=None)
def hidden_ranges():
    """path -> [(function, first line, last line) of the body of every hole]"""
    found = {}
    for chapter in with_holes():
        for hole in holes_of(chapter):
            path = f"chapters/{chapter}/{hole.file}"
            if not os.path.exists(path):
                continue
            text = read(path)
            try:
                function = cfile.find(text, hole.function, path)
            except cfile.NotFound:
                continue  # `holes` is checked with the exercises
            first, last = text.count("\n", 0, function.body), text.count("\n", 0, function.end)
            found.setdefault(path, []).append((hole.function, first, last))
    return found


def check_secrets(page):
    """No excerpt before the walk shows the body of a function that a reader has to write."""
    walk = SECTIONS.index("One way to write it")
    hidden = hidden_ranges()
    for code in page.codes:
        if code.section in SECTIONS and SECTIONS.index(code.section) >= walk:
            continue
        try:
            excerpt = find(code.text)
        except (Trouble, cfile.NotFound):
            continue
        for function, first, last in hidden.get(excerpt.path, []):
            if excerpt.first <= last and excerpt.last > first:
                page.complain(code.line, f"this excerpt shows {function}, which `holes` names, before "
                              "`## One way to write it`; quote its prototype", mend=False)
