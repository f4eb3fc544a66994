"""Tests as functions that read as sentences; the verdicts, and assertions that say what they saw."""
import os
import sys
import time
import traceback

import pgwire
import processes

_tests = []


def test(function):
    """Registers a test of the module in which it stands."""
    _tests.append((function.__module__.replace("test_", ""), function.__name__, function))
    return function


def say(text):
    print(f"  {text}", flush=True)


def equal(expected, seen, what=""):
    if expected != seen:
        raise AssertionError(f"{what + ': ' if what else ''}expected {expected!r}, saw {seen!r}")


def within(text, *parts):
    for part in parts:
        if str(part) not in text:
            raise AssertionError(f"{part!r} is not in:\n{text}")


def fails(sqlstate, action, message=None, position=None):
    """The action ends with this SQLSTATE (one of several, if a tuple); the connection lives on."""
    allowed = (sqlstate,) if isinstance(sqlstate, str) else sqlstate
    try:
        action()
    except pgwire.PgError as error:
        if error.sqlstate not in allowed:
            raise AssertionError(f"expected {' or '.join(allowed)}, saw {error}") from None
        if message is not None:
            within(error.message.lower(), message.lower())
        if position is not None:
            equal(position, error.position, "position of the error")
        return error
    raise AssertionError(f"expected {' or '.join(allowed)}, but it succeeded")


def main(words):
    """`words` pick parts ("basic") or tests (any piece of a name); none: all. Returns the exit status."""
    picked = [t for t in _tests if not words or any(word == t[0] or word in t[1] for word in words)]
    passed = failed = 0
    for k, (part, name, function) in enumerate(picked):
        print(f"{part}: {name}", flush=True)
        start = time.monotonic()
        try:
            function()
            verdict, passed = "ok", passed + 1
        except Exception:  # whatever it is, it is this test's verdict, and the others follow
            traceback.print_exc(file=sys.stdout)
            verdict, failed = "FAIL", failed + 1
            processes.keep_directories = os.environ.get("CLUSTER_KEEP", "") != ""
        print(f"{verdict:<4} {part}: {name} ({time.monotonic() - start:.1f} s)", flush=True)
        if k + 1 == len(picked) or picked[k + 1][0] != part:
            getattr(sys.modules[function.__module__], "finish", lambda: None)()
    if not picked:
        print(f"no test is called {' or '.join(words)}")
        failed = 1
    result = os.environ.get("CAIRN_RESULT")
    if result:
        with open(result, "w") as file:
            file.write(f"{passed + failed} {passed} {failed}\n")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0
