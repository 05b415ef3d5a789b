"""A server and workers apart, with the queue and the events on Redis: what any of several API processes answers."""
import json
import subprocess
import threading
import time

import pytest
from conftest import CLOUD, PATIENCE, on_redis, segment_body, wait_until
from streams import Stream

PIECES = {"type": "fixed", "duration_seconds": 1, "mode": "exact"}


@pytest.fixture
def two_servers(make_server, redis):
    """Two processes that serve the same data and one Redis; none of them runs tasks."""
    if CLOUD:
        return make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0")).start().apis[:2]
    first, second = (make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0")) for _ in range(2))
    first.start()
    second.env["SEGMENTS_DATA_DIR"] = first.env["SEGMENTS_DATA_DIR"]
    return first, second.start()


def test_two_servers_and_a_worker_on_queues_of_its_own(two_servers, redis, beside, small_video):
    """A job that one took in is seen by both, and its stream goes on at the other where the first was cut off."""
    one, other = two_servers
    published, listening = [], redis.client().pubsub()
    listening.psubscribe("job_progress_*")
    assert listening.get_message(timeout=PATIENCE)["type"] == "psubscribe"
    job = one.upload(small_video, cutting=PIECES)
    streams = [Stream(server, f"/api/job-progress/{job}/stream") for server in two_servers]
    user_streams = [Stream(server, "/api/events") for server in two_servers]
    assert other.call("GET", f"/api/jobs/{job}/status").json["status"] == "QUEUED"
    assert one.call("GET", "/ready", user=None).json["checks"]["worker"]["detail"] == "no worker was seen yet"
    beside.worker(one, "clips", "--queues", "other,celery", "--concurrency", "2", "-E")
    assert redis.client().smembers("_kombu.binding.celery.pidbox") == {b"\x06\x16\x06\x16clips@here.celery.pidbox"}

    # Cut off in the middle, and resumed at the other one.
    head = streams[0].wait_events(2).cut()[:2]
    rest = Stream(other, f"/api/job-progress/{job}/stream", head[-1][0])
    assert len(one.wait_segments(job)) == 6
    for stream in (rest, streams[1]):
        assert stream.wait_end()[2]["stage"] == "completed"
    whole, resumed = streams[1].events, head + rest.events
    assert [e for e in resumed if e[0] >= whole[0][0]] == [e for e in whole if e[0] >= resumed[0][0]]
    percents = [data["progress_percentage"] for _, _, data in whole]
    assert percents == sorted(percents) and percents[-1] == 100 and {name for _, name, _ in whole} == {"progress"}
    states = [{**server.call("GET", f"/api/jobs/{job}/status").json, "output_urls": None} for server in two_servers]  # each names its own address there
    assert states[0] == states[1] and states[0]["status"] == "COMPLETED"

    # The earlier backend's channel: every state, in order, once, as the stream's data.
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not (published and published[-1][1]["stage"] == "completed"):
        if message := listening.get_message(timeout=1):
            published.append((message["channel"].decode(), json.loads(message["data"])))
    assert listening.get_message(timeout=1) is None
    assert {channel for channel, _ in published} == {f"job_progress_{job}"}
    told = [data for _, data in published]
    first = int(redis.client().xrange("segments:events", count=1)[0][0].split(b"-")[0])
    whole = Stream(one, "/api/events", first - 1)

    def seen():
        return [data for _, _, data in whole.events if data.get("job_id") == job and "stage" in data]

    wait_until(lambda: len(seen()) >= len(told))
    assert told and told == seen() and told[-1]["stage"] == "completed"
    wait_until(lambda: user_streams[0].events and user_streams[0].events == user_streams[1].events and
               len([name for _, name, _ in user_streams[0].events if name == "segment.created"]) == 6)


def test_a_users_stream_moves_between_servers_without_loss_or_repetition(two_servers):
    total, seen = 200, []
    # Where it begins is known: an id before all that a log holds may as well be one that it has lost.
    begun = Stream(two_servers[0], "/api/events")
    assert two_servers[1].call("POST", "/api/segments", segment_body("before")).status == 201
    last = begun.wait_events(1).cut()[0][0]

    def write():
        for number in range(total):
            assert two_servers[number % 2].call("POST", "/api/segments", segment_body(number=number)).status == 201

    writer = threading.Thread(target=write)
    writer.start()
    turn = 0
    while len(seen) < total:
        turn += 1
        stream = Stream(two_servers[turn % 2], "/api/events", last)
        seen += stream.wait_events(min(7, total - len(seen))).cut()[:7]
        last = seen[-1][0]
    writer.join()
    ids = [id for id, _, _ in seen]
    assert ids == sorted(set(ids)) and len({data["segment_id"] for _, _, data in seen}) == len(seen) == total and turn > 5


def test_a_running_job_is_cancelled_through_the_other_server(two_servers, redis, beside, small_video, tmp_path):
    long_video = tmp_path / "long.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "60", "-i", str(small_video), "-c", "copy", str(long_video)], check=True)
    one, other = two_servers
    job = one.upload(long_video, cutting={"type": "fixed", "duration_seconds": 1, "mode": "exact"})
    stream = Stream(one, f"/api/job-progress/{job}/stream")
    worker = beside.worker(one, "clips", "--concurrency", "1")
    wait_until(lambda: other.call("GET", f"/api/jobs/{job}/status").json["status"] == "PROCESSING")
    task = f"/api/tasks/process-{job}"
    wait_until(lambda: other.call("GET", task).json["status"] == "STARTED")
    assert other.call("POST", f"/api/jobs/{job}/cancel").status == 200
    assert stream.wait_end()[2]["stage"] == "cancelled"
    # Its slot is free: the next job is not held up.
    following = other.upload(small_video, cutting=PIECES)
    assert len(other.wait_segments(following)) == 6
    assert one.call("GET", f"/api/jobs/{job}/status").json["status"] == "CANCELLED"
    wait_until(lambda: one.call("GET", task).json["status"] == "REVOKED")
    wait_until(lambda: not one.work_files() and redis.client().hlen("unacked") == 0)
    assert worker.stop() == 0 and not one.pieces_of(job)
