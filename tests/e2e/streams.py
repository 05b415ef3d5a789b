"""Event streams as a client reads them: opened, cut off anywhere, resumed where it had come to."""
import contextlib
import json
import socket
import threading
from http.client import HTTPConnection

from conftest import PATIENCE, wait_until


class Stream:
    """Reads on a thread; `events` are those whose end was read, as (id, name, data)."""

    def __init__(self, server, path, last_id=None):
        self.events, self.ended = [], False
        headers = {"Authorization": "Bearer " + server.token(), **({"Last-Event-ID": str(last_id)} if last_id is not None else {})}
        self.connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.connection.request("GET", path, headers=headers)
        self.socket = self.connection.sock  # the response takes it over
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        fields = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for line in self.response:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if not name and "data" in fields:
                    self.events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                    fields = {}
                elif name:
                    fields[name] = value
        self.ended = True

    def wait_events(self, count):
        wait_until(lambda: len(self.events) >= count or self.ended)
        assert len(self.events) >= count, self.events
        return self

    def wait_end(self):
        """The last event."""
        self.thread.join(PATIENCE)
        assert self.ended and self.events, self.events
        return self.events[-1]

    def cut(self):
        """Its connection is lost; what it had read, which may be more than was waited for."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.connection.close()
        return list(self.events)
