"""HTTP/1.1 on both sides of the gate: requests read whole from clients, and answers read whole from the engine."""
import asyncio

import faults
import sigv4

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 6 * 2**30
HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}


class Gone(Exception):
    """The other side of a connection went away, or does not speak HTTP. `quietly`: between two requests."""

    quietly = False


async def read_head(reader):
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
        gone = Gone()
        gone.quietly = isinstance(error, asyncio.IncompleteReadError) and not error.partial
        raise gone from error
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return first, headers


def find(headers, name):
    return next((value for key, value in headers if key.lower() == name), None)


async def read_exactly(reader, size):
    try:
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise Gone from error


async def read_chunked(reader):
    parts = []
    while True:
        try:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        except (asyncio.IncompleteReadError, ValueError, OSError) as error:
            raise Gone from error
        if size == 0:
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
            return b"".join(parts)
        parts.append(await read_exactly(reader, size))
        await read_exactly(reader, 2)


async def read_request(reader, writer, begun):
    first, headers = await read_head(reader)
    begun()
    try:
        method, target, _ = first.split(" ")
        length = int(find(headers, "content-length") or 0)
    except ValueError as error:
        raise Gone from error
    if length > BODY_LIMIT:
        raise Gone
    if (find(headers, "expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in (find(headers, "transfer-encoding") or "").lower():
        body = await read_chunked(reader)
    else:
        body = await read_exactly(reader, length) if length else b""
    return sigv4.Request(method, target, headers, body)


class Engine:
    """Connections to what stands behind the gate: a socket file, whose connections are kept, or a port, where every
    request has a fresh one (a kept one could be closed by the engine just as a request is on its way)."""

    def __init__(self, address):
        self.address, self.idle = address, []

    async def connect(self):
        if self.idle:
            return self.idle.pop()
        if self.address.startswith("/"):
            return await asyncio.open_unix_connection(self.address, limit=HEAD_LIMIT)
        host, _, port = self.address.rpartition(":")
        return await asyncio.open_connection(host, int(port), limit=HEAD_LIMIT)

    async def ask(self, request):
        reader, writer = await self.connect()
        try:
            lines = [f"{request.method} {request.target} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in request.headers
                      if name.lower() not in HOP_BY_HOP and name.lower() != "content-length"]
            if request.body or request.method in ("PUT", "POST"):
                lines.append(f"Content-Length: {len(request.body)}")
            writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
            writer.write(request.body)
            await writer.drain()
            status = 100
            while status == 100:
                first, headers = await read_head(reader)
                status = int(first.split(" ")[1])
            answer = faults.Answer(status, headers, await self.read_body(request, status, headers, reader))
        except BaseException:
            writer.transport.abort()
            raise
        if self.address.startswith("/"):
            self.idle.append((reader, writer))
        else:
            writer.close()
        return answer

    async def read_body(self, request, status, headers, reader):
        if request.method == "HEAD" or status in (204, 304):
            return b""
        if "chunked" in (find(headers, "transfer-encoding") or "").lower():
            return await read_chunked(reader)
        return await read_exactly(reader, int(find(headers, "content-length") or 0))
