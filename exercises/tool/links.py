"""Links, anchors, pictures and `make` targets that a page names: each has to be there."""
import functools
import os
import re
import urllib.parse

from chapter import read
from pages import Page

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HTML = re.compile(r"<(a|img)\b([^>]*)>")
SPAN = re.compile(r"(`+)(.+?)\1")
MAKE = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*make((?: +[^\s|&;>#]+)*)")
ALT_MIN = 10


@functools.lru_cache(maxsize=None)
def targets():
    """Every name that the Makefile makes."""
    text = re.sub(r"\\\n", " ", read("Makefile"))
    words = " ".join(re.findall(r"^\.PHONY:(.*)$", text, re.M)).split()
    variables = dict(re.findall(r"^(\w+)\s*:?=\s*(.*)$", text, re.M))
    for word in list(words):
        match = re.fullmatch(r"\$\((\w+)\)", word)
        if match:
            words += variables.get(match.group(1), "").split()
    return set(words) | set(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.M))


def slug(title):
    """As GitHub makes an anchor of a heading."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


@functools.lru_cache(maxsize=None)
def anchors(path):
    page, found = Page(path), set()
    for _, _, title in page.headings:
        base = name = slug(title)
        number = 0
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found.add(name)
    return found | set(re.findall(r'\b(?:id|name)="([^"]+)"', page.text))


def text_lines(page):
    """(number, line) outside of fences, comments left out."""
    inside = {number for fence in page.fences for number in range(fence.line, fence.last + 2)}
    return [(number, line) for number, line in enumerate(page.lines, 1)
            if number not in inside and not line.lstrip().startswith("<!--")]


def check(page):
    for number, line in text_lines(page):
        plain = SPAN.sub("", line)
        for bang, text, target in LINK.findall(plain):
            check_link(page, number, target)
            if bang and len(text.strip()) < ALT_MIN:
                page.complain(number, f"the picture {target} has no alt text that says what it shows", mend=False)
        for tag, attributes in HTML.findall(plain):
            for target in re.findall(r'\b(?:href|src)="([^"]+)"', attributes):
                check_link(page, number, target)
            if tag == "img" and not re.search(r'\balt="[^"]{10,}"', attributes):
                page.complain(number, "this picture has no alt text that says what it shows", mend=False)
        commands = [span for _, span in SPAN.findall(line)]
        if line.startswith("    "):
            commands.append(line.strip())
        check_targets(page, number, commands)
    for fence in page.fences:
        if fence.lang in ("console", "text", "sh", "bash", ""):
            for number, line in enumerate(fence.content(page), fence.first + 1):
                if line.startswith("$ ") or fence.lang in ("sh", "bash"):
                    check_targets(page, number, [line])


def check_link(page, number, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return
    name, _, anchor = urllib.parse.unquote(target).partition("#")
    if name.startswith("/"):
        page.complain(number, f"the link {target} is not relative", mend=False)
        return
    path = os.path.normpath(os.path.join(os.path.dirname(page.path), name)) if name else page.path
    if name and not os.path.exists(path):
        page.complain(number, f"the link {target} leads nowhere: there is no {path}", mend=False)
    elif anchor and path.endswith(".md") and anchor not in (anchors(path) if name else own_anchors(page)):
        page.complain(number, f"the link {target} leads nowhere: {path} has no heading #{anchor}", mend=False)


def own_anchors(page):
    return {slug(title) for _, _, title in page.headings} | set(re.findall(r'\b(?:id|name)="([^"]+)"', page.text))


def check_targets(page, number, commands):
    for command in commands:
        found = MAKE.match(command)
        for word in found.group(1).split() if found else ():
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                continue  # a variable, a flag, a file; or prose behind the command
            if word not in targets():
                page.complain(number, f"`make {word}`: the Makefile has no such target", mend=False)
            break
