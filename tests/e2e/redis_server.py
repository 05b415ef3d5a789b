"""A real Redis for the tests, that can be killed and started again on its data, and a proxy that cuts its connections."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import threading

from conftest import PATIENCE, free_port, wait_until


class RedisServer:
    """Debian's redis-server on a free port of loopback, in its own folder; durable (append-only file, fsync each second).

    With fsync each second Redis answers up to two seconds before it writes while a slow fsync is under way, so that even its own
    kill -9 may lose what it acknowledged; with fsync="always" it never does."""

    def __init__(self, folder, durable=True, fsync="everysec"):
        self.folder, self.durable, self.fsync, self.port, self.process = pathlib.Path(folder), durable, fsync, free_port(), None
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options):
        import redis
        return redis.Redis(port=self.port, **options)

    def start(self):
        self.process = subprocess.Popen(
            ["/usr/bin/redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
             "--appendonly", "yes" if self.durable else "no", "--appendfsync", self.fsync, "--maxmemory-policy", "noeviction",
             "--logfile", str(self.folder / "redis.log")], stdin=subprocess.DEVNULL)
        wait_until(lambda: self.answers() or self.process.poll() is not None)
        assert self.process.poll() is None, (self.folder / "redis.log").read_text()[-2000:]
        return self

    def answers(self):
        import redis
        with contextlib.suppress(redis.RedisError):
            return self.client(socket_timeout=2).ping()
        return False

    def stop(self):
        """As an operator does: what was written is kept."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)


class CuttingProxy:
    """Between a program and Redis. cut() breaks every connection at once; between refuse() and accept() none is made."""

    def __init__(self, target_port):
        self.target, self.refusing, self.pairs, self.lock = target_port, False, set(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise OSError("refusing")
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            for one, other in (pair, pair[::-1]):
                threading.Thread(target=self.pump, args=(one, other, pair), daemon=True).start()

    def pump(self, one, other, pair):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        self.end(pair)

    def end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self):
        """Whatever is under way is lost: a command may or may not have been done."""
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.end(pair)

    def refuse(self):
        self.refusing = True
        self.cut()

    def accept(self):
        self.refusing = False

    def close(self):
        self.listener.close()
        self.cut()
