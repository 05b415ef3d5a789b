"""Only on DynamoDB, S3 and Redis: processes die and AWS fails while clients write; what was acknowledged is there, once."""
import contextlib
import os
import random
import threading
import time
from http.client import HTTPException

import pytest
from conftest import PATIENCE, segment_body, wait_until

pytestmark = pytest.mark.cloud

SECONDS = int(os.environ.get("SEGMENTS_TEST_SECONDS", "20"))
SEED = int(os.environ.get("SEGMENTS_TEST_SEED", time.time()))
CLIENTS = 6
FAULTS = [("dynamodb", kind) for kind in ("throttle", "internal_error", "unavailable", "reset", "truncate", "bad_crc")] + [("s3", kind) for kind in ("throttle", "internal_error", "reset")]


class Client(threading.Thread):
    """Creates segments, each with a key of its own, and counts downloads on one; sends again what had no answer."""

    def __init__(self, server, number, counted, stop):
        super().__init__(daemon=True)
        self.server, self.number, self.counted, self.stop = server, number, counted, stop
        self.created, self.sure, self.tried, self.slowest, self.hung = {}, 0, 0, 0, []

    def run(self):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            if turn % 3 == 0:
                self.tried += 1
                self.sure += self.ask("GET", f"/api/segments/{self.counted}/download") == 200
            else:
                self.create(f"{self.number}-{turn}")

    def create(self, key):
        while True:  # until there is an answer: the key makes it the same request
            answer = self.ask("POST", "/api/segments", segment_body(f"v{self.number}", title=key), {"Idempotency-Key": key}, wants_body=True)
            if answer and answer.status == 201:
                assert self.created.setdefault(key, answer.json["segment_id"]) == answer.json["segment_id"]
                return
            assert answer is None or answer.status in (429, 503), (answer.status, answer.body)
            if self.stop.is_set():
                return
            time.sleep(0.05)

    def ask(self, *request, wants_body=False):
        began = time.monotonic()
        try:
            answer = self.server.call(*request)
        except TimeoutError:
            self.hung.append(request[:2])  # a server that died would have closed the connection
        except (OSError, ValueError, EOFError, HTTPException):
            pass
        else:
            self.slowest = max(self.slowest, time.monotonic() - began)
            return answer if wants_body else answer.status
        return None


def spoil(account, chance):
    """Takes back what has not struck yet: S3 is asked so seldom that it would pile up, and outlast a task's retries."""
    service, kind = chance.choice(FAULTS)
    engine = getattr(account, service)
    engine.control("DELETE", "faults")
    engine.fault(kind, times=chance.randint(1, 4))


def test_kills_and_faults_lose_nothing_that_was_acknowledged(make_server, account, small_video):
    print(f"SEGMENTS_TEST_SEED={SEED}")
    chance, server, stop = random.Random(SEED), make_server().start(), threading.Event()
    counted = server.call("POST", "/api/segments", segment_body("counted")).json["segment_id"]
    server.token()
    clients = [Client(server, number, counted, stop) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    jobs, end, killed = [], time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.1, 0.5))
        spoil(account, chance)
        if chance.random() < 0.5:
            server.replace(chance.choice(server.parts()))
            killed += 1
        if len(jobs) < 3:
            with contextlib.suppress(AssertionError, OSError, KeyError, ValueError):
                jobs.append(server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 2, "mode": "keyframe"}))
    stop.set()
    for client in clients:
        client.join(2 * PATIENCE)  # a request that hangs ends first, and is told of
        assert not client.is_alive()
    for engine in (account.dynamodb, account.s3):
        engine.control("DELETE", "faults")
    wait_until(lambda: all(api.answers("/health") for api in server.apis))

    there = {}
    for number in range(CLIENTS):
        for segment in server.call("GET", f"/api/videos/v{number}/segments").json["segments"]:
            assert there.setdefault(segment["title"], segment["segment_id"]) == segment["segment_id"], "made twice"
    sure = {key: id for client in clients for key, id in client.created.items()}
    assert sure and all(there.get(key) == id for key, id in sure.items())
    count = server.call("GET", f"/api/segments/{counted}").json["download_count"]
    assert sum(c.sure for c in clients) <= count <= sum(c.tried for c in clients)
    for job in jobs:
        assert [s["segment_number"] for s in server.wait_segments(job)] == [1, 2, 3]
    print({"created": len(sure), "there": len(there), "downloads": count, "killed": killed, "jobs": len(jobs), "slowest": max(c.slowest for c in clients)})
    # Nothing hangs. How long an answer takes is the machine's: each of a request's calls is tried again for ten seconds.
    assert not [request for c in clients for request in c.hung]
