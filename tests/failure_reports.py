"""What a failed test says beside its assertion: the last lines that its programs logged; and all of it once more in few lines, each
failure in a file of its own, in the folder SEGMENTS_TEST_FAILURES. For any suite: PYTHONPATH=tests pytest -p failure_reports …"""
import itertools
import os
import pathlib
import time

import pytest

numbers = itertools.count()


def logs_of(item):
    """Those of its own folder, the latest last. A test whose programs write elsewhere names that as `log_folder`."""
    folder = getattr(item, "log_folder", None) or (getattr(item, "funcargs", None) or {}).get("tmp_path")
    return sorted((path for path in pathlib.Path(folder).glob("**/*.log") if path.stat().st_size), key=lambda path: path.stat().st_mtime) if folder else []


def lines_of(path, count):
    """The last that complain, the last of what it did, and the last requests, of which there are many while a test waits."""
    lines = [line[:400] for line in path.read_bytes()[-1_000_000:].decode(errors="replace").splitlines()]
    requests = [line for line in lines if '"event":"http.request"' in line]
    others = [line for line in lines if '"event":"http.request"' not in line]
    complaints = [line for line in others[:-count] if any(word in line for word in ('"level":"error"', '"level":"warning"', "Error", "ERROR"))]
    return requests[-3:] + complaints[-count:] + others[-count:]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed:
        for path in logs_of(item):
            report.sections.append((f"log of {path.name}", "\n".join(lines_of(path, 12))))


def in_few_lines(report):
    where = message = ""
    if crash := getattr(report.longrepr, "reprcrash", None):
        message = crash.message
        locations = [entry.reprfileloc for entry in report.longrepr.reprtraceback.reprentries if getattr(entry, "reprfileloc", None)]
        tests = [f"{pathlib.Path(at.path).name}:{at.lineno}" for at in locations if pathlib.Path(at.path).name.startswith("test_")]
        where = " in line " + tests[-1] if tests else ""
    lines = (message or report.longreprtext).splitlines()
    yield f"{report.nodeid} ({report.when}{where})"
    yield from (lines if message else lines[-6:])[:8]
    for name, text in report.sections:
        if name.startswith("log of "):
            yield from [f"{name[7:]}: {line}" for line in text.splitlines()[-4:]]


def pytest_runtest_logreport(report):
    folder = os.environ.get("SEGMENTS_TEST_FAILURES")
    if report.failed and folder and not os.environ.get("PYTEST_XDIST_WORKER"):  # by the one that hears of all
        path = pathlib.Path(folder) / f"{int(time.time())}-{next(numbers):03}"
        path.write_text("\n".join(line[:300] for line in in_few_lines(report)) + "\n")
