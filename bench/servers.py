"""The servers that are measured, and what the system says of them."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("SEGMENTS_BENCH_BUILD", ROOT / "build/release"))
BINARY = BUILD / "segments"
SECRET = secrets.token_hex(24)
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def family(pid):
    """The process and all that came from it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for thread in pathlib.Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def cpu_of(pid):
    """Seconds that the process and its children have used, those that ended included."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15]))
    return total / TICKS


def ran_for(pid):
    """Seconds that the process's threads have run, to the nanosecond; threads that have ended are not counted."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def files_of(pid):
    """How many descriptors the process has open."""
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def memory_of(pid):
    """Resident and private megabytes."""
    resident = private = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            text = pathlib.Path(f"/proc/{one}/smaps_rollup").read_text()
            resident += int(re.search(r"Rss: +(\d+)", text)[1])
            private += sum(int(n) for n in re.findall(r"Private_(?:Clean|Dirty): +(\d+) kB", text))
    return resident / 1024, private / 1024


class Server:
    """A program that answers HTTP on a port of this machine."""

    def __init__(self, words, cwd, env=None, health="/health"):
        self.words, self.cwd, self.env, self.health = words, cwd, env, health
        self.process, self.port, self.started_in = None, None, None

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen(self.words, cwd=self.cwd, env=self.env, stdout=subprocess.DEVNULL, stderr=open(self.cwd / "stderr.log", "ab"))
        while True:
            assert self.process.poll() is None, (self.words, (self.cwd / "stderr.log").read_text()[-2000:])
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.fetch(self.health)
                break
            time.sleep(0.001)
        self.started_in = time.monotonic() - began
        return self

    def fetch(self, path, headers=None, method="GET", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        assert 200 <= response.status < 300, (path, response.status, answer[:300])
        return answer

    @property
    def cpu(self):
        return cpu_of(self.process.pid)

    @property
    def memory(self):
        return memory_of(self.process.pid)

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            children = family(self.process.pid)
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:  # a Python that waits for a call to end
                for one in children:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
                self.process.wait()


class Ours(Server):
    def __init__(self, folder, workers=0, **env):
        folder.mkdir(parents=True, exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")}
        port = free_port()
        super().__init__([str(BINARY), "serve"], folder, {**clean, "SEGMENTS_DATA_DIR": str(folder / "data"), "SEGMENTS_WORKERS": str(workers), "PORT": str(port),
                                                          "SEGMENTS_LOG_LEVEL": "warning", "SEGMENTS_AUTH_SECRET": SECRET, "SEGMENTS_SOCIAL_SYNCS_PER_MINUTE": "0", **env})
        self.port = port

    def token(self, user):
        """The value of the header."""
        return "Bearer " + subprocess.run([self.words[0], "token", "--user", user], env=self.env, cwd=self.cwd, capture_output=True, text=True, check=True).stdout.strip()


class Peer(Server):
    """The Python service of peer/ in two processes. `python`: whose packages it uses."""

    def __init__(self, folder, python, store, **env):
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        super().__init__([str(python), "-m", "uvicorn", "app:app", "--port", str(port), "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
                          "--log-level", "error"], folder, {**os.environ, "PEER_STORE": str(store), "PEER_SECRET": SECRET, "PYTHONPATH": str(ROOT / "bench/peer"), **env})
        self.port = port


class Nginx(Server):
    """Answers the given bytes at /same from memory, and keeps files at /files/ by PUT and GET."""

    def __init__(self, folder, body=b""):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "files").mkdir(exist_ok=True)
        port = free_port()
        text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "${dollar}")
        answer = f"return 200 '{text}';"
        if len(text) > 3000:  # nginx takes no longer words; a cached file is the next best
            (folder / "same").write_bytes(body)
            answer = f"root {folder}; open_file_cache max=10; sendfile on;"
        (folder / "nginx.conf").write_text(f"""
user root; worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_max_body_size 0; client_body_temp_path {folder}/files/tmp; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  geo $dollar {{ default "$"; }}
  server {{ listen 127.0.0.1:{port}; default_type application/json;
    location /same {{ {answer} }}
    location /files/ {{ root {folder}; dav_methods PUT; sendfile on; }}
    location /health {{ return 200 'ok'; }} }} }}
""")
        super().__init__(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], folder)
        self.port = port

    def stop(self, how=signal.SIGQUIT):
        super().stop(how)


def drive(server, requests, seconds=5, connections=64, rate=0, warm=0.5):
    """What bench_load tells, with `cpu`: µs of the server's a request. `requests`: a file, or what makes one for this run alone."""
    requests = requests() if callable(requests) else requests
    words = [BUILD / "src/bench_load", server.port, requests, seconds, connections, rate, warm]
    load = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    connected = load.stdout.readline()
    before = server.cpu
    out = load.stdout.readline()
    spent = server.cpu - before
    rest = load.communicate()
    assert connected and load.returncode == 0, out + rest[1] + "\n" + server.cwd.joinpath("stderr.log").read_text()[-1000:]
    told = json.loads(out)
    assert told["answers"], f"no answer from {server.words}"
    told["cpu"] = spent / told["sent"] * 1e6
    return told


def side_by_side(runs, rounds=3, **how):
    """Each of `runs` (name: (server, requests)) in turn, so many rounds; lists of what drive() gave, by name."""
    told = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs) if number % 2 == 0 else reversed(list(runs)):
            told[name].append(drive(*runs[name], **how))
            print(f"… {name}: {told[name][-1]['rate']:,.0f}/s, {told[name][-1]['cpu']:.1f} µs, p99 {told[name][-1]['p99'] / 1000:.2f} ms", file=sys.stderr)
    return told


def middle(values):
    return sorted(values)[len(values) // 2]


def spread(values, form="{:,.1f}"):
    """The median, and the range in brackets."""
    return f"{form.format(middle(values))} ({form.format(min(values))}-{form.format(max(values))})"


def ratios(told, name, to, member="cpu"):
    return [a[member] / b[member] for a, b in zip(told[name], told[to])]


def write_requests(path, requests):
    with open(path, "w") as file:
        for one in requests:
            file.write(json.dumps(one) + "\n")
    return path


def newest_python(folder):
    """A Python with the newest releases of what the peer uses, where pip reaches a registry; else None."""
    python = folder / "bin/python"
    if not python.exists():
        done = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True).returncode == 0 and subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "fastapi", "uvicorn[standard]", "boto3", "pyjwt"], capture_output=True).returncode == 0
        if not done:
            shutil.rmtree(folder, ignore_errors=True)
            return None
    return python
