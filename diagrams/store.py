"""A store filled by chapter 02's node from a fixed list of commands, and the picture that the node draws of it."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NODE = os.path.join(ROOT, os.environ.get("BUILD", "build"), "02-engines", "node")


def numbers(seed, below):
    """Endless pseudo-random numbers, the same everywhere (Knuth's MMIX multiplier)."""
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (seed >> 33) % below


def call(arguments, text=""):
    result = subprocess.run([NODE, *arguments], input=text, text=True, capture_output=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(arguments)}: ended with {result.returncode}\n{result.stderr}")
    return result.stdout


def draw(arguments, commands, generator):
    """Runs the commands at the node's prompt, and prints what `node --dot` says of the store afterwards."""
    if not os.path.exists(NODE):
        sys.exit(f"{NODE} is missing: make diagrams builds it")
    with tempfile.TemporaryDirectory() as directory:
        flags = [*arguments, f"--data={directory}/store"]
        answers = call(flags, "".join(command + "\n" for command in commands))
        refused = [line for line in answers.splitlines() if re.match(r"[A-Z_]+: ", line)]
        if refused:
            sys.exit("\n".join(refused))
        print(f"// Drawn by diagrams/{generator} from a store of chapter 02's node; do not edit.")
        print(call([*flags, "--dot"]), end="")
