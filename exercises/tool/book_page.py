"""A page of the tree as a page of the book: what GitHub understands and Python-Markdown does not is rewritten.

Lists: GitHub nests by the text's column, Python-Markdown by four blanks, and it wants a blank line before
a list or a table. Fences: what stands behind the language is for other tools. Comments go. Links to what is no
page, a source file or a folder, lead to a page that is made for it. Diagrams come in two forms, one for each theme.
"""
import html
import os
import re

FENCE = re.compile(r"^( *)(`{3,}|~{3,}) *([\w+-]*)(.*)$")
EXCERPT = re.compile(r"\s*<!-- code: ([^: ]+):.*-->\s*$")
ITEM = re.compile(r"^( *)([-*+]|\d+[.)])( +)(?=\S)")
PROMPT = re.compile(r"^(\$ |\w+(?:[=>-]?)> |\(gdb\) )(.*)$")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)(\s+\"[^\"]*\")?\)")
DARK = re.compile(r"@media \(prefers-color-scheme:dark\)\{(.*)\}</style>", re.S)


def opening(match, above):
    """The fence's first line, with what the book understands: its language, and as a title where it is typed or what
    file it is from, which the comment above an excerpt names."""
    indent, marks, language, rest = match.groups()
    terminal = re.search(r"\bterminal=(\d+)", rest)
    file = EXCERPT.match(above)
    title = f"terminal {terminal.group(1)}" if terminal and terminal.group(1) != "1" else file and os.path.basename(file.group(1))
    return f"{indent}{marks}{language}" + (f' title="{title}"' if title else "")


def transcript(lines):
    """A console fence as HTML. Highlighters of shells know one prompt; here a person types at many, and what
    they type is what the reader looks for."""
    terminal = re.search(r'title="([^"]*)"', lines[0])
    rows, goes_on = [], False
    for line in lines[1:-1]:
        typed = PROMPT.match(line) or goes_on and re.match(r"(> )(.*)", line)
        goes_on = bool(typed) and line.endswith("\\")
        if typed and typed.group(2):
            rows.append(f'<span class="prompt">{html.escape(typed.group(1))}</span><b>{html.escape(typed.group(2))}</b>')
        else:
            rows.append(f"<b>{line}</b>" if re.fullmatch(r"\^[CDZ]", line) else html.escape(line))
    title = f'<span class="filename">{terminal.group(1)}</span>' if terminal else ""
    text = "\n".join(rows)
    return f'\n<div class="highlight transcript">{title}<pre><code>{text}\n</code></pre></div>\n'


class Lists:
    """Moves lines so that they stand in the list item in which GitHub sees them."""

    def __init__(self):
        self.columns = []  # where the text of each open item begins
        self.after_blank = True
        self.in_list = False

    def move(self, line):
        """The line, at its place."""
        column = len(line) - len(line.lstrip(" "))
        item = ITEM.match(line)
        if not self.columns and column >= 4 and self.after_blank:
            return line  # an indented block of code
        if item or self.after_blank:
            while self.columns and column < self.columns[-1]:
                self.columns.pop()
        depth, base = len(self.columns), self.columns[-1] if self.columns else 0
        if item and column - base < 4:
            self.columns.append(column + len(item.group(2)) + len(item.group(3)))
            marker = item.group(2) if item.group(2)[0] in "-*+" else item.group(2)[:-1] + "."
            return " " * 4 * depth + marker + " " + line[item.end():]
        return " " * (4 * depth + max(0, column - base)) + line.lstrip(" ")


def without_comments(text):
    """A comment that has a line to itself goes with its line."""
    text = re.sub(r"^<!--.*?-->[ \t]*\n", "", text, flags=re.S | re.M)
    return re.sub(r"<!--.*?-->", "", text, flags=re.S)


def pieces(text):
    """[(is it a fence, lines)], comments outside of fences taken out."""
    found, current, closing = [], [], None
    for line in text.splitlines():
        match = FENCE.match(line)
        if closing is None and match and "`" not in match.group(4):
            found.append((False, without_comments("\n".join(current) + "\n").splitlines()))
            current, closing = [opening(match, current[-1] if current else "")], match.group(2)
        elif closing is not None and line.strip().startswith(closing) and not line.strip().strip(closing[0]):
            found.append((True, [*current, line]))
            current, closing = [], None
        else:
            current.append(line)
    found.append((closing is not None, current if closing else without_comments("\n".join(current) + "\n").splitlines()))
    return found


def normalized(text):
    """(is it a fence, text) pieces, as Python-Markdown wants them."""
    lists, result, title = Lists(), [], None
    for is_fence, lines in pieces(text):
        if not is_fence and "".join(lines).strip():
            title = None
        if is_fence:
            language, mark, named = lines[0].partition(" title=")
            if mark and named == title and not language.endswith("console"):
                lines = [language, *lines[1:]]  # excerpts that stand together need their file's name once
            title = named
            column = len(lines[0]) - len(lines[0].lstrip(" "))
            while lists.columns and column < lists.columns[-1]:
                lists.columns.pop()
            indent = " " * 4 * len(lists.columns)
            if not indent and re.match(r"[`~]+console\b", lines[0]):
                result.append((True, transcript(lines)))
                lists.after_blank = True
                continue
            result.append((True, "\n".join([""] + [indent + line[min(column, len(line) - len(line.lstrip(" "))):]
                                                  for line in lines] + [""])))
            lists.after_blank = True
            continue
        out, before = [], ""
        for line in lines:
            starts_list = ITEM.match(line) and not lists.columns
            starts_table = line.startswith("|") and not before.startswith("|")
            if before.strip() and (starts_list or starts_table):
                out.append("")
                lists.after_blank = True
            out.append(lists.move(line) if line.strip() else "")
            lists.after_blank = not line.strip()
            before = line
        result.append((False, "\n".join(out)))
    return result


class Page:
    """path: of the .md, from the root. book: tells pages from other files, and notes what is linked."""

    def __init__(self, book, path):
        self.book, self.path = book, path

    def resolve(self, target):
        """The link as it must stand in the book."""
        if re.match(r"[a-z]+:|//|#", target):
            return target
        place, _, anchor = target.partition("#")
        folder = os.path.dirname(self.path)
        goal = self.book.page_for(os.path.normpath(os.path.join(folder, place)), self.path)
        if goal is None:
            return target
        if not goal.endswith(".md") or re.fullmatch(r"L\d+(-L\d+)?", anchor):
            anchor = ""
        return os.path.relpath(goal, folder or ".") + (f"#{anchor}" if anchor else "")

    def picture(self, alt, target):
        """A diagram that has a line to itself."""
        goal = self.resolve(target)
        light, dark, width = self.book.variants(os.path.normpath(os.path.join(os.path.dirname(self.path), target)))
        size = f' style="min-width:{min(width, 640)}px"' if width else ""
        images = "".join(f'<img class="{theme}" src="{os.path.join(os.path.dirname(goal), name)}" '
                         f'alt="{html.escape(alt)}"{size}>' for theme, name in (("light", light), ("dark", dark)) if name)
        return f'\n<div class="diagram"><a href="{html.escape(goal)}" title="the picture alone">{images}</a></div>\n'

    def code(self, span, line):
        """A span of code in the text; one that names a source file leads to it."""
        goal = None if line.startswith("#") else self.book.source_named(span.strip("`"), os.path.dirname(self.path))
        return f"[{span}]({os.path.relpath(goal, os.path.dirname(self.path) or '.')})" if goal else span

    def linked(self, text):
        """Links lead into the book; what they hold, and other spans of code, is set aside meanwhile."""
        aside = []

        def keep(words):
            aside.append(words)
            return f"\0{len(aside) - 1}\0"

        def restore(some, of_span=lambda span, line: span):
            def one(match):
                line = match.string[match.string.rfind("\n", 0, match.start()) + 1:match.start()] + "."
                words = aside[int(match.group(1))]
                return of_span(words, line) if words.startswith("`") else words
            return re.sub(r"\0(\d+)\0", one, some)

        def link(match):
            image, words, target, title = match.groups()
            alone = match.string[:match.start()].rpartition("\n")[2] == "" and \
                match.string[match.end():].partition("\n")[0].strip() == ""
            if image and alone and target.endswith(".svg"):
                return self.picture(restore(words), target)
            return keep(f"{image}[{restore(words)}]({self.resolve(target)}{title or ''})")

        hidden = re.sub(r"(?<!`)(`+)(?!`)(?:(?!\n\n).)*?(?<!`)\1(?!`)", lambda match: keep(match.group(0)), text, flags=re.S)
        return restore(LINK.sub(link, hidden), self.code)

    def convert(self, text):
        return "\n".join(piece if is_fence else self.linked(piece) for is_fence, piece in normalized(text)) + "\n"


def svg_variants(svg):
    """(for the light theme, for the dark theme, width); the second is None for a picture without themes."""
    size = re.search(r'<svg[^>]*? width="(\d+)', svg)
    dark = DARK.search(svg)
    if not dark:
        return svg, None, int(size.group(1)) if size else 0
    return (svg[:dark.start()] + "</style>" + svg[dark.end():],
            svg[:dark.start()] + dark.group(1) + "</style>" + svg[dark.end():], int(size.group(1)))
