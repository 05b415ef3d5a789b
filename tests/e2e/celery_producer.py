"""A Python program that queues tasks with Celery as producers do, and asks for their results. Told by lines of JSON on its input,
each answered by one line. Run with clients/python in PYTHONPATH and REDIS_URL in its environment.

["send", [[task id, video id, pieces], ...]]  queues one create_segments_from_video_task each, alone and in groups; again until Redis has taken it
["results", [task id, ...], seconds]          what Celery's client makes of each: {id: [state, result]}
"""
import json
import sys
import time

from celery import group
from celery.exceptions import CeleryError, OperationalError
from celery.result import AsyncResult, ResultSet
from redis.exceptions import RedisError
from tasks import app, create_segments_from_video_task

# What a client sees of a Redis that is away. RuntimeError: its subscription to results could not be made again.
AWAY = (OSError, OperationalError, RedisError, RuntimeError, CeleryError)
TOGETHER = 8  # of each dozen these are a group


def piece_keys(video, pieces):
    return [f"processed/{video}/segment_{number:03}.mp4" for number in range(1, pieces + 1)]


def insist(work):
    """Producers try again; how often it had to."""
    failures = 0
    while True:
        try:
            work()
            return failures
        except AWAY as error:
            failures += 1
            print(f"again: {error!r}", file=sys.stderr, flush=True)
            app.backend.result_consumer.stop()
            app.backend.__dict__.pop("client", None)
            time.sleep(0.1)


def send(tasks):
    failures = 0
    for first in range(0, len(tasks), 12):
        signatures = [create_segments_from_video_task.signature(
            (video, "alice", piece_keys(video, pieces)), {"video_metadata": {"title": f"Film {video}", "tags": ["é"]}}, task_id=task)
            for task, video, pieces in tasks[first:first + 12]]
        if together := signatures[:TOGETHER]:
            failures += insist(lambda: group(together).apply_async())
        for signature in signatures[TOGETHER:]:
            failures += insist(lambda: signature.apply_async())
    return failures


def results(tasks, seconds):
    found = {}
    for first in range(0, len(tasks), 200):
        few = [AsyncResult(task, app=app) for task in tasks[first:first + 200]]
        try:
            ResultSet(few, app=app).join_native(timeout=seconds, propagate=False)
        except CeleryError:
            seconds = 1  # some are lost: what the others are is told all the same
        found.update({result.id: [result.state, result.result if result.successful() else repr(result.result)] for result in few})
    return found


for line in sys.stdin:
    command, *arguments = json.loads(line)
    print(json.dumps({"send": send, "results": results}[command](*arguments)), flush=True)
