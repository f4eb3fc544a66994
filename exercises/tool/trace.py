"""Runs inside gdb, for `make debug TEST=name TRACE=1`: prints every call of the exercise's functions, with
its arguments, what it answers, and the state that the first argument points to when it has changed.

The functions stand in $CAIRN_TRACE as file:function. A call that a test makes ten thousand times would bury
what matters, so the first calls are printed as they happen, then the last ones when the test has ended.
"""
import collections
import os
import signal
import threading

import gdb

FIRST, LAST, CALLS_MAX = 150, 60, 3000
LOOP_S = 20
WIDTH = 150
BYTES_SHOWN = 32

state = {"printed": 0, "calls": 0, "seen": {}}
kept = collections.deque(maxlen=LAST)


def say(text):
    state["printed"] += 1
    if state["printed"] <= FIRST:
        gdb.write(text + "\n")
    else:
        kept.append(text)


def short(text):
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else text[:WIDTH - 3] + "..."


def bytes_of(value):
    length = int(value["len"])
    if length == 0:
        return '""'
    data = bytes(gdb.selected_inferior().read_memory(int(value["data"]), min(length, BYTES_SHOWN)))
    shown = "".join(chr(b) if 32 <= b < 127 and b != 34 else f"\\x{b:02x}" for b in data)
    return f'"{shown}"' + (f"... ({length} bytes)" if length > BYTES_SHOWN else "")


def shown(value):
    """A value as a person says it: slices as text, an enum by its name, a pointer by its address."""
    try:
        kind = value.type.strip_typedefs()
        if kind.code == gdb.TYPE_CODE_STRUCT and kind.tag in ("slice", "buf"):
            return bytes_of(value)
        if kind.code == gdb.TYPE_CODE_PTR and kind.target().strip_typedefs().tag in ("slice", "buf") and int(value):
            return bytes_of(value.dereference())
        if kind.code == gdb.TYPE_CODE_ENUM:
            return str(value).replace("STATUS_", "")
        return short(value.format_string(max_depth=1, max_elements=8, symbols=False, repeat_threshold=4))
    except (gdb.error, gdb.MemoryError):
        return "?"


SCALARS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_CHAR)


def whole(frame):
    """The function's own block: a call may begin inside a block of its body, or of what was inlined there."""
    block = frame.block()
    while block.superblock and (block.function is None or block.function.name != frame.name()):
        block = block.superblock
    return block


def first_struct(frame):
    """The struct that the first argument points to, as (type, address)."""
    for symbol in whole(frame):
        if symbol.is_argument:
            value = symbol.value(frame)
            kind = value.type.strip_typedefs()
            if kind.code != gdb.TYPE_CODE_PTR or int(value) == 0:
                return None
            target = kind.target().unqualified().strip_typedefs()
            known = target.code == gdb.TYPE_CODE_STRUCT and target.fields() and target.tag not in ("slice", "buf")
            return (target, int(value)) if known else None
    return None


def show_state(struct, indent):
    """Its numbers, in one line, if they are others than the last time."""
    if not struct:
        return
    kind, address = struct
    try:
        value = gdb.Value(address).cast(kind.pointer()).dereference()
        fields = [f"{field.name}={value[field.name].format_string(symbols=False)}" for field in kind.fields()
                  if field.name and field.type.strip_typedefs().code in SCALARS]
    except gdb.error:
        return
    text = short(" ".join(fields))
    if fields and state["seen"].get(address) != text:
        state["seen"][address] = text
        say(f"{indent}     {kind.tag}: {text}")


class Answer(gdb.FinishBreakpoint):
    def __init__(self, frame, name, depth):
        super().__init__(frame, internal=True)
        self.silent, self.name, self.depth = True, name, depth
        self.struct = first_struct(frame)

    def stop(self):
        indent = "  " * self.depth
        answer = f" = {shown(self.return_value)}" if self.return_value is not None else ""
        say(f"{indent}<- {self.name}{answer}")
        show_state(self.struct, indent)
        return False


def stop_a_loop():
    """A test that does not end is interrupted; where it is then says most."""
    pid = gdb.selected_inferior().pid
    if pid:
        os.kill(pid, signal.SIGINT)


class Call(gdb.Breakpoint):
    def __init__(self, spec):
        super().__init__(spec, internal=True)
        self.silent = True

    def stop(self):
        frame = gdb.newest_frame()
        state["calls"] += 1
        if state["calls"] > CALLS_MAX:
            for breakpoint in CALLS:
                breakpoint.enabled = False
            return False
        depth = 0
        older = frame.older()
        while older is not None and depth < 40:
            depth += older.name() in NAMES
            older = older.older()
        indent = "  " * depth
        arguments = ", ".join(f"{symbol.name}={shown(symbol.value(frame))}" for symbol in whole(frame) if symbol.is_argument)
        say(f"{indent}-> {frame.name()}({short(arguments)})")
        show_state(first_struct(frame), indent)
        try:
            Answer(frame, frame.name(), depth)
        except ValueError:
            pass  # the outermost frame has nobody to answer
        return False


SPECS = os.environ.get("CAIRN_TRACE", "").split()
NAMES = {spec.split(":")[1] for spec in SPECS}
gdb.execute("set pagination off")
gdb.execute("set print thread-events off")
gdb.execute("set breakpoint pending off")
gdb.execute("set width 0")
CALLS = []
for one in SPECS:
    try:
        CALLS.append(Call(one))
    except (gdb.error, RuntimeError):
        pass  # this suite does not hold it
watch = threading.Timer(LOOP_S, stop_a_loop)
watch.daemon = True
watch.start()
gdb.execute("run")
left = state["printed"] - FIRST - len(kept)
if left > 0:
    gdb.write(f"    ... {left} lines more ...\n")
for line in kept:
    gdb.write(line + "\n")
if state["calls"] > CALLS_MAX:
    gdb.write(f"    (after {CALLS_MAX} calls nothing was noted any more)\n")
if gdb.selected_inferior().pid:
    gdb.write("stopped here:\n")
    gdb.execute("thread 1", to_string=True)  # the test's; a lane that waits may have got the signal
    gdb.execute("backtrace 12")
