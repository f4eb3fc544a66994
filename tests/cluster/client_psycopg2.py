"""What psycopg2 does with a cluster; run by test_clients.py with the ports of the nodes."""
import sys
import threading
import time

import psycopg2
import psycopg2.errors
import psycopg2.extras

ports = [int(word) for word in sys.argv[1:]]


def connect(k):
    return psycopg2.connect(host="127.0.0.1", port=ports[k], user="anna", dbname="stones", connect_timeout=10)


def expect(kind, action):
    try:
        action()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


a, b = connect(0), connect(1)
assert a.server_version // 10000 == 15, a.server_version
with a, a.cursor() as cursor:  # commits at the end
    cursor.execute("DROP TABLE IF EXISTS things")
    cursor.execute("CREATE TABLE things (id int4 PRIMARY KEY, name text, weight float8, fine bool)")
with a, a.cursor() as cursor:
    cursor.execute("INSERT INTO things VALUES (%s, %s, %s, %s)", (1, "it's; a -- \\ stone", 2.5, True))
    cursor.executemany("INSERT INTO things VALUES (%s, %s, %s, %s)", [(2, None, -1e300, False), (3, "ü☃", None, None)])
    psycopg2.extras.execute_values(cursor, "INSERT INTO things VALUES %s", [(k, f"n{k}", k / 4, k % 2 == 0) for k in range(4, 54)])
with b, b.cursor() as cursor:
    cursor.execute("SELECT * FROM things WHERE id <= %(most)s ORDER BY id", {"most": 3})
    rows = cursor.fetchall()
    assert rows == [(1, "it's; a -- \\ stone", 2.5, True), (2, None, -1e300, False), (3, "ü☃", None, None)], rows
    assert [column.name for column in cursor.description] == ["id", "name", "weight", "fine"]
    cursor.execute("SELECT count(*), sum(id) FROM things")
    assert cursor.fetchone() == (53, sum(range(54))), "count and sum"

# Errors: the class follows the SQLSTATE; the transaction has failed until it is rolled back.
with a.cursor() as cursor:
    error = expect(psycopg2.errors.UniqueViolation, lambda: cursor.execute("INSERT INTO things VALUES (1)"))
    assert error.pgcode == "23505"
    expect(psycopg2.errors.InFailedSqlTransaction, lambda: cursor.execute("SELECT 1"))
a.rollback()
with a.cursor() as cursor:
    cursor.execute("DELETE FROM things")
    assert cursor.rowcount == 53, cursor.rowcount
a.rollback()
with a.cursor() as cursor:
    expect(psycopg2.errors.SyntaxError, lambda: cursor.execute("SELEC 1"))
    a.rollback()
    expect(psycopg2.errors.UndefinedTable, lambda: cursor.execute("SELECT * FROM nowhere"))
    a.rollback()
    cursor.execute("SELECT count(*) FROM things")
    assert cursor.fetchone() == (53,), "a rollback undoes everything"
a.commit()

# A statement that waits for a row lock is cancelled from outside, and by its own timeout.
holder, waiter = connect(2), connect(0)
with holder.cursor() as cursor:
    cursor.execute("UPDATE things SET weight = 1 WHERE id = 1")
outcome = []


def wait_for_the_row():
    try:
        with waiter.cursor() as blocked:
            blocked.execute("UPDATE things SET weight = 2 WHERE id = 1")
        outcome.append("done")
    except psycopg2.Error as problem:
        outcome.append(problem.pgcode)


thread = threading.Thread(target=wait_for_the_row, daemon=True)
thread.start()
end = time.monotonic() + 30
while thread.is_alive() and time.monotonic() < end:
    waiter.cancel()  # one that comes before the statement cancels nothing
    thread.join(0.1)
assert outcome == ["57014"], f"cancelled statement: {outcome}"
waiter.rollback()
with waiter.cursor() as cursor:
    cursor.execute("SET statement_timeout = '200ms'")
    waiter.commit()
    expect(psycopg2.errors.QueryCanceled, lambda: cursor.execute("UPDATE things SET weight = 3 WHERE id = 1"))
    waiter.rollback()
    cursor.execute("SET statement_timeout = 0")
    waiter.commit()
holder.commit()
with waiter.cursor() as cursor:
    cursor.execute("UPDATE things SET weight = weight + 10 WHERE id = 1")
    assert cursor.rowcount == 1, cursor.rowcount
    cursor.execute("SELECT weight FROM things WHERE id = 1")
    assert cursor.fetchone() == (11.0,), "the lock is free after the commit"
waiter.commit()
a.autocommit = True
with a.cursor() as cursor:
    cursor.execute("DROP TABLE things")
for connection in (a, b, holder, waiter):
    connection.close()
print("psycopg2", psycopg2.__version__.split()[0], "is content")
