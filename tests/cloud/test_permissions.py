"""What API, worker and single commands call at AWS, seen by the gates while they run, against what terraform/iam.tf lets each of
them call: nothing is missing there, and nothing is there that none of them needs."""
import contextlib
import fnmatch
import json
import re
import secrets
import signal
import subprocess
import time
import urllib.request

import boto3

import hcl
from conftest import BINARY, PATIENCE, ROOT, S3_PERMISSIONS, clean_environment, free_port

ROLES = ("api", "worker", "admin", "mover")


class Installation:
    """The program on DynamoDB, S3 and Redis, each role of it with a key of its own."""

    def __init__(self, folder, dynamodb, s3, bucket, redis_url):
        self.folder, self.dynamodb, self.s3, self.bucket = folder, dynamodb, s3, bucket
        self.table, self.old_table = "segments-permissions", "old-permissions"
        for role in ROLES:
            (folder / role).mkdir()  # the volume of its container
        # The owner is whoever made the account's bucket.
        self.keys = {"owner": (s3.access_key, s3.secret_key), **{role: ("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30)) for role in ROLES}}
        for engine in (dynamodb, s3):
            for access_key, secret_key in self.keys.values():
                engine.control("POST", "credentials", {"access_key": access_key, "secret_key": secret_key})
        self.common = clean_environment(
            SEGMENTS_STORE="dynamodb", SEGMENTS_OBJECTS="s3", SEGMENTS_QUEUE="redis", REDIS_URL=redis_url, REDIS_PASSWORD="secret", AWS_REGION=s3.region,
            AWS_ENDPOINT_URL_DYNAMODB=dynamodb.endpoint, AWS_ENDPOINT_URL_S3=s3.endpoint, AWS_BUCKET_NAME=bucket, DYNAMODB_TABLE_NAME=self.table,
            SEGMENTS_AUTH_SECRET=secrets.token_hex(24), HOST="127.0.0.1")

    def env(self, role, **more):
        access_key, secret_key = self.keys[role]
        return {**self.common, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key, "SEGMENTS_DATA_DIR": str(self.folder / role), **more}

    def boto3(self, service):
        access_key, secret_key = self.keys["owner"]
        return boto3.client(service, region_name=self.s3.region, endpoint_url=getattr(self, service).endpoint, aws_access_key_id=access_key,
                            aws_secret_access_key=secret_key)

    def run(self, role, *words, **more):
        answer = subprocess.run([BINARY, *words], env=self.env(role, **more), cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE)
        assert answer.returncode == 0, (words, answer.stdout, answer.stderr[-3000:])
        return answer.stdout.strip()

    @contextlib.contextmanager
    def running(self, role, *words, **more):
        with open(self.folder / f"{role}.log", "ab") as log:
            process = subprocess.Popen([BINARY, *words], env=self.env(role, **more), cwd=self.folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)

    def calls(self):
        """role -> {(permission, resource)}, as IAM names them."""
        found = {role: set() for role in ROLES}
        for engine, service in ((self.dynamodb, "dynamodb"), (self.s3, "s3")):
            callers = engine.control("GET", "stats")["callers"]
            for role in ROLES:
                for call, resources in callers.get(self.keys[role][0], {}).items():
                    permission = S3_PERMISSIONS.get(call, call) if service == "s3" else call
                    found[role].update((f"{service}:{permission}", resource) for resource in resources)
        return found


def policies():
    """(role's document, permission, pattern of resources, the statement's name), as terraform/iam.tf has them with every option on."""
    for block in hcl.read((ROOT / "terraform/iam.tf").read_text()).blocks:
        if block.type != "data" or block.labels[1] not in ("task", "admin"):
            continue
        statements = [(one, "") for one in block.all("statement")]
        for dynamic in block.all("dynamic"):
            choice = dynamic.attributes["for_each"]
            (value,) = next(part.parts for part in choice.parts[1:] if part.parts)
            statements.append((dynamic.one("content"), text_of(value)))
        for statement, value in statements:
            for resource in statement.attributes["resources"].parts:
                pattern = text_of(resource).replace("{statement.value}", value)
                for action in statement.get("actions"):
                    yield block.labels[1], action, re.sub(r"^arn:.*:table/", "", pattern), statement.get("sid")


def text_of(value):
    """A string with the names of what is not constant in braces."""
    if value.kind == "constant":
        return str(value.parts[0])
    if value.kind == "template":
        return "".join(map(text_of, value.parts))
    (path,) = value.references()
    return "{" + ".".join(path) + "}"


def old_items():
    """What the earlier service's table holds: a video with outputs, one without, and a segment."""
    job = {"user_id": {"S": "ann"}, "title": {"S": "Talk"}, "filename": {"S": "talk.mp4"}, "file_size": {"N": "5"}, "status": {"S": "COMPLETED"},
           "upload_date": {"S": "2025-07-05T09:32:00.123456"}}
    yield {**job, "video_id": {"S": "old1"}, "output_s3_urls": {"L": [{"S": "processed/old1/segment_001.mp4"}]}}
    yield {**job, "video_id": {"S": "old2"}}
    yield {"video_id": {"S": "old3"}, "segment_id": {"S": "seg_old3_001"}, "user_id": {"S": "ann"}, "segment_type": {"S": "processed"}, "segment_number": {"N": "1"},
           "s3_key": {"S": "processed/old3/segment_001.mp4"}, "duration": {"N": "29.5"}, "file_size": {"N": "7"}, "created_at": {"S": "2025-07-05T10:00:00.654321+00:00"}}


def wait_for(url, process):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return answer.read()
        time.sleep(0.1)
    raise AssertionError(f"{url} does not answer; the process: {process.poll()}")


def use_api_and_worker(one):
    """Every route and every task, as scripts/check_endpoints.sh tries them; then the one list that only trusted callers get."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with one.running("api", "serve", "--workers", "0", PORT=str(port)) as api, one.running("worker", "worker", "--concurrency", "2", "--beat"):
        wait_for(f"{url}/health", api)
        env = {**one.common, "SEGMENTS_TOKEN": one.run("api", "token", "--user", "deploy-check")}
        tried = subprocess.run([ROOT / "scripts/check_endpoints.sh", url], env=env, capture_output=True, text=True, timeout=600)
        assert tried.returncode == 0, tried.stdout[-3000:] + tried.stderr[-3000:]
    with one.running("api", "serve", "--workers", "0", PORT=str(port), SEGMENTS_AUTH="none") as api:
        wait_for(f"{url}/api/videos", api)


def use_single_commands(one):
    client = one.boto3("dynamodb")
    client.create_table(TableName=one.old_table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "video_id", "KeyType": "HASH"}],
                        AttributeDefinitions=[{"AttributeName": "video_id", "AttributeType": "S"}])
    client.get_waiter("table_exists").wait(TableName=one.old_table, WaiterConfig={"Delay": 1})
    for item in old_items():
        client.put_item(TableName=one.old_table, Item=item)
    one.run("admin", "admin", "table", "verify")
    assert "Everything is there" in one.run("admin", "admin", "table", "migrate-from", one.old_table)
    one.run("admin", "admin", "dead-letters")


def test_each_role_may_call_what_it_calls_and_nothing_else(tmp_path, engines_of_aws, redis_url):
    one = Installation(tmp_path, *engines_of_aws, redis_url)
    one.run("owner", "admin", "table", "create")
    use_api_and_worker(one)
    use_single_commands(one)
    called = one.calls()
    names = {"{aws_dynamodb_table.segments.arn}": one.table, "{local.bucket_arn}": one.bucket, "{var.old_table_name}": one.old_table}
    faults = []
    for document, roles in (("task", ("api", "worker")), ("admin", ("admin",))):
        granted = set()
        for _, action, pattern, sid in (each for each in policies() if each[0] == document and each[3] != "MediaKey"):  # no stand-in has keys
            for name, meant in names.items():
                pattern = pattern.replace(name, meant)
            assert "{" not in pattern, pattern
            granted.add((action, pattern))
        made = set().union(*(called[role] for role in roles))
        assert len(made) >= 5, called
        fits = lambda call, grant: call[0] == grant[0] and fnmatch.fnmatchcase(call[1], grant[1])
        faults += [f"{document} may not call {call}" for call in sorted(made) if not any(fits(call, grant) for grant in granted)]
        faults += [f"{document} has no need of {grant}" for grant in sorted(granted) if not any(fits(call, grant) for call in made)]
    assert not faults, "\n".join([*faults, str(called)])


def test_whoever_moves_needs_what_the_guide_says(tmp_path, engines_of_aws, redis_url):
    one = Installation(tmp_path, *engines_of_aws, redis_url)
    embedded = {"SEGMENTS_STORE": "sqlite", "SEGMENTS_OBJECTS": "directory", "SEGMENTS_QUEUE": "embedded"}
    one.run("owner", "admin", "table", "create")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with one.running("mover", "serve", PORT=str(port), **embedded) as server:
        wait_for(f"{url}/health", server)
        headers = {"Authorization": "Bearer " + one.run("mover", "token", "--user", "ann", **embedded), "Content-Type": "application/json"}
        record = {"video_id": "v", "segment_type": "processed", "segment_number": 1, "s3_key": "processed/v/segment_001.mp4", "duration": 30, "file_size": 1000}
        ask(url + "/api/segments", "POST", headers, record)
        about = {"filename": "a.mp4", "content_type": "video/mp4", "file_size": 5}
        ask(ask(url + "/api/upload/initiate", "POST", headers, about)["presigned_url"], "PUT", {"Content-Type": "video/mp4"}, b"bytes")
    for words in (("--from", "embedded", "--to", "aws"), ("--from", "embedded", "--to", "aws", "--verify"), ("--from", "aws", "--to", "embedded")):
        folder = one.folder / ("back" if words[1] == "aws" else "mover")
        one.run("mover", "admin", "move", *words, SEGMENTS_DATA_DIR=str(folder), **embedded)
    guide = (ROOT / "docs/operations.md").read_text()
    said = set(re.findall("`([A-Z][A-Za-z]+)`", re.search(r"^\*\*Permissions:\*\*.*?\*\*Cost", guide, re.M)[0]))
    called = {call.partition(":")[2] for call, _ in one.calls()["mover"]}
    assert {"Scan", "PutObject", "GetObject", "ListBucket"} <= called <= said, (called, called - said)


def ask(url, method, headers, given):
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=PATIENCE) as answer:
        return json.loads(answer.read() or b"null")
