# Run inside a booted bare root on which the package is installed: what it brings, that it judges, and what
# its removal and purge leave. Prints a line for each check; ends 1 at the first that fails.
set -u

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >/tmp/said 2>&1; then
        echo "ok: $name"
    else
        echo "FAILED: $name: $* ended $?"
        cat /tmp/said
        journalctl --no-pager -b -u 'xdpwall*' | tail -n 50
        exit 1
    fi
}

not() { ! "$@"; }

says() { # TEXT COMMAND...: its output, stderr included, holds the text
    local text=$1
    shift
    "$@" >/tmp/output 2>&1 || { cat /tmp/output; return 1; }
    grep -qF -- "$text" /tmp/output || { cat /tmp/output; return 1; }
}

cable() { # a veth to a namespace, 198.51.100.1 here and .2 there
    ip netns add far
    ip link add near type veth peer name far netns far
    ip address add 198.51.100.1/24 dev near
    ip link set near up
    ip -n far address add 198.51.100.2/24 dev far
    ip -n far link set far up
}

ping_far() { ip netns exec far ping -q -n -c 1 -W 3 198.51.100.1; }

answered() { # within a minute: a new cable takes a while
    for _ in $(seq 60); do ping_far && return; done
    return 1
}

wait_running() { # until all that the boot starts is up, which this script's own unit is part of
    for _ in $(seq 600); do
        [ "$(systemctl list-jobs --no-legend | grep -vc boot-check)" -le 1 ] && return
        sleep 0.1
    done
    systemctl list-jobs
    return 1
}

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

for unit in xdpwall.service xdpwall-restore.service xdpwall-pins.service; do
    check "$unit is exposed at 2.0 at most" exposed_at_most 20 "$unit"
done
# CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39
check "the service is its own user's, with three capabilities" runs_as xdpwall 000000c000001000
check "the manual page" says "rule add" zcat /usr/share/man/man1/xdpwall.1.gz
check "completion for Bash" bash -n /usr/share/bash-completion/completions/xdpwall
check "completion asks the command" \
    says "rule" env _XDPWALL_COMPLETE=bash_complete COMP_WORDS="xdpwall ru" COMP_CWORD=1 xdpwall
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
