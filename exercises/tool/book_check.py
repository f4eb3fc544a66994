"""Does the built book hold together? Every link leads to a page and an anchor that are there, and nothing is
fetched from another machine: the book reads the same on a train."""
import os
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src",
           "embed": "src", "object": "data"}
FETCHING_LINKS = {"stylesheet", "preload", "preconnect", "prefetch", "dns-prefetch", "icon", "modulepreload"}


class Contents(HTMLParser):
    """What a page fetches, where it links, and which anchors it has."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.links, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if values.get("id"):
            self.anchors.add(values["id"])
        if tag in FETCHED and values.get(FETCHED[tag]):
            self.fetched.append(values[FETCHED[tag]])
        if tag == "link" and FETCHING_LINKS & set((values.get("rel") or "").split()):
            self.fetched.append(values.get("href") or "")
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


def is_elsewhere(address):
    return bool(re.match(r"(https?:)?//", address))


def files_of(site, *endings):
    for folder, _, names in sorted(os.walk(site)):
        for name in sorted(names):
            if name.endswith(endings):
                yield os.path.join(folder, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def of_page(site, path, contents):
    name = os.path.relpath(path, site)
    for address in contents[path].fetched:
        if is_elsewhere(address):
            yield f"{name} fetches {address}"
    for address in contents[path].fetched + contents[path].links:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or address.startswith("data:") or name == "404.html":
            continue
        goal = os.path.normpath(os.path.join(os.path.dirname(path), unquote(parts.path))) if parts.path else path
        if os.path.isdir(goal):
            goal = os.path.join(goal, "index.html")
        if not os.path.exists(goal):
            yield f"{name} links to {address}, which is not there"
        elif parts.fragment and goal in contents and unquote(parts.fragment) not in contents[goal].anchors:
            yield f"{name} links to {address}, which has no such anchor"


def problems(site):
    contents = {path: Contents(read(path)) for path in files_of(site, ".html")}
    found = [problem for path in contents for problem in of_page(site, path, contents)]
    for path in files_of(site, ".css"):
        for address in re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')]+)", read(path)):
            if is_elsewhere(address):
                found.append(f"{os.path.relpath(path, site)} fetches {address}")
    if not os.path.exists(os.path.join(site, "search", "search_index.json")):
        found.append("there is no search index")
    return list(dict.fromkeys(found))
