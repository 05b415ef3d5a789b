"""The lines of the table that are about event streams."""
import base64
import hashlib
import hmac
import json
import subprocess
import time

from library import body_of
from servers import BUILD, SECRET, drive, middle, write_requests

JSON = {"Content-Type": "application/json"}


def token_of(user):
    """As `segments token` prints it; that would take a process for each of ten thousand."""
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    signed = b".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": user, "exp": int(time.time()) + 86400}))
    return "Bearer " + (signed + b"." + encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())).decode()


class Streams:
    def __init__(self, server, folder, tokens, count):
        file = folder / "tokens"
        file.write_text("\n".join(tokens) + "\n")
        self.process = subprocess.Popen([str(BUILD / "src/bench_streams"), str(server.port), str(file), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "open\n"

    def expect(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()

    def last_came(self):
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def stream_lines(table, server, folder, chance, count):
    time.sleep(1)
    resident = server.memory[0]
    one = token_of("listener")
    streams = Streams(server, folder, [one], count)
    time.sleep(1)
    held = (server.memory[0] - resident) * 1024 / count
    table.row(f"memory of an idle event stream, {count:,} open", f"{held:.1f} kB", "", "", "6 kB")
    lasted, used = [], []
    for number in range(7):
        streams.expect(count)
        before = server.cpu
        server.fetch("/api/segments", {"Authorization": one, **JSON}, "POST", body_of(f"heard{number}", 1, chance))
        answered = time.monotonic()
        lasted.append((streams.last_came() - answered) * 1000)
        time.sleep(0.3)
        used.append((server.cpu - before) / count * 1e6)
    table.row("one event to all of them: the last has it", f"{middle(lasted):.0f} ms ({min(lasted):.0f}-{max(lasted):.0f}) after the change is answered",
              f"server CPU {middle(used):.1f} µs a delivery", "", "100 ms, 8 µs")
    streams.close()
    time.sleep(1)

    tokens = [token_of(f"one{number}") for number in range(count)]
    creations = write_requests(folder / "each.jsonl", [{"method": "POST", "path": "/api/segments", "headers": {"Authorization": token, **JSON}, "body": body_of("w{n}", 1, chance)}
                                                       for token in tokens])
    rate, seconds = 2_000, count / 2_000

    def create():
        before = server.cpu
        drive(server, creations, seconds, rate=rate, warm=0)
        return before
    before = create()
    time.sleep(0.5)
    quiet = server.cpu - before
    streams = Streams(server, folder, tokens, count)
    streams.expect(count)
    before = create()
    streams.last_came()
    time.sleep(0.5)
    each = (server.cpu - before - quiet) / count * 1e6
    table.row("one event to each of them", f"server CPU {each:.1f} µs a delivery beyond its creation", "", "", "8 µs")
    streams.close()
