"""The lines of the table that are about DynamoDB's protocol: dynalite behind the tests' gate, neither's CPU is counted."""
import contextlib
import json
import random
import socket
import subprocess
import sys
import time

from http_lines import cpu, ours
from library import Library
from servers import BINARY, ROOT, Ours, Peer, drive, free_port, middle, ratios, side_by_side, spread

sys.path.insert(0, str(ROOT / "tests/engines"))
import engines  # noqa: E402 - found by the line above

TABLE = "bench-segments"


@contextlib.contextmanager
def redis(folder):
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def cloud_lines(table, folder, pythons):
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(engines.running("dynamodb", folder / "dynamodb"))
        url = stack.enter_context(redis(folder))
        account = {"AWS_REGION": engine.region, "AWS_DEFAULT_REGION": engine.region, "AWS_ACCESS_KEY_ID": engine.access_key, "AWS_SECRET_ACCESS_KEY": engine.secret_key,
                   "AWS_ENDPOINT_URL_DYNAMODB": engine.endpoint, "AWS_ENDPOINT_URL": engine.endpoint, "DYNAMODB_TABLE_NAME": TABLE}
        server = Ours(folder / "cloud", SEGMENTS_STORE="dynamodb", SEGMENTS_QUEUE="redis", REDIS_URL=url, **account)
        subprocess.run([str(BINARY), "admin", "table", "create"], env=server.env, cwd=server.cwd, check=True, stdout=subprocess.DEVNULL)
        server.start()
        stack.callback(server.stop)
        library = Library(server, folder / "cloud")
        drive(server, library.creations(list(range(10)), 400), seconds=2, connections=4, warm=0)
        ids = []
        for user in range(10):
            page = json.loads(server.fetch("/api/segments?limit=100", library.headers(user)))
            ids += [(user, s["segment_id"]) for s in page["segments"]]
        random.Random(3).shuffle(ids)
        gets = library.requests("gets.jsonl", [(user, f"/api/segments/{id}") for user, id in ids])
        for name, python in pythons.items():
            peer = Peer(folder / ("peer-cloud-" + name.split()[-1]), python, "dynamodb", **account).start()
            stack.callback(peer.stop)
            for what, requests, target in (("GET /api/segments/{id}", gets, "15 × less"), ("POST /api/segments", library.creations(list(range(10)), 5_000), "")):
                told = side_by_side({"ours": (server, requests), name: (peer, requests)}, rounds=3, seconds=4, connections=8)
                table.row(f"{what} on DynamoDB's protocol", ours(told), f"{name} {cpu(told, name)}", spread(ratios(told, name, "ours")) + " × less", target)
            peer.stop()
