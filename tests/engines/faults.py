"""What the gate does to requests when it is told to: which rule fits a request, and each service's own words for it."""
import dataclasses
import json
import random
import threading
import time
import zlib

# kind -> what it looks like. `done`: the engine carries the request out first, and only its answer is spoilt.
KINDS = {
    "throttle": "DynamoDB: 400 with `code`, else ProvisionedThroughputExceededException; S3: 503 SlowDown",
    "internal_error": "500",
    "unavailable": "503",
    "error": "`status`, `code`, `message` as given",
    "expired_token": "the session token is said to have expired",
    "reset": "the connection is reset without a byte of an answer",
    "close": "the connection is closed in order without a byte of an answer",
    "close_after": "answered well, and then closed without a word of it in the answer: the next request finds a dead connection",
    "truncate": "done; half of the answer's body, then the end of the connection",
    "bad_crc": "done; an x-amz-crc32 that is not the body's",
    "slow": "done; the answer begins after `seconds`",
    "trickle": "done; the answer's body comes in small pieces over `seconds`",
    "unprocessed": "BatchWriteItem and BatchGetItem: only the first `keep` entries (1) reach the engine, the others come back as unprocessed",
    "error_in_200": "S3: 200 whose body, after some blanks, is <Error> InternalError",
}
ALWAYS_DONE = {"truncate", "bad_crc", "slow", "trickle", "unprocessed", "close_after"}


@dataclasses.dataclass
class Fault:
    kind: str
    operation: object = None  # a name, a list of names, or None for every operation
    times: object = 1         # how often it strikes at most; None: without an end
    skip: int = 0             # so many fitting requests pass first
    probability: float = 1.0  # of striking a fitting request, by a generator of its own, seeded with `seed`
    seed: int = 0
    contains: str = ""        # only where the target or the body has this in it
    done: bool = False
    seconds: float = 3.0
    keep: int = 1
    status: int = 500
    code: str = ""
    message: str = "Told to fail."
    struck: int = 0
    id: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        self.done = self.done or self.kind in ALWAYS_DONE
        self.operations = [self.operation] if isinstance(self.operation, str) else self.operation
        self.random = random.Random(self.seed)

    def strikes(self, operation, request):
        if self.times is not None and self.struck >= self.times:
            return False
        if self.operations and operation not in self.operations:
            return False
        if self.contains and self.contains not in request.target and self.contains.encode() not in request.body:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.probability < 1 and self.random.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def shown(self):
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


class RateLimit:
    """A bucket of `burst` requests that refills by `per_second`; one over it is throttled."""

    def __init__(self, per_second, burst=None, operation=None):
        self.per_second, self.burst = float(per_second), float(burst if burst is not None else per_second)
        self.operations = [operation] if isinstance(operation, str) else operation
        self.level, self.at = self.burst, time.monotonic()

    def admits(self, operation):
        if self.operations and operation not in self.operations:
            return True
        now = time.monotonic()
        self.level, self.at = min(self.burst, self.level + (now - self.at) * self.per_second), now
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclasses.dataclass
class Answer:
    status: int
    headers: list
    body: bytes = b""

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name), None)

    def set(self, name, value):
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name] + [(name, value)]


_serial_lock, _serial = threading.Lock(), 0


def request_id():
    global _serial
    with _serial_lock:
        _serial += 1
        return f"GATE{_serial:012d}"


class DynamoDb:
    """DynamoDB's wire: the operation is a header, errors are JSON whose __type names them."""

    name = "dynamodb"
    _SERVICE, _DATA = "com.amazon.coral.service#", "com.amazonaws.dynamodb.v20120810#"
    REFUSALS = {
        "missing": "MissingAuthenticationTokenException", "incomplete": "IncompleteSignatureException",
        "bad_query": "IncompleteSignatureException", "unknown_key": "UnrecognizedClientException",
        "bad_token": "UnrecognizedClientException", "expired_token": "ExpiredTokenException",
    }
    COUNTED = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem"}

    def operation(self, request):
        return (request.header("x-amz-target") or "").rpartition(".")[2] or "none"

    def resources(self, request):
        """What the call is on, as permissions name it: tables, and indexes as `table/index/name`."""
        try:
            asked = json.loads(request.body)
            index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
            return [asked["TableName"] + index] if "TableName" in asked else list(asked.get("RequestItems", {}))
        except (AttributeError, TypeError, ValueError):
            return []

    def error(self, status, code, message, request):
        prefix = self._DATA if status >= 500 or code.startswith("Provisioned") else self._SERVICE
        body = json.dumps({"__type": prefix + code, "message": message}).encode()
        return Answer(status, [("x-amzn-RequestId", request_id()), ("Content-Type", "application/x-amz-json-1.0"),
                               ("x-amz-crc32", str(zlib.crc32(body)))], body)

    def refusal(self, refused, request):
        code = self.REFUSALS.get(refused.kind, "InvalidSignatureException")
        return self.error(400, code, refused.message, request)

    def fault(self, fault, request):
        if fault.kind == "throttle":
            return self.error(400, fault.code or "ProvisionedThroughputExceededException",
                              "The level of configured provisioned throughput for the table was exceeded.", request)
        if fault.kind == "expired_token":
            return self.error(400, "ExpiredTokenException", "The security token included in the request is expired", request)
        if fault.kind == "internal_error":
            return self.error(500, "InternalServerError", "The request could not be processed. Try again.", request)
        if fault.kind == "unavailable":
            return self.error(503, "ServiceUnavailable", "The service is unavailable.", request)
        return self.error(fault.status, fault.code or "InternalServerError", fault.message, request)


class S3:
    """S3's wire, with the bucket in the path: the operation is in method, path and query, errors are XML."""

    name = "s3"
    REFUSALS = {
        "missing": (403, "AccessDenied"), "incomplete": (400, "AuthorizationHeaderMalformed"),
        "bad_query": (400, "AuthorizationQueryParametersError"), "two_ways": (400, "InvalidArgument"),
        "unknown_key": (403, "InvalidAccessKeyId"), "bad_token": (400, "InvalidToken"), "expired_token": (400, "ExpiredToken"),
        "skewed": (403, "RequestTimeTooSkewed"), "expired_url": (403, "AccessDenied"), "scope": (400, "AuthorizationHeaderMalformed"),
        "unsigned_headers": (403, "AccessDenied"), "payload": (400, "XAmzContentSHA256Mismatch"),
        "no_payload_hash": (400, "InvalidRequest"), "mismatch": (403, "SignatureDoesNotMatch"),
    }
    OF_UPLOAD = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}
    OF_OBJECT = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject", "POST": "PostObject"}
    OF_BUCKET = {"PUT": "CreateBucket", "GET": "ListObjects", "HEAD": "HeadBucket", "DELETE": "DeleteBucket", "POST": "PostObject"}
    SUBRESOURCES = ("acl", "cors", "delete", "encryption", "lifecycle", "location", "policy", "tagging", "uploads", "versioning")

    def operation(self, request):
        query = {name for name, _ in request.query}
        bucket, _, key = request.path.lstrip("/").partition("/")
        if request.method == "OPTIONS":
            return "Preflight"
        if not bucket:
            return "ListBuckets"
        if "uploadId" in query:
            return self.OF_UPLOAD.get(request.method, "none")
        if "uploads" in query:
            return "CreateMultipartUpload" if request.method == "POST" else "ListMultipartUploads"
        if "delete" in query and request.method == "POST":
            return "DeleteObjects"
        for name in self.SUBRESOURCES:
            if name in query:
                return request.method.capitalize() + ("Object" if key else "Bucket") + name.capitalize()
        if key and request.method == "PUT" and request.header("x-amz-copy-source"):
            return "CopyObject"
        if not key and request.method == "GET" and ("list-type", "2") in request.query:
            return "ListObjectsV2"
        return (self.OF_OBJECT if key else self.OF_BUCKET).get(request.method, "none")

    def resources(self, request):
        """`bucket`, or `bucket/*` for whatever is in it."""
        bucket, _, key = request.path.lstrip("/").partition("/")
        return [f"{bucket}/*" if key else bucket]

    def error(self, status, code, message, request, id=None):
        id = id or request_id()
        escape = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
        body = ('<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Error><Code>{code}</Code><Message>{message.translate(escape)}</Message>"
                f"<Resource>{request.path.translate(escape)}</Resource><RequestId>{id}</RequestId><HostId>gate</HostId></Error>")
        return Answer(status, [("x-amz-request-id", id), ("x-amz-id-2", "gate"), ("Content-Type", "application/xml")],
                      body.encode("latin-1"))

    def refusal(self, refused, request):
        return self.error(*self.REFUSALS[refused.kind], refused.message, request)

    def fault(self, fault, request):
        if fault.kind == "throttle":
            return self.error(503, fault.code or "SlowDown", "Please reduce your request rate.", request)
        if fault.kind == "expired_token":
            return self.error(400, "ExpiredToken", "The provided token has expired.", request)
        if fault.kind == "internal_error":
            return self.error(500, "InternalError", "We encountered an internal error. Please try again.", request)
        if fault.kind == "unavailable":
            return self.error(503, "ServiceUnavailable", "Reduce your request rate.", request)
        if fault.kind == "error_in_200":
            answer = self.error(200, "InternalError", "We encountered an internal error. Please try again.", request)
            # S3 keeps the connection busy with blanks while it puts the parts together, after the declaration.
            answer.body = answer.body.replace(b"?>\n", b"?>\n" + b" \n" * 20, 1)
            return answer
        return self.error(fault.status, fault.code or "InternalError", fault.message, request)


def split_batch(operation, body, keep):
    """(the body with its first `keep` entries, the answer's member for the others, the others); None where it is no batch."""
    if operation not in ("BatchWriteItem", "BatchGetItem"):
        return None
    asked = json.loads(body)
    kept, left = {}, {}
    for table, entries in asked["RequestItems"].items():
        every = entries["Keys"] if operation == "BatchGetItem" else entries
        mine, others = every[:keep], every[keep:]
        keep -= len(mine)
        for goal, part in ((kept, mine), (left, others)):
            if part:
                goal[table] = {**entries, "Keys": part} if operation == "BatchGetItem" else part
    member = "UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems"
    return json.dumps({**asked, "RequestItems": kept}).encode(), member, left
