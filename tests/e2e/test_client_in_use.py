"""The web client in use, call by call as it makes them, in auth mode `none`; and the seed document's curl examples."""
import json
import socket
import subprocess
import threading
import time

import pytest
from conftest import CLOUD, PATIENCE, segment_body, wait_until

CONTENT = {"Content-Type": "application/json"}


@pytest.fixture
def open_server(make_server):
    return make_server(env={"SEGMENTS_AUTH": "none"}).start()


def read_stream(server, path, events, last_id=None, headers=None):
    """Collects a stream's events until the server ends it."""
    from http.client import HTTPConnection
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", path, headers={**({"Last-Event-ID": last_id} if last_id else {}), **(headers or {})})
    response = connection.getresponse()
    assert response.status == 200 and response.getheader("Content-Type").startswith("text/event-stream")
    event = {}
    for line in response:
        line = line.decode().rstrip("\r\n")
        if line == "":
            if "data" in event:
                events.append(event)
            event = {}
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            event[field] = event[field] + "\n" + value if field in event else value
    connection.close()


def test_the_whole_way_of_the_page(open_server, small_video):
    server, user = open_server, "cognito-user-1"
    size = small_video.stat().st_size
    preflight = server.call("OPTIONS", "/api/segments", headers={"Origin": "http://localhost:5173", "Access-Control-Request-Method": "GET",
                                                                  "Access-Control-Request-Headers": "content-type"})
    assert preflight.status in (200, 204) and preflight.header("Access-Control-Allow-Origin") and "content-type" in preflight.header("Access-Control-Allow-Headers").lower()

    # A large upload: finalize, then complete with the same upload id (the old backend answered 500 here).
    started = server.call("POST", "//api/upload/initiate-multipart", {"filename": "small.mp4", "content_type": "", "file_size": size}).json
    assert {"upload_id", "s3_key", "job_id", "chunk_size", "max_concurrent_uploads"} <= started.keys()
    content, parts = small_video.read_bytes(), []
    first = size if CLOUD else size // 2  # S3 wants 5 MiB in each part but the last
    for number, piece in enumerate(filter(None, (content[:first], content[first:])), 1):
        part = server.call("POST", "/api/upload/part", {"upload_id": started["upload_id"], "s3_key": started["s3_key"], "part_number": number, "content_type": "video/mp4"}).json
        put = server.call("PUT", part["presigned_url"], piece, {"Origin": "http://localhost:5173"})
        assert put.status == 200 and "etag" in put.header("Access-Control-Expose-Headers").lower()
        parts.append({"PartNumber": part["part_number"], "ETag": put.header("ETag").strip('"')})
    body = {"upload_id": started["upload_id"], "s3_key": started["s3_key"], "job_id": started["job_id"], "parts": parts, "user_id": user,
            "filename": "small.mp4", "file_size": size, "title": "Small", "user_email": "a@example.org", "content_type": ""}
    assert server.call("POST", "/api/upload/finalize-multipart", body).status == 200
    for seconds in (2, 20, ""):  # each keystroke in the box
        analysis = server.call("POST", "/api/video/analyze-duration", {"s3_key": started["s3_key"], "cutting_options": {"type": "fixed", "duration_seconds": seconds}})
        assert analysis.status == 200 and analysis.json["num_segments"] == {2: 3, 20: 1, "": 1}[seconds], analysis.body
        assert abs(analysis.json["total_duration"] - 6) < 0.1
    body |= {"cutting_options": {"type": "fixed", "duration_seconds": 2}, "text_strategy": "one_for_all", "text_input": {"strategy": "one_for_all", "base_text": "", "context": ""}}
    for _ in range(3):
        assert server.call("POST", "/api/upload/complete-multipart", body).status < 300
    job = started["job_id"]

    # The page subscribes late, then again after the end.
    time.sleep(1.2)
    for _ in range(2):
        events = []
        read_stream(server, f"/api/job-progress/{job}/stream", events)
        assert events and {e["event"] for e in events} == {"progress"}
        data = [json.loads(e["data"]) for e in events]
        percents = [d["progress_percentage"] for d in data]
        assert percents == sorted(percents) and data[-1]["stage"] == "completed" and percents[-1] == 100
        assert len(set(data[-1]["output_urls"])) == 3 and all(isinstance(d["stage"], str) and d["job_id"] == job for d in data)
    status = server.call("GET", f"/api/jobs/{job}/status").json
    assert status["status"] == "COMPLETED" and status["progress"] == 100 and len(status["output_urls"]) == 3
    assert server.call("GET", status["output_urls"][0]).status == 200

    server.wait_segments(job)
    videos = server.call("GET", "/api/videos", headers=CONTENT).json
    video = next(v for v in (videos if isinstance(videos, list) else videos["videos"]) if v["video_id"] == job)
    assert video["status"] == "COMPLETED" and video["duration"] == 6 and video["upload_date"].endswith("Z") and len(video["output_s3_urls"]) == 3
    opened = server.call("POST", "/api/videos/url", {"bucket_location": video["output_s3_urls"][0]}).json
    assert server.call("GET", opened.get("url") or opened["signedUrl"]).status == 200

    library = server.call("GET", f"/api/segments?user_id={user}&sort_by=date&order=desc&limit=20&offset=0&min_duration=&max_duration=&min_downloads=", headers=CONTENT).json
    assert library["total_count"] == 3 and library["page_size"] == 3 and library["page"] == 1
    names = [s["filename"] or s["title"] for s in server.call("GET", f"/api/segments?user_id={user}&sort_by=name&order=asc&limit=20&offset=0").json["segments"]]
    assert names == sorted(names, key=str.lower)
    of_video = server.call("GET", f"/api/videos/{job}/segments").json["segments"]
    assert [s["segment_id"] for s in of_video] == sorted(s["segment_id"] for s in library["segments"])
    for segment in of_video:
        assert isinstance(segment["duration"], (int, float)) and segment["file_size"] > 0 and segment["download_count"] == 0
    first = of_video[0]["segment_id"]
    for expected in (1, 2):
        download = server.call("GET", f"/api/segments/{first}/download", headers=CONTENT).json
        assert download["download_count"] == expected and download["expires_at"].endswith("Z")
    media = server.call("GET", download["download_url"])
    assert media.header("Content-Disposition").startswith("attachment;")
    play = server.call("GET", f"/api/segments/{first}/play").json["play_url"]
    head = server.call("HEAD", play, headers={"Origin": "http://localhost:5173"})
    assert head.status == 200 and head.header("Access-Control-Allow-Origin") and head.header("Accept-Ranges") == "bytes"
    assert not (head.header("Content-Disposition") or "inline").startswith("attachment")
    reported = server.call("POST", f"/api/segments/{first}/social-media-usage", {"segment_id": first, "platform": "tiktok", "post_data": {"views": 100, "likes": 7, "shares": 2, "comments": 1}})
    assert reported.status in (200, 201), reported.body
    analytics = server.call("GET", f"/api/segments/{first}/analytics").json
    assert analytics["total_views"] == 100 and analytics["total_engagement"] == 10 and analytics["average_engagement_rate"] == 10
    assert server.call("DELETE", f"/api/videos/{job}").status == 200
    assert server.call("GET", f"/api/segments?user_id={user}").json["total_count"] == 0
    assert not [p for p in (server.data / "objects").rglob("*") if p.is_file() and job in str(p)]


def test_reason_phrases_are_sent(make_server):
    server = make_server().start()
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(b"GET /api/segments HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.makefile("rb").readline() == b"HTTP/1.1 401 Unauthorized\r\n"


SEED = """
curl -sS -X POST "http://localhost:8000/api/segments" \
  -H "Content-Type: application/json" \
  -d '{"video_id": "test_video", "segment_type": "processed", "segment_number": 1, "s3_key": "processed/test_video/segment_001.mp4", "duration": 30.0, "file_size": 1000}'
curl -sS "http://localhost:8000/api/segments?user_id=test_user"
curl -sS -X POST "http://localhost:8000/api/segments/test_segment/social-media" \
  -H "Content-Type: application/json" \
  -d '{"platform": "instagram", "post_id": "123456"}'
"""


@pytest.mark.parametrize("auth", ["none", "token"])
def test_the_curl_examples_of_the_seed(make_server, auth):
    server = make_server(env={"SEGMENTS_AUTH": auth}, user="test_user").start()
    token = server.token() if auth == "token" else None

    def curl(command):
        command = command.replace("localhost:8000", f"127.0.0.1:{server.port}")
        if token:
            command = command.replace("curl ", f"curl -H 'Authorization: Bearer {token}' ", 1)
        return json.loads(subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout)

    create, listing, social = (part for part in ("curl" + p for p in SEED.split("curl")[1:]))
    created = curl(create.replace('{"video_id"', '{"user_id": "test_user", "video_id"'))
    assert created["segment_type"] == "processed" and created["video_id"] == "test_video"
    assert created == curl(listing)["segments"][0]
    assert curl(social)["status"] == 404  # there is no segment of that name yet
    linked = curl(social.replace("test_segment", created["segment_id"]))
    assert linked["social_media_usage"][0]["platform"] == "instagram" and linked["social_media_usage"][0]["post_id"] == "123456"
    wait_until(lambda: curl(listing)["segments"][0]["social_media_usage"][0]["last_synced"])
    usage = curl(listing)["segments"][0]["social_media_usage"][0]
    assert usage["source"] == "simulated"


def test_streams_resume_without_loss_or_repetition(make_server):
    server = make_server(env={"SEGMENTS_AUTH": "none"}).start()
    seen, total = [], 300

    def write():
        for number in range(total):
            server.call("POST", "/api/segments", segment_body(number=number, user_id="bob"))

    def listen(last):
        s = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        s.sendall(f"GET /api/events?user_id=bob HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {last}\r\n\r\n".encode())
        return s

    def events(buffer):
        """Those that are whole, and the rest."""
        *whole, rest = buffer.split(b"\n\n")
        fields = [dict(line.split(": ", 1) for line in event.decode().split("\n") if ": " in line and not line.startswith(":")) for event in whole]
        return [one for one in fields if "data" in one and "id" in one], rest

    # Where the log stands: the event itself, or where ids do not begin at 1 the word that 0 is none of them.
    server.call("POST", "/api/segments", segment_body("other", user_id="bob"))
    with listen(0) as s:
        buffer = b""
        while not events(buffer)[0]:
            buffer += s.recv(4096)
    last, turns = events(buffer)[0][-1]["id"], 0
    writer = threading.Thread(target=write)
    writer.start()
    while len(seen) < total:
        turns += 1
        with listen(last) as s:
            buffer, had, end = b"", len(seen), time.monotonic() + 0.15
            while len(seen) == had or (len(seen) < had + 15 and time.monotonic() < end):  # cut off anywhere, in the midst of an event too
                piece = s.recv(4096)
                assert piece, (len(seen), buffer)
                whole, buffer = events(buffer + piece)
                for event in whole:
                    last = event["id"]
                    seen.append((int(last), json.loads(event["data"])["segment_id"]))
    writer.join()
    ids = [i for i, _ in seen]
    assert ids == sorted(set(ids)) and len({s for _, s in seen}) == total and turns > 5, (turns, len(seen), len(set(seen)))
