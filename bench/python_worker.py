"""What stands for Python beside our worker: a Celery worker with the two tasks that are measured.

bench.nothing returns its argument. create_segments_from_video_task is a small but honest Python service: each piece is
looked up in the same folder of objects and probed by the program ffprobe, its thumbnail is looked for, and its record goes
to SQLite (WAL, synchronous=FULL), one commit a piece. It does less than ours: no owner of the video is checked, no events,
no totals, no progress are kept, and the table has two indexes beside its key for our eleven.
"""
import datetime
import json
import os
import pathlib
import sqlite3
import subprocess

from celery import Celery
from celery.signals import worker_process_init

app = Celery("tasks", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.task_acks_late = os.environ.get("BENCH_ACKS_LATE") == "1"
FOLDER = pathlib.Path(os.environ["BENCH_FOLDER"])
connection = None


@worker_process_init.connect
def open_database(**_):
    global connection
    connection = sqlite3.connect(FOLDER / "python.db", timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def make_database(folder):
    with sqlite3.connect(folder / "python.db") as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE segments (segment_id TEXT PRIMARY KEY, video_id TEXT NOT NULL, user_id TEXT NOT NULL, segment_number INTEGER NOT NULL, "
                     "title TEXT, tags TEXT, filename TEXT, s3_key TEXT NOT NULL, thumbnail_url TEXT, duration REAL NOT NULL, file_size INTEGER NOT NULL, created_at TEXT NOT NULL)")
        made.execute("CREATE INDEX by_video ON segments (video_id, segment_number)")
        made.execute("CREATE INDEX by_user ON segments (user_id, created_at)")


def path_of(key):
    *folders, name = key.split("/")
    return FOLDER.joinpath("objects", "by-key", *(folder + "+" for folder in folders), name)


def duration_of(path):
    """The picture's, as ours tells it."""
    out = subprocess.run(["ffprobe", "-v", "error", "-print_format", "json", "-show_format", "-show_streams", path], capture_output=True, check=True).stdout
    picture = next(stream for stream in json.loads(out)["streams"] if stream["codec_type"] == "video")
    return round(float(picture["duration"]), 6)


@app.task(name="bench.nothing")
def nothing(number):
    return number


@app.task(name="tasks.create_segments_from_video_task")
def create_segments_from_video_task(video_id, user_id, output_s3_keys, video_metadata=None):
    metadata = video_metadata or {}
    ids = []
    for number, key in enumerate(output_s3_keys, 1):
        path = path_of(key)
        size = path.stat().st_size
        duration = duration_of(path)
        thumbnail = f"thumbnails/{video_id}/segment_{number:03d}.jpg"
        segment_id = f"seg_{video_id}_{number:03d}"
        connection.execute("INSERT INTO segments VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (segment_id) DO UPDATE SET duration = excluded.duration, file_size = excluded.file_size",
                           (segment_id, video_id, user_id, number, f"{metadata.get('title', '')} - Part {number}", json.dumps(metadata.get("tags", [])),
                            f"{metadata.get('filename', 'video')}_part_{number:03d}.mp4", key, thumbnail if path_of(thumbnail).exists() else None, duration, size,
                            datetime.datetime.now(datetime.timezone.utc).isoformat()))
        ids.append(segment_id)
    return {"segments_created": len(ids), "segment_ids": ids, "failed": []}
