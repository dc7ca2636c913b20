"""first_use.py COMMAND...: use an xdpwall that has just been installed, and see that pings are dropped.

Copied into a bare root and run there by the Python of that installation, in a network namespace of its
own; pyroute2, which xdpwall needs itself, is all that it uses besides.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time

from pyroute2 import IPRoute, netns

NEAR, FAR, FAR_SPACE = "192.0.2.1", "192.0.2.2", "first-use"
_ECHO_REQUEST, _ECHO_REPLY = 8, 0


def main(command: list[str]) -> None:
    """Attach, add a rule, count what it drops and detach; SystemExit says what is not as it should be."""
    connect_cable()
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    netns.setns(FAR_SPACE)
    pings = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    netns.setns(home)
    pings.settimeout(1.0)
    expect(any(is_answered(pings, number) for number in range(60)), "a ping is answered at first")
    run(command, "attach", "near")
    run(command, "rule", "add", "drop icmp", "--id", "noping")
    for number in range(100, 103):
        expect(not is_answered(pings, number), "no ping is answered under `drop icmp`")
    rule = json.loads(run(command, "rule", "show", "noping", "-o", "json"))
    expect(rule["packets"] == 3, f"the rule counts 3 packets, not {rule['packets']}")
    run(command, "detach", "near")
    expect(
        any(is_answered(pings, number) for number in range(200, 260)),
        "a ping is answered after detach",
    )
    print("first use: attached, dropped 3 of 3 pings, detached")


def connect_cable() -> None:
    """A veth from `near` here to another namespace."""
    netns.create(FAR_SPACE)
    with IPRoute() as here:
        here.link("add", ifname="near", kind="veth", peer={"ifname": "far", "net_ns_fd": FAR_SPACE})
        bring_up(here, "near", NEAR)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    netns.setns(FAR_SPACE)
    with IPRoute() as there:
        bring_up(there, "far", FAR)
    netns.setns(home)


def bring_up(route: IPRoute, name: str, address: str) -> None:
    """Give an interface its address, and set it up."""
    index = route.link_lookup(ifname=name)[0]
    route.addr("add", index=index, address=address, prefixlen=24)
    route.link("set", index=index, state="up")


def is_answered(pings: socket.socket, number: int) -> bool:
    """Whether one ping, which has this number, is answered before the socket's timeout."""
    body = struct.pack("!HH", 1, number)
    words = (_ECHO_REQUEST << 8) + sum(struct.unpack("!HH", body))
    words = (words & 0xFFFF) + (words >> 16)
    pings.sendto(struct.pack("!BBH", _ECHO_REQUEST, 0, ~words & 0xFFFF) + body, (NEAR, 0))
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        try:
            packet = pings.recv(2048)
        except TimeoutError:
            return False
        at = (packet[0] & 15) * 4
        if packet[at] == _ECHO_REPLY and packet[at + 6 : at + 8] == body[2:]:
            return True
    return False


def run(command: list[str], *words: str) -> str:
    """Run xdpwall; its standard output. SystemExit with what it said when it fails."""
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    expect(
        done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def expect(is_so: bool, what: str) -> None:
    """End with 1 unless it is so."""
    if not is_so:
        sys.exit(f"first use: not so: {what}")


if __name__ == "__main__":
    main(sys.argv[1:])
