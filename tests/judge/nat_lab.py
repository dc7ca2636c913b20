"""A router that masquerades and forwards a port, with our programs and nftables' counters on both its sides.

    world 198.51.100.1 ---- outer  router  inner ---- container 10.77.0.1
                            198.51.100.2   10.77.0.254

From the container: masquerade. To the router's port 443: on to the container's 8080. World and container are
packet sockets without a stack, so that nobody answers but the test.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.support.net.netns import Lab, wait_for
from tests.support.oracle.flows.packets import ICMP, FlowPacket
from tests.support.packets.packets import Wire
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.settings import Settings

WORLD, ROUTER, CONTAINER = "198.51.100.1", "198.51.100.2", "10.77.0.1"
MACS = {"world": "02:00:00:00:00:0a", "container": "02:00:00:00:00:0c"}
SIDES = ("outer", "inner")
PLACES = tuple(f"{side} {way}" for side in SIDES for way in ("in", "out"))
MARKS = {
    "outer": FlowPacket(4, ICMP, WORLD, ROUTER, icmp_type=14),
    "inner": FlowPacket(4, ICMP, CONTAINER, "10.77.0.254", icmp_type=14),
}
"""A timestamp that nobody asked for ends a case: of no flow, and nobody answers it."""
MARKED = ("untracked", "invalid")
"""What we say of that, and what nftables does."""

Seen = tuple[tuple[str, str], ...]
"""(place, state) of each packet, sorted."""


class Verdict(NamedTuple):
    """How a case's last packet looks to both."""

    ours: Seen
    nft: Seen


def _nft() -> str:
    counters = [
        f"{side}_{way}_{state}" for side in SIDES for way in ("in", "out") for state in STATES
    ]
    lines = {
        "in": [f"iifname {s} ct state {t} counter name {s}_in_{t}" for s in SIDES for t in STATES],
        "out": [
            f"oifname {s} ct state {t} counter name {s}_out_{t}" for s in SIDES for t in STATES
        ],
    }
    return (
        "table ip judge {\n"
        + "".join(f"counter {name} {{}}\n" for name in counters)
        + "chain in { type filter hook prerouting priority -150;\n"
        + "\n".join(lines["in"])
        + "\n}\nchain out { type filter hook postrouting priority 50;\n"
        + "\n".join(lines["out"])
        + "\n}\nchain forwarded { type nat hook prerouting priority -100;\n"
        + f"iifname outer tcp dport 443 dnat to {CONTAINER}:8080\n"
        + f"iifname outer udp dport 443 dnat to {CONTAINER}:8080\n"
        + "}\nchain masqueraded { type nat hook postrouting priority 100;\n"
        + f"oifname outer ip saddr {CONTAINER} masquerade\n}}\n}}\n"
    )


class NatLab:
    """The namespaces, both judges, and the ends of the wires."""

    def __init__(self, lab: Lab, folder: Path, stack: ExitStack) -> None:
        self.router, self.world, self.container = map(
            lab.namespace, ("router", "world", "container")
        )
        for space, iface, side, address in (
            (self.world, "world", "outer", f"{ROUTER}/24"),
            (self.container, "container", "inner", "10.77.0.254/24"),
        ):
            lab.veth(self.router, side, space, iface, address=address)
            space.ip(f"link set {iface} address {MACS[iface]}")
            # No stack: it would answer with resets.
            space.run("sysctl", "-qw", f"net.ipv6.conf.{iface}.disable_ipv6=1")
        self.router.ip(f"neigh replace {WORLD} dev outer lladdr {MACS['world']} nud permanent")
        self.router.ip(
            f"neigh replace {CONTAINER} dev inner lladdr {MACS['container']} nud permanent"
        )
        # Checksums are not what is compared.
        for setting in (
            *("ipv4.ip_forward=1", "netfilter.nf_conntrack_checksum=0", "ipv4.icmp_ratelimit=0"),
            *("ipv4.conf.outer.rp_filter=0", "ipv4.conf.all.rp_filter=0"),
        ):
            self.router.run("sysctl", "-qw", f"net.{setting}")
        self.router.run("nft", _nft())
        self.wires = {
            "outer": stack.enter_context(Wire(self.world, "world")),
            "inner": stack.enter_context(Wire(self.container, "container")),
        }
        self._macs = {
            side: bytes.fromhex(
                self.router.ip(f"-o link show {side}")
                .split("link/ether ")[1]
                .split()[0]
                .replace(":", "")
            )
            for side in SIDES
        }
        stack.enter_context(self.router.inside())
        settings = Settings(folder / "state", lab.bpffs / "fw", folder / "socket")
        self.firewall = stack.enter_context(Firewall.open(settings))
        for side in SIDES:
            self.firewall.attach(side)
            self.firewall.attach(side, hook="tc", direction="egress")
        self.firewall.set_policy({"ingress": "accept keep", "egress": "accept keep"})
        self.firewall.add_rules(
            [
                Rule.parse(f"count state {state} on {side} {way}")
                for side in SIDES
                for way in ("in", "out")
                for state in STATES
            ]
        )

    def send(self, side: str, *packets: FlowPacket) -> None:
        """Put packets on the wire, towards the router."""
        for packet in packets:
            self.wires[side].send(self._macs[side] + packet.frame()[6:])

    def judged(self, side: str, *packets: FlowPacket) -> Verdict:
        """What both say of packets, at each place that they come to."""
        before = self._after_all(side)
        self.send(side, *packets)
        after = self._after_all(side)
        for counts, state in zip(after, MARKED, strict=True):
            counts[f"{side} in {state}"] -= 1
        return Verdict(*(_rose(old, new) for old, new in zip(before, after, strict=True)))

    def _after_all(self, side: str) -> list[dict[str, int]]:
        """The counts once everything sent has come through: a mark is sent behind it, and the way is a queue."""
        mark = [f"{side} in {state}" for state in MARKED]
        fresh = [old[name] for old, name in zip(self._counts(), mark, strict=True)]
        self.send(side, MARKS[side])

        def arrived() -> list[dict[str, int]]:
            after = self._counts()
            seen = all(new[name] > old for new, name, old in zip(after, mark, fresh, strict=True))
            return after if seen else []

        return wait_for(arrived, "the mark behind the packets")

    def _counts(self) -> list[dict[str, int]]:
        names = [f"{place} {state}" for place in PLACES for state in STATES]
        ours = [rule.packets for rule in self.firewall.rules().rules]
        listed = json.loads(
            self.router.run("nft", "-j", "list", "counters", "table", "ip", "judge")
        )
        nft = {
            one["counter"]["name"].replace("_", " "): one["counter"]["packets"]
            for one in listed["nftables"]
            if "counter" in one
        }
        return [dict(zip(names, ours, strict=True)), {name: nft[name] for name in names}]


def _rose(before: dict[str, int], after: dict[str, int]) -> Seen:
    found = []
    for name, count in after.items():
        side, way, state = name.split()
        found += [(f"{side} {way}", state)] * (count - before[name])
    return tuple(sorted(found))
