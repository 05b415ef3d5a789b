"""Verifies AWS Signature Version 4 as a server does: by the standard library alone, and without a line of the client
under test. Source: "AWS Signature Version 4 for API requests" in AWS's IAM user guide, and S3's pages on presigned URLs.
"""
import dataclasses
import datetime
import hashlib
import hmac
import re
import time
import urllib.parse

ALGORITHM = "AWS4-HMAC-SHA256"
MOST_SKEW = 15 * 60
LONGEST_PRESIGNED = 7 * 24 * 3600
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclasses.dataclass
class Credential:
    access_key: str
    secret_key: str
    session_token: str | None = None
    expires: float | None = None  # seconds since 1970


@dataclasses.dataclass
class Request:
    method: str
    target: str  # as on the request line: path and query, still encoded
    headers: list  # of (name, value), as they came
    body: bytes

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        """Decoded pairs in the order in which they came; a plus stays a plus."""
        raw = self.target.partition("?")[2]
        pairs = (part.partition("=") for part in raw.split("&") if part)
        return [(unquote(name), unquote(value)) for name, _, value in pairs]

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name):
        return next(iter(self.all(name)), None)


class Refusal(Exception):
    """`kind` is neutral of the service; gate.py has each service's own code and status for it."""

    def __init__(self, kind, message, canonical=""):
        super().__init__(message)
        self.kind, self.message, self.canonical = kind, message, canonical


def unquote(text):
    return urllib.parse.unquote(text, encoding="latin-1")  # bytes stay bytes: one character each


def quote(text):
    return urllib.parse.quote(text.encode("latin-1"), safe="-_.~")


@dataclasses.dataclass
class Claim:
    """What a request says of its signature, wherever it says it."""

    credential: str
    signed: list
    signature: str
    date: str
    token: str | None
    presigned: bool
    expires: int = MOST_SKEW


def read_header_claim(request, authorization):
    scheme, _, rest = authorization.partition(" ")
    if scheme != ALGORITHM:
        raise Refusal("incomplete", f"Unsupported AWS 'algorithm': '{scheme}'.")
    fields = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name in fields:
            raise Refusal("incomplete", f"'{part.strip()}' not a valid key=value pair (missing equal-sign) in Authorization header")
        fields[name] = value
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not fields.get(name):
            raise Refusal("incomplete", f"Authorization header requires '{name}' parameter.")
    dates = request.all("x-amz-date")
    if len(dates) != 1:
        raise Refusal("incomplete", "Authorization header requires existence of one 'X-Amz-Date' header.")
    return Claim(fields["Credential"], fields["SignedHeaders"].split(";"), fields["Signature"], dates[0],
                 request.header("x-amz-security-token"), False)


def read_query_claim(request):
    query = request.query
    fields = dict(query)
    for name in ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"):
        if sum(1 for key, _ in query if key == name) != 1:
            raise Refusal("bad_query", f"Query-string authentication requires one {name} parameter.")
    if fields["X-Amz-Algorithm"] != ALGORITHM:
        raise Refusal("bad_query", "X-Amz-Algorithm only supports AWS4-HMAC-SHA256.")
    if not re.fullmatch(r"\d{1,7}", fields["X-Amz-Expires"]) or not 1 <= int(fields["X-Amz-Expires"]) <= LONGEST_PRESIGNED:
        raise Refusal("bad_query", "X-Amz-Expires must be a number of seconds up to a week (604800).")
    return Claim(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"].split(";"), fields["X-Amz-Signature"],
                 fields["X-Amz-Date"], fields.get("X-Amz-Security-Token"), True, int(fields["X-Amz-Expires"]))


def read_claim(request):
    authorization = request.all("authorization")
    in_query = any(name == "X-Amz-Algorithm" for name, _ in request.query)
    if authorization and in_query or len(authorization) > 1:
        raise Refusal("two_ways", "Only one auth mechanism allowed: one Authorization header or one query string.")
    if authorization:
        return read_header_claim(request, authorization[0])
    if in_query:
        return read_query_claim(request)
    raise Refusal("missing", "Request is missing Authentication Token")


def check_date(claim, now):
    try:
        signed_at = datetime.datetime.strptime(claim.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except ValueError:
        raise Refusal("incomplete", f"Date must be in ISO-8601 'basic format'. Got '{claim.date}'.") from None
    if signed_at > now + MOST_SKEW:
        raise Refusal("skewed", f"Signature not yet current: {claim.date} is still later than the server's clock + 15 min.")
    if claim.presigned and signed_at + claim.expires < now:
        raise Refusal("expired_url", "Request has expired")
    if not claim.presigned and signed_at < now - MOST_SKEW:
        raise Refusal("skewed", f"Signature expired: {claim.date} is now earlier than the server's clock - 15 min.")


def check_scope(claim, region, service):
    parts = claim.credential.split("/")
    if len(parts) < 5:
        raise Refusal("incomplete", f"Credential must have exactly 5 slash-delimited elements, got '{claim.credential}'")
    date, its_region, its_service, terminator = parts[-4:]
    faults = []
    if its_region != region:
        faults.append(f"Credential should be scoped to a valid region, not '{its_region}'.")
    if its_service != service:
        faults.append(f"Credential should be scoped to correct service: '{service}'.")
    if terminator != "aws4_request":
        faults.append(f"Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator}'.")
    if date != claim.date[:8]:
        faults.append(f"Date in Credential scope does not match YYYYMMDD from the date: '{date}' != '{claim.date[:8]}'.")
    if faults:
        raise Refusal("scope", " ".join(faults))
    return "/".join(parts[:-4]), "/".join(parts[-4:])


def check_signed_headers(request, claim):
    if claim.signed != sorted(set(claim.signed)) or any(name != name.lower() for name in claim.signed):
        raise Refusal("mismatch", "SignedHeaders are not sorted names in lower case: " + ";".join(claim.signed))
    if "host" not in claim.signed:
        raise Refusal("unsigned_headers", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    for name in {key.lower() for key, _ in request.headers}:
        if name.startswith("x-amz-") and name not in claim.signed:
            raise Refusal("unsigned_headers", f"There were headers present in the request which were not signed: {name}")
    for name in claim.signed:
        if not request.all(name):
            raise Refusal("mismatch", f"signed header absent from the request: {name}")


def check_payload(request, claim, service):
    """The payload's hash as it stands in the canonical request."""
    declared = request.header("x-amz-content-sha256")
    if service == "s3" and declared is None:
        if claim.presigned:
            return UNSIGNED
        raise Refusal("no_payload_hash", "Missing required header for this request: x-amz-content-sha256")
    if service == "s3" and declared == UNSIGNED:
        return UNSIGNED
    computed = hashlib.sha256(request.body).hexdigest()
    if declared is not None and declared != computed:
        raise Refusal("payload", "The provided 'x-amz-content-sha256' header does not match what was computed.")
    return computed


def canonical_path(path, service):
    if service == "s3":  # encoded once, whatever the client left bare; dot segments are part of the key
        return "/".join(quote(unquote(part)) for part in path.split("/")) or "/"
    return "/".join(quote(part) for part in path.split("/")) or "/"


def canonical_request(request, claim, payload, service):
    query = sorted((quote(name), quote(value)) for name, value in request.query
                   if not (claim.presigned and name == "X-Amz-Signature"))
    headers = "".join(f"{name}:{','.join(' '.join(value.split()) for value in request.all(name))}\n" for name in claim.signed)
    return "\n".join([request.method, canonical_path(request.path, service), "&".join(f"{n}={v}" for n, v in query),
                      headers, ";".join(claim.signed), payload])


def sign(secret_key, scope, date, canonical):
    key = ("AWS4" + secret_key).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = "\n".join([ALGORITHM, date, scope, hashlib.sha256(canonical.encode("latin-1")).hexdigest()])
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def check_token(claim, credential, now):
    if not hmac.compare_digest((claim.token or "").encode("latin-1"), (credential.session_token or "").encode("latin-1")):
        raise Refusal("bad_token", "The security token included in the request is invalid.")
    if credential.expires is not None and credential.expires < now:
        raise Refusal("expired_token", "The security token included in the request is expired")


def verify(request, credentials, region, service, now=None):
    """The Credential that signed the request, out of the mapping by access key; else a Refusal is raised."""
    now = time.time() if now is None else now
    claim = read_claim(request)
    check_date(claim, now)
    access_key, scope = check_scope(claim, region, service)
    credential = credentials.get(access_key)
    if credential is None:
        raise Refusal("unknown_key", "The security token included in the request is invalid.")
    check_token(claim, credential, now)
    check_signed_headers(request, claim)
    payload = check_payload(request, claim, service)
    canonical = canonical_request(request, claim, payload, service)
    expected = sign(credential.secret_key, scope, claim.date, canonical)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode("latin-1", "replace")):
        raise Refusal("mismatch", "The request signature we calculated does not match the signature you provided.", canonical)
    return credential


def sign_headers(request, credential, region, service, now=None):
    """The request's headers with a signature of ours in place of the client's."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    dropped = ("authorization", "x-amz-security-token", "x-amz-date", "x-amz-content-sha256")
    headers = [(name, value) for name, value in request.headers if name.lower() not in dropped]
    headers += [("x-amz-date", date), ("x-amz-content-sha256", UNSIGNED)]
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in request.query if not name.startswith("X-Amz-"))
    target = request.path + ("?" + query if query else "")
    signed = sorted({name.lower() for name, _ in headers if name.lower() == "host" or name.lower().startswith("x-amz-")})
    scope = f"{date[:8]}/{region}/{service}/aws4_request"
    ours = Request(request.method, target, headers, request.body)
    claim = Claim("", signed, "", date, None, False)
    signature = sign(credential.secret_key, scope, date, canonical_request(ours, claim, UNSIGNED, service))
    ours.headers.append(("Authorization", f"{ALGORITHM} Credential={credential.access_key}/{scope}, "
                                          f"SignedHeaders={';'.join(signed)}, Signature={signature}"))
    return ours
