"""The lines of the table that are about requests for segments, on SQLite."""
import concurrent.futures
import json
import subprocess
import sys
import time

from servers import Nginx, drive, middle, ratios, side_by_side, spread

JSON = {"Content-Type": "application/json"}
INSERTS = 5_000  # a second, beside which latency is measured
PAUSE = 2  # seconds between backups


def get_line(table, library, peers, folder, ids):
    gets = library.requests("gets.jsonl", [(user, f"/api/segments/{id}") for user, id in ids])
    sample = library.server.fetch(f"/api/segments/{ids[0][1]}", library.headers(ids[0][0]))
    nginx = Nginx(folder / "nginx-get", sample).start()
    same = library.requests("same.jsonl", [(0, "/same")])
    told = side_by_side({"ours": (library.server, gets), "nginx": (nginx, same)})
    nginx.stop()
    table.row(f"GET /api/segments/{{id}}, {library.made:,} segments, {len(sample)} bytes", ours(told), f"nginx {cpu(told, 'nginx')}",
              spread(ratios(told, "ours", "nginx"), "{:.2f}") + " × nginx", "2.5 × nginx")
    for name, peer in peers.items():
        told = side_by_side({"ours": (library.server, gets), name: (peer, gets)})
        table.row("the same beside Python", ours(told), f"{name} {cpu(told, name)}", spread(ratios(told, name, "ours")) + " × less", "12 × less")


def write_lines(table, library, peers, ids):
    """Creations were measured while the library was filled, too; here beside Python."""
    many = library.some_ids(100_000)  # before there are any that Python has not
    for name, peer in peers.items():
        told = side_by_side({"ours": (library.server, library.creations(list(range(1, 10)))), name: (peer, library.creations(list(range(1, 10))))}, rounds=3, seconds=4)
        table.row("POST /api/segments, 64 clients, durable", ours(told), f"{name} {middle([t['rate'] for t in told[name]]):,.0f}/s, {cpu(told, name)}",
                  spread(ratios(told, name, "ours")) + " × less", "30,000/s, 12 × less")
    told = [drive(library.server, library.creations(list(range(1, 10)), scattered=True), seconds=4) for _ in range(3)]
    table.row("the same, the segments of 5,000 videos in any order", ours({"ours": told}), "", "", "")
    ways = {
        "PUT /api/segments/{id}": lambda: library.requests("w.jsonl", [(u, f"/api/segments/{i}") for u, i in ids], "PUT", headers=JSON, body='{"title":"Now {n}"}'),
        "GET /api/segments/{id}/download (counts)": lambda: library.requests("w.jsonl", [(u, f"/api/segments/{i}/download") for u, i in ids]),
        "POST /api/segments/{id}/social-media, posts not linked before": lambda: links(library, many),
    }
    for way, requests in ways.items():
        for name, peer in peers.items():
            told = side_by_side({"ours": (library.server, requests), name: (peer, requests)}, rounds=3, seconds=3)
            table.row(way, ours(told), f"{name} {middle([t['rate'] for t in told[name]]):,.0f}/s, {cpu(told, name)}", spread(ratios(told, name, "ours")) + " × less", "25,000/s")
    user, one = ids[0]
    before = counter(library, user, one)
    told = [drive(library.server, library.requests("w.jsonl", [(user, f"/api/segments/{one}/download")]), seconds=4) for _ in range(3)]
    raised, sent = counter(library, user, one) - before, sum(t["sent"] for t in told)
    table.row("the counter of one single segment", spread([t["rate"] for t in told], "{:,.0f}") + "/s", f"raised {raised:,} for {sent:,} sent, of which 64 a run may be unanswered", "", "20,000/s, exact")


def links(library, ids):
    """A file of requests that link posts. Other posts in each file: to link one again changes nothing."""
    library.turn += 1
    return library.requests("links.jsonl", [(user, f"/api/segments/{id}/social-media") for user, id in ids], "POST", headers=JSON,
                            body=f'{{"platform":"tiktok","post_id":"7{library.turn:04}{{n}}"}}')


def counter(library, user, id):
    return json.loads(library.server.fetch(f"/api/segments/{id}", library.headers(user)))["download_count"]


def latency_lines(table, library, ids, folder):
    gets = library.requests("gets.jsonl", [(user, f"/api/segments/{id}") for user, id in ids])
    nginx = Nginx(folder / "nginx-latency", library.server.fetch(f"/api/segments/{ids[0][1]}", library.headers(ids[0][0]))).start()
    runs = {"ours": (library.server, gets), "nginx": (nginx, library.requests("same.jsonl", [(0, "/same")]))}
    try:
        at_half_rate(table, runs)
        beside_inserts(table, library, runs, folder)
    finally:
        nginx.stop()


def at_half_rate(table, runs, rounds=3):
    """Both at half of what is our highest rate in the same minute: the machine's own speed drifts."""
    told, rates = {name: [] for name in runs}, []
    for _ in range(rounds):
        rates.append(drive(*runs["ours"], seconds=3)["rate"] / 2)
        for name, run in runs.items():
            told[name].append(drive(*run, rate=rates[-1]))
            print(f"… {name} at {rates[-1]:,.0f}/s: {latency(told[name][-1:])}", file=sys.stderr)
    table.row(f"latency of GET by id at half of the highest rate, {spread(rates, '{:,.0f}')}/s, open loop", latency(told["ours"]), f"nginx: {latency(told['nginx'])}", "",
              "p99 2 ms, p99.9 10 ms")


def beside_inserts(table, library, runs, folder):
    """The same while rows come and backups are made, which take much of two cores: each at half of what is its own highest rate just then."""
    rows, said, made = library.made, {}, 0
    for name, run in runs.items():
        highest, copies = while_rows_come(library, folder, 10, *run)
        rate = highest["rate"] / 2
        told, more = while_rows_come(library, folder, rows / INSERTS if name == "ours" else 20, *run, rate=rate)
        said[name] = f"{latency([told])} at {rate:,.0f}/s"
        made += copies + more
    table.row(f"the same at half of the highest rate while {rows:,} rows come at {INSERTS:,}/s and backups are made", said["ours"], f"nginx, our inserts and backups beside it: {said['nginx']}",
              f"{made} backups made meanwhile", "p99 2 ms, p99.9 10 ms")


def while_rows_come(library, folder, seconds, server, requests, **how):
    """What drive() tells meanwhile, and how many backups were made."""
    with concurrent.futures.ThreadPoolExecutor() as others:
        inserting = others.submit(drive, library.server, library.creations(list(range(1, 10))), seconds=seconds, rate=INSERTS, warm=0)
        copying = others.submit(back_up_until, inserting, folder)
        told = drive(server, requests, seconds=max(1, seconds - 1), **how)
        inserting.result()
        return told, copying.result()


def back_up_until(ended, folder):
    """One backup after the other, as docs/operations.md makes them, with a pause in which the log may be started anew; how many were made."""
    made = 0
    while not ended.done():
        subprocess.run(["nice", "-n", "19", "sqlite3", str(folder / "data/segments.db"), "BEGIN", "SELECT count(*) FROM sqlite_master", f".backup '{folder}/copy.db'"],
                       check=True, stdout=subprocess.DEVNULL)
        made += 1
        time.sleep(PAUSE)
    return made


def latency(told):
    quantiles = ", ".join(f"{name} {middle([one[member] for one in told]) / 1000:.2f}" for name, member in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")))
    return f"{quantiles} ms (of it the load's own lateness at p99.9: {middle([one['late_p999'] for one in told]) / 1000:.2f})"


def cpu(told, name):
    return spread([one["cpu"] for one in told[name]]) + " µs"


def ours(told):
    return f"{middle([one['rate'] for one in told['ours']]):,.0f}/s, {cpu(told, 'ours')}"
