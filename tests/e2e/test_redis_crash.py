"""kill -9 at random under load on Redis, alone and while Redis is restarted or cut off: each task's effect happens exactly once, each
result is right, and nothing is left behind.

SEGMENTS_TEST_TASKS, SEGMENTS_TEST_KILLS, SEGMENTS_TEST_TROUBLES and SEGMENTS_TEST_SEED say how much; what is kept by a worker that was
killed is given to others when its lease of 30 s has ended, so the selected storms are run side by side."""
import contextlib
import os
import random
import signal
import threading
import time

import pytest
import redis
from celery_cluster import Cluster
from conftest import wait_until
from redis_server import CuttingProxy, RedisServer
from segment_census import Census
from test_crash import descendants
from video_uploads import Uploads

pytestmark = pytest.mark.embedded("its census reads SQLite, where a record and its event are one; on DynamoDB test_cloud.py kills the processes")

TASKS = int(os.environ.get("SEGMENTS_TEST_TASKS", "1000"))
KILLS = int(os.environ.get("SEGMENTS_TEST_KILLS", "30"))
TROUBLES = int(os.environ.get("SEGMENTS_TEST_TROUBLES", "4"))
SEED = int(os.environ.get("SEGMENTS_TEST_SEED", time.time()))
STORMS = ("kills", "restarts", "cuts")
KILLS_PER_UPLOAD = 3
BACKLOG = 100  # messages that wait, so that workers are killed at work


class Storm(threading.Thread):
    """One cluster, its load and what befalls it. `census` is what was left, or `fault` why there is none."""

    def __init__(self, kind, folder, video):
        super().__init__(name=kind, daemon=True)
        self.kind, self.chance, self.census, self.fault = kind, random.Random(f"{SEED} {kind}"), None, None
        self.folder, self.video = folder, video
        self.tasks = [[f"{kind}-{number}", f"{kind}v{number}", 1 + number % 3] for number in range(TASKS)]
        self.told = {"killed": {}, "troubles": [], "sent_again": 0}

    def run(self):
        with contextlib.ExitStack() as ends:
            try:
                self.pass_through(ends)
            except BaseException as error:  # noqa: BLE001 - told by the test, which waits for this thread
                self.fault = error

    def pass_through(self, ends):
        began = time.monotonic()
        self.redis = RedisServer(self.folder / "redis", fsync="always").start()
        ends.callback(self.redis.stop)
        self.proxy = CuttingProxy(self.redis.port) if self.kind == "cuts" else None
        self.cluster = Cluster(self.folder, (self.proxy or self.redis).url)
        ends.callback(self.cluster.kill)
        for _, video, pieces in self.tasks:
            self.cluster.objects.put_pieces(video, pieces)
        self.uploads = Uploads(self.cluster.server, self.video, seconds=10)  # one piece: quick to cut
        self.cluster.server.token()
        feeder = threading.Thread(target=self.feed, daemon=True)
        feeder.start()
        self.storm()
        self.told["stormed_s"] = round(time.monotonic() - began, 1)
        feeder.join(600)
        self.uploads.wait(300)
        self.census = Census(self.cluster, self.redis, self.tasks, self.uploads, once=self.kind == "kills")
        self.census.wait_until_quiet(120 + TASKS / 20)
        self.census.take()
        self.told["exit_codes"] = self.cluster.stop()
        self.told.update(seconds=round(time.monotonic() - began, 1), **self.census.numbers)

    def feed(self):
        """Python's producers."""
        client = self.redis.client()
        for first in range(0, TASKS, 36):
            wait_until(lambda: self.takes_more(client), 300)
            self.told["sent_again"] += self.cluster.producer.ask("send", self.tasks[first:first + 36])

    def takes_more(self, client):
        try:
            return client.llen("celery") < BACKLOG
        except redis.RedisError:
            return True  # it is away: the producer is to see that, too

    def wait_for_load(self, share):
        """Until so much of the storm may have passed: it ends before the load does."""
        pieces = sum(pieces for _, _, pieces in self.tasks)
        wait_until(lambda: self.cluster.records() >= 0.85 * pieces * share, 300)

    def storm(self):
        troubles = set(self.chance.sample(range(KILLS), min(TROUBLES, KILLS))) if self.kind != "kills" else set()
        for kill in range(KILLS):
            self.wait_for_load(kill / KILLS)
            time.sleep(self.chance.uniform(0, 0.3))
            if kill in troubles:
                self.trouble()
            if kill % KILLS_PER_UPLOAD == 0:
                self.uploads.begin()
            self.kill_one()
            self.cluster.keep_running()

    def kill_one(self):
        worker = self.chance.choice(self.cluster.workers)
        below = descendants(worker.process.pid)
        # Below a worker are its slots, their guards and encoders.
        what = self.chance.choice(["worker", "slot", "slot", "all"] if below else ["worker"])
        victims = [self.chance.choice(below)] if what == "slot" else [worker.process.pid] + (below if what == "all" else [])
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        if worker.process.pid in victims:
            worker.process.wait()
        self.told["killed"][what] = self.told["killed"].get(what, 0) + 1

    def trouble(self):
        if self.kind == "restarts":
            how = ("kill", "stop")[len(self.told["troubles"]) % 2]
            getattr(self.redis, how)()
            self.uploads.begin()
            time.sleep(self.chance.choice([0, self.chance.uniform(0, 3)]))
            self.redis.start()
        else:
            how = ("cut", "refuse")[len(self.told["troubles"]) % 2]
            getattr(self.proxy, how)()
            self.uploads.begin()
            time.sleep(self.chance.uniform(0, 3))
            self.proxy.accept()
        self.told["troubles"].append(how)


@pytest.fixture(scope="module")
def storms(request, tmp_path_factory, small_video):
    selected = [item.callspec.params["kind"] for item in request.session.items if item.module is request.module]
    print(f"\nSEGMENTS_TEST_SEED={SEED} SEGMENTS_TEST_TASKS={TASKS} SEGMENTS_TEST_KILLS={KILLS} SEGMENTS_TEST_TROUBLES={TROUBLES}")
    started = {kind: Storm(kind, tmp_path_factory.mktemp(kind), small_video) for kind in selected}
    for storm in started.values():
        storm.start()
    yield started
    for storm in started.values():
        storm.join()  # what it started ends with it


@pytest.mark.parametrize("kind", STORMS)
def test_each_task_has_its_effect_once(storms, kind, request):
    storm = storms[kind]
    request.node.log_folder = storm.folder
    storm.join(60 + TASKS)
    print(f"SEGMENTS_TEST_SEED={SEED}", kind, storm.told)
    assert not storm.is_alive(), "it does not come to its end"
    if storm.fault:
        raise storm.fault
    assert not storm.census.faults, storm.census.tell()
    assert set(storm.told["exit_codes"]) == {0}
