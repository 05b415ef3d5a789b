"""Celery's own programs, as people who ran the old service type them, with the built worker in place of Python's."""
import json
import re

import pytest
from celery.result import AsyncResult
from conftest import PATIENCE, on_redis, wait_until
from programs import POSTS_FOR_LONG, SLOW_PLATFORM, celery_command, celery_session, link_posts, run_python

BATCH, CREATE, PROCESS, SYNC = TASKS = ["tasks.batch_sync_social_media_task", "tasks.create_segments_from_video_task",
                                        "tasks.process_video_task", "tasks.sync_social_media_metrics_task"]

# "Celery Task Testing" of the seed document, as printed there.
SEED = '''
from tasks import create_segments_from_video_task, sync_social_media_metrics_task

# Test segment creation
result = create_segments_from_video_task.delay(
    video_id="test_video",
    user_id="test_user",
    output_s3_keys=["processed/test_video/segment_001.mp4"],
    video_metadata={"title": "Test Video"}
)

# Test social media sync
result = sync_social_media_metrics_task.delay("test_segment", "instagram")
'''


@pytest.fixture
def server(make_server, redis):
    return make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0"), user="test_user").start()


def run_seed(app, url, program):
    """The program, with the ids of what it queued printed between its own lines. As (created, synced)."""
    watched = program.replace('"Test Video"}\n)\n', '"Test Video"}\n)\nprint(result.id)\n') + "print(result.id)\n"
    return [AsyncResult(id, app=app) for id in run_python(url, watched).split()]


def test_the_snippet_of_the_seed_runs_as_printed(server, redis, beside, app, piece):
    assert run_python(redis.url, SEED) == ""  # nobody works yet: it queues all the same
    assert redis.client().llen("celery") == 2
    server.put_object("processed/test_video/segment_001.mp4", piece)
    worker = beside.worker(server, "clips")
    wait_until(lambda: server.call("GET", "/api/segments").json["total_count"] == 1)
    made = server.call("GET", "/api/segments").json["segments"][0]
    assert (made["segment_id"], made["title"], made["duration"], made["user_id"]) == ("seg_test_video_001", "Test Video", 2, "test_user"), made

    # Again, and each result is read with Python's client and over HTTP.
    created, synced = run_seed(app, redis.url, SEED)
    answer = created.get(timeout=PATIENCE)
    assert answer["segments_created"] == 0 or answer["segment_ids"] == ["seg_test_video_001"], answer
    assert server.call("GET", "/api/segments").json["total_count"] == 1
    with pytest.raises(Exception, match="There is no segment test_segment"):
        synced.get(timeout=PATIENCE)
    shown = {id: server.call("GET", f"/api/tasks/{id}") for id in (created.id, synced.id)}
    task = shown[created.id].json
    assert (task["status"], task["name"], task["user_id"], task["result"]) == ("SUCCESS", CREATE, "test_user", answer)
    # The second names no user: it is nobody's in the API, and its failure is Python's to read.
    assert shown[synced.id].status == 404 and synced.state == "FAILURE"
    assert worker.is_alive()

    # With the segment there, the sync reads its counts.
    segment = link_posts(server, platform="instagram")
    _, synced = run_seed(app, redis.url, SEED.replace("test_segment", segment))
    assert synced.get(timeout=PATIENCE) == {"segment_id": segment, "platform": "instagram", "posts": 1, "synced": 1, "failed": []}
    assert server.call("GET", f"/api/segments/{segment}").json["social_media_usage"][0]["source"] == "simulated"


def test_the_commands_that_operators_type(server, redis, beside, app):
    """The seed's own (`inspect active`) and the rest, while one task runs and two wait for their time."""
    beside.worker(server, "clips", "--queues", "celery,video", "--concurrency", "2", SEGMENTS_SIMULATOR_FAULTS=SLOW_PLATFORM)
    segment = link_posts(server, POSTS_FOR_LONG)
    running = app.send_task(SYNC, (segment, "tiktok"), queue="video")
    later, revoked = (app.send_task(BATCH, ("test_user",), countdown=3600) for _ in range(2))
    ask = app.control.inspect(destination=["clips@here"], timeout=PATIENCE)

    def commands(*lines):
        for line, printed in zip(lines, celery_session(redis.url, *[line + f" -d clips@here -t {PATIENCE}" for line in lines]), strict=True):
            assert "clips@here: OK" in printed, (line, printed)
            yield printed

    wait_until(lambda: running.id in str(ask.active()) and later.id in str(ask.scheduled()) and revoked.id in str(ask.scheduled()))
    assert "clips@here: OK" in celery_command(redis.url, "status")
    printed = celery_command(redis.url, "inspect", "active")
    assert running.id in printed and SYNC in printed and segment in printed and "1 node online" in printed, printed
    active, = ask.active()["clips@here"]
    assert (active["name"], active["args"], active["hostname"], active["delivery_info"]["routing_key"]) == (SYNC, [segment, "tiktok"], "clips@here", "video")

    ping, scheduled, reserved, registered, queues, stats, conf, report, query, clock = commands(
        "inspect ping", "inspect scheduled", "inspect reserved", "inspect registered", "inspect active_queues", "inspect stats", "inspect conf", "inspect report",
        f"inspect query_task {running.id}", "inspect clock")
    assert "pong" in ping and later.id in scheduled and revoked.id in scheduled and "- empty -" in reserved and '"clock": ' in clock
    assert all(name in registered for name in TASKS) and "'name': 'video'" in queues and "'name': 'celery'" in queues
    stats = json.loads(stats.split("OK", 1)[1].rsplit("}", 1)[0] + "}")
    assert stats["prefetch_count"] == 2 and stats["total"][SYNC] == 1 and stats["broker"]["port"] == redis.port
    assert '"SEGMENTS_QUEUE": "redis"' in conf and "segments" in report and "active" in query

    revoke, revoked_ids, rate, registered, limit, add, grow, enable, disable = commands(
        f"control revoke {revoked.id}", "inspect revoked", f"control rate_limit {SYNC} 10/m", "inspect registered rate_limit", f"control time_limit {BATCH} 30 60",
        "control add_consumer extra", "control pool_grow 2", "control enable_events", "control disable_events")
    assert "flagged as revoked" in revoke and revoked.id in revoked_ids and "rate limit set" in rate and f"{SYNC} [rate_limit=10/m]" in registered
    assert "time limits set" in limit and "add consumer extra" in add and "will grow" in grow and "events enabled" in enable and "events disabled" in disable
    assert app.send_task(BATCH, ("nobody",), queue="extra").get(timeout=PATIENCE) == {"segments": 0, "tasks": 0}
    wait_until(lambda: ask.stats()["clips@here"]["prefetch_count"] == 4)
    cancel, shrink, queues, terminate = commands("control cancel_consumer extra", "control pool_shrink 3", "inspect active_queues", f"control terminate SIGTERM {running.id}")
    assert "no longer consuming" in cancel and "will shrink" in shrink and "extra" not in queues and "terminate" in terminate
    wait_until(lambda: ask.stats()["clips@here"]["prefetch_count"] == 1)
    wait_until(lambda: running.state == "REVOKED" and running.id not in str(ask.active()))


def test_events_are_dumped_and_shutdown_ends_the_worker(server, redis, beside, app):
    worker = beside.worker(server, "clips", "-E")
    dump = beside.celery("dump", redis.url, "events", "--dump").wait_log("heartbeat")
    done = app.send_task(BATCH, ("test_user",))
    failed = app.send_task(SYNC, ("test_segment", "instagram"))
    assert done.get(timeout=PATIENCE) == {"segments": 0, "tasks": 0}
    for id, last in ((done.id, "succeeded"), (failed.id, "failed")):
        wait_until(lambda: {"received", "started", last} <= set(re.findall(rf"clips@here \[.*\] task (\w+): .*\({id}\)", dump.log)))
    celery_command(redis.url, "control", "-d", "clips@here", "shutdown", code=69)  # as with Python's worker, which does not reply either
    assert worker.wait() == 0
    dump.wait_log("clips@here [").wait_log("shutdown")
