"""What a cluster promises when nothing is broken on purpose: SQL on any node, transactions that are serializable,
and restarts that lose nothing."""
import os
import shutil
import threading
import time

import pgwire
import processes
from check import equal, fails, say, test, within
from processes import CAIRN, Cluster, SLOW, run_program

INCREMENTS, CLIENTS = 50, 16


def in_threads(jobs):
    """Runs them side by side; re-raises the first failure."""
    problems = []

    def guarded(job):
        try:
            job()
        except Exception as problem:  # raised again below, by the thread that judges
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120 * SLOW)
        assert not thread.is_alive(), "a client is stuck"
    if problems:
        raise problems[0]


class Background:
    """One statement on its way, in a thread of its own."""

    def __init__(self, action):
        self.outcome = None
        self.thread = threading.Thread(target=self._run, args=(action,), daemon=True)
        self.thread.start()

    def _run(self, action):
        try:
            self.outcome = ("ok", action())
        except pgwire.PgError as error:
            self.outcome = (error.sqlstate, error)
        except Exception as problem:  # judged by whoever waits for the outcome
            self.outcome = ("broken", problem)

    def end(self, deadline_s=30 * SLOW):
        self.thread.join(deadline_s)
        assert self.outcome is not None, "the statement does not end"
        return self.outcome


@test
def the_command_line_starts_stops_and_describes_a_cluster():
    cluster = Cluster()
    flags = [f"--dir={cluster.directory}", f"--port={cluster.port}", "--nodes=3"]

    def cairn(*words):
        return run_program([CAIRN, *words, *flags])

    code, text = cairn("cluster", "start")
    equal(0, code, text)
    within(text, *(f"node {k} serves on 127.0.0.1:{cluster.port + k - 1}" for k in (1, 2, 3)))
    code, text = cairn("cluster", "start")
    equal(0, code, text)
    within(text, "runs already")
    code, text = cairn("cluster", "status")
    equal(0, code, text)
    within(text, "node 3 runs", "leader", "follower")
    equal(3, len(cluster.status()))
    code, text = run_program([CAIRN, "sql", f"--port={cluster.port + 1}", "-c", "SELECT 6 * 7 AS answer"])
    equal(0, code, text)
    within(text, "answer", "42")
    code, text = cairn("cluster", "stop")
    equal(0, code, text)
    within(text, "node 1 stopped", "node 2 stopped", "node 3 stopped")
    equal([], cluster.pids(), "processes left over")
    code, text = cairn("cluster", "status")
    equal(1, code, text)
    within(text, "node 2 does not run")
    code, text = cairn("cluster", "start")
    equal(0, code, "a second start in the same directory: " + text)
    code, text = cairn("cluster", "stop")
    equal(0, code, text)


@test
def every_node_answers_and_shows_what_the_others_wrote():
    with Cluster() as cluster:
        connections = [node.connect() for node in cluster.nodes]
        equal("CREATE TABLE", connections[0].query("CREATE TABLE t (id int4 PRIMARY KEY, who text)").tag)
        for k, connection in enumerate(connections):
            equal("INSERT 0 1", connection.query(f"INSERT INTO t VALUES ({k}, 'node {k + 1}')").tag)
            for reader in connections:
                equal(f"node {k + 1}", reader.query(f"SELECT who FROM t WHERE id = {k}").value)
        for connection in connections:
            equal([("0", "node 1"), ("1", "node 2"), ("2", "node 3")],
                  connection.query("SELECT id, who FROM t ORDER BY id").rows)


@test
def a_table_replaced_through_another_node_is_seen_at_once():
    with Cluster() as cluster:
        with cluster[1].connect() as a, cluster[2].connect() as b, cluster[3].connect() as c:
            a.query("CREATE TABLE t (id int4 PRIMARY KEY, short varchar(2))")
            for connection in (b, c):
                equal([], connection.query("SELECT * FROM t").rows)
            a.query("DROP TABLE t")
            fails("42P01", lambda: b.query("SELECT * FROM t"))
            fails("42P01", lambda: c.query("INSERT INTO t VALUES ($1, $2)", 1, "x"))
            for columns in range(3, 8):
                a.query("CREATE TABLE t (id int4 PRIMARY KEY, short varchar(9), " +
                        ", ".join(f"c{k} int4" for k in range(2, columns)) + ")")
                values = ", ".join(["'long one'"] + ["0"] * (columns - 2))
                b.query(f"INSERT INTO t VALUES (1, {values})")
                c.query(f"INSERT INTO t VALUES ($1, {values})", 2)
                equal("2", b.query(f"SELECT count(*) FROM t WHERE c{columns - 1} = 0").value)
                a.query("DROP TABLE t")
                equal("CREATE TABLE", b.query("CREATE TABLE t (id int4 PRIMARY KEY, short int4)").tag)
                b.query("INSERT INTO t VALUES (1, 1)")
                fails("42703", lambda: c.query(f"SELECT c{columns - 1} FROM t"))
                b.query("DROP TABLE t")


@test
def transactions_commit_roll_back_and_fail_as_a_whole():
    with Cluster() as cluster:
        writer, reader = cluster[1].connect(), cluster[2].connect()
        writer.query("CREATE TABLE t (id int4 PRIMARY KEY, n int4)")

        writer.query("BEGIN")
        equal("T", writer.status)
        writer.query("INSERT INTO t VALUES (1, 10)")
        writer.query("INSERT INTO t VALUES (2, 20)")
        equal("30", writer.query("SELECT sum(n) FROM t").value, "a transaction sees its own writes")
        equal("0", reader.query("SELECT count(*) FROM t").value, "others do not see them yet")
        equal("COMMIT", writer.query("COMMIT").tag)
        equal("I", writer.status)
        equal("30", reader.query("SELECT sum(n) FROM t").value)

        writer.query("BEGIN")
        writer.query("DELETE FROM t")
        equal("0", writer.query("SELECT count(*) FROM t").value)
        equal("ROLLBACK", writer.query("ROLLBACK").tag)
        equal("2", reader.query("SELECT count(*) FROM t").value, "a rollback leaves nothing behind")

        writer.query("BEGIN")
        writer.query("INSERT INTO t VALUES (3, 30)")
        fails("23505", lambda: writer.query("INSERT INTO t VALUES (1, 11)"))
        equal("E", writer.status)
        fails("25P02", lambda: writer.query("SELECT 1"))
        equal("ROLLBACK", writer.query("COMMIT").tag, "COMMIT of a failed transaction")
        equal("I", writer.status)
        equal("2", reader.query("SELECT count(*) FROM t").value, "nothing of a failed transaction")

        writer.run("INSERT INTO t VALUES (4, 40); INSERT INTO t VALUES (5, 50)")
        fails("22012", lambda: writer.run("INSERT INTO t VALUES (6, 60); SELECT 1 / 0"))
        equal("4", reader.query("SELECT count(*) FROM t").value, "a script is one transaction")


@test
def a_hot_counter_counts_every_increment_without_an_error():
    with Cluster() as cluster:
        with cluster[1].connect() as setup:
            setup.query("CREATE TABLE counter (id int4 PRIMARY KEY, n int8)")
            setup.query("INSERT INTO counter VALUES (1, 0)")

        def client(number):
            with cluster.nodes[number % 3].connect(timeout_s=60 * SLOW) as connection:
                for _ in range(INCREMENTS):
                    equal("UPDATE 1", connection.query("UPDATE counter SET n = n + 1 WHERE id = 1").tag)

        in_threads([lambda k=k: client(k) for k in range(CLIENTS)])
        with cluster[3].connect() as connection:
            equal(str(CLIENTS * INCREMENTS), connection.query("SELECT n FROM counter WHERE id = 1").value)


@test
def two_sessions_that_wait_for_each_other_end_with_one_deadlock():
    with Cluster() as cluster:
        a, b, look = cluster[1].connect(), cluster[2].connect(), cluster[3].connect()
        look.query("CREATE TABLE t (id int4 PRIMARY KEY, n int4)")
        look.query("INSERT INTO t VALUES (1, 0), (2, 0)")
        for connection in (a, b):
            connection.query("BEGIN")
        a.query("UPDATE t SET n = n + 1 WHERE id = 1")
        b.query("UPDATE t SET n = n + 1 WHERE id = 2")
        first = Background(lambda: a.query("UPDATE t SET n = n + 1 WHERE id = 2"))
        second = Background(lambda: b.query("UPDATE t SET n = n + 1 WHERE id = 1"))
        outcomes = {a: first.end(), b: second.end()}
        equal(["40P01", "ok"], sorted(state for state, _ in outcomes.values()), f"{outcomes}")
        loser = a if outcomes[a][0] == "40P01" else b
        equal("E", loser.status)
        loser.query("ROLLBACK")
        survivor = b if loser is a else a
        equal("COMMIT", survivor.query("COMMIT").tag)
        equal([("1", "1"), ("2", "1")], look.query("SELECT id, n FROM t ORDER BY id").rows)


def waits_for_a_row(connection):
    """A statement that waits for the row that another session has locked."""
    waiter = Background(lambda: connection.query("UPDATE t SET n = n + 10 WHERE id = 1"))
    time.sleep(0.2)  # it may not be waiting yet: then it will find the row free, and the test shows less
    assert waiter.outcome is None, f"the row was not locked: {waiter.outcome}"
    return waiter


@test
def locks_go_with_their_session_and_with_its_node():
    with Cluster() as cluster:
        leader = cluster.leader()
        fellow, third = [node for node in cluster.nodes if node is not leader]
        with leader.connect() as connection:
            connection.query("CREATE TABLE t (id int4 PRIMARY KEY, n int4)")
            connection.query("INSERT INTO t VALUES (1, 0)")
        for how, end in (("the connection is cut", lambda holder: holder.close(politely=False)),
                         ("the node is killed", lambda holder: fellow.kill())):
            holder = fellow.connect()
            holder.run("BEGIN; UPDATE t SET n = 1000 WHERE id = 1")
            waiter = waits_for_a_row(third.connect())
            start = time.monotonic()
            end(holder)
            equal("ok", waiter.end()[0], f"{how}: {waiter.outcome}")
            say(f"{how}: its lock is gone after {time.monotonic() - start:.1f} s")
        with third.connect() as connection:
            equal("20", connection.query("SELECT n FROM t").value)


@test
def one_of_several_that_create_the_same_table_succeeds():
    with Cluster() as cluster:
        for number in range(5):
            jobs = [Background(lambda c=node.connect(): c.query(f"CREATE TABLE t{number} (id int4 PRIMARY KEY)").tag)
                    for node in cluster.nodes]
            equal(["42P07", "42P07", "ok"], sorted(job.end()[0] for job in jobs))
            cluster[1].connect().query(f"INSERT INTO t{number} VALUES (1)")


def both_commit(cluster, table, read, write_a, write_b):
    """Two transactions that each read, then write; (how many committed, SQLSTATEs of the others)."""
    a, b = cluster[1].connect(), cluster[2].connect()
    failed, committed = [], 0
    steps = {a: [read, write_a, "COMMIT"], b: [read, write_b, "COMMIT"]}
    for connection in (a, b):
        connection.query("BEGIN")
    for step in range(3):
        for connection in (a, b):
            if connection.status == "I":
                continue
            try:
                tag = connection.query(steps[connection][step]).tag
                committed += tag == "COMMIT"
            except pgwire.PgError as error:
                failed.append(error.sqlstate)
                if connection.status != "I":
                    connection.query("ROLLBACK")
    a.close()
    b.close()
    return committed, failed


@test
def write_skew_and_phantoms_are_prevented():
    with Cluster() as cluster:
        with cluster[3].connect() as look:
            look.query("CREATE TABLE doctors (name text PRIMARY KEY, on_call bool)")
            look.query("INSERT INTO doctors VALUES ('alice', true), ('bob', true)")
            outcome = both_commit(cluster, "doctors", "SELECT count(*) FROM doctors WHERE on_call",
                                  "UPDATE doctors SET on_call = false WHERE name = 'alice'",
                                  "UPDATE doctors SET on_call = false WHERE name = 'bob'")
            equal((1, ["40001"]), outcome, "write skew")
            equal("1", look.query("SELECT count(*) FROM doctors WHERE on_call").value)

            look.query("CREATE TABLE bookings (room int4, hour int4, who text, PRIMARY KEY (room, hour))")
            outcome = both_commit(cluster, "bookings",
                                  "SELECT count(*) FROM bookings WHERE room = 1 AND hour >= 9 AND hour < 12",
                                  "INSERT INTO bookings VALUES (1, 9, 'a')",
                                  "INSERT INTO bookings VALUES (1, 10, 'b')")
            equal((1, ["40001"]), outcome, "phantom")
            equal("1", look.query("SELECT count(*) FROM bookings").value)


@test
def a_restart_of_one_and_of_all_keeps_the_data():
    with Cluster() as cluster:
        with cluster[1].connect() as connection:
            connection.query("CREATE TABLE t (id int4 PRIMARY KEY, n int4)")
            for k in range(100):
                connection.query(f"INSERT INTO t VALUES ({k}, {k * k})")
        expected = [(str(100), str(sum(k * k for k in range(100))))]

        def intact(where):
            for node in cluster.nodes:
                with node.connect() as connection:
                    equal(expected, connection.query("SELECT count(*), sum(n) FROM t").rows, where)

        for node in cluster.nodes:
            node.kill()
            node.start().await_serving()
            intact(f"after node {node.number} was killed")
        for node in cluster.nodes:
            node.process.terminate()
        for node in cluster.nodes:
            equal(0, node.await_end(), "exit status of a node that was asked to stop")
        cluster.start()
        intact("after all were stopped")
        cluster.kill_all()
        cluster.start()
        intact("after all were killed")


@test
def a_follower_that_is_far_behind_catches_up_by_a_snapshot():
    rows, bytes_each = 900, 100_000
    with Cluster() as cluster:
        leader = cluster.leader()
        behind = next(node for node in cluster.nodes if node is not leader)
        with leader.connect(timeout_s=60 * SLOW) as connection:
            connection.query("CREATE TABLE t (id int4 PRIMARY KEY, body text)")
            connection.query("INSERT INTO t VALUES (-1, 'before')")
            cluster.await_converged()
            behind.kill()
            connection.prepare("add", "INSERT INTO t VALUES ($1, $2)")
            body = "x" * bytes_each
            for k in range(rows):
                connection.execute("add", k, body)
        say(f"wrote {rows * bytes_each / 1e6:.0f} MB while node {behind.number} was down")
        behind.start().await_serving()
        cluster.await_converged(60 * SLOW)
        within(behind.log_text(), "snapshot")
        # Only a majority that contains the one that was behind can answer now.
        other = next(node for node in cluster.nodes if node not in (leader, behind))
        other.kill()
        with behind.connect(timeout_s=60 * SLOW) as connection:
            equal([(str(rows + 1), "-1", str(rows - 1))],
                  connection.query("SELECT count(*), min(id), max(id) FROM t").rows)
            equal(str(bytes_each), connection.query(f"SELECT length(body) FROM t WHERE id = {rows - 1}").value)


@test
def a_node_with_a_wiped_directory_is_refused():
    with Cluster() as cluster:
        with cluster[1].connect() as connection:
            connection.query("CREATE TABLE t (id int4 PRIMARY KEY)")
            connection.query("INSERT INTO t VALUES (1)")
        wiped = cluster[2]
        wiped.kill()
        shutil.rmtree(wiped.data)
        before = len(wiped.log_text()) if os.path.exists(wiped.log) else 0
        wiped.start()
        code = wiped.await_end()
        assert code != 0, "it ended as if all were well"
        said = wiped.log_text()[before:]
        say("it says: " + said.strip().splitlines()[-1])
        within(said.lower(), "node 2", "cluster")
        for node in (cluster[1], cluster[3]):
            with node.connect() as connection:
                equal("1", connection.query("SELECT count(*) FROM t").value)
                connection.query(f"INSERT INTO t VALUES ({10 + node.number})")
                connection.query(f"DELETE FROM t WHERE id = {10 + node.number}")
