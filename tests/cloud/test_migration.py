"""`segments admin table`, and the earlier service's table copied into ours while that service goes on."""
import json
import random
import signal
import subprocess
import threading
import time
import uuid
from decimal import Decimal

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.config import Config

import engines
from conftest import BINARY, PATIENCE, clean_environment


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with engines.running("dynamodb", tmp_path_factory.mktemp("dynamodb")) as running:
        yield running


@pytest.fixture
def cloud(engine):
    return Cloud(engine)


class Cloud:
    """Two table names of a test's own, boto3 as the earlier service uses it, and the program."""

    def __init__(self, engine):
        self.engine = engine
        self.old_name, self.name = (f"{kind}-{uuid.uuid4().hex}" for kind in ("old", "new"))
        self.dynamodb = boto3.resource("dynamodb", region_name=engine.region, endpoint_url=engine.endpoint, aws_access_key_id=engine.access_key,
                                       aws_secret_access_key=engine.secret_key, config=Config(max_pool_connections=32))
        self.env = clean_environment(AWS_REGION=engine.region, AWS_ENDPOINT_URL_DYNAMODB=engine.endpoint, AWS_ACCESS_KEY_ID=engine.access_key,
                                     AWS_SECRET_ACCESS_KEY=engine.secret_key, DYNAMODB_TABLE_NAME=self.name)

    def make_old(self, hash_key="video_id"):
        table = self.dynamodb.create_table(
            TableName=self.old_name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": hash_key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in {hash_key, "user_id", "upload_date"}],
            GlobalSecondaryIndexes=[{"IndexName": "user_id-upload_date-index", "Projection": {"ProjectionType": "ALL"},
                                     "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}, {"AttributeName": "upload_date", "KeyType": "RANGE"}]}])
        table.meta.client.get_waiter("table_exists").wait(TableName=self.old_name, WaiterConfig={"Delay": 1})
        return table

    def start(self, *words):
        return subprocess.Popen([str(BINARY), "admin", "table", *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")

    def run(self, *words, status=0):
        with self.start(*words) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == status, out + err
        return out + err

    @property
    def new(self):
        return self.dynamodb.Table(self.name)

    def everything(self, name):
        table, items, start = self.dynamodb.Table(name), [], {}
        while True:
            page = table.scan(ConsistentRead=True, **start)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


# --- As the earlier service wrote it ---

def old_job(video_id, user="ann", outputs=0, status="COMPLETED", **more):
    item = {"video_id": video_id, "user_id": user, "title": f"Talk {video_id}", "filename": f"{video_id}.mp4", "file_size": Decimal(123456),
            "upload_date": "2025-07-05T09:32:00.123456", "bucket_location": f"uploads/{video_id}/{video_id}.mp4", "status": status, "user_email": "ann@example.com"}
    if outputs:
        item["output_s3_urls"] = [f"processed/{video_id}/segment_{n:03}.mp4" for n in range(1, outputs + 1)]
    return {**item, **more}


def old_segment(video_id, number, user="ann", **more):
    return {"video_id": video_id, "segment_id": f"seg_{video_id}_{number:03}", "user_id": user, "segment_type": "processed", "segment_number": Decimal(number),
            "s3_key": f"processed/{video_id}/segment_{number:03}.mp4", "duration": Decimal("29.5"), "file_size": Decimal(1000 + number), "content_type": "video/mp4",
            "title": f"Talk {video_id} - Part {number}", "tags": ["a", "b"], "social_media_usage": [], "created_at": "2025-07-05T10:00:00.654321+00:00",
            "download_count": Decimal(0), "filename": "unknown.mp4", **more}


def usage(platform, post_id, views):
    return {"platform": platform, "post_id": post_id, "views": Decimal(views), "likes": Decimal(1), "shares": Decimal(0), "comments": Decimal(0),
            "posted_at": "2025-07-05T11:00:00"}


def records(items):
    """(video ids, segment ids) of our table."""
    videos = [item["video_id"] for item in items if item["segment_id"] == "#VIDEO" and "upload_date" in item]
    segments = [item["segment_id"] for item in items if not item["segment_id"].startswith("#") and not item["video_id"].startswith("#")]
    return videos, segments


# --- The table ---

def test_the_table_is_made_once_and_then_as_it_has_to_be(cloud):
    assert "There is no table" in cloud.run("verify", status=1)
    said = cloud.run("create")
    assert f"The table {cloud.name} is made." in said
    assert "needed" not in said
    described = cloud.new.meta.client.describe_table(TableName=cloud.name)["Table"]
    shown = json.loads(cloud.run("show"))
    assert shown["table_name"] == cloud.name
    assert {key["KeyType"]: key["AttributeName"] for key in described["KeySchema"]} == {"HASH": shown["hash_key"], "RANGE": shown["range_key"]}
    assert {one["AttributeName"]: one["AttributeType"] for one in described["AttributeDefinitions"]} == shown["attributes"]
    found = {index["IndexName"]: index for index in described["GlobalSecondaryIndexes"]}
    assert found.keys() == {index["name"] for index in shown["indexes"]}
    for index in shown["indexes"]:
        projection = found[index["name"]]["Projection"]
        assert projection["ProjectionType"] == index["projection_type"]
        assert sorted(projection.get("NonKeyAttributes", [])) == sorted(index["non_key_attributes"])
    assert "needed" not in cloud.run("verify")
    assert "was there already" in cloud.run("create")


def test_every_difference_of_another_table_is_told(cloud):
    cloud.make_old()
    cloud.env["DYNAMODB_TABLE_NAME"] = cloud.old_name
    said = cloud.run("verify", status=1)
    assert "needed: The table's key is video_id (hash), with no range key; it must be video_id (hash) and segment_id (range)." in said
    for index in ("video_id-segment_type-index", "user_id-segment_type-index", "user_id-created_at-index"):
        assert f"needed: The index {index} on" in said
    assert "advised: The index user_id-upload_date-index holds all attributes" in said
    assert cloud.run("create", status=1).count("needed:") == said.count("needed:")


@pytest.mark.parametrize("words", [(), ("drop",), ("migrate-from",), ("show", "more")])
def test_a_wrong_call_is_told(cloud, words):
    assert "admin table takes" in cloud.run(*words, status=2)


# --- The migration ---

def test_each_shape_of_the_earlier_service_is_copied(cloud):
    old = cloud.make_old()
    old.put_item(Item=old_job("whole", outputs=3, duration=Decimal("91.7")))
    # Only the last segment is left of three, and of the job's row what was updated after it.
    mixed = old_segment("mixed", 3, social_media_usage=[usage("tiktok", "7001", 55), usage("youtube", "y1", 0)])
    mixed.update(output_s3_urls=[f"https://clips.s3.eu-central-1.amazonaws.com/processed/mixed/segment_{n:03}.mp4?X-Amz-Signature=0" for n in (1, 2, 3)], status="COMPLETED")
    old.put_item(Item=mixed)
    old.put_item(Item=old_segment("alone", 10))
    old.put_item(Item={"video_id": "bare", "user_id": "bob", "title": "Holiday", "upload_date": "2024-01-02T03:04:05Z", "bucket_location": "bob/h.mp4", "notes": {"kept": [Decimal("1.50"), None, {"x", "y"}]}})
    old.put_item(Item=old_segment("foreign", 1, segment_id="0b6f-uuid", user="bob"))
    cloud.run("create")
    said = cloud.run("migrate-from", cloud.old_name)
    assert "Old items: 5, telling of 3 videos and 8 segments, 5 of these rebuilt" in said, said
    assert "Everything is there." in said
    items = {(item["video_id"], item["segment_id"]): item for item in cloud.everything(cloud.name)}
    videos, segments = records(items.values())
    assert sorted(videos) == ["bare", "mixed", "whole"]
    assert sorted(segments)[:-1] == ["seg_alone_010"] + sorted(s for s in segments if s.startswith("seg_foreign_")) + [f"seg_mixed_{n:03}" for n in (1, 2, 3)] + ["seg_whole_001", "seg_whole_002"]
    whole = items["whole", "#VIDEO"]
    assert whole["owner"] == "ann" and whole["status"] == "COMPLETED" and whole["user_email"] == "ann@example.com"
    assert whole["upload_date"] == "2025-07-05T09:32:00.123Z" and whole["duration"] == Decimal("91.7")
    second = items["whole", "seg_whole_002"]
    assert second["s3_key"] == "processed/whole/segment_002.mp4" and second["segment_number"] == 2 and second["rebuilt"] is True
    assert items["mixed", "seg_mixed_001"]["s3_key"] == "processed/mixed/segment_001.mp4"
    third = items["mixed", "seg_mixed_003"]
    assert third["duration"] == Decimal("29.5") and third["tags"] == ["a", "b"] and "rebuilt" not in third
    assert third["social_media_usage"]["tiktok#7001"]["views"] == 55 and set(third["followed"]) == {"tiktok#7001", "youtube#y1"}
    assert third["created_at"] == "2025-07-05T10:00:00.654Z" and "output_s3_urls" not in third and "upload_date" not in third
    assert sum(video.startswith("#due#") for video, _ in items) == 2
    assert items["mixed", "#VIDEO"]["title"] == "Talk mixed"
    assert items["bare", "#VIDEO"]["notes"] == {"kept": [Decimal("1.5"), None, {"x", "y"}]}
    (foreign,) = (item for (video, segment), item in items.items() if video == "foreign" and segment != "#VIDEO")
    assert foreign["old_segment_id"] == "0b6f-uuid" and foreign["segment_id"].startswith("seg_foreign_")
    assert items["alone", "#VIDEO"]["owner"] == "ann" and "upload_date" not in items["alone", "#VIDEO"]


def test_another_run_copies_what_changed_and_leaves_alone_what_our_service_did(cloud):
    old = cloud.make_old()
    for name in "abcd":
        old.put_item(Item=old_job(name, outputs=2))
    cloud.run("create")
    cloud.run("migrate-from", cloud.old_name)
    before = {(item["video_id"], item["segment_id"]): item for item in cloud.everything(cloud.name)}
    assert "Copied by this run: 0 items" in cloud.run("migrate-from", cloud.old_name)
    assert {(item["video_id"], item["segment_id"]): item for item in cloud.everything(cloud.name)} == before
    # Ours: one segment is edited, one removed, one video removed as our service does it.
    cloud.new.update_item(Key={"video_id": "a", "segment_id": "seg_a_001"}, UpdateExpression="SET title = :t, version = :v", ExpressionAttributeValues={":t": "Ours", ":v": 2})
    cloud.new.delete_item(Key={"video_id": "a", "segment_id": "seg_a_002"})
    for number in (1, 2):
        cloud.new.delete_item(Key={"video_id": "b", "segment_id": f"seg_b_00{number}"})
    cloud.new.put_item(Item={"video_id": "b", "segment_id": "#VIDEO", "owner": "ann", "removed": True})
    # The earlier service's: it goes on with all of them, and has a new one.
    for name in "abc":
        old.put_item(Item=old_job(name, outputs=3, title=f"New {name}"))
    old.put_item(Item=old_job("e", outputs=1))
    said = cloud.run("migrate-from", cloud.old_name)
    assert "Copied by this run: 3 items" in said and "Removed here since they were copied: 5 records" in said, said
    items = {(item["video_id"], item["segment_id"]): item for item in cloud.everything(cloud.name)}
    assert items["a", "seg_a_001"]["title"] == "Ours" and ("a", "seg_a_002") not in items and ("a", "seg_a_003") in items
    assert [key for key in items if key[0] == "b"] == [("b", "#VIDEO")] and "title" not in items["b", "#VIDEO"]
    assert items["c", "#VIDEO"]["title"] == "New c" and items["c", "seg_c_001"]["title"] == "New c - Part 1" and ("c", "seg_c_003") in items
    assert items["e", "seg_e_001"]["user_id"] == "ann"
    assert {key: item for key, item in items.items() if key[0] == "d"} == {key: item for key, item in before.items() if key[0] == "d"}


def test_killed_and_begun_again_ten_times_while_the_earlier_service_goes_on_it_loses_and_doubles_nothing(cloud):
    old, chance = cloud.make_old(), random.Random(4)
    written, end = {}, threading.Event()

    def write(video_id):
        outputs = chance.randrange(0, 5)
        item = old_segment(video_id, outputs) if outputs and chance.random() < 0.5 else old_job(video_id, outputs=outputs)
        if "segment_id" in item and chance.random() < 0.7:
            item.update(output_s3_urls=[f"processed/{video_id}/segment_{n:03}.mp4" for n in range(1, outputs + 1)], status="COMPLETED", title=f"{uuid.uuid4()} - Part 1")
        old.put_item(Item=item)
        written[video_id] = item

    def go_on():
        number = 0
        while not end.is_set():
            number += 1
            write(f"late{number}")
            write(f"v{chance.randrange(600)}")

    with old.batch_writer() as batch:
        for number in range(600):
            written[f"v{number}"] = old_job(f"v{number}", outputs=number % 4)
            batch.put_item(Item=written[f"v{number}"])
    cloud.run("create")
    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        kills = 0
        for run in range(40):
            with cloud.start("migrate-from", cloud.old_name) as process:
                deadline, seen = time.monotonic() + PATIENCE, len(cloud.everything(cloud.name))
                # Killed in the middle of the work: as soon as more is there than before. One that found nothing to do has ended.
                while process.poll() is None and time.monotonic() < deadline and len(cloud.everything(cloud.name)) <= seen:
                    pass
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                said = process.communicate()
                assert process.returncode in (-signal.SIGKILL, 0, 1), said
            if kills == 10:
                break
        assert kills == 10, said
    finally:
        end.set()
        writer.join()
    said = cloud.run("migrate-from", cloud.old_name)
    assert "Everything is there." in said, said
    assert f"Old items: {len(written)}," in said
    wanted_videos, wanted_segments = set(), set()
    for video_id, item in written.items():
        if "output_s3_urls" in item or "status" in item:
            wanted_videos.add(video_id)
        wanted_segments |= {f"seg_{video_id}_{n:03}" for n in range(1, len(item.get("output_s3_urls", [])) + 1)}
        if "segment_id" in item:
            wanted_segments.add(item["segment_id"])
    items = cloud.everything(cloud.name)
    videos, segments = records(items)
    assert len(set(segments)) == len(segments)
    # What a row told of before it was written over stays: nothing that was once copied is lost.
    assert wanted_videos <= set(videos) and wanted_segments <= set(segments)
    assert {item["video_id"] for item in items if item["segment_id"] == "#VIDEO"} == set(written)
    by_key = {(item["video_id"], item["segment_id"]): item for item in items}
    for video_id, item in written.items():
        if "segment_id" in item:
            assert by_key[video_id, item["segment_id"]]["title"] == item["title"]
    assert not [item for item in items if item["video_id"].startswith("#migration#")]
    assert "Copied by this run: 0 items" in cloud.run("migrate-from", cloud.old_name)


def test_the_later_table_of_segments_alone_is_copied_too(cloud):
    old = cloud.make_old(hash_key="segment_id")
    for number in (1, 2, 3):
        old.put_item(Item=old_segment("v1", number, overlays=[{"text": "Hi", "x": Decimal(1)}]))
    old.put_item(Item={"segment_id": "nobody's", "user_id": "ann"})
    cloud.run("create")
    said = cloud.run("migrate-from", cloud.old_name, status=1)
    assert "telling of 0 videos and 3 segments" in said and "not copied, since it names no video" in said and "Not everything is there." in said
    items = cloud.new.query(KeyConditionExpression=Key("video_id").eq("v1"))["Items"]
    assert [item["segment_id"] for item in items] == ["#VIDEO", "seg_v1_001", "seg_v1_002", "seg_v1_003"]
    assert items[1]["overlays"] == [{"text": "Hi", "x": 1}]
    assert "Copied by this run: 0 items" in cloud.run("migrate-from", cloud.old_name, status=1)


def test_trouble_on_the_way_loses_nothing(cloud):
    old = cloud.make_old()
    with old.batch_writer() as batch:
        for number in range(150):
            batch.put_item(Item=old_job(f"v{number}", outputs=number % 3))
    cloud.run("create")
    # Never more at once than one call has attempts.
    for kind, operation, times in (("throttle", "PutItem", 2), ("reset", "PutItem", 1), ("internal_error", "Scan", 3), ("unprocessed", "BatchGetItem", 5)):
        cloud.engine.fault(kind, operation=operation, times=times)
    try:
        said = cloud.run("migrate-from", cloud.old_name)
        struck = {fault["kind"]: fault["struck"] for fault in cloud.engine.control("GET", "faults")}
    finally:
        cloud.engine.control("DELETE", "faults")
    assert struck == {"throttle": 2, "reset": 1, "internal_error": 3, "unprocessed": 5}
    assert "Old items: 150, telling of 150 videos and 150 segments" in said and "Everything is there." in said


@pytest.mark.parametrize("words, sentence", [(("migrate-from", "absent-table"), "There is no table absent-table."), (("migrate-from", "SELF"), "are the same")])
def test_what_cannot_be_copied_is_said(cloud, words, sentence):
    cloud.run("create")
    said = cloud.run(*(cloud.name if word == "SELF" else word for word in words), status=2 if "SELF" in words else 1)
    assert sentence in said
