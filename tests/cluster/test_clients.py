"""Clients that other people wrote: psql, pgbench, psycopg2, node-postgres."""
import os
import shutil

import processes
from check import equal, say, test, within
from processes import Cluster, run_program

HERE = os.path.dirname(os.path.abspath(__file__))
NODE_MODULES = os.path.join(processes.ROOT, "build", "node-postgres")

_cluster = None


def shared():
    global _cluster
    if _cluster is None:
        _cluster = Cluster()
        _cluster.start()
    return _cluster


def finish():
    if _cluster is not None:
        _cluster.kill_all()


def environment(node, **more):
    return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(node.port), "PGUSER": "anna", "PGDATABASE": "stones",
            "PGCONNECT_TIMEOUT": "10", "PGOPTIONS": "", **more}


def psql(node, *words, deadline_s=60):
    return run_program(["psql", "-X", "-v", "ON_ERROR_STOP=1", *words], deadline_s, env=environment(node))


@test
def psql_runs_statements_scripts_and_errors():
    cluster = shared()
    code, text = psql(cluster[1], "-c", "CREATE TABLE people (id int4 PRIMARY KEY, name text, born int4)")
    equal((0, "CREATE TABLE\n"), (code, text))
    code, text = psql(cluster[2], "-c", "INSERT INTO people VALUES (1, 'Ada', 1815), (2, 'Émilie', 1706), (3, NULL, 1903)")
    equal((0, "INSERT 0 3\n"), (code, text))
    code, text = psql(cluster[3], "-At", "-c", "SELECT id, name, born > 1800 FROM people ORDER BY id")
    equal((0, "1|Ada|t\n2|Émilie|f\n3||t\n"), (code, text))
    code, text = psql(cluster[1], "-c", "SELECT current_user, current_database()")
    equal(0, code, text)
    within(text, "anna", "stones", "(1 row)")
    code, text = psql(cluster[2], "-c", "SELECT nme FROM people")
    equal(1, code, text)
    within(text, 'ERROR:  column "nme" does not exist', "LINE 1: SELECT nme FROM people", "               ^")
    script = os.path.join(processes.temporary_directory(), "ada.sql")
    with open(script, "w") as file:
        file.write("\\set who Ada\nSELECT born FROM people WHERE name = :'who';\n")
    code, text = psql(cluster[3], "-At", "-f", script)
    equal((0, "1815\n"), (code, text))
    code, text = psql(cluster[1], "-q", "-At", "-1", "-c", "DELETE FROM people", "-c", "SELECT 1 / 0")
    assert code != 0, text
    code, text = psql(cluster[2], "-At", "-c", "SELECT count(*) FROM people")
    equal((0, "3\n"), (code, text), "a script in one transaction that failed")
    psql(cluster[1], "-c", "DROP TABLE people")


@test
def psql_loads_ten_thousand_rows_in_batches():
    cluster = shared()
    script = os.path.join(processes.temporary_directory(), "load.sql")
    with open(script, "w") as file:
        file.write("CREATE TABLE stones (id int4 PRIMARY KEY, weight int4, kind text);\n")
        for batch in range(100):
            rows = ", ".join(f"({k}, {k * 7 % 1000}, 'kind {k % 10}')" for k in range(batch * 100, batch * 100 + 100))
            file.write(f"INSERT INTO stones VALUES {rows};\n")
    code, text = psql(cluster[2], "-q", "-f", script)
    equal((0, ""), (code, text))
    code, text = psql(cluster[3], "-At", "-c", "SELECT count(*), sum(weight), min(id), max(id) FROM stones")
    equal((0, f"10000|{sum(k * 7 % 1000 for k in range(10000))}|0|9999\n"), (code, text))
    code, text = psql(cluster[1], "-At", "-c",
                      "SELECT kind, count(*), sum(weight) FROM stones WHERE id < 5000 GROUP BY kind ORDER BY kind LIMIT 2")
    expected = [(k, sum(n * 7 % 1000 for n in range(5000) if n % 10 == k)) for k in (0, 1)]
    equal((0, "".join(f"kind {k}|500|{s}\n" for k, s in expected)), (code, text))
    code, text = psql(cluster[1], "-At", "-v", "FETCH_COUNT=0", "-c", "SELECT id FROM stones ORDER BY id")
    equal(10000, len(text.splitlines()))
    psql(cluster[1], "-c", "DROP TABLE stones")


@test
def pgbench_runs_a_script_in_each_protocol():
    cluster = shared()
    with cluster[1].connect(user="anna", database="stones") as connection:
        connection.query("CREATE TABLE accounts (id int4 PRIMARY KEY, balance int8 NOT NULL)")
        connection.query("CREATE TABLE history (id int4, delta int4)")
        connection.query("INSERT INTO accounts VALUES " + ", ".join(f"({k}, 0)" for k in range(1, 51)))
    script = os.path.join(processes.temporary_directory(), "transfer.sql")
    with open(script, "w") as file:
        file.write("\\set from random(1, 50)\n\\set delta random(1, 100)\n"
                   "BEGIN;\n"
                   "UPDATE accounts SET balance = balance + :delta WHERE id = :from;\n"
                   "SELECT balance FROM accounts WHERE id = :from;\n"
                   "INSERT INTO history VALUES (:from, :delta);\n"
                   "END;\n")
    done = 0
    for number, mode in enumerate(("simple", "extended", "prepared"), start=1):
        code, text = run_program(["pgbench", "-n", "-f", script, "-M", mode, "-c", "4", "-j", "2", "-t", "25",
                                  "--max-tries=100"], env=environment(cluster[number]))
        equal(0, code, text)
        within(text, "number of transactions actually processed: 100/100", f"query mode: {mode}")
        done += 100
        with cluster[number % 3 + 1].connect(user="anna", database="stones") as connection:
            equal(str(done), connection.query("SELECT count(*) FROM history").value)
            total = connection.query("SELECT sum(delta) FROM history").value
            equal(total, connection.query("SELECT sum(balance) FROM accounts").value, mode)
    say(f"{done} transfers, every one accounted for")


@test
def psycopg2_binds_commits_fails_and_cancels():
    cluster = shared()
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"
    code, text = run_program([python, os.path.join(HERE, "client_psycopg2.py"), *(node.port for node in cluster.nodes)])
    equal(0, code, text)
    say(text.strip().splitlines()[-1])


@test
def node_postgres_binds_commits_fails_and_cancels():
    if shutil.which("npm") is None or shutil.which("node") is None:
        assert os.environ.get("CLUSTER_NO_NODE") == "1", \
            "node and npm are not installed; install them, or leave node-postgres out with CLUSTER_NO_NODE=1"
        return say("left out: CLUSTER_NO_NODE=1")
    if not os.path.isdir(os.path.join(NODE_MODULES, "node_modules", "pg")):
        os.makedirs(NODE_MODULES, exist_ok=True)
        with open(os.path.join(NODE_MODULES, "package.json"), "w") as file:
            file.write('{"private": true}\n')
        code, text = run_program(["npm", "install", "--no-audit", "--no-fund", "pg@8"], 120, cwd=NODE_MODULES)
        equal(0, code, "npm could not install pg: " + text)
    cluster = shared()
    code, text = run_program(["node", os.path.join(HERE, "client_pg.js"), *(node.port for node in cluster.nodes)],
                             env={**os.environ, "NODE_PATH": os.path.join(NODE_MODULES, "node_modules")})
    equal(0, code, text)
    say(text.strip().splitlines()[-1])
