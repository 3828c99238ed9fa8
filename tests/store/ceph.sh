# Runs a command beside a Ceph RGW of this machine alone, which tests of the stores then talk to:
#   sh ceph.sh .venv/bin/pytest tests/store/test_blobs.py
# Needs Debian's radosgw, ceph-mon and ceph-osd. What it keeps goes at the end.
set -e
D=$(mktemp -d) PORT=13380
export CEPH_CONF=$D/ceph.conf
stop() {
  # In this order: an OSD whose monitor is gone ends by force alone.
  for part in client.rgw.a osd.0 mon.a; do
    pid=$(cat "$D/run/$part.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
  rm -rf "$D"
}
trap stop EXIT
mkdir "$D/mon" "$D/osd" "$D/rgw" "$D/run"
cat > "$CEPH_CONF" <<C
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = [v2:127.0.0.1:13300,v1:127.0.0.1:13301]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $D/keyring
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd pool default pg num = 4
osd pool default pgp num = 4
mon max pg per osd = 1000
osd pool default pg autoscale mode = off
mon data = $D/mon
osd data = $D/osd
rgw data = $D/rgw
run dir = $D/run
pid file = $D/run/\$name.pid
admin socket = $D/run/\$name.asok
log file = $D/\$name.log
osd objectstore = bluestore
bluestore block size = 10737418240
bluestore block create = true
osd memory target = 939524096
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:$PORT tcp_nodelay=1
rgw dns name = 127.0.0.1
C
ceph-authtool --create-keyring "$D/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' >/dev/null
ceph-authtool "$D/keyring" --gen-key -n client.rgw.a --cap mon 'allow rwx' --cap osd 'allow rwx' >/dev/null
fsid=$(sed -n 's/^fsid = //p' "$CEPH_CONF")
monmaptool --create --fsid "$fsid" --addv a '[v2:127.0.0.1:13300,v1:127.0.0.1:13301]' "$D/monmap" >/dev/null
ceph-mon --mkfs -i a --monmap "$D/monmap" --keyring "$D/keyring"
ceph-mon -i a
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd create "$osd" 0 >/dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$osd" >/dev/null 2>&1
ceph-osd -i 0
radosgw -n client.rgw.a
for _ in $(seq 600); do curl -s -o /dev/null "http://127.0.0.1:$PORT/" && break; sleep 0.1; done
radosgw-admin user create --uid toplu --display-name toplu --access-key testkey \
  --secret testsecret123 >/dev/null
TOPLU_TEST_S3=http://127.0.0.1:$PORT "$@"
