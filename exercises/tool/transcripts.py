"""The `console` fences of a page: what is typed, what is output, and whether a run says the same.

All fences of a page run one after the other in a clone of their own (see clone.py); `terminal=2` is a second
shell there. What a command printed is everything between the line that was typed and the next prompt. A line
is typed when its prompt is there; a key alone on a line (`^C`) is pressed when the output above it has appeared, or,
while that is not known yet, when nothing has come for a second. What `vary=` matches may differ; so may,
on every page, times in the node's log (of a line, and `ms=`) and the line of the Makefile in make's errors.
"""
import difflib
import re
import time

from terminal import COLUMNS, KEYS, MORE, SHELL, Terminal

PROMPT = re.compile(r"^((?:\w[\w.:-]*[=*!(^'\"-]*> |\(gdb\) |\w[\w.-]*=# ))")
LIMIT_S = 20
QUIET_S = 1.0
ALWAYS_VARIES = [re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
                 re.compile(r"(?<=\bms=)[0-9]+"), re.compile(r"(?<=\[Makefile:)[0-9]+(?=: )")]
VARIES = "\x00"


class Step:
    """One typed line of a fence (None: output at its beginning) and what followed it."""

    def __init__(self, line, prompt, typed):
        self.line, self.prompt, self.typed = line, prompt, typed
        self.output = []   # as the page has it
        self.seen = None   # as it was
        self.seconds = 0.0

    @property
    def is_key(self):
        return self.typed in KEYS

    @property
    def row(self):
        return self.prompt + self.typed


class Part:
    """A fence, what stands on it, and its steps."""

    def __init__(self, page, fence):
        self.fence = fence
        try:
            self.vary, self.terminal, self.limit = parse_options(fence)
        except (ValueError, re.error) as problem:
            raise Refused(fence.line, f"the fence's options: {problem}") from problem
        self.steps = parse_steps(page, fence)


class Refused(Exception):
    """The page cannot be run to its end: (line, text)."""


def parse_options(fence):
    """vary=, terminal=, limit= of a fence; ValueError says what is wrong."""
    vary, terminal, limit = list(ALWAYS_VARIES), 1, LIMIT_S
    for word in split_info(fence.info):
        name, equals, value = word.partition("=")
        if not equals or name not in ("vary", "terminal", "limit"):
            raise ValueError(f"`{word}` is none of vary=, terminal=, limit=")
        if name == "vary":
            vary.append(re.compile(value))
        elif not value.isdigit():
            raise ValueError(f"{name}= wants a number")
        elif name == "terminal":
            terminal = int(value)
        else:
            limit = int(value)
    return vary, terminal, limit


def split_info(info):
    """Like a shell, but a backslash stays: it belongs to a regular expression."""
    words = re.findall(r'\w+="[^"]*"|\w+=\'[^\']*\'|\S+', info)
    return [re.sub(r"^(\w+=)([\"'])(.*)\2$", r"\1\3", word) for word in words]


def parse_steps(page, fence):
    steps = [Step(fence.line, "", None)]
    for number, line in enumerate(fence.content(page), fence.first + 1):
        before = steps[-1]
        match = PROMPT.match(line)
        if line.startswith(SHELL):
            steps.append(Step(number, SHELL, line[len(SHELL):]))
        elif line.startswith(MORE) and before.typed and before.prompt in (SHELL, MORE) and not before.output \
                and (before.typed.endswith("\\") or "<<" in before.typed or before.prompt == MORE):
            steps.append(Step(number, MORE, line[len(MORE):]))
        elif line.strip() in KEYS:
            steps.append(Step(number, "", line.strip()))
        elif match or PROMPT.match(line + " "):
            prompt = (match or PROMPT.match(line + " ")).group(1)
            steps.append(Step(number, prompt, line[len(prompt):]))
        else:
            before.output.append(line)
    return steps


class Run:
    """The transcripts of one page, in one clone."""

    def __init__(self, page, directory, environment):
        self.page, self.directory, self.environment = page, directory, environment
        self.terminals = {}
        self.parts = [Part(page, fence) for fence in page.fences if fence.lang == "console"]

    def following(self, part, index):
        """The next step that is typed in the same terminal, on the whole page."""
        rest = part.steps[index + 1:]
        for other in self.parts[self.parts.index(part) + 1:]:
            if other.terminal == part.terminal:
                rest = rest + other.steps
        return next((step for step in rest if step.typed is not None), None)

    def run(self):
        for part in self.parts:
            terminal = self.terminals.get(part.terminal) or self.open_terminal(part)
            for index, step in enumerate(part.steps):
                start = time.monotonic()
                self.run_step(terminal, step, self.following(part, index), part.vary, part.limit)
                step.seconds = time.monotonic() - start

    def open_terminal(self, part):
        terminal = self.terminals[part.terminal] = Terminal(self.directory, self.environment)
        if not terminal.await_prompt([SHELL], 10):
            raise Refused(part.fence.line, "the shell does not start")
        self.skip_shown(terminal)
        return terminal

    def run_step(self, terminal, step, following, vary, limit):
        if step.typed is None:
            if step.output:
                terminal.await_rows(lambda rows: same(step.output, trimmed(rows, terminal), vary), QUIET_S, limit)
                self.show(terminal, step)
            return
        if len(step.row) > COLUMNS:
            raise Refused(step.line, f"this line is wider than the terminal's {COLUMNS} columns")
        if not step.is_key or step.prompt:
            if not terminal.await_prompt([step.prompt or SHELL], limit):
                raise Refused(step.line, f"the prompt `{step.prompt}` is not there; the screen ends with:\n"
                              + tail(terminal))
        self.skip_shown(terminal)
        terminal.type(KEYS[step.typed] if step.is_key else step.typed + "\n")
        self.wait(terminal, step, following, vary, limit)

    @staticmethod
    def skip_shown(terminal):
        """What comes from now on is not shown yet. What came between two fences and stands in neither is skipped."""
        terminal.read_up_to = len(terminal.screen.rows) - 1

    def wait(self, terminal, step, following, vary, limit):
        if following is not None and following.is_key and not following.prompt:
            self.wait_for_output(terminal, step, vary, limit)
            return
        # The row that was typed stays at the prompt until its echo has come.
        terminal.await_rows(lambda rows: len(rows) > 1 or terminal.screen.rows[-1] != step.prompt, None, limit)
        prompts = {SHELL, step.prompt} | ({following.prompt} if following else set()) - {""}
        if step.typed.endswith("\\") or MORE in (step.prompt, following and following.prompt):
            prompts.add(MORE)
        prompt = terminal.await_prompt(sorted(prompts - {""}), limit)
        if prompt is None:
            awaited = ", ".join(f"`{wanted}`" for wanted in sorted(prompts - {""}))
            raise Refused(step.line, f"no prompt came back within {limit} s after `{step.typed}`; awaited: {awaited}; "
                          "the screen ends with:\n" + tail(terminal))
        self.show(terminal, step)
        if following and following.prompt and following.prompt != prompt:
            raise Refused(step.line, f"after `{step.typed}` came the prompt `{prompt}` where the page has "
                          f"`{following.prompt}`; the screen ends with:\n" + tail(terminal))

    def wait_for_output(self, terminal, step, vary, limit):
        """No prompt will come, a key is pressed next: the output is awaited, or silence if it is not known."""
        if step.output:
            terminal.await_rows(lambda rows: terminal.screen.marked
                                or same(step.output, trimmed(rows[1:], terminal), vary), None, limit)
            terminal.receive(0.05)
        else:
            terminal.await_rows(lambda rows: False, QUIET_S, limit)
        self.show(terminal, step)

    def show(self, terminal, step):
        """Takes the rows since the typed one as the step's output."""
        first, *rows = terminal.unread()
        if step.typed is None:
            rows = [first, *rows]
        elif step.is_key:  # what it printed may stand behind the key's own echo
            for echo in (step.prompt.rstrip(), step.typed):
                first = first[len(echo):].strip() if first.startswith(echo) else first
            rows = ([first] if first else []) + rows
        step.seen = trimmed(rows, terminal)
        self.skip_shown(terminal)


def trimmed(rows, terminal):
    """Without the prompt in the last row, if one stands there."""
    last = rows[-1] if rows else ""
    at_prompt = terminal.screen.marked or PROMPT.fullmatch(last + " ") or last == ""
    return rows[:-1] if rows and at_prompt else rows


def tail(terminal):
    rows = [row.rstrip() for row in terminal.screen.rows]
    return "\n".join("    | " + row for row in rows[-12:])


def normal(text, vary):
    for pattern in vary:
        text = pattern.sub(VARIES, text)
    return text


def same(old, new, vary):
    return [line.rstrip() for line in normal("\n".join(old), vary).split("\n")] == \
        [line.rstrip() for line in normal("\n".join(new), vary).split("\n")]


def merged(old, new, vary):
    """The new lines, with the old text where it only varies."""
    if same(old, new, vary):
        return old
    left, right = [normal(line, vary) for line in old], [normal(line, vary) for line in new]
    result = []
    for kind, a, b, c, d in difflib.SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes():
        result += old[a:b] if kind == "equal" else new[c:d]
    return result


def difference(step, vary):
    """Where and how the output differs, for a message: (line offset, text)."""
    left, right = [normal(line, vary) for line in step.output], [normal(line, vary) for line in step.seen]
    at = next((i for i, (a, b) in enumerate(zip(left, right)) if a.rstrip() != b.rstrip()), min(len(left), len(right)))
    page = step.output[at] if at < len(step.output) else "(nothing more)"
    seen = step.seen[at] if at < len(step.seen) else "(nothing more)"
    return at, f"page: {page}\n    run:  {seen}"


def compare(parts):
    """(complaints as (line, text), edits) of a page that ran to its end."""
    wrong, edits = [], []
    for part in parts:
        for step in part.steps:
            if step.seen is None or same(step.output, step.seen, part.vary):
                continue
            at, text = difference(step, part.vary)
            of = f"`{step.typed}`" if step.typed is not None else "what the terminal had shown before"
            wrong.append((step.line + 1 + at, f"the transcript differs, output of {of}:\n    {text}"))
            edits.append((step.line, step.line + len(step.output), merged(step.output, step.seen, part.vary)))
    return wrong, edits
