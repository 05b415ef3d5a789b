"""radosgw on a Ceph of one host, kept in memory: a monitor, an OSD and the gateway, in a second or two."""
import json
import uuid

from processes import Failed, answers, free_port, wait_until

CEPH = """[global]
fsid = {fsid}
mon host = [v1:127.0.0.1:{mon_port}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
run dir = {folder}/run
admin socket = $run_dir/$name.asok
pid file = $run_dir/$name.pid
log file = {folder}/log/$name.log
mon cluster log file = {folder}/log/cluster.log
mon data = {folder}/mon
osd data = {folder}/osd
debug default = 0
debug rocksdb = 0
osd objectstore = memstore
memstore device bytes = 8589934592
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush update on start = false
osd class update on start = false
mon allow pool size one = true
mon max pg per osd = 2000
# What may be read is leased for 0.8 of this, and a lone OSD that was held up for longer never reads again.
osd heartbeat grace = 86400
mon data avail crit = 1
paxos min wait = 0
paxos propose interval = 0.01
ms bind msgr2 = false
ms tcp nodelay = true
[client.rgw.a]
rgw data = {folder}/rgw
# Without nodelay each small answer costs 40 ms.
rgw frontends = beast endpoint=127.0.0.1:{rgw_port} ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={folder}/tls.pem ssl_private_key={folder}/tls.key tcp_nodelay=1
rgw thread pool size = 128
rgw enable usage log = false
rgw enable ops log = false
rgw gc max objs = 7
rgw lc max objs = 3
"""


def ask_mon(cluster, **command):
    status, output, said = cluster.mon_command(json.dumps({**command, "format": "json"}), b"", timeout=20)
    if status:
        raise Failed(f"the monitor refuses {command}: {said}")
    return json.loads(output or b"{}")


def start(children, credential):
    """The ports of a radosgw whose one user has that key: of plain http, and of TLS with the certificate tls.pem. The commands that `ceph` would send go through librados, for each
    start of `ceph` costs half a second; CRUSH is filled by hand, for the daemon that would do it waits for a manager."""
    try:
        import rados
    except ImportError:
        raise Failed("python3-rados is not there: run scripts/setup.sh --test") from None
    folder = children.folder
    for name in ("mon", "osd", "run", "log", "rgw"):
        (folder / name).mkdir()
    fsid, osd_id, mon_port, rgw_port, tls_port = uuid.uuid4(), uuid.uuid4(), free_port(), free_port(), free_port()
    conf = folder / "ceph.conf"
    conf.write_text(CEPH.format(folder=folder, fsid=fsid, mon_port=mon_port, rgw_port=rgw_port, tls_port=tls_port))
    children.call("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                  "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.pem")
    children.call("monmap", "monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v1:127.0.0.1:{mon_port}]", folder / "monmap")
    children.call("mkfs-mon", "ceph-mon", "-c", conf, "-i", "a", "--mkfs", "--monmap", folder / "monmap", "--keyring", "/dev/null")
    mon = children.spawn("mon", "ceph-mon", "-c", conf, "-i", "a", "-f")
    cluster = rados.Rados(conffile=str(conf), name="client.admin")
    try:
        cluster.connect(timeout=20)
        # Where somebody else was quicker to bind the port, ours has ended, and whoever answers is another cluster's.
        if mon.poll() is not None or cluster.get_fsid() != str(fsid):
            raise Failed(f"another cluster's monitor is at port {mon_port}; ours: {mon.poll()}, {(folder / 'mon.out').read_text(errors='replace')[-500:]}")
        ask_mon(cluster, prefix="osd new", uuid=str(osd_id))
        children.call("mkfs-osd", "ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osd_id)
        osd = children.spawn("osd", "ceph-osd", "-c", conf, "-i", "0", "-f")
        wait_until(lambda: ask_mon(cluster, prefix="osd stat")["num_up_osds"], 30, "the OSD", [mon, osd])
        ask_mon(cluster, prefix="osd crush add", id=0, weight=1.0, args=["root=default"])
    except rados.Error as error:
        raise Failed(f"the monitor: {error}; {(folder / 'mon.out').read_text(errors='replace')[-500:]}") from None
    finally:
        cluster.shutdown()
    rgw = children.spawn("rgw", "radosgw", "-c", conf, "-n", "client.rgw.a", "-f")
    wait_until(lambda: answers(rgw_port), 60, "radosgw", [mon, osd, rgw])
    children.call("user", "radosgw-admin", "-c", conf, "user", "create", "--uid=segments", "--display-name=segments",
                  f"--access-key={credential.access_key}", f"--secret={credential.secret_key}")
    return rgw_port, tls_port
