"""Express a rule in nftables, and load it."""

from __future__ import annotations

import ipaddress
import itertools
import re
import subprocess
from collections.abc import Sequence

from tests.support.net.netns import Namespace
from xdpwall.rule.match import VLAN_NONE, Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.values.addresses import Prefix
from xdpwall.values.ranges import Ranges

TAGGED = "ether type { 8021q, 8021ad }"
UNTAGGED = "ether type != { 8021q, 8021ad }"


def spellings(rule: Rule) -> list[str]:
    """nft expressions, of which at least one matches what the rule does.

    nft has no "or" across fields: a rule about both families is two of them where a field's place
    differs, and "not VLAN 100" is "untagged" and "tagged with another".

    Of `sport != 1 dport != 2` nft 1.0.6 makes one comparison, "not both"; of 1-1 it does not.
    """
    m = match_of(rule)
    parts = [_vlan(m)]
    if m.ethertype is not None:
        parts.append([""] if m.ethertype == "any" else [f"meta protocol {m.ethertype:#06x}"])
    else:
        families = [m.family] if m.family else [4, 6]
        parts.append([text for family in families for text in _internet(m, family)])
    return [" ".join(filter(None, choice)) for choice in itertools.product(*parts)]


def _vlan(m: Match) -> list[str]:
    if m.vlan is None:
        return [""]
    negated, number = m.vlan
    if number == VLAN_NONE:
        return [TAGGED if negated else UNTAGGED]
    if negated:
        return [UNTAGGED, f"{TAGGED} @ll,116,12 != {number}"]
    return [f"{TAGGED} @ll,116,12 {number}"]


def _internet(m: Match, family: int) -> list[str]:
    ip = "ip" if family == 4 else "ip6"
    parts = [f"meta protocol {ip}"]
    for name, prefix in (("saddr", m.src), ("daddr", m.dst)):
        if prefix is not None:
            parts.append(f"{ip} {name} {_not(prefix[0])}{_prefix(prefix[1])}")
    if m.length is not None:
        low, high = (max(0, n - (0 if family == 4 else 40)) for n in m.length)
        if family == 6 and m.length[1] < 40:
            return []
        parts.append(f"{ip} length {_ranges(((low, min(high, 65535)),))}")
    if m.ttl is not None:
        parts.append(f"{ip} {'ttl' if family == 4 else 'hoplimit'} {_ranges((m.ttl,))}")
    if m.proto is not None:
        parts.append(f"meta l4proto {m.proto}")
    th = {6: "tcp", 17: "udp", 132: "sctp"}.get(m.proto or 0, "th")
    for name, ports in (("sport", m.sport), ("dport", m.dport)):
        if ports is not None:
            one = ports[0] and len(ports[1]) == 1
            value = "{}-{}".format(*ports[1][0]) if one else _ranges(ports[1])
            parts.append(f"{th} {name} {_not(ports[0])}{value}")
    icmp = "icmp" if family == 4 else "icmpv6"
    if m.icmp_type is not None:
        parts.append(f"{icmp} type {m.icmp_type}")
    if m.icmp_code is not None:
        parts.append(f"{icmp} code {m.icmp_code}")
    if m.tcp_flags is not None:
        want, mask = m.tcp_flags
        parts.append(f"tcp flags & {mask:#x} == {want:#x}")
    return [" ".join([*parts, kind]) for kind in _fragment(m, family)]


def _fragment(m: Match, family: int) -> list[str]:
    if m.fragment is None:
        return [""]
    if family == 4:
        return {
            "any": ["ip frag-off & 0x3fff != 0"],
            "none": ["ip frag-off & 0x3fff == 0"],
            "first": ["ip frag-off & 0x3fff == 0x2000"],
            "later": ["ip frag-off & 0x1fff != 0"],
        }[m.fragment]
    first, later = "frag frag-off 0 frag more-fragments 1", "frag frag-off != 0"
    atomic = "frag frag-off 0 frag more-fragments 0"
    return {
        "any": [first, later],
        "none": ["exthdr frag missing", atomic],
        "first": [first],
        "later": [later],
    }[m.fragment]


def _not(negated: bool) -> str:
    return "!= " if negated else ""


def _prefix(prefix: Prefix) -> str:
    ip = ipaddress.IPv4Address if prefix.family == 4 else ipaddress.IPv6Address
    return f"{ip(prefix.address)}/{prefix.length}"


def _ranges(ranges: Ranges) -> str:
    texts = [str(low) if low == high else f"{low}-{high}" for low, high in ranges]
    return texts[0] if len(texts) == 1 else "{ " + ", ".join(texts) + " }"


class Nftables:
    """One netdev table at the ingress of an interface."""

    def __init__(self, space: Namespace, iface: str) -> None:
        self.space = space
        self.head = f"type filter hook ingress device {iface} priority 0"

    def load(self, rules: Sequence[Rule], policy: str = "accept") -> None:
        """Make these the chain, counters at 0; the policy is for IP."""
        lines = "\n".join(
            f"{text} counter {'' if rule.action == 'count' else rule.action}"
            for rule in rules
            for text in spellings(rule)
        )
        self._run(
            "table netdev judge\ndelete table netdev judge\n"
            f"table netdev judge {{ chain c {{ {self.head}; policy accept;\n"
            f"{lines}\nmeta protocol {{ ip, ip6 }} counter {policy}\n}}\n}}\n"
        )

    def unload(self) -> None:
        """No chain at all."""
        self._run("table netdev judge\ndelete table netdev judge\n")

    def dropped(self) -> int:
        """Packets dropped since the chain was loaded."""
        text = self.space.run("nft", "list", "table", "netdev", "judge")
        return sum(int(n) for n in re.findall(r"counter packets (\d+) bytes \d+ drop", text))

    def counters(self, rules: Sequence[Rule]) -> list[int]:
        """Packets of each of the rules that were loaded, all its spellings together."""
        text = self.space.run("nft", "list", "table", "netdev", "judge")
        found = iter([int(n) for n in re.findall(r"counter packets (\d+) ", text)])
        return [sum(next(found) for _ in spellings(rule)) for rule in rules]

    def _run(self, text: str) -> None:
        done = subprocess.run(
            self.space.argv("nft", "-f", "-"),
            input=text,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
