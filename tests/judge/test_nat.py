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

from tests.judge.nat_lab import ENDS, NatEnds, NatLab, Seen
from tests.judge.victim import one_cpu
from tests.support.net.netns import Lab
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    ICMP,
    ICMPV6,
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
    family: Literal[4, 6] | None = None
    """Where it is met; None for both."""


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
    Difference("a redirect changes routes", lambda c: c.name == "redirect", ("invalid",), "related", 4),
    Difference("source quench is dead", lambda c: c.name == "quench", ("invalid",), "related", 4),
    Difference("only echoes are asked and answered", lambda c: c.name == "time", ("untracked",), "new"),
    Difference("IGMP has no two ends", lambda c: c.name == "IGMP", ("untracked",), "new", 4),
    Difference("nobody talks to himself by a cable", lambda c: c.name == "land", ("invalid",), "new"),
]  # fmt: skip


def segment(
    ends: NatEnds, via: Via, who: Who, port: int, bits: int, seq: int, ack: int
) -> tuple[str, FlowPacket]:
    """The side that it comes in on, and the segment."""
    out = who == "opener"
    src, dst, sport, dport = {
        ("dnat", True): (ends.world, ends.router, port, 443),
        ("dnat", False): (ends.container, ends.world, 8080, port),
        ("masquerade", True): (ends.container, ends.world, port, 80),
        ("masquerade", False): (ends.world, ends.router, 80, port),
    }[via, out]
    side = "outer" if src == ends.world else "inner"
    return side, FlowPacket(ends.family, TCP, src, dst, sport, dport, bits, seq, ack)


def tcp_cases(ends: NatEnds) -> Iterator[NatCase]:
    """Every situation x every set of flags, from either end, by one NAT and the other in turn."""
    ports = itertools.count(20_000)
    vias = itertools.cycle(VIAS)
    for situation, steps in SITUATIONS.items():
        for name, bits in FLAGS.items():
            for who in WHO:
                via, port = next(vias), next(ports)
                seq, ack = (100, 500) if who == "opener" else (500, 100)
                before = tuple(segment(ends, via, by, port, *rest) for by, *rest in steps)
                side, packet = segment(ends, via, who, port, bits, seq, ack)
                title = f"{name} of the {who} after {situation}, {via}"
                yield NatCase(title, before, side, (packet,), situation, who)


def other_cases(ends: NatEnds) -> Iterator[NatCase]:
    """Windows, UDP, echoes, errors, and what is neither."""
    for via, port in (("dnat", 30_000), ("masquerade", 30_001)):
        assert via in VIAS
        before = tuple(segment(ends, via, by, port, *rest) for by, *rest in HANDSHAKE)
        side, packet = segment(ends, via, "answerer", port, ACK, 500 + (1 << 30), 100)
        yield NatCase(f"far outside the window, {via}", before, side, (packet,))
    v, world, router, container = ends.family, ends.world, ends.router, ends.container
    asked = FlowPacket(v, UDP, container, world, 30_002, 53)
    answer = FlowPacket(v, UDP, world, router, 53, 30_002)
    first = (("inner", asked),)
    yield NatCase("UDP out", (), "inner", (asked,))
    yield NatCase("UDP out again", first, "inner", (asked,))
    yield NatCase("UDP answered", first, "outer", (answer,))
    yield NatCase("UDP from another port", first, "outer", (replace(answer, sport=54),))
    yield NatCase("UDP in", (), "outer", (FlowPacket(v, UDP, world, router, 30_003, 443),))
    icmp = ICMP if v == 4 else ICMPV6
    ping = FlowPacket(v, icmp, container, world, icmp_type=8 if v == 4 else 128, ident=7)
    pong = FlowPacket(v, icmp, world, router, icmp_type=0 if v == 4 else 129, ident=7)
    yield NatCase("ping out", (), "inner", (ping,))
    yield NatCase("pong", (("inner", ping),), "outer", (pong,))
    yield NatCase("pong unasked", (), "outer", (replace(pong, ident=8),))
    yield from errors(ends, first, replace(asked, src=router))
    asks = FlowPacket(v, icmp, world, router, icmp_type=13 if v == 4 else 139)
    yield NatCase("time", (), "outer", (asks,))
    yield NatCase("protocol 99 out", (), "inner", (FlowPacket(v, 99, container, world),))
    yield NatCase("protocol 99 back", (("inner", FlowPacket(v, 99, container, world)),), "outer",
                  (FlowPacket(v, 99, world, router),))  # fmt: skip
    yield NatCase("land", (), "outer", (FlowPacket(v, UDP, router, router, 7, 7),))
    if v == 4:
        yield NatCase("IGMP", (), "outer", (FlowPacket(v, IGMP, world, router),))
        offer = FlowPacket(v, UDP, world, "255.255.255.255", 67, 68)
        yield NatCase("DHCP offer", (), "outer", (offer,))


ERRORS = {
    4: {"unreachable": 3, "too far": 11, "parameter": 12, "quench": 4, "redirect": 5},
    6: {"unreachable": 1, "too big": 2, "too far": 3, "parameter": 4},
}


def errors(
    ends: NatEnds, before: tuple[tuple[str, FlowPacket], ...], sent: FlowPacket
) -> Iterator[NatCase]:
    """What is told of a packet as it left the router, of none, and of one that nobody sent."""
    kinds = ERRORS[ends.family]
    error = FlowPacket(
        ends.family, ICMP if ends.family == 4 else ICMPV6, ends.world, ends.router,
        icmp_type=kinds["unreachable"], quote=sent,
    )  # fmt: skip
    for name, kind in kinds.items():
        yield NatCase(name, before, "outer", (replace(error, icmp_type=kind),))
    nothing = replace(error, quote=replace(sent, sport=9))
    yield NatCase("error about nothing", (), "outer", (nothing,))
    lied = replace(sent, src=ends.world, dst=ends.router, sport=53, dport=30_002)
    yield NatCase("error about what was not sent", before, "outer", (replace(error, quote=lied),))


def expected(ends: NatEnds) -> list[Difference]:
    """The differences of one family."""
    return [one for one in DIFFERENCES if one.family in (None, ends.family)]


def chosen(ends: NatEnds) -> list[NatCase]:
    """Of TCP's every EVERY-th and the first of each reason; all others."""
    everything = list(tcp_cases(ends))
    witnesses = [
        next(filter(one.about, everything))
        for one in expected(ends)
        if any(map(one.about, everything))
    ]
    some = dict.fromkeys([*everything[::EVERY], *witnesses])
    return [*some, *other_cases(ends)]


@pytest.fixture(params=ENDS)
def nat(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NatLab]:
    with ExitStack() as stack:
        stack.enter_context(one_cpu())
        yield NatLab(lab, tmp_path, stack, ENDS[request.param])


def states(seen: Seen) -> str:
    """The states that a packet has at the places where it comes: one, if it is the same everywhere."""
    return " and ".join(sorted({state for _, state in seen}))


def test_every_difference_has_a_reason(nat: NatLab) -> None:
    met: set[str] = set()
    wrong = []
    for case in chosen(nat.ends):
        for side, packet in case.before:
            nat.send(side, packet)
        verdict = nat.judged(case.side, *case.packets)
        ours, nft = states(verdict.ours), states(verdict.nft)
        reasons = [one for one in expected(nat.ends) if one.about(case)]
        met.update(one.reason for one in reasons)
        if not reasons:
            # It goes the same way, too, and is counted everywhere.
            as_said = verdict.ours == verdict.nft
        else:
            as_said = len(reasons) == 1 and ours in reasons[0].ours and nft == reasons[0].nft
        if not as_said:
            wrong.append((case.name, verdict))
    assert not wrong
    assert met == {one.reason for one in expected(nat.ends)}
