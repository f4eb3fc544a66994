"""A small client of PostgreSQL's protocol 3.0: simple and extended queries, text results, cancel.

A connection belongs to one thread at a time (cancel may come from another). Three things may go wrong, and tests
must tell them apart: the server answers with an error (PgError), the connection is lost (Lost: whether the
statement ran is unknown), no answer comes within the deadline (Late: always a failure of the test).
"""
import socket
import struct
import time

PROTOCOL = 196608
SSL_REQUEST = 80877103
GSSENC_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class PgError(Exception):
    def __init__(self, fields):
        self.fields = fields
        self.sqlstate = fields.get("C", "")
        self.message = fields.get("M", "")
        self.position = int(fields["P"]) if "P" in fields else 0
        super().__init__(f"{fields.get('S', 'ERROR')} {self.sqlstate}: {self.message}")


class Lost(Exception):
    """The connection is gone. `error`: what the server said last, if it said farewell."""

    def __init__(self, why, error=None):
        self.error = error
        super().__init__(f"{why}; the server said: {error}" if error else str(why))


class Late(Exception):
    pass


class Result:
    def __init__(self):
        self.columns, self.oids, self.rows, self.tag = [], [], [], None

    @property
    def value(self):
        assert len(self.rows) == 1 and len(self.rows[0]) == 1, f"one value expected: {self.rows[:3]}"
        return self.rows[0][0]

    @property
    def count(self):
        return int(self.tag.split()[-1])


def startup_message(user="cairn", database="cairn", **settings):
    body = struct.pack("!I", PROTOCOL)
    for name, value in dict(user=user, database=database, **settings).items():
        body += name.encode() + b"\0" + str(value).encode() + b"\0"
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def message(kind, body=b""):
    return kind + struct.pack("!I", len(body) + 4) + body


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout_s=30.0, connect_timeout_s=5.0, **settings):
        self.port, self.host, self.timeout_s = port, host, timeout_s
        self.buffer = bytearray()
        self.status, self.parameters, self.notices = "", {}, []
        self.pid = self.key = 0
        self.closed = False
        try:
            self.socket = socket.create_connection((host, port), timeout=connect_timeout_s)
        except OSError as problem:
            self.closed = True
            raise Lost(f"cannot connect to port {port}: {problem}") from None
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = time.monotonic() + connect_timeout_s
        try:
            self.send(startup_message(**settings))
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, politely=True):
        if self.closed:
            return
        self.closed = True
        try:
            if politely:
                self.socket.settimeout(1)
                self.socket.sendall(message(b"X"))
        except OSError:
            pass
        self.socket.close()

    # ---- bytes ---------------------------------------------------------------------------------

    def _remaining(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            self.closed = True
            self.socket.close()
            raise Late(f"no answer from port {self.port} in time")
        return left

    def send(self, data):
        try:
            self.socket.settimeout(self._remaining())
            self.socket.sendall(data)
        except socket.timeout:
            self._remaining()
            raise Late(f"port {self.port} does not read") from None
        except OSError as problem:
            self._lose(problem)

    def _lose(self, why):
        """Before giving up: a farewell that the server sent is worth reading."""
        self.closed = True
        error = None
        try:
            self.socket.settimeout(0.5)
            while chunk := self.socket.recv(65536):
                self.buffer += chunk
        except OSError:
            pass
        while len(self.buffer) >= 5:
            size = struct.unpack_from("!I", self.buffer, 1)[0] + 1
            if len(self.buffer) < size:
                break
            if self.buffer[:1] == b"E":
                error = PgError(fields_of(bytes(self.buffer[5:size])))
            del self.buffer[:size]
        self.socket.close()
        raise Lost(why, error) from None

    def _fill(self, size):
        while len(self.buffer) < size:
            try:
                self.socket.settimeout(self._remaining())
                chunk = self.socket.recv(262144)
            except socket.timeout:
                self._remaining()
                continue
            except OSError as problem:
                self._lose(problem)
            if not chunk:
                self._lose("the server closed the connection")
            self.buffer += chunk

    def receive(self):
        """The next message: (type, body)."""
        self._fill(5)
        kind = bytes(self.buffer[:1])
        size = struct.unpack_from("!I", self.buffer, 1)[0] + 1
        self._fill(size)
        body = bytes(self.buffer[5:size])
        del self.buffer[:size]
        return kind, body

    # ---- messages ------------------------------------------------------------------------------

    def _start(self):
        while True:
            kind, body = self.receive()
            if kind == b"E":
                raise PgError(fields_of(body))
            if kind == b"R" and struct.unpack("!I", body[:4])[0] != 0:
                raise Lost("the server asks for a password")
            if kind == b"K":
                self.pid, self.key = struct.unpack("!II", body)
            if kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            if kind == b"Z":
                self.status = body.decode()
                return

    def _answers(self, timeout_s):
        """Everything up to ReadyForQuery: the results, or the first error."""
        self.deadline = time.monotonic() + (timeout_s or self.timeout_s)
        results, result, error = [], Result(), None
        while True:
            kind, body = self.receive()
            if kind == b"T":
                result.columns, result.oids = columns_of(body)
            elif kind == b"D":
                result.rows.append(row_of(body))
            elif kind in (b"C", b"I"):
                result.tag = body[:-1].decode() if kind == b"C" else ""
                results.append(result)
                result = Result()
            elif kind == b"E":
                error = error or PgError(fields_of(body))
                if error.fields.get("S") == "FATAL":
                    self.closed = True
                    self.socket.close()
                    raise Lost("the server ended the session", error)
            elif kind == b"N":
                self.notices.append(fields_of(body))
            elif kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif kind == b"Z":
                self.status = body.decode()
                if error:
                    raise error
                return results

    def run(self, script, timeout_s=None):
        """A simple query: the list of its results."""
        self.deadline = time.monotonic() + (timeout_s or self.timeout_s)
        self.send(message(b"Q", script.encode() + b"\0"))
        return self._answers(timeout_s)

    def query(self, sql, *parameters, timeout_s=None):
        """One statement, its last result. With parameters: through the unnamed prepared statement."""
        if not parameters:
            return self.run(sql, timeout_s)[-1]
        self.deadline = time.monotonic() + (timeout_s or self.timeout_s)
        self.send(message(b"P", b"\0" + sql.encode() + b"\0" + struct.pack("!H", 0)) +
                  bind("", "", parameters) + message(b"D", b"P\0") +
                  message(b"E", b"\0" + struct.pack("!I", 0)) + message(b"S"))
        return self._answers(timeout_s)[-1]

    def prepare(self, name, sql, timeout_s=None):
        self.deadline = time.monotonic() + (timeout_s or self.timeout_s)
        self.send(message(b"P", name.encode() + b"\0" + sql.encode() + b"\0" + struct.pack("!H", 0)) +
                  message(b"S"))
        self._answers(timeout_s)

    def execute(self, name, *parameters, timeout_s=None):
        self.deadline = time.monotonic() + (timeout_s or self.timeout_s)
        self.send(bind("", name, parameters) + message(b"D", b"P\0") +
                  message(b"E", b"\0" + struct.pack("!I", 0)) + message(b"S"))
        return self._answers(timeout_s)[-1]

    def cancel(self):
        """Asks on a connection of its own, from any thread; no answer is promised."""
        with socket.create_connection((self.host, self.port), timeout=5) as other:
            other.sendall(struct.pack("!IIII", 16, CANCEL_REQUEST, self.pid, self.key))
            other.settimeout(5)
            assert other.recv(1) == b"", "a cancel request is not answered"


def bind(portal, statement, parameters):
    body = portal.encode() + b"\0" + statement.encode() + b"\0" + struct.pack("!HH", 0, len(parameters))
    for value in parameters:
        if value is None:
            body += struct.pack("!i", -1)
        else:
            text = str(value).encode()
            body += struct.pack("!i", len(text)) + text
    return message(b"B", body + struct.pack("!H", 0))


def fields_of(body):
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


def columns_of(body):
    names, oids, at = [], [], 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(b"\0", at)
        names.append(body[at:end].decode())
        oids.append(struct.unpack_from("!I", body, end + 7)[0])
        at = end + 19
    return names, oids


def row_of(body):
    row, at = [], 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        size = struct.unpack_from("!i", body, at)[0]
        at += 4
        if size < 0:
            row.append(None)
        else:
            row.append(body[at:at + size].decode())
            at += size
    return tuple(row)
