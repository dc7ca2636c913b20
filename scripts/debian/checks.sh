# Shell functions of the scripts that run inside a booted bare root. A check prints a line, and ends the script
# with 1 when it fails.
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
