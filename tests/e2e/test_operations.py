"""What whoever keeps it up relies on: readiness, metrics, logs, graceful stop, start-up errors, the command line."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
from conftest import BINARY, CLOUD, PATIENCE, ROOT, free_port, segment_body, wait_until
from streams import Stream


def run(*arguments, env=None, cwd=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SEGMENTS_")}
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=PATIENCE, cwd=cwd, env={**clean, **(env or {})})


def test_every_bad_setting_is_named_at_once(tmp_path):
    answer = run("serve", cwd=tmp_path, env={"PORT": "99999", "SEGMENTS_STORE": "mongodb", "SEGMENTS_WORKERS": "-3", "SEGMENTS_AUTH": "maybe", "SEGMENTS_NONSENSE": "1"})
    assert answer.returncode == 2
    for name in ("PORT", "SEGMENTS_STORE", "SEGMENTS_WORKERS", "SEGMENTS_AUTH", "SEGMENTS_NONSENSE"):
        assert name in answer.stderr, answer.stderr
    assert "sqlite" in answer.stderr and "token" in answer.stderr
    assert not (tmp_path / "segments-data").exists()


def test_auth_none_refuses_an_open_address(tmp_path):
    answer = run("serve", cwd=tmp_path, env={"HOST": "0.0.0.0", "SEGMENTS_AUTH": "none", "PORT": str(free_port())})
    assert answer.returncode == 2 and "SEGMENTS_AUTH_NONE_ANYWHERE" in answer.stderr


def test_the_command_line(tmp_path):
    assert "serve" in run("--help").stdout
    assert run("version").returncode == 0
    assert json.loads(run("openapi").stdout)["openapi"].startswith("3.1")
    assert run("nonsense").returncode == 2
    call = ("token", "--user", "ann", "--data-dir", str(tmp_path / "d"), "--expires", "1h")
    mistyped = run(*call)
    assert mistyped.returncode == 1 and "no data folder" in mistyped.stderr and not (tmp_path / "d").exists()
    (tmp_path / "d").mkdir()
    assert run(*call).stdout.strip().count(".") == 2
    assert run("worker", "--concurrency", "0").returncode == 2


@pytest.mark.embedded("secrets of its own are files of the data folder; many processes are given theirs")
def test_secrets_are_readable_by_their_owner_alone(server):
    for name in ("auth.secret", "url.secret"):
        assert (server.data / name).stat().st_mode & 0o777 == 0o600


def test_secrets_are_never_logged(server):
    made = server.call("POST", "/api/segments", segment_body()).json["segment_id"]
    server.call("GET", f"/api/segments/{made}/download")
    server.call("GET", "/api/segments", headers={"Authorization": "Bearer broken.token.value"})
    log = pathlib.Path(server.log.name).read_text()
    secrets = [server.env["SEGMENTS_AUTH_SECRET"], server.env["AWS_SECRET_ACCESS_KEY"]] if CLOUD else [(server.data / "auth.secret").read_text().strip()]
    assert not [secret for secret in secrets if secret in log] and "Signature=" not in log and server.token().split(".")[2] not in log and "broken.token.value" not in log


def test_ready_tells_the_truth_about_each_part(server):
    wait_until(lambda: server.call("GET", "/ready", user=None).status == 200)
    checks = server.call("GET", "/ready", user=None).json
    text = json.dumps(checks)
    for part in ("store", "objects", "queue", "worker", "disk"):
        assert part in text
    workers = server.worker_pids()
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)  # it hangs
    try:
        wait_until(lambda: server.call("GET", "/ready", user=None).status == 503)
        assert server.call("GET", "/health", user=None).status == 200
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
    wait_until(lambda: server.call("GET", "/ready", user=None).status == 200)


def test_metrics_count_what_happened(server, small_video):
    job = server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3, "mode": "keyframe"})
    segments = server.wait_segments(job)
    server.call("POST", f"/api/segments/{segments[0]['segment_id']}/social-media?wait=true", {"platform": "youtube", "post_id": "dQw4w9WgXcQ"})

    def metrics():
        return server.call("GET", "/metrics", user=None).body.decode()

    wait_until(lambda: "create_segments_from_video_task" in metrics() and "social_sync" in metrics())
    text = metrics()
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? (NaN|[+-]?Inf|[-+0-9.e]+)', line), line
    assert re.search(r'http_requests_total\{.*route="/api/upload/complete".*\} 1\b', text) or "/api/upload/complete" in text


def test_the_log_is_json_and_says_what_the_seed_asks_for(server, small_video):
    job = server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3, "mode": "keyframe"})
    segment = server.wait_segments(job)[0]["segment_id"]
    server.call("POST", "/api/segments", segment_body())
    server.call("POST", f"/api/segments/{segment}/social-media?wait=true", {"platform": "tiktok", "post_id": "7300000000000000001"}, {"X-Request-Id": "my-request-1"})
    wait_until(lambda: {"segment.created", "social.sync"} <= {line.get("event") for line in server.log_lines()})
    wait_until(lambda: any(line.get("request_id") == "my-request-1" for line in server.log_lines()))
    wait_until(lambda: any(line.get("event") == "http.request" and line.get("status") == 201 for line in server.log_lines()))
    lines = server.log_lines()
    assert all("time" in line and "level" in line for line in lines if "event" in line)


def test_a_graceful_stop_finishes_or_hands_back(make_server, small_video):
    server = make_server().start()
    jobs = [server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 1, "mode": "exact"}) for _ in range(4)]
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.sendall(f"GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token()}\r\n\r\n".encode())
        assert b"200 OK" in stream.recv(4096)
        assert server.stop() == 0
        stream.settimeout(PATIENCE)
        while stream.recv(4096):
            pass  # the stream is closed, not left hanging
    server.start()
    for job in jobs:
        assert len(server.wait_segments(job)) == 6


def test_a_taken_port_is_one_sentence(make_server):
    first = make_server().start()
    answer = run("serve", env={**first.env, "SEGMENTS_DATA_DIR": str(first.data) + "-second", "PORT": str(first.port)})
    assert answer.returncode == 1 and str(first.port) in answer.stderr + answer.stdout


def test_the_worker_of_another_process_does_the_work(make_server, small_video):
    server = make_server(env={"SEGMENTS_WORKERS": "0"}).start()
    job = server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3, "mode": "keyframe"})
    time.sleep(1)
    assert server.call("GET", f"/api/jobs/{job}/status").json["status"] == "QUEUED"
    worker = subprocess.Popen([str(BINARY), "worker", "--concurrency", "1"], env=server.env, cwd=server.data.parent, stderr=server.log, stdout=server.log)
    try:
        assert len(server.wait_segments(job)) == 2
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0


def test_an_event_stream_gets_what_another_process_did(make_server, small_video):
    server = make_server().start()
    stream = Stream(server, "/api/events")
    server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3, "mode": "keyframe"})
    wait_until(lambda: {"job.progress", "job.completed", "segment.created"} <= {name for _, name, _ in stream.events})


def test_the_readme_is_true():
    """Every command block of the README that is marked to run does run, and the settings' table is the program's own."""
    readme = (ROOT / "README.md").read_text()
    table = run("config").stdout.strip()
    assert table and table in readme
    for path in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / path).exists(), path


def test_the_readme_requests_run_as_printed(make_server):
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"<!-- runs against a server -->\n```bash\n(.*?)```", readme, re.S)
    assert blocks
    server = make_server().start()
    script = "\n".join(blocks).replace("build/release/segments", str(BINARY)).replace("localhost:8000", f"127.0.0.1:{server.port}")
    answer = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=server.data.parent, env=server.env, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "segment_id" in answer.stdout
