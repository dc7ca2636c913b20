"""`python -m bench.state [--rounds N] [--short]`: what state and rates cost a packet, beside nftables and iptables.

Every contender is loaded at once and timed in turn, forwards and backwards, by streams of different
packets over a veth on one CPU (bench/packets/stream.py). A figure is how much more a packet takes
than by the same ruleset without state or rate, the least and the median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.packets.objects import compile_object
from bench.packets.rounds import pinned
from bench.report import machine
from bench.report.table import table
from bench.state.contenders import Contenders, Row
from bench.state.frames import asking, stray
from tests.support.net.netns import Lab

MANY = 1 << 17
FEW = 1 << 10
SOURCES = 1 << 16
AIMS = {
    f"xdpwall, state established, {FEW:,} flows": 25,
    f"xdpwall, state established, {MANY:,} flows": 100,
    "xdpwall, a new flow each": 220,
    "xdpwall, over, one bucket": 4,
    "xdpwall, over, per source, one source": 4,
}
NFT_CHAIN = "type filter hook prerouting priority -150;"
NETDEV = (
    "table netdev t {{\n{sets}\nchain c {{ type filter hook ingress device {{far}} priority 0;\n"
    "{rule} drop\n}}\n}}\n"
)


def state_rows(to: Contenders, few: int, many: int) -> None:
    """Add what is asked for a packet's state. Both directions of the flows were seen before."""
    ours, nft, iptables = "xdpwall, accept udp", "nftables, accept", "iptables, accept"
    to.ours(ours, None, ["accept udp"], asking(many))
    for flows in (few, many):
        base = f"{ours}, {flows:,} packets"
        to.ours(base, None, ["accept udp"], asking(flows))
        name = f"xdpwall, state established, {flows:,} flows"
        to.ours(name, base, ["accept udp state established"], asking(flows), flows=flows)
    to.ours("xdpwall, a new flow each", ours, ["accept udp keep"], asking(many), anew=True)
    to.ours("xdpwall, drop tcp", None, ["drop tcp"], stray(few), drops=True)
    asked = ["accept tcp state established"]
    to.ours("xdpwall, stray ACK", "xdpwall, drop tcp", asked, stray(few), drops=True)
    accept = f"table inet t {{ chain c {{ {NFT_CHAIN} %s counter accept\n}}\n}}\n"
    to.nft(nft, None, accept % "meta l4proto udp", asking(few))
    to.iptables(iptables, None, "-A PREROUTING -p udp -j ACCEPT", asking(few))
    for flows in (few, many):
        established = accept % "ct state established"
        name = f"nftables, ct state established, {flows:,} flows"
        to.nft(name, nft, established, asking(flows), flows=flows)
        lines = "-A PREROUTING -m conntrack --ctstate ESTABLISHED -j ACCEPT"
        name = f"iptables, -m conntrack, {flows:,} flows"
        to.iptables(name, iptables, lines, asking(flows), flows=flows)
    to.nft("nftables, ct state new, thrown away", nft, accept % "ct state new", asking(many))


def rate_rows(to: Contenders, sources: int) -> None:
    """Add rates that all packets are over, so that all are dropped."""
    one, many = asking(1), asking(sources)
    ours, nft = "xdpwall, drop udp", "nftables netdev, drop"
    for name, rate, frames in (
        ("one bucket", "over 1/d burst 2", one),
        ("per source, one source", "over 1/d burst 2 per src", one),
        (f"per source, {sources:,} sources", "over 1/d burst 2 per src", many),
    ):
        base = f"{ours}, {len(frames):,} sources"
        if base not in {row.name for row in to.rows}:
            to.ours(base, None, ["drop udp/53"], frames, drops=True)
        to.ours(f"xdpwall, over, {name}", base, [f"drop udp/53 {rate}"], frames, drops=True)

    sets = f"set m {{ type ipv4_addr; flags dynamic; size {sources * 2}; timeout 1h; }}"
    meter = "update @m { ip saddr limit rate over 1/day burst 2 packets }"
    for name, rule, frames in (
        ("one bucket", "limit rate over 1/day burst 2 packets", one),
        ("a dynamic set, one source", meter, one),
        (f"a dynamic set, {sources:,} sources", meter, many),
    ):
        base = f"{nft}, {len(frames):,} sources"
        if base not in {row.name for row in to.rows}:
            to.nft(base, None, NETDEV.format(sets="", rule="udp dport 53 counter"), frames)
        text = NETDEV.format(sets=sets if "@m" in rule else "", rule=f"udp dport 53 {rule} counter")
        to.nft(f"nftables, {name}", base, text, frames)


def report(rows: list[Row]) -> str:
    """The table of all rows: ns a packet, and over their base."""
    by_name = {row.name: row for row in rows}
    lines = []
    for row in rows:
        more = ("", "", "")
        if row.base is not None:
            base = by_name[row.base].times
            over = [a - b for a, b in zip(row.times, base, strict=True)]
            least = min(row.times) - min(base)
            aim = AIMS.get(row.name)
            more = (f"{least:+}", f"{median(over):+.0f}", "" if aim is None else f"at most {aim}")
        lines.append((row.name, str(min(row.times)), f"{median(row.times):.0f}", *more))
    head = ("ns a packet, over a veth", "least", "median", "over its base, least", "median", "aim")
    return table(head, lines)


def measure(rounds: int, few: int, many: int, sources: int) -> list[Row]:
    """Time all rows in interleaved rounds."""
    lab = Lab("bench-state")
    lab.clean()
    try:
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder, pinned():
            to = Contenders(stack, lab, compile_object("driver", Path(folder)))
            state_rows(to, few, many)
            rate_rows(to, sources)
            for row in to.rows:
                row.ready()
                row.sends()
            for number in range(rounds):
                for row in to.rows[:: -1 if number % 2 else 1]:
                    row.times.append(row.sends())
            return to.rows
    finally:
        lab.clean()


def main() -> int:
    """Measure, and print the table. Returns 0 whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m bench.state", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    parser.add_argument("--short", action="store_true", help="few flows: to see that it works")
    arguments = parser.parse_args()
    if os.geteuid():
        print("error: the benchmark loads programs and makes namespaces: it needs root")
        return 4
    start = time.monotonic()
    load = os.getloadavg()[0]
    few, many, sources = (1 << 6, 1 << 8, 1 << 8) if arguments.short else (FEW, MANY, SOURCES)
    rows = measure(arguments.rounds, few, many, sources)
    with tempfile.TemporaryDirectory() as folder:
        said = machine.describe(Path(folder))
    for name, value in said.items():
        print(f"- {name}: {value}")
    print(f"- load average before: {load:.1f}, after: {os.getloadavg()[0]:.1f}")
    print(f"- {arguments.rounds} rounds, {time.monotonic() - start:.0f} s\n")
    print(report(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
