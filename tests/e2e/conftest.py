"""Starts the built program as its users do, and speaks HTTP to it."""
import ast
import contextlib
import inspect
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.parse
from http.client import HTTPConnection

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("SEGMENTS_BINARY", ROOT / "build/release/segments"))
CLOUD = os.environ.get("SEGMENTS_TEST_ENGINES") == "cloud"  # every server on DynamoDB, S3 and Redis, in many processes
PATIENCE = 90  # seconds that another process is waited for: far more than it needs on a slow machine, and seldom spent
VIDEOS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "segments-test-videos"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.body[:500]!r}"

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


class Server:
    """One `segments serve`; ends with everything that it started."""

    def __init__(self, data, user="alice", env=None, flags=()):
        self.data, self.user, self.flags = pathlib.Path(data), user, list(flags)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SEGMENTS_")}
        self.env.update({"SEGMENTS_DATA_DIR": str(self.data), "HOST": "127.0.0.1"}, **(env or {}))
        self.port = 0
        self.process = None
        self.tokens = {}

    def start(self, wait="/health"):
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self.env["PORT"] = str(self.port)
        self.log = open(str(self.data) + ".log", "ab")
        self.process = subprocess.Popen([str(BINARY), "serve", *self.flags], env=self.env, stdout=self.log,
                                        stderr=self.log, cwd=self.data.parent, start_new_session=True)
        wait_until(lambda: self.answers(wait) or self.process.poll() is not None)
        assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()[-2000:]
        return self

    def answers(self, path):
        with contextlib.suppress(OSError):
            return self.call("GET", path, user=None).status == 200

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=PATIENCE):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds)
        self.log.close()
        return self.process.returncode

    def end(self):
        """At the end of a test: nothing that it started is to outlive it, whatever happens."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def pids(self):
        """Of what it consists of."""
        return [self.process.pid]

    def worker_pids(self):
        return [int(pid) for pid in subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()]

    def work_files(self):
        return [path for path in self.data.rglob("*") if "work" in path.parts and path.is_file()]

    def put_object(self, key, path, content_type="video/mp4"):
        """As a worker leaves it."""
        from celery_cluster import FolderStore
        FolderStore(self.data / "objects").put_file(key, path, content_type)

    def pieces_of(self, job):
        """Those objects."""
        return [path for path in (self.data / "objects").rglob("*") if job in str(path) and "processed" in str(path) and path.is_file()]

    def log_lines(self):
        lines = []
        for line in pathlib.Path(self.log.name).read_text().splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
        return [line for line in lines if isinstance(line, dict)]

    def token(self, user=None):
        user = user or self.user
        if user not in self.tokens:
            self.tokens[user] = subprocess.run([str(BINARY), "token", "--user", user], env=self.env, check=True,
                                               capture_output=True, text=True, cwd=self.data.parent).stdout.strip()
        return self.tokens[user]

    def call(self, method, path, body=None, headers=None, user="", timeout=PATIENCE):
        """user: "" the server's own, None sends no token."""
        headers = dict(headers or {})
        if user is not None and self.env.get("SEGMENTS_AUTH", "token") == "token" and "Authorization" not in headers:
            headers["Authorization"] = "Bearer " + self.token(user or None)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        address = f"127.0.0.1:{self.port}"
        if path.startswith("http"):
            parts = urllib.parse.urlsplit(path)
            address, path = parts.netloc, parts.path + ("?" + parts.query if parts.query else "")
        connection = HTTPConnection(address, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()
        if answer.status == 307:  # followed as browsers do
            return self.call(method, answer.header("Location"), body, headers, user, timeout)
        return answer

    def upload(self, video, title=None, cutting=None, **more):
        """The client's way: initiate, PUT, complete. The job's id."""
        content = pathlib.Path(video).read_bytes()
        name = pathlib.Path(video).name
        started = self.call("POST", "/api/upload/initiate",
                            {"filename": name, "content_type": "video/mp4", "file_size": len(content)})
        assert started.status == 200, started.body
        put = self.call("PUT", started.json["presigned_url"], content, {"Content-Type": "video/mp4"}, user=None)
        assert put.status == 200, put.body
        done = self.call("POST", "/api/upload/complete",
                         {"s3_key": started.json["s3_key"], "job_id": started.json["job_id"], "filename": name,
                          "file_size": len(content), "title": title or name,
                          "cutting_options": cutting or {"type": "fixed", "duration_seconds": 30}, **more})
        assert done.status < 300, done.body
        return started.json["job_id"]

    def wait_job(self, job, seconds=400):
        wait_until(lambda: self.call("GET", f"/api/jobs/{job}/status").json["status"] in
                   ("COMPLETED", "FAILED", "CANCELLED"), seconds)
        return self.call("GET", f"/api/jobs/{job}/status").json

    def wait_segments(self, job, seconds=400):
        """The job's segments, once every output has its record."""
        status = self.wait_job(job, seconds)
        assert status["status"] == "COMPLETED", status
        found = []

        def all_there():
            found[:] = self.call("GET", f"/api/videos/{job}/segments").json["segments"]
            return len(found) >= len(status["output_urls"])

        wait_until(all_there, seconds)
        return found


chosen_ports = set()


def free_port():
    """Below those that the system gives to outgoing connections, which could take it while its program is being started again."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            if port not in chosen_ports:
                chosen_ports.add(port)
                return port


def wait_until(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.03)
    caller = inspect.getframeinfo(sys._getframe(1))
    raise AssertionError("\n".join([f"not within {seconds} s: {(caller.code_context or [''])[0].strip()}", *what_it_saw(condition)]))


def what_it_saw(condition):
    """The values that a condition compares, once more."""
    with contextlib.suppress(Exception):  # its text may be no whole statement
        tree = ast.parse(textwrap.dedent(inspect.getsource(condition)).strip())
        names = {**condition.__globals__, **inspect.getclosurevars(condition).nonlocals}
        for node in ast.walk(next(node for node in ast.walk(tree) if isinstance(node, (ast.Lambda, ast.FunctionDef)))):
            if isinstance(node, ast.Compare):
                for value in (node.left, *node.comparators):
                    if not isinstance(value, ast.Constant):
                        with contextlib.suppress(Exception):
                            yield f"{ast.unparse(value)} is {eval(compile(ast.Expression(value), '?', 'eval'), names)!r}"[:1500]


def segment_body(video_id="v1", number=1, **more):
    return {"video_id": video_id, "segment_type": "processed", "segment_number": number,
            "s3_key": f"processed/{video_id}/segment_{number:03}.mp4", "duration": 30.0, "file_size": 1000, **more}


LONGEST = ("test_redis_crash", "test_crash", "test_main_job")


def pytest_configure(config):
    config.addinivalue_line("markers", "embedded(why): by its nature about an embedded engine")
    config.addinivalue_line("markers", "cloud: about DynamoDB, S3 and Redis together")


def pytest_collection_modifyitems(config, items):
    # Files that take long first, so that none is left to run alone where several are run at a time.
    items.sort(key=lambda item: LONGEST.index(item.module.__name__) if item.module.__name__ in LONGEST else len(LONGEST))
    # With SEGMENTS_TEST_ENGINES=cloud all that is not about the embedded engines, without it all that is not about the cloud's.
    others = "embedded" if CLOUD else "cloud"
    assert all(mark.args for item in items for mark in item.iter_markers("embedded")), "a mark says why"
    config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(others)])
    items[:] = [item for item in items if not item.get_closest_marker(others)]


@pytest.fixture(scope="session")
def account(tmp_path_factory):
    """The DynamoDB and the S3 of a run on these, else none."""
    if not CLOUD:
        yield None
        return
    from cloud import Account
    account = Account(tmp_path_factory.mktemp("account"))
    yield account
    account.close()


@pytest.fixture
def make_server(tmp_path, account):
    servers = []

    def make(**options):
        data = tmp_path / f"data{len(servers)}"
        if CLOUD:
            from cloud import CloudServer
            server = CloudServer(account, data, **options)
        else:
            server = Server(data, **options)
        servers.append(server)
        return server

    yield make
    started = [server for server in servers if server.process]
    for server in started:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
    with contextlib.ExitStack() as ends:
        for server in started:
            ends.callback(server.end)


@pytest.fixture
def server(make_server):
    return make_server().start()


@pytest.fixture
def redis(tmp_path):
    """A Redis of this test's own."""
    from redis_server import RedisServer
    server = RedisServer(tmp_path / "redis").start()
    yield server
    server.stop()


@pytest.fixture
def app(redis):
    """Python's Celery on it, as a producer."""
    from programs import celery_app
    app = celery_app(redis.url)
    yield app
    app.backend.result_consumer.stop()
    app.backend.result_consumer._pubsub = None  # results that are collected later need not unsubscribe from a Redis that is gone


@pytest.fixture
def beside(tmp_path):
    """Starts programs that end with the test."""
    from programs import Programs
    programs = Programs(tmp_path)
    yield programs
    programs.end()


def on_redis(url, **more):
    """The environment of a program whose queue is that Redis."""
    return {"SEGMENTS_QUEUE": "redis", "REDIS_URL": url, **more}


@pytest.fixture(scope="session")
def small_video(tmp_path_factory):
    """Six seconds of 160x120 with a tone: quick to cut."""
    path = tmp_path_factory.mktemp("media") / "small.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=6", "-f", "lavfi",
                    "-i", "sine=frequency=440:duration=6", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac",
                    "-shortest", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def piece(tmp_path_factory):
    """Two seconds, such as a cutting leaves."""
    path = tmp_path_factory.mktemp("media") / "piece.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=10:duration=2", "-c:v", "libx264",
                    "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(path)], check=True)
    return path
