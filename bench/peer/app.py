"""The same routes as a Python service: FastAPI, pydantic models in and out, bearer tokens, and SQLite or DynamoDB. What bench/ measures us
beside. Nothing here waits on purpose, and what makes it faster without another design is done: handlers run in the event loop (a thread
pool costs more than these calls), uvloop and httptools, one connection a process, prepared statements, three indexes.

PEER_STORE: a SQLite file, made by fill.py, or `dynamodb` (the usual AWS settings, the table of `segments admin table create`).
PEER_SECRET: of the tokens."""
import decimal
import json
import os
import secrets
import sqlite3
from datetime import datetime, timezone
from typing import List, Optional

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field

from columns import COLUMNS

SECRET, STORE = os.environ["PEER_SECRET"], os.environ["PEER_STORE"]
DOCUMENTS = ("tags", "social_media_usage")


class Usage(BaseModel):
    platform: str
    post_id: Optional[str] = None
    post_url: Optional[str] = None
    posted_at: Optional[str] = None
    views: int = 0
    likes: int = 0
    shares: int = 0
    comments: int = 0
    engagement_rate: Optional[float] = None
    last_synced: Optional[str] = None


class SegmentCreate(BaseModel):
    video_id: str = Field(min_length=1, max_length=200)
    segment_type: str
    segment_number: int = Field(ge=0)
    s3_key: str = Field(min_length=1, max_length=1024)
    duration: float = Field(ge=0)
    file_size: int = Field(ge=0)
    content_type: str = "video/mp4"
    title: Optional[str] = Field(default=None, max_length=200)
    description: Optional[str] = Field(default=None, max_length=5000)
    tags: List[str] = []


class SegmentUpdate(BaseModel):
    title: Optional[str] = None
    description: Optional[str] = None
    tags: Optional[List[str]] = None


class Segment(SegmentCreate):
    segment_id: str
    user_id: str
    s3_url: Optional[str] = None
    thumbnail_url: Optional[str] = None
    created_at: str
    updated_at: str
    social_media_usage: List[Usage] = []
    filename: Optional[str] = None
    download_count: int = 0
    last_downloaded_at: Optional[str] = None


class SegmentPage(BaseModel):
    segments: List[Segment]
    total_count: int
    page: int
    page_size: int


class Download(BaseModel):
    segment_id: str
    download_count: int


class Link(BaseModel):
    platform: str
    post_id: str
    post_url: Optional[str] = None


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Sqlite:
    ORDERS = {"created_at": "created_at", "duration": "duration", "file_size": "file_size", "title": "title", "download_count": "download_count"}

    def __init__(self):
        self.db = sqlite3.connect(STORE, isolation_level=None, timeout=30, cached_statements=100)
        self.db.row_factory = sqlite3.Row
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=2000000000; PRAGMA cache_size=-65536;")

    @staticmethod
    def read(row):
        segment = dict(row)
        for name in DOCUMENTS:
            segment[name] = json.loads(segment[name]) if segment[name] else []
        return segment

    def find(self, segment_id, user_id):
        row = self.db.execute(f"SELECT {', '.join(COLUMNS)} FROM segments WHERE segment_id = ? AND user_id = ?", (segment_id, user_id)).fetchone()
        return row and self.read(row)

    def list(self, user_id, sort_by, descending, limit, offset):
        way, count = "DESC" if descending else "ASC", self.db.execute("SELECT count(*) FROM segments WHERE user_id = ?", (user_id,)).fetchone()[0]
        rows = self.db.execute(f"SELECT {', '.join(COLUMNS)} FROM segments WHERE user_id = ? ORDER BY {self.ORDERS[sort_by]} {way}, segment_id {way} LIMIT ? OFFSET ?",
                               (user_id, limit, offset))
        return [self.read(row) for row in rows], count

    def create(self, segment):
        values = [json.dumps(segment[name]) if name in DOCUMENTS else segment[name] for name in COLUMNS]
        self.db.execute(f"INSERT INTO segments ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})", values)

    def update(self, segment_id, user_id, changes):
        values = [json.dumps(value) if name in DOCUMENTS else value for name, value in changes.items()]
        self.db.execute(f"UPDATE segments SET {', '.join(name + ' = ?' for name in changes)} WHERE segment_id = ? AND user_id = ?", (*values, segment_id, user_id))

    def count_download(self, segment_id, user_id):
        row = self.db.execute("UPDATE segments SET download_count = download_count + 1, last_downloaded_at = ? WHERE segment_id = ? AND user_id = ? RETURNING download_count",
                              (now(), segment_id, user_id)).fetchone()
        return row and row[0]

    def link(self, segment_id, user_id, usage):
        self.db.execute("BEGIN IMMEDIATE")
        row = self.db.execute("SELECT social_media_usage FROM segments WHERE segment_id = ? AND user_id = ?", (segment_id, user_id)).fetchone()
        usages = json.loads(row[0]) if row and row[0] else []
        if row and not any(u["platform"] == usage["platform"] and u["post_id"] == usage["post_id"] for u in usages):
            self.db.execute("UPDATE segments SET social_media_usage = ?, updated_at = ? WHERE segment_id = ?", (json.dumps([*usages, usage]), now(), segment_id))
        self.db.execute("COMMIT")


class DynamoDb:
    def __init__(self):
        import boto3
        self.table = boto3.resource("dynamodb", endpoint_url=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB")).Table(os.environ["DYNAMODB_TABLE_NAME"])

    @staticmethod
    def key(segment_id):
        return {"video_id": segment_id[4:].rsplit("_", 1)[0], "segment_id": segment_id}

    @classmethod
    def plain(cls, value):
        if isinstance(value, decimal.Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        if isinstance(value, dict):
            return {name: cls.plain(v) for name, v in value.items()}
        return [cls.plain(v) for v in value] if isinstance(value, (list, set)) else value

    def read(self, item):
        segment = self.plain(item)
        usage = segment.get("social_media_usage") or []
        segment["social_media_usage"] = list(usage.values()) if isinstance(usage, dict) else usage
        return segment

    def find(self, segment_id, user_id):
        item = self.table.get_item(Key=self.key(segment_id)).get("Item")
        return self.read(item) if item and item["user_id"] == user_id else None

    def list(self, user_id, sort_by, descending, limit, offset):
        from boto3.dynamodb.conditions import Key
        found = self.table.query(IndexName="user_id-created_at-index", KeyConditionExpression=Key("user_id").eq(user_id), ScanIndexForward=not descending, Limit=limit)["Items"]
        return [self.find(item["segment_id"], user_id) for item in found], len(found)

    def create(self, segment):
        self.table.put_item(Item={name: decimal.Decimal(str(value)) if isinstance(value, float) else value for name, value in segment.items() if value is not None},
                            ConditionExpression="attribute_not_exists(segment_id)")

    def count_download(self, segment_id, user_id):
        return int(self.table.update_item(Key=self.key(segment_id), UpdateExpression="SET last_downloaded_at = :at ADD download_count :one",
                                          ConditionExpression="user_id = :user", ExpressionAttributeValues={":at": now(), ":one": 1, ":user": user_id},
                                          ReturnValues="UPDATED_NEW")["Attributes"]["download_count"])


app, store = FastAPI(), DynamoDb() if STORE == "dynamodb" else Sqlite()


async def user_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"])["sub"]
    except jwt.PyJWTError:
        raise HTTPException(401, "Invalid token")


def found(segment):
    if not segment:
        raise HTTPException(404, "Segment not found")
    return segment


@app.get("/health")
async def health():
    return {"status": "healthy"}


@app.get("/api/segments/{segment_id}", response_model=Segment)
async def get_segment(segment_id: str, user: str = Depends(user_of)):
    return found(store.find(segment_id, user))


@app.get("/api/segments", response_model=SegmentPage)
async def list_segments(user: str = Depends(user_of), sort_by: str = "created_at", order: str = "desc", limit: int = 50, offset: int = 0):
    segments, count = store.list(user, sort_by, order == "desc", min(limit, 200), offset)
    return {"segments": segments, "total_count": count, "page": offset // limit + 1, "page_size": len(segments)}


@app.post("/api/segments", response_model=Segment, status_code=201)
async def create_segment(body: SegmentCreate, user: str = Depends(user_of)):
    at = now()
    segment = {name: None for name in COLUMNS} | (body.model_dump() if hasattr(body, "model_dump") else body.dict()) | {
        "segment_id": f"seg_{body.video_id}_{secrets.token_hex(13)}", "user_id": user, "created_at": at, "updated_at": at, "social_media_usage": [], "download_count": 0}
    store.create(segment)
    return segment


@app.put("/api/segments/{segment_id}", response_model=Segment)
async def update_segment(segment_id: str, body: SegmentUpdate, user: str = Depends(user_of)):
    changes = body.model_dump(exclude_unset=True) if hasattr(body, "model_dump") else body.dict(exclude_unset=True)
    store.update(segment_id, user, {**changes, "updated_at": now()})
    return found(store.find(segment_id, user))


@app.get("/api/segments/{segment_id}/download", response_model=Download)
async def download_segment(segment_id: str, user: str = Depends(user_of)):
    count = store.count_download(segment_id, user)
    if count is None:
        raise HTTPException(404, "Segment not found")
    return {"segment_id": segment_id, "download_count": count}


@app.post("/api/segments/{segment_id}/social-media", response_model=Segment)
async def link_post(segment_id: str, body: Link, user: str = Depends(user_of)):
    store.link(segment_id, user, {"platform": body.platform, "post_id": body.post_id, "post_url": body.post_url, "posted_at": now()})
    return found(store.find(segment_id, user))
