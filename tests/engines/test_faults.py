"""Each fault, as boto3 sees it."""
import http.client
import json
import socket
import time
import urllib.error
import urllib.parse
import zlib

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, HTTPClientError, IncompleteReadError

from conftest import client
from raw import Signed, code, fetch


def put(engine, table, key="a", attempts=1):
    return client(engine, attempts=attempts).put_item(TableName=table, Item={"id": {"S": key}})


@pytest.mark.parametrize("kind, says", [
    ({"kind": "throttle"}, (400, "ProvisionedThroughputExceededException")),
    ({"kind": "throttle", "code": "ThrottlingException"}, (400, "ThrottlingException")),
    ({"kind": "internal_error"}, (500, "InternalServerError")), ({"kind": "unavailable"}, (503, "ServiceUnavailable")),
    ({"kind": "expired_token"}, (400, "ExpiredTokenException")),
    ({"kind": "error", "status": 400, "code": "AccessDeniedException"}, (400, "AccessDeniedException"))])
@pytest.mark.parametrize("done", [False, True])
def test_dynamodb_error(dynamodb, table, kind, says, done):
    dynamodb.control("POST", "faults", {**kind, "done": done, "operation": "PutItem"})
    assert code(put, dynamodb, table) == says
    counted = dynamodb.control("GET", "stats")
    assert counted["operations"]["PutItem"]["done"] == (1 if done else 0)
    assert counted["faults"] == {kind["kind"]: 1}
    put(dynamodb, table)


@pytest.mark.parametrize("kind, says", [
    ({"kind": "throttle"}, (503, "SlowDown")), ({"kind": "internal_error"}, (500, "InternalError")),
    ({"kind": "unavailable"}, (503, "ServiceUnavailable")), ({"kind": "expired_token"}, (400, "ExpiredToken")),
    ({"kind": "error", "status": 409, "code": "OperationAborted"}, (409, "OperationAborted"))])
def test_s3_error(s3, bucket, kind, says):
    s3.control("POST", "faults", {**kind, "operation": "PutObject"})
    assert code(client(s3).put_object, Bucket=bucket, Key="error", Body=b"x") == says
    s3.control("POST", "faults", kind)
    status, shown = fetch(client(s3).generate_presigned_url("head_object", {"Bucket": bucket, "Key": "x"}), "HEAD")
    assert (status, shown) == (says[0], "")  # an answer to HEAD has no body


@pytest.mark.parametrize("kind", ["reset", "close"])
@pytest.mark.parametrize("done", [False, True])
def test_connection_that_ends_without_an_answer(dynamodb, s3, table, bucket, kind, done):
    add = dict(TableName=table, Key={"id": {"S": f"{kind}-{done}"}}, UpdateExpression="ADD n :one",
               ExpressionAttributeValues={":one": {"N": "1"}})
    dynamodb.fault(kind, done=done)
    with pytest.raises(HTTPClientError) as raised:
        client(dynamodb).update_item(**add)
    assert isinstance(raised.value, (ConnectionClosedError, EndpointConnectionError))
    client(dynamodb).update_item(**add)
    found = client(dynamodb).get_item(TableName=table, Key=add["Key"])["Item"]
    assert found["n"]["N"] == ("2" if done else "1")
    s3.fault(kind, done=done)
    with pytest.raises(HTTPClientError):
        client(s3).put_object(Bucket=bucket, Key=f"{kind}-{done}", Body=b"x")
    listed = client(s3).list_objects_v2(Bucket=bucket, Prefix=f"{kind}-{done}")["KeyCount"]
    assert listed == (1 if done else 0)


def test_truncated_answers(dynamodb, s3, table, bucket):
    dynamodb.fault("truncate")
    with pytest.raises(http.client.IncompleteRead):  # boto3 takes half an answer for a whole one where it may not try again
        Signed(dynamodb).send()
    client(s3).put_object(Bucket=bucket, Key="long", Body=b"x" * 1000)
    s3.fault("truncate", operation="GetObject")
    with pytest.raises((IncompleteReadError, HTTPClientError)):
        client(s3).get_object(Bucket=bucket, Key="long")["Body"].read()


def test_corrupted_crc_is_repeated_by_boto3(dynamodb, table):
    dynamodb.fault("bad_crc", operation="PutItem")
    put(dynamodb, table, attempts=2)
    assert dynamodb.control("GET", "stats")["operations"]["PutItem"]["done"] == 2


def test_slow_answers_time_out_and_trickled_ones_do_not(dynamodb, s3, table, bucket):
    dynamodb.fault("slow", seconds=3)
    with pytest.raises(HTTPClientError, match="(?i)timeout"):
        client(dynamodb, read_timeout=0.5).get_item(TableName=table, Key={"id": {"S": "a"}})
    client(s3).put_object(Bucket=bucket, Key="drops", Body=b"0123456789" * 10)
    s3.fault("trickle", seconds=1, operation="GetObject")
    began = time.monotonic()
    assert client(s3, read_timeout=0.8).get_object(Bucket=bucket, Key="drops")["Body"].read() == b"0123456789" * 10
    assert time.monotonic() - began >= 0.9  # by the gate's own sleeps: it cannot be less


def test_connection_closed_after_a_good_answer(dynamodb, table):
    one = client(dynamodb)
    dynamodb.fault("close_after")
    one.put_item(TableName=table, Item={"id": {"S": "close"}})
    before = dynamodb.control("GET", "stats")["connections"]
    one.put_item(TableName=table, Item={"id": {"S": "close"}})  # urllib3 sees that it was closed and takes a new one
    assert dynamodb.control("GET", "stats")["connections"] == before + 2  # the client's, and this question's


def test_idle_connections_are_closed_when_told(dynamodb, table):
    one = client(dynamodb, attempts=3)  # it may be sending again before the end of its connection has reached it
    one.put_item(TableName=table, Item={"id": {"S": "idle"}})
    assert dynamodb.control("DELETE", "connections")["closed"] >= 1
    one.put_item(TableName=table, Item={"id": {"S": "idle"}})


@pytest.mark.parametrize("operation", ["write", "get"])
def test_unprocessed_entries_come_back(dynamodb, table, operation):
    keys = [f"batch-{number}" for number in range(5)]
    if operation == "write":
        asked = {table: [{"PutRequest": {"Item": {"id": {"S": key}}}} for key in keys]}
    else:
        for key in keys:
            put(dynamodb, table, key)
        asked = {table: {"Keys": [{"id": {"S": key}} for key in keys], "ConsistentRead": True}}
    dynamodb.fault("unprocessed", keep=2, times=2)
    rounds, done, one = 0, 0, client(dynamodb)
    while asked:
        rounds += 1
        if operation == "write":
            asked = one.batch_write_item(RequestItems=asked)["UnprocessedItems"]
        else:
            answer = one.batch_get_item(RequestItems=asked)
            asked = answer["UnprocessedKeys"]
            done += len(answer["Responses"][table])
            assert all(left["ConsistentRead"] for left in asked.values())
    assert rounds == 3
    if operation == "get":
        assert done == 5
    assert all("Item" in one.get_item(TableName=table, Key={"id": {"S": key}}) for key in keys)


def test_complete_that_fails_within_its_200(s3, bucket):
    one = client(s3)
    upload = one.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    etag = one.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    complete = dict(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    s3.fault("error_in_200", operation="CompleteMultipartUpload")
    status, said = fetch(one.generate_presigned_url("complete_multipart_upload", {"Bucket": bucket, "Key": "parts", "UploadId": upload}), "POST", b"")
    assert status == 200 and said.startswith(b"<?xml") and b"<Error><Code>InternalError" in said
    s3.fault("error_in_200", operation="CompleteMultipartUpload")
    with pytest.raises(ClientError):
        one.complete_multipart_upload(**complete)
    s3.fault("error_in_200", operation="CompleteMultipartUpload")
    client(s3, attempts=2).complete_multipart_upload(**complete)
    assert one.head_object(Bucket=bucket, Key="parts")["ContentLength"] == 1


def test_faults_strike_by_operation_count_and_seeded_chance(dynamodb, table):
    dynamodb.fault("throttle", operation=["PutItem"], times=2, skip=1)
    seen = []
    for _ in range(5):
        client(dynamodb).get_item(TableName=table, Key={"id": {"S": "a"}})
        try:
            put(dynamodb, table)
            seen.append("ok")
        except ClientError:
            seen.append("no")
    assert seen == ["ok", "no", "no", "ok", "ok"]

    def pattern(seed):
        dynamodb.control("DELETE", "faults")
        dynamodb.fault("throttle", times=None, probability=0.5, seed=seed)
        outcomes = ""
        for _ in range(20):
            try:
                put(dynamodb, table)
                outcomes += "1"
            except ClientError:
                outcomes += "0"
        return outcomes

    first = pattern(7)
    assert first == pattern(7) and first != pattern(8) and "0" in first and "1" in first
    assert dynamodb.control("GET", "faults")[0]["struck"] > 0


def test_faults_strike_one_key_alone(dynamodb, table):
    dynamodb.fault("internal_error", contains='"victim"', times=None)
    put(dynamodb, table, "other")
    assert code(put, dynamodb, table, "victim")[0] == 500


def test_unknown_fault_is_refused(dynamodb):
    with pytest.raises(urllib.error.HTTPError) as raised:
        dynamodb.fault("no such thing")
    assert raised.value.code == 400 and "truncate" in raised.value.read().decode()


def test_boto3_outlasts_each_passing_fault(dynamodb, s3, table, bucket):
    for kind in ("throttle", "internal_error", "unavailable", "reset", "close", "bad_crc"):
        dynamodb.fault(kind)
        put(dynamodb, table, attempts=2)
    for kind in ("throttle", "internal_error", "unavailable", "reset", "close"):
        s3.fault(kind)
        client(s3, attempts=2).put_object(Bucket=bucket, Key="outlast", Body=b"x")


def test_rate_limit_throttles_what_is_over_it(dynamodb, table):
    dynamodb.control("POST", "rate", {"per_second": 0.001, "burst": 5, "operation": "PutItem"})
    outcomes = []
    for _ in range(8):
        try:
            put(dynamodb, table)
            outcomes.append("ok")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert outcomes == ["ok"] * 5 + ["ProvisionedThroughputExceededException"] * 3
    assert dynamodb.control("GET", "stats")["faults"] == {"rate": 3}


def test_counts_requests_and_capacity(dynamodb, table):
    one = client(dynamodb)
    one.put_item(TableName=table, Item={"id": {"S": "big"}, "text": {"S": "ä€😀" + "x" * 2500}})
    found = one.get_item(TableName=table, Key={"id": {"S": "big"}}, ConsistentRead=True)
    assert found["Item"]["text"]["S"].startswith("ä€😀") and "ConsumedCapacity" not in found
    asked = one.get_item(TableName=table, Key={"id": {"S": "big"}}, ReturnConsumedCapacity="TOTAL")
    assert asked["ConsumedCapacity"]["CapacityUnits"] == 0.5
    counted = dynamodb.control("GET", "stats")["operations"]
    assert counted["PutItem"] == {"requests": 1, "done": 1, "capacity": 3.0, "statuses": {"200": 1}}
    assert counted["GetItem"]["capacity"] == 1.5
    dynamodb.control("DELETE", "stats")
    assert dynamodb.control("GET", "stats")["operations"] == {}


def test_crc_header_is_of_the_bytes_sent(dynamodb, table):
    put(dynamodb, table, "crc")
    one = Signed(dynamodb, operation="GetItem", body=json.dumps({"TableName": table, "Key": {"id": {"S": "crc"}}}).encode())
    address = urllib.parse.urlsplit(dynamodb.endpoint)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(one.bytes())
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert f"x-amz-crc32: {zlib.crc32(body)}".encode() in head and b'"crc"' in body
