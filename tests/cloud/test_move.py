"""`segments admin move`: everything from SQLite and a folder to DynamoDB and S3, while a server serves it, and back; killed on the way.
Whatever the API shows is the same afterwards. SEGMENTS_TEST_MOVE_SIZE: how many segments."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.parse

import boto3
import pytest

from conftest import BINARY, PATIENCE, clean_environment, free_port

SIZE = int(os.environ.get("SEGMENTS_TEST_MOVE_SIZE", "240"))
MADE = min(SIZE, 5_000)  # by the API; the rest in the tables, after their likeness
OBJECTS = max(70, MADE // 50)
LARGE = (20 << 20) + 12345  # bytes: in several parts, and read in several pieces
LISTED = 10_000  # of a user, what DynamoDB orders at most
USERS = ("alice", "bob")


class Service:
    """One `segments serve`, without workers: nothing is done but what a test asks for."""

    def __init__(self, folder, **env):
        self.folder, self.tokens, self.connections, self.process = pathlib.Path(folder), {}, threading.local(), None
        self.env = clean_environment(**{"SEGMENTS_DATA_DIR": str(folder), "SEGMENTS_WORKERS": "0", "SEGMENTS_SYNC": "no", "SEGMENTS_SOCIAL_SYNCS_PER_MINUTE": "0",
                                        "HOST": "127.0.0.1", **env})

    def __enter__(self):
        self.port = free_port()
        self.log = open(str(self.folder) + f"-{self.port}.log", "wb")
        self.process = subprocess.Popen([str(BINARY), "serve"], env={**self.env, "PORT": str(self.port)}, stdout=self.log, stderr=self.log, cwd=self.folder.parent)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()[-3000:]
            with contextlib.suppress(OSError):
                if self.call("GET", "/health", user=None)[0] == 200:
                    return self
            time.sleep(0.05)
        raise AssertionError("no answer: " + pathlib.Path(self.log.name).read_text()[-3000:])

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.log.close()

    def token(self, user):
        if user not in self.tokens:
            self.tokens[user] = subprocess.run([str(BINARY), "token", "--user", user], env=self.env, check=True, capture_output=True, text=True, cwd=self.folder.parent).stdout.strip()
        return self.tokens[user]

    def call(self, method, path, body=None, user="alice", headers=None):
        """(status, headers, body); the connection is kept."""
        headers = dict(headers or {})
        if user:
            headers["Authorization"] = "Bearer " + self.token(user)
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        address = f"127.0.0.1:{self.port}"
        if path.startswith("http"):
            parts = urllib.parse.urlsplit(path)
            address, path = parts.netloc, parts.path + "?" + parts.query
        kept = self.connections.__dict__.setdefault("kept", {})
        for attempt in (1, 2):
            connection = kept.pop(address, None) or http.client.HTTPConnection(address, timeout=PATIENCE)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                if attempt == 2 or method != "GET":
                    raise
                continue
            if answer.will_close:
                connection.close()
            else:
                kept[address] = connection
            return found

    def ask(self, method, path, body=None, user="alice", headers=None, status=(200, 201)):
        found, _, text = self.call(method, path, body, user, headers)
        assert found in status, (method, path, found, text[:1000])
        return json.loads(text)


class Cloud:
    """A table and a bucket of a test's own, and the settings that lead there."""

    def __init__(self, engines_of_aws, redis_url, name):
        self.dynamodb, self.s3, _ = engines_of_aws
        self.name = name
        keys = {"region_name": self.s3.region, "aws_access_key_id": self.s3.access_key, "aws_secret_access_key": self.s3.secret_key}
        self.table = boto3.resource("dynamodb", endpoint_url=self.dynamodb.endpoint, **keys).Table(name)
        self.bucket = boto3.client("s3", endpoint_url=self.s3.endpoint, config=boto3.session.Config(s3={"addressing_style": "path"}), **keys)
        self.aws = {"AWS_REGION": self.s3.region, "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.endpoint, "AWS_ENDPOINT_URL_S3": self.s3.endpoint,
                    "AWS_ACCESS_KEY_ID": self.s3.access_key, "AWS_SECRET_ACCESS_KEY": self.s3.secret_key, "AWS_BUCKET_NAME": name, "DYNAMODB_TABLE_NAME": name}
        self.engines = {"SEGMENTS_STORE": "dynamodb", "SEGMENTS_OBJECTS": "s3", "SEGMENTS_QUEUE": "redis", "REDIS_URL": redis_url, "REDIS_PASSWORD": "secret"}
        self.bucket.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.s3.region})
        subprocess.run([str(BINARY), "admin", "table", "create"], env=clean_environment(**self.aws), check=True, capture_output=True, cwd="/")

    def note(self):
        return self.table.get_item(Key={"video_id": "#move#target", "segment_id": "#NOTE"}, ConsistentRead=True).get("Item", {}).get("text")


@pytest.fixture
def cloud(engines_of_aws, redis_url):
    return Cloud(engines_of_aws, redis_url, f"move-{random.SystemRandom().randrange(1 << 60):x}")


class Move:
    def __init__(self, cloud, folder, source, **env):
        self.words = ["admin", "move", "--from", source, "--to", "aws" if source == "embedded" else "embedded"]
        self.env = clean_environment(SEGMENTS_DATA_DIR=str(folder), **cloud.aws, **env)

    def start(self, *flags):
        return subprocess.Popen([str(BINARY), *self.words, *flags], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")

    def run(self, *flags, status=0):
        with self.start(*flags) as process:
            said = process.communicate(timeout=PATIENCE * 30)[0]
        assert process.returncode == status, said
        return said

    def kill_at(self, look, *flags):
        """Killed as soon as what `look` sees is another than before. False where it ended by itself."""
        before = look()
        with self.start(*flags) as process:
            while process.poll() is None and look() == before:
                pass
            process.send_signal(signal.SIGKILL)
            said = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode in (-signal.SIGKILL, 0), said
        return process.returncode == -signal.SIGKILL


def note_in(folder):
    """Of the move into a folder, perhaps at this very moment."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(f"file:{folder}/segments.db?mode=ro", uri=True, timeout=60)) as db:
        return (db.execute("SELECT text FROM notes WHERE name = 'target'").fetchone() or (None,))[0]
    return None


def at_once(work, over):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, over))


# --- What is moved ---

def body_of(number, **more):
    video = more.get("video_id") or f"video{number % max(2, MADE // 20)}-{USERS[number % 4 == 0]}"
    return {"video_id": video, "segment_type": "processed", "segment_number": number, "s3_key": f"processed/{video}/segment_{number:03}.mp4", "duration": number % 97 + 0.25,
            "file_size": 1000 + number, "title": f"Talk {number % 50} – «ü» 🎬", "tags": ["walk", f"t{number % 7}"], **more}


def upload(service, number):
    content = random.Random(number).randbytes(LARGE if number == 0 else 1 + 997 * number % 70_000)
    begun = service.ask("POST", "/api/upload/initiate", {"filename": f"clip {number} ü.mp4", "content_type": "video/mp4", "file_size": len(content)})
    assert service.call("PUT", urllib.parse.urljoin(f"http://127.0.0.1:{service.port}", begun["presigned_url"]), content, None, {"Content-Type": "video/mp4"})[0] == 200
    service.ask("POST", "/api/upload/complete", {"s3_key": begun["s3_key"], "job_id": begun["job_id"], "filename": f"clip {number} ü.mp4", "file_size": len(content), "title": f"Clip {number}"},
                status=(200, 201, 202))
    made = service.ask("POST", "/api/segments", body_of(4 * number + 1, video_id=begun["job_id"], s3_key=begun["s3_key"], file_size=len(content)))
    return begun["job_id"], made["segment_id"], content


def fill(service):
    """What is asked for again afterwards: the idempotent requests' answers, and the bytes of uploads by segment."""
    def make(number):
        user = USERS[number % 4 == 0]
        headers = {"Idempotency-Key": f"key {number}"} if number % 5 == 0 else {}
        made = service.ask("POST", "/api/segments", body_of(number), user, headers)
        path = "/api/segments/" + made["segment_id"]
        if number % 7 == 0:
            service.ask("PATCH", path, {"title": f"Edited {number}", "description": "line\nline", "tags": []}, user)
        if number % 6 == 0:
            service.ask("GET", path + "/download", user=user)
        if number % 9 == 0:
            post = {"platform": "tiktok", "post_url": f"https://www.tiktok.com/@walker/video/73{number:017}"}
            service.ask("POST", path + "/social-media?wait=true", post, user, status=(200, 201, 202))
        if number % 18 == 0:
            service.ask("POST", path + "/social-media", {"platform": "youtube", "post_id": f"a{number:010}"}, user, status=(200, 201, 202))
        return number, made

    made = dict(at_once(make, range(MADE)))
    for number in range(3, MADE, MADE // 8):
        service.ask("DELETE", "/api/segments/" + made[number]["segment_id"], user=USERS[number % 4 == 0])
    uploads = at_once(lambda number: upload(service, number), range(OBJECTS))
    removed = uploads.pop()
    service.ask("DELETE", f"/api/videos/{removed[0]}")
    service.ask("POST", f"/api/jobs/{uploads[1][0]}/cancel", {})
    return {"requests": {n: one for n, one in made.items() if n % 5 == 0}, "uploads": uploads, "removed": removed[0]}


def multiply(folder):
    """As often as SIZE asks for, under other videos: rows of the tables, since the API would take long."""
    with contextlib.closing(sqlite3.connect(folder / "segments.db")) as db:
        columns = {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in ("segments", "history", "followed_posts", "claims")}

        def copy(table, number, skip, source, **values):
            names = [name for name in columns[table] if name != skip]
            rest = ", ".join(values.get(name, f't."{name}"') for name in names)
            quoted = ", ".join(f'"{name}"' for name in names)
            db.execute(f"INSERT INTO {table} ({quoted}) SELECT {rest} FROM {source}")

        db.executescript("CREATE TEMP TABLE before AS SELECT segment_ref, segment_id FROM segments")
        for number in range(1, SIZE // MADE):
            new = f"'c{number}' || t.video_id"
            copy("claims", number, None, "main.claims t WHERE t.video_id IN (SELECT video_id FROM segments WHERE segment_ref IN (SELECT segment_ref FROM before))", video_id=new)
            copy("segments", number, "segment_ref", "main.segments t JOIN before USING (segment_ref)", video_id=new, segment_id=f"'seg_c{number}' || substr(t.segment_id, 5)")
            twin = f"JOIN before b ON b.segment_ref = t.segment_ref JOIN segments s ON s.segment_id = 'seg_c{number}' || substr(b.segment_id, 5)"
            copy("history", number, "id", f"main.history t {twin}", segment_ref="s.segment_ref")
            copy("followed_posts", number, None, f"main.followed_posts t {twin}", segment_ref="s.segment_ref")
        for kind in ("processed", "original", "thumbnail", "audio"):
            db.execute(f"UPDATE users SET segments_{kind} = (SELECT count(*) FROM segments s WHERE s.user_ref = users.user_ref AND segment_type = '{kind}')")
        db.commit()


# --- What the API shows of it ---

def pages(service, user, sort_by, order):
    found, cursor, total = [], "", None
    while cursor is not None:
        page = service.ask("GET", f"/api/segments?limit=200&sort_by={sort_by}&order={order}" + (f"&cursor={cursor}" if cursor else ""), user=user)
        total, cursor = page["total_count"], page.get("next_cursor")
        found += page["segments"]
    assert total == len(found)
    return found


def snapshot(service):
    shown = {}
    for user in USERS:
        newest = shown[user, "newest"] = pages(service, user, "created_at", "desc")
        if SIZE <= LISTED:
            for sort_by, order in (("created_at", "asc"), ("duration", "desc"), ("name", "asc"), ("download_count", "desc"), ("file_size", "asc")):
                shown[user, sort_by, order] = pages(service, user, sort_by, order)
            for query in ("tags=walk,t3", "search=edited", "platform=tiktok", "has_social_media=true&limit=3", "min_downloads=1", "min_duration=20&max_duration=30"):
                shown[user, query] = service.ask("GET", "/api/segments?" + query, user=user)

        def look(segment, user=user):
            path = "/api/segments/" + segment["segment_id"]
            status, headers, body = service.call("GET", path, user=user)
            assert status == 200
            out = [headers["etag"], json.loads(body)]
            if segment["social_media_usage"]:
                out += [service.ask("GET", path + rest, user=user) for rest in ("/analytics", "/social-media/history")]
            return segment["segment_id"], out

        shown[user, "each"] = dict(at_once(look, newest if SIZE <= LISTED else newest[::50]))
        shown[user, "videos"] = service.ask("GET", "/api/videos?limit=200", user=user)
    return shown


def expect_equal(before, after):
    assert before.keys() == after.keys()
    for name in before:
        assert before[name] == after[name], name


def expect_to_go_on(service, known):
    """What was promised by the one is kept by the other: tokens, keys, counters, bytes, ids of removed videos."""
    for number, made in list(known["requests"].items())[:20]:
        again = service.ask("POST", "/api/segments", body_of(number), USERS[number % 4 == 0], {"Idempotency-Key": f"key {number}"})
        assert again["segment_id"] == made["segment_id"]
    for _, segment_id, content in known["uploads"][:8]:
        before = service.ask("GET", f"/api/segments/{segment_id}")["download_count"]
        download = service.ask("GET", f"/api/segments/{segment_id}/download")
        assert download["download_count"] == before + 1
        status, headers, body = service.call("GET", urllib.parse.urljoin(f"http://127.0.0.1:{service.port}", download["download_url"]), user=None)
        assert (status, headers["content-type"], body) == (200, "video/mp4", content)
    status, _, _ = service.call("POST", "/api/segments", body_of(1, video_id=known["removed"]), "bob")
    assert status in (403, 404, 409)
    assert service.call("GET", "/api/segments", user=None, headers={"Authorization": "Bearer " + service.token("alice")[:-2] + "xx"})[0] == 401


def sums(said):
    """kind -> (count in the source, in the target), of the report, all of whose digests have to agree."""
    found = re.findall(r"^  ([a-z ]+?) +(\d+) in the source, (\d+) in the target, digests (\S+) and (\S+)$", said, re.M)
    assert len(found) == 6 and all(one[1] == one[2] and one[3] == one[4] for one in found), said
    return {one[0]: int(one[1]) for one in found}


def told(what, began):
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def test_there_and_back_killed_on_the_way_the_api_shows_the_same(cloud, tmp_path):
    folder, began = tmp_path / "here", time.monotonic()
    secret = None
    there = Move(cloud, folder, "embedded")
    with Service(folder) as service:
        known = fill(service)
    multiply(folder)
    told(f"{SIZE} segments made", began)
    with Service(folder) as service:
        before = snapshot(service)
        tokens = {user: service.token(user) for user in USERS}
        told("looked at", began)
        kills, began = 0, time.monotonic()
        for _ in range(4):
            kills += there.kill_at(cloud.note)
            # The source serves whatever happens.
            assert service.ask("GET", "/api/segments?limit=1")["total_count"] == len(before["alice", "newest"])
        assert kills >= 3
        said = there.run(status=1)
        told("moved to the cloud", began)
        assert "Everything is there." in said and "Going on where the last run had come to." in said
        assert f"Not ended: {OBJECTS - 2} tasks.process_video_task" in said or "tasks.process_video_task" in said
        found = sums(said)
        assert found["segments"] == sum(len(before[user, "newest"]) for user in USERS) and found["objects"] == OBJECTS - 1 and found["readings"] > 0
        secret = (folder / "auth.secret").read_text().strip()
        assert secret not in said
        said = there.run("--leave-tasks", "--show-secret")
        assert "Written: 0 records, 0 objects" in said and secret in said
        sums(said)
        expect_equal(before, snapshot(service))
    assert "Both are alike." in there.run("--verify")

    began = time.monotonic()
    with Service(tmp_path / "cloud", SEGMENTS_AUTH_SECRET=secret, **cloud.aws, **cloud.engines) as service:
        service.tokens = dict(tokens)
        expect_equal(before, snapshot(service))
        expect_to_go_on(service, known)
        before = snapshot(service)
        told("compared there", began)
        # In service, it is not moved over.
        assert "was written to since" in there.run(status=1)

        began, kills = time.monotonic(), 0
        back = Move(cloud, tmp_path / "back", "aws", SEGMENTS_AUTH_SECRET=secret)
        for _ in range(4):
            kills += back.kill_at(lambda: note_in(tmp_path / "back"))
        assert kills >= 3
        found = sums(back.run())
        told("moved back", began)
        expect_equal(before, snapshot(service))
    assert found["segments"] == sum(len(before[user, "newest"]) for user in USERS)
    with Service(tmp_path / "back") as service:
        service.tokens = dict(tokens)
        expect_equal(before, snapshot(service))
        expect_to_go_on(service, known)
        assert service.ask("GET", "/api/segments?limit=1", headers={"Authorization": "Bearer " + tokens["alice"]})["total_count"] > 0


def test_what_is_written_meanwhile_is_told_and_comes_with_the_next_run(cloud, tmp_path):
    move, end, written = Move(cloud, tmp_path / "here", "embedded"), threading.Event(), []
    with Service(tmp_path / "here") as service:
        for number in range(40):
            service.ask("POST", "/api/segments", body_of(number, video_id="v1"))

        def write():
            while not end.is_set():
                made = service.ask("POST", "/api/segments", body_of(len(written), video_id="v2"))["segment_id"]
                written.append(made)
                if len(written) % 3 == 0:
                    service.ask("DELETE", "/api/segments/" + written[len(written) // 2])
                    written[len(written) // 2] = made
                service.ask("GET", f"/api/segments/{made}/download")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            said = move.run(status=1)
        finally:
            end.set()
            writer.join()
        assert "written to while it was moved" in said and "Everything is there." not in said, said
        said = move.run()
        assert sums(said)["segments"] == service.ask("GET", "/api/segments")["total_count"]
        # One that is removed here goes there, too, and its object.
        upload(service, 3)
        move.run("--leave-tasks")
        assert cloud.bucket.list_objects_v2(Bucket=cloud.name)["KeyCount"] == 1
        for segment in service.ask("GET", "/api/segments?limit=3")["segments"]:
            service.ask("DELETE", "/api/segments/" + segment["segment_id"])
        service.ask("DELETE", "/api/videos/" + service.ask("GET", "/api/videos")["videos"][0]["video_id"])
        said = move.run("--leave-tasks")
        assert sums(said)["segments"] == service.ask("GET", "/api/segments")["total_count"]
        assert cloud.bucket.list_objects_v2(Bucket=cloud.name)["KeyCount"] == 0


def test_a_target_that_is_in_use_is_left_alone(cloud, tmp_path):
    move = Move(cloud, tmp_path / "here", "embedded")
    with Service(tmp_path / "here") as service:
        for number in range(5):
            service.ask("POST", "/api/segments", body_of(number))
    cloud.bucket.put_object(Bucket=cloud.name, Key="someone/else.txt", Body=b"hello")
    assert "is not empty" in move.run(status=1) and cloud.note() is None
    said = move.run("--overwrite")
    assert sums(said)["objects"] == 0
    assert cloud.bucket.get_object(Bucket=cloud.name, Key="someone/else.txt")["Body"].read() == b"hello"
    # Another source is refused whatever was moved before.
    other = Move(cloud, tmp_path / "other", "embedded")
    with Service(tmp_path / "other") as service:
        service.ask("POST", "/api/segments", body_of(1))
    assert "another source" in other.run(status=1)
    # What differs is named.
    cloud.table.update_item(Key={"video_id": "video1-alice", "segment_id": next(i["segment_id"] for i in cloud.table.scan()["Items"] if i["video_id"] == "video1-alice" and not i["segment_id"].startswith("#"))},
                            UpdateExpression="ADD download_count :n", ExpressionAttributeValues={":n": 1})
    assert re.search(r"^differs: the segment seg_video1-alice_", move.run("--verify", status=1), re.M)


def test_throttling_and_broken_connections_lose_nothing(cloud, tmp_path):
    move = Move(cloud, tmp_path / "here", "embedded")
    with Service(tmp_path / "here") as service:
        for number in range(60):
            service.ask("POST", "/api/segments", body_of(number))
        for number in range(1, 9):
            upload(service, number)
    # The first is more than a call has attempts: it is asked again a second later.
    for kind, operation, times in (("unavailable", "BatchGetItem", 6), ("throttle", "BatchWriteItem", 2), ("reset", "BatchWriteItem", 1), ("unprocessed", "BatchWriteItem", 3), ("internal_error", "Scan", 2), ("unprocessed", "BatchGetItem", 3)):
        cloud.dynamodb.fault(kind, operation=operation, times=times)
    for kind, operation in (("throttle", "PutObject"), ("reset", "PutObject"), ("internal_error", "GetObject"), ("truncate", "GetObject")):
        cloud.s3.fault(kind, operation=operation, times=2)
    try:
        said = move.run("--leave-tasks")
    finally:
        for engine in (cloud.dynamodb, cloud.s3):
            engine.control("DELETE", "faults")
    assert sums(said)["segments"] == 68 and sums(said)["objects"] == 8
    assert "Trying again in 1 s." in said


def test_what_cannot_be_is_said_before_anything_is_done(cloud, tmp_path):
    folder = tmp_path / "here"
    with Service(folder) as service:
        service.ask("POST", "/api/segments", body_of(1))
    assert "--from is embedded or aws." in run_with(cloud, folder, ["admin", "move", "--to", "aws"], 2)
    assert "two different ones" in run_with(cloud, folder, ["admin", "move", "--from", "aws", "--to", "aws"], 2)
    assert "There is no data folder" in Move(cloud, tmp_path / "absent", "embedded").run(status=1)
    assert not (tmp_path / "absent").exists()
    absent = Move(cloud, folder, "embedded")
    absent.env["AWS_BUCKET_NAME"] = "no-such-bucket-" + cloud.name
    assert "bucket" in absent.run(status=1)
    absent = Move(cloud, folder, "embedded")
    absent.env["DYNAMODB_TABLE_NAME"] = "no-such-table"
    assert "There is no table no-such-table" in absent.run(status=1)
    back = Move(cloud, tmp_path / "back", "aws")
    assert "SEGMENTS_AUTH_SECRET" in back.run(status=2)
    assert not (tmp_path / "back" / "segments.db").exists()
    back = Move(cloud, folder, "aws", SEGMENTS_AUTH_SECRET="another secret altogether")
    assert "holds another secret" in back.run(status=1)
    assert cloud.note() is None


def run_with(cloud, folder, words, status):
    done = subprocess.run([str(BINARY), *words], env=clean_environment(SEGMENTS_DATA_DIR=str(folder), **cloud.aws), capture_output=True, text=True, cwd="/", timeout=PATIENCE)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_full_disk_is_said_and_the_next_run_goes_on(cloud, tmp_path):
    disk, filler = tmp_path / "disk", tmp_path / "disk/filler"
    disk.mkdir()
    with Service(tmp_path / "here") as service:
        for number in range(200):
            service.ask("POST", "/api/segments", body_of(number, description="d" * 3000))
        upload(service, 0)  # the large one
        before = pages(service, "alice", "created_at", "desc")
    Move(cloud, tmp_path / "here", "embedded").run("--leave-tasks")
    back = Move(cloud, disk / "back", "aws", SEGMENTS_AUTH_SECRET=(tmp_path / "here/auth.secret").read_text().strip())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=44m", "tmpfs", str(disk)], check=True)
    try:
        def leave(room):
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            os.truncate(filler, max(0, filler.stat().st_size - room))

        # No room to begin with, then for a part of the large object.
        for room in (0, 12 << 20):
            leave(room)
            said = back.run(status=1)
            assert re.search("No space left|no room left", said) and "Everything is there." not in said, said
            filler.unlink()
        # For objects, but not for all records: it waits, and goes on by itself where somebody makes room.
        leave(LARGE + (400 << 10))
        with back.start("--leave-tasks") as process:
            said = ""
            while "The disk is full; nothing was stored. Trying again" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            filler.unlink()
            said += process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0 and "Everything is there." in said, said
        with Service(disk / "back") as service:
            assert pages(service, "alice", "created_at", "desc") == before
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
