"""The same program on DynamoDB, S3 and Redis: three API processes of which any one answers a connection, and two workers. Each has a
data folder of its own, as on machines of their own."""
import contextlib
import itertools
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import threading

import conftest
from conftest import BINARY, ROOT, Server, free_port, wait_until
from redis_server import RedisServer

sys.path.insert(0, str(ROOT / "tests/engines"))
import engines  # noqa: E402 - found by the line above

APIS, WORKERS = 3, 2


class Account:
    """A DynamoDB and an S3 for all tests of a run."""

    def __init__(self, folder):
        self.ends = contextlib.ExitStack()
        self.dynamodb = self.ends.enter_context(engines.running("dynamodb", folder / "dynamodb"))
        self.s3 = self.ends.enter_context(engines.running("s3", folder / "s3"))
        # A program has one key, for both.
        self.s3.control("POST", "credentials", {"access_key": self.dynamodb.access_key, "secret_key": self.dynamodb.secret_key})

    def client(self, engine):
        import boto3
        from botocore.config import Config
        return boto3.client(engine.kind, region_name=engine.region, endpoint_url=engine.endpoint, aws_access_key_id=engine.access_key,
                            aws_secret_access_key=engine.secret_key, config=Config(s3={"addressing_style": "path"}))

    def make_bucket(self, name):
        """As terraform/ makes it: pages of any origin may put and get."""
        client = self.client(self.s3)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.s3.region})
        client.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [
            {"AllowedMethods": ["GET", "HEAD", "PUT"], "AllowedOrigins": ["*"], "AllowedHeaders": ["*"],
             "ExposeHeaders": ["ETag", "Content-Length", "Content-Range", "Accept-Ranges"], "MaxAgeSeconds": 3000}]})

    def env(self, table, bucket):
        return {"AWS_REGION": self.dynamodb.region, "AWS_ACCESS_KEY_ID": self.dynamodb.access_key, "AWS_SECRET_ACCESS_KEY": self.dynamodb.secret_key,
                "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.endpoint, "AWS_ENDPOINT_URL_S3": self.s3.endpoint,
                "DYNAMODB_TABLE_NAME": table, "AWS_BUCKET_NAME": bucket}

    def close(self):
        self.ends.close()


class Spread:
    """Gives each connection to the next of some ports; to the one behind it where nobody listens there."""

    def __init__(self, port):
        self.turn, self.targets = itertools.count(), []
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1000)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.hand_on, args=(client, next(self.turn)), daemon=True).start()

    def hand_on(self, client, turn):
        for attempt in range(len(self.targets)):
            try:
                server = socket.create_connection(("127.0.0.1", self.targets[(turn + attempt) % len(self.targets)]), timeout=5)
            except OSError:
                continue
            server.settimeout(None)
            threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
            self.pump(client, server)
            return
        client.close()

    @staticmethod
    def pump(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (one, other):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()


class CloudServer(Server):
    """To a test it is a server like any other; `apis` and `workers` are its processes."""

    def __init__(self, account, data, user="alice", env=None, flags=()):
        super().__init__(data, user, env, flags)
        name = "clips-" + secrets.token_hex(8)
        self.account, self.is_new = account, True
        # A test that has a Redis of its own names it.
        self.redis = None if "REDIS_URL" in (env or {}) else RedisServer(self.data.parent / (self.data.name + "-redis"))
        self.env.update(account.env(name, name))
        self.env.update({"SEGMENTS_STORE": "dynamodb", "SEGMENTS_OBJECTS": "s3", "SEGMENTS_QUEUE": "redis",
                         "SEGMENTS_AUTH_SECRET": secrets.token_hex(24), **({"REDIS_URL": self.redis.url} if self.redis else {}), **(env or {})})
        self.apis, self.workers, self.spread, self.log = [], [], None, None

    def start(self, wait="/health"):
        self.data.mkdir(parents=True, exist_ok=True)
        if self.redis and not self.redis.process:
            self.redis.start()
        if self.is_new:
            self.account.make_bucket(self.env["AWS_BUCKET_NAME"])
            subprocess.run([str(BINARY), "admin", "table", "create"], env=self.env, check=True, cwd=self.data)
            self.is_new = False
        self.port = self.port or free_port()
        self.log = open(str(self.data) + ".log", "ab")
        self.apis = [self.part(f"api{number}", "serve", PORT=str(free_port()), SEGMENTS_WORKERS="0") for number in range(APIS)]
        workers = 0 if self.env.get("SEGMENTS_WORKERS") == "0" else WORKERS  # else the test starts its own
        self.workers = [self.part(f"worker{number}", "worker", "--hostname", f"worker{number}@here") for number in range(workers)]
        self.process = self.apis[0].process
        self.spread = self.spread or Spread(self.port)
        self.spread.targets = [api.port for api in self.apis]
        for api in self.apis:
            wait_until(lambda: api.answers(wait) or api.process.poll() is not None)
            assert api.process.poll() is None, pathlib.Path(self.log.name).read_text()[-2000:]
        return self

    def replace(self, part):
        """That one is killed, and its like started in its place, as whoever keeps services up does."""
        part.kill()
        part.launch(self.log)

    def part(self, name, command, *flags, **env):
        part = Part(self, name, {**self.env, **env}, [command, *self.flags, *flags])
        part.launch(self.log)
        return part

    def parts(self):
        return [*self.apis, *self.workers]

    def kill(self):
        for part in self.parts():
            part.kill()

    def stop(self, seconds=conftest.PATIENCE):
        running = [part for part in self.parts() if part.process.poll() is None]
        for part in running:
            part.process.send_signal(signal.SIGTERM)
        codes = [part.process.wait(seconds) for part in running]
        if self.log:
            self.log.close()
        return max(codes, default=0)

    def end(self):
        try:
            super().end()
        finally:
            if self.spread:
                self.spread.close()
            if self.redis:
                self.redis.stop()

    def pids(self):
        return [part.process.pid for part in self.parts()]

    def worker_pids(self):
        return [worker.process.pid for worker in self.workers]

    def put_object(self, key, path, content_type="video/mp4"):
        self.account.client(self.account.s3).upload_file(str(path), self.env["AWS_BUCKET_NAME"], key, {"ContentType": content_type})

    def pieces_of(self, job):
        listed = self.account.client(self.account.s3).list_objects_v2(Bucket=self.env["AWS_BUCKET_NAME"], Prefix=f"processed/{job}/")
        return [entry["Key"] for entry in listed.get("Contents", [])]


class Part(Server):
    """One process of it."""

    def __init__(self, whole, name, env, words):
        super().__init__(whole.data / name, whole.user)
        self.put_object, self.pieces_of = whole.put_object, whole.pieces_of
        self.env.update(env, SEGMENTS_DATA_DIR=str(self.data))
        self.port, self.words = int(env.get("PORT", 0)), words

    def launch(self, log):
        self.process = subprocess.Popen([str(BINARY), *self.words], env=self.env, stdout=log, stderr=log, cwd=self.data.parent,
                                        start_new_session=True)

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
