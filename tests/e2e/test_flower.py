"""What Flower 2 does, as it does it: Celery's event receiver and state, `enable_events` every five seconds, and its inspections at start."""
import threading

import pytest
from celery.events import EventReceiver
from celery.events.state import State
from conftest import PATIENCE, on_redis, wait_until
from programs import POSTS_FOR_LONG, SLOW_PLATFORM, link_posts

SYNC, BATCH = "tasks.sync_social_media_metrics_task", "tasks.batch_sync_social_media_task"


class Monitor:
    """Flower's Events and Inspector."""

    inspections = ("stats", "active_queues", "registered", "scheduled", "active", "reserved", "revoked", "conf")
    enable_interval = 5

    def __init__(self, app):
        self.app, self.state, self.lock = app, State(), threading.Lock()
        self.seen, self.workers, self.ending, self.receiver = {}, {}, threading.Event(), None
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self.capture, self.enable)]
        for thread in self.threads:
            thread.start()

    def capture(self):
        with self.app.connection() as connection:
            self.receiver = EventReceiver(connection, handlers={"*": self.on_event}, app=self.app)
            self.receiver.capture(limit=None, timeout=None, wakeup=True)

    def enable(self):
        while not self.ending.is_set():
            self.app.control.enable_events()
            self.ending.wait(self.enable_interval)

    def on_event(self, event):
        with self.lock:
            self.state.event(event)
            if event["type"].startswith("task-"):
                self.seen.setdefault(event["uuid"], []).append((event["type"], self.state.tasks[event["uuid"]].state))

    def inspect(self, names, everybody=True):
        """All workers at once, then those that were late, one page opened after another."""
        for method in self.inspections:
            if everybody:
                self.ask(method, timeout=1)
            wait_until(lambda: self.ask_late(method, names))

    def ask_late(self, method, names):
        """Whether all have answered. An answer to the question before, come too late for it, is to Celery the one it waits for: so again."""
        if late := [name for name in names if method not in self.workers.get(name, {})]:
            self.ask(method, timeout=PATIENCE, destination=late)
        return not late

    def ask(self, method, **how):
        ask = self.app.control.inspect(**how)
        answers = ask.active(safe=True) if method == "active" else getattr(ask, method)()
        assert answers is None or "error" not in answers, (method, answers)
        for name, answer in (answers or {}).items():
            self.workers.setdefault(name, {})[method] = answer

    def is_online(self, name):
        with self.lock:
            return name in self.state.workers and self.state.workers[name].alive

    def state_of(self, id):
        with self.lock:
            task = self.state.tasks.get(id)
            return task and task.state

    def await_state(self, id, state):
        wait_until(lambda: self.state_of(id) == state)
        with self.lock:
            return self.state.tasks[id]

    def end(self):
        self.ending.set()
        if self.receiver:
            self.receiver.should_stop = True
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.fixture
def monitor(app):
    monitor = Monitor(app)
    yield monitor
    monitor.end()


def test_flower_sees_workers_online_and_tasks_in_every_state(make_server, redis, beside, monitor):
    server = make_server(env=on_redis(redis.url, SEGMENTS_WORKERS="0")).start()
    segment = link_posts(server, POSTS_FOR_LONG)
    # None of them has -E: that Flower is there makes them tell.
    clips = beside.worker(server, "clips", "--concurrency", "1")
    slow = beside.worker(server, "slow", "--queues", "slow", "--concurrency", "2", SEGMENTS_SIMULATOR_FAULTS=SLOW_PLATFORM)
    beside.worker(server, "flaky", "--queues", "flaky", "--concurrency", "1", SEGMENTS_SIMULATOR_FAULTS="unavailable=1.0")
    names = [f"{name}@here" for name in ("clips", "slow", "flaky")]
    wait_until(lambda: all(map(monitor.is_online, names)))
    ask = monitor.app.control.inspect(names, timeout=PATIENCE)
    wait_until(lambda: len([1 for stats in ask.stats().values() if stats["pool"]["processes"]]) == 3)
    monitor.inspect(names)
    assert sorted(monitor.workers) == sorted(names)
    for name in names:
        info = monitor.workers[name]
        assert set(info) == set(monitor.inspections)
        # The fields that its pages of workers show.
        assert info["stats"]["pool"]["max-concurrency"] and info["stats"]["broker"]["transport"] == "redis" and isinstance(info["stats"]["total"], dict)
        assert [queue["name"] for queue in info["active_queues"]] == [{"clips": "celery"}.get(name[:-5], name[:-5])] and SYNC in info["registered"]
    for name in names:  # enabled by now, or by its next round
        wait_until(lambda: monitor.app.control.enable_events(destination=[name], reply=True, timeout=PATIENCE) == [{name: {"ok": "task events already enabled"}}])

    def send(name, *args, **options):
        return monitor.app.send_task(name, args, **options).id

    done, failed = send(BATCH, "alice"), send(SYNC, "test_segment", "instagram")
    later, expired = send(BATCH, "alice", countdown=3600), send(BATCH, "alice", expires=-5)
    begun, killed = (send(SYNC, segment, "tiktok", queue="slow") for _ in range(2))
    flaky = send(SYNC, segment, "tiktok", queue="flaky")
    task = monitor.await_state(done, "SUCCESS")
    assert (task.name, task.worker.hostname, task.args, task.result, task.root_id) == (BATCH, "clips@here", "('alice',)", "{'segments': 1, 'tasks': 1}", done)
    assert task.received and task.started and task.succeeded and task.runtime > 0
    task = monitor.await_state(failed, "FAILURE")
    assert task.exception == "RuntimeError('There is no segment test_segment.')" and "Traceback" in task.traceback
    assert monitor.await_state(later, "RECEIVED").eta
    monitor.await_state(expired, "REVOKED")
    for id in (begun, killed):
        assert monitor.await_state(id, "STARTED").worker.hostname == "slow@here"
    monitor.app.control.revoke(killed, terminate=True, signal="SIGTERM")
    assert monitor.await_state(killed, "REVOKED").revoked
    # What the end of its worker cuts off is rejected, which comes after the checks between.
    del monitor.workers["slow@here"]
    monitor.inspect(["slow@here"], everybody=False)
    assert [task["id"] for task in monitor.workers["slow@here"]["active"]] == [begun]
    monitor.app.control.shutdown(destination=["slow@here"])
    # Retried: told as such, and received again for its next attempt, as with Python's worker.
    wait_until(lambda: ("task-retried", "RETRY") in monitor.seen.get(flaky, []))
    assert monitor.state.tasks[flaky].retried and "cannot be reached" in monitor.state.tasks[flaky].exception
    assert slow.wait() == 0
    wait_until(lambda: not monitor.is_online("slow@here"))
    # The monitor's state stays STARTED, as with Python's worker: the order of states has REJECTED below it.
    wait_until(lambda: monitor.state.tasks[begun].rejected)
    assert [type for type, _ in monitor.seen[begun]] == ["task-received", "task-started", "task-rejected"]
    assert redis.client().llen("slow") == 1 and clips.is_alive() and monitor.is_online("clips@here")
