"""What kills Python's workers is thrown at ours: it lives, does what is good, and keeps the rest as dead letters."""
import base64
import copy
import json
import subprocess

import pytest
from conftest import BINARY, PATIENCE, on_redis, wait_until

BATCH = "tasks.batch_sync_social_media_task"


@pytest.fixture
def server(make_server, redis):
    return make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0")).start()


def dead_letters(server, *words, code=0):
    answer = subprocess.run([str(BINARY), "admin", "dead-letters", *words], env=server.env, cwd=server.data.parent, capture_output=True, text=True, timeout=PATIENCE)
    assert answer.returncode == code, (words, answer.stdout, answer.stderr)
    return answer.stdout if code == 0 else answer.stderr


def listed(server):
    return [line.split("\t") for line in dead_letters(server, "list").splitlines()]


def changed(message, *path, to=None):
    """A copy without that member, or with another value in its place."""
    message = copy.deepcopy(message)
    inner = message
    for name in path[:-1]:
        inner = inner[name]
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return json.dumps(message)


def body(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def garbage(message):
    """By what is wrong with it: each ends a Python worker's process, or comes back to end it at every start."""
    null_type = json.dumps({**message, "content-type": None})
    return {
        "no object": b"[]", "no JSON": b"garbage", "empty": b"", "not UTF-8": b'{"body": "\xff\xfe"}', "a number": b"17",
        "no properties": changed(message, "properties"), "no base64": changed(message, "body", to="%%%"), "content type null": null_type,
        "empty body": changed(message, "body", to=""), "body of two": changed(message, "body", to=body([[], {}])),
        "body is an object": changed(message, "body", to=body({"args": []})), "no id": changed(message, "headers", "id"),
        "a number as id": changed(message, "headers", "id", to=5), "empty id": changed(message, "headers", "id", to=""),
        "pickle": changed(message, "content-type", to="application/x-python-serialize"), "headers no object": changed(message, "headers", to=[1]),
        "deep": ("[" * 100_000).encode(),
    }


def survivable(message):
    """These end a Python worker, too; ours needs nothing of what they lack, and runs them."""
    return [changed(message, "properties", "delivery_tag"), changed(message, "properties", "delivery_info", "exchange"),
            changed(message, "properties", "delivery_info", "routing_key")]


def test_garbage_on_the_queue(server, redis, beside, app):
    client = redis.client()
    app.send_task(BATCH, ("nobody",))
    message = json.loads(client.rpop("celery"))
    bad = garbage(message)
    worker = beside.worker(server, "clips", "--concurrency", "2")
    results = []
    for element in bad.values():
        client.lpush("celery", element)
        results.append(app.send_task(BATCH, ("nobody",)))
    lacking = []
    for number, element in enumerate(survivable(message)):
        lacking.append(f"lacking-{number}")
        client.lpush("celery", element.replace(message["headers"]["id"], lacking[-1]))
    assert all(result.get(timeout=PATIENCE) == {"segments": 0, "tasks": 0} for result in results)
    assert all(app.AsyncResult(id).get(timeout=PATIENCE) == {"segments": 0, "tasks": 0} for id in lacking)
    wait_until(lambda: client.hlen("unacked") == 0 and client.llen("celery") == 0)
    letters = {id: error for id, _, _, error in listed(server)}
    assert len(letters) == len(bad) and all(id.startswith("undecodable-") for id in letters), letters
    for sentence in ("The message is no JSON object.", "The message has no properties.", "The body is not base64.", "The task's body is no list of three.",
                     "Content of the type application/x-python-serialize is not taken.", "The task's id is no text, or empty or too long."):
        assert sentence in letters.values(), letters
    wait_until(lambda: len(worker.events("celery.message_undecodable")) >= len(bad))
    assert worker.is_alive() and len(worker.events("celery.message_undecodable")) == len(bad)

    # Shown whole, put back (to be refused again), dropped.
    pickle = next(id for id, error in letters.items() if "pickle" in error or "python-serialize" in error)
    shown = json.loads(dead_letters(server, "show", pickle))
    assert json.loads(json.loads(shown["arguments"])["message"])["content-type"] == "application/x-python-serialize"
    assert pickle in dead_letters(server, "requeue", pickle)
    wait_until(lambda: len(worker.events("celery.message_undecodable")) == len(bad) + 1 and len(listed(server)) == len(bad))
    for id in letters:
        dead_letters(server, "drop", id)
    assert listed(server) == [] and "dead letter" in dead_letters(server, "drop", pickle, code=1) + dead_letters(server, "show", pickle, code=1)


def test_a_dead_task_is_put_back_when_its_trouble_is_over(server, redis, beside, app, piece):
    key = "processed/v7/segment_001.mp4"
    beside.worker(server, "clips", "--concurrency", "1")
    result = app.send_task("tasks.create_segments_from_video_task", kwargs={"video_id": "v7", "user_id": "alice", "output_s3_keys": [key]})
    assert str(result.get(timeout=PATIENCE, propagate=False)) == f"There is no object {key}."
    (id, _, name, error), = listed(server)
    assert (id, name, error) == (result.id, "tasks.create_segments_from_video_task", f"There is no object {key}.")
    assert json.loads(json.loads(dead_letters(server, "show", id))["arguments"])["output_s3_keys"] == [key]
    server.put_object(key, piece)
    dead_letters(server, "requeue", id)
    wait_until(lambda: server.call("GET", "/api/segments?video_id=v7").json["total_count"] == 1)
    wait_until(lambda: app.AsyncResult(id).state == "SUCCESS" and server.call("GET", f"/api/tasks/{id}").json["status"] == "SUCCESS")
    assert listed(server) == []


def hostile_events(event):
    """What section 6 of Celery's peers cannot take on their channel: without what they need, or with what their monitor cannot set."""
    def wrapped(fields, content_type="application/json", **properties):
        return json.dumps({"body": body(fields), "content-encoding": "utf-8", "content-type": content_type, "headers": {"hostname": "peer@here"}, "properties": {
            "delivery_mode": 1, "delivery_tag": "t", "body_encoding": "base64", "delivery_info": {"exchange": "celeryev", "routing_key": "worker.heartbeat"}, **properties}})

    without = [wrapped({name: value for name, value in event.items() if name != left_out}) for left_out in event]
    too_many = [wrapped({**event, name: 1}) for name in ("alive", "id", "status_string", "heartbeat_expires")]
    return [*without, *too_many, wrapped({**event, "clock": None}), wrapped({**event, "clock": "7"}), wrapped({**event, "hostname": 5}), wrapped([event]), wrapped("text"),
            wrapped(event, delivery_tag=None), wrapped(event, delivery_info={}), wrapped(event, delivery_info=None), wrapped(event, "application/x-python-serialize"),
            "no JSON", "[]", b"\xff", json.dumps({"properties": {}}), json.dumps({"body": body(event), "properties": {"body_encoding": "base64"}})]


def test_hostile_events_and_commands(server, redis, beside, app):
    worker = beside.worker(server, "clips", "--concurrency", "1")
    client = redis.client()
    event = {"type": "worker-heartbeat", "hostname": "peer@here", "utcoffset": 0, "pid": 7, "clock": 9, "timestamp": 1.5, "freq": 2.0, "active": 0, "processed": 0,
             "loadavg": [0.1, 0.1, 0.1], "sw_ident": "py-celery", "sw_ver": "5.2.6", "sw_sys": "Linux"}
    for element in hostile_events(event):
        assert client.publish("/0.celeryev/worker.heartbeat", element) == 1
    envelope = {"content-type": "application/json", "content-encoding": "utf-8", "headers": {}, "properties": {
        "delivery_tag": "t", "body_encoding": "base64", "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""}}}
    for command in ({}, [], {"method": None}, {"arguments": {}}, {"method": "nothing"}, {"method": "rate_limit", "arguments": {"task_name": 5}}, {"method": "revoke", "arguments": 7},
                    {"method": "ping", "destination": 5}, {"method": "ping", "pattern": "(((", "matcher": "pcre"}, {"method": "hello", "arguments": {"from_node": "x", "revoked": 5}}):
        assert client.publish("/0.celery.pidbox", json.dumps({**envelope, "body": body(command)})) == 1
    for element in ("no JSON", b"\xff\x00", "[]", "{}", json.dumps(envelope), json.dumps({**envelope, "body": "%%%"})):
        assert client.publish("/0.celery.pidbox", element) == 1
    # Not deaf, nor dead: as before.
    assert app.control.ping(["clips@here"], timeout=PATIENCE) == [{"clips@here": {"ok": "pong"}}]
    assert app.send_task(BATCH, ("nobody",)).get(timeout=PATIENCE) == {"segments": 0, "tasks": 0}
    assert worker.stop() == 0
