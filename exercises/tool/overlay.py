"""Programs in which some objects take the place of the reference's.

The Makefile keeps the command that compiles a chapter, and for every program the explicit list of
objects and libraries that it is linked from, in files. An overlay is compiled with that command and
takes its object's place in that list; its objects and programs lie in a folder of their own below
build/exercise/. Nothing of the reference is touched or compiled anew.
"""
import os
import shlex
import subprocess

from chapter import BUILD, Trouble, read

# A skeleton leaves parameters and helpers unused; what follows is wrong in any file.
LEARNER_FLAGS = ["-Wno-unused", "-Wno-unused-parameter", "-Werror=implicit-function-declaration",
                 "-Werror=implicit-int", "-Werror=return-type", "-Werror=incompatible-pointer-types",
                 "-Werror=int-conversion", "-include", "tests/harness/todo.h"]


def plain_environment(**more):
    """Without what make hands down: what is started here starts afresh."""
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CH", "STEP", "TEST")}
    return dict(env, **more)


def run(command, **more):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=plain_environment(), check=False, **more)


def build_reference(chapter):
    """The suites on the reference, from which overlays take all other objects."""
    goals = [f"{BUILD}/tests/{suite}" for suite in chapter.suites]
    result = run(["make", f"-j{os.cpu_count() or 1}", *goals])
    if result.returncode != 0:
        raise Trouble(f"the reference does not build:\n{result.stdout}")


def remembered(path):
    return shlex.split(read(f"{BUILD}/{path}").lstrip(": "))


def compile_command(chapter):
    return [word for word in remembered(f"obj/{chapter.source}/.flags") if word != "-Werror"] + LEARNER_FLAGS


def is_newer(path, than):
    return os.path.exists(path) and os.path.getmtime(path) > max(os.path.getmtime(name) for name in than)


class Overlay:
    """`sources`: path of a file for each name of a chapter's file that it replaces (or adds)."""

    def __init__(self, chapter, tag, sources):
        self.chapter, self.sources = chapter, sources
        self.folder = f"{BUILD}/exercise/{tag}"
        os.makedirs(f"{self.folder}/obj", exist_ok=True)

    def object_of(self, name):
        return f"{self.folder}/obj/{name[:-2]}.o"

    def depends(self, name):
        """What an object was made from, as the compiler wrote it down; nothing if it is not there."""
        path = self.object_of(name)[:-2] + ".d"
        if not os.path.exists(path):
            return None
        words = read(path).replace("\\\n", " ").split()
        return [word for word in words if not word.endswith(":")]

    def compile(self):
        """What the compiler says, which is "" if it has nothing to say; Trouble if it refuses."""
        said = ""
        for name, path in self.sources.items():
            depends = self.depends(name)
            if depends and path in depends and all(map(os.path.exists, depends)) \
                    and is_newer(self.object_of(name), depends):
                continue
            command = [*compile_command(self.chapter), "-MMD", "-c", "-o", self.object_of(name), path]
            result = run(command)
            if result.returncode != 0:
                raise Trouble(f"{path} does not compile:\n{result.stdout}")
            said += result.stdout
        return said

    def link(self, suite):
        """The path of a suite in which the overlay's objects stand."""
        replaced = {f"{BUILD}/obj/{self.chapter.source}/{name[:-2]}.o": self.object_of(name)
                    for name in self.sources}
        words = remembered(f"lists/tests/{suite}")
        objects = [replaced.pop(word, word) for word in words]
        program = f"{self.folder}/tests/{suite}"
        os.makedirs(os.path.dirname(program), exist_ok=True)
        inputs = [word for word in objects if word.endswith(".o")] + list(replaced.values())
        if not is_newer(program, inputs):
            result = run([*remembered("lists/link"), "-o", program, *replaced.values(), *objects, "-lm"])
            if result.returncode != 0:
                raise Trouble(f"{suite} does not link:\n{result.stdout}")
        return program

    def suites(self):
        return [self.link(suite) for suite in self.chapter.suites]
