"""The earlier service's code on our table, by boto3 as that service used it: it reads what we wrote, and what its put_item wrote is served."""
import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from decimal import Decimal

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config

import engines
from conftest import BINARY, PATIENCE, clean_environment, free_port

INDEXES = ("video_id-segment_type-index", "user_id-segment_type-index", "user_id-created_at-index")


class Service:
    def __init__(self, url, table):
        self.url, self.table = url, table

    def call(self, verb, path, given=None, status=200, **headers):
        request = urllib.request.Request(self.url + path, method=verb, data=None if given is None else json.dumps(given).encode(),
                                         headers={"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                code, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            code, body = error.code, error.read()
        assert code == status, (verb, path, code, body)
        return json.loads(body) if body else None


@pytest.fixture(scope="module")
def dynamodb(tmp_path_factory):
    with engines.running("dynamodb", tmp_path_factory.mktemp("dynamodb")) as running:
        yield running


@pytest.fixture
def service(dynamodb, redis_url, tmp_path):
    name, port = f"segments-{uuid.uuid4().hex}", free_port()
    env = clean_environment(AWS_REGION=dynamodb.region, AWS_ENDPOINT_URL_DYNAMODB=dynamodb.endpoint, AWS_ACCESS_KEY_ID=dynamodb.access_key,
                            AWS_SECRET_ACCESS_KEY=dynamodb.secret_key, DYNAMODB_TABLE_NAME=name, SEGMENTS_STORE="dynamodb", SEGMENTS_QUEUE="redis",
                            REDIS_URL=redis_url, REDIS_PASSWORD="secret", SEGMENTS_AUTH="none", SEGMENTS_DATA_DIR=str(tmp_path / "data"), PORT=str(port))
    subprocess.run([BINARY, "admin", "table", "create"], env=env, check=True, timeout=PATIENCE, cwd=tmp_path)
    log = tmp_path / "serve.log"
    with open(log, "wb") as output:
        server = subprocess.Popen([BINARY, "serve", "--workers", "0"], env=env, stdout=output, stderr=output, cwd=tmp_path)
    try:
        url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(url + "/health", timeout=5):
                break
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        resource = boto3.resource("dynamodb", region_name=dynamodb.region, endpoint_url=dynamodb.endpoint, aws_access_key_id=dynamodb.access_key,
                                  aws_secret_access_key=dynamodb.secret_key, config=Config(retries={"max_attempts": 5}))
        yield Service(url, resource.Table(name))
    finally:
        server.terminate()
        server.wait(PATIENCE)


def old_segment(video_id, number, **more):
    """What create_segment() of the earlier service put."""
    return {"segment_id": f"seg_{video_id}_{number:03}", "video_id": video_id, "user_id": "ann", "segment_type": "processed", "segment_number": number,
            "s3_key": f"processed/{video_id}/segment_{number:03}.mp4", "duration": Decimal("29.97"), "file_size": 123456, "content_type": "video/mp4",
            "title": f"Old {number}", "tags": ["one", "two"], "created_at": f"2025-07-05T10:00:0{number}.654321", "download_count": 0,
            "social_media_usage": [{"platform": "tiktok", "post_id": "7001", "post_url": "https://www.tiktok.com/@a/video/7001", "views": 50, "likes": 5, "shares": 1,
                                    "comments": 2, "engagement_rate": Decimal("16"), "last_synced": "2025-07-06T10:00:00"}], **more}


def test_what_its_put_item_wrote_is_served_and_goes_on(service):
    for number in (1, 2, 3):
        service.table.put_item(Item=old_segment("v1", number))
    service.table.put_item(Item=old_segment("v1", 4, tags={"in", "a set"}, title=None, description=None))
    shown = service.call("GET", "/api/segments/seg_v1_002")
    assert shown["duration"] == 29.97 and shown["file_size"] == 123456 and shown["tags"] == ["one", "two"] and shown["title"] == "Old 2"
    assert shown["created_at"] == "2025-07-05T10:00:02.654Z"
    (post,) = shown["social_media_usage"]
    assert (post["platform"], post["post_id"], post["views"], post["last_synced"]) == ("tiktok", "7001", 50, "2025-07-06T10:00:00.000Z")
    page = service.call("GET", "/api/segments?user_id=ann&limit=3")
    assert [one["segment_id"] for one in page["segments"]] == [f"seg_v1_00{n}" for n in (4, 3, 2)] and page["total_count"] == 4
    assert sorted(page["segments"][0]["tags"]) == ["a set", "in"] and page["segments"][0]["title"] is None
    assert [one["segment_number"] for one in service.call("GET", "/api/videos/v1/segments?user_id=ann")["segments"]] == [1, 2, 3, 4]
    assert service.call("GET", "/api/segments/seg_v1_001/analytics?user_id=ann")["total_views"] == 50
    # And may be changed like any other.
    assert service.call("PUT", "/api/segments/seg_v1_001?user_id=ann", {"title": "New"})["title"] == "New"
    service.call("POST", "/api/segments/seg_v1_001/social-media?user_id=ann", {"platform": "youtube", "post_id": "dQw4w9WgXcQ"})
    posts = service.call("GET", "/api/segments/seg_v1_001")["social_media_usage"]
    assert [(one["platform"], one["views"]) for one in posts] == [("tiktok", 50), ("youtube", 0)]
    service.call("DELETE", "/api/segments/seg_v1_003?user_id=ann")
    assert service.call("GET", "/api/segments?user_id=ann")["total_count"] == 3
    item = service.table.get_item(Key={"video_id": "v1", "segment_id": "seg_v1_001"}, ConsistentRead=True)["Item"]
    assert item["title"] == "New" and item["duration"] == Decimal("29.97")


def test_it_reads_what_we_wrote(service):
    made = [service.call("POST", "/api/segments", {"user_id": "ann", "video_id": "v2", "segment_type": "processed", "segment_number": n, "s3_key": f"processed/v2/segment_00{n}.mp4", "duration": 10.25 * n,
                                                   "file_size": 1000 + n, "title": f"Clip {n} 🎬", "tags": ["x", "y"]}, status=201) for n in (1, 2, 3)]
    get = lambda id: service.table.get_item(Key={"video_id": "v2", "segment_id": id}, ConsistentRead=True)["Item"]
    for n, segment in enumerate(made, 1):
        item = get(segment["segment_id"])
        assert item["duration"] == Decimal("10.25") * n and item["file_size"] == 1000 + n and item["title"] == f"Clip {n} 🎬"
        assert item["tags"] == ["x", "y"] and item["segment_type"] == "processed" and item["user_id"] == "ann" and item["created_at"] == segment["created_at"]
        assert item["download_count"] == 0
        assert None not in item.values() and "" not in item.values()
    # Its three queries, by its indexes.
    by_video, by_type, by_time = (
        service.table.query(IndexName=index, KeyConditionExpression=condition, ScanIndexForward=False)["Items"]
        for index, condition in zip(INDEXES, (Key("video_id").eq("v2") & Key("segment_type").eq("processed"), Key("user_id").eq("ann") & Key("segment_type").eq("processed"),
                                              Key("user_id").eq("ann") & Key("created_at").gte(made[0]["created_at"]))))
    ids = [segment["segment_id"] for segment in made]
    assert sorted(item["segment_id"] for item in by_video) == sorted(item["segment_id"] for item in by_type) == sorted(ids)
    assert sorted(item["segment_id"] for item in by_time) == sorted(ids) and by_time[0]["duration"] in {item["duration"] for item in map(get, ids)}
    # Its update of a title and its scan find them, too; what it changed is shown.
    service.table.update_item(Key={"video_id": "v2", "segment_id": ids[0]}, UpdateExpression="SET title = :t, updated_at = :u",
                              ExpressionAttributeValues={":t": "By the old code", ":u": "2026-01-01T00:00:00.000000"})
    end = time.monotonic() + PATIENCE
    while (shown := service.call("GET", f"/api/segments/{ids[0]}"))["title"] != "By the old code" and time.monotonic() < end:
        time.sleep(0.05)
    assert shown["title"] == "By the old code" and shown["updated_at"] == "2026-01-01T00:00:00.000Z"
    assert service.table.scan(FilterExpression=Attr("title").eq("By the old code"))["Count"] == 1
