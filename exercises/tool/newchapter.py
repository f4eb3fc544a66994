"""`make new-chapter CH=15 NAME=tally`: a chapter to begin from. A header, a module, a node, a suite, an
exercise of two steps with hints, a mutant and an alternate, an overview and two lessons whose sections
wait for their text. It builds and its tests pass; what it is about is replaced bit by bit
(exercises/AUTHORING.md)."""
import os
import re
import shutil
import subprocess

from chapter import Trouble, names, write

TEMPLATES = {
    "chapters/{chapter}/{name}.h": '''/* {name}.h - what the module is for, in a sentence.
 *
 * Numbers are taken in up to a limit, and given out again.
 *
 * Invariants
 *  1. The sum never exceeds the limit.
 *  2. A call that fails changes nothing.
 *
 * Who may call it: the loop. Nothing here suspends. */
#ifndef CAIRN_{NAME}_H
#define CAIRN_{NAME}_H

#include "status.h"

struct {name} {{
    uint64_t limit;
    uint64_t sum;
}};

void {name}_init(struct {name} *{name}, uint64_t limit);

/* Takes `amount` in. BUSY if the limit would be passed. */
enum status {name}_add(struct {name} *{name}, uint64_t amount, struct error *error) MUST_CHECK;

/* Gives `amount` out. NOT_FOUND if there is not as much. */
enum status {name}_take(struct {name} *{name}, uint64_t amount, struct error *error) MUST_CHECK;

#endif
''',
    "chapters/{chapter}/{name}.c": '''/* {name}.c - the sum and its limit. What lives here: the arithmetic. What must not: input, output,
 * clocks. */
#include "{name}.h"

void {name}_init(struct {name} *{name}, uint64_t limit) {{
    *{name} = (struct {name}){{.limit = limit}};
}}

enum status {name}_add(struct {name} *{name}, uint64_t amount, struct error *error) {{
    if (amount > {name}->limit - {name}->sum)
        return error_set(error, STATUS_BUSY, "the limit is %llu",
                         (unsigned long long){name}->limit);
    {name}->sum += amount;
    return STATUS_OK;
}}

enum status {name}_take(struct {name} *{name}, uint64_t amount, struct error *error) {{
    if (amount > {name}->sum)
        return error_set(error, STATUS_NOT_FOUND, "there are %llu",
                         (unsigned long long){name}->sum);
    {name}->sum -= amount;
    return STATUS_OK;
}}
''',
    "chapters/{chapter}/node.c": '''/* node.c - chapter {number}'s node: a number a line is taken in, a negative one given out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "{name}.h"

enum {{ LIMIT = 100 }};

int main(int argc, char **argv) {{
    struct {name} {name};
    struct error error;
    char line[64];
    if (argc > 1) {{
        fputs("usage: node, with numbers on its input\\n", strcmp(argv[1], "--help") ? stderr : stdout);
        return strcmp(argv[1], "--help") ? 2 : 0;
    }}
    {name}_init(&{name}, LIMIT);
    while (fgets(line, sizeof(line), stdin) != NULL) {{
        long long number = strtoll(line, NULL, 10);
        enum status status = number >= 0 ? {name}_add(&{name}, (uint64_t)number, &error)
                                         : {name}_take(&{name}, 0 - (uint64_t)number, &error);
        if (status == STATUS_OK)
            printf("%llu\\n", (unsigned long long){name}.sum);
        else
            printf("%s: %s\\n", status_name(status), error.message);
    }}
    return 0;
}}
''',
    "tests/{chapter}/test_{name}.c": '''/* test_{name}.c - what is taken in and given out, and what is refused. */
#include "{name}.h"

#include "harness.h"

TEST("1", 1, sum_grows_by_what_is_added) {{
    struct {name} {name};
    struct error error;
    {name}_init(&{name}, 10);
    assert_ok({name}_add(&{name}, 4, &error), &error);
    assert_ok({name}_add(&{name}, 6, &error), &error);
    assert_int_equal(10, {name}.sum);
}}

TEST("1", 2, addition_beyond_the_limit_is_refused_and_changes_nothing) {{
    struct {name} {name};
    struct error error;
    {name}_init(&{name}, 10);
    assert_ok({name}_add(&{name}, 4, &error), &error);
    assert_status(STATUS_BUSY, {name}_add(&{name}, 7, &error));
    assert_status(STATUS_BUSY, {name}_add(&{name}, UINT64_MAX, &error));
    assert_int_equal(4, {name}.sum);
}}

TEST("2", 1, what_was_taken_may_be_added_again) {{
    struct {name} {name};
    struct error error;
    {name}_init(&{name}, 10);
    assert_ok({name}_add(&{name}, 10, &error), &error);
    assert_ok({name}_take(&{name}, 3, &error), &error);
    assert_int_equal(7, {name}.sum);
    assert_ok({name}_add(&{name}, 3, &error), &error);
}}

TEST("2", 2, more_than_there_is_cannot_be_taken) {{
    struct {name} {name};
    struct error error;
    {name}_init(&{name}, 10);
    assert_ok({name}_add(&{name}, 2, &error), &error);
    assert_status(STATUS_NOT_FOUND, {name}_take(&{name}, 3, &error));
    assert_int_equal(2, {name}.sum);
    assert_ok({name}_take(&{name}, 2, &error), &error);
    assert_int_equal(0, {name}.sum);
}}
''',
    "exercises/{chapter}/holes": '''# step | file | function | task
1 | {name}.c | {name}_add | refuse what would pass the limit, then add
2 | {name}.c | {name}_take | refuse what is not there, then take
''',
    "exercises/{chapter}/README.md": '''# Exercise: {name}

`make start CH={number}` lays the files with holes in `exercises/{chapter}/src/`. They are yours: nothing overwrites them.
`make grade CH={number}` runs the chapter's tests on them, a line a step.

| step | what you write | read first |
|---|---|---|
| 1 | taking in | `{name}.h`, invariant 1 |
| 2 | giving out | `{name}.h`, invariant 2 |

## Step 1: taking in

<details markdown="1"><summary>Hint 1</summary>

Invariant 1 bounds the sum. Can the sum of two numbers be computed before it is known to fit?

</details>

<details markdown="1"><summary>Hint 2</summary>

Compare the amount with what is left below the limit, which never overflows. Only then change the sum.

</details>

<details markdown="1"><summary>Hint 3</summary>

    left = limit - sum
    amount > left -> BUSY, and nothing has changed
    sum grows by amount

</details>

Questions

1. Why is the check not `sum + amount > limit`?

<details markdown="1"><summary>Answer</summary>

The sum may overflow, and a huge amount would look small.

</details>

## Step 2: giving out

<details markdown="1"><summary>Hint 1</summary>

Invariant 2: a call that fails changes nothing. What does it have to know before it changes anything?

</details>

<details markdown="1"><summary>Hint 2</summary>

Compare the amount with the sum first. A sum without a sign that falls below zero becomes huge.

</details>

<details markdown="1"><summary>Hint 3</summary>

    amount > sum -> NOT_FOUND
    sum shrinks by amount

</details>
''',
    "exercises/{chapter}/mutants/01-limit-not-checked.patch": '''Takes in whatever comes.
Lost: the limit, and with it the memory that it guards.

--- a/chapters/{chapter}/{name}.c
+++ b/chapters/{chapter}/{name}.c
@@ -9,2 +9,2 @@
 enum status {name}_add(struct {name} *{name}, uint64_t amount, struct error *error) {{
-    if (amount > {name}->limit - {name}->sum)
+    if (amount > {name}->limit - {name}->sum && {name}->limit == 0)
''',
    "exercises/{chapter}/alternates/01-compares-the-other-way-round.patch": '''Asks whether the rest is smaller, instead of whether the amount is larger.
Right: the two say the same.

--- a/chapters/{chapter}/{name}.c
+++ b/chapters/{chapter}/{name}.c
@@ -9,2 +9,2 @@
 enum status {name}_add(struct {name} *{name}, uint64_t amount, struct error *error) {{
-    if (amount > {name}->limit - {name}->sum)
+    if ({name}->limit - {name}->sum < amount)
''',
    "chapters/{chapter}/README.md": '''# {number} {name}

What this layer adds to those below, in a paragraph.

<!-- table: lessons -->
<!-- end -->

## The files

<!-- table: files -->
<!-- end -->

## The node

`make node CH={number}` reads numbers, a line each.

<!-- table: flags -->
<!-- end -->
''',
}

DIAGRAM = '''digraph "What comes in below the limit goes out again" {{
    rankdir=LR
    in [label="add"]
    sum [label="sum, at most the limit"]
    out [label="take"]
    in -> sum -> out
}}
'''

LESSON = '''# {step}. {title}

## The problem

What goes wrong without this lesson, shown on the node of the one before.

```console
$ echo 5 | build/{chapter}/node
5
```

## What you will be able to do

<!-- table: time -->
<!-- end -->

## The idea

![Numbers come in below a limit and go out again](../../diagrams/{name}.svg)

**Invariants**

1. The sum never exceeds the limit.
2. A call that fails changes nothing.

## Predict before you run

1. What does the node answer to a number beyond its limit?

## The contract

<!-- code: {name}.h:{function} -->

<!-- table: holes -->
<!-- end -->

## Your turn

`make start CH={number}` lays the files, `make grade CH={number}` says how far you are.

<!-- table: tests -->
<!-- end -->

## Try it

```console
$ printf '60\\n60\\n-61\\n' | build/{chapter}/node
60
BUSY: the limit is 100
NOT_FOUND: there are 60
```

### Break it

A fault to inject, and what to look for.

## One way to write it

<details markdown="1"><summary>{function}</summary>

<!-- code: {name}.c:{function} -->

Why it is so.

</details>

## What real systems do

Paper or system, with the section; what is left out here.

## Questions

1. Why does the check come first?

<details markdown="1"><summary>Answer</summary>

A call that fails changes nothing.

</details>
'''


def create(number, name):
    if not re.fullmatch(r"[0-9][0-9]", number or "") or not re.fullmatch(r"[a-z][a-z0-9]*", name or ""):
        raise Trouble("say its number and its name: make new-chapter CH=15 NAME=tally")
    taken = [chapter for chapter in names() if chapter[:2] == number]
    if taken:
        raise Trouble(f"chapter {number} is there: chapters/{taken[0]}")
    if any(os.path.exists(f"{folder}/{name}.h") for folder in ["lib", "final", *(f"chapters/{c}" for c in names())]):
        raise Trouble(f"there is a header {name}.h, and the names of headers are unique: take another name")
    words = {"chapter": f"{number}-{name}", "number": number, "name": name, "NAME": name.upper()}
    files = {path.format(**words): text.format(**words) for path, text in TEMPLATES.items()}
    for step, title, function in ((1, "Taking in", "add"), (2, "Giving out", "take")):
        files[f"chapters/{number}-{name}/{step}-{title.lower().replace(' ', '-')}.md"] = \
            LESSON.format(step=step, title=title, function=f"{name}_{function}", **words)
    files[f"diagrams/{name}.dot"] = DIAGRAM.format()
    for path, text in sorted(files.items()):
        write(path, text)
        print(f"  {path}")
    if shutil.which("clang-format"):
        subprocess.run(["clang-format", "-i", *(path for path in files if path.endswith((".c", ".h")))], check=True)
    print(f"\nIt builds (make), its tests pass (make test CH={number}), its node runs (make node CH={number}).\n"
          f"make diagrams ONLY={name} and make lessons CH={number} fill in what is drawn and quoted.\n"
          "What each file is for, and the checks that it has to pass: exercises/AUTHORING.md")
