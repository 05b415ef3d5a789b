"""What the gate lets pass, and what it refuses, of signatures that botocore and AWS's examples made."""
import hashlib
import time

import pytest

import sigv4
from conftest import client
from raw import Signed, code, fetch


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
