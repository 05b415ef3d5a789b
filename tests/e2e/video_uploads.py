"""Clients that upload videos while everything else goes wrong, and try again until each is acknowledged."""
import contextlib
import pathlib
import threading
import time


class Uploads:
    def __init__(self, server, video, seconds):
        self.server, self.content, self.seconds = server, pathlib.Path(video).read_bytes(), seconds
        self.threads, self.jobs, self.faults, self.refusals = [], [], [], 0

    def begin(self):
        """One more; does not wait."""
        self.threads.append(threading.Thread(target=self.upload, args=(f"film{len(self.threads)}.mp4",), daemon=True))
        self.threads[-1].start()

    def wait(self, seconds):
        for thread in self.threads:
            thread.join(seconds)

    def insist(self, method, path, body, headers=None, **more):
        """Again while the server cannot be reached or says 503, as it may while Redis is away."""
        while True:
            with contextlib.suppress(OSError):
                answer = self.server.call(method, path, body, headers, timeout=20, **more)
                if answer.status != 503:
                    assert answer.status < 300, (path, answer.status, answer.body)
                    return answer
                assert answer.header("Retry-After"), "503 without Retry-After"
                self.refusals += 1
            time.sleep(0.05)

    def upload(self, name):
        try:
            started = self.insist("POST", "/api/upload/initiate", {"filename": name, "content_type": "video/mp4", "file_size": len(self.content)}).json
            self.insist("PUT", started["presigned_url"], self.content, {"Content-Type": "video/mp4"}, user=None)
            self.insist("POST", "/api/upload/complete",
                        {"s3_key": started["s3_key"], "job_id": started["job_id"], "filename": name, "file_size": len(self.content),
                         "title": name, "cutting_options": {"type": "fixed", "duration_seconds": self.seconds, "mode": "keyframe"}})
            self.jobs.append(started["job_id"])
        except Exception as error:  # noqa: BLE001 - told by whoever counts
            self.faults.append((name, repr(error)))
