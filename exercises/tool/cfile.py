"""Finds functions by name in C source, and replaces them. Text in, text out."""
import re

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
                   r"|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)


class NotFound(Exception):
    pass


class Function:
    """Where a definition begins and ends, and its body, braces included."""

    def __init__(self, text, start, body, end):
        self.start, self.body, self.end = start, body, end
        self.signature = text[start:body]
        self.text = text[start:end]

    def lines_inside(self, text):
        """Lines of code between the braces: what a learner has to write."""
        inside = blank_noise(text)[self.body + 1:self.end - 1]
        return sum(1 for line in inside.splitlines() if line.strip())


def blank_noise(text):
    """Comments, literals and directives blanked out; offsets and lines stay."""
    return NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def matching(code, at, opening, closing):
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == opening) - (code[i] == closing)
        if depth == 0:
            return i
    raise NotFound(f"no {closing} for the {opening} in line {code.count(chr(10), 0, at) + 1}")


def functions(text):
    """All definitions of a file, by name, in their order."""
    code = blank_noise(text)
    found, declaration, at = {}, 0, 0
    while at < len(code):
        if code[at] == ";":
            declaration = at + 1
        elif code[at] == "{":
            end = matching(code, at, "{", "}") + 1
            name = defined_name(code[declaration:at])
            if name:
                start = declaration + len(code[declaration:at]) - len(code[declaration:at].lstrip())
                found[name] = Function(text, start, at, end)
                declaration = end
            elif "=" not in code[declaration:at] and not re.match(r"\s*(typedef|.*\b(struct|enum|union)\b)",
                                                                  code[declaration:at], re.S):
                declaration = end
            at = end
            continue
        at += 1
    return found


def defined_name(head):
    """The name in `static int name(int a) `; None if the brace opens something else."""
    head = head.rstrip()
    if not head.endswith(")") or "=" in head:
        return None
    depth = 0
    for i in range(len(head) - 1, -1, -1):
        depth += (head[i] == ")") - (head[i] == "(")
        if depth == 0:
            match = re.search(r"([A-Za-z_]\w*)\s*$", head[:i])
            return match.group(1) if match else None
    return None


def find(text, name, where):
    function = functions(text).get(name)
    if function is None:
        raise NotFound(f"{where}: no function {name} is defined here")
    return function


def empty(text, name, step, task, where):
    function = find(text, name, where)
    quoted = task.replace("\\", "\\\\").replace('"', '\\"')
    body = f'{{\n    TODO("{step}", "{quoted}");\n}}'
    return text[:function.body] + body + text[function.end:]


def splice(text, name, replacement, where):
    """The text with one function's whole definition replaced."""
    function = find(text, name, where)
    return text[:function.start] + replacement + text[function.end:]
