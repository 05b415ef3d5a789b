"""What a request costs as the library of all users, or the number of connections, grows tenfold and again."""
import math
import resource

from http_lines import JSON, links
from library import Library
from servers import Ours, drive, middle

SMALLEST, SECONDS = 10_000, 2
CONNECTIONS = (64, 640, 6_400)


def exponent(sizes, costs):
    """Of the power of the size that the costs follow: the slope of the line through their logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def add_rows(table, costs, sizes, of):
    for name, found in costs.items():
        steps = ", ".join(f"{cost:.1f} µs at {size:,}" for cost, size in zip(found, sizes))
        table.row(f"growth of {name} with {of}", steps, "", f"exponent {exponent(sizes, found):.3f}", "0.05")


def requests_of(library, ids):
    """What is asked, as files, or what makes one for each run; creations are made anew at each size."""
    def each(name, path, *more, **how):
        return library.requests(f"{name}.jsonl", [(user, path.format(id)) for user, id in ids], *more, **how)
    return {
        "get": each("gets", "/api/segments/{}"),
        "list": library.requests("lists.jsonl", [(user, f"/api/segments?limit=20&offset={offset}") for offset in range(500) for user in range(10)]),
        "update": each("updates", "/api/segments/{}", "PUT", headers=JSON, body='{"title":"Now {n}"}'),
        "download": each("downloads", "/api/segments/{}/download"),
        "link": lambda: links(library, ids),
    }


def growth_with_segments(table, server, library, largest):
    """The same server as it grows. All users have as much of it, but the first."""
    sizes = [largest]
    while sizes[0] > SMALLEST:
        sizes.insert(0, sizes[0] // 10)
    made, costs = [], {}
    for size in sizes:
        library.fill(size)
        library.wait_quiet()
        made.append(library.made)
        disk = sum(file.stat().st_size for file in (library.folder / "data").glob("segments.db*"))
        runs = {name: (file, SECONDS) for name, file in requests_of(library, library.some_ids(10_000)).items()}
        # So short that the library does not grow by much meanwhile.
        runs["create"] = (library.creations(list(range(1, 10)), 20_000), min(SECONDS, max(0.3, size / 200_000)))
        for name, (file, seconds) in runs.items():
            costs.setdefault(name, []).append(middle([drive(server, file, seconds=seconds, warm=0)["cpu"] for _ in range(3)]))
            library.wait_quiet()
    add_rows(table, costs, made, "segments")
    table.row("a segment on the disk", f"{disk / made[-1]:,.0f} bytes at {made[-1]:,}, with indexes and the events of what was measured before", "", "", "")


def growth_with_connections(table, server, library):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    files = requests_of(library, library.some_ids(10_000))
    costs = {name: [middle([drive(server, files[name], seconds=SECONDS, connections=count)["cpu"] for _ in range(3)]) for count in CONNECTIONS] for name in ("get", "list", "update")}
    add_rows(table, costs, CONNECTIONS, "connections")


def growth_lines(table, folder, largest):
    server = Ours(folder / "growth").start()
    library = Library(server, folder / "growth")
    try:
        growth_with_segments(table, server, library, largest)
        growth_with_connections(table, server, library)
    finally:
        server.stop()
