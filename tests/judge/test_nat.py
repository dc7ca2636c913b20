"""nftables' `ct state` as second judge, behind NAT: where it says another thing of a packet than we do, it is
one of DIFFERENCES, each with a reason, and each is met. FLOWS_EVERY=1 (make test-flows) tries all cases."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from tests.judge.nat_lab import CONTAINER, ROUTER, WORLD, NatLab, Seen
from tests.judge.victim import one_cpu
from tests.support.net.netns import Lab
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    ICMP,
    IGMP,
    PSH,
    RST,
    SYN,
    TCP,
    UDP,
    FlowPacket,
)

EVERY = int(os.environ.get("FLOWS_EVERY", "10"))
Via = Literal["dnat", "masquerade"]
Who = Literal["opener", "answerer"]
VIAS: tuple[Via, ...] = ("dnat", "masquerade")
WHO: tuple[Who, ...] = ("opener", "answerer")
STRANGE = {"FIN": FIN, "no flags": 0, "SYN-FIN": SYN | FIN, "FIN-PSH-URG": FIN | PSH | 32}
FLAGS = {
    "SYN": SYN,
    "SYN-ACK": SYN | ACK,
    "ACK": ACK,
    "RST": RST,
    "RST-ACK": RST | ACK,
    "FIN-ACK": FIN | ACK,
    **STRANGE,
}
HANDSHAKE: list[tuple[Who, int, int, int]] = [
    ("opener", SYN, 99, 0),
    ("answerer", SYN | ACK, 499, 100),
    ("opener", ACK, 100, 500),
    ("answerer", ACK, 500, 100),
]
"""Who sends which flags, sequence and acknowledgement."""
END: list[tuple[Who, int, int, int]] = [
    ("opener", FIN | ACK, 100, 500),
    ("answerer", FIN | ACK, 500, 101),
    ("opener", ACK, 101, 501),
]
SITUATIONS = {
    "nothing": [],
    "a SYN": HANDSHAKE[:1],
    "a SYN-ACK": HANDSHAKE[:2],
    "a connection": HANDSHAKE,
    "one FIN": [*HANDSHAKE, END[0]],
    "both FINs": [*HANDSHAKE, *END],
    "a reset": [*HANDSHAKE, ("opener", RST, 100, 0)],
}


@dataclass(frozen=True)
class NatCase:
    """What went before, and the packets that are judged."""

    name: str
    before: tuple[tuple[str, FlowPacket], ...]
    side: str
    packets: tuple[FlowPacket, ...]
    situation: str = ""
    who: Who = "opener"


class Difference(NamedTuple):
    """A reason, which cases it is about, and what both say."""

    reason: str
    about: Callable[[NatCase], bool]
    ours: tuple[str, ...]
    nft: str


def live(case: NatCase) -> bool:
    return case.situation not in ("", "nothing")


def flags(case: NatCase, *names: str) -> bool:
    return case.packets[0].proto == TCP and case.packets[0].flags in [FLAGS[one] for one in names]


OPEN = ("established",)
CONNECTED = ("a SYN-ACK", "a connection", "one FIN", "a reset")
"""An answerer's SYN opens from the other side before that, and anew after both FINs: for both judges."""
DIFFERENCES = [
    Difference(
        "we do not pick up what arrives in the middle, nor without `keep` what leaves: it is no new flow",
        lambda c: c.situation == "nothing" and flags(c, "ACK"), ("invalid",), "new",
    ),
    Difference(
        "flags that no TCP sends: the host's own TCP drops them",
        lambda c: live(c) and flags(c, *STRANGE), ("new", "established"), "invalid",
    ),
    Difference(
        "in a handshake we follow who has answered, and not which flags come next",
        lambda c: c.situation == "a SYN" and (flags(c, "FIN-ACK") or c.who == "opener" and flags(c, "ACK", "RST-ACK")),
        ("new", "established"), "invalid",
    ),
    Difference(
        "a SYN of the answerer: his TCP answers it with a challenge",
        lambda c: c.situation in CONNECTED and c.who == "answerer" and flags(c, "SYN"), ("new", "established"), "invalid",
    ),
    Difference(
        "a SYN-ACK of the opener, likewise",
        lambda c: live(c) and c.situation != "a SYN-ACK" and c.who == "opener" and flags(c, "SYN-ACK"), ("new", "established"), "invalid",
    ),
    Difference("windows are not checked", lambda c: "window" in c.name, OPEN, "invalid"),
    Difference("a redirect changes routes", lambda c: c.name == "redirect", ("invalid",), "related"),
    Difference("source quench is dead", lambda c: c.name == "quench", ("invalid",), "related"),
    Difference("only echoes are asked and answered", lambda c: c.name == "time", ("untracked",), "new"),
    Difference("IGMP has no two ends", lambda c: c.name == "IGMP", ("untracked",), "new"),
    Difference("nobody talks to himself by a cable", lambda c: c.name == "land", ("invalid",), "new"),
]  # fmt: skip


def segment(via: Via, who: Who, port: int, bits: int, seq: int, ack: int) -> tuple[str, FlowPacket]:
    """The side that it comes in on, and the segment."""
    out = who == "opener"
    src, dst, sport, dport = {
        ("dnat", True): (WORLD, ROUTER, port, 443),
        ("dnat", False): (CONTAINER, WORLD, 8080, port),
        ("masquerade", True): (CONTAINER, WORLD, port, 80),
        ("masquerade", False): (WORLD, ROUTER, 80, port),
    }[via, out]
    side = "outer" if src == WORLD else "inner"
    return side, FlowPacket(4, TCP, src, dst, sport, dport, bits, seq, ack)


def tcp_cases() -> Iterator[NatCase]:
    """Every situation x every set of flags, from either end, by one NAT and the other in turn."""
    ports = itertools.count(20_000)
    vias = itertools.cycle(VIAS)
    for situation, steps in SITUATIONS.items():
        for name, bits in FLAGS.items():
            for who in WHO:
                via, port = next(vias), next(ports)
                seq, ack = (100, 500) if who == "opener" else (500, 100)
                before = tuple(segment(via, by, port, *rest) for by, *rest in steps)
                side, packet = segment(via, who, port, bits, seq, ack)
                title = f"{name} of the {who} after {situation}, {via}"
                yield NatCase(title, before, side, (packet,), situation, who)


def other_cases() -> Iterator[NatCase]:
    """Windows, UDP, echoes, errors, and what is neither."""
    for via, port in (("dnat", 30_000), ("masquerade", 30_001)):
        assert via in VIAS
        before = tuple(segment(via, by, port, *rest) for by, *rest in HANDSHAKE)
        side, packet = segment(via, "answerer", port, ACK, 500 + (1 << 30), 100)
        yield NatCase(f"far outside the window, {via}", before, side, (packet,))
    asked = FlowPacket(4, UDP, CONTAINER, WORLD, 30_002, 53)
    answer = FlowPacket(4, UDP, WORLD, ROUTER, 53, 30_002)
    first = (("inner", asked),)
    yield NatCase("UDP out", (), "inner", (asked,))
    yield NatCase("UDP out again", first, "inner", (asked,))
    yield NatCase("UDP answered", first, "outer", (answer,))
    yield NatCase("UDP from another port", first, "outer", (replace(answer, sport=54),))
    yield NatCase("UDP in", (), "outer", (FlowPacket(4, UDP, WORLD, ROUTER, 30_003, 443),))
    ping = FlowPacket(4, ICMP, CONTAINER, WORLD, icmp_type=8, ident=7)
    pong = FlowPacket(4, ICMP, WORLD, ROUTER, icmp_type=0, ident=7)
    yield NatCase("ping out", (), "inner", (ping,))
    yield NatCase("pong", (("inner", ping),), "outer", (pong,))
    yield NatCase("pong unasked", (), "outer", (replace(pong, ident=8),))
    sent = replace(asked, src=ROUTER)
    error = FlowPacket(4, ICMP, WORLD, ROUTER, icmp_type=3, quote=sent)
    for kind, name in (
        (3, "unreachable"),
        (11, "too far"),
        (12, "parameter"),
        (4, "quench"),
        (5, "redirect"),
    ):
        yield NatCase(name, first, "outer", (replace(error, icmp_type=kind),))
    yield NatCase(
        "error about nothing", (), "outer", (replace(error, quote=replace(sent, sport=9)),)
    )
    lied = replace(sent, src=WORLD, dst=ROUTER, sport=53, dport=30_002)
    yield NatCase("error about what was not sent", first, "outer", (replace(error, quote=lied),))
    yield NatCase("time", (), "outer", (FlowPacket(4, ICMP, WORLD, ROUTER, icmp_type=13),))
    yield NatCase("protocol 99 out", (), "inner", (FlowPacket(4, 99, CONTAINER, WORLD),))
    yield NatCase("protocol 99 back", (("inner", FlowPacket(4, 99, CONTAINER, WORLD)),), "outer",
                  (FlowPacket(4, 99, WORLD, ROUTER),))  # fmt: skip
    yield NatCase("IGMP", (), "outer", (FlowPacket(4, IGMP, WORLD, ROUTER),))
    yield NatCase("land", (), "outer", (FlowPacket(4, UDP, ROUTER, ROUTER, 7, 7),))
    offer = FlowPacket(4, UDP, WORLD, "255.255.255.255", 67, 68)
    yield NatCase("DHCP offer", (), "outer", (offer,))


def chosen() -> list[NatCase]:
    """Of TCP's every EVERY-th and the first of each reason; all others."""
    everything = list(tcp_cases())
    witnesses = [
        next(filter(one.about, everything))
        for one in DIFFERENCES
        if any(map(one.about, everything))
    ]
    some = dict.fromkeys([*everything[::EVERY], *witnesses])
    return [*some, *other_cases()]


@pytest.fixture
def nat(lab: Lab, tmp_path: Path) -> Iterator[NatLab]:
    with ExitStack() as stack:
        stack.enter_context(one_cpu())
        yield NatLab(lab, tmp_path, stack)


def states(seen: Seen) -> str:
    """The states that a packet has at the places where it comes: one, if it is the same everywhere."""
    return " and ".join(sorted({state for _, state in seen}))


def test_every_difference_has_a_reason(nat: NatLab) -> None:
    met: set[str] = set()
    wrong = []
    cases = chosen()
    for case in cases:
        for side, packet in case.before:
            nat.send(side, packet)
        verdict = nat.judged(case.side, *case.packets)
        ours, nft = states(verdict.ours), states(verdict.nft)
        reasons = [one for one in DIFFERENCES if one.about(case)]
        met.update(one.reason for one in reasons)
        if not reasons:
            # It goes the same way, too, and is counted everywhere.
            as_said = verdict.ours == verdict.nft
        else:
            as_said = len(reasons) == 1 and ours in reasons[0].ours and nft == reasons[0].nft
        if not as_said:
            wrong.append((case.name, verdict))
    assert not wrong
    assert met == {one.reason for one in DIFFERENCES}
