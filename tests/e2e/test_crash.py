"""kill -9 at random moments while clients work: what was acknowledged is there afterwards, nothing is doubled, no job is stuck."""
import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import threading
import time
import uuid

import pytest
from conftest import PATIENCE, segment_body, wait_until
from segment_census import DIED_OFTEN

KILLS = int(os.environ.get("SEGMENTS_TEST_KILLS", "200"))
# A task whose worker died five times is given up, and what a dead one held waits for 30 s: where the kills take longer than usual, the
# jobs come to their end in between.
STORM_SECONDS = 80


def descendants(pid):
    """All processes below pid."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), []):
            found.append(child)
            queue.append(child)
    return found


class Clients:
    """Threads that write for ever and remember what was acknowledged."""

    def __init__(self, server, video):
        self.server, self.video, self.stop = server, pathlib.Path(video), threading.Event()
        self.lock = threading.Lock()
        self.created, self.titles, self.objects, self.jobs, self.faults = {}, {}, {}, [], []
        self.counted = {"sure": 0, "tried": 0}
        self.threads = [threading.Thread(target=self.loop, args=(work,)) for work in
                        (self.create, self.create, self.update, self.download, self.put, self.job)]

    def loop(self, work):
        turn = 0
        while not self.stop.is_set():
            turn += 1
            try:
                work(turn)
            except OSError:
                time.sleep(0.01)  # the server is down: the client tries again, as clients do
            except Exception as error:  # noqa: BLE001 - every other surprise is a finding
                if "RemoteDisconnected" in type(error).__name__ or "Incomplete" in type(error).__name__ or "BadStatusLine" in type(error).__name__:
                    continue
                self.faults.append(repr(error))

    def must(self, answer, *statuses):
        if answer.status == 503:
            raise OSError("busy")
        assert answer.status in statuses, (answer.status, answer.body[:300])
        return answer

    def create(self, turn):
        key, body = str(uuid.uuid4()), segment_body("killed", turn, title=str(uuid.uuid4()))
        while not self.stop.is_set():
            with contextlib.suppress(OSError, ConnectionError):
                answer = self.must(self.server.call("POST", "/api/segments", body, {"Idempotency-Key": key}, timeout=PATIENCE), 201)
                with self.lock:
                    self.created[answer.json["segment_id"]] = body["title"]
                return
            time.sleep(0.02)

    def update(self, turn):
        if "edited" not in self.titles:
            made = self.must(self.server.call("POST", "/api/segments", segment_body("edited"), timeout=PATIENCE), 201).json
            self.titles["edited"] = (made["segment_id"], [None])
        segment_id, values = self.titles["edited"]
        value = f"title {turn} {uuid.uuid4()}"
        values.append(value)  # may be stored even when the answer is lost
        self.must(self.server.call("PUT", f"/api/segments/{segment_id}", {"title": value}, timeout=PATIENCE), 200)
        values[:] = [value]  # acknowledged: nothing older may be seen again

    def download(self, turn):
        if "counted" not in self.titles:
            made = self.must(self.server.call("POST", "/api/segments", segment_body("counted"), timeout=PATIENCE), 201).json
            self.titles["counted"] = made["segment_id"]
        self.counted["tried"] += 1
        self.must(self.server.call("GET", f"/api/segments/{self.titles['counted']}/download", timeout=PATIENCE), 200)
        self.counted["sure"] += 1

    def put(self, turn):
        content = random.randbytes(random.randint(1, 300_000))
        started = self.must(self.server.call("POST", "/api/upload/initiate", {"filename": f"{turn}.mp4", "content_type": "video/mp4", "file_size": len(content)}, timeout=PATIENCE), 200).json
        self.must(self.server.call("PUT", started["presigned_url"], content, {"Content-Type": "video/mp4"}, user=None, timeout=PATIENCE), 200)
        with self.lock:
            self.objects[started["s3_key"]] = content

    def job(self, turn):
        if turn > 12:
            time.sleep(0.1)
            return
        job = None
        while job is None and not self.stop.is_set():
            with contextlib.suppress(OSError, AssertionError):
                job = self.server.upload(self.video, cutting={"type": "fixed", "duration_seconds": 2, "mode": "keyframe" if turn % 3 else "exact"})
        if job:
            self.jobs.append(job)
        time.sleep(1)


def jobs_given_up(server):
    """A cutting takes long; one that is killed more often than it is tried is given up, and told as failed."""
    with contextlib.closing(sqlite3.connect(server.data / "queue.db", timeout=PATIENCE)) as queue:
        return {id.removeprefix("process-"): error for id, error in queue.execute("SELECT id, error FROM task WHERE dead = 1") if error in DIED_OFTEN}


@pytest.mark.embedded("what SQLite and the folder keep through kill -9; test_cloud.py kills the processes that keep nothing")
def test_what_was_acknowledged_survives_kill_9(make_server, small_video):
    seed = int(os.environ.get("SEGMENTS_TEST_SEED", time.time()))
    print(f"SEGMENTS_TEST_SEED={seed}")
    chance = random.Random(seed)
    server = make_server(env={"SEGMENTS_WORKERS": "2"}).start()
    server.token()
    clients = Clients(server, small_video)
    for thread in clients.threads:
        thread.start()

    def has_ended(job):
        return server.call("GET", f"/api/jobs/{job}/status").json["status"] in ("COMPLETED", "FAILED")

    began = time.monotonic()
    for kill in range(KILLS):
        if time.monotonic() - began > STORM_SECONDS:
            wait_until(lambda: all(map(has_ended, list(clients.jobs))), 400)
            began = time.monotonic()
        time.sleep(chance.uniform(0.0, 0.5))
        below = descendants(server.process.pid)
        if kill % 2 and below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(below), signal.SIGKILL)  # the worker, a slot or its encoder
        else:
            server.kill()
            server.start()
    clients.stop.set()
    for thread in clients.threads:
        thread.join()
    assert not clients.faults, clients.faults[:5]
    assert len(clients.created) > 50 and clients.objects and clients.jobs and clients.counted["sure"] > 10
    print({"created": len(clients.created), "objects": len(clients.objects), "jobs": len(clients.jobs), **clients.counted})

    server.kill()
    server.start("/ready")
    # Every created segment is there once, with what was acknowledged; no request made two.
    titles = [s["title"] for s in server.call("GET", "/api/videos/killed/segments").json["segments"]]
    assert len(titles) == len(set(titles))
    assert set(clients.created.values()) <= set(titles)
    for segment_id, title in clients.created.items():
        assert server.call("GET", f"/api/segments/{segment_id}").json["title"] == title
    segment_id, allowed = clients.titles["edited"]
    assert server.call("GET", f"/api/segments/{segment_id}").json["title"] in allowed
    count = server.call("GET", f"/api/segments/{clients.titles['counted']}").json["download_count"]
    assert clients.counted["sure"] <= count <= clients.counted["tried"]
    for key, content in clients.objects.items():
        url = server.call("POST", "/api/videos/url", {"bucket_location": key}).json["url"]
        assert server.call("GET", url, user=None).body == content

    # Every job comes to its end, with each piece and record exactly once.
    ends = {job: server.wait_job(job) for job in clients.jobs}
    given_up = jobs_given_up(server)
    assert len(given_up) <= 2, given_up
    for job, end in ends.items():
        if job in given_up:
            assert end["status"] == "FAILED" and server.call("GET", f"/api/videos/{job}/segments").json["segments"] == [], end
            continue
        segments = server.wait_segments(job)
        assert [s["segment_number"] for s in segments] == [1, 2, 3], (job, segments)
        for segment in segments:
            media = server.call("GET", server.call("GET", f"/api/segments/{segment['segment_id']}/play").json["play_url"], user=None)
            assert len(media.body) == segment["file_size"]
    listed = server.call("GET", "/api/segments?limit=1").json["total_count"]
    walked, cursor = 0, ""
    while cursor is not None:
        page = server.call("GET", f"/api/segments?limit=200&cursor={cursor}").json
        walked, cursor = walked + page["page_size"], page["next_cursor"]
    assert walked == listed
    # The folders of killed runs go with the worker's next sweep.
    wait_until(lambda: not server.work_files())


def test_a_cancelled_job_stops_its_encoder_and_leaves_nothing(server, tmp_path):
    long_video = tmp_path / "long.mp4"
    short_video = tmp_path / "short.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30:duration=4", "-c:v", "libx264",
                    "-preset", "ultrafast", str(short_video)], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "29", "-i", str(short_video), "-c", "copy", str(long_video)], check=True)
    job = server.upload(long_video, cutting={"type": "fixed", "duration_seconds": 60, "mode": "exact"})

    def encoders():
        found = []
        for pid in [below for pid in server.pids() for below in descendants(pid)]:
            with contextlib.suppress(OSError):
                if b"ffmpeg" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    wait_until(encoders)
    assert server.call("POST", f"/api/jobs/{job}/cancel").status == 200
    wait_until(lambda: not encoders())
    assert server.wait_job(job)["status"] == "CANCELLED"
    assert server.call("POST", f"/api/jobs/{job}/cancel").status == 409
    wait_until(lambda: not server.work_files())
    assert not server.pieces_of(job)
