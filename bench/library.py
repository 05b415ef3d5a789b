"""Fills a server of ours with segments, and the requests that are made of them."""
import json
import random
import sys
import time

from servers import drive, write_requests

USERS = 10
LARGE = 100_000  # segments of the first user, where there are ten times as many


def body_of(video, number, chance):
    return json.dumps({"video_id": video, "segment_type": "processed", "segment_number": number, "s3_key": f"processed/{video}/segment_{number:03}.mp4",
                       "duration": round(chance.uniform(1, 60), 3), "file_size": chance.randrange(1, 50_000_000), "title": f"Clip {chance.randrange(10**6)} of a morning walk",
                       "description": "A short piece about nothing in particular", "tags": ["walk", "morning"]}, separators=(",", ":"))


class Library:
    def __init__(self, server, folder):
        self.server, self.folder, self.made, self.turn = server, folder, 0, 0
        self.chance = random.Random(7)
        self.tokens = [server.token(f"user{n}") for n in range(USERS)]

    def headers(self, user):
        return {"Authorization": self.tokens[user]}

    def creations(self, users, count=50_000, scattered=False):
        """A file of requests that create segments, ten to a video, for those users in turn: one video after the other, whose ids come in the order of time as
        those of uploads do. Scattered: each of a video that any of the others may have been made before."""
        self.turn += 1
        lines = []
        for n in range(count):
            user = users[n // 10 % len(users)]
            lines.append({"method": "POST", "path": "/api/segments", "headers": {**self.headers(user), "Content-Type": "application/json"},
                          "body": body_of(f"v{self.turn:06}-{n // 10:06}", n % 10 + 1, self.chance)})
        if scattered:
            self.chance.shuffle(lines)
        return write_requests(self.folder / "creations.jsonl", lines)

    def count(self, user):
        return json.loads(self.server.fetch("/api/segments?limit=1", self.headers(user)))["total_count"]

    def count_all(self):
        self.made = sum(self.count(user) for user in range(USERS))
        return self.made

    def fill(self, wanted, first=None):
        """What each turn of some seconds told. The first user gets `first` of them, or LARGE, or a tenth."""
        told = []
        large = first or min(LARGE, wanted // USERS)
        while self.count(0) < large:
            missing = large - self.count(0)
            if missing > 500:
                drive(self.server, self.creations([0], min(missing, 50_000)), seconds=min(10, max(0.2, missing / 40_000)), warm=0)
            else:
                for n in range(missing):
                    self.server.fetch("/api/segments", {**self.headers(0), "Content-Type": "application/json"}, "POST", body_of(f"rest{self.turn}", n, self.chance))
        others = list(range(1, USERS))
        while self.count_all() < wanted:
            told.append(drive(self.server, self.creations(others), seconds=min(5, max(0.3, (wanted - self.made) / 25_000)), warm=0))
            print(f"… {self.made:,} segments, {told[-1]['rate']:,.0f}/s, {told[-1]['cpu']:.1f} µs", file=sys.stderr)
        return told

    def some_ids(self, count=20_000):
        """Of all users in turn, from anywhere in their libraries."""
        found = []
        while len(found) < count:
            for user in range(USERS):
                total = self.count(user)
                page = json.loads(self.server.fetch(f"/api/segments?limit=200&offset={self.chance.randrange(max(1, total - 200))}", self.headers(user)))
                found += [(user, s["segment_id"]) for s in page["segments"]]
        self.chance.shuffle(found)
        return found

    def requests(self, name, of, method="GET", **more):
        """`of`: (user, path) of each."""
        return write_requests(self.folder / name, [{"method": method, "path": path, "headers": {**self.headers(user), **more.get("headers", {})},
                                                    **({"body": more["body"]} if "body" in more else {})} for user, path in of])

    def wait_quiet(self):
        """Until the server has done with what it does afterwards."""
        while True:
            before = self.server.cpu
            time.sleep(0.5)
            if self.server.cpu - before < 0.02:
                return
