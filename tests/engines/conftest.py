import uuid

import boto3
import pytest
from botocore.config import Config

import engines


def client(engine, credential=None, attempts=1, endpoint=None, **config):
    """boto3's client of that engine, which by itself tries once."""
    credential = credential or {"access_key": engine.access_key, "secret_key": engine.secret_key}
    return boto3.client(
        engine.kind, region_name=config.pop("region", engine.region), endpoint_url=endpoint or engine.endpoint,
        aws_access_key_id=credential["access_key"], aws_secret_access_key=credential["secret_key"],
        aws_session_token=credential.get("session_token"),
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, max_pool_connections=64,
                      s3={"addressing_style": "path"}, signature_version="s3v4" if engine.kind == "s3" else "v4", **config))


@pytest.fixture(scope="session")
def _dynamodb(tmp_path_factory):
    with engines.running("dynamodb", tmp_path_factory.mktemp("dynamodb")) as engine:
        yield engine


@pytest.fixture(scope="session")
def _s3(tmp_path_factory):
    with engines.running("s3", tmp_path_factory.mktemp("s3")) as engine:
        yield engine


def as_new(engine):
    for name in ("faults", "rate", "stats"):
        engine.control("DELETE", name)
    engine.control("POST", "clock", {"offset": 0})
    return engine


@pytest.fixture
def dynamodb(_dynamodb):
    return as_new(_dynamodb)


@pytest.fixture
def s3(_s3):
    return as_new(_s3)


@pytest.fixture(scope="session")
def _table(_dynamodb):
    one = client(as_new(_dynamodb))
    one.create_table(
        TableName="things", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "owner", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[{"IndexName": "by-owner", "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                                 "Projection": {"ProjectionType": "ALL"}}])
    one.get_waiter("table_exists").wait(TableName="things", WaiterConfig={"Delay": 1})
    return "things"


@pytest.fixture
def table(_table):
    return _table


@pytest.fixture(scope="session")
def _bucket(_s3):
    name = f"engine-tests-{uuid.uuid4().hex}"  # the radosgw may be shared
    client(as_new(_s3)).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": _s3.region})
    return name


@pytest.fixture
def bucket(_bucket):
    return _bucket
