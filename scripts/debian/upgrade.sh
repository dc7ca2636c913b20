# Run inside a booted bare root, after checks.sh: from the previous commit's package to this one's and back, and
# the same with one that lays things out otherwise, under traffic. In /root are the three packages and traffic.
refused() { # TEXT COMMAND...: it fails, and says so
    local text=$1
    shift
    if "$@" >/tmp/output 2>&1; then cat /tmp/output; return 1; fi
    grep -qF -- "$text" /tmp/output || { cat /tmp/output; return 1; }
}

begin_traffic() {
    rm -f /tmp/traffic /tmp/traffic.stop
    python3 /root/traffic /tmp/traffic 2>/tmp/traffic.said &
    traffic=$!
}

end_traffic() { # every packet that must pass has, and none that must not
    touch /tmp/traffic.stop
    wait $traffic || { cat /tmp/traffic.said; return 1; }
    cat /tmp/traffic
    python3 - <<'END'
import json
counts = json.load(open("/tmp/traffic"))
assert counts["sent"] > 100 and counts["passed"] == counts["sent"] and not counts["forbidden"], counts
END
}

counted() { # RULE: packets
    xdpwall rule show "$1" -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["packets"])'
}

grown() { # RULE LEAST: its counter has not begun anew
    local now
    now=$(counted "$1")
    echo "$1: $2 before, $now now"
    [ "$now" -ge "$2" ]
}

to() { # PACKAGE: install it while packets come, and say how many came
    local before
    before=$(counted deny 2>/dev/null) || before=0
    begin_traffic
    check "$1.deb is installed" dpkg --install --force-downgrade "/root/$1.deb"
    "after_$1" "$before"
    check "every packet that must pass did, and none that must not" end_traffic
    sed 's/^/    /; s/$/\n/' /tmp/traffic
}

works() { # COUNT: the rules are in force, counters went on, and a change is taken
    check "the service is up" systemctl is-active xdpwall.service
    check "its counters went on" grown deny "$1"
    check "a rule is added" xdpwall rule add count sctp --id probe
    check "and deleted" xdpwall rule delete probe
}

after_previous() { works 0; }
after_this() {
    if [ "${newer:-}" ]; then
        check "changes are refused with what to do" refused "upgrade xdpwall" xdpwall rule add count sctp
        check "it is told by status" says "newer" xdpwall status
    else
        works "$1"
    fi
}
after_later() { works "$1"; }

check "everything of the boot is up" wait_running
check "the previous package is installed" dpkg --install /root/previous.deb
cable
check "attach" xdpwall attach near
check "attach at tc" xdpwall attach near --hook tc
check "a set" xdpwall set create bad
check "of addresses" xdpwall set add bad 198.51.100.2 203.0.113.0/24
check "what must pass" xdpwall rule add accept udp/7001 --id allow
check "what must not" xdpwall rule add drop udp/7002 from @bad --id deny
check "a ping is answered" answered

to this
to previous
to this
to later
newer=yes
to this
newer=
to later
check "detach" xdpwall detach --all
check "nothing was refused by the filter of system calls" \
    not says "SECCOMP" journalctl --no-pager -b -u 'xdpwall*' -g SECCOMP
