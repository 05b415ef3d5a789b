"""The lines of the table that are about lists of segments, on SQLite: pages that are asked again while nothing changes, which come from memory, and
pages that were not asked before, which do not. Each is compared with its like: orders and filters with the first page, asked the same way."""
import http.client
import itertools
import json
import re
import time

from http_lines import JSON
from servers import drive, middle, ratios, side_by_side, spread

FIRST = "/api/segments?limit=100"
# A page of a hundred takes some 60 kB: asked in turn, each of so many is gone from the 16 MB for answers before its turn comes again.
MANY = 900


def list_lines(table, library, peers):
    count = library.count(0)
    again = library.requests("again.jsonl", [(0, FIRST)])
    others = library.requests("others.jsonl", [(0, path) for path in pages_from(FIRST)])
    etag = etag_of(library, FIRST)
    unchanged = library.requests("unchanged.jsonl", [(0, FIRST)], headers={"If-None-Match": etag})
    drive(library.server, others, seconds=1)
    for what, requests in ((f"GET {FIRST}, a user with {count:,}; asked again while nothing changed", again),
                           (f"the same, each page not asked before (offset 0 to {MANY})", others)):
        for name, peer in peers.items():
            before = from_memory(library)
            told = side_by_side({"ours": (library.server, requests), name: (peer, requests)}, rounds=3, seconds=3, connections=16)
            share = (from_memory(library) - before) / sum(one["sent"] for one in told["ours"])
            table.row(what, f"{cost(told, 'ours')}, {share:.0%} from memory", f"{name} {cost(told, name)}", spread(ratios(told, name, "ours")) + " × less", "25 × less")
    told = side_by_side({"ours": (library.server, unchanged)}, rounds=3, seconds=1, connections=16)
    table.row("the same, asked by who has it (If-None-Match, 304)", cost(told, "ours"), "", "", "")
    for what, paths in (("another order or page", [*orders(library, count)]), ("a filter", [*filters()])):
        dearest(table, f"{what}, asked again", library, again, {path: [path] for path in paths})
        dearest(table, f"{what}, not asked before", library, others, {path: [*pages_like(library, path)] for path in paths})
    took = {path: first_asked(library, path) for path in filters()}
    path = max(took, key=took.get)
    table.row(f"a filter, asked first since a change: the slowest of {len(took)}", f"{took[path] * 1000:.1f} ms", path, "", "10 ms")


def dearest(table, what, library, first, requests):
    """The CPU of each of `requests` (by name: the paths asked in turn) over that of `first`, and which is the highest."""
    slowest = {}
    for name, paths in requests.items():
        library.server.fetch(paths[0], library.headers(0))
        library.wait_quiet()
        asked = library.requests("asked.jsonl", [(0, path) for path in paths])
        told = side_by_side({"first": (library.server, first), "other": (library.server, asked)}, rounds=3, seconds=1, connections=16)
        slowest[name] = middle(ratios(told, "other", "first"))
    name = max(slowest, key=slowest.get)
    table.row(f"{what}: the dearest of {len(slowest)}", f"{slowest[name]:.2f} × the first page, asked the same way", name, "", "2 ×")


def pages_from(path):
    """Pages of the same list, each with rows that the next one has not all."""
    return (f"{path}&offset={offset}" for offset in range(MANY))


def pages_like(library, path):
    """Further pages of the same list from that one on; a filter may leave fewer rows than these ask for, and then less is answered."""
    if "cursor=" in path:
        for _ in range(MANY // 3):
            yield path
            page = json.loads(library.server.fetch(path, library.headers(0)))
            path = re.sub("cursor=.*", f"cursor={page['next_cursor']}", path)
    elif found := re.search(r"&offset=(\d+)", path):
        yield from (path.replace(found[0], f"&offset={int(found[1]) + further}") for further in range(MANY))
    else:
        yield from pages_from(path)


def orders(library, count):
    for by, way in itertools.product(("created_at", "duration", "file_size", "name", "title", "filename", "download_count", "segment_number"), ("asc", "desc")):
        yield f"{FIRST}&sort_by={by}&order={way}"
    yield f"{FIRST}&offset={count // 2}"
    page = json.loads(library.server.fetch(f"{FIRST}&sort_by=duration&offset={count // 2}", library.headers(0)))
    yield f"{FIRST}&sort_by=duration&cursor={page['next_cursor']}"


def filters():
    for text in ("min_duration=59", "max_duration=30&min_duration=20", "min_downloads=1", "tags=walk", "tags=walk,morning", "has_social_media=true", "platform=tiktok",
                 "search=clip%2012", "search=nothing%20in", "segment_type=processed", "created_after=2026-01-01T00:00:00Z"):
        yield f"{FIRST}&{text}"


def first_asked(library, path, times=5):
    """Seconds until the answer, each time after a change of one of the user's segments; the median."""
    took = []
    one = json.loads(library.server.fetch("/api/segments?limit=1", library.headers(0)))["segments"][0]["segment_id"]
    for number in range(times):
        library.server.fetch(f"/api/segments/{one}", {**library.headers(0), **JSON}, "PUT", json.dumps({"title": f"Changed {number}"}))
        began = time.monotonic()
        library.server.fetch(path, library.headers(0))
        took.append(time.monotonic() - began)
    return middle(took)


def etag_of(library, path):
    connection = http.client.HTTPConnection("127.0.0.1", library.server.port, timeout=120)
    connection.request("GET", path, headers=library.headers(0))
    tag = connection.getresponse().headers["ETag"]
    connection.close()
    return tag


def from_memory(library):
    """How many lists the server has answered from memory."""
    figures = library.server.fetch("/metrics").decode()
    return int(re.search(r'segments_list_answers_total\{from="memory"\} (\d+)', figures)[1])


def cost(told, name):
    return f"{middle([one['rate'] for one in told[name]]):,.0f}/s, {spread([one['cpu'] for one in told[name]])} µs"
