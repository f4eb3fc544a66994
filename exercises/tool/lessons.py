"""`make lessons [CH=01] [LESSON=2] [PAGE=README.md]` fills in what pages quote; `check` is what `make
test` asks, and writes nothing."""
import os
import subprocess
import traceback
from concurrent.futures import ThreadPoolExecutor

import blocks
import clone
import excerpts
import links
import owners
import rules
import transcripts
from chapter import BUILD, Trouble, names, write
from overlay import plain_environment
from pages import Complaint, Page, all_pages, lessons_of, tracked_files


def built():
    """The programs that transcripts start, and the objects whose symbols are compared."""
    objects = [f"{BUILD}/obj/chapters/{name}/{file[:-2]}.o" for name in names() if lessons_of(name)
               for file in owners.files_of(name) if file.endswith(".c")]
    done = subprocess.run(["make", "programs", *objects], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=plain_environment(), check=False)
    if done.returncode != 0:
        raise Trouble(f"it does not build:\n{done.stdout}")


def has_transcripts(page):
    return any(fence.lang == "console" for fence in page.fences)


def run_transcripts(page, files):
    """Runs a page's console fences; the parts with what was seen (None if it did not come to its end), seconds,
    and the commands that took long."""
    try:
        result = clone.run_page(page.path, page.text, files)
    except Trouble as trouble:
        page.complain(1, str(trouble), mend=False)
        return None, 0, []
    if result["refused"]:
        page.complain(*result["refused"], mend=False)
        return None, result["seconds"], result["slow"]
    parts = transcripts.Run(page, None, None).parts
    for part, seen in zip(parts, result["seen"]):
        for step, rows in zip(part.steps, seen):
            step.seen = rows
    return parts, result["seconds"], result["slow"]


class Result:
    def __init__(self, page):
        self.page, self.seconds, self.slow, self.parts = page, 0.0, [], None


def fill(path, files):
    """Brings a page up to date: excerpts first, they may move the transcripts' lines; blocks last."""
    page = Page(path)
    page = rewritten(page, excerpts.edits(page))
    result = Result(page)
    refused = []
    if has_transcripts(page):
        known = len(page.complaints)
        result.parts, result.seconds, result.slow = run_transcripts(page, files)
        refused = page.complaints[known:]
        page = rewritten(page, transcripts.compare(result.parts or [])[1])
    rewritten(page, blocks.edits(page))
    result.page = look(Page(path), refused)
    return result


def rewritten(page, edits):
    if not edits:
        return page
    text = page.replaced(edits)
    write(page.path, text) if os.path.dirname(page.path) else write("./" + page.path, text)
    return Page(page.path)


def look(page, complaints=()):
    """Everything about a page that needs no run."""
    excerpts.edits(page)
    blocks.edits(page)
    rules.check(page)
    links.check(page)
    page.complaints += complaints
    return page


def check(path, files, run=True):
    """A page's complaints; writes nothing."""
    result = Result(look(Page(path)))
    if run and has_transcripts(result.page):
        result.parts, result.seconds, result.slow = run_transcripts(result.page, files)
        for line, text in transcripts.compare(result.parts or [])[0]:
            result.page.complain(line, text)
    return result


def pages_of(chapter, lesson, page):
    """Paths that CH=, LESSON= and PAGE= pick."""
    if page:
        if page not in all_pages():
            raise Trouble(f"there is no page {page}")
        return [page]
    if not chapter:
        return all_pages()
    known = [name for name in names() if chapter in (name, name[:2])]
    if not known:
        raise Trouble("say which chapter, one of: " + " ".join("CH=" + name[:2] for name in names()))
    if lesson:
        found = [page.path for page in lessons_of(known[0]) if str(page.lesson) == lesson]
        if not found:
            raise Trouble(f"chapter {known[0]} has no lesson {lesson}")
        return found
    return [path for path in all_pages() if path.startswith((f"chapters/{known[0]}/", f"exercises/{known[0]}/"))]


def each(function, paths, **more):
    """In parallel, where pages cannot meet each other's ports."""
    files = tracked_files()
    workers = (os.cpu_count() or 1) if clone.namespaces() else 1

    def one(path):
        try:
            return function(path, files, **more)
        except Exception:  # a page that the tool cannot digest must not hide the others
            result = Result(Page(path))
            result.page.complain(1, "the tool fails on this page:\n" + traceback.format_exc(), mend=False)
            return result

    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(one, paths))


def symbol_complaints(chapters):
    found = []
    for chapter in chapters:
        if lessons_of(chapter):
            try:
                found += owners.check(chapter)
            except Trouble as trouble:
                found.append(Complaint(f"chapters/{chapter}", 1, str(trouble)))
    return found


def main(chapter, lesson, page):
    paths = pages_of(chapter, lesson, page)
    if any(has_transcripts(page) or page.blocks for page in map(Page, paths)):
        built()
    before = {path: Page(path).text for path in paths}
    results = each(fill, paths)
    complaints = []
    for path, result in zip(paths, results):
        changed = Page(path).text != before[path]
        if changed or result.seconds or result.page.lesson:
            took = f"  ({result.seconds:.1f} s)" if result.seconds else ""
            size = ""
            if result.page.lesson:
                size = f"  {result.page.words} words, {blocks.excerpt_lines(result.page)} lines"
            print(f"  {'filled in' if changed else 'as it is '}  {path}{took}{size}")
        complaints += result.page.complaints
    if not lesson and not page:
        complaints += symbol_complaints(sorted({page.chapter for page in map(Page, paths) if page.lesson}))
    for complaint in complaints:
        print(complaint)
    print(f"{len(paths)} pages, {len(complaints)} complaints")
    return 1 if complaints else 0
