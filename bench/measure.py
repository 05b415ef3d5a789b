#!/usr/bin/env python3
"""Prints the table of bench/README.md, measured in this run. usage: measure.py [--segments N] [--first-user N] [--only LINES] [--keep]
LINES: of start, memory, get, list, write, latency, streams, probe, cutting, files, cloud, growth; all without."""
import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import http_lines
import list_lines
import media_lines
import stream_lines
from cloud_lines import cloud_lines
from growth import growth_lines
from library import Library
from memory_lines import memory_lines
from servers import ROOT, Ours, Peer, newest_python, spread

LINES = ("start", "memory", "get", "list", "write", "latency", "streams", "probe", "cutting", "files", "cloud", "growth")


class Table:
    HEAD = ("line", "ours", "beside", "ratio", "to reach")

    def __init__(self):
        self.rows = []

    def row(self, *cells):
        self.rows.append(cells)
        print("| " + " | ".join(cells) + " |", file=sys.stderr)

    def __str__(self):
        lines = [self.HEAD, tuple("---" for _ in self.HEAD), *self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def start_lines(table, folder):
    server, took = Ours(folder / "empty"), []
    for _ in range(6):
        took.append(server.start().started_in * 1000)
        time.sleep(1)
        resident, private = server.memory
        server.stop()
    table.row("start to first answer, an empty store", spread(took[1:], "{:.0f}") + " ms", f"the very first, making everything: {took[0]:.0f} ms", "", "100 ms")
    table.row("memory at rest", f"{resident:.1f} MB resident, {private:.1f} MB its own", "", "", "20 MB")


def pythons():
    """With the packages of Debian, and with the newest where pip reaches a registry."""
    newest = newest_python(pathlib.Path(tempfile.gettempdir()) / "segments-bench-python")
    return {"Debian's Python": sys.executable, **({"Python, newest": newest} if newest else {})}


def peers_of(folder):
    """The Python service on a copy of the same segments."""
    file = folder / "peer.db"
    subprocess.run([sys.executable, str(ROOT / "bench/peer/fill.py"), str(folder / "ours/data/segments.db"), str(file)], check=True)
    return {name: Peer(folder / ("peer-" + name.split()[-1]), python, file).start() for name, python in pythons().items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--first-user", type=int, help="segments of the user whose lists are measured; a tenth of all, 100,000 at most, where it is left out")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--only", default=",".join(LINES))
    parser.add_argument("--keep", action="store_true", help="leave the folder, say where it is")
    options = parser.parse_args()
    wanted = options.only.split(",")
    assert set(wanted) <= set(LINES), LINES
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segments-bench-", dir=os.environ.get("SEGMENTS_BENCH_DIR")))
    table, running = Table(), []
    try:
        if "start" in wanted:
            start_lines(table, folder)
        if {"get", "list", "write", "latency"} & set(wanted):
            server = Ours(folder / "ours").start()
            running.append(server)
            library = Library(server, folder / "ours")
            told = library.fill(options.segments, options.first_user)
            if told:
                table.row(f"POST /api/segments while the store grows to {library.made:,}", f"{told[0]['rate']:,.0f}/s, {told[0]['cpu']:.1f} µs at first",
                          f"{told[-1]['rate']:,.0f}/s, {told[-1]['cpu']:.1f} µs in the last five seconds", "", "30,000/s")
            library.wait_quiet()
            ids = library.some_ids()
            peers = peers_of(folder) if {"get", "list", "write"} & set(wanted) else {}
            running += peers.values()
            if "get" in wanted:
                http_lines.get_line(table, library, peers, folder, ids)
            if "list" in wanted:
                list_lines.list_lines(table, library, peers)
            if "write" in wanted:
                http_lines.write_lines(table, library, peers, ids)
            for peer in peers.values():
                peer.stop()
            if "latency" in wanted:
                http_lines.latency_lines(table, library, ids, folder / "ours")
            table.row("memory after all this", f"{server.memory[0]:.0f} MB resident, {server.memory[1]:.0f} MB its own", "", "", "no growth")
            server.stop()
        if "streams" in wanted:
            stream_lines.stream_lines(table, folder, random.Random(5), options.streams)
        if "probe" in wanted:
            media_lines.probe_line(table, folder)
        if "memory" in wanted:
            memory_lines(table, folder)
        if {"cutting", "files"} & set(wanted):
            server = Ours(folder / "media", workers=1).start()
            running.append(server)
            if "cutting" in wanted:
                media_lines.cutting_lines(table, server, folder)
            if "files" in wanted:
                media_lines.gigabyte_lines(table, server, folder)
            server.stop()
        if "cloud" in wanted:
            cloud_lines(table, folder, pythons())
        if "growth" in wanted:
            growth_lines(table, folder, options.segments)
    finally:
        for server in running:
            server.stop()
        if options.keep:
            print(folder, file=sys.stderr)
        else:
            shutil.rmtree(folder)
    print(table)


main()
