"""Many clients, rude ones, large bodies."""
import concurrent.futures
import contextlib
import os
import pathlib
import socket
import time
import urllib.parse

from conftest import client
from raw import Signed, reset_in_mid_body


def put(engine, table, key="a", attempts=1):
    return client(engine, attempts=attempts).put_item(TableName=table, Item={"id": {"S": key}})


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
