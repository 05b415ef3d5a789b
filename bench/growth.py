"""What a request costs as the library of all users grows tenfold and again."""
import math

from library import Library
from servers import Ours, drive, middle


def exponent(sizes, costs):
    """Of the power of the size that the costs follow: the slope of the line through their logarithms."""
    x, y = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def growth_lines(table, folder, largest):
    """At a hundredth, a tenth and all of `largest`, the same server as it grows. All users have as much of it, but the first."""
    server = Ours(folder / "growth").start()
    library = Library(server, folder / "growth")
    sizes, costs = [], {"get": [], "list": [], "create": []}
    try:
        for size in (largest // 100, largest // 10, largest):
            library.fill(size)
            library.wait_quiet()
            sizes.append(library.made)
            gets = library.requests("gets.jsonl", [(user, f"/api/segments/{id}") for user, id in library.some_ids(10_000)])
            lists = library.requests("lists.jsonl", [(user, "/api/segments?limit=20") for user in range(10)])
            runs = {"get": lambda: drive(server, gets, seconds=3), "list": lambda: drive(server, lists, seconds=3),
                    "create": lambda: drive(server, library.creations(list(range(1, 10)), 20_000), seconds=max(0.5, size / 100_000 if size < 300_000 else 3), warm=0)}
            for name, run in runs.items():
                costs[name].append(middle([run()["cpu"] for _ in range(3)]))
    finally:
        server.stop()
    for name, found in costs.items():
        steps = ", ".join(f"{cost:.1f} µs at {size:,}" for cost, size in zip(found, sizes))
        table.row(f"growth of {name}", steps, "", f"exponent {exponent(sizes, found):.3f}", "0.05")
