"""What deviations.md says of the stand-ins, checked where it is cheap: if one of these fails, the stand-in has come nearer
to AWS (or further away), and deviations.md with what leans on it wants another look."""
import contextlib
import json
import socket

import pytest
from botocore.exceptions import ClientError

import engines
import processes
from conftest import client
from raw import Signed, code, reset_in_mid_body

UNKNOWN = (400, "UnknownOperationException")


def test_dynalite_knows_no_transactions_ttl_or_backups(dynamodb, table):
    one = client(dynamodb)
    item = {"Put": {"TableName": table, "Item": {"id": {"S": "t"}}}}
    assert code(one.transact_write_items, TransactItems=[item]) == UNKNOWN
    assert code(one.transact_get_items, TransactItems=[{"Get": {"TableName": table, "Key": {"id": {"S": "t"}}}}]) == UNKNOWN
    assert code(one.update_time_to_live, TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}) == UNKNOWN
    assert one.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
    assert code(one.describe_continuous_backups, TableName=table) == UNKNOWN
    assert code(one.execute_statement, Statement="SELECT * FROM things") == UNKNOWN


def test_dynalite_adds_no_index_to_a_table(dynamodb, table):
    one = client(dynamodb)
    create = {"IndexName": "late", "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}
    with contextlib.suppress(ClientError):  # it says so or it does not; either way there is no index
        one.update_table(TableName=table, AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
                         GlobalSecondaryIndexUpdates=[{"Create": create}])
    assert [index["IndexName"] for index in one.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]] == ["by-owner"]


def test_dynalite_accepts_an_empty_index_key(dynamodb, table):
    client(dynamodb).put_item(TableName=table, Item={"id": {"S": "empty"}, "owner": {"S": ""}})


def test_dynalite_does_not_count_what_indexes_write(dynamodb, table):
    answer = client(dynamodb).put_item(TableName=table, Item={"id": {"S": "c"}, "owner": {"S": "o"}}, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1  # AWS: 2


def test_dynalite_shows_no_old_item_on_a_failed_condition(dynamodb, table):
    one = client(dynamodb)
    one.put_item(TableName=table, Item={"id": {"S": "old"}})
    asked = Signed(dynamodb, operation="PutItem", body=json.dumps({
        "TableName": table, "Item": {"id": {"S": "old"}}, "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}).encode())
    assert asked.send() == (400, "ConditionalCheckFailedException")
    with pytest.raises(ClientError) as raised:
        one.put_item(TableName=table, Item={"id": {"S": "old"}}, ConditionExpression="attribute_not_exists(id)")
    assert "Item" not in raised.value.response


def test_dynalite_without_the_gate_checks_no_signature_and_dies_of_a_reset(tmp_path):
    children = processes.Children(tmp_path)
    try:
        path, _ = engines.start_dynalite(children)
        forged = (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20150101T000000Z\r\n"
                  b"X-Amz-Target: DynamoDB_20120810.ListTables\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/20150101/b/c/aws4_request, "
                  b"SignedHeaders=host, Signature=00\r\nContent-Length: 2\r\n\r\n{}")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(forged)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        reset_in_mid_body(path, forged[:-1])
        assert children.all["dynalite"].wait(10) != 0
    finally:
        children.end()


def test_radosgw_itself_minds_neither_region_nor_token(s3):
    client(s3, region="us-west-2", endpoint=s3.direct).list_buckets()
    client(s3, {"access_key": s3.access_key, "secret_key": s3.secret_key, "session_token": "unknown"}, endpoint=s3.direct).list_buckets()
    with pytest.raises(ClientError):
        client(s3, {"access_key": s3.access_key, "secret_key": "wrong"}, endpoint=s3.direct).list_buckets()


def test_radosgw_ignores_a_wrong_checksum(s3, bucket):
    for headers in ({"x-amz-checksum-sha256": "A" * 43 + "="}, {"x-amz-checksum-crc32": "AAAAAA=="}):
        assert Signed(s3, "PUT", f"/{bucket}/checksum", b"x", headers).send() == (200, "")  # AWS: 400 BadDigest
    upload = client(s3).create_multipart_upload(Bucket=bucket, Key="checksum", ChecksumAlgorithm="CRC32")["UploadId"]
    part = f"/{bucket}/checksum?partNumber=1&uploadId={upload}"
    assert Signed(s3, "PUT", part, b"x", {"x-amz-checksum-crc32": "AAAAAA=="}).send() == (200, "")  # AWS: 400 BadDigest
    assert Signed(s3, "PUT", part, b"x").send() == (200, "")  # AWS: 400 InvalidRequest, since this upload's parts have checksums
    assert "ChecksumCRC32" not in client(s3).list_parts(Bucket=bucket, Key="checksum", UploadId=upload)["Parts"][0]
    assert Signed(s3, "PUT", f"/{bucket}/checksum", b"x", {"Content-MD5": "A" * 22 + "=="}).send() == (400, "BadDigest")


def test_radosgw_and_multipart_uploads(s3, bucket):
    one = client(s3)
    start = lambda: one.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = lambda upload, number, body: {"PartNumber": number, "ETag": one.upload_part(
        Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=body)["ETag"]}
    finish = lambda upload, parts: one.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": parts})
    upload = start()
    small = [part(upload, 1, b"x"), part(upload, 2, b"y")]
    assert code(finish, upload, small) == (400, "EntityTooSmall")  # as AWS
    assert code(finish, upload, [{**small[0], "ETag": '"0"'}])[1] == "InvalidPart"  # as AWS
    upload = start()
    large = b"x" * (5 * 2**20)
    parts = [part(upload, 1, large), part(upload, 2, large)]
    assert code(finish, upload, parts[:1])[1] == "InvalidPart"  # AWS leaves out what is not listed
    finish(upload, parts[::-1])  # AWS: 400 InvalidPartOrder
    finish("unknown", parts)  # accepted because the object is there with that very ETag; AWS: 404 NoSuchUpload
    assert code(one.complete_multipart_upload, Bucket=bucket, Key="never", UploadId="unknown",
                MultipartUpload={"Parts": parts})[0] == 500  # AWS: 404 NoSuchUpload


def test_radosgw_knows_no_encryption_by_itself(s3, bucket):
    assert code(client(s3).put_object, Bucket=bucket, Key="sse", Body=b"x", ServerSideEncryption="AES256")[1] == "InvalidRequest"


def test_gate_takes_a_bucket_only_in_its_region(s3):
    assert code(client(s3).create_bucket, Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}) == (
        400, "IllegalLocationConstraintException")
    assert code(client(s3).create_bucket, Bucket="elsewhere")[1] == "IllegalLocationConstraintException"
