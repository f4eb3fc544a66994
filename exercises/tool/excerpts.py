"""Finds what a `<!-- code: FILE:NAME -->` comment names in the source, and fills in the fence below it."""
import bisect
import functools
import glob
import os
import re

import cfile
from chapter import Trouble, read

SPEC = re.compile(r'^([\w./-]+)(?::\s*([^"]*?))?\s*(?:"((?:\\.|[^"\\])*)"\s*\.\.\s*"((?:\\.|[^"\\])*)")?$')
FOLDERS = ("lib", "chapters", "final", "tests")
LANGUAGES = {".c": "c", ".h": "c", ".proto": "proto"}


@functools.lru_cache(maxsize=None)
def files_by_name():
    found = {}
    for folder in FOLDERS:
        for path in glob.glob(f"{folder}/**/*", recursive=True):
            if os.path.splitext(path)[1] in LANGUAGES:
                found.setdefault(os.path.basename(path), []).append(path)
    return found


@functools.lru_cache(maxsize=None)
def source(path):
    return read(path)


def find_file(name):
    """The path of a base name that is unique in the source, or of a path from the root."""
    if "/" in name:
        if not os.path.isfile(name):
            raise Trouble(f"there is no file {name}")
        return name
    paths = files_by_name().get(name, [])
    if not paths:
        raise Trouble(f"no file {name} in {', '.join(FOLDERS)}")
    if len(paths) > 1:
        raise Trouble(f"{name} is not unique; say which: " + ", ".join(sorted(paths)[:6]))
    return paths[0]


class Item:
    """A top-level piece of C or proto: a declaration, a definition, a directive."""

    def __init__(self, text, code, start, end):
        self.start, self.end = start, end
        self.code = code[start:end]
        self.head = re.sub(r"\{.*\}", "{}", self.code, flags=re.S)
        if text[start] == "#":
            self.code = self.head = text[start:end]

    def is_named(self, name):
        """`name` as in a comment: an identifier, `struct x`, `enum x`, `typedef x`, `#define X`, `message X`."""
        words = name.split()
        last = re.escape(words[-1])
        if name.startswith("#define"):
            return re.match(rf"#\s*define\s+{last}\b", self.code) is not None
        if words[0] in ("struct", "union", "enum", "message", "service") and len(words) == 2:
            if re.match(rf"(typedef\s+)?(static\s+)?(const\s+)?{words[0]}\s+{last}\s*\{{", self.head):
                return True
            return words[0] == "enum" and re.match(r"enum\s*\{", self.head) is not None \
                and re.search(rf"\b{last}\b", self.code) is not None
        if words[0] == "typedef" and len(words) == 2:
            return self.head.startswith("typedef") and re.search(rf"\b{last}\b", self.head) is not None
        if len(words) != 1 or self.head.startswith("#"):
            return False
        if re.match(r"typedef\b", self.head):
            return False
        plain = self.head.split("=")[0]
        return re.search(rf"\b{last}\s*(\(|(\[[^\]]*\]\s*)*\s*(=|;|$))", plain.split("{")[0].rstrip() + "") is not None


def items_of(text):
    """All top-level items, in order."""
    code, found, at, start = cfile.blank_noise(text), [], 0, None
    directives = [(match.start() + len(match.group()) - len(match.group().lstrip()), match.end())
                  for match in cfile.NOISE.finditer(text) if match.group().lstrip().startswith("#")]
    while at < len(code):
        char = code[at]
        if start is None and not char.isspace():
            start = at
        if char == "{":
            end = cfile.matching(code, at, "{", "}") + 1
            rest = code[end:].lstrip()
            head = code[start:at]
            if re.match(r'\s*extern\s*$', head):  # extern "C" {
                start, at = None, at + 1
                continue
            function = cfile.defined_name(head) is not None
            message = re.match(r"(message|service|enum)\s+\w+\s*$", head) and not rest.startswith(";")
            at = end
            if function or message:
                found.append(Item(text, code, start, end))
                start = None
            continue
        if char == "(":
            at = cfile.matching(code, at, "(", ")") + 1
            continue
        if char == ";" and start is not None:
            found.append(Item(text, code, start, at + 1))
            start = None
        elif char == "}":
            start = None
        at += 1
    found += [Item(text, code, begin, end) for begin, end in directives]
    return sorted(found, key=lambda item: item.start)


def line_starts(text):
    return [0] + [match.end() for match in re.finditer("\n", text)]


class Excerpt:
    """Lines first..last (from 0, last excluded) of a file."""

    def __init__(self, path, first, last):
        self.path, self.first, self.last = path, first, last
        self.lines = source(path).splitlines()[first:last]

    @property
    def language(self):
        return LANGUAGES.get(os.path.splitext(self.path)[1], "text")


def comment_above(lines, first):
    """The line where a comment that ends directly above `first` begins; else `first`."""
    above = first - 1
    if above < 0 or not lines[above].strip():
        return first
    if lines[above].rstrip().endswith("*/"):
        begin = above
        while begin >= 0 and "/*" not in lines[begin]:
            begin -= 1
        if begin >= 0 and lines[begin].lstrip().startswith("/*"):
            # A banner such as /* ---- words ---- */ is a heading of the file, no comment of this.
            return first if re.match(r"\s*/\* -{3,}", lines[begin]) else begin
        return first
    while above >= 0 and lines[above].lstrip().startswith("//"):
        above -= 1
    return above + 1


def range_of_item(path, name):
    text = source(path)
    found = [item for item in items_of(text) if item.is_named(name)]
    if not found:
        raise Trouble(f"{path} has no `{name}`")
    # A definition rather than the declaration that precedes it.
    item = next((item for item in found if item.code.rstrip().endswith("}")), found[0])
    starts = line_starts(text)
    first = bisect.bisect_right(starts, item.start) - 1
    last = bisect.bisect_right(starts, item.end - 1)
    return comment_above(text.splitlines(), first), last


def narrowed(path, first, last, begin, end):
    lines = source(path).splitlines()
    opened = next((i for i in range(first, last) if begin in lines[i]), None)
    if opened is None:
        raise Trouble(f"no line of the excerpt in {path} holds \"{begin}\"")
    closed = next((i for i in range(opened, last) if end in lines[i]), None)
    if closed is None:
        raise Trouble(f"no line behind \"{begin}\" in {path} holds \"{end}\"")
    return opened, closed + 1


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text)


def find(spec):
    """The excerpt that a comment names; Trouble says what is wrong with it."""
    parsed = SPEC.match(spec)
    if not parsed or not (parsed.group(2) or parsed.group(3) is not None):
        raise Trouble(f"`{spec}` is not FILE:NAME, FILE:NAME \"first\" .. \"last\" or FILE:\"first\" .. \"last\"")
    file, name, begin, end = parsed.groups()
    path = find_file(file)
    if name:
        first, last = range_of_item(path, name.strip())
    else:
        first, last = 0, len(source(path).splitlines())
    if begin is not None:
        first, last = narrowed(path, first, last, unquoted(begin), unquoted(end))
    return Excerpt(path, first, last)


def excerpts_of(page):
    """(code comment, excerpt or None); a comment that names nothing is a complaint of the page."""
    found = []
    for code in page.codes:
        try:
            found.append((code, find(code.text)))
        except (Trouble, cfile.NotFound) as trouble:
            page.complain(code.line, str(trouble), mend=False)
            found.append((code, None))
    return found


def edits(page):
    """What has to change so that every fence below such a comment holds its excerpt."""
    wanted = []
    for code, excerpt in excerpts_of(page):
        if excerpt is None:
            continue
        fence = code.fence
        if fence is None:
            page.complain(code.line, f"no ```{excerpt.language} fence below this comment")
            wanted.append((code.line, code.line, [f"```{excerpt.language}", *excerpt.lines, "```"]))
        elif fence.lang != excerpt.language:
            page.complain(fence.line, f"an excerpt of {excerpt.path} stands in a ```{excerpt.language} fence")
            wanted.append((fence.line - 1, fence.line, [f"```{excerpt.language}"]))
        if fence is not None and fence.content(page) != excerpt.lines:
            differs = f"differs from {excerpt.path}:{excerpt.first + 1}" if fence.content(page) else "is not filled in"
            page.complain(first_difference(page, fence, excerpt), f"the excerpt `{code.text}` {differs}")
            wanted.append((fence.first, fence.last, excerpt.lines))
    return wanted


def first_difference(page, fence, excerpt):
    have = fence.content(page)
    for number, (old, new) in enumerate(zip(have, excerpt.lines)):
        if old != new:
            return fence.first + number + 1
    return fence.first + min(len(have), len(excerpt.lines)) + (1 if len(have) > len(excerpt.lines) else 0)
