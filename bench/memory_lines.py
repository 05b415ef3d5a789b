"""The lines of the table that are about memory and descriptors: after a million requests, of a connection, of a worker's slot."""
import contextlib
import http.client
import resource
import time

from http_lines import JSON
from library import Library
from servers import Ours, drive, family, files_of, memory_of, write_requests

WARM, MEASURED = 2_000_000, 1_000_000  # the first ones fill what has a bound: the 64 MB of pages that the writer keeps, mostly
CONNECTIONS, SLOTS = 2_000, 4


def mixed_requests(library):
    """Reads and changes of segments that stay as many as they are: what the store itself needs does not grow."""
    ids = library.some_ids(2_000)
    lines = []
    for number, (user, id) in enumerate(ids):
        headers = library.headers(user)
        lines.append([{"method": "GET", "path": f"/api/segments/{id}", "headers": headers},
                      {"method": "GET", "path": f"/api/segments/{id}/download", "headers": headers},
                      {"method": "PUT", "path": f"/api/segments/{id}", "headers": {**headers, **JSON}, "body": '{"title":"Now {n}"}'},
                      {"method": "GET", "path": f"/api/segments?limit=20&offset={number % 50}", "headers": headers}][number % 4])
    return write_requests(library.folder / "mixed.jsonl", lines)


def growth_line(table, folder):
    server = Ours(folder / "memory").start()
    try:
        library = Library(server, folder / "memory")
        library.fill(1_000)
        requests, seen = mixed_requests(library), []
        for wanted in (WARM, MEASURED):
            sent = 0
            while sent < wanted:
                sent += drive(server, requests, seconds=5, warm=0)["sent"]
            library.wait_quiet()
            seen.append((server.memory[1], files_of(server.process.pid), sent))
        (warm, warm_files, first), (last, last_files, then) = seen
        table.row(f"memory after {then:,} requests (get, list, update, download)", f"{last:.1f} MB its own, {last_files} descriptors",
                  f"{warm:.1f} MB, {warm_files} after the first {first:,}", f"{(last - warm) * 1024 * 1024 / then:+.2f} bytes a request", "no growth")
    finally:
        server.stop()


def connection_line(table, folder):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    server = Ours(folder / "connections").start()
    try:
        with contextlib.ExitStack() as opened:
            def connect():
                connection = opened.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)))
                connection.request("GET", "/health")
                connection.getresponse().read()
            for _ in range(200):
                connect()
            memory, files = server.memory[1], files_of(server.process.pid)
            for _ in range(CONNECTIONS):
                connect()
            table.row(f"a connection that waits for its next request, {CONNECTIONS:,} of them",
                      f"{(server.memory[1] - memory) * 1024 / CONNECTIONS:.1f} kB, {(files_of(server.process.pid) - files) / CONNECTIONS:.2f} descriptors", "", "", "")
    finally:
        server.stop()


def slot_line(table, folder):
    """What each process of the worker has to itself beside the others."""
    told = []
    for slots in (1, 1 + SLOTS):
        server = Ours(folder / f"slots{slots}", workers=slots).start()
        try:
            while len(family(server.process.pid)) < 2 + slots:
                time.sleep(0.05)
            time.sleep(1)
            told.append((memory_of(server.process.pid)[1], sum(files_of(pid) for pid in family(server.process.pid)), len(family(server.process.pid))))
        finally:
            server.stop()
    (memory, files, processes), (more_memory, more_files, more_processes) = told
    table.row("a worker's slot that waits for its next task", f"{(more_memory - memory) / SLOTS:.1f} MB its own, {(more_files - files) / SLOTS:.1f} descriptors, {(more_processes - processes) / SLOTS:.0f} process",
              "", "", "")


def memory_lines(table, folder):
    growth_line(table, folder)
    connection_line(table, folder)
    slot_line(table, folder)
