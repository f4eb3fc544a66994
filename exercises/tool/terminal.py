"""A shell in a pseudo-terminal, and what a person would see on its screen.

The screen is a list of rows without end and without a right margin: a program may go back within a row
(`\\r`, backspace, the escapes of a line editor), colours and other escapes leave nothing. TERM is `dumb`, so that
few programs send any.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

COLUMNS, ROWS = 100, 50
MARK = "\x1f"  # in the shell's prompts, so that no output is taken for one
SHELL = "$ "
MORE = "> "
ESCAPE = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78cMDE])")
KEYS = {"^C": "\x03", "^D": "\x04", "^Z": "\x1a"}


class Screen:
    def __init__(self):
        self.rows, self.column, self.pending = [""], 0, ""
        self.marked = False  # the shell's prompt stands in the last row

    def put(self, text):
        text, self.pending = self.pending + text, ""
        at = 0
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                match = ESCAPE.match(text, at)
                if not match:
                    if len(text) - at < 32:  # the rest is still to come
                        self.pending = text[at:]
                        return
                    at += 1
                    continue
                self.escape(match.group(1) or "", match.group(2))
                at = match.end()
                continue
            self.char(char)
            at += 1

    def char(self, char):
        if char == "\n":
            self.new_row()
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\t":
            self.write(" " * (8 - self.column % 8))
        elif char == MARK:
            if self.rows[-1].strip():  # output that ended without a newline
                self.new_row()
                self.column = 0
            self.marked = True
        elif char >= " ":
            self.write(char)

    def new_row(self):
        self.rows.append("")
        self.marked = False

    def write(self, text):
        row = self.rows[-1].ljust(self.column)
        self.rows[-1] = row[:self.column] + text + row[self.column + len(text):]
        self.column += len(text)

    def escape(self, arguments, final):
        count = int(arguments) if arguments.isdigit() else 1
        if final == "K":
            self.rows[-1] = self.rows[-1][:self.column]
        elif final == "C":
            self.column += count
        elif final == "D":
            self.column = max(0, self.column - count)
        elif final == "G":
            self.column = count - 1
        elif final == "P":
            self.rows[-1] = self.rows[-1][:self.column] + self.rows[-1][self.column + count:]

    def at_prompt(self, prompt):
        """The cursor stands behind this prompt, which begins its row."""
        shell = prompt in (SHELL, MORE)
        return self.marked == shell and self.rows[-1] == prompt and self.column == len(prompt)


class Terminal:
    def __init__(self, directory, environment):
        self.screen, self.ended = Screen(), False
        self.read_up_to = 0  # the row where what no fence has shown begins
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.chdir(directory)
            environment = dict(environment, PS1=MARK + SHELL, PS2=MARK + MORE)
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting"], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def receive(self, seconds):
        """Waits for output at most so long; whether some came."""
        if self.ended or not select.select([self.fd], [], [], max(0, seconds))[0]:
            return False
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.screen.put(data.decode(errors="replace"))
        return True

    def await_prompt(self, prompts, limit):
        """The prompt that came back, or None at the limit or the end."""
        deadline = time.monotonic() + limit
        while True:
            found = next((prompt for prompt in prompts if self.screen.at_prompt(prompt)), None)
            # A row that looks like a program's prompt may be the beginning of a longer one.
            if found and (self.screen.marked or not self.receive(0.03)):
                return found
            if found:
                continue
            if self.ended or time.monotonic() >= deadline:
                return None
            self.receive(min(0.5, deadline - time.monotonic()))

    def await_rows(self, satisfied, quiet, limit):
        """Until satisfied(rows not shown yet), or it has been quiet for so long, or the limit."""
        deadline = time.monotonic() + limit
        last = time.monotonic()
        while not satisfied(self.unread()):
            if self.receive(0.05):
                last = time.monotonic()
            elif self.ended or time.monotonic() > deadline or (quiet and time.monotonic() - last > quiet):
                return False
        return True

    def unread(self):
        return [row.rstrip() for row in self.screen.rows[self.read_up_to:]]

    def type(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data[:512]):]
