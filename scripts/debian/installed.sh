# Run inside a booted bare root on which the package is installed: what it brings, that it judges, and what
# its removal and purge leave. After checks.sh. Prints a line for each check; ends 1 at the first that fails.
check "everything of the boot is up" wait_running
check "no unit failed" not systemctl is-failed 'xdpwall*'
check "the units are active" systemctl is-active xdpwall-restore.service xdpwall.service
check "units and their words are what systemd knows" \
    systemd-analyze verify xdpwall-restore.service xdpwall.service
check "there is a group" getent group xdpwall
exposed_at_most() { # LIMIT UNIT, in tenths
    local found
    found=$(systemd-analyze security --no-pager "$2" | sed -n 's/.*Overall exposure level.*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
    echo "$2: $found"
    [ "$found" -le "$1" ]
}

runs_as() { # USER CAPABILITIES: those of the service's process, all of their sets
    local pid
    pid=$(systemctl show --value -p MainPID xdpwall.service)
    cat "/proc/$pid/status"
    [ "$(ps -o user= -p "$pid")" = "$1" ] &&
        [ "$(grep -c "^Cap\(Inh\|Prm\|Eff\|Bnd\|Amb\):.*$2\$" "/proc/$pid/status")" = 5 ]
}

all_its_own() { # nothing below its folders is another's
    [ -z "$(find /sys/fs/bpf/xdpwall /var/lib/xdpwall ! -user xdpwall -print | tee /dev/stderr)" ]
}

for unit in xdpwall.service xdpwall-restore.service xdpwall-pins.service xdpwall-appeared@near.service; do
    check "$unit is exposed at 2.0 at most" exposed_at_most 20 "$unit"
done
# CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39
check "the service is its own user's, with three capabilities" runs_as xdpwall 000000c000001000
check "the manual page" says "rule add" zcat /usr/share/man/man1/xdpwall.1.gz
check "completion for Bash" bash -n /usr/share/bash-completion/completions/xdpwall
check "completion asks the command" \
    says "rule" env _XDPWALL_COMPLETE=bash_complete COMP_WORDS="xdpwall ru" COMP_CWORD=1 xdpwall
lists_what_is_installed() { # the bill of materials has each package of the environment in its version
    python3 - <<'END'
import glob, json, re
document = json.load(open(glob.glob("/usr/share/doc/xdpwall/xdpwall-*.cdx.json")[0]))
assert document["bomFormat"] == "CycloneDX", document["bomFormat"]
def canonical(name): return re.sub("[-_.]+", "-", name.lower())
listed = {(canonical(one["name"]), one["version"]) for one in document["components"]}
there = set()
for path in glob.glob("/usr/lib/xdpwall/lib/python3*/site-packages/*.dist-info/METADATA"):
    head = open(path, encoding="utf-8").read().split("\n\n")[0]
    name, version = (re.search(f"(?m)^{key}: (.*)$", head)[1] for key in ("Name", "Version"))
    there.add((canonical(name), version))
own = {one for one in there if one[0] == "xdpwall"}
assert own and len(there) > 10 and there - own <= listed, there - own - listed
END
}

check "a bill of materials" lists_what_is_installed
check "settings" grep -q state_dir /etc/xdpwall/config.toml
check "the service answers the command" says '"service": true' xdpwall status -j
check "the page" says "<!doctype html>" curl -sS http://127.0.0.1:8480/

cable
check "a ping is answered" answered
check "attach" xdpwall attach near
check "rule add" xdpwall rule add drop icmp
check "the ping is dropped" not ping_far
check "what the service makes is its own" all_its_own
systemctl stop xdpwall.socket xdpwall.service
check "root without the service" xdpwall rule add drop tcp/22
check "makes a set" xdpwall set create bad
check "attaches" xdpwall attach near --hook tc --direction egress
check "and a set that needs another program" xdpwall rule add drop udp/53 from @bad
check "and all of it is the service's" all_its_own
check "root takes the folder of pins over" xdpwall restore --adopt
check "and it is the service's" all_its_own
check "the service works on it" systemctl start xdpwall.service
check "and changes it" xdpwall rule add drop udp/54 from @bad
check "as well as its entries" xdpwall set add bad 10.0.0.0/8
check "nothing was refused by the filter of system calls" \
    not says "SECCOMP" journalctl --no-pager -b -u 'xdpwall*' -g SECCOMP
check "the ping is dropped" not ping_far
check "detach" xdpwall detach near --hook tc
comes_again() { # an interface that is made anew: filtered when udev has told of it
    ip link add late type veth peer name late-peer
    udevadm settle --timeout=60
    xdpwall status -o json | python3 -c '
import json, sys
(late,) = (one for one in json.load(sys.stdin)["attachments"] if one["iface"] == "late")
sys.exit(late["state"] != "attached")'
}

ip link add late type veth peer name late-peer
check "attach another interface" xdpwall attach late
ip link del late
check "with the service it comes again, filtered" comes_again
ip link del late
systemctl stop xdpwall.socket xdpwall.service
export XDPWALL_SOCKET=/run/xdpwall/none.sock
check "and without it" comes_again
check "by the unit" systemctl show -p ActiveExitTimestamp xdpwall-appeared@late.service
ip link del late
started() { systemctl show -p InvocationID --value "xdpwall-appeared@$1.service"; }
ip link add strange type veth peer name strange-peer
udevadm settle --timeout=60
check "nothing is run for others" test -z "$(started strange)"
ip link del strange
check "detach it" xdpwall detach late
unset XDPWALL_SOCKET
check "the service works again" systemctl start xdpwall.service
check "the service is restarted" systemctl restart xdpwall.service
check "and the ping dropped" not ping_far

serving() { systemctl show --value -p MainPID xdpwall.service; }

started_anew() { # within a minute: another process than the one given is ready
    for _ in $(seq 600); do
        [ "$(serving)" != "$1" ] && systemctl is-active --quiet xdpwall.service && return
        sleep 0.1
    done
    return 1
}

port_is_taken() {
    python3 -c 'import socket; socket.create_server(("127.0.0.1", 8480))' 2>&1 | grep "in use"
}

check "systemd tells what it says" says "page at http://127.0.0.1:8480/" \
    systemctl show -p StatusText xdpwall.service
systemctl stop xdpwall.service 2>/dev/null
check "it is stopped" not systemctl is-active xdpwall.service
check "and nobody else gets its port" port_is_taken
check "a request starts it" says "<!doctype html>" curl -sS http://127.0.0.1:8480/
mkdir -p /run/systemd/system/xdpwall.service.d
printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/xdpwall.service.d/watchdog.conf
systemctl daemon-reload
check "with a short watchdog" systemctl restart xdpwall.service
before=$(serving)
kill -STOP "$before"
check "one that stands still is started anew" started_anew "$before"
check "by the watchdog" says "Watchdog timeout" journalctl --no-pager -b -u xdpwall.service
check "and the ping dropped" not ping_far
check "the same package again" dpkg --install /root/xdpwall.deb
check "it answers" says '"service": true' xdpwall status -j
check "and the ping dropped" not ping_far

check "removal says how to take the programs off" \
    says "ip link set dev near xdp" apt-get remove -y xdpwall
check "the ping is dropped after it" not ping_far
check "the state is still there" test -e /var/lib/xdpwall/xdpwall.db
check "installed again" dpkg --install /root/xdpwall.deb
check "its rule is there" says "drop icmp" xdpwall rule list
check "a change that waits" xdpwall rule add accept udp --confirm 600
check "purge leaves what is attached while a change waits" \
    says "a change waits to be confirmed" apt-get purge -y xdpwall
check "the ping is dropped after it" not ping_far
ip link set dev near xdp off || ip link set dev near xdpgeneric off
rm -r /sys/fs/bpf/xdpwall

check "installed anew" dpkg --install /root/xdpwall.deb
check "attach" xdpwall attach near
check "attach at tc" xdpwall attach near --hook tc --direction egress
check "rule add" xdpwall rule add drop icmp
check "the ping is dropped" not ping_far
check "purge" apt-get purge -y xdpwall
check "the ping is answered after it" answered
check "no filter is left" not says xdpwall_tc tc filter show dev near egress
for path in /usr/lib/xdpwall /usr/bin/xdpwall /etc/xdpwall /var/lib/xdpwall /run/xdpwall /sys/fs/bpf/xdpwall; do
    check "nothing is left of $path" not test -e "$path"
done
