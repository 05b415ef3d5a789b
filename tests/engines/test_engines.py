"""The engines themselves: what boto3, which is not ours, sees of them."""
import concurrent.futures
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, HTTPClientError, IncompleteReadError

import engines
import sigv4
from conftest import client
from raw import Signed, code_of


def code(call, *arguments, **named):
    with pytest.raises(ClientError) as raised:
        call(*arguments, **named)
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], raised.value.response["Error"]["Code"]


# ---- signatures ----

EXAMPLE = sigv4.Credential("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE_TIME = 1369353600  # 2013-05-24T00:00:00Z, as in AWS's worked examples


def example(signature, signed="host;range;x-amz-content-sha256;x-amz-date"):
    return sigv4.Request("GET", "/test.txt", [
        ("Host", "examplebucket.s3.amazonaws.com"), ("Range", "bytes=0-9"),
        ("x-amz-content-sha256", hashlib.sha256(b"").hexdigest()), ("x-amz-date", "20130524T000000Z"),
        ("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                          f"SignedHeaders={signed},Signature={signature}")], b"")


def presigned_example(signature):
    return sigv4.Request("GET", "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
                                "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
                                f"&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
                         [("Host", "examplebucket.s3.amazonaws.com")], b"")


@pytest.mark.parametrize("request_with, signature", [
    (example, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    (presigned_example, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")])
def test_aws_worked_examples_verify_and_no_neighbour_of_them_does(request_with, signature):
    known = {EXAMPLE.access_key: EXAMPLE}
    assert sigv4.verify(request_with(signature), known, "us-east-1", "s3", EXAMPLE_TIME) is EXAMPLE
    for wrong in (signature[:-1] + "0", signature[:-1], signature.upper(), "0" * 64, "é" * 64):
        with pytest.raises(sigv4.Refusal) as refused:
            sigv4.verify(request_with(wrong), known, "us-east-1", "s3", EXAMPLE_TIME)
        assert refused.value.kind == "mismatch"


BAD = [  # what is wrong, (how it is signed), how it is spoilt, DynamoDB's answer, S3's answer
    ("nothing", {}, lambda r: r, (200, ""), (200, "")),
    ("no signature", {}, lambda r: r.without("authorization"), (400, "MissingAuthenticationTokenException"), (403, "AccessDenied")),
    ("two signatures", {}, lambda r: r.adding("Authorization", dict(r.headers)["Authorization"]),
     (400, "InvalidSignatureException"), (400, "InvalidArgument")),
    ("another algorithm", {}, lambda r: r.changing("authorization", "^AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
     (400, "IncompleteSignatureException"), (400, "AuthorizationHeaderMalformed")),
    ("no credential", {}, lambda r: r.changing("authorization", "Credential=[^,]*, ?", ""),
     (400, "IncompleteSignatureException"), (400, "AuthorizationHeaderMalformed")),
    ("wrong secret", {"secret": "wrong"}, lambda r: r, (400, "InvalidSignatureException"), (403, "SignatureDoesNotMatch")),
    ("zero signature", {}, lambda r: r.changing("authorization", "Signature=.*", "Signature=" + "0" * 64),
     (400, "InvalidSignatureException"), (403, "SignatureDoesNotMatch")),
    ("unknown key", {"key": "AKIAUNKNOWN"}, lambda r: r, (400, "UnrecognizedClientException"), (403, "InvalidAccessKeyId")),
    ("signed header changed", {"headers": {"X-Amz-Meta-A": "1"}}, lambda r: r.changing("x-amz-meta-a", "1", "2"),
     (400, "InvalidSignatureException"), (403, "SignatureDoesNotMatch")),
    ("unsigned x-amz header", {}, lambda r: r.adding("X-Amz-Meta-B", "1"), (400, "InvalidSignatureException"), (403, "AccessDenied")),
    ("host not signed", {}, lambda r: r.changing("authorization", "host;", ""), (400, "InvalidSignatureException"), (403, "AccessDenied")),
    ("signed header absent", {"headers": {"X-Amz-Meta-A": "1"}}, lambda r: r.without("x-amz-meta-a"),
     (400, "InvalidSignatureException"), (403, "SignatureDoesNotMatch")),
    ("another region", {"region": "us-east-1"}, lambda r: r, (400, "InvalidSignatureException"), (400, "AuthorizationHeaderMalformed")),
    ("another service", {"service": "sqs"}, lambda r: r, (400, "InvalidSignatureException"), (400, "AuthorizationHeaderMalformed")),
    ("14 minutes old", {"ago": 14 * 60}, lambda r: r, (200, ""), (200, "")),
    ("16 minutes old", {"ago": 16 * 60}, lambda r: r, (400, "InvalidSignatureException"), (403, "RequestTimeTooSkewed")),
    ("16 minutes early", {"ago": -16 * 60}, lambda r: r, (400, "InvalidSignatureException"), (403, "RequestTimeTooSkewed")),
    ("a token with a lasting key", {"token": "abc"}, lambda r: r, (400, "UnrecognizedClientException"), (400, "InvalidToken")),
]


@pytest.mark.parametrize("how, spoil, dynamodb_says, s3_says", [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_signature(dynamodb, s3, bucket, how, spoil, dynamodb_says, s3_says):
    assert spoil(Signed(dynamodb, **how)).send() == dynamodb_says
    assert spoil(Signed(s3, "PUT", f"/{bucket}/signature", b"x", **how)).send() == s3_says


def test_changed_body_is_refused_by_both(dynamodb, s3, bucket):
    one = Signed(dynamodb, body=b'{"Limit":1}')
    one.body = b'{"Limit":2}'
    assert one.send() == (400, "InvalidSignatureException")
    one = Signed(s3, "PUT", f"/{bucket}/body", b"x")
    one.body = b"y"
    assert one.send() == (400, "XAmzContentSHA256Mismatch")
    assert Signed(s3, "PUT", f"/{bucket}/body", b"x").without("x-amz-content-sha256").changing(
        "authorization", "x-amz-content-sha256;", "").send() == (400, "InvalidRequest")
    assert s3.control("GET", "stats")["operations"]["PutObject"]["done"] == 0


def test_temporary_credentials_need_their_token_and_expire(dynamodb, s3, bucket):
    for engine, call, invalid, expired in (
            (dynamodb, lambda one: one.list_tables(), "UnrecognizedClientException", "ExpiredTokenException"),
            (s3, lambda one: one.put_object(Bucket=bucket, Key="temporary", Body=b"x"), "InvalidToken", "ExpiredToken")):
        temporary = engine.temporary
        call(client(engine, temporary))
        assert code(call, client(engine, {**temporary, "session_token": None})) == (400, invalid)
        assert code(call, client(engine, {**temporary, "session_token": temporary["session_token"] + "x"})) == (400, invalid)
        old = {"access_key": "ASIAOLD", "secret_key": "old", "session_token": "old"}
        engine.control("POST", "credentials", {**old, "expires": time.time() - 1})
        assert code(call, client(engine, old)) == (400, expired)
        engine.control("POST", "credentials", {**old, "expires": time.time() + 100})
        call(client(engine, old))
        assert engine.control("DELETE", "credentials", {"access_key": "ASIAOLD"}) == {"known": True}
        assert code(call, client(engine, old))[1] in ("UnrecognizedClientException", "InvalidAccessKeyId")


def test_a_clock_that_is_off_is_told_by_the_date_header(dynamodb, s3, bucket):
    for engine, call, says in ((dynamodb, "list_tables", (400, "InvalidSignatureException")), (s3, "list_buckets", (403, "RequestTimeTooSkewed"))):
        engine.control("POST", "clock", {"offset": 3600})
        assert code(getattr(client(engine), call)) == says
    # What is signed by the gate's clock passes, although radosgw's own clock is another.
    assert Signed(s3, "PUT", f"/{bucket}/late", b"x", ago=-3600).send() == (200, "")
    assert Signed(dynamodb, ago=-3600).send() == (200, "")


def fetch(url, method="GET", data=None, headers=()):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=dict(headers)), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, code_of("s3", error.read())


KEYS = ["plain", "a b", "grüße/😀.mp4", "+&=", "%20 literal", "'()!*;:@$,[]#?", "a/../b", "a//b", "a/./b", "~-_."]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("temporary", [False, True])
def test_keys_and_presigned_urls(s3, bucket, key, temporary):
    one = client(s3, s3.temporary if temporary else None)
    one.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert one.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    url = one.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert fetch(url) == (200, key.encode())
    assert fetch(one.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key, "ContentType": "video/mp4"}), "PUT", b"new",
                 {"Content-Type": "video/mp4"})[0] == 200
    assert fetch(url) == (200, b"new")
    assert one.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] >= 1


def test_presigned_urls_hold_for_nothing_else(s3, bucket):
    one = client(s3)
    one.put_object(Bucket=bucket, Key="shown", Body=b"x")
    url = one.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "shown"}, ExpiresIn=60)
    assert fetch(url)[0] == 200
    assert fetch(url.replace("shown", "other")) == (403, "SignatureDoesNotMatch")
    assert fetch(url, "DELETE") == (403, "SignatureDoesNotMatch")
    assert fetch(url + "&response-content-type=text/html") == (403, "SignatureDoesNotMatch")
    assert fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")) == (403, "SignatureDoesNotMatch")
    assert fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=604801")) == (400, "AuthorizationQueryParametersError")
    assert fetch(url, headers={"Authorization": "AWS4-HMAC-SHA256 x"}) == (400, "InvalidArgument")
    put = one.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "shown", "ContentType": "video/mp4"}, ExpiresIn=60)
    assert fetch(put, "PUT", b"x", {"Content-Type": "text/html"}) == (403, "SignatureDoesNotMatch")
    s3.control("POST", "clock", {"offset": 58})
    assert fetch(url)[0] == 200
    s3.control("POST", "clock", {"offset": 62})
    assert fetch(url) == (403, "AccessDenied")


# ---- faults ----

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
    one = client(dynamodb)
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


# ---- roughness ----

def reset_in_mid_body(address, request):
    connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    connection.connect(address)
    connection.sendall(request)
    time.sleep(0.05)  # lets the other side take the half; that it took less only makes the test easier on it
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_resets_in_mid_body_end_neither_engine(dynamodb, s3, table, bucket):
    for engine, request in ((dynamodb, Signed(dynamodb, body=b'{"Limit":1}' + b" " * 5000).bytes()),
                            (s3, Signed(s3, "PUT", f"/{bucket}/half", b"x" * 5000).bytes())):
        address = urllib.parse.urlsplit(engine.endpoint)
        for cut in (10, request.index(b"\r\n\r\n") + 2, len(request) - 5000, len(request) - 1):
            reset_in_mid_body((address.hostname, address.port), request[:cut])
        deadline = time.monotonic() + 10
        while engine.control("GET", "stats")["gone_in_request"] < 4:
            assert time.monotonic() < deadline
    put(dynamodb, table)
    client(s3).list_objects_v2(Bucket=bucket)
    for engine in (dynamodb, s3):
        assert all(pathlib.Path(f"/proc/{pid}").exists() for pid in engine.pids.values())


def test_chunked_and_expecting_requests_pass(s3, bucket):
    body = b"x" * 200_000
    for extra, framed in (([("Transfer-Encoding", "chunked")], b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)),
                          ([("Expect", "100-continue"), ("Content-Length", str(len(body)))], body)):
        one = Signed(s3, "PUT", f"/{bucket}/framed", body)
        head = one.bytes()[:-len(body)].replace(f"Content-Length: {len(body)}\r\n".encode(), b"")
        head = head[:-2] + "".join(f"{name}: {value}\r\n" for name, value in extra).encode() + b"\r\n"
        address = urllib.parse.urlsplit(s3.endpoint)
        with socket.create_connection((address.hostname, address.port), 20) as connection:
            connection.sendall(head)
            if extra[0][0] == "Expect":
                assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(framed)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert client(s3).head_object(Bucket=bucket, Key="framed")["ContentLength"] == len(body)
        client(s3).delete_object(Bucket=bucket, Key="framed")


def test_sixty_four_clients_at_once_lose_nothing(dynamodb, s3, table, bucket):
    one, other = client(dynamodb), client(s3)

    def work(number):
        for _ in range(4):
            one.update_item(TableName=table, Key={"id": {"S": "sum"}}, UpdateExpression="ADD n :one",
                            ExpressionAttributeValues={":one": {"N": "1"}})
        other.put_object(Bucket=bucket, Key=f"many/{number}", Body=bytes([number]) * 10_000)
        return other.get_object(Bucket=bucket, Key=f"many/{number}")["Body"].read() == bytes([number]) * 10_000

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert all(pool.map(work, range(64)))
    assert one.get_item(TableName=table, Key={"id": {"S": "sum"}}, ConsistentRead=True)["Item"]["n"]["N"] == "256"
    counted = dynamodb.control("GET", "stats")
    assert counted["operations"]["UpdateItem"]["done"] == 256 and counted["connections"] <= 70


def test_four_hundred_connections_stay_open_at_once(dynamodb):
    address = urllib.parse.urlsplit(dynamodb.endpoint)
    request = Signed(dynamodb).bytes()
    with contextlib.ExitStack() as stack:
        every = [stack.enter_context(socket.create_connection((address.hostname, address.port), 20)) for _ in range(400)]
        for _ in range(2):
            for one in every:
                one.sendall(request)
            for one in every:
                assert one.recv(65536).startswith(b"HTTP/1.1 200")
    assert dynamodb.control("GET", "stats")["operations"]["ListTables"]["done"] == 800


def test_large_objects_and_ranges_pass_the_gate(s3, bucket):
    body = os.urandom(20 * 2**20)
    client(s3).put_object(Bucket=bucket, Key="large", Body=body)
    assert client(s3).get_object(Bucket=bucket, Key="large")["Body"].read() == body
    part = client(s3).get_object(Bucket=bucket, Key="large", Range="bytes=-5")
    assert part["Body"].read() == body[-5:] and part["ContentRange"] == f"bytes {len(body) - 5}-{len(body) - 1}/{len(body)}"
    assert client(s3, endpoint=s3.direct).head_object(Bucket=bucket, Key="large")["ContentLength"] == len(body)


# ---- starting and stopping ----

def gone(pids):
    deadline = time.monotonic() + 15
    while any(engines.state_of(pid) != "Z" for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command(*arguments, status=0, **environment):
    done = subprocess.run([sys.executable, engines.__file__, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=120)
    assert done.returncode == status, done.stderr
    return done.stdout


def test_start_and_stop_end_exactly_their_own(tmp_path):
    first, second = (json.loads(command("start", "dynamodb", "--dir", tmp_path / name)) for name in "ab")
    assert first["endpoint"] != second["endpoint"] and not set(first["pids"].values()) & set(second["pids"].values())
    assert command("stop", "--dir", tmp_path / "a") == "stopped\n"
    assert gone(first["pids"].values())
    engines.Running(second).control("GET", "stats")
    assert command("stop", "--dir", tmp_path / "a", status=1) == "nothing was running\n"
    again = json.loads(command("start", "dynamodb", "--dir", tmp_path / "b"))  # in place of the one that runs there
    assert gone(second["pids"].values())
    command("stop", "--dir", tmp_path / "b")
    assert gone(again["pids"].values())


def test_a_number_given_to_another_process_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (tmp_path / "engine.json").write_text(json.dumps({"keeper": bystander.pid, "keeper_began": "1"}))
        assert command("stop", "--dir", tmp_path, status=1) == "nothing was running\n"
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("kind", ["dynamodb", "s3"])
def test_no_engine_outlives_a_keeper_that_was_killed(kind, tmp_path):
    described = json.loads(command("start", kind, "--dir", tmp_path, SEGMENTS_TEST_S3=""))
    os.kill(described["keeper"], 9)
    assert gone(described["pids"].values())


def test_an_engine_ends_with_the_process_that_it_was_started_for(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as companion:
        described = json.loads(command("start", "dynamodb", "--dir", tmp_path, "--with", companion.pid))
        engines.Running(described).control("GET", "stats")
        companion.kill()
        assert gone(described["pids"].values())


def test_run_ends_with_its_input(tmp_path):
    with engines.running("dynamodb", tmp_path) as engine:
        pids = engine.pids.values()
        assert not any(engines.state_of(pid) == "Z" for pid in pids)
    assert gone(pids)


def test_shared_radosgw_has_a_gate_for_each(s3, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMENTS_TEST_S3", s3.dir)
    with engines.running("s3", tmp_path) as mine:
        assert mine.direct == s3.direct and mine.endpoint != s3.endpoint and list(mine.pids) == ["keeper"]
        mine.fault("throttle", times=None)
        assert code(client(mine).list_buckets) == (503, "SlowDown")
        assert bucket in [one["Name"] for one in client(s3).list_buckets()["Buckets"]]


PROGRAM = """
#include <cstdio>
#include "engine.h"
using namespace segments;
int main(int count, char**) {
  auto& one = engines::dynamodb();
  if (&one != &engines::dynamodb()) return 1;
  if (const pid_t child = ::fork(); child == 0) std::exit(0); else ::waitpid(child, nullptr, 0);
  one.fault(R"({"kind":"throttle","times":null})");
  if (one.control("GET", "faults").as_array().size() != 1) return 2;
  one.as_new();
  if (!one.control("GET", "faults").as_array().empty() || one.stats().at("requests") != 0) return 3;
  try { one.fault(R"({"kind":"nonsense"})"); return 4; } catch (const std::runtime_error&) {}
  if (engines::s3().direct.empty() || engines::s3().temporary.session_token.empty()) return 5;
  std::printf("%s\\n", one.endpoint.c_str());
  std::fflush(stdout);
  if (count > 1) std::abort();
}
"""


def test_the_header_starts_one_for_a_program_and_ends_it_with_it(tmp_path, s3):
    (tmp_path / "program.cc").write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{engines.HERE}", tmp_path / "program.cc", "-o", tmp_path / "program",
                    "-lboost_json"], check=True)
    # The build folder knows the source folder.
    (tmp_path / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={engines.HERE.parent.parent}\n")
    for arguments, status in (([], 0), (["abort"], -6)):
        done = subprocess.run([tmp_path / "program", *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "SEGMENTS_TEST_S3": s3.dir})
        assert done.returncode == status, done.stderr
        address = urllib.parse.urlsplit(done.stdout.strip())
        deadline = time.monotonic() + 15
        while engines.answers(address.port):
            assert time.monotonic() < deadline
            time.sleep(0.02)
