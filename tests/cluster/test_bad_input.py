"""What people, programs and machines get wrong. Each case: a clear error (with SQLSTATE where SQL is spoken), the
node lives unless its own data is damaged, and nothing acknowledged is lost."""
import os
import random
import re
import shutil
import socket
import struct
import sys
import threading
import time

import pgwire
import processes
from check import equal, fails, say, test, within
from processes import CAIRN, CAIRND, Cluster, SLOW, run_program, until

MIB = 1024 * 1024
ROWS = 100
CUT_OFF_S = 10  # a client that does not introduce itself is cut off after this time

_cluster = None


def shared():
    """One cluster for all tests that are not meant to hurt it, with a ledger that must never change."""
    global _cluster
    if _cluster is None:
        _cluster = Cluster()
        _cluster.start()
        with _cluster[1].connect() as connection:
            fill(connection)
    return _cluster


def finish():
    if _cluster is not None:
        _cluster.kill_all()


def fill(connection):
    connection.query("CREATE TABLE ledger (id int4 PRIMARY KEY, amount int8 NOT NULL, note varchar(5))")
    values = ", ".join(f"({k}, {k * k}, 'n{k}')" for k in range(ROWS))
    equal(f"INSERT 0 {ROWS}", connection.query(f"INSERT INTO ledger VALUES {values}").tag)


def ledger_is_intact(node, timeout_s=30 * SLOW):
    with node.connect(timeout_s=timeout_s) as connection:
        equal([(str(ROWS), str(sum(k * k for k in range(ROWS))))],
              connection.query("SELECT count(*), sum(amount) FROM ledger").rows, f"through node {node.number}")


def unharmed(cluster, pids):
    """Every node is the process it was, serves, and shows the ledger."""
    for node, pid in zip(cluster.nodes, pids):
        assert node.running and node.process.pid == pid, f"node {node.number} has ended:\n{node.log_tail()}"
        ledger_is_intact(node)


def harmless(function):
    """A test on the shared cluster, which must be as before when it ends."""
    def checked():
        cluster = shared()
        pids = [node.process.pid for node in cluster.nodes]
        function(cluster)
        unharmed(cluster, pids)
    checked.__name__, checked.__module__ = function.__name__, function.__module__
    return test(checked)


def refused(cluster, sqlstate, sql, message=None, position=None):
    """Through each node, by a simple and by an extended query; the session goes on."""
    for node in cluster.nodes:
        with node.connect() as connection:
            fails(sqlstate, lambda: connection.run(sql), message, position)
            equal("I", connection.status)
            fails(sqlstate, lambda: (connection.prepare("", sql), connection.execute("")), message, position)
            equal("1", connection.query("SELECT 1").value)


# ---- statements --------------------------------------------------------------------------------------


@harmless
def a_syntax_error_is_42601_with_its_position(cluster):
    refused(cluster, "42601", "SELECT * FORM ledger", 'syntax error at or near "FORM"', 10)
    refused(cluster, "42601", "INSERT INTO ledger VALUES (1, 2", "syntax error")
    refused(cluster, "42601", "SELECT 'never closed", "unterminated")


@harmless
def an_unknown_table_is_42P01(cluster):
    refused(cluster, "42P01", "SELECT * FROM nowhere", 'relation "nowhere" does not exist', 15)
    refused(cluster, "42P01", "INSERT INTO nowhere VALUES (1)", "nowhere")
    refused(cluster, "42P01", "DROP TABLE nowhere", "nowhere")


@harmless
def an_unknown_column_is_42703(cluster):
    refused(cluster, "42703", "SELECT colour FROM ledger", 'column "colour" does not exist', 8)


@harmless
def a_type_mismatch_is_named_as_postgresql_does(cluster):
    refused(cluster, "22P02", "INSERT INTO ledger VALUES ('abc', 1, NULL)", "invalid input syntax for type integer")
    refused(cluster, "42804", "INSERT INTO ledger VALUES (true, 1, NULL)", "type")
    refused(cluster, "42883", "SELECT 1 + true", "operator does not exist")
    refused(cluster, "42804", "SELECT 1 FROM ledger WHERE amount", "must be type boolean")
    with cluster[2].connect() as connection:
        fails("22P02", lambda: connection.query("SELECT amount FROM ledger WHERE id = $1", "one"))


@harmless
def division_by_zero_is_22012(cluster):
    refused(cluster, "22012", "SELECT 1 / 0", "division by zero")
    refused(cluster, "22012", "SELECT amount / (id - id) FROM ledger", "division by zero")
    refused(cluster, "22012", "UPDATE ledger SET amount = amount / 0", "division by zero")


@harmless
def a_number_out_of_range_is_22003(cluster):
    refused(cluster, "22003", "SELECT 2147483647 + 1", "out of range")
    refused(cluster, "22003", "INSERT INTO ledger VALUES (3000000000, 1, NULL)", "out of range")


@harmless
def a_duplicate_key_is_23505(cluster):
    refused(cluster, "23505", "INSERT INTO ledger VALUES (7, 1, NULL)", "duplicate key")
    refused(cluster, "23505", "INSERT INTO ledger VALUES (1000, 1, NULL), (1000, 2, NULL)", "duplicate key")


@harmless
def null_in_a_not_null_column_is_23502(cluster):
    refused(cluster, "23502", "INSERT INTO ledger VALUES (1000, NULL, NULL)", 'column "amount"')
    refused(cluster, "23502", "INSERT INTO ledger VALUES (NULL, 1, NULL)", 'column "id"')
    refused(cluster, "23502", "UPDATE ledger SET amount = NULL WHERE id = 1", 'column "amount"')


@harmless
def too_long_a_value_is_22001_and_a_huge_one_54000(cluster):
    refused(cluster, "22001", "INSERT INTO ledger VALUES (1000, 1, 'sixsix')", "too long for type character varying(5)")
    with cluster[3].connect(timeout_s=60 * SLOW) as connection:
        connection.query("CREATE TABLE texts (name text PRIMARY KEY, body text)")
        fails("54000", lambda: connection.query("INSERT INTO texts VALUES ($1, 'x')", "k" * 20_000))
        fails("54000", lambda: connection.query("INSERT INTO texts VALUES ('x', $1)", "v" * (17 * MIB)))
        connection.query("INSERT INTO texts VALUES ('fits', $1)", "v" * MIB)
        equal(str(MIB), connection.query("SELECT length(body) FROM texts").value)
        connection.query("DROP TABLE texts")


@harmless
def a_statement_of_100_mb_is_54000(cluster):
    sql = "SELECT '" + "x" * 100_000_000 + "'"
    for send in (lambda c: c.run(sql), lambda c: c.prepare("", sql)):
        connection = cluster[1].connect(timeout_s=60 * SLOW)
        try:
            send(connection)
            raise AssertionError("100 MB were taken for a statement")
        except pgwire.PgError as error:
            equal("54000", error.sqlstate)
        except pgwire.Lost as lost:
            assert lost.error is not None, f"the connection was closed without a word: {lost}"
            equal("54000", lost.error.sqlstate)
        finally:
            connection.close()


@harmless
def a_statement_of_20_mb_is_answered(cluster):
    with cluster[1].connect(timeout_s=60 * SLOW) as connection:
        try:
            equal(str(20 * MIB), connection.run(f"SELECT length('{'x' * (20 * MIB)}')")[-1].value)
        except pgwire.PgError as error:
            assert error.sqlstate in ("53200", "54000"), error
        equal("1", connection.query("SELECT 1").value)


@harmless
def ten_thousand_parentheses_are_54001(cluster):
    deep = 10_000
    refused(cluster, "54001", "SELECT " + "(" * deep + "1" + ")" * deep, "stack depth limit exceeded")
    refused(cluster, "54001", "SELECT " + "NOT " * deep + "true", "stack depth limit exceeded")
    refused(cluster, "54001", "SELECT " + "CASE WHEN true THEN " * deep + "1" + " END" * deep,
            "stack depth limit exceeded")
    refused(cluster, ("54001", "0A000"), "SELECT " + "(SELECT " * deep + "1" + ")" * deep)
    refused(cluster, ("54001", "42601"), "SELECT " + "(" * deep)


# ---- bytes -------------------------------------------------------------------------------------------


def send_and_see(port, data, linger_s=0.2):
    """Sends, says that nothing follows, and reads what comes until the other side closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        answer = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(linger_s)
            while chunk := connection.recv(65536):
                answer += chunk
        except OSError:
            pass
        return answer


@harmless
def random_bytes_on_the_port_disturb_nobody(cluster):
    seed = random.randrange(1 << 32)
    say(f"seed {seed}")
    dice = random.Random(seed)
    startup = pgwire.startup_message()
    beginnings = [b"", b"CAIRNRPC", startup, startup[:9], struct.pack("!II", 8, pgwire.SSL_REQUEST),
                  struct.pack("!II", 0x7fffffff, pgwire.PROTOCOL), b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\n",
                  startup + b"Q\xff\xff\xff\xff", startup + pgwire.message(b"B"), startup + b"Q\0\0\0\4",
                  startup + pgwire.message(b"P", b"\0SELECT $1\0\0\1\0\0\0\x17")]
    for k in range(300):
        beginning = beginnings[k % len(beginnings)]
        noise = dice.randbytes(dice.choice((1, 7, 40, 64, 500, 70_000)))
        send_and_see(cluster.nodes[k % 3].port, beginning + noise, 0.02)
    for node in cluster.nodes:
        assert node.serves()


@harmless
def too_many_clients_are_told_so_with_53300(cluster):
    connections = []
    try:
        error = fails("53300", lambda: [connections.append(cluster[2].connect()) for _ in range(2000)])
        say(f"{len(connections)} connections, then {error}")
        assert len(connections) >= 100, "that is not many"
        equal("1", connections[0].query("SELECT 1").value)
        assert cluster[1].serves()
    finally:
        for connection in connections:
            connection.close()
    until("there is room again", cluster[2].serves)


@harmless
def unknown_messages_end_a_session_with_08P01(cluster):
    for bad in (pgwire.message(b"~", b"what"), b"Q\0\0\0\1", pgwire.message(b"B", b"\xff" * 10)):
        with cluster[1].connect() as connection:
            connection.send(bad + pgwire.message(b"S"))
            kind, body = connection.receive()
            equal(b"E", kind, f"the answer to {bad!r}")
            equal("08P01", pgwire.fields_of(body)["C"], f"the answer to {bad!r}")


@harmless
def half_a_message_and_silence_is_cut_off(cluster):
    startup = pgwire.startup_message()
    halves = {"nothing": b"", "a byte": b"\0", "half a startup packet": startup[:-9],
              "a refused SSLRequest": struct.pack("!II", 8, pgwire.SSL_REQUEST),
              "half a cancel request": struct.pack("!III", 16, pgwire.CANCEL_REQUEST, 1),
              "half a preface of our own protocol": b"CAIR", "the preface alone": b"CAIRNRPC",
              "the preface and half a frame": b"CAIRNRPC" + b"\x01" * 10, "half a request of HTTP": b"GET / HT"}
    ended, lock = {}, threading.Lock()

    def wait_for_the_end(name, data):
        with socket.create_connection(("127.0.0.1", cluster[2].port), timeout=5) as connection:
            start = time.monotonic()
            connection.sendall(data)
            connection.settimeout(3 * CUT_OFF_S * SLOW)
            try:
                while connection.recv(4096):
                    pass
            except socket.timeout:
                return
            except OSError:
                pass
            with lock:
                ended[name] = time.monotonic() - start

    threads = [threading.Thread(target=wait_for_the_end, args=half, daemon=True) for half in halves.items()]
    for thread in threads:
        thread.start()
    # Meanwhile: a session that was introduced may be slow, and idle for as long as it likes.
    slow, idle = cluster[2].connect(), cluster[2].connect()
    query = pgwire.message(b"Q", b"SELECT 6 * 7\0")
    slow.send(query[:9])
    for thread in threads:
        thread.join(4 * CUT_OFF_S * SLOW)
    slow.deadline = time.monotonic() + 10
    slow.send(query[9:])
    equal("42", slow._answers(10)[-1].value, "a query in two halves")
    equal("1", idle.query("SELECT 1").value)
    say("cut off after: " + ", ".join(f"{name} {ended[name]:.1f} s" for name in halves if name in ended))
    late = [name for name in halves if ended.get(name, 1e9) > CUT_OFF_S * SLOW + 2]
    assert not late, f"not cut off after {CUT_OFF_S} s: {late}"


# ---- starting wrongly --------------------------------------------------------------------------------


def does_not_start(command, *parts, **options):
    """It ends by itself, with a status other than 0, and says why."""
    code, text = run_program(command, 30, **options)
    assert code not in (0, None) and code > 0, f"exit status {code}:\n{text}"
    within(text, *parts)
    say("it says: " + text.strip().splitlines()[-1])
    return text


def cairnd(number, port, data, *more):
    return [CAIRND, f"--node-id={number}", f"--port={port}", f"--data={data}", *more]


@harmless
def wrong_flags_are_named(cluster):
    data = os.path.join(processes.temporary_directory(), "n1")
    does_not_start(cairnd(0, 22999, data), "0", "cairnd --help")
    does_not_start(cairnd(1, 70000, data), "70000")
    does_not_start([CAIRND, "--node-id=1", "--port=22999"], "--data is missing")
    does_not_start(cairnd(1, 22999, data, "--join=nonsense"), "nonsense")
    does_not_start(cairnd(1, 22999, data, "--engine=paper"), "paper")
    does_not_start([CAIRN, "cluster", "dance"], "cluster")


@harmless
def a_port_in_use_is_named(cluster):
    data = os.path.join(processes.temporary_directory(), "n1")
    does_not_start(cairnd(1, cluster[2].port, data), f"port {cluster[2].port}", "in use")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        does_not_start(cairnd(1, port, data), f"port {port}", "in use")
    first = cluster.port - 1 if processes.is_free(cluster.port - 1) else cluster.port
    does_not_start([CAIRN, "cluster", "start", f"--dir={data}-3", f"--port={first}", "--nodes=2"],
                   f"port {cluster.port}", "in use")
    assert not os.path.exists(f"{data}-3/n1.pid"), "one node was started though the other could not be"


@harmless
def a_data_directory_in_use_is_named(cluster):
    port = processes.free_ports(1)
    node = cluster[1]
    does_not_start(cairnd(1, port, node.data), node.data, "in use", node.process.pid)


@test
def an_unreadable_data_directory_is_named():
    base = processes.temporary_directory()
    port = processes.free_ports(1)
    a_file = os.path.join(base, "file")
    with open(a_file, "w") as file:
        file.write("not a directory\n")
    does_not_start(cairnd(1, port, a_file), a_file)
    does_not_start(cairnd(1, port, os.path.join(a_file, "n1")), a_file)
    blocked = os.path.join(base, "blocked")
    os.mkdir(blocked)
    with open(os.path.join(blocked, "log"), "w"):
        pass
    does_not_start(cairnd(1, port, blocked), os.path.join(blocked, "log"))
    blocked = os.path.join(base, "blocked2")
    os.mkdir(blocked)
    with open(os.path.join(blocked, "engine"), "w"):
        pass
    does_not_start(cairnd(1, port, blocked), os.path.join(blocked, "engine"))
    # Permissions do not stop root; so the node runs as nobody, from a copy that nobody can reach.
    secret = os.path.join(base, "secret")
    os.mkdir(secret)
    options = {}
    command = cairnd(1, port, secret)
    if os.getuid() == 0:
        os.chmod(base, 0o755)
        command[0] = shutil.copy(CAIRND, os.path.join(base, "cairnd"))
        os.chmod(secret, 0o700)
        options = {"user": 65534, "group": 65534, "extra_groups": []}
    else:
        os.chmod(secret, 0)
    does_not_start(command, secret, "ermission denied", **options)
    os.chmod(secret, 0o700)


@test
def the_data_directory_of_another_node_is_refused():
    with Cluster() as cluster:
        with cluster[1].connect() as connection:
            fill(connection)
        cluster[3].kill()
        command = cluster[2].command()
        command[1:4] = ["--node-id=2", f"--port={cluster[3].port}", f"--data={cluster[3].data}"]
        does_not_start(command, "node 3", "node 2")
        ledger_is_intact(cluster[1])
        cluster[3].start().await_serving()
        ledger_is_intact(cluster[3])


# ---- the disk ----------------------------------------------------------------------------------------


class Ballast:
    """A file that takes room from a file system."""

    def __init__(self, directory, size_mib=0):
        self.path = os.path.join(directory, "ballast")
        self.file = open(self.path, "wb", buffering=0)
        for _ in range(size_mib):
            self.file.write(bytes(MIB))

    def top_up(self):
        """All that is left."""
        block = bytes(64 * 1024)
        while block:
            try:
                while self.file.write(block) == len(block):
                    pass
            except OSError:
                pass
            block = block[:len(block) // 4]

    def drop(self):
        self.file.close()
        os.remove(self.path)


def write_until_refused(node, first_key, rows_max=5000):
    """Inserts rows of 50 kB; (keys acknowledged, keys of unknown outcome, the error)."""
    acknowledged, unknown = set(), set()
    with node.connect(timeout_s=60 * SLOW) as connection:
        connection.query("SET statement_timeout = '20s'")
        connection.prepare("add", "INSERT INTO big VALUES ($1, $2)")
        body = "x" * 50_000
        for key in range(first_key, first_key + rows_max):
            try:
                connection.execute("add", key, body)
                acknowledged.add(key)
            except pgwire.PgError as error:
                if error.sqlstate != "53100":
                    unknown.add(key)
                return acknowledged, unknown, error
    raise AssertionError(f"{rows_max * 50_000 / 1e6:.0f} MB went to a full disk")


def keys_of(node):
    with node.connect(timeout_s=60 * SLOW) as connection:
        return {int(row[0]) for row in connection.query("SELECT id FROM big").rows}


def disk_full(sizes_mib, act):
    """A cluster with its data on small disks: sizes_mib[k] for node k + 1, None: the ordinary disk."""
    disks = [size and processes.mount_small(size) for size in sizes_mib]
    if any(size and not disk for size, disk in zip(sizes_mib, disks)):
        return in_a_namespace(act)
    cluster = Cluster(logs=processes.temporary_directory())
    for node, disk in zip(cluster.nodes, disks):
        if disk:
            node.data = os.path.join(disk, f"n{node.number}")
    with cluster:
        with cluster[1].connect() as connection:
            fill(connection)
            connection.query("CREATE TABLE big (id int4 PRIMARY KEY, body text)")
        return act(cluster, disks)


def in_a_namespace(act):
    """Who may not mount may do so in a user namespace: the test again, in there."""
    assert "CLUSTER_IN_NAMESPACE" not in os.environ and shutil.which("unshare"), \
        "this test needs the right to mount a small tmpfs: run it as root"
    code, text = run_program(["unshare", "--user", "--map-root-user", "--mount", sys.executable, sys.argv[0],
                              act.__name__], 300, env={**os.environ, "CLUSTER_IN_NAMESPACE": "1", "CAIRN_RESULT": ""})
    assert code == 0, text


@test
def a_full_disk_under_all_nodes_is_53100_until_there_is_room():
    disk_full((250, 250, 250), a_full_disk_under_all_nodes)


def a_full_disk_under_all_nodes(cluster, disks):
    """First the nodes fill their disks by themselves, then somebody else takes even the room they kept."""
    pids = [node.process.pid for node in cluster.nodes]
    ballast = [Ballast(disk, 60) for disk in disks]
    everything, doubtful = set(), set()
    for number in (1, 2, 3):
        done, unknown, error = write_until_refused(cluster[number], number * 10_000)
        everything |= done
        doubtful |= unknown
        say(f"node {number}: {len(done)} rows, then {error}")
        equal("53100", error.sqlstate)
    leader = cluster.leader()
    leader.kill()
    others = [node for node in cluster.nodes if node is not leader]
    for node in others:
        ledger_is_intact(node)
    say("the leader was killed; another one answers reads")
    pids[leader.number - 1] = leader.start().await_serving().process.pid
    for one in ballast:
        one.top_up()
    unharmed(cluster, pids)
    _, _, error = write_until_refused(cluster[2], 40_000)
    equal("53100", error.sqlstate)
    say("with not a byte left, all live and answer reads")
    for one in ballast:
        one.drop()

    def writable():
        with cluster[2].connect(timeout_s=30 * SLOW) as connection:
            return connection.query("INSERT INTO big VALUES (1, 'room again')").tag == "INSERT 0 1"
    until("writes go on when there is room", writable, 60 * SLOW, 0.2)
    everything.add(1)
    for node in cluster.nodes:
        found = keys_of(node)
        assert everything <= found <= everything | doubtful, \
            f"lost {sorted(everything - found)[:5]}, strange {sorted(found - everything - doubtful)[:5]}"
    unharmed(cluster, pids)
    cluster.kill_all()
    cluster.start()
    assert everything <= keys_of(cluster[1]), "lost by a restart"


@test
def a_full_disk_under_one_node_stops_nobody_else():
    disk_full((250, None, None), a_full_disk_under_one_node)


def a_full_disk_under_one_node(cluster, disks):
    """Node 1 is first a follower, then, if it comes to that, whatever its fellows make of it."""
    starved = cluster[1]
    if cluster.leader() is starved:  # another one shall lead
        starved.kill()
        until("another leader", lambda: cluster.leader() is not starved)
        starved.start().await_serving()
    say(f"node {cluster.leader().number} leads")
    ballast = Ballast(disks[0])
    ballast.top_up()
    body, rows = "x" * 50_000, 1500
    with cluster[2].connect(timeout_s=60 * SLOW) as connection:
        connection.prepare("add", "INSERT INTO big VALUES ($1, $2)")
        for key in range(rows):
            connection.execute("add", key, body)
    ballast.top_up()
    assert starved.running, f"the starved node has ended:\n{starved.log_tail()}"
    ledger_is_intact(starved)
    say(f"wrote {rows * 50_000 / 1e6:.0f} MB past the starved node, which lives")
    ballast.drop()
    cluster.await_converged(120 * SLOW)
    for node in cluster.nodes:
        equal(set(range(rows)), keys_of(node))


def last_used_segment(node):
    """(path, content): behind it there may be one that is only prepared."""
    for path in reversed(node.segments()):
        with open(path, "rb") as file:
            content = file.read()
        if len(content.rstrip(b"\0")) > 4096:
            return path, content
    raise AssertionError("the log is empty")


@test
def a_flipped_byte_in_the_log_keeps_its_node_down_and_no_other():
    with Cluster() as cluster:
        with cluster[1].connect() as connection:
            fill(connection)
            connection.query("CREATE TABLE big (id int4 PRIMARY KEY, body text)")
            for key in range(60):
                connection.query("INSERT INTO big VALUES ($1, $2)", key, "y" * 5000)
        cluster.await_converged()
        damaged = cluster[2]
        damaged.kill()
        path, content = last_used_segment(damaged)
        used = len(content.rstrip(b"\0"))
        for offset in (5, 512 + 3, used // 4, used // 2):
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(bytes([content[offset] ^ 0x10]))
            before = len(damaged.log_text())
            damaged.start()
            code = damaged.await_end()
            assert code > 0, f"exit status {code} with byte {offset} of {path} flipped"
            said = damaged.log_text()[before:].strip().splitlines()[-1]
            say(f"byte {offset}: {said}")
            within(said, path, "offset" if offset >= 512 else "")
            if offset >= 512:
                named = int(re.search(r"offset (\d+)", said).group(1))
                assert named <= offset < named + 64 * 1024, f"byte {offset} was flipped, {named} is named"
            with open(path, "rb") as file:
                now = file.read()
            assert len(now) == len(content) and now[:offset] + content[offset:offset + 1] + now[offset + 1:] == content, \
                "the refused start has changed the log"
            for node in (cluster[1], cluster[3]):
                ledger_is_intact(node)
            with open(path, "r+b") as file:
                file.seek(offset)
                file.write(content[offset:offset + 1])
        with cluster[1].connect() as connection:
            connection.query("INSERT INTO big VALUES (1000, 'written meanwhile')")
        damaged.start().await_serving()
        ledger_is_intact(damaged)
        cluster.await_converged()
