"""A router that masquerades and forwards a port, with our programs and nftables' counters on both its sides.

    world 198.51.100.1 ---- outer  router  inner ---- container 10.77.0.1
                            198.51.100.2   10.77.0.254

or in IPv6, with the same cables. From the container: masquerade. To the router's port 443: on to the container's 8080. World and container are
packet sockets without a stack, so that nobody answers but the test.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from tests.judge.state_counters import state_counters
from tests.support.net.netns import Lab, wait_for
from tests.support.oracle.flows.packets import ICMP, ICMPV6, FlowPacket
from tests.support.packets.packets import Wire
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.rule.states import STATES
from xdpwall.settings import Settings


@dataclass(frozen=True)
class NatEnds:
    """The addresses of one family; `gateway` is the router's on the inner side."""

    family: Literal[4, 6]
    world: str
    router: str
    container: str
    gateway: str
    bits: int
    table: str
    """nftables' name of the family."""
    unasked: int
    """The ICMP type of an answer to which nobody answers, and which is no echo's."""


ENDS = {
    4: NatEnds(4, "198.51.100.1", "198.51.100.2", "10.77.0.1", "10.77.0.254", 24, "ip", 14),
    6: NatEnds(6, "2001:db8:1::1", "2001:db8:1::2", "fd00:77::1", "fd00:77::fe", 64, "ip6", 140),
}
MACS = {"world": "02:00:00:00:00:0a", "container": "02:00:00:00:00:0c"}
SIDES = ("outer", "inner")
PLACES = tuple(f"{side} {way}" for side in SIDES for way in ("in", "out"))
NOISE = (130, 131, 132, 133, 134, 135, 136, 143)
"""Types of ICMPv6 that the router itself says whenever it likes: neighbours and listeners. Of no flow to both."""
MARKED = ("untracked", "invalid")
"""What we say of the packet that ends a case (NatLab.mark()), and what nftables does."""

Seen = tuple[tuple[str, str], ...]
"""(place, state) of each packet, sorted."""


class Verdict(NamedTuple):
    """How a case's last packet looks to both."""

    ours: Seen
    nft: Seen


def _nft(ends: NatEnds) -> str:
    noise = ""
    if ends.family == 6:
        noise = f"icmpv6 type {{ {', '.join(map(str, NOISE))} }}"
    to = ends.container if ends.family == 4 else f"[{ends.container}]"
    return (
        f"table {ends.table} judge {{\n"
        + state_counters(SIDES, noise, 50)
        + "chain forwarded { type nat hook prerouting priority -100;\n"
        + f"iifname outer tcp dport 443 dnat to {to}:8080\n"
        + f"iifname outer udp dport 443 dnat to {to}:8080\n"
        + "}\nchain masqueraded { type nat hook postrouting priority 100;\n"
        + f"oifname outer {ends.table} saddr {ends.container} masquerade\n}}\n}}\n"
    )


class NatLab:
    """The namespaces, both judges, and the ends of the wires."""

    def __init__(self, lab: Lab, folder: Path, stack: ExitStack, ends: NatEnds) -> None:
        self.ends = ends
        self.router, self.world, self.container = map(
            lab.namespace, ("router", "world", "container")
        )
        for space, iface, side, address in (
            (self.world, "world", "outer", ends.router),
            (self.container, "container", "inner", ends.gateway),
        ):
            lab.veth(self.router, side, space, iface, address=f"{address}/{ends.bits}")
            space.ip(f"link set {iface} address {MACS[iface]}")
            # No stack: it would answer with resets.
            space.run("sysctl", "-qw", f"net.ipv6.conf.{iface}.disable_ipv6=1")
        for address, side, mac in (
            (ends.world, "outer", MACS["world"]),
            (ends.container, "inner", MACS["container"]),
        ):
            self.router.ip(f"neigh replace {address} dev {side} lladdr {mac} nud permanent")
        # Checksums are not what is compared.
        for setting in (
            *(
                "ipv4.ip_forward=1",
                "ipv6.conf.all.forwarding=1",
                "netfilter.nf_conntrack_checksum=0",
                "ipv4.icmp_ratelimit=0",
            ),
            *("ipv4.conf.outer.rp_filter=0", "ipv4.conf.all.rp_filter=0"),
        ):
            self.router.run("sysctl", "-qw", f"net.{setting}")
        self.router.run("nft", _nft(ends))
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
        family = f"ipv{ends.family}"
        self._silenced = NOISE if ends.family == 6 else ()
        texts = [f"accept icmpv6/{kind}" for kind in self._silenced]
        texts += [
            f"count {family} state {state} on {side} {way}"
            for side in SIDES
            for way in ("in", "out")
            for state in STATES
        ]
        self.firewall.add_rules([Rule.parse(text) for text in texts])

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

    def mark(self, side: str) -> FlowPacket:
        """An answer that nobody asked for: of no flow, and nobody answers it."""
        ends = self.ends
        src, dst = (ends.world, ends.router) if side == "outer" else (ends.container, ends.gateway)
        proto = ICMP if ends.family == 4 else ICMPV6
        return FlowPacket(ends.family, proto, src, dst, icmp_type=ends.unasked)

    def _after_all(self, side: str) -> list[dict[str, int]]:
        """The counts once everything sent has come through: a mark is sent behind it, and the way is a queue."""
        mark = [f"{side} in {state}" for state in MARKED]
        fresh = [old[name] for old, name in zip(self._counts(), mark, strict=True)]
        self.send(side, self.mark(side))

        def arrived() -> list[dict[str, int]]:
            after = self._counts()
            seen = all(new[name] > old for new, name, old in zip(after, mark, fresh, strict=True))
            return after if seen else []

        return wait_for(arrived, "the mark behind the packets")

    def _counts(self) -> list[dict[str, int]]:
        names = [f"{place} {state}" for place in PLACES for state in STATES]
        ours = [rule.packets for rule in self.firewall.rules().rules[len(self._silenced) :]]
        listed = json.loads(
            self.router.run("nft", "-j", "list", "counters", "table", self.ends.table, "judge")
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
