"""Periodic work: ours, by one of several workers at a time, and Python's own `celery beat` as a producer to ours."""
import json
import time

import pytest
from conftest import PATIENCE, on_redis, segment_body, wait_until
from programs import CLIENT

SCHEDULE = """
from tasks import app
app.conf.beat_schedule = {
    "sync": {"task": "tasks.sync_social_media_metrics_task", "schedule": 1.0, "kwargs": {"segment_id": "no_segment", "platform": "tiktok"}, "options": {"expires": 600}},
    "batch": {"task": "tasks.batch_sync_social_media_task", "schedule": 1.0, "args": ["ann"]},
}
"""


@pytest.fixture
def server(make_server, redis):
    return make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0")).start()


UNTIL_DUE = 6  # a reading is due 5 s after its link, and the beat looks at once or half a minute later


def link_posts(server, numbers):
    """Posts whose first reading nobody does."""
    for number in numbers:
        segment = server.call("POST", "/api/segments", segment_body(number=number)).json["segment_id"]
        assert server.call("POST", f"/api/segments/{segment}/social-media", {"platform": "tiktok", "post_id": f"{7300000000000000000 + number}"}).status == 200


def sent_by_beats(redis):
    """Ids of what was sent since it was due, from all of the queue's lists."""
    client = redis.client()
    messages = [json.loads(element) for step in ("", "\x06\x163", "\x06\x166", "\x06\x169") for element in client.lrange("celery" + step, 0, -1)]
    return [message["headers"]["id"] for message in messages if message["headers"]["id"].startswith("due-")]


def test_of_two_beats_one_sends_and_the_other_takes_over(server, redis, beside):
    first, many = range(1, 21), 20
    link_posts(server, first)
    time.sleep(UNTIL_DUE)
    # They run nothing, so that what they send stays to be counted.
    beats = [beside.worker(server, f"beat{number}", "--queues", "nothing", "--beat") for number in range(2)]
    wait_until(lambda: len(sent_by_beats(redis)) >= many)
    assert len(set(sent_by_beats(redis))) == len(sent_by_beats(redis)) == many
    holder, other = sorted(beats, key=lambda beat: not beat.events("beat.taken"))
    assert holder.events("beat.taken") and not other.events("beat.taken")
    link_posts(server, range(21, 41))
    holder.kill()
    key = "segments:beat"
    assert redis.client().pttl(key) > 0  # what a dead one leaves ends by itself
    time.sleep(UNTIL_DUE)
    redis.client().pexpire(key, 1)  # as if that time had gone by
    wait_until(lambda: other.events("beat.taken"))
    wait_until(lambda: len(sent_by_beats(redis)) >= 2 * many)
    assert len(set(sent_by_beats(redis))) == len(sent_by_beats(redis)) == 2 * many
    assert other.stop() == 0 and not redis.client().exists(key)  # given back to whoever comes next


def test_pythons_beat_sends_to_our_worker(server, redis, beside, app, tmp_path):
    (tmp_path / "schedule.py").write_text(SCHEDULE)
    worker = beside.worker(server, "clips", "--concurrency", "1")
    beat = beside.celery("beat", redis.url, "beat", "-s", tmp_path / "state", "-l", "info", module="schedule", folder=f"{tmp_path}:{CLIENT}")

    def ended(name):
        return [line for line in worker.events("task.ended") if line["name"].startswith("tasks." + name)]

    wait_until(lambda: len(ended("batch")) >= 3 and len(ended("sync")) >= 3)
    assert {line["ending"] for line in ended("batch")} == {"success"} and {line["ending"] for line in ended("sync")} == {"failure"}
    assert app.AsyncResult(ended("batch")[0]["task_id"]).get(timeout=PATIENCE) == {"segments": 0, "tasks": 0}
    assert beat.is_alive() and "Sending due task batch" in beat.log
    ids = [line["task_id"] for line in worker.events("task.ended")]
    assert len(ids) == len(set(ids))
