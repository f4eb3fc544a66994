"""A page of the course as the tool sees it: sections, fences, folds, generated blocks, prose.

Text in, structure out; what the structure has to be like says rules.py. Line numbers count from 1, as in
messages; `first` and `last` of a fence are the indexes of its content in `lines`, last excluded.
"""
import glob
import os
import re
import subprocess

from chapter import read

FENCE = re.compile(r"^( {0,3})(`{3,})([^`]*)$")
COMMENT_CODE = re.compile(r"^<!-- *code: *(.*?) *-->$")
BLOCK_OPEN = re.compile(r"^<!-- *table: *(\w+) *(.*?) *-->$")
BLOCK_CLOSE = re.compile(r"^<!-- *end *-->$")
HEADING = re.compile(r"^(#{1,6}) +(.*?) *#* *$")
LESSON_FILE = re.compile(r"^chapters/([0-9][0-9]-[^/]+)/([1-9][0-9]*)-[^/]+\.md$")


class Complaint:
    """What is wrong, where, and the command that mends it, by itself or after somebody's edit."""

    def __init__(self, path, line, text, command="make lessons", mends=False):
        self.path, self.line, self.text = path, line, text
        self.mend = command if mends else "by hand, then " + command

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}\n    mend: {self.mend}"


class Fence:
    def __init__(self, line, lang, info):
        self.line, self.lang, self.info = line, lang, info
        self.first = self.last = line
        self.code = None       # what the comment above names
        self.section = ""

    def content(self, page):
        return page.lines[self.first:self.last]


class Code:
    """A comment that names an excerpt; its fence may be missing yet."""

    def __init__(self, line, text, section):
        self.line, self.text, self.section, self.fence = line, text, section, None


class Block:
    def __init__(self, line, name, arguments):
        self.line, self.name, self.arguments = line, name, arguments
        self.first = self.last = line


class Page:
    def __init__(self, path, text=None):
        self.path = path
        self.text = read(path) if text is None else text
        self.lines = self.text.splitlines()
        parts = path.split("/")
        self.chapter = parts[1] if len(parts) > 2 and parts[0] in ("chapters", "exercises") \
            and re.match(r"[0-9][0-9]-", parts[1]) else None
        self.fences, self.codes, self.blocks, self.headings, self.complaints = [], [], [], [], []
        self.prose = []  # (line, text) of what is read: no fence, table, fold, heading or comment
        named = LESSON_FILE.match(path)
        self.lesson = int(named.group(2)) if named else None
        self.parse()
        if path == f"chapters/{self.chapter}/README.md" and not lesson_files(self.chapter) \
                and any(title == "The problem" for _, _, title in self.headings):
            self.lesson = 1

    @property
    def mend(self):
        """The command that fills this page in."""
        if not self.chapter:
            return f"make lessons PAGE={self.path}"
        return f"make lessons CH={self.chapter[:2]}" + (f" LESSON={self.lesson}" if self.lesson else "")

    def complain(self, line, text, mend=True):
        self.complaints.append(Complaint(self.path, line, text, self.mend, mend))

    @property
    def words(self):
        return sum(len(re.findall(r"\w[\w'’.-]*", text)) for _, text in self.prose)

    # ---- parsing -------------------------------------------------------------------------------

    def parse(self):
        fence = block = comment = None
        folds, section = 0, ""
        for number, line in enumerate(self.lines, 1):
            if fence:
                if line.strip() == fence.ticks:
                    fence.last = number - 1
                    fence = None
                continue
            opened = FENCE.match(line)
            if opened:
                fence = self.open_fence(number, opened, section)
                continue
            if comment or line.lstrip().startswith("<!--"):
                comment = "-->" not in line
                block, section = self.marker(number, line.strip(), block, section)
                continue
            folds += line.count("<details") - line.count("</details>")
            heading = HEADING.match(line)
            if heading:
                self.headings.append((number, len(heading.group(1)), heading.group(2)))
                section = heading.group(2) if heading.group(1) == "##" else section
            elif not folds and not block and not re.match(r"\s*(\||</?details)", line):
                self.prose.append((number, line))
        if fence:
            self.complain(fence.line, "this fence is not closed", mend=False)
            fence.last = len(self.lines)
        if block:
            self.complain(block.line, f"the block `{block.name}` has no `<!-- end -->`", mend=False)
            self.blocks.remove(block)
        if folds:
            self.complain(len(self.lines), f"{abs(folds)} <details> {'not closed' if folds > 0 else 'too few'}",
                          mend=False)

    def open_fence(self, number, opened, section):
        words = opened.group(3).strip().split(None, 1)
        fence = Fence(number, words[0] if words else "", words[1] if len(words) > 1 else "")
        fence.ticks, fence.section = opened.group(2), section
        if self.codes and self.codes[-1].line == number - 1:
            fence.code = self.codes[-1]
            fence.code.fence = fence
        self.fences.append(fence)
        return fence

    def marker(self, number, line, block, section):
        code, opened = COMMENT_CODE.match(line), BLOCK_OPEN.match(line)
        if code:
            self.codes.append(Code(number, code.group(1), section))
        elif opened and not block:
            block = Block(number, opened.group(1), opened.group(2))
            self.blocks.append(block)
        elif BLOCK_CLOSE.match(line) and block:
            block.last = number - 1
            block = None
        return block, section

    # ---- writing -------------------------------------------------------------------------------

    def replaced(self, edits):
        """The text with lines[first:last] replaced, for each (first, last, lines)."""
        lines = list(self.lines)
        for first, last, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
            lines[first:last] = new
        return "\n".join(lines) + "\n"


def lesson_files(chapter):
    """Paths of a chapter's lesson files, by number."""
    found = [path for path in glob.glob(f"chapters/{chapter}/[1-9]*-*.md") if LESSON_FILE.match(path)]
    return sorted(found, key=lambda path: int(LESSON_FILE.match(path).group(2)))


def lessons_of(chapter):
    """Its lessons as pages, in order; empty if it has none yet."""
    pages = [Page(path) for path in lesson_files(chapter)]
    overview = f"chapters/{chapter}/README.md"
    if not pages and os.path.exists(overview):
        pages = [page for page in [Page(overview)] if page.lesson]
    return pages


def tracked_files():
    """The project's files, also those that git does not know yet; no learner's."""
    if os.path.exists(".git"):
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], text=True, check=True,
                                stdout=subprocess.PIPE).stdout.split("\0")
    else:  # unpacked from an archive
        listed = [path for path in glob.glob("**/*", recursive=True)
                  if not path.startswith(("build/", "data/", "site/"))]
    return sorted(path for path in set(listed) if path and os.path.isfile(path)
                  and not re.match(r"exercises/[^/]+/src/", path))


def all_pages():
    return [path for path in tracked_files() if path.endswith(".md") and not path.startswith("tests/lessons/")]
