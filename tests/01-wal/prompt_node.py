"""Drives a chapter's node through its prompt, as a person with a pipe would."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

BUILD = os.environ.get("BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))


class Node:
    """A node on a data directory; `ask` sends a line and returns the answer's first line."""

    def __init__(self, chapter, *flags):
        self.process = subprocess.Popen([os.path.join(BUILD, chapter, "node"), *flags],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.send(line)
        return self.process.stdout.readline().rstrip("\n")

    def end(self, *lines):
        """Sends the lines, closes the input; returns (status, output, log)."""
        try:
            out, err = self.process.communicate("".join(line + "\n" for line in lines), timeout=30)
        finally:
            self.process.kill()
        return self.process.returncode, out, err

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def survives_kill(chapter, *flags):
    """Puts until it is killed in the middle of a put; what answered OK is there, in order."""
    for round_number in range(3):
        node = Node(chapter, *flags)
        for i in range(50):
            assert node.ask(f"put {round_number}-{i:03} {i}") == "OK"
        node.send(f"put {round_number}-late maybe")
        node.kill()
    status, out, _ = Node(chapter, *flags).end("scan")
    assert status == 0, status
    rows = [line for line in out.splitlines() if "late" not in line]
    assert rows == [f"{r}-{i:03} = {i}" for r in range(3) for i in range(50)], rows


def run(tests):
    """Runs each function in a fresh directory; the exit status says whether all passed."""
    failed = 0
    for test in tests:
        directory = tempfile.mkdtemp(prefix="cairn-node-")
        try:
            test(directory)
        except Exception:  # any of them fails the test, whose name is said
            failed += 1
            print(f"FAIL {test.__name__}")
            traceback.print_exc()
        finally:
            subprocess.run(["chmod", "-R", "u+rwx", directory], check=False)
            shutil.rmtree(directory)
    result = os.environ.get("CAIRN_RESULT")
    if result:
        with open(result, "w", encoding="utf-8") as out:
            out.write(f"{len(tests)} {len(tests) - failed} {failed}\n")
    sys.exit(1 if failed else 0)
