"""Copies the segments out of a data folder of ours into a SQLite file for app.py: the same rows, one table, the three indexes that its routes need.
usage: fill.py OURS/segments.db FILE"""
import sqlite3
import sys

from columns import COLUMNS

ours, file = sys.argv[1:]
db = sqlite3.connect(file, isolation_level=None)
db.executescript(f"""
PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA cache_size=-262144;
ATTACH '{ours}' AS ours;
CREATE TABLE segments (segment_ref INTEGER PRIMARY KEY, {', '.join(COLUMNS)});
BEGIN;
INSERT INTO segments ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)} FROM ours.segments ORDER BY segment_ref;
CREATE UNIQUE INDEX by_id ON segments (segment_id);
CREATE INDEX by_user ON segments (user_id, created_at, segment_id);
CREATE INDEX by_video ON segments (video_id, segment_number);
COMMIT;
PRAGMA wal_checkpoint(TRUNCATE);
""")
