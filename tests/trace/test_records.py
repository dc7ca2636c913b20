"""The bytes of a packet -> what is told of it, and two records of one drop -> one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.packets import frames as f
from xdpwall.errors import InvalidInput
from xdpwall.trace.filters import DropFilter
from xdpwall.trace.pairing import Pairing
from xdpwall.trace.reasons import Reasons
from xdpwall.trace.record import decode_headers
from xdpwall.trace.summary import DropCounter
from xdpwall.trace.symbols import Symbols
from xdpwall.views.drops import Drop
from xdpwall.views.events import PacketEvent

REASONS = Reasons(
    {
        "SKB_NOT_DROPPED_YET": 0,
        "SKB_CONSUMED": 1,
        "SKB_DROP_REASON_NOT_SPECIFIED": 2,
        "SKB_DROP_REASON_NO_SOCKET": 3,
        "SKB_DROP_REASON_NETFILTER_DROP": 12,
        "SKB_DROP_REASON_MAX": 13,
    },
    {"SKB_DROP_REASON_SUBSYS_CORE": 0, "SKB_DROP_REASON_SUBSYS_OPENVSWITCH": 3},
)
_UDP = {"proto": "udp", "sport": 1024, "dport": 53}
_IP4 = {"family": "ipv4", "src": "10.0.0.1", "dst": "10.0.0.2", "ttl": 64}
_IP6 = {"family": "ipv6", "src": "2001:db8::1", "dst": "2001:db8::2", "ttl": 64}
_4: dict[str, Any] = {"src": "10.0.0.1", "dst": "10.0.0.2"}
_6: dict[str, Any] = {"src": "2001:db8::1", "dst": "2001:db8::2"}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (f.ipv4(f.udp(b"12345678"), **_4), {**_IP4, **_UDP, "length": 36}),
        (
            f.ipv4(f.tcp(flags="syn,ack"), **_4),
            {
                **_IP4,
                "proto": "tcp",
                "sport": 1024,
                "dport": 80,
                "tcp_flags": "syn,ack",
                "length": 40,
            },
        ),
        (
            f.ipv4(f.icmp(3, 1, b""), **_4),
            {
                **_IP4,
                "proto": "icmp",
                "icmp_type": "destination-unreachable",
                "icmp_code": 1,
                "length": 28,
            },
        ),
        (f.ipv4(f.raw(99, b"x"), **_4), {**_IP4, "proto": 99, "length": 21}),
        (f.ipv6(f.udp(b"12345678"), **_6), {**_IP6, **_UDP, "length": 56}),
        (f.ipv6(f.option(0, f.udp(b"")), **_6), {**_IP6, **_UDP, "length": 56}),
        (
            f.ipv6(f.fragment6(f.raw(17, bytes(8)), offset=1), **_6),
            {**_IP6, "proto": "udp", "fragment": "later", "length": 56},
        ),
        (f.ipv6(f.ah(f.udp(b"")), **_6), {**_IP6, **_UDP, "length": 72}),
        (f.tag(f.ipv4(f.udp(b"12345678"), **_4), 100), {**_IP4, **_UDP, "length": 36, "vlan": 100}),
        (f.arp(), {"ethertype": "arp"}),
        (f.raw(0x88CC, b"lldp"), {"ethertype": "0x88cc"}),
    ],
)
def test_headers(layer: f.Layer, expected: dict[str, Any]) -> None:
    assert decode_headers(layer.number, layer.data) == expected


@pytest.mark.parametrize("version", [f.ipv4, f.ipv6])
def test_cut_off_anywhere(version: Any) -> None:
    layer = version(f.tcp())
    whole = decode_headers(layer.number, layer.data)
    for n in range(len(layer.data)):
        found = decode_headers(layer.number, layer.data[:n])
        found.pop("ethertype", None)
        assert found.items() <= whole.items()


@pytest.mark.parametrize("version", [f.ipv4, f.ipv6])
def test_the_padding_of_a_short_frame_is_no_header(version: Any) -> None:
    frame = f.ether(version(f.Layer(6, b"\x00\x50")), pad=80)
    found = decode_headers(int.from_bytes(frame[12:14]), frame[14:])
    assert found["proto"] == "tcp" and not {"sport", "dport", "tcp_flags"} & set(found)


def test_reasons() -> None:
    assert REASONS.no_drop == [0, 1]
    assert REASONS.all_names() == ["NOT_SPECIFIED", "NO_SOCKET", "NETFILTER_DROP"]
    assert [REASONS.name(n) for n in (3, 3 << 16 | 5, 999)] == [
        "NO_SOCKET",
        "OPENVSWITCH_5",
        "reason 999",
    ]
    assert REASONS.numbers(("netfilter_drop", "SKB_DROP_REASON_NO_SOCKET")) == [12, 3]
    with pytest.raises(InvalidInput, match="no drop reason of this kernel") as caught:
        REASONS.numbers(("NO_SOCKT",))
    assert caught.value.hint == "did you mean 'NO_SOCKET'?"


def ours(**fields: Any) -> PacketEvent:
    given = {"time": "", "iface": "eth0", "verdict": "drop", "n": 1, "revision": 1, "bytes": 50}
    return PacketEvent(**{**given, "place": "tc-ingress", "rule": "r1", **fields})


def freed(reason: str = "TC_INGRESS", **fields: Any) -> Drop:
    given = {"time": "", "by": "kernel", "iface": "eth0", "function": "f+0x1", "reason": reason}
    return Drop(**{**given, **fields})


FLOW: dict[str, Any] = {
    "family": "ipv4",
    "src": "10.0.0.1",
    "dst": "10.0.0.2",
    "proto": "udp",
    "sport": 1,
    "dport": 2,
}
OTHER = {**FLOW, "dport": 3}


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        ([(1, ours(**FLOW)), (2, freed(**FLOW))], [("rule", "f+0x1")]),
        ([(1, ours(**FLOW))], [("rule", None)]),
        ([(2, freed(**FLOW))], [("kernel", "f+0x1")]),
        ([(1, freed(**FLOW)), (2, ours(**FLOW))], [("kernel", "f+0x1"), ("rule", None)]),
        (
            [(1, ours(**FLOW)), (2, freed(**FLOW)), (3, ours(**FLOW)), (4, freed(**FLOW))],
            [("rule", "f+0x1")] * 2,
        ),
        ([(1, ours(**FLOW)), (2, freed("NETFILTER_DROP", **FLOW))], [("rule", None), ("kernel", "f+0x1")]),
        ([(1, ours(**FLOW)), (2, freed(netns=5, **FLOW))], [("rule", None), ("kernel", "f+0x1")]),
        ([(1, ours(**FLOW)), (2, freed("NOT_SPECIFIED", **FLOW))], [("rule", "f+0x1")]),
        (
            [(1, ours(**FLOW)), (2, freed("NOT_SPECIFIED", **OTHER))],
            [("rule", None), ("kernel", "f+0x1")],
        ),
        # A later fragment has no ports in itself; our programs remember the first one's.
        ([(1, ours(**FLOW)), (2, freed(**{**FLOW, "sport": None, "dport": None}))], [("rule", "f+0x1")]),
        ([(1, ours(ethertype="arp")), (2, freed(ethertype="arp"))], [("rule", "f+0x1")]),
        ([(1, ours(**FLOW)), (10**9, freed(**FLOW))], [("rule", None), ("kernel", "f+0x1")]),
    ],
)  # fmt: skip
def test_one_drop_told_twice_is_one(came: list[tuple[int, Any]], expected: list[Any]) -> None:
    for order in (came, came[::-1]):
        pairing = Pairing()
        pairing.add(order)
        assert [(one.by, one.function) for one in pairing.ready(10**10)] == expected


def test_a_drop_is_held_until_both_may_have_come() -> None:
    pairing = Pairing()
    pairing.add([(5, freed(**FLOW))])
    assert pairing.ready(5) == []
    pairing.add([(4, ours(**FLOW))])
    assert [one.by for one in pairing.ready(6)] == ["rule"]
    assert pairing.ready(10**10) == []


def test_what_may_be_ours_from_before_our_programs_told_is_left_out() -> None:
    pairing = Pairing(begun=10**9)
    nft = {**FLOW, "dport": 1}
    pairing.add(
        [
            (10**9 - 5, freed(**FLOW)),
            (10**9 - 4, freed("NETFILTER_DROP", **nft)),
            (10**9 + 5, freed(**FLOW)),
            (10**9 + 6, freed("NETFILTER_DROP", **nft)),
            (10**9 + 7, ours(**OTHER)),
            (10**9 + 8, freed(**OTHER)),
            (2 * 10**9, freed(**FLOW)),
        ]
    )
    found = [(one.by, one.dport) for one in pairing.ready(10**10)]
    assert found == [("kernel", 1), ("rule", OTHER["dport"]), ("kernel", FLOW["dport"])]


def test_after_a_restore_it_is_the_same() -> None:
    """The programs in force are others, and tell from a later moment on."""
    pairing = Pairing(begun=0)
    pairing.add([(10**9 - 5, freed(**FLOW)), (10**9 - 4, freed("NETFILTER_DROP", **FLOW))])
    pairing.begun = 10**9
    assert [one.reason for one in pairing.ready(10**10)] == ["NETFILTER_DROP"]


def test_the_right_one_of_two_flows() -> None:
    pairing = Pairing()
    pairing.add(
        [
            (1, ours(**FLOW)), (2, ours(**{**OTHER, "rule": "r2"})),
            (3, freed(**{**OTHER, "function": "g"})), (4, freed(**FLOW)),
        ]
    )  # fmt: skip
    assert [(one.rule, one.function) for one in pairing.ready(9)] == [("r1", "f+0x1"), ("r2", "g")]


@pytest.mark.parametrize(
    ("told", "read"),
    [
        pytest.param({"fragment": "later"}, {"fragment": "later", "sport": None, "dport": None},
                     id="ports that its first fragment had"),
        pytest.param({"sport": None, "dport": None}, {}, id="ports that we do not read"),
        pytest.param({"proto": None, "sport": None, "dport": None}, {}, id="a hidden protocol"),
    ],
)  # fmt: skip
def test_what_one_of_the_two_cannot_read_makes_no_second_drop(
    told: dict[str, Any], read: dict[str, Any]
) -> None:
    pairing = Pairing()
    pairing.add([(1, ours(**FLOW | told)), (2, freed("NOT_SPECIFIED", **FLOW | read))])
    assert [(one.rule, one.function) for one in pairing.ready(9)] == [("r1", "f+0x1")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("src", "10.0.0.1/8"),
        ("dst", "nowhere"),
        ("proto", "http"),
        ("dport", "65536"),
        ("iface", "a b"),
    ],
)
def test_bad_filters_name_their_field(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        DropFilter.parse(reasons=(), **{name: value})
    assert (caught.value.field, caught.value.value) == (name, value)


def test_counting_puts_the_offsets_of_one_function_together() -> None:
    counting = DropCounter()
    for function in ("f+0x1", "f+0x2", "g+0x1"):
        counting.add(freed(function=function))
    counting.add(freed(function="f+0x3", packets=10))
    found = counting.summary(1.0, 7)
    assert [(one.function, one.packets) for one in found.drops] == [("f", 12), ("g", 1)]
    assert (found.packets, found.lost) == (13, 7)


def test_symbols(tmp_path: Path) -> None:
    file = tmp_path / "kallsyms"
    file.write_text("1000 T first\n1800 d data\n2000 t second\t[module]\n2000 w alias\n")
    symbols = Symbols(file)
    named = [symbols.name(address) for address in (0xFFF, 0x1000, 0x1FFF, 0x2010)]
    assert named == ["0xfff", "first+0x0", "first+0xfff", "second+0x10"]
    assert not symbols.hidden()


def test_symbols_that_the_kernel_hides(tmp_path: Path) -> None:
    file = tmp_path / "kallsyms"
    file.write_text("0 T first\n0 t second\n")
    assert Symbols(file).hidden()
    assert Symbols(file).name(0x1000) == "0x1000"
