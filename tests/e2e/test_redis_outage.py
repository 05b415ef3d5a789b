"""Redis away, in each way that it goes: what does not need it is answered, what does is refused for now, and all comes back by itself."""
import threading

import pytest
from conftest import CLOUD, on_redis, segment_body, wait_until
from redis_server import RedisServer
from streams import Stream

PIECES = {"type": "fixed", "duration_seconds": 3, "mode": "keyframe"}


@pytest.fixture
def absent_redis(tmp_path):
    """Not started yet."""
    server = RedisServer(tmp_path / "redis")
    yield server
    if server.process and server.process.poll() is None:
        server.thaw()
        server.stop()


def refused(answer):
    assert answer.status == 503 and int(answer.header("Retry-After")) > 0, (answer.status, answer.body)
    assert answer.header("Content-Type") == "application/problem+json" and "127.0.0.1" not in answer.json["detail"]
    return True


def put_video(server, video):
    """What comes before the completion; the body that completes it."""
    content = video.read_bytes()
    started = server.call("POST", "/api/upload/initiate", {"filename": "small.mp4", "content_type": "video/mp4", "file_size": len(content)}).json
    assert server.call("PUT", started["presigned_url"], content, {"Content-Type": "video/mp4"}, user=None).status == 200
    return {"s3_key": started["s3_key"], "job_id": started["job_id"], "filename": "small.mp4", "file_size": len(content), "cutting_options": PIECES}


def processes(server):
    return server.apis if CLOUD else [server]


def wait_ready(server):
    for api in processes(server):
        wait_until(lambda: api.call("GET", "/ready", user=None).status == 200)


def check_outage(server):
    """Everybody can be told apart: what needs Redis from what does not."""
    for api in processes(server):
        wait_until(lambda: api.call("GET", "/ready", user=None).status == 503)
        ready = api.call("GET", "/ready", user=None).json
        assert ready["status"] == "unready" and not ready["checks"]["queue"]["ok"] and "queue" in ready["checks"]["queue"]["detail"], ready
        # DynamoDB's events are in Redis: they follow.
        assert {part: ready["checks"][part]["ok"] for part in ("store", "objects", "disk")} == {"store": not CLOUD, "objects": True, "disk": True}, ready
    for path in ("/health", "/api/health", "/metrics", "/openapi.json", "/docs"):
        assert server.call("GET", path, user=None).status == 200, path
    made = server.call("POST", "/api/segments", segment_body(title="during the outage"))
    assert made.status == 201
    segment = f"/api/segments/{made.json['segment_id']}"
    assert server.call("PATCH", segment, {"title": "changed"}).status == 200 and server.call("GET", segment).json["title"] == "changed"
    assert server.call("GET", segment + "/download").json["download_count"] == 1
    for path in ("/api/segments", "/api/videos", segment + "/analytics", segment + "/play"):
        assert server.call("GET", path).status == 200, path
    assert server.call("DELETE", segment).status == 200
    return made.json["segment_id"]


def test_what_is_completed_while_redis_is_dead_is_done_when_it_is_back(make_server, absent_redis, beside, small_video):
    server = make_server(env=on_redis(absent_redis.url, SEGMENTS_WORKERS="0")).start()  # before Redis
    worker = beside.worker(server, "clips", "--concurrency", "1", "--beat")
    check_outage(server)
    assert refused(server.call("GET", "/api/tasks/some-task"))
    absent_redis.start()
    wait_ready(server)
    events = Stream(server, "/api/events")
    before = server.upload(small_video, cutting=PIECES)
    assert len(server.wait_segments(before)) == 2

    def is_told_deleted(segment):
        return [1 for _, name, data in events.events if name == "segment.deleted" and data["segment_id"] == segment]

    absent_redis.kill()
    made = check_outage(server)
    if not CLOUD:
        wait_until(lambda: is_told_deleted(made))
    body = put_video(server, small_video)
    job = body["job_id"]
    assert refused(server.call("POST", "/api/upload/complete", body))
    assert server.call("GET", f"/api/jobs/{job}/status").json["status"] == "QUEUED"
    assert refused(server.call("GET", f"/api/tasks/process-{before}")) and refused(server.call("POST", "/api/social-media/sync", {}))
    stream = f"/api/job-progress/{job}/stream"
    late_stream = None if CLOUD else Stream(server, stream)  # SQLite's are opened without Redis, too
    if CLOUD:  # they end at once, and browsers come again
        assert (answer := server.call("GET", stream)).body == b"" and answer.status == 200 or refused(answer)

    # Nobody restarts anything, and nobody asks again.
    absent_redis.start()
    wait_ready(server)
    wait_until(lambda: is_told_deleted(made))
    late_stream = late_stream or Stream(server, stream)
    after = server.upload(small_video, cutting=PIECES)
    assert len(server.wait_segments(after)) == 2
    assert server.call("GET", f"/api/tasks/process-{before}").json["status"] == "SUCCESS"  # Redis kept what it was told
    assert len(server.wait_segments(job)) == 2
    assert late_stream.wait_end()[2]["stage"] == "completed"
    assert server.call("POST", "/api/upload/complete", body).json["status"] == "COMPLETED"

    def queued_late():
        return [line for line in worker.events("video.queued_late") + server_events(server, "video.queued_late") if line["video_id"] == job]

    def endings(id):
        return [line["ending"] for line in worker.events("task.ended") if line["task_id"] == f"process-{id}"]

    def completions(id):
        return [data for _, name, data in events.events if name == "job.completed" and data["job_id"] == id]

    # Logs and streams follow what was done: each is told, and then that it is told once.
    wait_until(lambda: queued_late() and all(endings(id) and completions(id) for id in (before, job, after)))
    assert len(queued_late()) == 1
    for id in (before, job, after):
        assert endings(id) == ["success"] and len(completions(id)) == 1, (id, endings(id), completions(id))
    ids = [id for id, _, _ in events.events]
    assert ids == sorted(set(ids)) and not events.ended  # one stream through all of it
    wait_until(lambda: absent_redis.client().hlen("unacked") == 0)


def server_events(server, name):
    return [line for line in server.log_lines() if line["event"] == name]


def test_a_frozen_redis_holds_up_nobody_else_and_no_end(make_server, absent_redis, beside, small_video):
    absent_redis.start()
    server = make_server(env=on_redis(absent_redis.url, SEGMENTS_WORKERS="0")).start()
    worker = beside.worker(server, "clips", "--concurrency", "1", "--beat")
    wait_ready(server)
    body = put_video(server, small_video)
    absent_redis.freeze()
    worker.send(15)  # asked to end while Redis does not answer; and so is the server, below
    answers, waiting = [], threading.Event()
    waiting.set()

    def ask(*request):
        while True:
            answers.append(server.call(*request))
            if not waiting.is_set():
                return

    asked = [threading.Thread(target=ask, args=("GET", "/api/tasks/some-task")) for _ in range(40)]
    asked.append(threading.Thread(target=ask, args=("POST", "/api/upload/complete", body)))
    for thread in asked:
        thread.start()
    # At any time many more than there are threads for connections, and Redis will not answer any; everybody else is served meanwhile.
    try:
        assert server.call("GET", "/health", user=None).status == 200 and server.call("GET", "/api/segments").status == 200
        assert server.call("POST", "/api/segments", segment_body()).status == 201
        check_outage(server)
    finally:
        waiting.clear()
        for thread in asked:
            thread.join()
    assert all(refused(answer) for answer in answers) and len(answers) >= len(asked)

    assert server.stop() == 0 and worker.wait() == 0
    absent_redis.thaw()
    server.start()
    beside.worker(server, "again", "--concurrency", "1", "--beat")
    assert len(server.wait_segments(body["job_id"])) == 2


def test_a_busy_worker_ends_in_time_while_redis_is_frozen(make_server, absent_redis, beside, small_video):
    absent_redis.start()
    server = make_server(env=on_redis(absent_redis.url, SEGMENTS_WORKERS="0")).start()
    worker = beside.worker(server, "clips", "--concurrency", "1", "--beat")
    job = server.upload(small_video, cutting=PIECES)
    wait_until(lambda: worker.events("task.started"))
    absent_redis.freeze()
    worker.send(15)
    assert worker.wait(30) == 0, worker.log[-3000:]  # what takes longer is killed by systemd, and by ECS
    absent_redis.thaw()
    # What it held was nobody's to tell of: it goes back when its lease ends.
    beside.worker(server, "again", "--concurrency", "1", "--beat")
    assert len(server.wait_segments(job)) == 2
