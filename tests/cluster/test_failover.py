"""Nodes die by SIGKILL, or freeze, while clients write through all of them; then all three die at once.

What is checked: every acknowledged row is there, none is there twice, transactions are whole, no read is stale,
and every replica, once it leads, gives the same answer. What is measured: the time without a successful write after
the leader's death.

Clients keep their own books. A write is *acknowledged* (its answer came), *refused* (an error that says it did not
happen) or *unknown* (the connection was lost, or 40003): then it may be there, once.
"""
import bisect
import os
import random
import signal
import statistics
import threading
import time

import pgwire
from check import equal, say, test
from processes import Cluster, SLOW, until

ROUNDS = int(os.environ.get("CLUSTER_ROUNDS", "6"))
WRITERS_PER_NODE = 2
GAP_MEDIAN_S, GAP_WORST_S = 1.0, 2.0

NOT_DONE = ("40001", "57P03", "57P01")  # the statement had no effect; a client may try again
UNKNOWN = ("40003",)

KEYED, PLAIN, BOTH = "keyed", "plain", "both"


class Books:
    """What the clients know, shared by their threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.acknowledged = {KEYED: set(), PLAIN: set(), BOTH: set()}
        self.unknown = {KEYED: set(), PLAIN: set(), BOTH: set()}
        self.refused = {}  # SQLSTATE: count
        self.acks = []  # times, in order
        self.recent = []  # keys of the last acknowledged rows, to be read elsewhere
        self.counter = 0  # the largest value acknowledged or read
        self.counter_writes = self.reads = 0
        self.problems = []

    def fail(self, what):
        with self.lock:
            self.problems.append(what)

    def ack(self, kind, key):
        with self.lock:
            self.acknowledged[kind].add(key)
            self.acks.append(time.monotonic())
            if kind != PLAIN:
                self.recent.append(key)
                del self.recent[:-200]

    def doubt(self, kind, key):
        with self.lock:
            self.unknown[kind].add(key)

    def refuse(self, sqlstate):
        with self.lock:
            self.refused[sqlstate] = self.refused.get(sqlstate, 0) + 1


class Client(threading.Thread):
    """Repeats `step` on a connection to its node; reconnects while the node is down."""

    def __init__(self, books, nodes, seed):
        super().__init__(daemon=True)
        self.books, self.nodes, self.random = books, nodes, random.Random(seed)
        self.connection = None
        self.steps = 0  # that ended well
        self.began = 0.0  # when the last of these began

    def run(self):
        while not self.books.stopping.is_set():
            try:
                self.connect()
                began = time.monotonic()
                if self.step():
                    self.began, self.steps = began, self.steps + 1
            except (pgwire.Lost, pgwire.PgError) as problem:
                self.connection = None
                sqlstate = getattr(problem, "sqlstate", None)
                if sqlstate not in (None, "57P03", "57P01"):
                    self.books.fail(f"{self.name}: {problem}")
                self.books.stopping.wait(0.02)
            except Exception as problem:  # a client that dies silently would make the test pass
                self.books.fail(f"{self.name}: {type(problem).__name__}: {problem}")
                self.connection = None
                self.books.stopping.wait(0.2)

    def connect(self):
        if self.connection is None or self.connection.closed:
            node = self.random.choice(self.nodes)
            self.connection = node.connect(timeout_s=60 * SLOW)

    def progressed_since(self, moment):
        return self.began > moment


class Writer(Client):
    def __init__(self, books, node, number):
        super().__init__(books, [node], number)
        self.name = f"writer {number} on node {node.number}"
        self.node = node
        self.next_key = number * 10_000_000

    def step(self):
        self.next_key += 1
        key, kind = self.next_key, self.random.choice((KEYED, PLAIN, BOTH))
        row = f"({key}, {self.node.number}, 'row {key}')"
        try:
            if kind == BOTH:
                self.write_both(row)
            else:
                self.connection.query(f"INSERT INTO {kind} VALUES {row}")
        except pgwire.Lost:
            self.books.doubt(kind, key)
            raise
        except pgwire.PgError as error:
            if self.connection.status != "I":
                self.connection.query("ROLLBACK")
            if error.sqlstate in UNKNOWN:
                self.books.doubt(kind, key)
            elif error.sqlstate in NOT_DONE:
                self.books.refuse(error.sqlstate)
            else:
                self.books.fail(f"{self.name}, {kind} {key}: {error}")
            return False
        self.books.ack(kind, key)
        return True

    def write_both(self, row):
        for statement in ("BEGIN", f"INSERT INTO {KEYED} VALUES {row}", f"INSERT INTO {PLAIN} VALUES {row}"):
            self.connection.query(statement)
        tag = self.connection.query("COMMIT").tag
        assert tag == "COMMIT", f"COMMIT answered {tag}"


class Counter(Client):
    """One client that sets a row to 1, 2, 3, ..., each through another node."""

    def __init__(self, books, nodes):
        super().__init__(books, nodes, 77)
        self.name, self.value = "counter", 0

    def step(self):
        self.value += 1
        node = self.random.choice(self.nodes)
        if self.connection.port != node.port:
            self.connection.close()
            self.connection = node.connect(timeout_s=60 * SLOW)
        try:
            # The guard: a write of unknown outcome may still be on its way; it must not set the row back.
            tag = self.connection.query(
                f"UPDATE counter SET n = {self.value} WHERE id = 1 AND n < {self.value}").tag
        except pgwire.PgError as error:
            if error.sqlstate not in UNKNOWN + NOT_DONE:
                self.books.fail(f"counter: {error}")
            return False
        if tag != "UPDATE 1":
            self.books.fail(f"counter: {tag} when it was set to {self.value}")
        with self.books.lock:
            self.books.counter = max(self.books.counter, self.value)
            self.books.counter_writes += 1
        return True


class Reader(Client):
    """Reads what was acknowledged, or read by anyone, before its read began: it must see at least that."""

    def __init__(self, books, node, number):
        super().__init__(books, [node], 100 * node.number + number)
        self.name = f"reader {number} on node {node.number}"

    def step(self):
        with self.books.lock:
            floor = self.books.counter
            key = self.random.choice(self.books.recent) if self.books.recent else None
        seen = int(self.connection.query("SELECT n FROM counter WHERE id = 1").value)
        if seen < floor:
            self.books.fail(f"{self.name}: a stale read: {seen}, after {floor} was known")
        with self.books.lock:
            self.books.counter = max(self.books.counter, seen)
            self.books.reads += 1
        if key is not None:
            rows = self.connection.query(f"SELECT body FROM keyed WHERE id = {key}").rows
            if rows != [(f"row {key}",)]:
                self.books.fail(f"{self.name}: row {key}, acknowledged before, reads as {rows}")
        return True


def longest_pause(acks, died, end):
    """The longest time without an acknowledgement between `died` and `end`."""
    marks = [died] + acks[bisect.bisect_right(acks, died):bisect.bisect_right(acks, end)]
    return max(b - a for a, b in zip(marks, marks[1:]))


class Campaign:
    def __init__(self, cluster, readers_per_node=1):
        self.cluster, self.books, self.random = cluster, Books(), random.Random()
        self.gaps, self.other_gaps, self.killed = [], [], []
        with cluster[1].connect() as setup:
            for table, key in ((KEYED, "PRIMARY KEY"), (PLAIN, "NOT NULL")):
                setup.query(f"CREATE TABLE {table} (id int8 {key}, node int4 NOT NULL, body text)")
            setup.query("CREATE TABLE counter (id int4 PRIMARY KEY, n int8 NOT NULL)")
            setup.query("INSERT INTO counter VALUES (1, 0)")
        self.writers = [Writer(self.books, node, 10 * node.number + k)
                        for node in cluster.nodes for k in range(WRITERS_PER_NODE)]
        self.clients = self.writers + [Reader(self.books, node, k) for node in cluster.nodes
                                       for k in range(readers_per_node)]
        self.clients.append(Counter(self.books, cluster.nodes))

    def start(self):
        for client in self.clients:
            client.start()
        self.await_progress(self.clients)

    def await_progress(self, clients):
        """Until each of them has begun and ended a step from now on."""
        now = time.monotonic()

        def progressed():
            late = [client.name for client in clients if not client.progressed_since(now)]
            if self.books.problems:
                raise AssertionError("; ".join(self.books.problems[:5]))
            return not late
        until("every client goes on", progressed, 60 * SLOW)
        return time.monotonic()

    def round(self, number):
        leader = self.cluster.leader()
        victim = leader if number % 2 == 1 else self.random.choice(self.cluster.nodes)
        time.sleep(self.random.uniform(0, 0.3))  # so that deaths fall on different moments
        died = victim.kill()
        end = self.await_progress([w for w in self.writers if w.node is not victim])
        with self.books.lock:
            gap = longest_pause(self.books.acks, died, end)
        (self.gaps if victim is leader else self.other_gaps).append(gap)
        self.killed.append(victim.number)
        say(f"round {number}: killed node {victim.number}{' (the leader)' if victim is leader else ''}, "
            f"{gap * 1000:.0f} ms without a write")
        time.sleep(self.random.uniform(0, 0.5))
        victim.start().await_serving()
        self.await_progress([w for w in self.writers if w.node is victim])

    def freeze_round(self, number):
        """The leader stops in the middle of whatever it does, is replaced, and wakes up believing that it leads."""
        leader = self.cluster.leader()
        time.sleep(self.random.uniform(0, 0.3))
        leader.process.send_signal(signal.SIGSTOP)
        froze = time.monotonic()
        try:
            end = self.await_progress([w for w in self.writers if w.node is not leader])
        finally:
            leader.process.send_signal(signal.SIGCONT)
        with self.books.lock:
            gap = longest_pause(self.books.acks, froze, end)
        say(f"round {number}: froze node {leader.number} (the leader), {gap * 1000:.0f} ms without a write")
        self.await_progress(self.clients)

    def stop(self):
        self.books.stopping.set()
        for client in self.clients:
            client.join(90 * SLOW)
            assert not client.is_alive(), f"{client.name} is stuck"
            if client.connection is not None:
                client.connection.close()

    def end(self):
        """All three die under load and come back."""
        self.cluster.kill_all()
        say("killed all three")
        before = time.monotonic()
        self.cluster.start()
        self.await_progress(self.clients)
        say(f"all serve again after {time.monotonic() - before:.1f} s")
        self.stop()

    # ---- the verdict -----------------------------------------------------------------------------

    def check_rows(self):
        books = self.books
        with self.cluster[1].connect(timeout_s=120 * SLOW) as connection:
            found = {table: [int(row[0]) for row in connection.query(f"SELECT id FROM {table}").rows]
                     for table in (KEYED, PLAIN)}
        total = {kind: len(books.acknowledged[kind]) for kind in books.acknowledged}
        say(f"acknowledged: {total}, unknown: { {k: len(v) for k, v in books.unknown.items()} }, "
            f"refused: {books.refused}, counter writes: {books.counter_writes}, reads: {books.reads}")
        for table in (KEYED, PLAIN):
            there = set(found[table])
            equal(len(found[table]), len(there), f"rows of {table}, and different rows: one is there twice")
            wanted = books.acknowledged[table] | books.acknowledged[BOTH]
            possible = wanted | books.unknown[table] | books.unknown[BOTH]
            lost, strange = sorted(wanted - there), sorted(there - possible)
            assert not lost, f"{len(lost)} acknowledged rows of {table} are lost: {lost[:10]}"
            assert not strange, f"{len(strange)} rows of {table} that nobody wrote: {strange[:10]}"
        torn = [key for key in books.unknown[BOTH] if (key in set(found[KEYED])) != (key in set(found[PLAIN]))]
        assert not torn, f"half of a transaction is there: {torn[:10]}"

    def checksum(self, node):
        columns = "count(*), sum(id), min(id), max(id), sum(node)"
        with node.connect(timeout_s=60 * SLOW) as connection:
            return [connection.query(f"SELECT {columns} FROM {table}").rows[0] for table in (KEYED, PLAIN)]

    def check_checksums(self):
        self.cluster.await_converged()
        expected = self.checksum(self.cluster[1])
        say(f"checksum: {expected}")
        led = set()

        def everybody_led():
            leader = self.cluster.leader()
            for node in self.cluster.nodes:
                equal(expected, self.checksum(node), f"through node {node.number}, node {leader.number} leads")
            led.add(leader.number)
            if len(led) == len(self.cluster.nodes):
                return True
            leader.kill()
            until("another leader", lambda: self.other_leader(leader))
            leader.start().await_serving()
            return False
        until("every replica has led", everybody_led, 90 * SLOW)
        say("each replica led, and answered the same")

    def other_leader(self, old):
        return [n for n, row in self.cluster.status().items() if row["role"] == "leader" and n != old.number]

    def check_gaps(self):
        gaps = sorted(self.gaps)
        median, worst = statistics.median(gaps), gaps[-1]
        say(f"without a write after the leader's death, {len(gaps)} deaths: median {median * 1000:.0f} ms, "
            f"worst {worst * 1000:.0f} ms, all: {' '.join(f'{gap * 1000:.0f}' for gap in gaps)}")
        if self.other_gaps:
            say(f"after a follower's death, {len(self.other_gaps)}: worst {max(self.other_gaps) * 1000:.0f} ms")
        assert median < GAP_MEDIAN_S * SLOW, f"median {median:.2f} s without a write"
        assert worst < GAP_WORST_S * SLOW, f"worst {worst:.2f} s without a write"


@test
def nothing_acknowledged_is_lost_when_nodes_are_killed():
    with Cluster() as cluster:
        campaign = Campaign(cluster)
        campaign.start()
        for number in range(1, ROUNDS + 1):
            campaign.round(number)
        campaign.end()
        assert not campaign.books.problems, "\n".join(campaign.books.problems[:10])
        campaign.check_rows()
        campaign.check_checksums()
        campaign.check_gaps()


@test
def a_leader_that_was_frozen_never_answers_with_what_is_old():
    with Cluster() as cluster:
        campaign = Campaign(cluster, readers_per_node=3)
        campaign.start()
        for number in range(1, ROUNDS // 2 + 1):
            campaign.freeze_round(number)
        campaign.stop()
        assert not campaign.books.problems, "\n".join(campaign.books.problems[:10])
        campaign.check_rows()
