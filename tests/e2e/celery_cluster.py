"""Segments on one Redis as it is run for many users: a server, several workers, Python's producers; to be killed and looked at."""
import contextlib
import json
import os
import pathlib
import secrets
import signal
import sqlite3
import subprocess
import sys

from conftest import BINARY, PATIENCE, ROOT, Server, on_redis

PYTHON = sys.executable  # Debian's, which has celery


class FolderStore:
    """Many objects of equal bytes in a folder store, at the cost of two links each."""

    def __init__(self, folder, scratch=None):
        self.folder, self.scratch, self.samples = pathlib.Path(folder), scratch and pathlib.Path(scratch), {}

    def sample(self, name, source, *options):
        path = self.scratch / name
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *options, str(path)], check=True)
        self.samples[path.suffix] = path

    def put(self, key, content_type):
        self.put_file(key, self.samples[pathlib.PurePath(key).suffix], content_type)

    def put_file(self, key, path, content_type):
        parts = key.split("/")
        name = secrets.token_hex(16) + "~" + content_type.replace("/", "%2F")
        link = self.folder.joinpath("by-key", *[part + "+" for part in parts[:-1]], parts[-1])
        link.parent.mkdir(parents=True, exist_ok=True)
        bytes_file = self.folder / "bytes" / name[:2] / name
        bytes_file.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, bytes_file)
        link.symlink_to(os.path.relpath(bytes_file, link.parent))

    def put_pieces(self, video, pieces):
        """As the cutting of a video leaves them."""
        for number in range(1, pieces + 1):
            self.put(f"processed/{video}/segment_{number:03}.mp4", "video/mp4")
            self.put(f"thumbnails/{video}/segment_{number:03}.jpg", "image/jpeg")


class Worker:
    """One `segments worker`, started again whenever it is killed."""

    def __init__(self, number, env, folder, slots):
        self.command = [str(BINARY), "worker", "--concurrency", str(slots), "--hostname", f"w{number}@%h"] + ["--beat"] * (number == 0)
        self.env, self.log, self.folder, self.process = env, open(folder / f"worker{number}.log", "ab"), folder, None

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.env, stdout=self.log, stderr=self.log, cwd=self.folder, start_new_session=True)

    def keep_running(self):
        if self.process.poll() is not None:
            self.start()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.log.close()
        return code


class Producer:
    """celery_producer.py as a program of its own."""

    def __init__(self, url, log):
        self.process = subprocess.Popen([PYTHON, str(pathlib.Path(__file__).with_name("celery_producer.py"))], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=open(log, "ab"),
                                        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "clients/python"), "REDIS_URL": url})

    def tell(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, "the producer died"
        return json.loads(line)

    def ask(self, *command):
        self.tell(*command)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)


class Cluster:
    def __init__(self, folder, url, workers=3, slots=2):
        self.folder, self.url = pathlib.Path(folder), url
        self.server = Server(self.folder / "data", env=on_redis(url, SEGMENTS_WORKERS="0")).start()
        self.objects = FolderStore(self.server.data / "objects", self.folder)
        self.objects.sample("piece.mp4", "testsrc=size=32x32:rate=10:duration=1", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
        self.objects.sample("thumbnail.jpg", "color=size=16x16:duration=1", "-frames:v", "1")
        self.workers = [Worker(number, self.server.env, self.folder, slots) for number in range(workers)]
        for worker in self.workers:
            worker.start()
        self.producer = Producer(url, self.folder / "producer.log")

    def keep_running(self):
        for worker in self.workers:
            worker.keep_running()

    def stop(self):
        self.producer.end()
        for worker in self.workers:
            worker.stop()
        codes = [worker.wait() for worker in self.workers]
        return codes + [self.server.stop()]

    def kill(self):
        """Where a test gave up half-way; what was stopped already stays so."""
        for process in [self.server.process, self.producer.process, *(worker.process for worker in self.workers)]:
            if process.poll() is None:
                process.kill()
                process.wait()

    def records(self):
        return self.rows("SELECT count(*) FROM segments")[0][0]

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.server.data / "segments.db", timeout=PATIENCE)) as store:
            return store.execute(sql).fetchall()
