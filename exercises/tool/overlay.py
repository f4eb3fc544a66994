"""Programs in which some objects take the place of the reference's.

The Makefile keeps the command that compiles a directory, and for every program the explicit list of
objects and libraries that it is linked from, in files. An overlay is compiled with those commands and
takes its objects' places in that list; nothing of the reference is touched or compiled anew. Where it
changes or adds a header, a merged folder (links to the reference's files, the overlay's on top) takes the
chapter's place on the include path, and every object that includes a changed header is compiled again.

An object is named by the hash of what it is made from and lies in build/exercise/objects, so that no two
overlays, and no two runs, compile the same thing twice.
"""
import glob
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

from chapter import BUILD, ROOT, WORK, Trouble, read, write

# A skeleton leaves parameters and helpers unused; what follows is wrong in any file.
LEARNER_FLAGS = ["-Wno-unused", "-Wno-unused-parameter", "-Werror=implicit-function-declaration",
                 "-Werror=implicit-int", "-Werror=return-type", "-Werror=incompatible-pointer-types",
                 "-Werror=int-conversion", "-include", "tests/harness/todo.h"]
# Learners' objects are checked for stray reads and writes, all of the program for leaks. The
# reference's objects stay as they are: the memory allocator sees what they do with theirs, too.
CHECK = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CHECKED_FLAGS = ["-O1", "-fno-omit-frame-pointer", *CHECK]
DEBUG_FLAGS = ["-O0", "-fno-inline"]
OBJECTS = f"{BUILD}/exercise/objects"
CORES = os.cpu_count() or 1


def plain_environment(**more):
    """Without what make hands down: what is started here starts afresh."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CH", "STEP", "TEST", "MINE")}
    return dict(env, **more)


def run(command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                          env=plain_environment(), check=False, **more)


def build(goals):
    """Has make bring the goals (paths below build/) up to date; says so if there is work to do."""
    with subprocess.Popen(["make", f"-j{CORES}", *(f"{BUILD}/{goal}" for goal in goals)], text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=plain_environment()) as make:
        said = []
        for line in make.stdout:
            if line.startswith("  CC ") and not any(old.startswith("  CC ") for old in said):
                print("building what is below (only once; a minute or two on a clean clone) ...", file=sys.stderr)
            said.append(line)
    if make.returncode != 0:
        raise Trouble("the reference does not build:\n" + "".join(said))


def build_reference(*chapters):
    """The suites on the reference, from which overlays take all other objects."""
    build([f"tests/{suite}" for chapter in chapters for suite in chapter.suites])


def remembered(path):
    return shlex.split(read(f"{BUILD}/{path}").lstrip(": "))


class Digests:
    """What headers on an include path hold, each looked at once."""

    def __init__(self):
        self.known, self.lock = {}, threading.Lock()

    def of(self, folder):
        with self.lock:
            if folder not in self.known:
                digest = hashlib.sha256()
                for path in sorted(glob.glob(f"{folder}/*.h")):
                    digest.update(os.path.basename(path).encode() + b"\0" + read(path).encode() + b"\0")
                self.known[folder] = digest.hexdigest()
            return self.known[folder]


DIGESTS = Digests()


def can_check():
    """Whether this compiler brings the checkers of memory; asked once for a compiler."""
    link = remembered("lists/link")
    mark = f"{BUILD}/exercise/checks-{hashlib.sha256(' '.join(link).encode()).hexdigest()[:12]}"
    if "-fsanitize" in " ".join(link):
        return False  # VARIANT=asan, tsan: all of it is checked already
    if not os.path.exists(mark):
        with tempfile.TemporaryDirectory() as folder:
            done = run([*link, *CHECK, "-x", "c", "-", "-o", f"{folder}/probe"], input="int main(void) { return 0; }\n")
            works = done.returncode == 0 and run([f"{folder}/probe"]).returncode == 0
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        with open(mark, "w", encoding="utf-8") as file:
            file.write("yes" if works else "no")
    return read(mark) == "yes"


def export_commands(chapter, sources):
    """compile_commands.json beside the learner's files, where editors look first. What it names has to
    be there: make writes the flags, and the headers that are generated."""
    if run(["make", "headers"]).returncode != 0:
        print("what the build needs is missing (make deps); editors know how your files are compiled after make grade")
        return
    words = [word for word in remembered(f"obj/{chapter.source}/.flags") if word != "-Werror"] + LEARNER_FLAGS
    entries = [{"directory": ROOT, "file": path, "command": shlex.join([*words, "-c", path])}
               for path in sources.values() if path.endswith(".c")]
    write(f"{chapter.learner}/compile_commands.json", json.dumps(entries, indent=1) + "\n")


class Overlay:
    """`sources`: by chapter, the path of a file for each name that it replaces or adds. `how`: "checked"
    for judging, "plain" for running, "debug" for looking on."""

    def __init__(self, tag, sources, how="checked"):
        self.folder, self.sources = f"{WORK}/{tag}", sources
        self.checked = how == "checked" and can_check()
        self.flags = CHECKED_FLAGS if self.checked else DEBUG_FLAGS if how == "debug" else []
        self.said, self.programs, self.lock = {}, {}, threading.Lock()
        self.changed = {f"chapters/{chapter}/{name}" for chapter, files in sources.items()
                        for name, path in files.items() if name.endswith(".h") and self.differs(chapter, name, path)}
        self.merged = {}
        for chapter in sorted({path.split("/")[1] for path in self.changed}):
            self.merged[f"chapters/{chapter}"] = self.merge(chapter)

    @staticmethod
    def differs(chapter, name, path):
        there = f"chapters/{chapter}/{name}"
        return not os.path.exists(there) or read(there) != read(path)

    def merge(self, chapter):
        folder = f"{self.folder}/include/{chapter}"
        wanted = {os.path.basename(path): path for path in glob.glob(f"chapters/{chapter}/*.[ch]")}
        wanted.update({name: path for name, path in self.sources[chapter].items() if name.endswith(".h")})
        os.makedirs(folder, exist_ok=True)
        for name in set(os.listdir(folder)) | set(wanted):
            if os.path.lexists(f"{folder}/{name}"):
                os.remove(f"{folder}/{name}")
            if name in wanted:
                os.symlink(os.path.join(ROOT, wanted[name]), f"{folder}/{name}")
        return folder

    # ---- compiling -------------------------------------------------------------------------------

    def command(self, directory, learners):
        """The directory's command, without what a finished file must not do."""
        words = [self.merged.get(word, word) for word in remembered(f"obj/{directory}/.flags")
                 if word != "-Werror"]
        return [*words, *(LEARNER_FLAGS + self.flags if learners else [])]

    def compile_one(self, directory, path, learners):
        """The path of the object; what the compiler says about it stays in self.said."""
        command = self.command(directory, learners)
        key = hashlib.sha256(" ".join([*command, path]).encode() + b"\0" + read(path).encode())
        for folder in [word for before, word in zip(command, command[1:]) if before == "-iquote"] + \
                [os.path.dirname(path), "tests/harness"]:
            key.update(DIGESTS.of(folder).encode())
        made = f"{OBJECTS}/{key.hexdigest()[:24]}.o"
        if not os.path.exists(made):
            os.makedirs(OBJECTS, exist_ok=True)
            new = f"{made}.{os.getpid()}.{threading.get_ident()}"
            done = run([*command, "-c", "-o", new, path])
            if done.returncode != 0:
                raise Trouble(f"{path} does not compile:\n{shortened(done.stdout)}")
            with open(made[:-2] + ".txt", "w", encoding="utf-8") as file:
                file.write(done.stdout if learners else "")
            os.replace(new, made)
        else:
            os.utime(made)
        with self.lock:
            self.said[path] = read(made[:-2] + ".txt")
        return made

    def work(self, word):
        """What has to be compiled for an object in a list; None: the reference's will do."""
        if not word.startswith(f"{BUILD}/obj/"):
            return None
        place = word[len(f"{BUILD}/obj/"):-2]
        directory, stem = os.path.split(place)
        chapter = directory[len("chapters/"):] if directory.startswith("chapters/") else None
        own = self.sources.get(chapter, {}).get(stem + ".c")
        if own:
            return directory, own, True
        depends = read(word[:-2] + ".d").replace("\\\n", " ").split() if self.changed else []
        if not self.changed.intersection(depends):
            return None
        source = f"build/{place}.c" if directory.startswith("gen/") else f"{place}.c"
        return directory, f"{self.merged[directory]}/{stem}.c" if directory in self.merged else source, False

    def objects_of(self, words):
        """The list with the overlay's objects in their places, and those that it adds in front."""
        jobs = [self.work(word) for word in words]
        added = [(f"chapters/{chapter}", path, True) for chapter, files in self.sources.items()
                 for name, path in files.items()
                 if name.endswith(".c") and not os.path.exists(f"chapters/{chapter}/{name}")
                 and any(word.startswith(f"{BUILD}/obj/chapters/{chapter}/") for word in words)]
        with ThreadPoolExecutor(max_workers=CORES) as pool:
            made = list(pool.map(lambda job: job and self.compile_one(*job), added + jobs))
        return made[:len(added)] + [new or word for new, word in zip(made[len(added):], words)]

    def warnings(self):
        return "".join(self.said[path] for path in sorted(self.said))

    # ---- linking ---------------------------------------------------------------------------------

    def link(self, program):
        """The path of a program of build/lists in which the overlay's objects stand."""
        if program not in self.programs:
            self.programs[program] = self.link_now(program)
        return self.programs[program]

    def link_now(self, program):
        words = self.objects_of(remembered(f"lists/{program}"))
        command = [*remembered("lists/link"), *(CHECK if self.checked else [])]
        path = f"{self.folder}/{program}"
        key = hashlib.sha256(" ".join([*command, *words]).encode())
        for word in words:
            if word.endswith(".o"):
                info = os.stat(word)
                key.update(f"{info.st_mtime_ns if not word.startswith(OBJECTS) else 0} {info.st_size} ".encode())
        key = key.hexdigest()
        if not (os.path.exists(path) and os.path.exists(path + ".key") and read(path + ".key") == key):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            done = run([*command, "-o", path, *words, "-lm"])
            if done.returncode != 0:
                raise Trouble(f"{program} does not link:\n{shortened(done.stdout)}")
            with open(path + ".key", "w", encoding="utf-8") as file:
                file.write(key)
        return path

    def suites(self, chapter):
        return [self.link(f"tests/{suite}") for suite in chapter.suites]


def shortened(text, most=40):
    """A compiler repeats itself: the first lines say what is wrong."""
    lines = text.replace(ROOT + "/", "").rstrip().splitlines()
    return "\n".join(lines[:most] + ([f"... and {len(lines) - most} lines more"] if len(lines) > most else []))
