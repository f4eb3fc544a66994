#!/usr/bin/env python3
"""Prints btree.dot: a B+tree as chapter 02's node leaves it: splits, a long value, deletions, and two
writes that no flush has seen yet.
"""
import store

STONES = ("agate alabaster amber andesite basalt beryl chalk chert diorite dolomite flint garnet gneiss granite "
          "gypsum limestone marble obsidian opal quartz slate tuff").split()


def commands():
    order = sorted(STONES, key=lambda stone: stone[::-1])
    for stone in order:
        yield f"put {stone} {'v' * (500 + 20 * len(stone))}"
    yield f"put marble {'v' * 9000}"
    yield "flush"
    for stone in ("amber", "gneiss", "opal", "tuff"):
        yield f"delete {stone}"
    yield "flush"
    yield f"put coal {'v' * 600}"


store.draw(["--engine=btree"], commands(), "gen_btree.py")
