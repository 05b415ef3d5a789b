import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/engines"))

BINARY = pathlib.Path(os.environ.get("SEGMENTS_BINARY", ROOT / "build/release/segments"))
PATIENCE = 120
# S3's permissions have other names than its operations.
S3_PERMISSIONS = {"HeadObject": "GetObject", "HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "CreateMultipartUpload": "PutObject",
                  "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject", "ListParts": "ListMultipartUploadParts",
                  "ListMultipartUploads": "ListBucketMultipartUploads"}


def free_port():
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port


def clean_environment(**more):
    """This process's, without what configures Segments, Terraform or AWS."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SEGMENTS_", "AWS_", "TF_", "REDIS_")) and k not in ("HOST", "PORT", "DYNAMODB_TABLE_NAME")}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", **more}


@pytest.fixture
def redis_url(tmp_path):
    import redis
    folder, port = tmp_path / "redis", free_port()
    folder.mkdir()
    server = subprocess.Popen(["/usr/bin/redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
                               "--requirepass", "secret", "--maxmemory-policy", "noeviction", "--logfile", str(folder / "redis.log")], stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and server.poll() is None:
            with contextlib.suppress(redis.RedisError):
                redis.Redis(port=port, password="secret", socket_timeout=5).ping()
                break
            time.sleep(0.05)
        else:
            raise AssertionError("Redis does not answer: " + (folder / "redis.log").read_text()[-2000:])
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)


@pytest.fixture
def engines_of_aws(tmp_path_factory):
    """DynamoDB's and S3's stand-ins, and a bucket: their gates, and the environment that leads to them."""
    import boto3
    import engines
    from botocore.config import Config
    with engines.running("dynamodb", tmp_path_factory.mktemp("dynamodb")) as dynamodb, engines.running("s3", tmp_path_factory.mktemp("s3")) as s3:
        # One pair of keys for both services, as an account has it.
        dynamodb.control("POST", "credentials", {"access_key": s3.access_key, "secret_key": s3.secret_key})
        bucket = f"deploy-{uuid.uuid4().hex}"
        client = boto3.client("s3", region_name=s3.region, endpoint_url=s3.endpoint, aws_access_key_id=s3.access_key, aws_secret_access_key=s3.secret_key,
                              config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 8, "mode": "standard"}))
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):  # an attempt that nobody heard the answer of
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.region})
        yield dynamodb, s3, bucket
