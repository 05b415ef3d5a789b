"""The main job on real videos: cut in both modes; nothing of the video is lost, every piece decodes."""
import json
import pathlib
import subprocess

import pytest
from conftest import VIDEOS, wait_until

NAMES = ["dog_phone_1080p.mp4", "hello_speech_720p.mp4", "wannaworktogether_180s.mp4", "lego_560x320.mp4",
         "desk_motion.mov", "rocket_vp8_vorbis.webm"]


def probe(path):
    answer = subprocess.run(["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)],
                            capture_output=True, check=True)
    return json.loads(answer.stdout)


def video_stream(info):
    return next(s for s in info["streams"] if s["codec_type"] == "video" and not s["disposition"]["attached_pic"])


def video_seconds(path):
    info = probe(path)
    return float(video_stream(info).get("duration") or info["format"]["duration"])


def frame_seconds(path):
    numerator, denominator = map(int, video_stream(probe(path))["avg_frame_rate"].split("/"))
    return denominator / numerator


def keyframe_gap(path):
    """The longest time between two keyframes (or a keyframe and the end)."""
    out = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-skip_frame", "nokey", "-show_entries",
                          "frame=pts_time", "-of", "csv=p=0", str(path)], capture_output=True, check=True, text=True)
    times = [float(line.strip(",")) for line in out.stdout.split() if line.strip(",")] + [video_seconds(path)]
    return max(b - a for a, b in zip(times, times[1:]))


@pytest.mark.parametrize("mode", ["keyframe", "exact"])
@pytest.mark.parametrize("name", NAMES)
def test_every_real_video_is_cut_whole(server, tmp_path, name, mode):
    source = VIDEOS / name
    total = video_seconds(source)
    cut = 30 if total > 60 else max(1, round(total / 3))
    job = server.upload(source, cutting={"type": "fixed", "duration_seconds": cut, "mode": mode})
    segments = server.wait_segments(job)

    frame = frame_seconds(source)
    allowed = frame if mode == "exact" else keyframe_gap(source) + frame
    assert abs(sum(s["duration"] for s in segments) - total) <= allowed + 0.002
    if mode == "exact":
        assert len(segments) in (int(total // cut), int(total // cut) + 1)
        for segment in segments[:-1]:
            assert abs(segment["duration"] - cut) <= frame + 0.002

    for number, segment in enumerate(segments, 1):
        assert segment["segment_id"] == f"seg_{job}_{number:03}"
        play = server.call("GET", f"/api/segments/{segment['segment_id']}/play").json["play_url"]
        media = server.call("GET", play, user=None)
        assert media.status == 200 and len(media.body) == segment["file_size"]
        piece = tmp_path / f"{number}{pathlib.Path(segment['s3_key']).suffix}"
        piece.write_bytes(media.body)
        check = subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", str(piece), "-f", "null", "-"], capture_output=True, text=True)
        assert check.returncode == 0 and not check.stderr, f"{piece}: {check.stderr[:500]}"
        assert abs(video_seconds(piece) - segment["duration"]) <= frame + 0.002
        thumbnail = server.call("GET", segment["thumbnail_url"], user=None)
        assert thumbnail.status == 200 and thumbnail.body[:2] == b"\xff\xd8"


def test_what_is_not_a_video_fails_with_one_sentence_and_leaves_nothing(server, tmp_path):
    fakes = {"text.mp4": b"This is no video.\n" * 1000, "empty.mp4": b"", "zeros.mp4": bytes(100_000),
             "list.mp4": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "cut_off.mp4": (VIDEOS / "lego_560x320.mp4").read_bytes()[:3000]}
    for name, content in fakes.items():
        path = tmp_path / name
        path.write_bytes(content)
        job = server.upload(path)
        status = server.wait_job(job)
        assert status["status"] == "FAILED", name
        sentence = status["error_message"]
        assert sentence and sentence.endswith(".") and "\n" not in sentence and len(sentence) < 200, (name, sentence)
        assert server.call("GET", f"/api/videos/{job}/segments").json["segments"] == []
        assert not [p for p in (server.data / "objects").rglob("*") if job in str(p) and "processed" in str(p) and p.is_file()]
        wait_until(lambda: not [p for p in (server.data / "work").rglob("*") if p.is_file()])
    assert server.process.poll() is None


def test_text_overlay_is_drawn_on_every_piece(server, small_video, tmp_path):
    def pixels(text_fields):
        job = server.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3}, **text_fields)
        frames = []
        for segment in server.wait_segments(job):
            piece = tmp_path / "piece.mp4"
            piece.write_bytes(server.call("GET", server.call("GET", f"/api/segments/{segment['segment_id']}/play").json["play_url"], user=None).body)
            frames.append(subprocess.run(["ffmpeg", "-v", "error", "-i", str(piece), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"],
                                         capture_output=True, check=True).stdout)
        return frames

    plain = pixels({})
    one = pixels({"text_strategy": "one_for_all", "text_input": {"strategy": "one_for_all", "base_text": "Grüße: 100% 'ok' \\ [x]"}})
    unique = pixels({"text_strategy": "unique_for_all", "text_input": {"strategy": "unique_for_all", "unique_texts": ["First", ""]}})
    differing = [sum(abs(a - b) > 60 for a, b in zip(p, o)) for p, o in zip(plain, one)]
    assert len(plain) == 2 and all(n > 100 for n in differing), differing
    assert sum(abs(a - b) > 60 for a, b in zip(plain[0], unique[0])) > 100
    assert sum(abs(a - b) > 60 for a, b in zip(plain[1], unique[1])) < 100


def test_records_of_other_types_are_made_on_request_only(make_server, small_video):
    plain = make_server().start()
    job = plain.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3})
    assert {s["segment_type"] for s in plain.wait_segments(job)} == {"processed"}
    more = make_server(env={"SEGMENTS_EXTRA_TYPES": "original,thumbnail,audio"}).start()
    job = more.upload(small_video, cutting={"type": "fixed", "duration_seconds": 3})
    more.wait_segments(job)
    wait_until(lambda: {s["segment_type"] for s in more.call("GET", f"/api/videos/{job}/segments").json["segments"]} ==
               {"processed", "original", "thumbnail", "audio"})
