"""The lines of the table that are about media: cutting beside ffmpeg, and large objects beside nginx."""
import http.server
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import threading
import time

from servers import BUILD, Nginx, spread

VIDEO = pathlib.Path.home() / ".cache/segments-test-videos/wannaworktogether_180s.mp4"
SPEECH = VIDEO.with_name("hello_speech_720p.mp4")
PIECE = 30
GIGABYTE = 1 << 30


def make_pieces(folder, exact):
    """The same cuts by ffmpeg from a shell, one after another, thumbnails as well. Seconds, and seconds of CPU."""
    folder.mkdir(exist_ok=True)
    codec = "-c:v libx264 -preset veryfast -crf 21 -c:a aac -b:a 160k" if exact else "-c copy"
    script = f"""set -e
for begin in 0 30 60 90 120 150; do
  ffmpeg -v error -nostdin -y -ss $begin -i {VIDEO} -t {PIECE} {codec} -movflags +faststart {folder}/$begin.mp4
  ffmpeg -v error -nostdin -y -ss 1 -i {folder}/$begin.mp4 -frames:v 1 -vf scale=640:-2 {folder}/$begin.jpg
done"""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["bash", "-c", script], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def process(server, token, mode):
    """Seconds from the begin of the upload until every piece has its record, and seconds of CPU."""
    headers = {"Authorization": token, "Content-Type": "application/json"}
    content = VIDEO.read_bytes()

    def post(path, body):
        return json.loads(server.fetch(path, headers, "POST", json.dumps(body)))
    began, before = time.monotonic(), server.cpu
    started = post("/api/upload/initiate", {"filename": "video.mp4", "content_type": "video/mp4", "file_size": len(content)})
    server.fetch(started["presigned_url"].split(str(server.port), 1)[1], {"Content-Type": "video/mp4"}, "PUT", content)
    job = started["job_id"]
    post("/api/upload/complete", {"s3_key": started["s3_key"], "job_id": job, "filename": "video.mp4", "file_size": len(content), "title": "A video",
                                  "cutting_options": {"type": "fixed", "duration_seconds": PIECE, "mode": mode}})
    while json.loads(server.fetch(f"/api/jobs/{job}/status", headers))["status"] not in ("COMPLETED", "FAILED"):
        time.sleep(0.02)
    while len(json.loads(server.fetch(f"/api/videos/{job}/segments", headers))["segments"]) < 180 // PIECE:
        time.sleep(0.02)
    return time.monotonic() - began, server.cpu - before


def cutting_lines(table, server, folder, rounds=3):
    token = server.token("cutter")
    for mode, target in (("keyframe", "1.2 ×"), ("exact", "1.1 ×")):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(process(server, token, mode))
            theirs.append(make_pieces(folder / "pieces", mode == "exact"))
            print(f"… {mode}: {ours[-1][0]:.2f} s, ffmpeg {theirs[-1][0]:.2f} s", file=sys.stderr)
        # Beside other work the wall's clock tells mostly how many threads wait for a core; CPU says what is done.
        for what, part, wanted in (("upload and records included", 0, target), ("CPU", 1, "")):
            mine, its = [one[part] for one in ours], [one[part] for one in theirs]
            table.row(f"process_video, 180 s, {mode}, {what}", spread(mine, "{:.2f}") + " s", "ffmpeg in a shell " + spread(its, "{:.2f}") + " s",
                      spread([a / b for a, b in zip(mine, its)], "{:.2f}") + " ×", wanted)


class Ranges(http.server.BaseHTTPRequestHandler):
    """Gives ranges of one file, and counts what was asked and given."""
    protocol_version = "HTTP/1.1"
    file, size, asked, given = None, 0, 0, 0

    def do_GET(self):
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        last = min(last, Ranges.size - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{Ranges.size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(os.pread(Ranges.file.fileno(), last - first + 1, first))
        Ranges.asked += 1
        Ranges.given += last - first + 1

    def log_message(self, *words):
        pass


def probe_line(table, folder):
    """A gigabyte of a real video again and again, its index at the end as ffmpeg writes it."""
    path = folder / "gigabyte.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-stream_loop", "1000", "-i", str(SPEECH), "-c", "copy", "-fs", str(GIGABYTE + (1 << 20)), str(path)], check=True)
    with open(path, "rb") as Ranges.file:
        Ranges.size = path.stat().st_size
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            began = time.monotonic()
            subprocess.run([str(BUILD / "src/bench_probe"), f"http://127.0.0.1:{server.server_port}/a.mp4"], check=True, stdout=subprocess.DEVNULL)
            took = (time.monotonic() - began) * 1000
            server.shutdown()
    table.row(f"probing {Ranges.size / GIGABYTE:.2f} GB by URL, index last", f"{Ranges.asked} requests, {Ranges.given / 1e6:.2f} MB, {took:.0f} ms", "", "", "5 requests, 2 MB")
    path.unlink()


def gigabyte_lines(table, server, folder, rounds=5):
    """CPU of a gigabyte up and down, and what the server holds at most meanwhile."""
    file = folder / "gigabyte"
    with open(file, "wb") as out:
        for _ in range(GIGABYTE >> 20):
            out.write(b"0123456789abcdef" * 65536)
    nginx = Nginx(folder / "nginx-files").start()
    token = server.token("uploader")
    headers = {"Authorization": token, "Content-Type": "application/json"}
    told = {name: [] for name in ("up", "up nginx", "down", "down nginx")}
    before = server.memory[0]
    most = 0

    def take_memory():
        """A gigabyte of pages that the next upload finds free. Where a virtual machine has none, its host gives them one by one, which can cost more than all else."""
        with open(file, "rb") as source, open(folder / "pages", "wb") as pages:
            shutil.copyfileobj(source, pages, 1 << 20)
        (folder / "pages").unlink()

    def on_disk(path):
        """CPU of what we wait for and nginx leaves to the system."""
        began = time.thread_time()
        with open(path, "rb+") as written:
            os.fsync(written.fileno())
        return time.thread_time() - began

    def used(server, *words):
        nonlocal most
        if "-T" in words:
            take_memory()
        began = server.cpu
        program = subprocess.Popen(["curl", "-sS", "--fail", "-o", "/dev/null", *words])
        while program.poll() is None:
            most = max(most, server.memory[1] if server is not nginx else 0)
            time.sleep(0.05)
        assert program.returncode == 0, words
        return server.cpu - began

    try:
        for number in range(rounds):
            started = json.loads(server.fetch("/api/upload/initiate", headers, "POST", json.dumps({"filename": f"g{number}.mp4", "content_type": "video/mp4", "file_size": GIGABYTE})))
            origin = f"http://127.0.0.1:{server.port}"
            ways = {"up": lambda: used(server, "-T", str(file), "-H", "Content-Type: video/mp4", origin + started["presigned_url"].split(str(server.port), 1)[1]),
                    "up nginx": lambda: used(nginx, "-T", str(file), f"http://127.0.0.1:{nginx.port}/files/g{number}") + on_disk(folder / f"nginx-files/files/g{number}")}
            for name in list(ways) if number % 2 == 0 else reversed(list(ways)):
                told[name].append(ways[name]())
            url = json.loads(server.fetch("/api/videos/url", headers, "POST", json.dumps({"bucket_location": started["s3_key"]})))["url"]
            told["down"].append(used(server, origin + url.split(str(server.port), 1)[1]))
            told["down nginx"].append(used(nginx, f"http://127.0.0.1:{nginx.port}/files/g{number}"))
            (folder / f"nginx-files/files/g{number}").unlink()
    finally:
        nginx.stop()
        file.unlink()
    for way, name in (("up", "upload of 1 GB to the folder"), ("down", "download of 1 GB from the folder")):
        table.row(name, spread(told[way], "{:.2f}") + " s of CPU", "nginx " + spread(told[way + " nginx"], "{:.2f}") + " s",
                  spread([a / b for a, b in zip(told[way], told[way + " nginx"])], "{:.2f}") + " ×", "1.3 ×")
    table.row("private memory at most meanwhile", f"{most:.0f} MB", f"{before:.0f} MB resident before", "", "64 MB")
