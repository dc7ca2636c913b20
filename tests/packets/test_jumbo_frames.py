"""MTU 9000: native XDP takes frames in fragments, and headers lie anywhere in them.

A stack builds its own headers in a packet's linear part. What it forwards it did not build: a
sender's ring, a guest's or a NIC's pages hold headers wherever they fall. Here the frames come
from a ring, whose pages the kernel hands on as they are.
"""

from __future__ import annotations

import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.kernel.clang import compile_bpf
from tests.support.kernel.dataplane import PLACES
from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.oracle.duel.case import Case, Step
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from tests.support.packets.wire.bench import WireBench
from tests.support.packets.wire.draw import draw_wire_case
from tests.support.packets.wire.match import WireMatch
from tests.support.packets.wire.taps import stamped
from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import load_object
from xdpwall.kernel.bpf.programs import BPF_F_XDP_HAS_FRAGS
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place

SEED = 20_261_121
LARGEST = 9014
RULES = (
    "count ipv6 length 9000",
    "drop udp dport 53",
    "accept tcp dport 80 flags syn/syn,ack",
    "drop tcp dport 80 flags ack/syn,ack",
    "accept icmpv6/echo-request",
    "drop fragment first",
    "count ipv6",
)
DEPTHS = (*range(3200, 4400, 8), *range(8000, 8300, 8))
"""Bytes of extension headers: about where the first page of a packet and of a ring slot end."""

MEASURE = """
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
	 __type(key, __u32); __type(value, __u32[2]); } sizes SEC(".maps");

SEC("xdp") int measure(struct xdp_md *ctx)
{
	__u32 zero = 0, *size = bpf_map_lookup_elem(&sizes, &zero);

	if (size) {
		size[0] = ctx->data_end - ctx->data;
		size[1] = bpf_xdp_get_buff_len(ctx);
	}
	return XDP_PASS;
}
"""


@pytest.fixture(scope="module")
def jumbo() -> Iterator[WireBench]:
    """The wire bench with MTU 9000 and the XDP program that takes fragments."""
    lab = Lab(__name__)
    lab.clean()
    with WireBench(lab, lab.bpffs / "jumbo", frags=True) as made:
        yield made
    lab.clean()


def behind(depth: int, inner: f.Layer) -> f.Layer:
    """An upper layer behind that many bytes of extension headers, a multiple of 4."""
    if depth % 8:  # an AH of 12 bytes
        return f.ah(behind(depth - 12, inner), words=1)
    while depth > 0:
        size = min(depth, 2048)
        inner = f.option(60, inner, units=size // 8 - 1)
        depth -= size
    return inner


def uppers() -> list[f.Layer]:
    """What may lie there, whole or cut by the frame's end."""
    syn, ack = f.tcp(flags="syn"), f.tcp(flags="ack")
    whole = [f.udp(dport=53), f.udp(dport=54), syn, ack, f.icmpv6()]
    cut = [replace(syn, data=syn.data[:13]), replace(whole[0], data=whole[0].data[:3])]
    return [*whole, *cut, f.fragment6(f.udp(dport=54), more=True), f.raw(58, b"\x80")]


def deep_case(place: Place) -> Case:
    """Every depth and half of one, the upper layers in turn."""
    layers = uppers()
    frames = []
    for i, depth in enumerate(d + extra for d in DEPTHS for extra in (0, 4)):
        frames.append(f.ether(f.ipv6(behind(depth, layers[i % len(layers)]))))
    steps = (Step(place, stamped(frame, i)) for i, frame in enumerate(frames))
    return Case(tuple(map(Rule.parse, RULES)), Policy(), tuple(steps))


@pytest.mark.parametrize("paged", [False, True], ids=["linear", "paged"])
@pytest.mark.parametrize("place", PLACES)
def test_headers_deep_in_a_frame(jumbo: WireBench, place: Place, paged: bool) -> None:
    rulings = WireMatch(jumbo).run(deep_case(place), paged=paged)
    met = Counter(ruling.rule for ruling in rulings if ruling)
    assert all(met[rule] >= 30 for rule in (1, 2, 3, 4, 5, None)), met
    if place != "xdp":
        linear = {jumbo.taps[i].linear for i in range(len(rulings))}
        assert (linear == {14}) == paged


@pytest.mark.parametrize("paged", [False, True], ids=["linear", "paged"])
@pytest.mark.parametrize("place", PLACES)
def test_the_largest_frame_is_counted_to_the_byte(
    jumbo: WireBench, place: Place, paged: bool
) -> None:
    frame = stamped(f.ether(f.ipv6(f.udp(bytes(LARGEST - 14 - 40 - 8), dport=54))), 0)
    assert len(frame) == LARGEST
    before = jumbo.totals(place).seen
    case = Case(tuple(map(Rule.parse, RULES)), Policy(), (Step(place, frame),))
    WireMatch(jumbo).run(case, paged=paged)
    after = jumbo.totals(place).seen
    assert (after.packets - before.packets, after.bytes - before.bytes) == (1, LARGEST)
    assert jumbo.counters()[0] == (1, LARGEST)


def test_random_frames_through_the_variant_for_fragments(jumbo: WireBench) -> None:
    match = WireMatch(jumbo)
    for seed in range(SEED, SEED + 4):
        for paged in (False, True):
            match.run(draw_wire_case(seed, "xdp"), paged=paged)


def test_only_that_variant_is_let_in(jumbo: WireBench) -> None:
    index = jumbo.host.index("eth1")
    with (
        jumbo.dataplane.programs.load("xdp", 1) as plain,
        jumbo.host.inside(),
        pytest.raises(XdpwallError, match="frag|MTU"),
    ):
        xdp_attach(index, plain.fileno(), "native", if_noexist=False)


def test_xdp_is_given_frames_in_fragments(lab: Lab) -> None:
    """Where the first of them ends, so that it is known that the depths above lie around it."""
    host, box = lab.pair()
    host.set_mtu("v0", 9000)
    box.set_mtu("eth0", 9000)
    with tempfile.TemporaryDirectory() as folder:
        built = compile_bpf(Path(folder), MEASURE).read_bytes()
    with load_object(built, flags={"measure": BPF_F_XDP_HAS_FRAGS}) as measuring:
        index = host.index("v0")
        with host.inside():
            xdp_attach(index, measuring.programs["measure"].fileno(), "native")
        linear = _measured(measuring.maps["sizes"], box)
    assert DEPTHS[0] + 14 + 40 < linear < DEPTHS[-1] + 14 + 40, linear


def _measured(sizes: Map, box: Namespace) -> int:
    """Bytes of the largest frame's first fragment."""
    with Wire(box, "eth0") as sender:
        sender.send(f.ether(f.ipv4(f.udp(bytes(LARGEST - 14 - 20 - 8)))))

    def seen() -> tuple[int, int] | None:
        value = sizes.lookup(0)
        assert value
        linear, whole = struct.unpack("II", value)
        return (linear, whole) if whole == LARGEST else None

    found = wait_for(seen, "the largest frame at XDP")
    assert found
    return found[0]
