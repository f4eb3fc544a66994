#!/usr/bin/env python3
"""Runs suites in parallel, then scripts one by one; the last line is "N passed, N failed".

run_suites.py --build=DIR [SUITE...] [--scripts SCRIPT...] [--soak FILE...]

A file tests/NAME/soak says, a line each, what is worth running for long, and how: a suite of that
directory or its script `run`, then what is put into the environment (what is there already wins).

A verdict comes from exit statuses and from the counts that a suite writes into $CAIRN_RESULT, never
from reading output. A suite that writes no counts, that ran fewer tests than it registered, that
ran none, or that outlives its limit has failed. A script may write the counts as well
("total passed failed"); one that does not counts as one test. $CAIRN_UNDER is a command that suites
are started under: valgrind.
"""
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

SUITE_LIMIT_S = float(os.environ.get("CAIRN_SUITE_LIMIT", "600"))
UNDER = shlex.split(os.environ.get("CAIRN_UNDER", ""))
SCRIPT_LIMIT_S = float(os.environ.get("CAIRN_SCRIPT_LIMIT", "1800"))


def kill_session(leader):
    """Whatever a suite or a script left behind, also in process groups of its own."""
    if os.path.isdir("/proc/self"):
        words = [name for name in os.listdir("/proc") if name.isdigit()]
    else:
        words = subprocess.run(["ps", "-A", "-o", "pid="], text=True, stdout=subprocess.PIPE).stdout.split()
    for word in words:
        try:
            if os.getsid(int(word)) == leader:
                os.kill(int(word), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def run(command, limit_s, result_path, env):
    """Returns (exit status or None at the limit, output, seconds)."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env=dict(env, CAIRN_RESULT=result_path))
        RUNNING.add(process.pid)
        try:
            status = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            status = None
            os.killpg(process.pid, signal.SIGTERM)  # the harness kills its child then
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                pass
        finally:
            RUNNING.discard(process.pid)
            kill_session(process.pid)
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    return status, text, time.monotonic() - start


def counts_of(path):
    try:
        with open(path) as file:
            total, passed, failed = (int(word) for word in file.read().split())
        return total, passed, failed
    except (OSError, ValueError):
        return None


def judge(status, counts, limit_s, needs_counts):
    """Returns (passed, failed, complaint or None)."""
    if counts is None:
        counts = (0, 0, 0) if needs_counts else (1, int(status == 0), int(status != 0))
        complaint = "wrote no counts: it did not come to its end" if needs_counts else None
    else:
        total, passed, failed = counts
        complaint = None
        if passed + failed != total:
            complaint = f"ran {passed + failed} of {total} tests"
        elif total == 0:
            complaint = "ran no test"
    _, passed, failed = counts
    if status is None:
        complaint = f"did not end within {limit_s:.0f} s"
    elif status < 0:
        complaint = f"was killed by signal {-status}"
    elif status != 0 and failed == 0 and complaint is None:
        complaint = f"ended with status {status} though no test failed"
    if complaint:
        failed = max(failed, 1)
    return passed, failed, complaint


class Tally:
    def __init__(self, build):
        self.build = build
        self.lock = threading.Lock()
        self.passed = self.failed = 0

    def add(self, name, verdict, output, seconds):
        passed, failed, complaint = verdict
        with self.lock:
            self.passed += passed
            self.failed += failed
            mark = "FAIL" if failed else "ok  "
            print(f"{mark} {name:<44} {passed:>4} passed{f', {failed} failed' if failed else ''}"
                  f"  ({seconds:.1f} s)", flush=True)
            if failed:
                print(output.rstrip("\n"))
                if complaint:
                    print(f"     {name} {complaint}")
                sys.stdout.flush()


def declared(path):
    """(suite or script, whether it is a suite, environment) for each line of a file tests/NAME/soak."""
    folder = os.path.dirname(path)
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                more = dict(word.split("=", 1) for word in words[1:])
                yield f"{folder}/{words[0]}", words[0] != "run", more


def main():
    build, suites, scripts, soaks = "build", [], [], []
    into = suites
    for argument in sys.argv[1:]:
        if argument.startswith("--build="):
            build = argument[len("--build="):]
        elif argument in ("--scripts", "--soak"):
            into = scripts if argument == "--scripts" else soaks
        else:
            into.append(argument)
    env = dict(os.environ, BUILD=os.path.abspath(build))
    env.pop("MAKEFLAGS", None)  # a script that calls make starts afresh
    env.pop("MFLAGS", None)
    env.pop("MAKELEVEL", None)
    tally = Tally(build)
    work = [(path, True, {}) for path in suites] + [(path, False, {}) for path in scripts]
    for path in soaks:
        work += [(f"{build}/{name}" if is_suite else name, is_suite, more) for name, is_suite, more in declared(path)]
    jobs = [(number, *job) for number, job in enumerate(work)]
    with tempfile.TemporaryDirectory(prefix="cairn-results-") as results:
        def one(job):
            number, path, is_suite, more = job
            limit_s = SUITE_LIMIT_S if is_suite else SCRIPT_LIMIT_S
            name = os.path.relpath(path, os.path.join(build, "tests") if is_suite else ".")
            result = os.path.join(results, str(number))
            try:
                command = [*UNDER, path] if is_suite else [os.path.join(".", path)]
                status, output, seconds = run(command, limit_s, result, dict(more, **env))
            except OSError as problem:
                status, output, seconds = 127, str(problem), 0.0
            tally.add(name, judge(status, counts_of(result), limit_s, is_suite), output, seconds)

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            list(pool.map(one, [job for job in jobs if job[2]]))
        for job in jobs:
            if not job[2]:
                one(job)
    if tally.passed + tally.failed == 0:
        print("no test was found")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 0 if tally.failed == 0 and tally.passed > 0 else 1


RUNNING = set()


def stop(number, _frame):
    for pid in list(RUNNING):
        try:
            os.killpg(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    os._exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main())
