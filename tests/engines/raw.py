"""Requests signed by botocore and then spoilt by hand, sent byte for byte, and other ways of asking without boto3's manners."""
import datetime
import http.client
import json
import re
import socket
import struct
import time
import urllib.error
import urllib.parse
import urllib.request
from unittest import mock

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError


class Signed:
    def __init__(self, engine, method="POST", path="/", body=b"", headers=None, *, region=None, service=None, ago=0, key=None, token=None,
                 secret=None, operation="ListTables"):
        self.engine, self.method, self.path, self.body = engine, method, path, body
        kind = engine.kind
        headers = dict(headers or {})
        if kind == "dynamodb":
            self.body = body or b"{}"
            headers |= {"X-Amz-Target": "DynamoDB_20120810." + operation, "Content-Type": "application/x-amz-json-1.0"}
        request = AWSRequest(method, engine.endpoint + path, headers=headers, data=self.body)
        signer = botocore.auth.S3SigV4Auth if kind == "s3" else botocore.auth.SigV4Auth
        credentials = Credentials(key or engine.access_key, secret or engine.secret_key, token)
        now = datetime.datetime.utcnow() - datetime.timedelta(seconds=ago)
        with mock.patch.object(botocore.auth.datetime, "datetime", mock.Mock(wraps=datetime.datetime, utcnow=lambda: now)):
            signer(credentials, service or kind, region or engine.region).add_auth(request)
        self.headers = [(name, value) for name, value in request.headers.items()]
        if not any(name.lower() == "x-amz-date" for name, _ in self.headers):
            raise AssertionError("botocore signed by another header than X-Amz-Date")

    def without(self, name):
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name]
        return self

    def adding(self, name, value):
        self.headers.append((name, value))
        return self

    def changing(self, name, pattern, replacement):
        self.headers = [(key, re.sub(pattern, replacement, value) if key.lower() == name else value) for key, value in self.headers]
        return self

    def bytes(self):
        host = urllib.parse.urlsplit(self.engine.endpoint).netloc
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(self.body)}"]
        return "\r\n".join(lines + [f"{name}: {value}" for name, value in self.headers]).encode() + b"\r\n\r\n" + self.body

    def send(self):
        """(status, the error's code)"""
        address = urllib.parse.urlsplit(self.engine.endpoint)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
        connection.connect()
        connection.sock.sendall(self.bytes())
        answer = http.client.HTTPResponse(connection.sock, method=self.method)
        answer.begin()
        said = answer.read()
        connection.close()
        return answer.status, code_of(self.engine.kind, said)


def code_of(kind, said):
    if kind == "dynamodb":
        return json.loads(said).get("__type", "").rpartition("#")[2]
    found = re.search(rb"<Code>([^<]*)", said)
    return found[1].decode() if found else ""


def code(call, *arguments, **named):
    with pytest.raises(ClientError) as raised:
        call(*arguments, **named)
    return raised.value.response["ResponseMetadata"]["HTTPStatusCode"], raised.value.response["Error"]["Code"]


def fetch(url, method="GET", data=None, headers=()):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=dict(headers)), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, code_of("s3", error.read())


def reset_in_mid_body(address, request):
    connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    connection.connect(address)
    connection.sendall(request)
    time.sleep(0.05)  # lets the other side take the half; that it took less only makes the test easier on it
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
