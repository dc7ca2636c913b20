"""State x packet, the rest: what goes out, how long each kind of flow lasts, fragments, quotes, interfaces."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

import pytest

from tests.support.kernel.dataplane import DROPPED, PLACES, KernelBench
from tests.support.kernel.flows import Flows
from tests.support.net.netns import Lab, Namespace
from tests.support.oracle.flows.packets import (
    ACK,
    FIN,
    ICMP,
    ICMPV6,
    RST,
    SCTP,
    SYN,
    TCP,
    UDP,
    FlowPacket,
)
from tests.support.oracle.flows.tracker import TIMEOUTS
from tests.support.packets import frames as f
from xdpwall.rule.states import STATES
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

Family = Literal[4, 6]
HERE, THERE = {4: "10.0.0.1", 6: "2001:db8::1"}, {4: "10.0.0.2", 6: "2001:db8::2"}
COUNTED = [f"count state {state}" for state in STATES]
KEEPS = Policy(ingress="accept keep", egress="accept keep")


def out(family: Family, proto: int, **more: object) -> FlowPacket:
    """From here to there."""
    packet = FlowPacket(family, proto, HERE[family], THERE[family], 40000, 80)
    return replace(packet, **more)  # type: ignore[arg-type]


def echo(family: Family) -> FlowPacket:
    proto, kind = (ICMP, 8) if family == 4 else (ICMPV6, 128)
    return FlowPacket(family, proto, HERE[family], THERE[family], icmp_type=kind, ident=7)


@pytest.fixture(scope="module")
def keeping(bench: KernelBench) -> KernelBench:
    """States are counted, and everything passes by `keep`."""
    bench.load(COUNTED, KEEPS)
    return bench


@pytest.fixture(autouse=True)
def flows(keeping: KernelBench) -> Flows:
    made = Flows(keeping.dataplane)
    made.flush()
    return made


def state(bench: KernelBench, place: Place, frame: bytes) -> str | None:
    found = bench.judge(place, frame)
    assert not found.dropped and len(found.counted) < 2
    return STATES[found.counted[0]] if found.counted else None


# -- every hook is a way in and a way out -------------------------------------------------------------

Made = Callable[[Family], FlowPacket]
HANDSHAKE: tuple[tuple[str, Made], ...] = (
    ("new", lambda v: out(v, TCP, flags=SYN, seq=99)),
    ("established", lambda v: out(v, TCP).back(flags=SYN | ACK, seq=499, ack=100)),
    ("established", lambda v: out(v, TCP, flags=ACK, seq=100, ack=500)),
    ("established", lambda v: out(v, TCP).back(flags=ACK, seq=500, ack=100)),
    ("established", lambda v: out(v, TCP, flags=FIN | ACK, seq=100, ack=500)),
    ("established", lambda v: out(v, TCP).back(flags=FIN | ACK, seq=500, ack=101)),
    ("established", lambda v: out(v, TCP, flags=ACK, seq=101, ack=501)),
    ("new", lambda v: out(v, TCP, flags=SYN, seq=99)),
    ("established", lambda v: out(v, TCP).back(flags=RST | ACK, ack=100)),
    ("new", lambda v: out(v, TCP, flags=SYN, seq=7)),
)


@pytest.mark.parametrize("back", PLACES)
@pytest.mark.parametrize("there", PLACES)
@pytest.mark.parametrize("family", [4, 6])
def test_a_connection_between_any_two_hooks(
    keeping: KernelBench, flows: Flows, family: Family, there: Place, back: Place
) -> None:
    for wanted, make in HANDSHAKE:
        packet = make(family)
        place = there if packet.src == HERE[family] else back
        assert state(keeping, place, packet.frame()) == wanted, packet
    (flow,) = flows.flows()
    assert (flow.state, flow.assured) == ("new", False)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("packet", "wanted"),
    [
        (lambda v: out(v, TCP, flags=SYN), "new"),
        (lambda v: out(v, TCP, flags=SYN | ACK), "invalid"),
        (lambda v: out(v, TCP, flags=ACK), "invalid"),
        (lambda v: out(v, TCP, flags=RST), "invalid"),
        (lambda v: out(v, UDP), "new"),
        (lambda v: out(v, SCTP), "new"),
        (echo, "new"),
        (lambda v: replace(echo(v), icmp_type=0 if v == 4 else 129), "invalid"),
        (lambda v: out(v, UDP, fragment="first"), "new"),
        (lambda v: out(v, TCP, flags=SYN, fragment="first"), "new"),
        (lambda v: replace(out(v, UDP, sport=80), dst=HERE[v]), "invalid"),
    ],
    ids=["SYN", "SYN-ACK", "ACK", "RST", "UDP", "SCTP", "ping", "pong", "fragment", "SYN in a fragment", "land"],
)  # fmt: skip
def test_the_first_packet_at_every_hook(
    keeping: KernelBench, flows: Flows, packet: Made, wanted: str, family: Family, place: Place
) -> None:
    made = packet(family)
    assert state(keeping, place, made.frame()) == wanted
    # A segment that leaves in the middle of a connection of somebody else's is picked up.
    kept = wanted == "new" or (place == "tc-egress" and made.flags == ACK)
    assert len(flows.flows()) == kept


# -- how long -------------------------------------------------------------------------------------------

OPENED = [make for _, make in HANDSHAKE[:3]]
LASTING: Mapping[str, Callable[[Family], list[FlowPacket]]] = {
    "tcp_new": lambda v: [out(v, TCP, flags=SYN)],
    "tcp_one_side": lambda v: [out(v, TCP, flags=ACK)],
    "tcp": lambda v: [make(v) for make in OPENED],
    "tcp_fin": lambda v: [make(v) for _, make in HANDSHAKE[:5]],
    "tcp_fins": lambda v: [make(v) for _, make in HANDSHAKE[:7]],
    "tcp_reset": lambda v: [*(make(v) for make in OPENED), out(v, TCP, flags=RST)],
    "udp": lambda v: [out(v, UDP)],
    "udp_replied": lambda v: [out(v, UDP), out(v, UDP).back()],
    "icmp": lambda v: [echo(v)],
    "other": lambda v: [out(v, SCTP), out(v, SCTP).back()],
}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", LASTING)
def test_how_long_each_kind_of_flow_lasts(
    keeping: KernelBench, flows: Flows, name: str, family: Family
) -> None:
    packets = LASTING[name](family)
    for packet in packets:
        keeping.run("tc-egress" if packet.src == HERE[family] else "xdp", packet.frame())
    flows.age(TIMEOUTS[name] - 3)
    assert len(flows.flows()) == 1
    # Another packet of it, and it lasts as long again.
    last = packets[-1]
    keeping.run("tc-egress" if last.src == HERE[family] else "xdp", last.frame())
    flows.age(TIMEOUTS[name] - 3)
    (flow,) = flows.flows()
    assert flow.expires <= 6
    flows.age(7)
    assert not flows.flows()
    answer = out(family, last.proto).back(flags=ACK)
    wanted = "invalid" if last.proto == TCP else "new"
    if last.proto not in (ICMP, ICMPV6):
        assert state(keeping, "xdp", answer.frame()) == wanted


# -- fragments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("proto", [TCP, UDP])
def test_later_fragments_belong_to_their_first(
    keeping: KernelBench, flows: Flows, proto: int, family: Family, place: Place
) -> None:
    """They refresh and answer; alone they make no flow and close none."""
    number = 1000 + PLACES.index(place)
    first = out(family, proto, fragment="first", flags=SYN, datagram=number)
    later = replace(first, fragment="later")
    assert state(keeping, place, first.frame()) == "new"
    assert state(keeping, place, later.frame()) == "new"
    (flow,) = flows.flows()
    assert flow.packets == 2
    answer = first.back(flags=SYN | ACK | FIN)
    assert state(keeping, place, answer.frame()) == "established"
    assert state(keeping, place, replace(answer, fragment="later").frame()) == "established"
    flows.flush()
    wanted = "invalid" if proto == TCP else "new"
    assert state(keeping, place, later.frame()) == wanted
    assert not flows.flows()


@pytest.mark.parametrize("family", [4, 6])
def test_a_later_fragment_without_its_first_cannot_be_read(
    bench: KernelBench, flows: Flows, family: Family
) -> None:
    later = out(family, UDP, fragment="later", datagram=60000)
    assert state(bench, "xdp", later.frame()) is None
    assert not flows.flows()


# -- quotes ---------------------------------------------------------------------------------------------


def quoting(family: Family, quote: f.Layer, keep: int | None = None) -> bytes:
    """An error about a packet, of which only the first `keep` bytes are quoted."""
    data = quote.data if keep is None else quote.data[:keep]
    where = {"src": THERE[family], "dst": HERE[family]}
    if family == 4:
        return f.ether(f.ipv4(f.icmp(11, 0, data), **where))  # type: ignore[arg-type]
    return f.ether(f.ipv6(f.icmpv6(3, 0, data), **where))  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["xdp", "tc-ingress"])
@pytest.mark.parametrize("proto", [TCP, UDP, SCTP])
@pytest.mark.parametrize("family", [4, 6])
def test_what_an_error_must_quote(
    keeping: KernelBench, family: Family, proto: int, place: Place
) -> None:
    """The header, whatever stands between, and 8 bytes; no byte less."""
    sent = out(family, proto, flags=SYN)
    keeping.run("tc-egress", sent.frame())
    head = 20 if family == 4 else 40
    for extension, more in ((False, 0), (True, 4 if family == 4 else 8)):
        quote = sent.packet(extension=extension)
        assert state(keeping, place, quoting(family, quote)) == "related"
        assert state(keeping, place, quoting(family, quote, head + more + 8)) == "related"
        for size in (head + more + 7, head + more, head, head - 1, 1, 0):
            frame = quoting(family, quote, size)
            assert state(keeping, place, frame) == "invalid", size
    # The error's sender may be anybody, its receiver only who sent what it is about.
    other = sent.packet().data
    lied = FlowPacket(family, proto, THERE[family], HERE[family], 40000, 80).packet()
    assert len(lied.data) == len(other)
    assert state(keeping, place, quoting(family, lied)) == "invalid"


def test_quotes_behind_many_headers(keeping: KernelBench) -> None:
    keeping.run("tc-egress", out(6, UDP).frame())
    inner = f.raw(UDP, out(6, UDP).layer4())
    for layers in (1, 3, 8):
        chain = inner
        for _ in range(layers):
            chain = f.option(60, chain)
        frame = quoting(6, f.ipv6(chain, src=HERE[6], dst=THERE[6]))
        assert state(keeping, "xdp", frame) == "related", layers
    first = f.fragment6(inner, more=True)
    later = f.fragment6(inner, offset=100)
    for layer, wanted in ((first, "related"), (later, "invalid")):
        frame = quoting(6, f.ipv6(layer, src=HERE[6], dst=THERE[6]))
        assert state(keeping, "xdp", frame) == wanted


# -- link-local addresses: one of each interface --------------------------------------------------------


@pytest.fixture
def two_links(lab: Lab) -> Iterator[Namespace]:
    """A namespace with two interfaces, in which test-runs may be told to come in."""
    space, other = lab.namespace("links"), lab.namespace("peer")
    for name in ("one", "two"):
        lab.veth(space, name, other, f"{name}p")
    with space.inside():
        yield space


@pytest.mark.parametrize(
    ("here", "there"), [("169.254.0.1", "169.254.0.2"), ("fe80::1", "fe80::2"), ("2001:db8::1", "fe80::2")]
)  # fmt: skip
def test_link_local_flows_belong_to_an_interface(
    keeping: KernelBench, flows: Flows, two_links: Namespace, here: str, there: str
) -> None:
    family: Family = 6 if ":" in here else 4
    asked = FlowPacket(family, UDP, here, there, 4000, 53)
    one, two = (two_links.index(name) for name in ("one", "two"))
    assert _comes(keeping, "tc-egress", one, asked) == "new"
    assert _comes(keeping, "xdp", two, asked.back()) == "new"
    assert {flow.zone for flow in flows.flows()} == {one, two}
    assert _comes(keeping, "xdp", one, asked.back()) == "established"
    assert _comes(keeping, "tc-ingress", one, asked.back()) == "established"
    # A global pair has no interface: routes may be asymmetric.
    everywhere = out(family, UDP)
    assert _comes(keeping, "tc-egress", one, everywhere) == "new"
    assert _comes(keeping, "xdp", two, everywhere.back()) == "established"
    # What is quoted is of the error's own interface.
    wrong = ICMP if family == 4 else ICMPV6
    error = FlowPacket(family, wrong, there, here, icmp_type=3 if family == 4 else 1, quote=asked)
    flows.flush()
    assert _comes(keeping, "tc-egress", one, asked) == "new"
    assert _comes(keeping, "xdp", one, error) == "related"
    assert _comes(keeping, "xdp", two, error) == "invalid"


def _comes(bench: KernelBench, place: Place, ifindex: int, packet: FlowPacket) -> str:
    """The state of a packet on this interface."""
    frame = packet.frame()
    if place == "xdp":
        context = struct.pack("6I", 0, len(frame), 0, ifindex, 0, 0)
    else:
        context = struct.pack("11I", *[0] * 10, ifindex).ljust(192, b"\0")
    before = bench.counters()
    code = bench.program(place).test_run(frame, ctx=context).retval
    assert code != DROPPED[place]
    rose = [n for n, new in enumerate(bench.counters()) if new != before[n]]
    return STATES[rose[0]]
