"""Python's own worker in the same cluster: it runs our server's tasks, beside ours on the same queue, and each sees the other."""
import pathlib

import pytest
from conftest import PATIENCE, on_redis, segment_body, wait_until

BATCH, SYNC, CREATE = "tasks.batch_sync_social_media_task", "tasks.sync_social_media_metrics_task", "tasks.create_segments_from_video_task"
MODULE = pathlib.Path(__file__).with_name("python_worker")


@pytest.fixture
def server(make_server, redis):
    return make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0")).start()


def python_worker(beside, server, url, name):
    program = beside.celery(name, url, "worker", "-n", f"{name}@here", "--concurrency", "2", "-l", "info", "-E", folder=MODULE,
                            SEGMENTS_API=f"http://127.0.0.1:{server.port}", SEGMENTS_TOKEN=server.token())
    return program.wait_log(f"{name}@here ready.")


def wait_task(server, id, status="SUCCESS"):
    wait_until(lambda: server.call("GET", f"/api/tasks/{id}").json.get("status") == status)
    return server.call("GET", f"/api/tasks/{id}").json


def complaints(log):
    return [line for line in log.splitlines() if any(word in line for word in ("ERROR", "CRITICAL", "Traceback", "Error:", '"level":"error"', "Substantial drift"))]


def test_a_python_worker_runs_our_servers_tasks(server, redis, beside, app, small_video):
    """No worker of ours: what it does is seen by the API, what it says is the task's state there."""
    segment = server.call("POST", "/api/segments", segment_body()).json["segment_id"]
    linked = server.call("POST", f"/api/segments/{segment}/social-media", {"platform": "youtube", "post_id": "dQw4w9WgXcQ"})
    id = linked.header("X-Task-Id")
    assert server.call("GET", f"/api/tasks/{id}").json["status"] == "PENDING"
    worker = python_worker(beside, server, redis.url, "python")
    task = wait_task(server, id)
    assert (task["name"], task["result"]) == (SYNC, {"segment_id": segment, "platform": "youtube", "posts": 1, "synced": 1, "failed": []}), task
    assert task["error"] is None and task["finished_at"] and task["user_id"] == "alice"
    usage = server.call("GET", f"/api/segments/{segment}").json["social_media_usage"][0]
    assert (usage["views"], usage["likes"], usage["source"]) == (4242, 42, "reported")
    batch = server.call("POST", "/api/social-media/sync", {})
    assert batch.status == 202
    assert wait_task(server, batch.json["task_id"])["result"] == {"segments": 0, "tasks": 0, "by": "python@here"}
    # Python's producer for it, and its failure told by the API in one sentence.
    made = app.send_task(CREATE, kwargs={"video_id": "v9", "user_id": "alice", "output_s3_keys": ["processed/v9/segment_001.mp4"]})
    assert made.get(timeout=PATIENCE)["segments_created"] == 1
    assert server.call("GET", "/api/segments?video_id=v9").json["total_count"] == 1
    job = server.upload(small_video)
    failed = wait_task(server, f"process-{job}", "FAILURE")
    assert "is no video of ours" in failed["error"] and "Traceback" not in failed["error"], failed
    # Nobody told us: the server finds it by itself.
    wait_until(lambda: server.call("GET", f"/api/jobs/{job}/status").json["status"] == "FAILED")
    assert "is no video of ours" in server.call("GET", f"/api/jobs/{job}/status").json["error_message"]
    assert worker.is_alive()


def test_both_share_a_queue_and_see_each_other(server, redis, beside, app):
    before = python_worker(beside, server, redis.url, "before")
    app.control.revoke("told-earlier")
    wait_until(lambda: app.control.inspect(["before@here"], timeout=PATIENCE).revoked() == {"before@here": ["told-earlier"]})
    ours = beside.worker(server, "clips", "--concurrency", "2", "-E")
    after = python_worker(beside, server, redis.url, "after")
    # Mingle: what one knew is known to who came, ours by the first, the last by ours.
    ask = app.control.inspect(timeout=PATIENCE, destination=["clips@here", "after@here"])
    assert ask.revoked() == {"clips@here": ["told-earlier"], "after@here": ["told-earlier"]}
    assert "sync with clips@here" in before.log + after.log and "sync complete" in after.log
    names = {"before@here", "clips@here", "after@here"}
    wait_until(lambda: {name for reply in app.control.ping(timeout=2) for name in reply} == names)

    # As many as it takes until all three had some; each once.
    by, sent = {}, 0
    while not all(by.get(name) for name in ("before@here", "after@here", "ours")) and sent < 20_000:
        results = [app.send_task(BATCH, ("alice",)) for _ in range(100)]
        sent += len(results)
        for answer in (result.get(timeout=PATIENCE) for result in results):
            name = answer.get("by", "ours")
            by[name] = by.get(name, 0) + 1
    assert set(by) == {"before@here", "after@here", "ours"} and sum(by.values()) == sent, by
    started = app.control.inspect(list(names), timeout=PATIENCE).stats()
    assert {name.replace("clips@here", "ours"): stats["total"][BATCH] for name, stats in started.items()} == by
    wait_until(lambda: redis.client().hlen("unacked") == 0)

    # Gossip: who goes is missed, by name, and nobody complains.
    assert ours.stop() == 0
    ours_again = beside.worker(server, "back", "--concurrency", "1")
    assert before.stop() == 0 and after.stop() == 0
    wait_until(lambda: [1 for name in app.control.ping(timeout=1)] == [1])
    assert ours_again.is_alive()
    for program in (before, ours, after, ours_again):
        assert not complaints(program.log), complaints(program.log)
    assert "clips@here" in before.log
