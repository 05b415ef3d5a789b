"""A gate before a test's DynamoDB or S3 engine. It verifies every signature itself, hands a request on only when it has
it whole (a client that goes away in mid-body kills dynalite), counts, and spoils requests when it is told to.

Control, unsigned, on the same port, JSON in and out:
  POST   /__gate/faults       one fault, or a list of them (faults.py, Fault and KINDS)      -> {"ids": [...]}
  GET    /__gate/faults       every fault with `struck`, how often it struck          DELETE -> forgets them all
  POST   /__gate/rate         {"per_second", "burst", "operation"}; over it is throttled     DELETE -> no limit
  POST   /__gate/credentials  {"access_key", "secret_key", "session_token", "expires": seconds since 1970}
  DELETE /__gate/credentials  {"access_key"}: that key is unknown from now on
  POST   /__gate/clock        {"offset": seconds}: the gate's clock is off by so much, in its checks and its Date header
  GET    /__gate/stats        counts since the last DELETE of it; `callers`: what each access key called, and on what
  DELETE /__gate/connections  closes every connection on which nothing is under way         -> {"closed": n}
"""
import asyncio
import collections
import contextlib
import email.utils
import json
import re
import socket
import struct
import time
import zlib

import faults
import sigv4
from http_wire import HEAD_LIMIT, HOP_BY_HOP, Engine, Gone, read_request

REASONS = {100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request",
           403: "Forbidden", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


class Stats:
    def __init__(self):
        self.connections = self.requests = self.answered = self.gone_in_request = 0
        self.refused, self.faults = collections.Counter(), collections.Counter()
        self.operations = collections.defaultdict(
            lambda: {"requests": 0, "done": 0, "capacity": 0.0, "statuses": collections.Counter()})
        self.callers = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))

    def shown(self):
        return {key: value for key, value in vars(self).items()}


class Gate:
    def __init__(self, service, engine, credentials, region="us-east-1", resign=None):
        self.wire = {"dynamodb": faults.DynamoDb, "s3": faults.S3}[service]()
        self.service, self.region, self.engine = service, region, Engine(engine)
        self.credentials = {one.access_key: one for one in credentials}
        self.resign = resign  # the Credential that the engine knows, for requests signed by another that the gate knows
        self.faults, self.rate, self.offset, self.serial, self.stats = [], None, 0.0, 0, Stats()
        self.idle, self.server = set(), None

    async def start(self, host="127.0.0.1", port=0):
        self.server = await asyncio.start_server(self.serve, host, port, backlog=1024, limit=HEAD_LIMIT)
        return self.server.sockets[0].getsockname()[1]

    def now(self):
        return time.time() + self.offset

    async def serve(self, reader, writer):
        self.stats.connections += 1
        try:
            while await self.serve_one(reader, writer):
                pass
        except (Gone, OSError) as error:
            if not getattr(error, "quietly", False):
                self.stats.gone_in_request += 1
        finally:
            self.idle.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def serve_one(self, reader, writer):
        """Whether the connection goes on."""
        self.idle.add(writer)
        request = await read_request(reader, writer, lambda: self.idle.discard(writer))
        wants_end = (request.header("connection") or "").lower() == "close"
        if request.path.startswith("/__gate/"):
            await self.send(writer, request, self.control(request))
            return not wants_end
        self.stats.requests += 1
        operation = self.wire.operation(request)
        counts = self.stats.operations[operation]
        counts["requests"] += 1
        answer, fault = await self.decide(request, operation)
        if answer is None or fault and fault.kind in ("reset", "close"):
            return self.hang_up(writer, fault)
        counts["statuses"][answer.status] += 1
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        await self.send(writer, request, answer, fault)
        self.stats.answered += 1
        return not wants_end and not (fault and fault.kind in ("truncate", "close_after"))

    async def decide(self, request, operation):
        """The answer and the fault that struck; the engine has seen the request only where it should."""
        posted_form = operation == "PostObject" and "multipart/form-data" in (request.header("content-type") or "")
        if not posted_form and operation != "Preflight":  # the form carries its own signature, which radosgw checks
            try:
                signer = sigv4.verify(request, self.credentials, self.region, self.service, self.now())
            except sigv4.Refusal as refused:
                self.stats.refused[refused.kind] += 1
                return self.bare(request, self.wire.refusal(refused, request)), None
            self.stats.callers[signer.access_key][operation].update(self.wire.resources(request))
            if operation == "CreateBucket" and self.service == "s3":
                request, refusal = self.localize(request)
                if refusal:
                    return refusal, None
            if self.resign and (signer.access_key != self.resign.access_key or self.offset):
                request = sigv4.sign_headers(request, self.resign, self.region, self.service)
        fault = next((one for one in self.faults if one.strikes(operation, request)), None)
        if fault:
            self.stats.faults[fault.kind] += 1
        elif self.rate and not self.rate.admits(operation):
            fault = faults.Fault("throttle")
            self.stats.faults["rate"] += 1
        if fault and not fault.done:
            spoilt = None if fault.kind in ("reset", "close") else self.bare(request, self.wire.fault(fault, request))
            return spoilt, fault
        try:
            answer = await self.carry_out(request, operation, fault)
        except (Gone, OSError) as error:
            return self.wire.error(500, "InternalError", f"The engine did not answer: {error!r}", request), None
        if fault and fault.kind not in faults.ALWAYS_DONE and fault.kind not in ("reset", "close"):
            return self.bare(request, self.wire.fault(fault, request)), fault
        return answer, fault

    def localize(self, request):
        """Checks a new bucket's region as S3 does; radosgw knows no region, so it is not told."""
        asked = re.search(rb"<LocationConstraint[^>]*>\s*([^<\s]+)", request.body)
        wanted = None if self.region == "us-east-1" else self.region
        if (asked and asked[1].decode("latin-1")) != wanted:
            return request, self.wire.error(400, "IllegalLocationConstraintException",
                                            "The location constraint is not that of the endpoint the request was sent to.", request)
        headers = [(name, value) for name, value in request.headers if name.lower() != "content-md5"]
        bare = sigv4.Request(request.method, request.target, headers, b"")
        return sigv4.sign_headers(bare, self.resign, self.region, self.service), None

    def bare(self, request, answer):
        if request.method == "HEAD":
            answer.body = b""
        return answer

    async def carry_out(self, request, operation, fault):
        left = None
        if fault and fault.kind == "unprocessed":
            split = faults.split_batch(operation, request.body, fault.keep)
            if split:
                body, member, left = split
                request = sigv4.Request(request.method, request.target, request.headers, body)
        answer = await self.ask_counting(request, operation)
        if left and answer.status == 200:
            shown = json.loads(answer.body)
            shown[member] = {**shown.get(member, {}), **left}
            self.replace(answer, shown)
        return answer

    async def ask_counting(self, request, operation):
        """Asks for the consumed capacity too, where the client did not, and counts it."""
        counts = self.stats.operations[operation]
        asked = None
        if self.service == "dynamodb" and operation in self.wire.COUNTED:
            with contextlib.suppress(ValueError):
                asked = json.loads(request.body)
        if not isinstance(asked, dict):
            answer = await self.engine.ask(request)
            counts["done"] += 1
            return answer
        hidden = "ReturnConsumedCapacity" not in asked
        if hidden:
            body = json.dumps({**asked, "ReturnConsumedCapacity": "TOTAL"}).encode()
            request = sigv4.Request(request.method, request.target, request.headers, body)
        answer = await self.engine.ask(request)
        counts["done"] += 1
        if answer.status == 200:
            shown = json.loads(answer.body)
            consumed = shown.get("ConsumedCapacity") or []
            for one in consumed if isinstance(consumed, list) else [consumed]:
                counts["capacity"] += one["CapacityUnits"]
            if hidden and shown.pop("ConsumedCapacity", None) is not None:
                self.replace(answer, shown)
        return answer

    def replace(self, answer, shown):
        answer.body = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
        answer.set("x-amz-crc32", str(zlib.crc32(answer.body)))

    async def send(self, writer, request, answer, fault=None):
        kind = fault.kind if fault else ""
        if kind == "bad_crc":
            answer.set("x-amz-crc32", str(zlib.crc32(answer.body) ^ 1))
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Status')}",
                 "Date: " + email.utils.formatdate(self.now(), usegmt=True)]
        length = answer.header("content-length") if request.method == "HEAD" else None
        lines += [f"{name}: {value}" for name, value in answer.headers
                  if name.lower() not in HOP_BY_HOP and name.lower() not in ("content-length", "date")]
        if answer.status not in (204, 304):
            lines.append(f"Content-Length: {length or len(answer.body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        if kind == "trickle":
            writer.write(head)
            step = max(1, len(answer.body) // 10)
            for start in range(0, len(answer.body), step):
                writer.write(answer.body[start:start + step])
                await writer.drain()
                await asyncio.sleep(fault.seconds / 10)
        else:
            writer.write(head + (answer.body[:len(answer.body) // 2] if kind == "truncate" else answer.body))
        await writer.drain()

    def hang_up(self, writer, fault):
        if fault.kind == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return False

    def control(self, request):
        verb = f"{request.method} {request.path.removeprefix('/__gate/')}"
        try:
            given = json.loads(request.body) if request.body else {}
            shown = CONTROLS[verb](self, given)
            status = 200
        except (KeyError, TypeError, ValueError) as error:
            status, shown = 400, {"error": f"{type(error).__name__}: {error}"}
        return faults.Answer(status, [("Content-Type", "application/json")], json.dumps(shown).encode())

    def add_faults(self, given):
        added = [faults.Fault(**one) for one in (given if isinstance(given, list) else [given])]
        for one in added:
            self.serial += 1
            one.id = self.serial
        self.faults += added
        return {"ids": [one.id for one in added]}

    def list_faults(self, _):
        return [one.shown() for one in self.faults]

    def forget_faults(self, _):
        self.faults = []
        return {}

    def set_rate(self, given):
        self.rate = faults.RateLimit(**given) if given else None
        return {}

    def add_credential(self, given):
        one = sigv4.Credential(**given)
        self.credentials[one.access_key] = one
        return {}

    def remove_credential(self, given):
        return {"known": self.credentials.pop(given["access_key"], None) is not None}

    def set_clock(self, given):
        self.offset = float(given["offset"])
        return {}

    def show_stats(self, _):
        return self.stats.shown()

    def reset_stats(self, _):
        before, self.stats = self.stats.shown(), Stats()
        return before

    def close_idle(self, _):
        closing, self.idle = self.idle, set()
        for writer in closing:
            writer.close()
        return {"closed": len(closing)}


CONTROLS = {
    "POST faults": Gate.add_faults, "GET faults": Gate.list_faults, "DELETE faults": Gate.forget_faults,
    "POST rate": Gate.set_rate, "DELETE rate": lambda gate, _: gate.set_rate(None),
    "POST credentials": Gate.add_credential, "DELETE credentials": Gate.remove_credential,
    "POST clock": Gate.set_clock, "GET stats": Gate.show_stats, "DELETE stats": Gate.reset_stats,
    "DELETE connections": Gate.close_idle,
}
