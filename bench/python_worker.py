"""What stands for Python beside our worker: a Celery worker with the three tasks that are measured.

bench.nothing returns its argument. create_segments_from_video_task is a small but honest Python service: each piece is
looked up in the same folder of objects and probed by the program ffprobe, its thumbnail is looked for, and its record goes
to SQLite (WAL, synchronous=FULL), one commit a piece. It does less than ours: no owner of the video is checked, no events,
no totals, no progress are kept, and the table has two indexes beside its key for our eleven.
sync_social_media_metrics_task reads the segment from the same table of DynamoDB as ours with boto3, makes up the counts of
each of its posts, keeps the reading as an item of its own and in the segment. Ours sends an event and
keeps totals as well.
"""
import datetime
import json
import os
import pathlib
import random
import sqlite3
import subprocess

from celery import Celery
from celery.signals import worker_process_init

app = Celery("tasks", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
app.conf.task_acks_late = os.environ.get("BENCH_ACKS_LATE") == "1"
FOLDER = pathlib.Path(os.environ["BENCH_FOLDER"])
connection = table = None
if "DYNAMODB_TABLE_NAME" in os.environ:  # connections are made when they are needed, by each process for itself
    import boto3
    table = boto3.resource("dynamodb", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")).Table(os.environ["DYNAMODB_TABLE_NAME"])


@worker_process_init.connect
def open_database(**_):
    global connection
    if table:
        return
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


def read_metrics(post_id, posted_at):
    """Of a post that does not exist, for it costs what an interface's answer costs to work with."""
    chance = random.Random(post_id)
    hours = (datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(posted_at.replace("Z", "+00:00"))).total_seconds() / 3600
    views = int(chance.lognormvariate(8, 1.5) * (1 - 0.5 ** (hours / 40)))
    return {"views": views, "likes": int(views * 0.04), "shares": int(views * 0.008), "comments": int(views * 0.005)}


@app.task(name="tasks.sync_social_media_metrics_task")
def sync_social_media_metrics_task(segment_id, platform):
    key = {"video_id": segment_id[4:].rsplit("_", 1)[0], "segment_id": segment_id}
    segment = table.get_item(Key=key, ConsistentRead=True)["Item"]
    posts = 0
    for name, post in segment["social_media_usage"].items():
        if post["platform"] != platform or not post.get("post_id"):
            continue
        posts += 1
        at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        reading = {**read_metrics(post["post_id"], post.get("posted_at") or segment["created_at"]), "last_synced": at}
        table.put_item(Item={"video_id": f"peer-history-{segment_id}", "segment_id": f"{at}#{name}", "platform": platform, "post_id": post["post_id"], **reading})
        table.update_item(Key=key, UpdateExpression="SET " + ", ".join(f"#usage.#post.#{field} = :{field}" for field in reading),
                          ConditionExpression="attribute_exists(#usage.#post)",
                          ExpressionAttributeNames={"#usage": "social_media_usage", "#post": name, **{"#" + field: field for field in reading}},
                          ExpressionAttributeValues={":" + field: value for field, value in reading.items()})
    return {"segment_id": segment_id, "platform": platform, "posts": posts, "synced": posts, "failed": []}
