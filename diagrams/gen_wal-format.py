#!/usr/bin/env python3
"""Prints wal-format.dot: what a segment of the log holds, byte by byte, as wal_format.c writes it.

Sizes come from the enums of wal_format.h and wal.h, fields from the functions that store them: a call such as
store_u64le(out + 16, header->base) is a field of 8 bytes at offset 16, named base. Fields that leave a gap, overlap,
or do not fill their header end the program.
"""
import os
import re
import sys

WAL = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "chapters", "01-wal")


def read(name):
    with open(os.path.join(WAL, name), encoding="utf-8") as file:
        return re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)


def constants():
    """Of the enums in the two headers: {name: value}"""
    found = {}
    for header in ("wal_format.h", "wal.h"):
        for name, value in re.findall(r"\b([A-Z][A-Z0-9_]+) = ([^,}]+)", read(header)):
            if not re.fullmatch(r"[\d\s*+()-]+", value):
                sys.exit(f"{header}: cannot work out {name} = {value}")
            found[name] = eval(value)  # digits and operators only, as was just checked
    return found


def body_of(function):
    match = re.search(rf"\b{function}\([^)]*\) {{\n(.*?)\n}}", read("wal_format.c"), re.S)
    if not match:
        sys.exit(f"wal_format.c has no function {function}")
    return match.group(1)


def name_of(value):
    """header->body_bytes: body bytes. checksum64(slice_of(out, 40), 0): checksum. (uint32_t)payload_bytes: payload bytes"""
    value = re.sub(r"^\(\w+\)", "", value.strip())
    if value == "0":
        return "zero"
    word = value.split("(")[0].split("->")[-1].lower()
    if "checksum" in word:
        return "checksum"
    return word.removeprefix("format_").replace("_", " ")


def fields(function, target, size):
    """[(offset, bytes, name)] of what the function stores in the header, in order."""
    text, found = body_of(function), []
    for bits, place, offset, value in re.findall(r"store_u(\d+)le\((\w+)(?: \+ (\d+))?,\s*(.*?)\);", text, re.S):
        if place == target:
            found.append((int(offset or 0), int(bits) // 8, name_of(value)))
    for offset, name in re.findall(rf"\b{target}\[(\d+)\] = (\w+);", text):
        found.append((int(offset), 1, name_of(name)))
    if f"memcpy({target}, MAGIC" in text:
        found.append((0, 8, "“CAIRNWAL”"))
    found.sort()
    end = 0
    for offset, count, name in found:
        if offset != end:
            sys.exit(f"{function}: field {name} is at {offset}, the one before it ends at {end}")
        end = offset + count
    if end != size:
        sys.exit(f"{function}: the fields end at {end}, the header at {size}")
    return found


def cell(top, bottom, colour, port=""):
    port = f' PORT="{port}"' if port else ""
    return f'<TD{port} BGCOLOR="{colour}">{top}<BR/><FONT POINT-SIZE="9">{bottom}</FONT></TD>'


def field_cells(some):
    return [cell(name, f"at {offset}, {count} B", "white") for offset, count, name in some]


def table(node, title, cells):
    print(f'    {node} [shape=plain, style="", label=<<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="5" '
          f'COLOR="slategray">\n        <TR><TD BORDER="0" ALIGN="LEFT" COLSPAN="{len(cells)}">{title}</TD></TR>\n        <TR>'
          + "\n        ".join(cells) + "</TR></TABLE>>]")


def main():
    size = constants()
    header, data = size["WAL_SEGMENT_HEADER_BYTES"], size["WAL_SEGMENT_DATA_OFFSET"]
    batch, record = size["WAL_BATCH_HEADER_BYTES"], size["WAL_RECORD_HEADER_BYTES"]
    print("// Drawn by diagrams/gen_wal-format.py from wal_format.h, wal_format.c and wal.h; do not edit.")
    print('digraph "A segment of the log, byte by byte" {\n    ranksep=0.25')
    table("segment", f"<B>segment</B>: a file, {size['WAL_SEGMENT_BYTES_DEFAULT'] // 1024**2} MiB unless told otherwise", [
        cell("header", f"{header} B", "lightblue", "header"), cell("zeros", f"up to {data}", "lightgray"),
        cell("batch", f"at {data}", "palegreen", "batch"), cell("batch", "behind it", "palegreen"),
        cell("...", "&#160;", "white"), cell("zeros", "room for more", "lightgray")])
    table("header", f"<B>segment header</B>: {header} bytes, never rewritten",
          field_cells(fields("wal_segment_header_encode", "out", header)))
    table("batch", f"<B>batch</B>: what one sync makes durable; a multiple of {size['WAL_BATCH_ALIGNMENT']} bytes",
          [*field_cells(fields("wal_batch_seal", "batch", batch)), cell("record", f"at {batch}", "lightyellow", "record"),
           cell("record", "...", "lightyellow"), cell("padding", f"0 to {size['WAL_BATCH_ALIGNMENT'] - 1} B", "lightgray")])
    table("record", f"<B>record</B>: what one append wrote; at most {size['WAL_PAYLOAD_MAX'] // 1024**2} MiB of payload",
          [*field_cells(fields("wal_record_seal", "at", record)), cell("payload", f"at {record}", "lightyellow")])
    print("    segment:header:s -> header:n [style=dashed]\n    segment:batch:s -> batch:n [style=dashed]\n"
          "    header -> batch [style=invis]\n    batch:record:s -> record:n [style=dashed]\n}")


main()
