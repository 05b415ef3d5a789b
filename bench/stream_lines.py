"""The lines of the table that are about event streams."""
import base64
import hashlib
import hmac
import json
import subprocess
import time

from library import body_of
from servers import BUILD, SECRET, Ours, drive, files_of, middle, ran_for, spread, write_requests

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


def bare(count, burst):
    """µs of CPU a write, and ms until the last was read, where nothing but the writing is done: `burst` of them every 50 ms."""
    out = subprocess.run([str(BUILD / "src/bench_streams"), "bare", str(count), str(burst)], capture_output=True, text=True, check=True).stdout
    return tuple(map(float, out.split()))


def stream_lines(table, folder, chance, count):
    """Of a server on whose data another one creates the segments, so that its CPU is that of the streams alone."""
    server = Ours(folder / "streams").start()
    other = Ours(folder / "streams-created", SEGMENTS_DATA_DIR=str(folder / "streams/data")).start()
    try:
        all_lines(table, server, folder, chance, count)
        each_lines(table, server, other, folder, chance, count)
    finally:
        other.stop()
        server.stop()


def all_lines(table, server, folder, chance, count):
    one, pid = token_of("listener"), server.process.pid
    for number in range(20):  # what every server needs once is not of the streams
        server.fetch("/api/segments", {"Authorization": one, **JSON}, "POST", body_of("first", number, chance))
    resident, files = server.memory[0], files_of(pid)
    streams = Streams(server, folder, [one], count)
    time.sleep(1)
    table.row(f"an idle event stream, {count:,} open", f"{(server.memory[0] - resident) * 1024 / count:.1f} kB, {(files_of(pid) - files) / count:.2f} descriptors", "", "", "6 kB")
    lasted, used = [], []
    for number in range(7):
        streams.expect(count)
        before = ran_for(pid)
        server.fetch("/api/segments", {"Authorization": one, **JSON}, "POST", body_of(f"heard{number}", 1, chance))
        answered = time.monotonic()
        lasted.append((streams.last_came() - answered) * 1000)
        time.sleep(0.3)
        used.append((ran_for(pid) - before) / count * 1e6)
    least, last = bare(count, count)
    table.row("one event to all of them", f"{spread(used)} µs of CPU a delivery", f"bare writes {least:.1f} µs", f"{middle(used) / least:.2f} ×", "8 µs")
    table.row("the last of them has it", f"{spread(lasted, '{:.0f}')} ms after the change is answered", f"bare writes {last:.0f} ms", f"{middle(lasted) / last:.2f} ×", "100 ms")
    streams.close()
    time.sleep(1)


def each_lines(table, server, other, folder, chance, count, rate=2_000):
    pid, tokens = server.process.pid, [token_of(f"one{number}") for number in range(count)]
    creations = write_requests(folder / "each.jsonl", [{"method": "POST", "path": "/api/segments", "headers": {"Authorization": token, **JSON}, "body": body_of("w{n}", 1, chance)}
                                                       for token in tokens])
    drive(other, creations, count / rate, rate=rate, warm=0)
    streams, used = Streams(server, folder, tokens, count), []
    before = ran_for(pid)
    time.sleep(30)
    table.row(f"{count:,} idle streams, a heartbeat every 15 s", f"{(ran_for(pid) - before) / 30 * 100:.1f} % of a core", "", "", "")
    for _ in range(3):
        streams.expect(count)
        before = ran_for(pid)
        drive(other, creations, count / rate, rate=rate, warm=0)
        streams.last_came()
        used.append((ran_for(pid) - before) / count * 1e6)
    least, _ = bare(count, rate // 20)  # as often as the server looks for what another process has done
    table.row("one event to each of them", f"{spread(used)} µs of CPU a delivery", f"bare writes {least:.1f} µs", f"{middle(used) / least:.2f} ×", "8 µs")
    streams.close()
