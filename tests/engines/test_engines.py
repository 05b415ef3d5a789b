"""Starting and stopping, from a shell, from Python and from C++."""
import json
import os
import re
import subprocess
import sys
import time
import urllib.parse

import pytest

import engines
import processes
from conftest import client
from raw import code


def gone(pids):
    deadline = time.monotonic() + 15
    while any(processes.state_of(pid) != "Z" for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command(*arguments, status=0, **environment):
    done = subprocess.run([sys.executable, engines.__file__, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=120)
    assert done.returncode == status, done.stderr
    return done.stdout


def test_start_and_stop_end_exactly_their_own(tmp_path):
    first, second = (json.loads(command("start", "dynamodb", "--dir", tmp_path / name)) for name in "ab")
    assert first["endpoint"] != second["endpoint"] and not set(first["pids"].values()) & set(second["pids"].values())
    assert command("stop", "--dir", tmp_path / "a") == "stopped\n"
    assert gone(first["pids"].values())
    engines.Running(second).control("GET", "stats")
    assert command("stop", "--dir", tmp_path / "a", status=1) == "nothing was running\n"
    again = json.loads(command("start", "dynamodb", "--dir", tmp_path / "b"))  # in place of the one that runs there
    assert gone(second["pids"].values())
    command("stop", "--dir", tmp_path / "b")
    assert gone(again["pids"].values())


def test_a_number_given_to_another_process_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as bystander:
        (tmp_path / "engine.json").write_text(json.dumps({"keeper": bystander.pid, "keeper_began": "1"}))
        assert command("stop", "--dir", tmp_path, status=1) == "nothing was running\n"
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("kind", ["dynamodb", "s3"])
def test_no_engine_outlives_a_keeper_that_was_killed(kind, tmp_path):
    described = json.loads(command("start", kind, "--dir", tmp_path, SEGMENTS_TEST_S3=""))
    os.kill(described["keeper"], 9)
    assert gone(described["pids"].values())


def test_an_engine_ends_with_the_process_that_it_was_started_for(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as companion:
        described = json.loads(command("start", "dynamodb", "--dir", tmp_path, "--with", companion.pid))
        engines.Running(described).control("GET", "stats")
        companion.kill()
        assert gone(described["pids"].values())


def test_run_ends_with_its_input(tmp_path):
    with engines.running("dynamodb", tmp_path) as engine:
        pids = engine.pids.values()
        assert not any(processes.state_of(pid) == "Z" for pid in pids)
    assert gone(pids)


def test_shared_radosgw_has_a_gate_for_each(s3, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGMENTS_TEST_S3", s3.dir)
    with engines.running("s3", tmp_path) as mine:
        assert mine.direct == s3.direct and mine.endpoint != s3.endpoint and list(mine.pids) == ["keeper"]
        mine.fault("throttle", times=None)
        assert code(client(mine).list_buckets) == (503, "SlowDown")
        assert bucket in [one["Name"] for one in client(s3).list_buckets()["Buckets"]]


PROGRAM = """
#include <cstdio>
#include "engine.h"
using namespace segments;
int main(int count, char**) {
  auto& one = engines::dynamodb();
  if (&one != &engines::dynamodb()) return 1;
  if (const pid_t child = ::fork(); child == 0) std::exit(0); else ::waitpid(child, nullptr, 0);
  one.fault(R"({"kind":"throttle","times":null})");
  if (one.control("GET", "faults").as_array().size() != 1) return 2;
  one.as_new();
  if (!one.control("GET", "faults").as_array().empty() || one.stats().at("requests") != 0) return 3;
  try { one.fault(R"({"kind":"nonsense"})"); return 4; } catch (const std::runtime_error&) {}
  if (engines::s3().direct.empty() || engines::s3().temporary.session_token.empty()) return 5;
  std::printf("%s\\n", one.endpoint.c_str());
  std::fflush(stdout);
  if (count > 1) std::abort();
}
"""


def test_the_header_starts_one_for_a_program_and_ends_it_with_it(tmp_path, s3):
    (tmp_path / "program.cc").write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{engines.HERE}", tmp_path / "program.cc", "-o", tmp_path / "program",
                    "-lboost_json"], check=True)
    # The build folder knows the source folder.
    (tmp_path / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={engines.HERE.parent.parent}\n")
    for arguments, status in (([], 0), (["abort"], -6)):
        done = subprocess.run([tmp_path / "program", *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "SEGMENTS_TEST_S3": s3.dir})
        assert done.returncode == status, done.stderr
        address = urllib.parse.urlsplit(done.stdout.strip())
        deadline = time.monotonic() + 15
        while processes.answers(address.port):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_port_that_another_cluster_took_first_is_left_to_it(tmp_path, monkeypatch):
    """Between being found free and being bound it may become another's, whose monitor then answers in ours' place."""
    import radosgw
    credential, _ = engines.make_credentials()
    clusters = []

    def start(name):
        (tmp_path / name).mkdir()
        clusters.append(engines.start_again_if_a_port_was_taken(lambda mine: radosgw.start(mine, credential), tmp_path / name))
        return clusters[-1][0].folder

    try:
        first = start("a")
        taken = int(re.search(r"mon host = \[v1:127.0.0.1:(\d+)\]", (first / "ceph.conf").read_text())[1])
        ports = iter([taken])
        monkeypatch.setattr(radosgw, "free_port", lambda: next(ports, None) or processes.free_port())
        assert start("b").name != "try-0"
        assert f":{taken}" in (tmp_path / "b/try-0/ceph.conf").read_text()
        assert not set(clusters[0][1]) & set(clusters[1][1]) and all(processes.answers(port) for _, ports in clusters for port in ports)
    finally:
        for children, _ in clusters:
            children.end()
