"""A scratch clone for the transcripts of a page, and the process that runs them in it.

The clone holds the project's files (those git knows or would add) and build/, with their times, so that make
finds nothing to compile; the suites' programs, which are large, only for a page that may run them. The runner
is this file, started as a process: where the system allows it in namespaces of its own (network, mounts,
processes), so that ports and /tmp belong to the page, absolute paths are always the same, and whatever was
started ends with it. Elsewhere pages run one after the other, and what they started is found by a mark in its
environment. What the programs printed comes back as JSON.
"""
import fcntl
import functools
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from chapter import ROOT, Trouble

PLACE = "/tmp/cairn"           # of the clone, for who runs in it
RUNS_SUITES = re.compile(r"^\$ .*\bmake( +(?!(node|run|help)\b)|$)", re.M)
LEFT_OUT = {"exercise", "asan", "tsan", "cov"}  # of build/
PAGE_LIMIT_S = 600
SLOW_S = 1.5  # of a command: said with -v
SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8914, 0x41
MARK = "CAIRN_TRANSCRIPT"
NAMESPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def make_clone(files, suites=False):
    """The path of a scratch folder with the clone in it."""
    scratch = tempfile.mkdtemp(prefix="cairn-lessons-")
    clone = f"{scratch}/cairn"
    os.makedirs(clone + "/build")
    for path in files:
        os.makedirs(os.path.dirname(f"{clone}/{path}"), exist_ok=True)
        shutil.copy2(path, f"{clone}/{path}", follow_symlinks=False)
    left_out = LEFT_OUT | (set() if suites else {"tests"})
    kept = [f"build/{name}" for name in sorted(os.listdir("build")) if name not in left_out] \
        if os.path.isdir("build") else []
    if kept:
        subprocess.run(["cp", "-a", *kept, f"{clone}/build/"], check=True)
    return scratch


@functools.lru_cache(maxsize=None)
def namespaces():
    """The words that start a command in namespaces of its own; empty if the system does not allow it."""
    for more in ([], ["--map-root-user"]):
        words = ["unshare", *more, *NAMESPACES]
        try:
            done = subprocess.run([*words, "sh", "-c", "mount -t tmpfs none /tmp && mkdir /tmp/x"], check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return ()
        if done.returncode == 0:
            return tuple(words)
    return ()


def run_page(path, text, files):
    """From a run of the page's transcripts: what was `seen` of each step of each fence, `refused` as (line, text)
    or None, the `slow` commands, `seconds`."""
    scratch = make_clone(files, suites=RUNS_SUITES.search(text) is not None)
    command = [sys.executable, "-B", os.path.abspath(__file__), path, f"{scratch}/cairn"]
    start = time.monotonic()
    lock = None
    try:
        if not namespaces():
            lock = open(os.path.join(tempfile.gettempdir(), "cairn-transcripts.lock"), "w", encoding="utf-8")
            fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([*namespaces(), *command, "inside" if namespaces() else "beside"], input=text, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PAGE_LIMIT_S, check=False)
        if done.returncode != 0:
            raise Trouble(f"{path}: the transcripts' runner failed:\n{done.stderr}")
        return dict(json.loads(done.stdout), seconds=time.monotonic() - start)
    except subprocess.TimeoutExpired as late:
        raise Trouble(f"{path}: the transcripts take more than {PAGE_LIMIT_S} s") from late
    finally:
        kill_marked(scratch)
        if lock:
            lock.close()
        shutil.rmtree(scratch, ignore_errors=True)


def kill_marked(mark):
    """What a page started and left, where no namespace ended it."""
    for pid in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if f"{MARK}={mark}\0".encode() in file.read():
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass


# ---- in the process of its own ---------------------------------------------------------------------

def settle(clone):
    """Own loopback, own /tmp with the clone in it, and nobody stays a zombie. Returns the clone's path now."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP_RUNNING))
    held = os.open(clone, os.O_RDONLY)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/tmp"], check=True)
    os.mkdir(PLACE)
    subprocess.run(["mount", "--bind", f"/proc/self/fd/{held}", PLACE], check=True, pass_fds=[held])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # this is process 1 here: orphans come to it
    return PLACE


def environment(home, mark):
    kept = {name: os.environ[name] for name in ("PATH", "CC", "ASAN_OPTIONS") if name in os.environ}
    return dict(kept, HOME=home, XDG_CONFIG_HOME=home + "/.config", XDG_DATA_HOME=home + "/.local/share",
                XDG_CACHE_HOME=home + "/.cache", TERM="dumb", LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC", PAGER="cat",
                GIT_PAGER="cat", PSQL_PAGER="cat", DEBUGINFOD_URLS="", USER="you", SHELL="/bin/bash", **{MARK: mark})


def inside(path, clone, how):
    import transcripts
    from pages import Page

    os.chdir(ROOT)
    page = Page(path, sys.stdin.read())
    scratch = os.path.dirname(clone)
    if how == "inside":
        clone = settle(clone)
    home = ("/tmp" if how == "inside" else scratch) + "/home"
    os.mkdir(home)
    refused, parts = None, []
    try:
        run = transcripts.Run(page, clone, environment(home, scratch))
        parts = run.parts
        run.run()
    except transcripts.Refused as problem:
        refused = list(problem.args)
    print(json.dumps({"refused": refused, "seen": [[step.seen for step in part.steps] for part in parts],
                      "slow": [(step.line, step.typed, step.seconds) for part in parts for step in part.steps
                               if step.seconds > SLOW_S]}))


if __name__ == "__main__":
    inside(*sys.argv[1:])
