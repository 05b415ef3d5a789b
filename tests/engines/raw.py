"""Requests signed by botocore and then spoilt by hand, sent byte for byte."""
import datetime
import http.client
import json
import re
import urllib.parse
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


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
