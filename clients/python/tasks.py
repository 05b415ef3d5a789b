"""The tasks of Segments, for Python programs that queue them and for `celery -A tasks inspect | status | events`.

The bodies run in `segments worker`; nothing runs here. SEGMENTS_REDIS_URL or REDIS_URL says where the queue is
(default redis://localhost:6379/0), SEGMENTS_CELERY_QUEUE its name (default celery).
"""

import os

from celery import Celery
from celery.signals import celeryd_init

url = os.environ.get("SEGMENTS_REDIS_URL") or os.environ.get("REDIS_URL") or "redis://localhost:6379/0"
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
