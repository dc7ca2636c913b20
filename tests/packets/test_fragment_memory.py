"""What first fragments said is remembered for 60 s, and for so many datagrams; then it is unknown."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator

import pytest

from tests.support.kernel.dataplane import PLACES, KernelBench
from tests.support.oracle.duel.case import Case, Step
from tests.support.oracle.reference.decode import decode
from tests.support.oracle.reference.judge import Attachment, judge
from tests.support.oracle.reference.memory import FragmentMemory
from tests.support.packets import frames as f
from tests.support.packets.wire.bench import WireBench
from tests.support.packets.wire.match import WireMatch
from tests.support.packets.wire.taps import stamped
from xdpwall.kernel.bpf.maps import Map
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

RULES = ("count udp dport 53", "accept udp sport 1024", "drop udp dport 99")
"""With its first fragment known, a later one meets the first two; else the drop rule only."""
KNOWN, UNKNOWN = (1, 1, 0), (0, 0, 1)


def fragments(family: int, ident: int = 1) -> tuple[bytes, bytes]:
    """The first one and a later one of the same datagram, to port 53."""
    inner, rest = f.udp(bytes(16)), f.raw(17, bytes(24))
    if family == 4:
        first, later = f.ipv4(inner, more=True, ident=ident), f.ipv4(rest, offset=3, ident=ident)
    else:
        first = f.ipv6(f.fragment6(inner, more=True, ident=ident))
        later = f.ipv6(f.fragment6(rest, offset=3, ident=ident))
    return f.ether(first), f.ether(later)


@pytest.fixture
def memory(bench: KernelBench) -> Iterator[Map]:
    """The kernel's memory, empty."""
    bench.load(RULES)
    with Map.open_pinned(bench.dataplane.folder / "maps" / "fragments") as opened:
        for key in list(opened.keys()):
            opened.delete(key)
        yield opened


def age(memory: Map, seconds: float) -> None:
    """Make every entry that old, on the clock that the programs read."""
    seen = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - int(seconds * 1e9)
    for key in list(memory.keys()):
        value = memory.lookup(key)
        assert value
        memory.update(key, struct.pack("<Q", seen % (1 << 64)) + value[8:])


def judged(bench: KernelBench, place: Place, frame: bytes) -> tuple[int, ...]:
    """How often each rule counted the frame; the verdict and `malformed` are checked with it."""
    malformed = bench.totals(place).malformed.packets
    judgement = bench.judge(place, frame)
    assert judgement.dropped == (2 in judgement.counted)
    assert bench.totals(place).malformed.packets - malformed == (2 in judgement.counted)
    return tuple(int(i in judgement.counted) for i in range(len(RULES)))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, KNOWN), (59, KNOWN), (60.01, UNKNOWN), (3600, UNKNOWN)]
)
def test_a_first_fragment_is_known_for_a_minute(
    bench: KernelBench,
    memory: Map,
    place: Place,
    family: int,
    seconds: float,
    expected: tuple[int, ...],
) -> None:
    first, later = fragments(family)
    judged(bench, place, first)
    age(memory, seconds)
    assert judged(bench, place, later) == expected
    reference = FragmentMemory()
    reference.meet(decode(first), 0.0)
    where = Attachment(bench.iface, "egress" if place == "tc-egress" else "ingress")
    ruling = judge(later, bench.rules, Policy(), where, reference, now=seconds)
    assert tuple(int(i in ruling.counted) for i in range(len(RULES))) == expected


def test_later_fragments_do_not_prolong_it_and_a_new_first_one_does(
    bench: KernelBench, memory: Map
) -> None:
    first, later = fragments(4)
    bench.run("xdp", first)
    age(memory, 50)
    (key,) = memory.keys()
    before = memory.lookup(key)
    assert judged(bench, "xdp", later) == KNOWN
    assert memory.lookup(key) == before
    age(memory, 61)
    assert judged(bench, "xdp", later) == UNKNOWN
    bench.run("xdp", first)
    assert judged(bench, "tc-ingress", later) == KNOWN
    assert list(memory.keys()) == [key]


def test_a_flood_makes_it_forget_and_nobody_gains_by_it(wire: WireBench) -> None:
    """The victim's later fragments become unreadable: drop rules match them still, accept rules
    do not. A datagram that begins after the flood is known."""
    first, later = (stamped(frame, 0) for frame in fragments(4))
    case = Case(tuple(map(Rule.parse, RULES)), Policy(), (Step("tc-ingress", first),))
    WireMatch(wire).run(case)
    with Map.open_pinned(wire.dataplane.folder / "maps" / "fragments") as memory:
        (victim,) = memory.keys()
        capacity = memory.info.max_entries
        # Each CPU keeps up to 128 free entries to itself.
        sent = _flood(wire, 0, capacity * 7 // 8)
        assert memory.lookup(victim), "there is room for all of these"
        sent = _flood(wire, sent, capacity - sent)
        assert memory.lookup(victim) is None, "the oldest that nobody asked for goes first"
        assert len(list(memory.keys())) <= capacity
    assert _rise(wire, later) == UNKNOWN
    for frame in fragments(4, ident=2):
        rose = _rise(wire, stamped(frame, 0))
    assert rose == KNOWN


def _flood(wire: WireBench, start: int, many: int) -> int:
    """First fragments of so many datagrams more, through the program; how many there were by now."""
    frame = f.ether(f.ipv4(f.udp(), more=True, src="192.0.0.0"))
    seen = wire.totals("tc-ingress").seen.packets
    source = 14 + 12
    wire.send(
        "tc-ingress",
        [
            frame[:source] + (0xC0000000 + n).to_bytes(4, "big") + frame[source + 4 :]
            for n in range(start, start + many)
        ],
        paged=True,
    )
    assert wire.totals("tc-ingress").seen.packets == seen + many
    return start + many


def _rise(wire: WireBench, frame: bytes) -> tuple[int, ...]:
    """Packets that the rules counted of one frame on the cable."""
    before = wire.counters()
    wire.send("tc-ingress", [frame], paged=True)
    return tuple(new[0] - old[0] for old, new in zip(before, wire.counters(), strict=True))
