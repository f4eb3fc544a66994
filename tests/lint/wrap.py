#!/usr/bin/env python3
"""Wraps comment lines that are wider than 100 columns, in place: part of `make format`.

clang-format is not asked to: it would also join the lines of lists and tables. What does not fit goes
to the next line if that continues the paragraph, else to a line of its own. A comment behind
code that is too wide moves above it.
"""
import re
import sys

COLUMNS_MAX = 100
OPENING = re.compile(r"^(\s*)/\*( +)(?=\S)")
INNER = re.compile(r"^(\s*)\*( +)(?=\S)")
LIST_MARK = re.compile(r"(?:\d+\.|-|[a-z]\)) +")
BEHIND_CODE = re.compile(r"^(\s*)(\S.*?)\s*(/\*.*\*/)$")


def continuation_prefix(line):
    """What a further line of the comment that `line` belongs to starts with; None outside one."""
    match = OPENING.match(line)
    prefix = match and match.group(1) + " *" + match.group(2)
    if not match:
        match = INNER.match(line)
        prefix = match and match.group(1) + "*" + match.group(2)
    if not match:
        return None
    mark = LIST_MARK.match(line[match.end():])
    return prefix + " " * (len(mark.group()) if mark else 0)


def continues(prefix, line):
    if not line.startswith(prefix):
        return False
    text = line[len(prefix):]
    return bool(text) and text[0] not in " -*" and "  " not in text and "|" not in text \
        and not LIST_MARK.match(text)


def wrap(lines):
    pending, done = list(lines), []
    while pending:
        line = pending.pop(0)
        if len(line) <= COLUMNS_MAX:
            done.append(line)
            continue
        behind = BEHIND_CODE.match(line)
        if behind and not behind.group(2).startswith(("/*", "*", "#")) and not line.rstrip().endswith("\\"):
            pending[:0] = [behind.group(1) + behind.group(3), behind.group(1) + behind.group(2)]
            continue
        prefix = continuation_prefix(line)
        cut = line.rfind(" ", 0, COLUMNS_MAX + 1)
        if prefix and line[cut:].strip() == "*/":
            cut = line.rfind(" ", 0, cut)
        if not prefix or cut <= len(prefix):
            done.append(line)
            continue
        rest = line[cut:].strip()
        done.append(line[:cut].rstrip())
        if not rest.endswith("*/") and pending and continues(prefix, pending[0]):
            pending[0] = prefix + rest + " " + pending[0][len(prefix):]
        else:
            pending.insert(0, prefix + rest)
    return done


def main():
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        wrapped = "\n".join(wrap(text.split("\n")))
        if wrapped != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(wrapped)


if __name__ == "__main__":
    main()
