#!/usr/bin/env python3
"""The figures of the table in bench/README.md. Server CPU is what the system charged the server's processes, divided by requests."""
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "build/release/segments"
TICKS = os.sysconf("SC_CLK_TCK")
USERS = 10


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_kb(pid):
    """What the process alone holds: private pages, so that shared libraries do not count."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(n) for n in re.findall(r"Private_(?:Clean|Dirty): +(\d+) kB", text)), int(re.search(r"Rss: +(\d+)", text)[1])


def fetch(port, path, token=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, (path, response.status, body[:300])
    return body


def wrk(port, script, pids, seconds=8, connections=64, threads=1):
    """Requests a second, server CPU µs a request, p99 in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        before = cpu_seconds(pids)
        out = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", file.name, f"http://127.0.0.1:{port}"],
                             capture_output=True, text=True)
        assert out.returncode == 0, out.stdout + out.stderr
        out = out.stdout
        used = cpu_seconds(pids) - before
    requests = int(re.search(r"(\d+) requests in", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    assert not bad, out
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    return {"rate": float(re.search(r"Requests/sec: +([\d.]+)", out)[1]), "cpu": used / requests * 1e6, "requests": requests,
            "p99": float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]}


class Nginx:
    """Answers the given bytes at / from memory."""

    def __init__(self, folder, body):
        self.port = free_port()
        config = folder / "nginx.conf"
        text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "${dollar}")
        answer = f"return 200 '{text}';"
        if len(text) > 3000:  # nginx takes no longer words; a cached file is the next best
            (folder / "body.json").write_bytes(body)
            answer = f"root {folder}; open_file_cache max=10; sendfile on; try_files /body.json =404;"
        config.write_text(f"""
worker_processes 2; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  geo $dollar {{ default "$"; }}
  server {{ listen 127.0.0.1:{self.port}; default_type application/json; location / {{ {answer} }} }} }}
""")
        self.process = subprocess.Popen(["nginx", "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                assert fetch(self.port, "/") == body
                break
            except OSError:
                time.sleep(0.02)
        else:
            raise AssertionError("nginx does not start")
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        self.pids = [self.process.pid, *map(int, children)]

    def stop(self):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segments-bench-", dir=os.environ.get("SEGMENTS_BENCH_DIR")))
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("SEGMENTS_")}, "SEGMENTS_DATA_DIR": str(folder / "data"), "SEGMENTS_WORKERS": "0",
           "PORT": str(free_port()), "SEGMENTS_LOG_LEVEL": "warning"}
    port = int(env["PORT"])
    rows = []

    def start():
        began = time.monotonic()
        process = subprocess.Popen([str(BINARY), "serve"], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                fetch(port, "/health")
                return process, time.monotonic() - began
            except OSError:
                time.sleep(0.001)

    server = None
    try:
        server, first = start()
        starts = [first]
        for _ in range(4):
            server.terminate()
            server.wait()
            server, took = start()
            starts.append(took)
        rows.append(("start to first answer, an empty store", f"{sorted(starts)[2] * 1000:.0f} ms (first start, making everything: {starts[0] * 1000:.0f} ms)", ""))
        private, rss = resident_kb(server.pid)
        rows.append(("memory at rest", f"{rss / 1024:.1f} MB resident, {private / 1024:.1f} MB its own", ""))

        tokens = [subprocess.run([str(BINARY), "token", "--user", f"user{n}"], env=env, cwd=folder, capture_output=True, text=True, check=True).stdout.strip() for n in range(USERS)]
        lua_tokens = "tokens={" + ",".join(f'"Bearer {t}"' for t in tokens) + "}\n"
        create = lua_tokens + """
local n = 0
local stamp = tostring(%d)
request = function()
  n = n + 1
  local u = n %% %d + 1
  local video = "v" .. stamp .. "u" .. u .. "n" .. math.floor(n / 500)
  local body = string.format('{"video_id":"%%s","segment_type":"processed","segment_number":%%d,"s3_key":"processed/%%s/segment_%%03d.mp4","duration":%%.3f,"file_size":%%d,"title":"Clip %%d of a morning walk","description":"A short piece about nothing in particular","tags":["walk","morning"]}',
    video, n, video, n, math.random() * 60, math.random(1, 50000000), n)
  return wrk.format("POST", "/api/segments", {["Authorization"]=tokens[u], ["Content-Type"]="application/json"}, body)
end
"""
        made, rates, turn = 0, [], 0
        while made < wanted:
            turn += 1
            result = wrk(port, create % (turn, USERS), [server.pid], seconds=10)
            made += result["requests"]
            rates.append(result)
            print(f"… {made} segments, {result['rate']:.0f}/s, {result['cpu']:.1f} µs, p99 {result['p99']:.1f} ms", file=sys.stderr)
        rows.append(("POST /api/segments, 64 clients, durable", f"{rates[0]['rate']:,.0f}/s (the last ten seconds: {rates[-1]['rate']:,.0f}/s)",
                     f"{rates[0]['cpu']:.1f} µs (last: {rates[-1]['cpu']:.1f}), p99 {rates[0]['p99']:.1f} ms"))

        ids = []
        for user, token in enumerate(tokens):
            total = json.loads(fetch(port, "/api/segments?limit=1", token))["total_count"]
            for _ in range(10):
                page = json.loads(fetch(port, f"/api/segments?limit=200&offset={random.randrange(max(1, total - 200))}", token))
                ids += [(user + 1, s["segment_id"]) for s in page["segments"]]
        random.shuffle(ids)
        table = lua_tokens + "ids={" + ",".join(f'{{{u},"{i}"}}' for u, i in ids) + "}\n"
        get = table + 'local n=0\nrequest=function() n=n+1 local e=ids[n % #ids+1] return wrk.format("GET","/api/segments/"..e[2],{["Authorization"]=tokens[e[1]]}) end\n'
        listing = lua_tokens + 'local n=0\nrequest=function() n=n+1 return wrk.format("GET","/api/segments?limit=20",{["Authorization"]=tokens[n % #tokens+1]}) end\n'
        same = 'request=function() return wrk.format("GET","/",{["Authorization"]="%s"}) end\n' % ("Bearer " + tokens[0])
        for name, script, sample in ((f"GET /api/segments/{{id}}, {made:,} segments", get, fetch(port, "/api/segments/" + ids[0][1], tokens[ids[0][0] - 1])),
                                     (f"GET /api/segments?limit=20, {made:,} segments", listing, fetch(port, "/api/segments?limit=20", tokens[0]))):
            nginx = Nginx(folder, sample)
            ours, theirs = [], []
            for _ in range(3):
                ours.append(wrk(port, script, [server.pid], 5))
                theirs.append(wrk(nginx.port, same, nginx.pids, 5))
            nginx.stop()
            ratio = sorted(a["cpu"] / b["cpu"] for a, b in zip(ours, theirs))
            middle = sorted(ours, key=lambda r: r["cpu"])[1], sorted(theirs, key=lambda r: r["cpu"])[1]
            rows.append((f"{name} ({len(sample)} bytes)", f"{middle[0]['rate']:,.0f}/s, p99 {middle[0]['p99']:.1f} ms",
                         f"{middle[0]['cpu']:.1f} µs; nginx {middle[1]['cpu']:.1f} µs; ratio {ratio[1]:.2f} ({ratio[0]:.2f}-{ratio[2]:.2f})"))

        private_before, _ = resident_kb(server.pid)
        streams = []
        for number in range(2000):
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(f"GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: {'Bearer ' + tokens[number % USERS]}\r\n\r\n".encode())
            streams.append(s)
        for s in streams:
            assert b"200" in s.recv(4096)
        time.sleep(1)
        private_after, _ = resident_kb(server.pid)
        rows.append(("memory of an idle event stream, 2,000 open", f"{(private_after - private_before) / 2000:.1f} kB", ""))
        for s in streams:
            s.close()
        rows.append(("memory after all this", f"{resident_kb(server.pid)[1] / 1024:.1f} MB resident", ""))
    finally:
        if server:
            server.terminate()
            server.wait()
        shutil.rmtree(folder)
    width = max(len(r[0]) for r in rows)
    for name, value, cpu in rows:
        print(f"{name:<{width}}  {value}" + (f"  |  server CPU {cpu}" if cpu else ""))


main()
