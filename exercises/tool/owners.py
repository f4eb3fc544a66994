"""Which lesson a chapter's file belongs to, and whether files use only what earlier lessons laid.

A file belongs to the lowest lesson that quotes it. A source that no lesson quotes goes with its header (the
same name with .h), and a header with its source. What is left belongs to the lesson that first needs it: the
lowest lesson of a file that uses one of its symbols or includes it; what nobody needs, to the last.

The symbol rule: an object may use symbols of files of its own and earlier lessons, and of earlier chapters (those the
build checks). A symbol is there as soon as its definition or the header that declares it is quoted: a contract can be
used before it is fulfilled. Excepted are node.c, which wires the whole chapter, and what the overview says in a comment:

    <!-- dispatch: raft.c -> raft_snapshot.c: the table of messages names the handler of a later lesson -->
"""
import functools
import glob
import os
import re
import subprocess

import cfile
import excerpts
from chapter import BUILD, Trouble, read
from overlay import plain_environment
from pages import Complaint, lessons_of

DISPATCH = re.compile(r"^<!-- *dispatch: *(\S+) *-> *(\S+?): *(.+?) *-->$", re.M)
INCLUDE = re.compile(r'^#include "(\w+\.h)"', re.M)


def files_of(chapter):
    return sorted(os.path.basename(path) for path in glob.glob(f"chapters/{chapter}/*")
                  if os.path.splitext(path)[1] in excerpts.LANGUAGES)


def quoted(chapter):
    """The lowest lesson that quotes each file."""
    found = {}
    for page in lessons_of(chapter):
        for code in page.codes:
            try:
                path = excerpts.find_file(code.text.split(":")[0].strip())
            except Trouble:
                continue
            if os.path.dirname(path) == f"chapters/{chapter}":
                name = os.path.basename(path)
                found[name] = min(found.get(name, page.lesson), page.lesson)
    return found


@functools.lru_cache(maxsize=None)
def objects_of(chapter):
    """source -> (defined symbols, used symbols), from the compiler's output."""
    sources = [name for name in files_of(chapter) if name.endswith(".c")]
    objects = [f"{BUILD}/obj/chapters/{chapter}/{name[:-2]}.o" for name in sources]
    made = subprocess.run(["make", "-s", *objects], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=plain_environment(), check=False)
    if made.returncode != 0:
        raise Trouble(f"chapter {chapter} does not build:\n{made.stdout}")
    return {name: symbols(path) for name, path in zip(sources, objects)}


def symbols(path):
    listed = subprocess.run(["nm", "-g", path], text=True, check=True, stdout=subprocess.PIPE).stdout
    words = [line.split() for line in listed.splitlines()]
    return ({line[-1] for line in words if len(line) == 3}, {line[-1] for line in words if len(line) == 2})


def needs(chapter):
    """file -> the chapter's files that it uses by symbol or includes."""
    files, objects = files_of(chapter), objects_of(chapter)
    definer = {symbol: name for name, (defined, _) in objects.items() for symbol in defined}
    found = {name: set() for name in files}
    for name in files:
        found[name] |= {header for header in INCLUDE.findall(read(f"chapters/{chapter}/{name}")) if header in found}
        found[name] |= {definer[symbol] for symbol in objects.get(name, ((), ()))[1] if symbol in definer}
        found[name] |= {proto for proto in files if proto.endswith(".proto")
                        and f'#include "{proto[:-6]}.pb-c.h"' in read(f"chapters/{chapter}/{name}")}
    return found


def of(chapter):
    """file -> lesson."""
    owned, files = quoted(chapter), files_of(chapter)
    last = max([page.lesson for page in lessons_of(chapter)], default=1)
    for name in files:
        stem, extension = os.path.splitext(name)
        partner = {".c": stem + ".h", ".h": stem + ".c"}.get(extension)
        if name not in owned and partner in quoted_once(chapter):
            owned[name] = quoted_once(chapter)[partner]
    needed_by = needs(chapter)
    for name, other in exceptions(chapter)[0]:  # a table of later lessons' functions lays none of them
        needed_by.get(name, set()).discard(other)
    open_files = [name for name in files if name not in owned and name != "node.c"]
    for lesson in range(1, last + 1):
        front = [name for name in owned if owned[name] == lesson and name != "node.c"]
        while front:
            for other in sorted(needed_by[front.pop()]):
                if other in open_files:
                    open_files.remove(other)
                    owned[other] = lesson
                    front.append(other)
    for name in open_files + ["node.c"] * ("node.c" in files):
        owned.setdefault(name, last)
    return owned


@functools.lru_cache(maxsize=None)
def quoted_once(chapter):
    return quoted(chapter)


def declarations(chapter):
    """symbol -> the lesson that quotes the header that declares it."""
    found = {}
    for name, lesson in quoted(chapter).items():
        if name.endswith(".h"):
            for symbol in re.findall(r"\b([a-z]\w+)\s*\(", cfile.blank_noise(read(f"chapters/{chapter}/{name}"))):
                found[symbol] = min(found.get(symbol, lesson), lesson)
    return found


def exceptions(chapter):
    """{(file, file it may use)} and complaints about lines that name what is not there."""
    path, allowed, wrong = f"chapters/{chapter}/README.md", {}, []
    files = files_of(chapter)
    for match in DISPATCH.finditer(read(path)) if os.path.exists(path) else ():
        line = read(path).count("\n", 0, match.start()) + 1
        for name in match.groups()[:2]:
            if name not in files:
                wrong.append(Complaint(path, line, f"dispatch names {name}, which is not in chapters/{chapter}"))
        allowed[match.groups()[:2]] = line
    return allowed, wrong


def check(chapter):
    """Complaints about files that use what a later lesson lays."""
    owned, objects = of(chapter), objects_of(chapter)
    allowed, wrong = exceptions(chapter)
    definer = {symbol: name for name, (defined, _) in objects.items() for symbol in defined}
    declared = declarations(chapter)
    needed = set()
    for name, (_, used) in sorted(objects.items()):
        for symbol in sorted(used):
            other = definer.get(symbol)
            if name == "node.c" or other is None:
                continue
            if min(owned[other], declared.get(symbol, owned[other])) <= owned[name]:
                continue
            needed.add((name, other))
            if (name, other) not in allowed:
                path = f"chapters/{chapter}/{name}"
                wrong.append(Complaint(path, line_of(path, symbol),
                                       f"{name} belongs to lesson {owned[name]} and uses {symbol} of {other}, lesson "
                                       f"{owned[other]}: quote the header that declares it in this lesson or an earlier "
                                       "one, or one of the files in another; or, if this is the chapter's dispatch "
                                       f"table, say in chapters/{chapter}/README.md "
                                       f"<!-- dispatch: {name} -> {other}: why -->", f"make lessons CH={chapter[:2]}"))
    for pair in sorted(set(allowed) - needed):
        wrong.append(Complaint(f"chapters/{chapter}/README.md", allowed[pair],
                               f"dispatch: {pair[0]} uses nothing of a later lesson in {pair[1]}; take the line out"))
    return wrong


def line_of(path, symbol):
    for number, line in enumerate(read(path).splitlines(), 1):
        if re.search(rf"\b{re.escape(symbol)}\b", line):
            return number
    return 1
