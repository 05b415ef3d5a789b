"""Programs that run beside a server and end with their test: our worker, and whatever Celery's command starts."""
import json
import os
import pathlib
import signal
import subprocess
import sys

from conftest import BINARY, PATIENCE, ROOT, wait_until

PYTHON = sys.executable  # Debian's, which has celery
CLIENT = ROOT / "clients/python"


class Program:
    def __init__(self, name, command, env, folder):
        self.path = pathlib.Path(folder) / (name + ".log")
        with open(self.path, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)

    @property
    def log(self):
        return self.path.read_text(errors="replace")  # it may be in the midst of a line

    def wait_log(self, text):
        wait_until(lambda: text in self.log or self.process.poll() is not None)
        assert text in self.log, self.log[-3000:]
        return self

    def is_alive(self):
        return self.process.poll() is None

    def events(self, name):
        """The lines of our log about one event; the last may be half written."""
        lines = [json.loads(line) for line in self.log.splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]
        return [line for line in lines if line["event"] == name]

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        return self.process.wait(seconds)

    def stop(self):
        if self.is_alive():
            self.send(signal.SIGTERM)
        return self.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Programs:
    def __init__(self, folder):
        self.folder, self.started = pathlib.Path(folder), []

    def start(self, name, command, env, folder=None):
        self.started.append(Program(name, command, env, folder or self.folder))
        return self.started[-1]

    def worker(self, server, name, *flags, **env):
        """`segments worker` on a server's data folder and Redis, once it is there for Celery's clients."""
        program = self.start(name, [BINARY, "worker", "--hostname", f"{name}@here", *flags], {**server.env, **env})
        return program.wait_log('"worker.started"')

    def celery(self, name, url, *words, module="tasks", folder=CLIENT, **env):
        """Celery's command with that folder's module."""
        return self.start(name, [PYTHON, "-W", "ignore", "-m", "celery", "-A", module, *words], python_env(url, folder, **env))

    def end(self):
        for program in self.started:
            if program.is_alive():
                program.send(signal.SIGTERM)
        for program in self.started:
            try:
                program.wait(5)  # tests that want a graceful end ask for it themselves
            except subprocess.TimeoutExpired:
                program.kill()


def python_env(url, folder, **more):
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(folder), "REDIS_URL": url, **more}


def run_python(url, text, folder=CLIENT):
    """A program of a producer's, run where `tasks` is that folder's module; what it printed."""
    answer = subprocess.run([PYTHON, "-W", "ignore", "-c", text], env=python_env(url, folder), cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def celery_command(url, *words, code=0):
    """`celery -A tasks WORDS` as an operator types it, in the folder of tasks.py; and again where Celery's one second for answers was too short."""
    def run():
        return subprocess.run([PYTHON, "-W", "ignore", "-m", "celery", "-A", "tasks", *words], env=python_env(url, CLIENT), cwd=CLIENT,
                              capture_output=True, text=True, timeout=PATIENCE)

    answer = run()
    for _ in range(20):
        if answer.returncode == code or "No nodes replied" not in answer.stdout + answer.stderr:
            break
        answer = run()
    assert answer.returncode == code, (words, answer.stdout, answer.stderr)
    return answer.stdout


SESSION = """
import contextlib, io, json, sys
from celery.bin.celery import celery
for words in json.loads(sys.argv[1]):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        celery.main(["-A", "tasks", *words.split()], standalone_mode=False)
    print(json.dumps(printed.getvalue()))
"""


def celery_session(url, *commands):
    """Several of them one after another, without a start of Python for each; what each printed."""
    answer = subprocess.run([PYTHON, "-W", "ignore", "-c", SESSION, json.dumps(commands)], env=python_env(url, CLIENT), cwd=CLIENT, capture_output=True, text=True,
                            timeout=2 * PATIENCE)
    assert answer.returncode == 0, (commands, answer.stdout, answer.stderr)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def celery_app(url):
    """A producer within this process."""
    from celery import Celery
    app = Celery("tasks", broker=url, backend=url)
    app.conf.update(task_serializer="json", accept_content=["json"], result_serializer="json")
    return app


def link_posts(server, posts=1, platform="tiktok"):
    """A segment with so many posts whose counts can be read, one after another, with no task for it queued; its id."""
    from conftest import segment_body
    segment = server.call("POST", "/api/segments", segment_body()).json["segment_id"]
    for post in range(posts):
        linked = server.call("POST", f"/api/segments/{segment}/social-media?wait=true", {"platform": platform, "post_id": f"73000000000000000{post:02}"})
        assert linked.status < 300, linked.body
    return segment


# A platform so slow that the reading of a segment with POSTS_FOR_LONG posts is under way as long as a test needs.
SLOW_PLATFORM = "latency_ms=60000"
POSTS_FOR_LONG = 8
