#!/usr/bin/env python3
"""Prints lsm-tree.dot: an LSM tree as chapter 02's node leaves it after some 200 writes in no order.

The write buffer is small, so that a few writes make what a few gigabytes make elsewhere.
"""
import itertools
import store

WRITES, BETWEEN_FLUSHES, VALUE_BYTES = 210, 20, 600


def commands():
    keys = store.numbers(seed=4, below=1000)
    for count, key in enumerate(itertools.islice(keys, WRITES), start=1):
        yield f"put k{key:03} {'v' * VALUE_BYTES}"
        if count % BETWEEN_FLUSHES == 0:
            yield "flush"


store.draw(["--engine=lsm", "--write-buffer=16384"], commands(), "gen_lsm-tree.py")
