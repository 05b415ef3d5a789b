"""A Python worker's own tasks under Segments' names, as a team that moves over step by step has them: small, and over the HTTP API."""
import json
import os
import urllib.request

from celery import Celery
from celery.utils.log import get_task_logger

app = Celery("tasks", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(task_serializer="json", result_serializer="json", accept_content=["json"], worker_prefetch_multiplier=1, task_acks_late=True)
log = get_task_logger(__name__)


def call(method, path, body=None):
    request = urllib.request.Request(os.environ["SEGMENTS_API"] + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + os.environ["SEGMENTS_TOKEN"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@app.task(name="tasks.process_video_task")
def process_video_task(s3_input_key, job_id, cutting_options=None, text_strategy=None, text_input=None, user_id=None):
    raise ValueError(f"{s3_input_key} is no video of ours")


@app.task(name="tasks.create_segments_from_video_task")
def create_segments_from_video_task(video_id, user_id, output_s3_keys, video_metadata=None):
    made = [call("POST", "/api/segments", {"video_id": video_id, "segment_type": "processed", "segment_number": number, "s3_key": key, "duration": 1.5,
                                           "file_size": 1000, "title": (video_metadata or {}).get("title")})["segment_id"]
            for number, key in enumerate(output_s3_keys, 1)]
    return {"segments_created": len(made), "segment_ids": made, "failed": []}


@app.task(name="tasks.sync_social_media_metrics_task")
def sync_social_media_metrics_task(segment_id, platform):
    usages = [usage for usage in call("GET", f"/api/segments/{segment_id}")["social_media_usage"] if usage["platform"] == platform]
    for usage in usages:
        call("POST", f"/api/segments/{segment_id}/social-media-usage",
             {"segment_id": segment_id, "platform": platform, "post_data": {"post_id": usage["post_id"], "views": 4242, "likes": 42}})
    return {"segment_id": segment_id, "platform": platform, "posts": len(usages), "synced": len(usages), "failed": []}


@app.task(name="tasks.batch_sync_social_media_task", bind=True)
def batch_sync_social_media_task(self, user_id, platforms=None):
    return {"segments": 0, "tasks": 0, "by": self.request.hostname}
