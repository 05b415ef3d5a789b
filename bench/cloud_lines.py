"""The lines of the table that are about DynamoDB's protocol (dynalite behind the tests' gate) and S3's (radosgw): the CPU of neither is counted."""
import contextlib
import filecmp
import json
import os
import random
import socket
import subprocess
import sys
import time

from http_lines import cpu, ours
from library import Library
from servers import BINARY, BUILD, ROOT, Ours, Peer, Server, drive, free_port, middle, ratios, side_by_side, spread

sys.path.insert(0, str(ROOT / "tests/engines"))
import engines  # noqa: E402 - found by the line above

TABLE = "bench-segments"


@contextlib.contextmanager
def redis(folder):
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""], stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def cloud_lines(table, folder, pythons):
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(engines.running("dynamodb", folder / "dynamodb"))
        url = stack.enter_context(redis(folder))
        account = {"AWS_REGION": engine.region, "AWS_DEFAULT_REGION": engine.region, "AWS_ACCESS_KEY_ID": engine.access_key, "AWS_SECRET_ACCESS_KEY": engine.secret_key,
                   "AWS_ENDPOINT_URL_DYNAMODB": engine.endpoint, "AWS_ENDPOINT_URL": engine.endpoint, "DYNAMODB_TABLE_NAME": TABLE}
        server = Ours(folder / "cloud", SEGMENTS_STORE="dynamodb", SEGMENTS_QUEUE="redis", REDIS_URL=url, **account)
        subprocess.run([str(BINARY), "admin", "table", "create"], env=server.env, cwd=server.cwd, check=True, stdout=subprocess.DEVNULL)
        server.start()
        stack.callback(server.stop)
        library = Library(server, folder / "cloud")
        drive(server, library.creations(list(range(10)), 400), seconds=2, connections=4, warm=0)
        ids = []
        for user in range(10):
            page = json.loads(server.fetch("/api/segments?limit=100", library.headers(user)))
            ids += [(user, s["segment_id"]) for s in page["segments"]]
        random.Random(3).shuffle(ids)
        gets = library.requests("gets.jsonl", [(user, f"/api/segments/{id}") for user, id in ids])
        for name, python in pythons.items():
            peer = Peer(folder / ("peer-cloud-" + name.split()[-1]), python, "dynamodb", **account).start()
            stack.callback(peer.stop)
            for what, requests, target in (("GET /api/segments/{id}", gets, "15 × less"), ("POST /api/segments", library.creations(list(range(10)), 5_000), "")):
                told = side_by_side({"ours": (server, requests), name: (peer, requests)}, rounds=3, seconds=4, connections=8)
                table.row(f"{what} on DynamoDB's protocol", ours(told), f"{name} {cpu(told, name)}", spread(ratios(told, name, "ours")) + " × less", target)
            peer.stop()
    s3_lines(table, folder)


BOTO = """
import os, sys, boto3
way, key, path = sys.argv[1:]
client, bucket = boto3.client("s3", endpoint_url=os.environ["S3_URL"]), os.environ["S3_BUCKET"]
if way == "begin":
    client.create_bucket(Bucket=bucket)
    print(*(client.generate_presigned_url(verb, {"Bucket": bucket, "Key": key}, 86400) for verb in ("put_object", "get_object")))
elif way == "put":
    client.upload_file(path, bucket, key)
else:
    client.download_file(bucket, key, path)
"""
SMALL_MB, LARGE_MB = 64, 1024


class Proxy(Server):
    """nginx between a client and two presigned addresses of S3: /put sends on what comes, piece by piece; /get keeps what it passes on in a file."""

    def __init__(self, folder, put_to, get_from, ca_file):
        folder.mkdir()
        self.stored = folder / "stored"
        self.stored.mkdir()
        port = free_port()
        (folder / "nginx.conf").write_text(f"""
user root; worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; client_max_body_size 0; client_body_buffer_size 256k; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; proxy_http_version 1.1; sendfile on;
  proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca_file}; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.2 TLSv1.3;
  server {{ listen 127.0.0.1:{port};
    location = /put {{ proxy_request_buffering off; proxy_pass {put_to}; }}
    location = /get {{ proxy_store {self.stored}/object; proxy_buffers 8 256k; proxy_buffer_size 256k; proxy_busy_buffers_size 512k; proxy_temp_file_write_size 512k; proxy_pass {get_from}; }}
    location /health {{ return 200 'ok'; }} }} }}
""")
        super().__init__(["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], folder)
        self.port = port

    def move(self, way, file, back):
        """Seconds of CPU; curl's own are not counted."""
        began = self.cpu
        curl = ["-T", file, f"http://127.0.0.1:{self.port}/put"] if way == "put" else [f"http://127.0.0.1:{self.port}/get"]
        subprocess.run(["curl", "-sS", "--fail", "-o", "/dev/null", *curl], check=True)
        if way == "get":
            (self.stored / "object").rename(back)
        return self.cpu - began


def take_memory(folder, megabytes):
    """Pages that the next file finds free: where a virtual machine has to ask its host for them, that can cost more than all else, and who came first would pay it."""
    with open(folder / "pages", "wb") as pages:
        for _ in range(megabytes):
            pages.write(bytes(1 << 20))
    (folder / "pages").unlink()


def used(words, env):
    """Seconds of CPU and megabytes of memory at most of one program."""
    program = subprocess.Popen([str(word) for word in words], env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    assert program.returncode == 0, words
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def s3_round(folder, size, names, over_tls=False):
    """(CPU, memory) of moving so many megabytes up and down, by name; over TLS ours sends what it sends to AWS. With a radosgw of its own: it keeps in memory for hours what was replaced, and has room for eight gigabytes."""
    folder.mkdir()
    with engines.running("s3", folder / "s3") as engine:
        env = {**os.environ, "AWS_ACCESS_KEY_ID": engine.access_key, "AWS_SECRET_ACCESS_KEY": engine.secret_key, "AWS_DEFAULT_REGION": engine.region,
               "S3_URL": engine.tls if over_tls else engine.direct, "S3_BUCKET": "bench-objects", "SEGMENTS_S3_PAYLOAD_SIGNING_ENABLED": "no",
               "SSL_CERT_FILE": engine.ca_file, "AWS_CA_BUNDLE": engine.ca_file}
        put_to, get_from = subprocess.run([sys.executable, "-c", BOTO, "begin", "object", ""], env=env, check=True, capture_output=True, text=True).stdout.split()
        file, back = folder / "object", folder / "back"
        with open(file, "wb") as out:
            for _ in range(size):
                out.write(os.urandom(1 << 20))
        tell = {"ours": lambda way: [BUILD / "src/s3_bench", env["S3_URL"], engine.region, "bench-objects", way, "object", file if way == "put" else back],
                "boto3": lambda way: [sys.executable, "-c", BOTO, way, "object", file if way == "put" else back],
                "curl": lambda way: ["curl", "-sS", "--fail", "--cacert", engine.ca_file, *(["-T", file, put_to] if way == "put" else ["-o", back, get_from])]}
        nginx = Proxy(folder / "proxy", put_to, get_from, engine.ca_file).start()
        told = {}
        try:
            for name in names:
                told[name] = []
                for way in ("put", "get"):
                    take_memory(folder, size)
                    told[name].append((nginx.move(way, file, back), 0) if name == "nginx" else used(tell[name](way), env))
                assert filecmp.cmp(file, back, shallow=False), name
                back.unlink()
                print(f"… {size} MB {'over TLS ' * over_tls}by {name}: up {told[name][0][0]:.2f} s, down {told[name][1][0]:.2f} s", file=sys.stderr)
        finally:
            nginx.stop()
            file.unlink()
    return told


def s3_lines(table, folder, rounds=3):
    """CPU of those who move a gigabyte to S3 and back themselves. Clients do that with presigned addresses, past our server."""
    names = ["ours", "nginx", "curl", "boto3"]
    small = s3_round(folder / "s3-small", SMALL_MB, ["ours"])["ours"]
    most = 0
    for over_tls, scheme, guard in ((False, "", "its SHA-256 signed"), (True, " over TLS", "its CRC-32 beside it")):
        told = [s3_round(folder / f"s3{'-tls' * over_tls}-{number}", LARGE_MB, names if number % 2 == 0 else names[::-1], over_tls) for number in range(rounds)]
        for way, what, why in ((0, "upload", guard), (1, "download", "kept in a file")):
            for peer in names[1:]:
                mine, theirs = ([one[name][way][0] for one in told] for name in ("ours", peer))
                table.row(f"{what} of 1 GB through S3's protocol{scheme}, by who moves the bytes, {why}", spread(mine, "{:.2f}") + " s of CPU",
                          f"{peer} " + spread(theirs, "{:.2f}") + " s", spread([a / b for a, b in zip(mine, theirs)], "{:.2f}") + " ×",
                          "1.3 ×" if peer == "nginx" else "")
        most = max([most, *(way[1] for one in told for way in one["ours"])])
    table.row("memory at most meanwhile", f"{most:.0f} MB", f"{max(way[1] for way in small):.0f} MB for {SMALL_MB} MB", "", "64 MB")
