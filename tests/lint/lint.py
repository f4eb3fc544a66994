#!/usr/bin/env python3
"""Checks what the compiler does not: `make lint`. Errors end with status 1, warnings do not.

    lint.py [CHECK...]       all checks, or those named: format names layers banned words headers sizes tidy
    LINT_TIDY=0              leaves out clang-tidy, which is slow
    LINT_FILES="a.c b.h"     looks at these files only
"""
import difflib
import glob
import hashlib
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

COLUMNS_MAX = 100
FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 70

CHAPTERS = sorted(os.path.basename(path) for path in glob.glob("chapters/[0-9][0-9]-*"))
CODE_DIRS = ["lib", *(f"chapters/{name}" for name in CHAPTERS), "final", "final/bench",
             *sorted(path for path in glob.glob("tests/*") + glob.glob("tests/*/reference") if os.path.isdir(path))]
SOURCES = sorted(path for d in CODE_DIRS for path in glob.glob(d + "/*.[ch]"))
ONLY = os.environ.get("LINT_FILES", "").split()
LOOKED_AT = [path for path in SOURCES if not ONLY or path in ONLY]

errors = []
warnings = []


def error(path, line, text):
    errors.append(f"{path}:{line}: {text}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def in_parallel(function, items):
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """The text with comments and literals blanked out, lines kept."""
    return NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def comments_only(text):
    def keep(match):
        kept = match.group()
        return kept if kept.startswith("/") else re.sub(r"[^\n]", " ", kept)
    position, parts = 0, []
    for match in NOISE.finditer(text):
        parts.append(re.sub(r"[^\n]", " ", text[position:match.start()]))
        parts.append(keep(match))
        position = match.end()
    return "".join(parts)


# ---- layers --------------------------------------------------------------------------------------

def visible_dirs(path):
    """The directories whose headers a file may include by plain name (and see generated ones of)."""
    directory = os.path.dirname(path)
    chapters = [f"chapters/{name}" for name in CHAPTERS]
    if directory == "lib":
        return ["lib"]
    if directory in chapters:
        return ["lib", *chapters[:chapters.index(directory) + 1]]
    beside = ["final"] if directory.startswith("final") else \
        ["tests/harness", "final", directory, directory.removesuffix("/reference")]
    return ["lib", *chapters, *beside]


def generated_dir(directory):
    return "build/gen/" + os.path.basename(directory)


def headers_of(directory):
    own = [os.path.basename(path) for path in glob.glob(directory + "/*.h")]
    protos = glob.glob(directory + "/*.proto")
    return own + [os.path.basename(path)[:-len(".proto")] + ".pb-c.h" for path in protos]


def check_layers():
    """DESIGN 1.1: a chapter includes lib/ and chapters with a lower or equal number, by plain name."""
    home = {name: d for d in CODE_DIRS for name in headers_of(d)}
    for path in LOOKED_AT:
        visible = visible_dirs(path)
        for number, line in enumerate(read(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not match:
                continue
            quote, name = match.groups()
            base = os.path.basename(name)
            if quote == "<":
                if name in home:
                    error(path, number, f'{name} is ours: include it with "..."')
            elif base != name:
                error(path, number, f'"{name}": include by plain name, "{base}"')
            elif name not in home:
                error(path, number, f'"{name}" is no header of this tree')
            elif home[name] not in visible:
                error(path, number, f'"{name}" is in {home[name]}, a layer that this file must not know')
    for directory in CODE_DIRS:
        for path in glob.glob(directory + "/*.proto"):
            visible = visible_dirs(path)
            names = {os.path.basename(p) for d in visible for p in glob.glob(d + "/*.proto")}
            for number, line in enumerate(read(path).splitlines(), 1):
                match = re.match(r'\s*import\s+"([^"]+)"', line)
                if match and match.group(1) not in names and not match.group(1).startswith("google/"):
                    error(path, number, f'imports "{match.group(1)}", which no layer from here down has')


def check_names():
    """Headers and protos are included by plain name, so a name occurs once in the tree."""
    seen = {}
    for directory in CODE_DIRS:
        for path in sorted(glob.glob(directory + "/*.h") + glob.glob(directory + "/*.proto")):
            stem = os.path.basename(path)
            if stem in seen:
                error(path, 1, f"has the name of {seen[stem]}")
            seen[stem] = path


# ---- banned calls and words ----------------------------------------------------------------------

UNSAFE = {
    "strcpy": "use memcpy or snprintf", "strcat": "use struct buf", "sprintf": "use snprintf",
    "vsprintf": "use vsnprintf", "gets": "use fgets", "atoi": "use strtol and check it",
    "atol": "use strtol and check it",
}
OURS_ONLY = {
    "strtok": "it has hidden state",
    **{name: "the clock belongs to env" for name in
       ("time", "gettimeofday", "clock_gettime", "clock", "usleep", "nanosleep", "sleep")},
    **{name: "randomness belongs to env" for name in
       ("rand", "srand", "random", "srandom", "rand_r", "drand48", "getrandom", "arc4random")},
    **{name: "the disk belongs to env" for name in ("fsync", "fdatasync", "sync_file_range", "msync")},
    **{name: "the network belongs to env" for name in
       ("socket", "bind", "listen", "accept", "connect", "getaddrinfo", "select", "poll", "epoll_wait")},
    **{name: "threads and locks belong to env" for name in
       ("pthread_create", "pthread_mutex_lock", "pthread_cond_wait", "thrd_create", "mtx_lock")},
    **{name: "memory comes from mem.h, which aborts when there is none" for name in
       ("malloc", "calloc", "realloc", "strdup", "strndup", "asprintf")},
}
# What may call them: the real machine, and for memory the one place.
EXEMPT = {"malloc": ("lib/mem.c",), "calloc": ("lib/mem.c",), "realloc": ("lib/mem.c",)}


def check_banned():
    call = re.compile(r"(?<![\w.>])(" + "|".join({**UNSAFE, **OURS_ONLY}) + r")\s*\(")
    libuv = re.compile(r"\buv_\w+")
    for path in LOOKED_AT:
        ours = not path.startswith("tests/") and not path.startswith("lib/env_uv")
        for number, line in enumerate(code_only(read(path)).splitlines(), 1):
            for match in call.finditer(line):
                name = match.group(1)
                if name in UNSAFE:
                    error(path, number, f"{name}: {UNSAFE[name]}")
                elif ours and path not in EXEMPT.get(name, ()):
                    error(path, number, f"{name}: {OURS_ONLY[name]}")
            if ours and libuv.search(line):
                error(path, number, f"{libuv.search(line).group()}: libuv belongs to lib/env_uv*")


def check_words():
    """What is missing answers with a clear error; it is not announced in a comment."""
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK|for now(?!\()|placeholder|not (?:yet )?implemented|stub)\b", re.I)
    for path in LOOKED_AT:
        for number, line in enumerate(comments_only(read(path)).splitlines(), 1):
            match = words.search(line)
            if match and not path.startswith("tests/harness/"):  # where an exercise's TODO() is defined
                error(path, number, f'a comment says "{match.group()}"')
    for path in LOOKED_AT:
        if path.endswith(".c") and not read(path).startswith("/*"):
            error(path, 1, "opens without the comment that says what lives here")


# ---- headers -------------------------------------------------------------------------------------

def check_headers():
    """A header is complete: it compiles alone under the include path of its layer."""
    compiler = os.environ.get("CC", "cc")
    flags = shlex.split(os.environ.get("CPPFLAGS", ""))

    def compile_alone(path):
        quote = [word for d in visible_dirs(path) for word in ("-iquote", d, "-iquote", generated_dir(d))]
        command = [compiler, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
                   "-Werror", "-fsyntax-only", *quote, *flags, "-x", "c", "-"]
        text = f'#include "{os.path.basename(path)}"\n#include "{os.path.basename(path)}"\n'
        return subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    headers = [path for path in LOOKED_AT if path.endswith(".h")]
    for path, result in zip(headers, in_parallel(compile_alone, headers)):
        if result.returncode != 0:
            error(path, 1, "does not compile alone, or not twice:\n" + result.stdout.rstrip())


# ---- sizes ---------------------------------------------------------------------------------------

def check_sizes():
    for path in LOOKED_AT:
        lines = code_only(read(path)).splitlines()
        if len(lines) > FILE_LINES_MAX:
            warnings.append(f"{path}:1: {len(lines)} lines; a file is one concept, at most {FILE_LINES_MAX}")
        start = None
        for number, line in enumerate(lines, 1):
            if re.match(r"[A-Za-z_].*\)\s*\{$", line) or (re.match(r"\s+.*\)\s*\{$", line) and start is None
                                                          and number > 1 and lines[number - 2][:1].isalpha()):
                start = start or number
            elif line.startswith("}"):
                if start and number - start + 1 > FUNCTION_LINES_MAX:
                    warnings.append(f"{path}:{start}: a function of {number - start + 1} lines; "
                                    f"at most {FUNCTION_LINES_MAX} fit a screen")
                start = None


# ---- clang's tools -------------------------------------------------------------------------------

def check_format():
    def difference(path):
        text = read(path)
        result = subprocess.run(["clang-format", f"--assume-filename={path}"], input=text, text=True,
                                stdout=subprocess.PIPE, check=True)
        return list(difflib.unified_diff(text.splitlines(), result.stdout.splitlines(), path,
                                         "as clang-format has it", lineterm="", n=1))

    for path in LOOKED_AT:
        for number, line in enumerate(read(path).splitlines(), 1):
            if len(line) > COLUMNS_MAX:
                error(path, number, f"{len(line)} columns; at most {COLUMNS_MAX}")
    for path, lines in zip(LOOKED_AT, in_parallel(difference, LOOKED_AT)):
        if lines:
            changed = sum(1 for line in lines if line.startswith("-")) - 1
            shown = "\n".join("    " + line for line in lines[:12]) + ("\n    ..." if len(lines) > 12 else "")
            error(path, 1, f"{changed} lines are not as clang-format has them (make format):\n{shown}")


def tidy_key(path):
    """Names everything that the verdict on a file depends on."""
    parts = [path, ".clang-tidy"]
    dependencies = f"build/obj/{path[:-2]}.d"
    if os.path.exists(dependencies):
        words = read(dependencies).replace("\\\n", " ").split()
        parts += sorted({word for word in words if os.path.isfile(word)})
    else:
        parts += [name for name in SOURCES if name.endswith(".h")]
    digest = hashlib.sha256()
    for part in parts:
        with open(part, "rb") as file:
            digest.update(part.encode() + b"\0" + file.read())
    return digest.hexdigest()


def check_tidy():
    """A file that passed is not looked at again until it, or a header that it includes, changes."""
    if os.environ.get("LINT_TIDY") == "0":
        return
    os.makedirs("build/tidy", exist_ok=True)

    def tidy(path):
        mark = "build/tidy/" + tidy_key(path)
        if os.path.exists(mark):
            return None
        result = subprocess.run(["clang-tidy", "-p", "build", "--quiet", path], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if result.returncode == 0:
            open(mark, "w").close()
            return None
        return result.stdout.strip() or result.stderr.strip()

    files = [path for path in LOOKED_AT if path.endswith(".c")]
    for path, complaint in zip(files, in_parallel(tidy, files)):
        if complaint:
            error(path, 1, "clang-tidy:\n" + complaint.replace(os.getcwd() + "/", ""))


CHECKS = {
    "names": check_names, "layers": check_layers, "banned": check_banned, "words": check_words,
    "headers": check_headers, "sizes": check_sizes, "format": check_format, "tidy": check_tidy,
}


def main():
    names = sys.argv[1:] or list(CHECKS)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        sys.exit(f"lint: no check named {unknown[0]}; there are: {' '.join(CHECKS)}")
    for name in names:
        before = len(errors)
        CHECKS[name]()
        print(f"{name:<8} {'ok' if len(errors) == before else f'{len(errors) - before} errors'}", flush=True)
        for text in errors[before:]:
            print("  " + text.replace("\n", "\n  "))
    for text in warnings:
        print("warning: " + text)
    print(f"{len(LOOKED_AT)} files, {len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
