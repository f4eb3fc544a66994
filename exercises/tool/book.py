"""`make site`: the lessons, exercises and diagrams as a book, built by mkdocs and served on this machine.

    python3 exercises/tool/book.py [--port=8000] [--no-serve] [--assemble=DIR]

build/site-src is assembled from the tree (book_page.py), build/site is what mkdocs makes of it. Whether the
book holds together is looked at afterwards (book_check.py): links, anchors, and nothing fetched from elsewhere.
"""
import functools
import glob
import http.server
import json
import os
import re
import shutil
import subprocess
import sys

import book_check
import book_page

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
LANGUAGES = {".c": "c", ".h": "c", ".proto": "protobuf", ".py": "python", ".patch": "diff", ".dot": "dot", ".sh": "sh",
             "Makefile": "make"}

CONFIG = """\
site_name: Cairn
site_description: A course in C, and the distributed SQL database that it builds
docs_dir: {docs}
site_dir: {site}
use_directory_urls: false
strict: false
theme:
  name: material
  font: false
  language: en
  icon: {{logo: material/layers-triple}}
  features: [navigation.indexes, navigation.top, navigation.tracking, search.highlight, search.suggest, toc.follow]
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
      primary: blue grey
      accent: indigo
      toggle: {{icon: material/weather-night, name: Switch to the dark theme}}
    - media: "(prefers-color-scheme: dark)"
      scheme: slate
      primary: blue grey
      accent: indigo
      toggle: {{icon: material/weather-sunny, name: Switch to the light theme}}
plugins: [search]
extra_css: [assets/book.css]
markdown_extensions:
  - attr_list
  - md_in_html
  - tables
  - sane_lists
  - toc:
      permalink: true
      slugify: !!python/object/apply:pymdownx.slugs.slugify {{kwds: {{case: lower}}}}
  - pymdownx.highlight: {{anchor_linenums: false}}
  - pymdownx.superfences
  - pymdownx.tilde
nav: {nav}
"""

STYLE = """\
/* Contrast: the names of pages in the dark theme, headings, and what programs answer, which is why one reads on. */
[data-md-color-scheme="default"] { --md-typeset-a-color: #0b5cad; }
[data-md-color-scheme="slate"] { --md-typeset-a-color: #79b8ff; --md-code-hl-comment-color: #a9b3bf; }
.md-typeset h1 { color: inherit; }
/* Transcripts: what a person types stands out, and is copied without its prompt. */
.transcript b { color: var(--md-code-fg-color); }
.transcript .prompt { opacity: .65; user-select: none; }
.transcript .md-clipboard { display: none; }
.md-typeset .highlight span.filename { font-size: .62rem; padding: .3rem .8rem; margin-top: 0; }
/* Where there is room for a terminal, a line that is longer wraps as it does there. */
@media (min-width: 76.25em) { .transcript pre > code { white-space: pre-wrap; overflow-wrap: anywhere; } }
.crumb { font-size: .7rem; color: var(--md-default-fg-color--light); }
/* Room for transcripts and sources, which are 100 columns wide. */
.md-grid { max-width: 76rem; }
.md-typeset code, .md-typeset pre { font-size: .8em; }
.md-typeset pre > code { font-size: 1em; line-height: 1.45; }
/* A table is as wide as it must be, scrolls when the page is narrower, and breaks no word of code. */
.md-typeset table:not([class]) { font-size: .72rem; }
.md-typeset table:not([class]) th, .md-typeset table:not([class]) td { padding: .5em .8em; }
.md-typeset table:not([class]) th { min-width: 3rem; }
.md-typeset table:not([class]) td:nth-child(n+3) { min-width: 7rem; }
.md-typeset table:not([class]) td:last-child:nth-child(-n+4) { min-width: 7rem; }
.md-typeset a > code { color: inherit; }
.md-typeset table:not([class]) code { word-break: normal; overflow-wrap: normal; }
/* A diagram has a form for each theme; on a narrow page it scrolls rather than shrink beyond reading. */
.diagram { overflow-x: auto; margin: 1em 0; text-align: center; }
.diagram img { max-width: 100%; height: auto; border-radius: .2rem; }
[data-md-color-scheme="slate"] .diagram .light:not(:only-child) { display: none; }
[data-md-color-scheme="default"] .diagram .dark { display: none; }
/* A chart without a dark form keeps its light background. */
[data-md-color-scheme="slate"] .diagram .light:only-child { background: #fff; padding: .4rem; }
/* Folds hold text like any other, not remarks. */
.md-typeset details:not([class]) { font-size: .8rem; }
[dir] .md-typeset details:not([class]) > summary { padding-left: .6rem; }
.md-typeset details > summary::before { display: none; }
.md-typeset details > :last-child { margin-bottom: .6rem; }
"""


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def title_of(path):
    """The page's first heading, without its marks."""
    for line in read(path).splitlines():
        if line.startswith("# "):
            return re.sub(r"[`*]", "", line[2:]).strip()
    return os.path.basename(path)


def written_pages():
    """What people read, from the root; neither what tests are made of nor what a learner keeps."""
    found = []
    for pattern in ("*.md", "chapters/*/*.md", "exercises/*.md", "exercises/*/*.md", "final/*.md", "final/*/*.md", "tests/*.md",
                    "lib/*.md", "diagrams/*.md"):
        found += [os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, pattern))]
    return sorted(found)


class Book:
    def __init__(self, docs):
        self.docs = docs
        self.pages = written_pages()
        self.made = {}  # page made for a source file or a folder: its text
        self.broken = []  # (page, link)
        self.sources = {}  # name: the files of that name
        for pattern in ("lib/*", "chapters/*/*", "final/*"):
            for path in glob.glob(os.path.join(ROOT, pattern)):
                if path.endswith((".c", ".h", ".proto")):
                    self.sources.setdefault(os.path.basename(path), []).append(os.path.relpath(path, ROOT))

    def write(self, path, text):
        full = os.path.join(self.docs, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    # ---- where links lead --------------------------------------------------------------------------

    def page_for(self, goal, page):
        """What stands in the book for a file or folder of the tree; None: there is no such thing."""
        full = os.path.join(ROOT, goal)
        if goal in self.pages or goal.endswith(".svg") and os.path.exists(full):
            return goal
        if goal.startswith("..") or not os.path.exists(full):
            self.broken.append((page, goal))
            return None
        if os.path.isdir(full):
            readme = os.path.normpath(os.path.join(goal, "README.md"))
            return readme if readme in self.pages else self.folder_page(goal)
        return self.source_page(goal)

    def source_page(self, path):
        name = path + ".md"
        if name not in self.made:
            base = os.path.basename(path)
            language = LANGUAGES.get(os.path.splitext(path)[1]) or LANGUAGES.get(base, "text")
            self.made[name] = f"# {path}\n\n~~~~~~{language}\n{read(path).rstrip()}\n~~~~~~\n"
        return name

    def source_named(self, name, folder):
        """The page of the file of that name: the folder's own, or else the only one there is. None: there is none."""
        found = self.sources.get(name, [])
        found = [path for path in found if os.path.dirname(path) == folder] or found
        return self.source_page(found[0]) if len(found) == 1 else None

    def folder_page(self, path):
        name = os.path.join(path, "README.md")
        if name not in self.made:
            self.made[name] = None  # a file in it may link back
            links = []
            for file in sorted(os.listdir(os.path.join(ROOT, path))):
                if os.path.isfile(os.path.join(ROOT, path, file)) and not file.startswith("."):
                    goal = self.page_for(os.path.join(path, file), name)
                    links.append(f"- [{file}]({os.path.relpath(goal, path)})")
            self.made[name] = f"# {path}\n\n" + "\n".join(links) + "\n"
        return name

    def variants(self, path):
        """Names of the picture's two forms, and its width in pixels."""
        if not os.path.exists(os.path.join(ROOT, path)):
            return os.path.basename(path), None, 0
        light, dark, width = book_page.svg_variants(read(path))
        if dark is None:
            return os.path.basename(path), None, width
        stem = path[:-len(".svg")]
        self.write(stem + ".light.svg", light)
        self.write(stem + ".dark.svg", dark)
        return os.path.basename(stem) + ".light.svg", os.path.basename(stem) + ".dark.svg", width

    # ---- the order of pages --------------------------------------------------------------------------

    def chapters(self):
        return sorted({page.split("/")[1] for page in self.pages if re.match(r"(chapters|exercises)/\d\d-", page)})

    def chapter(self, name):
        """Overview, lessons in their order, exercise."""
        folder = f"chapters/{name}/"
        lessons = sorted((page for page in self.pages if re.fullmatch(re.escape(folder) + r"\d+-[^/]+\.md", page)),
                         key=lambda page: int(page[len(folder):].split("-")[0]))
        entries = [folder + "README.md"] if folder + "README.md" in self.pages else []
        entries += [{title_of(page): page} for page in lessons]
        exercise = f"exercises/{name}/README.md"
        entries += [{"Exercise": exercise}] if exercise in self.pages else []
        title = title_of(entries[0]).partition(":")[0] if entries and isinstance(entries[0], str) else name
        return {title: entries}

    def with_place(self, page, text):
        """A lesson says under its heading where in the course it stands: search finds pages without their menu."""
        parts = page.split("/")
        if parts[0] != "chapters" or not re.match(r"\d+-", parts[-1]):
            return text
        chapter, entries = self.chapter(parts[1]).popitem()
        numbers = [int(os.path.basename(name).split("-")[0]) for entry in entries if isinstance(entry, dict)
                   for name in entry.values() if name.startswith("chapters/")]
        heading, _, rest = text.partition("\n")
        return (f'{heading}\n\n<p class="crumb">Chapter <a href="index.html">{chapter}</a>, '
                f"lesson {parts[-1].split('-')[0]} of {max(numbers)}</p>\n\n{rest}")

    def navigation(self):
        nav = [{"Start here": "README.md"}, *(self.chapter(name) for name in self.chapters())]
        listed = json.dumps(nav)
        rest = [page for page in self.pages if json.dumps(page) not in listed]
        final = [page for page in rest if page.startswith("final/")]
        if final:
            nav.append({"final": [{title_of(page): page} for page in final]})
        nav.append({"Pictures": "diagrams/README.md"})
        nav.append({"Behind the course": [{title_of(page): page} for page in rest if page not in final]})
        return nav

    # ---- assembling ----------------------------------------------------------------------------------

    def gallery(self):
        """All diagrams on a page."""
        lines = ["# Pictures", "", "`make diagrams` draws them: from Graphviz sources, from the code, from a store.", ""]
        for name in sorted(os.listdir(os.path.join(ROOT, "diagrams"))):
            if name.endswith(".svg"):
                found = re.search(r"<title>(.*?)</title>", read(f"diagrams/{name}"), re.S)
                title = found.group(1) if found else name
                lines += [f"## {title}", "", f"![{title}]({name})", ""]
        return "\n".join(lines)

    def assemble(self):
        shutil.rmtree(self.docs, ignore_errors=True)
        for page in self.pages:
            self.write(page, book_page.Page(self, page).convert(self.with_place(page, read(page))))
        self.write("diagrams/README.md", book_page.Page(self, "diagrams/README.md").convert(self.gallery()))
        for page, text in self.made.items():
            self.write(page, text)
        for name in os.listdir(os.path.join(ROOT, "diagrams")):
            if name.endswith(".svg"):
                self.write(f"diagrams/{name}", read(f"diagrams/{name}"))
        self.write("assets/book.css", STYLE)


def mkdocs():
    """The program of the system's packages, which run with the system's Python."""
    for place in ("/usr/bin/mkdocs", shutil.which("mkdocs")):
        if place and os.path.exists(place):
            return place
    return None


def build(docs, site, book):
    """Calls mkdocs; returns what it warned of."""
    config = os.path.join(os.path.dirname(docs), "mkdocs.yml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(CONFIG.format(docs=json.dumps(docs), site=json.dumps(site), nav=json.dumps(book.navigation())))
    result = subprocess.run([mkdocs(), "build", "--clean", "-f", config], text=True, capture_output=True)
    if result.returncode != 0:
        sys.exit(f"make site: mkdocs ended with {result.returncode}\n{result.stdout}{result.stderr}")
    mend_search(site, book)
    said = re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)
    ours = "not found in the documentation files"  # said by book_check, too
    return [line for line in said.splitlines() if ("WARNING" in line or "ERROR" in line) and ours not in line]


def mend_search(site, book):
    """Every chapter has a lesson 1: what search finds says of which chapter. Sources and the
    list of pictures are not searched: they would stand above the text that explains them."""
    path = os.path.join(site, "search", "search_index.json")
    with open(path, encoding="utf-8") as file:
        index = json.load(file)
    made = {page[:-len(".md")] + ".html" for page in book.made} | {"diagrams/index.html"}
    index["docs"] = [entry for entry in index["docs"] if entry["location"].partition("#")[0] not in made]
    headings = {}  # of lessons: the page's heading, which is a section of its own, too
    for entry in index["docs"]:
        lesson = re.fullmatch(r"(chapters/(\d\d)-([^/]+)/\d+-[^/#]+)(#.*)?", entry["location"])
        if lesson and headings.setdefault(lesson.group(1), entry["title"]) == entry["title"]:
            entry["title"] = f"{lesson.group(2)} {lesson.group(3)}: {entry['title']}"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(index, file)


def serve(site, port):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site)
    handler.func.log_message = lambda *_: None
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as problem:
        sys.exit(f"make site: cannot listen on port {port} ({problem.strerror}); another one: make site PORT=8080")
    print(f"The book: http://127.0.0.1:{port}/   (ctrl-c ends it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


def main():
    port, serves = 8000, True
    for argument in sys.argv[1:]:
        if argument.startswith("--port="):
            port = int(argument[len("--port="):])
        elif argument == "--no-serve":
            serves = False
        else:
            sys.exit(__doc__)
    docs, site = os.path.join(BUILD, "site-src"), os.path.join(BUILD, "site")
    book = Book(docs)
    book.assemble()
    complaints = [f"{page}: there is no {goal}" for page, goal in book.broken]
    complaints += build(docs, site, book) + book_check.problems(site)
    print("\n".join(complaints))
    print(f"make site: {len(book.pages)} pages in build/site, {len(complaints)} complaint{'s' * (len(complaints) != 1)}")
    if serves:
        serve(site, port)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
