#!/usr/bin/env python3
"""What a large service asks of DynamoDB, S3 and Redis: draws the requests of some seconds of the busiest hour, carries each out on the table's keys as the
program does (docs/costs.md says which items it touches and what they cost), and adds up units by partition key. Prints the rates, the hottest keys, and the
monthly bill. Nothing is sent to anybody. --check carries a few of each request out, too, with the program on dynalite behind the tests' gate, and compares what
DynamoDB is asked with what is assumed here. usage: simulate.py [--users N] [--segments N] [--seconds N] [--seed N] [--check]"""
import argparse
import bisect
import collections
import itertools
import random

# What people do. A day's numbers for each user who comes that day; a fifth of all do. The busiest hour has a tenth of the day.
DAILY_SHARE, BUSY_HOUR = 0.2, 0.1
A_DAY = {"list": 12, "get": 30, "play": 8, "download": 4, "create": 3, "edit": 1, "link": 1, "analytics": 5}
FOLLOWED = 20       # posts of each user that are young enough to be read again
READINGS_A_DAY = 2  # of each, on average over their ages
# Popularity of users' clips among those who watch: the s of Zipf's law over the clips of the day.
ZIPF = 1.0

SEGMENT_BYTES = 5e6
# Microseconds of CPU of this program for each, seen beside dynalite on the machine of bench/README.md (docs/scale.md says how); of a reading it is the worker's.
CPU = {"list": 300, "get": 150, "play": 150, "download": 250, "create": 500, "edit": 300, "link": 700, "analytics": 150, "reading": 1_000}
BUSY_SHARE = 0.5  # of a core, so that one node may fail and latency stays low

# Units, from docs/costs.md. (partition, reads, writes) of each access; T the table, I an index.
DUE_SHARDS, TOTAL_SHARDS = 32, 32
PARTITION_READS, PARTITION_WRITES = 3_000, 1_000
PRICES = {  # us-east-1, dollars, as published in 2025: look them up before you decide by them
    "million reads": 0.125, "million writes": 0.625, "table GB-month": 0.25, "S3 GB-month": 0.023, "million S3 GET": 0.40, "million S3 PUT": 5.0,
    "vCPU-month": 29.5, "Redis node-month": 160.0, "GB sent to the internet": 0.05}


class Zipf:
    """Numbers below `count`, the first most often."""

    def __init__(self, count, s, chance):
        self.sums = list(itertools.accumulate(1 / (rank + 1) ** s for rank in range(min(count, 1_000_000))))
        self.chance = chance

    def draw(self):
        return bisect.bisect(self.sums, self.chance.random() * self.sums[-1])


class Simulation:
    def __init__(self, users, segments, seconds, seed):
        self.users, self.segments, self.seconds = users, segments, seconds
        self.chance = random.Random(seed)
        self.popular = Zipf(1_000_000, ZIPF, self.chance)
        self.reads, self.writes = collections.Counter(), collections.Counter()  # by (kind, key)
        self.steady = collections.Counter()  # what goes on day and night alike
        self.objects = collections.Counter()
        self.calls = collections.defaultdict(collections.Counter)  # of DynamoDB's operations, by request
        self.request = None

    def touch(self, kind, key, call=None, reads=0.0, writes=0.0, is_steady=False):
        """`call`: the operation; None for what the one before touches besides."""
        if call:
            self.calls[self.request][call] += 1
        if is_steady:
            self.steady["reads"] += reads
            self.steady["writes"] += writes
        self.reads[kind, key] += reads
        self.writes[kind, key] += writes

    # One of a user's own videos: a segment's partition.
    def video(self, user):
        return user, self.chance.randrange(self.segments // 10)

    def totals(self, is_steady=False):
        self.touch("totals", self.chance.randrange(TOTAL_SHARDS), "UpdateItem", writes=1, is_steady=is_steady)

    def due_posts(self, writes, is_steady=False):
        self.touch("due posts", self.chance.randrange(DUE_SHARDS), "BatchWriteItem", writes=writes, is_steady=is_steady)

    def list(self, user):
        self.touch("index by time", user, "Query", reads=1)
        for number, video in enumerate({self.video(user) for _ in range(20)}):
            self.touch("segments of a video", video, None if number else "BatchGetItem", reads=0.5)
        self.touch("count of a user", user, "GetItem", reads=0.5)

    def get(self, user):
        self.touch("segments of a video", self.video(user), "GetItem", reads=0.5)

    analytics = get

    def watched(self, user):
        # Half of what is watched is one of the day's popular clips of somebody.
        return ("popular", self.popular.draw()) if self.chance.random() < 0.5 else self.video(user)

    def play(self, user):
        self.touch("segments of a video", self.watched(user), "GetItem", reads=0.5)
        self.objects["GET"] += 3
        self.objects["bytes"] += SEGMENT_BYTES

    def download(self, user):
        video = self.watched(user)
        self.touch("segments of a video", video, "GetItem", reads=0.5)
        self.touch("segments of a video", video, "UpdateItem", writes=2)
        self.objects["GET"] += 1
        self.objects["bytes"] += SEGMENT_BYTES

    def create(self, user):
        video = self.video(user)
        self.touch("segments of a video", video, "GetItem", reads=0.5)  # whose the video is
        self.touch("segments of a video", video, "PutItem", writes=2)
        for index in ("index by video", "index by type", "index by time"):
            self.touch(index, video if index == "index by video" else user, writes=1)
        self.touch("count of a user", user, "UpdateItem", writes=1)
        self.objects["PUT"] += 2
        # A video of ten pieces stands behind ten creations: its hint, its progress, its totals.
        if self.chance.random() < 0.1:
            self.request = "process"
            self.touch("waiting videos", "#waiting", "PutItem", writes=1)
            self.touch("waiting videos", "#waiting", "DeleteItem", writes=1)
            for _ in range(6):
                self.touch("segments of a video", video, "UpdateItem", writes=2)
            self.totals()

    def edit(self, user):
        video = self.video(user)
        self.touch("segments of a video", video, "GetItem", reads=1)
        self.touch("segments of a video", video, "UpdateItem", writes=2)
        self.touch("index by type", user, writes=1)
        self.touch("index by time", user, writes=1)

    def link(self, user):
        video = self.video(user)
        self.touch("segments of a video", video, "GetItem", reads=1)
        self.due_posts(1)
        self.touch("segments of a video", video, "UpdateItem", writes=2)

    def reading(self, user):
        video = self.video(user)
        # Found by its hint among others that are due, in calls that do for a hundred.
        self.touch("due posts", self.chance.randrange(DUE_SHARDS), reads=0.1, is_steady=True)
        self.touch("segments of a video", video, "GetItem", reads=0.5, is_steady=True)
        # In one batch: what was read, the hint when to read next, and the one that another reading left behind.
        self.touch("history of a segment", (video, self.chance.random()), "BatchWriteItem", writes=1, is_steady=True)
        for _ in range(2):
            self.touch("due posts", self.chance.randrange(DUE_SHARDS), writes=1, is_steady=True)
        self.touch("segments of a video", video, "UpdateItem", writes=2, is_steady=True)
        self.totals(is_steady=True)

    def run(self):
        names = list(A_DAY)
        busy = self.users * DAILY_SHARE * BUSY_HOUR / 3600
        rate = {name: busy * A_DAY[name] for name in names}
        rate["reading"] = self.users * FOLLOWED * READINGS_A_DAY / 86400
        total = sum(rate.values()) * self.seconds
        for name in self.chance.choices(list(rate), list(rate.values()), k=int(total)):
            self.request = name
            getattr(self, name)(self.chance.randrange(self.users))
        return rate


def show(title, rows):
    print(f"\n{title}\n")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--users", type=int, default=10_000_000)
    parser.add_argument("--segments", type=int, default=1_000, help="of each user")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        return check(options)
    simulation = Simulation(options.users, options.segments, options.seconds, options.seed)
    rate = simulation.run()
    seconds = options.seconds
    show("Requests a second in the busiest hour", [("request", "a second"), ("---", "---:"), *((name, f"{value:,.0f}") for name, value in rate.items()),
                                                   ("all", f"{sum(rate.values()):,.0f}")])
    kinds = sorted({kind for kind, _ in [*simulation.reads, *simulation.writes]})
    rows = []
    for kind in kinds:
        reads = {key: value / seconds for (k, key), value in simulation.reads.items() if k == kind}
        writes = {key: value / seconds for (k, key), value in simulation.writes.items() if k == kind}
        share = max(max(reads.values(), default=0) / PARTITION_READS, max(writes.values(), default=0) / PARTITION_WRITES)
        rows.append((share, (kind, f"{sum(reads.values()):,.0f}", f"{sum(writes.values()):,.0f}", f"{max(reads.values(), default=0):,.1f}", f"{max(writes.values(), default=0):,.1f}",
                             f"{share:.1%}")))
    show("Units a second, and of the hottest key of each kind (a partition gives 3,000 reads and 1,000 writes)",
         [("kind of item", "reads", "writes", "hottest: reads", "hottest: writes", "of a partition"), ("---",) + ("---:",) * 5, *(row for _, row in sorted(rows, reverse=True))])
    bill(options, simulation, rate)


def check(options, times=20):
    """What DynamoDB is asked by each request of the program, as the gate before dynalite counts it, beside what is assumed."""
    import simulated_calls
    assumed = Simulation(options.users, options.segments, 1, options.seed)
    asked, rows = simulated_calls.count(times), []
    for name, counted in asked.items():
        assumed.request = name
        while not assumed.calls[name]:  # the tenth creation is of a video besides: that is counted by itself
            getattr(assumed, name)(assumed.chance.randrange(options.users))
        # The program asks a little by itself now and then, for videos that wait.
        each = {operation: round(count / times) for operation, count in counted.items() if round(count / times)}
        rows.append((name, in_words(assumed.calls[name], 1), in_words(counted, times), "the same" if assumed.calls[name] == each else "NOT the same"))
    show(f"Calls of DynamoDB by request, {times} of each", [("request", "assumed", "counted", ""), ("---",) * 4, *rows])
    if any(row[-1] != "the same" for row in rows):
        raise SystemExit("The simulation is not of this program.")


def in_words(calls, times):
    return ", ".join(f"{count / times:g} {operation}" for operation, count in sorted(calls.items()))


def bill(options, simulation, rate):
    # An average second of a month has 1 / (24 * BUSY_HOUR) of the busiest hour's requests of people; readings are spread evenly.
    calm = 1 / (24 * BUSY_HOUR)
    month = 86400 * 30 / simulation.seconds
    def monthly(units, steady):
        return ((sum(units.values()) - steady) * calm + steady) * month
    reads, writes = monthly(simulation.reads, simulation.steady["reads"]), monthly(simulation.writes, simulation.steady["writes"])
    all_segments = options.users * options.segments
    table_gb = all_segments * 2.3e3 / 1e9  # a segment of 1.5 KB and its rows in three indexes
    media_gb = all_segments * SEGMENT_BYTES / 1e9
    cores = {name: rate[name] * CPU[name] / 1e6 for name in rate}
    served, worked = sum(cores.values()) - cores["reading"], cores["reading"]
    vcpus = (served + worked) / BUSY_SHARE
    sent_gb = simulation.objects["bytes"] * month * calm / 1e9
    lines = [("DynamoDB reads", f"{reads / 1e6:,.0f} million", reads / 1e6 * PRICES["million reads"]), ("DynamoDB writes", f"{writes / 1e6:,.0f} million", writes / 1e6 * PRICES["million writes"]),
             ("table", f"{table_gb:,.0f} GB", table_gb * PRICES["table GB-month"]), ("media in S3, 5 MB each", f"{media_gb:,.0f} GB", media_gb * PRICES["S3 GB-month"]),
             ("S3 GET", f"{simulation.objects['GET'] * month * calm / 1e6:,.0f} million", simulation.objects["GET"] * month * calm / 1e6 * PRICES["million S3 GET"]),
             ("S3 PUT", f"{simulation.objects['PUT'] * month * calm / 1e6:,.0f} million", simulation.objects["PUT"] * month * calm / 1e6 * PRICES["million S3 PUT"])]
    lines += [("sent to viewers", f"{sent_gb:,.0f} GB", sent_gb * PRICES["GB sent to the internet"]), ("Redis, two nodes", "2", 2 * PRICES["Redis node-month"]),
              (f"vCPUs: {served:.1f} busy for requests, {worked:.1f} for readings", f"{vcpus:,.0f}", vcpus * PRICES["vCPU-month"])]
    show("A month", [("what", "how much", "dollars"), ("---", "---:", "---:"), *((name, amount, f"{dollars:,.0f}") for name, amount, dollars in lines),
                     ("all", "", f"{sum(dollars for *_, dollars in lines):,.0f}")])


main()
