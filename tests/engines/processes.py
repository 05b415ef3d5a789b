"""An engine's processes: started so that none outlives who started it, watched, and ended."""
import contextlib
import ctypes
import pathlib
import random
import signal
import socket
import subprocess
import time

KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """An engine could not be started; the message says why in words for whoever runs the tests."""


def free_port():
    """Below those that the system gives to whoever asks for any: one of these could be somebody else's before it is bound again."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            return port


def wait_until(true, seconds, what, processes=()):
    deadline = time.monotonic() + seconds
    while not true():
        for process in processes:
            if process.poll() is not None:
                raise Failed(f"{process.args[0]} ended with {process.returncode} while {what} was waited for")
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


class Children:
    """The processes of one engine. They are killed, not asked: all that they know is in memory and for this test alone."""

    def __init__(self, folder):
        self.folder, self.all = folder, {}

    def spawn(self, name, *arguments, env=None):
        with open(self.folder / f"{name}.out", "wb") as output:
            self.all[name] = subprocess.Popen(
                [str(one) for one in arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                cwd=self.folder, env=env, preexec_fn=lambda: _libc.prctl(KILL_WITH_PARENT, signal.SIGKILL))
        return self.all[name]

    def call(self, name, *arguments):
        process = self.spawn(name, *arguments)
        status = process.wait(60)
        del self.all[name]
        if status:
            said = (self.folder / f"{name}.out").read_text(errors="replace")[-2000:]
            raise Failed(f"{arguments[0]} ended with {status}:\n{said}")

    def end(self):
        for process in self.all.values():
            process.kill()
        for process in self.all.values():
            process.wait()
        self.all.clear()


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def began_of(pid):
    """When that process began, in the kernel's ticks: a number with which a pid that was given again is told from the first."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def state_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"
