"""The tasks of Segments, for Python programs that queue them and for `celery -A tasks inspect | status | events`.

The bodies run in `segments worker`; nothing runs here. REDIS_URL says where the queue is (default
redis://localhost:6379/0), SEGMENTS_CELERY_QUEUE its name (default celery). REDIS_HOST, REDIS_PORT, REDIS_DB,
REDIS_USERNAME and REDIS_PASSWORD, where they are set, take the place of the URL's parts, as they do for `segments`.
"""

import os
from urllib.parse import quote, urlsplit

from celery import Celery
from celery.signals import celeryd_init


def redis_url():
    url = urlsplit(os.environ.get("REDIS_URL") or "redis://localhost:6379/0")
    part = {name: os.environ.get("REDIS_" + name, "") for name in ("HOST", "PORT", "DB", "USERNAME", "PASSWORD")}
    if not part["PORT"].isdigit():  # Kubernetes sets tcp://... by itself where a service is named redis
        part["PORT"] = ""
    if not any(part.values()):
        return url.geturl()
    user = quote(part["USERNAME"], safe="") or url.username or ""
    password = quote(part["PASSWORD"], safe="") or url.password or ""
    host = part["HOST"] or url.hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    login = f"{user}:{password}@" if user or password else ""
    return url._replace(netloc=f"{login}{host}:{part['PORT'] or url.port or 6379}", path="/" + (part["DB"] or url.path.strip("/") or "0")).geturl()


url = redis_url()
app = Celery("tasks", broker=url, backend=url)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    task_default_queue=os.environ.get("SEGMENTS_CELERY_QUEUE") or "celery",
)


@celeryd_init.connect
def refuse_to_work(**_):
    # A Python worker on this module would take tasks and could only fail them.
    raise SystemExit("These tasks are run by `segments worker`; this module only queues them.")


def runs_elsewhere():
    raise NotImplementedError("This task is run by `segments worker`; queue it with .delay() or .apply_async().")


@app.task(name="tasks.process_video_task")
def process_video_task(s3_input_key, job_id, cutting_options=None, text_strategy=None, text_input=None, user_id=None):
    """Cuts an uploaded video and queues the creation of its segments' records."""
    runs_elsewhere()


@app.task(name="tasks.create_segments_from_video_task")
def create_segments_from_video_task(video_id, user_id, output_s3_keys, video_metadata=None):
    """Makes the records of a video's pieces. Result: segments_created, segment_ids, failed."""
    runs_elsewhere()


@app.task(name="tasks.sync_social_media_metrics_task")
def sync_social_media_metrics_task(segment_id, platform):
    """Reads the counts of a segment's posts on one platform. Result: segment_id, platform, posts, synced, failed."""
    runs_elsewhere()


@app.task(name="tasks.batch_sync_social_media_task")
def batch_sync_social_media_task(user_id, platforms=None):
    """Queues one sync for each of a user's segments and platforms. Result: segments, tasks."""
    runs_elsewhere()
