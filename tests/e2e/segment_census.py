"""Counts what tasks left: records, events, results and what the queue still holds, against what they were to leave."""
import collections
import json
import time

from conftest import PATIENCE

UPLOAD_PIECES = 1
# How a run ends that is killed again and again: five times with its worker, or once more than it is retried alone.
DIED_OFTEN = ("The worker died 5 times while running it.", "The worker process running it died.")
# Where Celery and Segments keep what is not done. None is to be left.
HELD = ("unacked", "unacked_index", "segments:leases", "segments:running", "segments:waiting", "segments:delayed", "segments:given_up",
        "segments:given_up:items", "segments:expiring", "segments:garbage", "celery", "celery\x06\x163", "celery\x06\x166", "celery\x06\x169")


class Census:
    """`once`: each message was queued once. A producer whose connection broke may have queued one twice, as Celery's do."""

    def __init__(self, cluster, redis, tasks, uploads, once):
        self.given_up = set()
        self.cluster, self.client, self.once = cluster, redis.client(decode_responses=True), once
        self.tasks, self.uploads = tasks, uploads
        self.faults, self.numbers = collections.defaultdict(list), {}

    def held(self):
        sizes = {"hash": self.client.hlen, "zset": self.client.zcard, "list": self.client.llen}
        return {key: sizes[kind](key) for key in HELD if (kind := self.client.type(key)) != "none"}

    def wait_until_quiet(self, seconds):
        """Until nothing is held any more; what still is then is told by take()."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.held():
            time.sleep(0.1)

    def fault(self, kind, what):
        self.faults[kind].append(what)

    def read_dead_letters(self):
        """A task that is killed again and again is given up. It may meet a cutting, which takes long, and then its job is told as failed."""
        for task, letter in self.client.hgetall("segments:dead_letters:items").items():
            if task.startswith("process-") and json.loads(letter)["error"] in DIED_OFTEN:
                self.given_up.add(task.removeprefix("process-"))
            else:
                self.fault("a dead letter", letter)
        if len(self.given_up) > max(1, len(self.uploads.jobs) // 50):
            self.fault("given up", sorted(self.given_up))
        self.numbers["given_up"] = len(self.given_up)

    def take(self):
        self.read_dead_letters()
        pieces = {video: pieces for _, video, pieces in self.tasks} | {job: UPLOAD_PIECES for job in self.uploads.jobs if job not in self.given_up}
        self.expected = {f"seg_{video}_{number:03}": video for video, count in pieces.items() for number in range(1, count + 1)}
        for key, size in self.held().items():
            self.fault("left in the queue", (key, size, self.sample(key)))
        if len(self.uploads.jobs) != len(self.uploads.threads):
            self.fault("not uploaded", (len(self.uploads.threads) - len(self.uploads.jobs), self.uploads.faults))
        self.count_records()
        self.count_events()
        self.read_results()
        self.count_ends()
        self.read_jobs()

    def sample(self, key):
        kind = self.client.type(key)
        if kind == "hash":
            return [entry for _, entry in zip(range(2), self.client.hscan_iter(key))]
        return self.client.zrange(key, 0, 2, withscores=True) if kind == "zset" else self.client.lrange(key, 0, 2)

    def count_records(self):
        rows = self.cluster.rows("SELECT segment_id, video_id, user_ref, version, s3_key, file_size, duration FROM segments")
        counts = collections.Counter(row[0] for row in rows)
        for segment, count in counts.items():
            if segment not in self.expected:
                self.fault("a record of nothing", segment)
            elif count > 1:
                self.fault("a record doubled", segment)
        for segment in self.expected.keys() - counts.keys():
            self.fault("a record lost", segment)
        for segment, video, user, version, key, size, duration in rows:
            is_right = (video, version, key) == (self.expected.get(segment), 1, f"processed/{video}/segment_{segment[-3:]}.mp4")
            if not is_right or not size or not duration:
                self.fault("a record wrong", (segment, video, user, version, key, size, duration))
        if (damage := self.cluster.rows("PRAGMA integrity_check(3)")) != [("ok",)]:
            self.fault("the store is damaged", damage)
        self.numbers["records"] = len(rows)

    def count_events(self):
        rows = self.cluster.rows("SELECT id, type, data FROM events ORDER BY id")
        created = collections.Counter(json.loads(data)["segment_id"] for _, kind, data in rows if kind == "segment.created")
        for segment in self.expected.keys() | created.keys():
            if created[segment] != (segment in self.expected):
                self.fault("events of a record", (segment, created[segment]))
        # Redis's copy, which other processes' streams are served from, follows within a second.
        end = time.monotonic() + PATIENCE
        while True:
            copied = [(int(number.split("-")[0]), fields["type"], fields["data"]) for number, fields in self.client.xrange("segments:events")]
            if copied == rows or time.monotonic() > end:
                break
            time.sleep(0.2)
        for event in set(rows) ^ set(copied):
            self.fault("an event not in both", event)
        if len(copied) != len(set(copied)):
            self.fault("an event copied twice", len(copied) - len(set(copied)))
        self.events = rows
        self.numbers["events"] = len(rows)

    def read_results(self):
        done = [job for job in self.uploads.jobs if job not in self.given_up]
        states = self.states([task for task, _, _ in self.tasks] + [f"{kind}-{job}" for job in done for kind in ("process", "segments")])
        for task, state in states.items():
            if state.get("status") != "SUCCESS":
                self.fault("a task's state", (task, state))
        results = self.cluster.producer.ask("results", [task for task, _, _ in self.tasks], 60)
        for task, video, pieces in self.tasks:
            ids = [f"seg_{video}_{number:03}" for number in range(1, pieces + 1)]
            if results.get(task) != ["SUCCESS", {"segments_created": pieces, "segment_ids": ids, "failed": []}]:
                self.fault("a result", (task, results.get(task), states[task]))
        self.numbers.update(results=len(results), most_retries=max(int(state.get("retries") or 0) for state in states.values()),
                            most_leases_lost=max(int(state.get("deaths") or 0) for state in states.values()))

    def count_ends(self):
        """As the program counts them itself: what ended, and that nothing waits."""
        ends = {name: int(count) for name, count in self.client.hgetall("segments:totals").items() if count != "0"}
        done = len(self.uploads.jobs) - len(self.given_up)
        queued = {"tasks.process_video_task|SUCCESS": done, "tasks.create_segments_from_video_task|SUCCESS": len(self.tasks) + done,
                  "tasks.process_video_task|FAILURE": len(self.given_up)}
        for name in ends.keys() | queued.keys():
            surplus = ends.get(name, 0) - queued.get(name, 0)
            if surplus < 0 or surplus and (self.once or name not in queued):
                self.fault("ends of tasks", (name, ends.get(name, 0), "of", queued.get(name, 0)))
        self.numbers["ends"] = sum(ends.values())

    def states(self, tasks):
        answers = []
        for first in range(0, len(tasks), 1000):
            pipeline = self.client.pipeline(transaction=False)
            for task in tasks[first:first + 1000]:
                pipeline.hgetall(f"segments:task:{task}")
            answers += pipeline.execute()
        return dict(zip(tasks, answers))

    def read_jobs(self):
        ends = collections.Counter()
        for _, kind, data in self.events:
            if kind in ("job.completed", "job.failed", "job.cancelled"):
                ends[json.loads(data)["job_id"], kind] += 1
        for job in self.uploads.jobs:
            status = self.cluster.server.call("GET", f"/api/jobs/{job}/status").json
            end, pieces = ("FAILED", 0) if job in self.given_up else ("COMPLETED", UPLOAD_PIECES)
            if status["status"] != end or len(status["output_urls"]) != pieces:
                self.fault("a job", status)
            told = {kind: count for (of, kind), count in ends.items() if of == job}
            if told != {f"job.{end.lower()}": 1}:
                self.fault("ends of a job", (job, told))
        for (job, kind), count in ends.items():
            if job not in self.uploads.jobs:
                self.fault("an end of no job", (job, kind, count))
        self.numbers.update(jobs=len(self.uploads.jobs), refused_uploads=self.uploads.refusals)

    def tell(self):
        lines = [f"{kind}: {len(found)}, such as {found[:3]}" for kind, found in self.faults.items()]
        return "\n".join(lines)
