#!/usr/bin/env python3
"""Our worker and Python's in turn on one Redis: tasks a second, CPU a task, and what each asks of Redis.

usage: measure_celery.py BUILD_FOLDER [--rounds N]

Messages are queued by Debian's Celery beforehand, kept in another database of the same Redis and copied from there, so that
every worker is given the same bytes and no producer is measured. A worker is started, does a few tasks to be warm, and then
finds all the others at once. Every result is checked.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import redis
from celery import Celery

from servers import ROOT, SECRET, Ours, cpu_of, free_port

sys.path.insert(0, str(ROOT / "tests/engines"))
import engines  # noqa: E402 - found by the line above

SLOTS = 2
PIECES = 10
NOTHING, SEGMENTS, SYNC = "bench.nothing", "tasks.create_segments_from_video_task", "tasks.sync_social_media_metrics_task"
USER = "alice"


class RedisServer:
    """A redis-server of this run's own, without a disk: what is compared are the workers."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"],
                                        stdout=subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.db = redis.Redis(port=self.port, db=0)
        self.kept = redis.Redis(port=self.port, db=1)
        self.asked, self.polls = {}, 0
        wait_until(self.answers, 10)

    def answers(self):
        try:
            return self.db.ping()
        except redis.RedisError:
            return False

    def poll(self, *commands):
        """One round trip whose commands are not counted as the worker's."""
        self.polls += 1
        pipe = self.db.pipeline(transaction=False)
        for name, *arguments in commands:
            self.asked[name.lower()] = self.asked.get(name.lower(), 0) + 1
            pipe.execute_command(name, *arguments)
        return pipe.execute()

    def figures(self):
        self.polls += 1
        info = self.db.info("everything")
        calls = {name.removeprefix("cmdstat_"): figure["calls"] for name, figure in info.items() if name.startswith("cmdstat_")}
        calls.pop("info", None)
        for name, count in self.asked.items():
            calls[name] -= count
        return {"calls": calls, "commands": sum(calls.values()), "reads": info["total_reads_processed"] - self.polls, "bytes": info["total_net_input_bytes"],
                "cpu": info["used_cpu_user"] + info["used_cpu_sys"]}

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wait_until(condition, seconds, pause=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(pause)


class Worker:
    """The command of one kind of worker, in a folder of its own."""

    def __init__(self, name, command, env=None):
        self.name, self.command, self.env = name, command, env or {}

    def start(self, folder, url):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SEGMENTS_", "BENCH_", "CELERY_"))}
        env.update(self.env, BENCH_REDIS=url, BENCH_FOLDER=str(folder), PYTHONDONTWRITEBYTECODE="1", C_FORCE_ROOT="1",
                   SEGMENTS_DATA_DIR=str(folder), SEGMENTS_QUEUE="redis", REDIS_URL=url, SEGMENTS_LOG_LEVEL="warning")
        self.log = folder / "worker.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen([word.format(url=url, folder=folder) for word in self.command], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()


def python_worker(name, acks_late, events, **env):
    return Worker(name, ["/usr/bin/python3", "-m", "celery", "--workdir", str(ROOT / "bench"), "-A", "python_worker", "worker", "--pool", "prefork", "--concurrency", str(SLOTS),
                         "--loglevel", "WARNING", *(["-E"] if events else [])], {"BENCH_ACKS_LATE": "1" if acks_late else "0", **env})


class Tasks:
    """Messages of one task, the same for every worker: `warm` of them first, then up to `count`."""

    def __init__(self, server, name, arguments, results, warm):
        self.server, self.name, self.results, self.warm = server, name, results, warm
        producer = Celery("producer", broker=server.url)  # without results nobody waits for them
        began = time.monotonic()
        with producer.producer_or_acquire() as channel:
            self.ids = [producer.send_task(name, args=args, producer=channel).id for args in arguments]
        self.queued_s = time.monotonic() - began
        assert server.db.llen("celery") == len(self.ids)
        messages = server.db.lrange("celery", 0, -1)[::-1]
        server.db.flushdb()
        self.messages = messages

    def prepare(self, count):
        """In the other database: the warm ones and the next `count`."""
        for key, part in (("warm", self.messages[:self.warm]), ("measured", self.messages[self.warm:self.warm + count])):
            self.server.kept.delete(key)
            for at in range(0, len(part), 2000):
                self.server.kept.lpush(key, *part[at:at + 2000])

    def run(self, worker, folder, count):
        """The figures of one run of `worker`."""
        server = self.server
        server.db.flushdb()
        self.prepare(count)
        worker.start(folder, server.url)
        try:
            self.give("warm")
            self.wait_done(worker, 0, self.warm)
            time.sleep(0.3)  # what a worker does only at its start is done
            self.give("measured", wait=True)
            before, cpu_before, began = server.figures(), cpu_of(worker.process.pid), time.monotonic()
            server.poll(("RENAME", "prepared", "celery"))
            ended = self.wait_done(worker, self.warm, self.warm + count)
            after, cpu = server.figures(), cpu_of(worker.process.pid) - cpu_before
            self.check(count)
        finally:
            worker.stop()
        wait_until(lambda: server.db.hlen("unacked") == 0 and server.db.zcard("unacked_index") == 0, 5)
        by_name = {name: (calls - before["calls"].get(name, 0)) / count for name, calls in after["calls"].items() if calls - before["calls"].get(name, 0) > count / 1000}
        return {"rate": count / (ended - began), "cpu": cpu / count * 1e6, "commands": (after["commands"] - before["commands"]) / count, "reads": (after["reads"] - before["reads"]) / count,
                "bytes": (after["bytes"] - before["bytes"]) / count, "redis_cpu": (after["cpu"] - before["cpu"]) / count * 1e6, "by_name": by_name, "count": count}

    def give(self, key, wait=False):
        self.server.kept.copy(key, "prepared", destination_db=0, replace=True)
        if not wait:
            self.server.db.rename("prepared", "celery")

    def wait_done(self, worker, first, last, seconds=300):
        """Until nothing waits and the last ones have their results; when that was."""
        tail = ["celery-task-meta-" + task for task in self.ids[max(first, last - 300):last]]
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            assert worker.is_alive(), worker.log.read_text()[-3000:]
            waiting, held = self.server.poll(("LLEN", "celery"), ("HLEN", "unacked"))
            now = time.monotonic()
            if waiting == held == 0 and self.server.poll(("EXISTS", *tail))[0] == len(tail):
                return now
            time.sleep(min(0.1, max(0.01, (now - began) / 100)))  # within 1 %, and Redis has hardly anything to do with it
        raise AssertionError(f"{worker.name} is not done in {seconds} s\n" + worker.log.read_text()[-3000:])

    def check(self, count):
        ids = self.ids[:self.warm + count]
        for at in range(0, len(ids), 5000):
            metas = self.server.db.mget("celery-task-meta-" + task for task in ids[at:at + 5000])
            for offset, meta in enumerate(metas):
                assert meta, f"no result of {ids[at + offset]}"
                meta = json.loads(meta)
                assert meta["status"] == "SUCCESS" and meta["result"] == self.results[at + offset], meta


def link_object(folder, key, name):
    *folders, last = key.split("/")
    path = folder.joinpath("objects", "by-key", *(part + "+" for part in folders), last)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(folder / "objects" / "bytes" / name[:2] / name, path.parent))


def make_library(folder, videos):
    """The folder store as cutting leaves it: pieces and thumbnails of each video. All videos share one video's bytes."""
    made = folder / "made"
    made.mkdir(parents=True)
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=440", "-t", str(2 * PIECES),
                    "-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-c:a", "aac", "-f", "segment", "-segment_time", "2", "-reset_timestamps", "1", "piece_%d.mp4"], cwd=made, check=True)
    for piece in range(PIECES):
        subprocess.run(["ffmpeg", "-v", "error", "-i", f"piece_{piece}.mp4", "-frames:v", "1", f"piece_{piece}.jpg"], cwd=made, check=True)
    for piece in range(PIECES):
        for suffix, kind, of in (("mp4", "video%2Fmp4", "processed"), ("jpg", "image%2Fjpeg", "thumbnails")):
            name = os.urandom(16).hex() + "~" + kind
            bytes_path = folder / "objects" / "bytes" / name[:2] / name
            bytes_path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made / f"piece_{piece}.{suffix}", bytes_path)
            for video in videos:
                link_object(folder, f"{of}/{video}/segment_{piece + 1:03d}.{suffix}", name)
    made.rmdir()


def keys_of(video):
    return [f"processed/{video}/segment_{n:03d}.mp4" for n in range(1, PIECES + 1)]


def records_of(folder):
    """The durations and sizes that a worker has recorded, by the pieces' ids."""
    file = next(f for f in (folder / "segments.db", folder / "python.db") if f.exists())
    with sqlite3.connect(file) as connection:
        return {row[0]: (round(row[1], 6), row[2], row[3] is not None) for row in connection.execute("SELECT segment_id, duration, file_size, thumbnail_url FROM segments")}


def median(runs, key):
    values = [run[key] for run in runs]
    return statistics.median(values), min(values), max(values)


def rate_text(rate):
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def show(title, workers, runs, base):
    print(f"\n{title}\n")
    print("| worker | tasks/s | times Python | CPU µs/task, all its processes | Redis CPU µs/task | commands/task | reads of Redis/task | bytes to Redis/task |")
    print("|---|---|---|---|---|---|---|---|")
    for worker in workers:
        mine = runs[worker.name]
        rate, cpu, redis_cpu = median(mine, "rate"), median(mine, "cpu"), median(mine, "redis_cpu")
        ratios = [run["rate"] / other["rate"] for run, other in zip(mine, runs[base])]
        ratio = "" if worker.name == base else f"{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"
        print(f"| {worker.name} | {rate_text(rate[0])} ({rate_text(rate[1])}-{rate_text(rate[2])}) | {ratio} | {cpu[0]:,.0f} ({cpu[1]:,.0f}-{cpu[2]:,.0f}) | "
              f"{redis_cpu[0]:,.0f} ({redis_cpu[1]:,.0f}-{redis_cpu[2]:,.0f}) | {median(mine, 'commands')[0]:.1f} | {median(mine, 'reads')[0]:.2f} | {median(mine, 'bytes')[0]:,.0f} |")
    for worker in workers:
        names = sorted(runs[worker.name][-1]["by_name"].items(), key=lambda item: -item[1])
        print(f"{worker.name}: " + ", ".join(f"{name} {count:.2f}" for name, count in names), file=sys.stderr)


def run_rounds(rounds, workers, run_one):
    runs = {worker.name: [] for worker, _ in workers}
    for number in range(rounds):
        for worker, count in workers if number % 2 == 0 else workers[::-1]:
            figures = run_one(worker, count)
            runs[worker.name].append(figures)
            print(f"… round {number + 1}, {worker.name}, {count} tasks: {rate_text(figures['rate'])}/s, CPU {figures['cpu']:.0f} µs, Redis {figures['redis_cpu']:.0f} µs a task; load {os.getloadavg()[0]:.1f}",
                  file=sys.stderr)
    return runs


def measure_nothing(server, folder, rounds, build, many, few):
    tasks = Tasks(server, NOTHING, [[n] for n in range(500 + many)], list(range(500 + many)), 500)
    print(f"… {len(tasks.ids)} messages queued by Celery in {tasks.queued_s:.0f} s", file=sys.stderr)

    def ours(name, events):
        return Worker(name, [str(build / "src/celery_worker_bench"), "{url}", str(SLOTS), "{folder}/work", *(["-E"] if events else [])])

    workers = [(python_worker("Python", False, False), few), (ours("ours", False), many), (python_worker("Python, acks_late", True, False), few),
               (ours("ours -E", True), many), (python_worker("Python, acks_late, -E", True, True), few)]

    def run_one(worker, count):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            place = pathlib.Path(name)
            import_python_worker().make_database(place)
            return tasks.run(worker, place, count)

    show("A task that does nothing", [worker for worker, _ in workers], run_rounds(rounds, workers, run_one), "Python, acks_late")


def import_python_worker():
    os.environ.setdefault("BENCH_REDIS", "memory://")
    os.environ.setdefault("BENCH_FOLDER", "/nonexistent")
    import python_worker
    return python_worker


def measure_segments(server, folder, rounds, build, many, few):
    warm = 10
    videos = [f"v{n:05d}" for n in range(warm + many)]
    library = folder / "library"
    make_library(library, videos)
    metadata = {"title": "A morning walk", "tags": ["walk", "morning"], "filename": "walk.mp4"}
    arguments = [[video, USER, keys_of(video), metadata] for video in videos]
    results = [{"segments_created": PIECES, "segment_ids": [f"seg_{video}_{n:03d}" for n in range(1, PIECES + 1)], "failed": []} for video in videos]
    tasks = Tasks(server, SEGMENTS, arguments, results, warm)
    workers = [(python_worker("Python", False, False), few), (Worker("ours", [str(build / "segments"), "worker", "--concurrency", str(SLOTS)]), many),
               (python_worker("Python, acks_late", True, False), few)]
    records = {}

    def run_one(worker, count):
        place = pathlib.Path(tempfile.mkdtemp(dir=folder))
        try:
            subprocess.run(["cp", "-a", str(library / "objects"), str(place)], check=True)
            if worker.name != "ours":
                import_python_worker().make_database(place)
            figures = tasks.run(worker, place, count)
            found = records_of(place)
            assert len(found) == (warm + count) * PIECES, len(found)
            # What both have recorded is the same: durations, sizes, and that there is a thumbnail.
            for segment, record in found.items():
                assert records.setdefault(segment, record) == record, (segment, record, records[segment])
            return figures
        finally:
            shutil.rmtree(place, ignore_errors=True)  # a process of Python's pool may be closing its database yet

    show(f"{SEGMENTS}, {PIECES} pieces of 2 s in each video", [worker for worker, _ in workers], run_rounds(rounds, workers, run_one), "Python, acks_late")


def make_posts(build, folder, url, account, count):
    """A table with so many segments of ours, each with a post on one platform; their ids."""
    ours = Ours(folder / "cloud", SEGMENTS_STORE="dynamodb", SEGMENTS_QUEUE="redis", REDIS_URL=url, **account)
    ours.words[0] = str(build / "segments")
    subprocess.run([ours.words[0], "admin", "table", "create"], env=ours.env, cwd=ours.cwd, check=True, stdout=subprocess.DEVNULL)
    ours.start()
    try:
        headers = {"Authorization": ours.token(USER), "Content-Type": "application/json"}
        ids = []
        for number in range(count):
            body = {"video_id": f"v{number}", "segment_type": "processed", "segment_number": 1, "s3_key": f"processed/v{number}/segment_001.mp4", "duration": 2.5, "file_size": 100_000,
                    "title": "A piece of a morning walk", "tags": ["walk", "morning"]}
            ids.append(json.loads(ours.fetch("/api/segments", headers, "POST", json.dumps(body)))["segment_id"])
            ours.fetch(f"/api/segments/{ids[-1]}/social-media", headers, "POST", json.dumps({"platform": "tiktok", "post_id": f"{7 * 10**18 + number}"}))
        return ids
    finally:
        ours.stop()


def measure_sync(server, folder, rounds, build, many, few):
    warm = 10
    with engines.running("dynamodb", folder / "dynamodb") as engine:
        account = {"AWS_REGION": engine.region, "AWS_DEFAULT_REGION": engine.region, "AWS_ACCESS_KEY_ID": engine.access_key, "AWS_SECRET_ACCESS_KEY": engine.secret_key,
                   "AWS_ENDPOINT_URL_DYNAMODB": engine.endpoint, "AWS_ENDPOINT_URL": engine.endpoint, "DYNAMODB_TABLE_NAME": "bench-segments"}
        ids = make_posts(build, folder, server.url, account, warm + many)
        server.db.flushdb()
        results = [{"segment_id": id, "platform": "tiktok", "posts": 1, "synced": 1, "failed": []} for id in ids]
        tasks = Tasks(server, SYNC, [[id, "tiktok"] for id in ids], results, warm)
        ours = Worker("ours", [str(build / "segments"), "worker", "--concurrency", str(SLOTS)], {**account, "SEGMENTS_STORE": "dynamodb", "SEGMENTS_AUTH_SECRET": SECRET, "SEGMENTS_SOCIAL_SYNCS_PER_MINUTE": "0"})
        workers = [(python_worker("Python", False, False, **account), few), (ours, many), (python_worker("Python, acks_late", True, False, **account), few)]

        def run_one(worker, count):
            with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
                return tasks.run(worker, pathlib.Path(name), count)

        show(f"{SYNC}, one post each, on DynamoDB's protocol", [worker for worker, _ in workers], run_rounds(rounds, workers, run_one), "Python, acks_late")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nothing", type=int, nargs=2, metavar=("OURS", "PYTHON"), default=(100_000, 10_000))
    parser.add_argument("--segments", type=int, nargs=2, metavar=("OURS", "PYTHON"), default=(400, 20))
    parser.add_argument("--sync", type=int, nargs=2, metavar=("OURS", "PYTHON"), default=(1_000, 200))
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segments-bench-", dir=os.environ.get("SEGMENTS_BENCH_DIR")))
    server = None
    try:
        server = RedisServer(folder)
        if options.nothing[0]:
            measure_nothing(server, folder, options.rounds, options.build.resolve(), *options.nothing)
        if options.segments[0]:
            measure_segments(server, folder, options.rounds, options.build.resolve(), *options.segments)
        if options.sync[0]:
            measure_sync(server, folder, options.rounds, options.build.resolve(), *options.sync)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


main()
