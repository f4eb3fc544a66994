"""Clusters of real cairnd processes: free ports, temporary directories, and nothing left behind.

What a test sees of the machine goes through here. Every process started is killed when the program ends, however
it ends; directories stay only when a test failed (and are named then).
"""
import atexit
import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pgwire

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
CAIRND = os.path.join(BUILD, "cairnd")
CAIRN = os.path.join(BUILD, "cairn")
# A sanitizer slows a node down: deadlines, which only end a test that hangs, are longer then.
SLOW = 3.0 if os.path.basename(BUILD) in ("asan", "tsan", "cov") else 1.0
ENGINE = [f"--engine={os.environ['CLUSTER_ENGINE']}"] if os.environ.get("CLUSTER_ENGINE") else []
READY_S = 30.0 * SLOW


class Timeout(Exception):
    pass


def until(what, condition, deadline_s=READY_S, every_s=0.02):
    """Polls until the condition holds and returns its value. Lost connections and errors count as "not yet"."""
    end, last = time.monotonic() + deadline_s, None
    while True:
        try:
            value = condition()
            if value:
                return value
        except (pgwire.PgError, pgwire.Lost) as problem:
            last = problem
        if time.monotonic() > end:
            raise Timeout(f"{what}: not within {deadline_s:.0f} s{f' (last: {last})' if last else ''}")
        time.sleep(every_s)


# ---- ports -------------------------------------------------------------------------------------------

def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_ports(count):
    """`count` free ports in a row, below the range from which the system picks its own."""
    for _ in range(1000):
        base = random.randrange(22000, 23000 - count)
        if all(is_free(base + k) for k in range(count)):
            return base
    raise Timeout("no free ports in 22000-22999")


# ---- what must not outlive the program ---------------------------------------------------------------

_children, _clusters, _directories, _unmount = [], [], [], []
keep_directories = False


def temporary_directory():
    path = tempfile.mkdtemp(prefix="cairn-cluster-")
    _directories.append(path)
    return path


def mount_small(size_mib):
    """A file system of its own of that size. Needs the right to mount; None if that is not given."""
    path = os.path.join(temporary_directory(), "disk")
    os.mkdir(path)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        return None
    _unmount.append(path)
    return path


def clean_up():
    for cluster in _clusters:
        for pid in cluster.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
    for child in _children:
        if child.poll() is None:
            child.kill()
        child.wait()
    for path in _unmount:
        subprocess.run(["umount", "-l", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _unmount.clear()
    for path in _directories:
        if keep_directories:
            print(f"kept for you to look at: {path}", flush=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
    _directories.clear()


atexit.register(clean_up)


def on_signal(number, _frame):
    clean_up()
    os._exit(128 + number)


for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, on_signal)


# ---- programs ----------------------------------------------------------------------------------------

def spawn(command, **options):
    child = subprocess.Popen(command, **options)
    _children.append(child)
    return child


def run_program(command, deadline_s=60.0, **options):
    """Runs to the end: (exit status, what it printed on both outputs)."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=deadline_s * SLOW, **options)
    return done.returncode, done.stdout.decode(errors="replace")


class Node:
    def __init__(self, cluster, number, data):
        self.cluster, self.number, self.data = cluster, number, data
        self.port = cluster.port + number - 1
        self.log = f"{data}.log" if cluster.logs is None else os.path.join(cluster.logs, f"n{number}.log")
        self.process = None

    def command(self):
        join = ",".join(f"127.0.0.1:{node.port}" for node in self.cluster.nodes)
        return [CAIRND, f"--node-id={self.number}", f"--port={self.port}", f"--data={self.data}",
                f"--join={join}", *self.cluster.flags]

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, **options):
        assert not self.running
        with open(self.log, "ab") as log:
            self.process = spawn(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, **options)
        return self

    def kill(self):
        """SIGKILL; returns the time of death."""
        self.process.send_signal(signal.SIGKILL)
        died = time.monotonic()
        self.process.wait()
        return died

    def connect(self, **settings):
        return pgwire.Connection(self.port, **settings)

    def serves(self):
        with self.connect(timeout_s=10 * SLOW) as connection:
            return connection.query("SELECT 1").value == "1"

    def await_serving(self, deadline_s=READY_S):
        def serving():
            assert self.running, f"node {self.number} has ended:\n{self.log_tail()}"
            return self.serves()
        until(f"node {self.number} serves", serving, deadline_s)
        return self

    def await_end(self, deadline_s=READY_S):
        """The exit status of a node that is expected to end by itself."""
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise Timeout(f"node {self.number} does not end\n{self.log_tail()}") from None

    def log_text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def log_tail(self, lines=15):
        return "".join(f"    {line}\n" for line in self.log_text().splitlines()[-lines:])

    def segments(self):
        return sorted(glob.glob(os.path.join(self.data, "log", "wal-*.seg")))


class Cluster:
    """Three cairnd processes with the directories DIR/n1, DIR/n2, DIR/n3."""

    def __init__(self, nodes=3, flags=(), directory=None, logs=None):
        self.directory = directory or temporary_directory()
        self.logs = logs
        self.flags = list(flags) + ENGINE
        self.port = free_ports(nodes)
        self.nodes = []
        for k in range(1, nodes + 1):
            self.nodes.append(Node(self, k, os.path.join(self.directory, f"n{k}")))
        _clusters.append(self)

    def __getitem__(self, number):
        return self.nodes[number - 1]

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None:
            for node in self.nodes:
                if os.path.exists(node.log):
                    print(f"  the end of {node.log}:\n{node.log_tail()}", end="", flush=True)
        self.kill_all()

    def pids(self):
        """Also of nodes that `cairn cluster start` started in this directory."""
        pids = [node.process.pid for node in self.nodes if node.running]
        for path in glob.glob(os.path.join(self.directory, "n*.pid")):
            try:
                with open(path) as file:
                    pid = int(file.read())
                with open(f"/proc/{pid}/cmdline") as file:
                    if self.directory in file.read():
                        pids.append(pid)
            except (OSError, ValueError):
                pass
        return pids

    def start(self):
        for node in self.nodes:
            if not node.running:
                node.start()
        for node in self.nodes:
            node.await_serving()
        return self

    def kill_all(self):
        running = [node for node in self.nodes if node.running]
        for node in running:
            node.process.send_signal(signal.SIGKILL)
        for node in running:
            node.process.wait()

    def cairn(self, *words, deadline_s=60.0):
        return run_program([CAIRN, *words, f"--port={self.port}", f"--nodes={len(self.nodes)}"], deadline_s)

    def status(self):
        """What `cairn status` says: {node: {column: cell}}."""
        code, text = self.cairn("status")
        rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if "|" in line]
        if code != 0 or len(rows) < 2:
            return {}
        return {int(row[0]): dict(zip(rows[0], row)) for row in rows[1:]}

    def leader(self, deadline_s=READY_S):
        """The one node that says it leads, in the highest term any node knows."""
        def find():
            status = self.status()
            terms = {n: int(row["term"]) for n, row in status.items() if row["term"].isdigit()}
            leaders = [n for n, row in status.items() if row["role"] == "leader"]
            if len(leaders) == 1 and terms[leaders[0]] == max(terms.values()):
                return self[leaders[0]]
            return None
        return until("one leader", find, deadline_s)

    def await_converged(self, deadline_s=READY_S):
        """All nodes up, and every node has applied what the leader has committed."""
        def equal():
            rows = self.status().values()
            applied = {row["applied"] for row in rows}
            return len(rows) == len(self.nodes) and len(applied) == 1 and "-" not in applied
        until("all nodes have applied the same", equal, deadline_s)


def require_programs():
    missing = [path for path in (CAIRND, CAIRN) if not os.access(path, os.X_OK)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)} (run make first)")
