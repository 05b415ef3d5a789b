"""What DynamoDB is asked by each request that simulate.py draws: counted by the gate before dynalite."""
import collections
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from cloud_lines import TABLE, redis
from library import body_of
from servers import BINARY, ROOT, Ours

sys.path.insert(0, str(ROOT / "tests/engines"))
import engines  # noqa: E402 - found by the line above

JSON = {"Content-Type": "application/json"}


class Program:
    def __init__(self, stack, folder):
        self.engine = stack.enter_context(engines.running("dynamodb", folder / "dynamodb"))
        url = stack.enter_context(redis(folder))
        account = {"AWS_REGION": self.engine.region, "AWS_ACCESS_KEY_ID": self.engine.access_key, "AWS_SECRET_ACCESS_KEY": self.engine.secret_key,
                   "AWS_ENDPOINT_URL_DYNAMODB": self.engine.endpoint, "DYNAMODB_TABLE_NAME": TABLE}
        self.server = Ours(folder / "ours", SEGMENTS_STORE="dynamodb", SEGMENTS_QUEUE="redis", REDIS_URL=url, **account)
        subprocess.run([str(BINARY), "admin", "table", "create"], env=self.server.env, cwd=self.server.cwd, check=True, stdout=subprocess.DEVNULL)
        self.server.start()
        stack.callback(self.server.stop)
        self.user = {"Authorization": self.server.token("ann")}

    def ask(self, path, method="GET", body=None):
        return json.loads(self.server.fetch(path, {**self.user, **JSON}, method, json.dumps(body) if isinstance(body, dict) else body) or "{}")

    def counted(self, requests):
        """The operations that DynamoDB was asked for meanwhile."""
        stats = self.engine.endpoint + "/__gate/stats"
        urllib.request.urlopen(urllib.request.Request(stats, method="DELETE")).close()
        for request in requests:
            self.ask(*request)
        operations = json.load(urllib.request.urlopen(stats))["operations"]
        return collections.Counter({name: told["requests"] for name, told in operations.items()})


def count(times):
    import random
    chance = random.Random(5)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segments-calls-")))
        program = Program(stack, folder)
        # Each user's first request in a process finds more to do: whose the video is, how many segments there are.
        ids = [program.ask("/api/segments", "POST", body_of("v", n, chance))["segment_id"] for n in range(30)]
        program.ask("/api/segments?limit=20")
        post = {"platform": "tiktok", "post_id": "7"}
        of = lambda end="", method="GET", **body: [(f"/api/segments/{id}{end}", method, *([body] if body else [])) for id in ids[:times]]
        return {
            "list": program.counted([("/api/segments?limit=20",)] * times),
            "get": program.counted(of()),
            "analytics": program.counted(of("/analytics")),
            "play": program.counted(of("/play")),
            "download": program.counted(of("/download")),
            "create": program.counted([("/api/segments", "POST", body_of("v", 100 + n, chance)) for n in range(times)]),
            "edit": program.counted(of(method="PUT", title="Another")),
            "link": program.counted(of("/social-media", "POST", **post)),
            # What is asked for by a request reads the segment once more for its answer; a worker does not.
            "reading": program.counted(of("/social-media?wait=true", "POST", platform="tiktok")) - collections.Counter(GetItem=times),
        }
