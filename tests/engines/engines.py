#!/usr/bin/python3
"""The DynamoDB and the S3 that the tests run against: dynalite, and radosgw on a one-host Ceph in memory, each behind a
gate (gate.py) that verifies signatures and spoils requests. What they do otherwise than AWS is in deviations.md.

  engines.py run KIND [--dir D]      starts one, prints one line of JSON, and ends it at the end of its standard input
  engines.py start KIND --dir D [--with PID]      the same, but it stays until that process ends (any way), or until
  engines.py stop --dir D                         which fails where nothing runs any more
KIND is dynamodb or s3. Any number may run at once: each has free ports and a folder of its own. No process outlives its
keeper, the `run` that started it. Where the variable SEGMENTS_TEST_S3 holds the folder of a started s3, `run s3` takes that
one's radosgw (buckets are then everybody's) with a gate of its own before it, whose faults are nobody else's.
"""
import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import gate
import radosgw
import sigv4
from processes import Children, Failed, began_of, state_of, wait_until

HERE = pathlib.Path(__file__).resolve().parent
REGION = "eu-central-1"
NODE = "/usr/bin/node"


def node_modules():
    """Where scripts/fetch_engines.sh puts the packages that package-lock.json pins."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    pinned = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    return cache / "segments-test-engines" / pinned / "node_modules"


def make_credentials():
    """A lasting key and a temporary one with a session token; secrets and tokens have what tends to be encoded wrongly."""
    secret = lambda: base64.b64encode(secrets.token_bytes(24)).decode() + "+/aws/+"
    return (sigv4.Credential("AKIA" + secrets.token_hex(8).upper(), secret()),
            sigv4.Credential("ASIA" + secrets.token_hex(8).upper(), secret(), base64.b64encode(secrets.token_bytes(200)).decode() + "/+==",
                             time.time() + 12 * 3600))


def start_dynalite(children):
    if not (node_modules() / "dynalite").is_dir():
        raise Failed(f"dynalite is not in {node_modules()}: run scripts/setup.sh --test")
    # A socket file: no port to collide on, and no way around the gate. Its path has to be below 108 bytes.
    path, sockets = str(children.folder / "s"), None
    if len(os.fsencode(path)) > 100:
        sockets = tempfile.mkdtemp(prefix="dynalite-")
        path = sockets + "/s"
    process = children.spawn("dynalite", NODE, HERE / "dynalite_server.js", path, 50,
                             env={**os.environ, "NODE_PATH": str(node_modules())})
    wait_until(lambda: os.path.exists(path), 20, "dynalite", [process])
    return path, sockets


def start_again_if_a_port_was_taken(start, folder):
    reasons = []
    for attempt in range(5):
        children = Children(folder / f"try-{attempt}")
        children.folder.mkdir()
        try:
            return children, start(children)
        except Failed as failed:
            children.end()
            reasons.append(str(failed))
    raise Failed("\n".join(f"attempt {number}: {reason}" for number, reason in enumerate(reasons, 1)))


async def keep(kind, folder, behind, detached, companion):
    """One engine and its gate, from here to the end of the input or a signal."""
    began, main, temporary, children, sockets = time.monotonic(), *make_credentials(), None, None
    described = {"kind": kind, "region": REGION, "dir": str(folder)}
    ended = watch_for_the_end(detached, companion)  # from the start: whoever started this may end it at its first word
    try:
        if kind == "dynamodb":
            children, (address, sockets) = start_again_if_a_port_was_taken(start_dynalite, folder)
            doorman = gate.Gate(kind, address, [main, temporary], REGION)
        else:
            if behind:
                shared = json.loads((pathlib.Path(behind) / "engine.json").read_text())
                main.access_key, main.secret_key, address = shared["access_key"], shared["secret_key"], shared["direct"].removeprefix("http://")
                described.update(tls=shared["tls"], ca_file=shared["ca_file"])
            else:
                children, (port, tls_port) = start_again_if_a_port_was_taken(lambda mine: radosgw.start(mine, main), folder)
                address = f"127.0.0.1:{port}"
                described.update(tls=f"https://127.0.0.1:{tls_port}", ca_file=str(children.folder / "tls.pem"))
            described["direct"] = f"http://{address}"  # radosgw itself, which verifies too: for what is too big to pass the gate
            doorman = gate.Gate(kind, address, [main, temporary], REGION, resign=main)
        described["endpoint"] = f"http://127.0.0.1:{await doorman.start()}"
        described.update(
            access_key=main.access_key, secret_key=main.secret_key,
            temporary={"access_key": temporary.access_key, "secret_key": temporary.secret_key, "session_token": temporary.session_token},
            keeper=os.getpid(), keeper_began=began_of(os.getpid()), seconds=round(time.monotonic() - began, 3),
            pids={"keeper": os.getpid(), **{name: one.pid for name, one in (children.all if children else {}).items()}})
        (folder / "engine.json.new").write_text(json.dumps(described))
        os.replace(folder / "engine.json.new", folder / "engine.json")
        print(json.dumps(described), flush=True)
        await wait_for_the_end(ended, children)
    finally:
        if children:
            children.end()
        if sockets:
            shutil.rmtree(sockets, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            (folder / "engine.json").unlink()


def watch_for_the_end(detached, companion):
    """An event that comes with a signal, with the end of the input, or with the companion's."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if not detached:
        loop.add_reader(0, lambda: None if os.read(0, 4096) else (loop.remove_reader(0), ended.set()))
    if companion:
        try:
            loop.add_reader(os.pidfd_open(companion), ended.set)
        except ProcessLookupError:
            ended.set()
    return ended


async def wait_for_the_end(ended, children):
    while not ended.is_set():
        for name, process in (children.all if children else {}).items():
            if process.poll() is not None:
                print(f"{name} ended with {process.returncode}", file=sys.stderr, flush=True)
                ended.set()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(ended.wait(), 1)


def start(kind, folder, companion=None):
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "engine.json").exists():
        stop(folder)
    for old in folder.glob("try-*"):
        shutil.rmtree(old)
    with open(folder / "keeper.out", "wb") as output:
        keeper = subprocess.Popen([sys.executable, __file__, "run", kind, "--dir", str(folder), "--detached",
                                   *(["--with", str(companion)] if companion else [])],
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_until((folder / "engine.json").exists, 120, kind, [keeper])
    except Failed as failed:
        keeper.kill()
        raise Failed(f"{failed}\n{(folder / 'keeper.out').read_text()[-3000:]}") from None
    return json.loads((folder / "engine.json").read_text())


def stop(folder):
    """Whether there was anything to stop."""
    try:
        described = json.loads((folder / "engine.json").read_text())
        process = os.pidfd_open(described["keeper"])
    except (FileNotFoundError, ProcessLookupError):
        return False
    with contextlib.closing(os.fdopen(process, "rb", closefd=True)):
        if began_of(described["keeper"]) != described["keeper_began"]:
            return False
        signal.pidfd_send_signal(process, signal.SIGTERM)
        with contextlib.suppress(Failed):
            wait_until(lambda: began_of(described["keeper"]) is None or state_of(described["keeper"]) == "Z", 10, "the end")
            return True
        signal.pidfd_send_signal(process, signal.SIGKILL)  # the engine goes with it
    return True


class Running:
    """A running engine, for pytest: the members of its JSON, and its gate's control."""

    def __init__(self, described):
        self.described = described
        vars(self).update(described)

    def control(self, verb, name, given=None):
        request = urllib.request.Request(f"{self.endpoint}/__gate/{name}", method=verb,
                                         data=None if given is None else json.dumps(given).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def fault(self, kind, **fields):
        return self.control("POST", "faults", {"kind": kind, **fields})["ids"][0]


@contextlib.contextmanager
def running(kind, folder):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    errors = pathlib.Path(folder) / "keeper.out"
    with open(errors, "wb") as output:
        keeper = subprocess.Popen([sys.executable, __file__, "run", kind, "--dir", str(folder)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output)
    try:
        line = keeper.stdout.readline()
        if not line:
            raise Failed(f"{kind} did not start:\n{errors.read_text()[-3000:]}")
        yield Running(json.loads(line))
    finally:
        keeper.stdin.close()
        keeper.wait(20)
        keeper.stdout.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("run", "start"):
        one = verbs.add_parser(verb)
        one.add_argument("kind", choices=("dynamodb", "s3"))
        one.add_argument("--dir", type=pathlib.Path, required=verb == "start")
        one.add_argument("--with", type=int, dest="companion", metavar="PID")
        one.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    verbs.add_parser("stop").add_argument("--dir", type=pathlib.Path, required=True)
    chosen = parser.parse_args()
    folder = chosen.dir and chosen.dir.resolve()
    try:
        if chosen.verb == "start":
            print(json.dumps(start(chosen.kind, folder, chosen.companion)))
        elif chosen.verb == "stop":
            stopped = stop(folder)
            print("stopped" if stopped else "nothing was running")
            return 0 if stopped else 1
        else:
            behind = None if chosen.detached or chosen.kind != "s3" else os.environ.get("SEGMENTS_TEST_S3")
            with contextlib.ExitStack() as stack:
                if folder is None:
                    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segments-engine-")))
                folder.mkdir(parents=True, exist_ok=True)
                asyncio.run(keep(chosen.kind, folder, behind, chosen.detached, chosen.companion))
    except Failed as failed:
        print(f"engines: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
