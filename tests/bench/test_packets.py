"""The benchmark's rules, sets and packets are what its tables say they are."""

from __future__ import annotations

import pytest

from bench.packets.nft_syntax import iptables_file, nft_line, nft_table
from bench.packets.rulesets import (
    STREAM,
    Case,
    Family,
    Kind,
    cases,
    decided,
    packets,
    parsed,
    rules,
    source,
    stream,
)
from bench.packets.set_entries import SetKind, entries, frames
from xdpwall.rule.rule import Rule

FAMILIES: tuple[Family, ...] = ("ipv4", "ipv6")
SIZES = {"ipv4": 60, "ipv6": 78}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_host_has_a_source_of_its_own_and_its_rule_is_canonical(family: Family) -> None:
    made = rules("hosts", 10_000, family)
    assert len({rule["src"] for rule in made}) == 10_000
    for rule in (made[0], made[-1]):
        assert Rule.parse(rule).to_json().items() >= rule.items()
    assert source((1 << 20) + 1, family) not in {rule["src"] for rule in made}


def test_the_cases_that_differ() -> None:
    assert [cases(n) for n in (0, 1, 2)] == [
        ("none",),
        ("first", "none"),
        ("first", "last", "random", "none"),
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["hosts", "acl", "fw"])
def test_packets_meet_the_rules_as_their_case_says(kind: Kind, family: Family) -> None:
    made, known = packets(kind, 200, family), parsed(kind, 200, family)
    first, last = decided(known, [made.first, made.last])
    assert 0 <= first < 20
    assert last > 150
    assert min(decided(known, made.random)) >= 0
    assert set(decided(known, made.none)) == {-1}
    for case in cases(200):
        assert {len(frame) for frame in made.of(case)} == {SIZES[family]}


def test_a_stream_is_of_many_different_packets() -> None:
    for kind in ("hosts", "ipc"):
        sent = stream(kind, 1_000, "ipv4", "random")
        assert len(sent) == STREAM
        assert len(set(sent)) > 0.9 * STREAM
        assert {len(frame) for frame in sent} == {60}
    assert len(set(stream("hosts", 1, "ipv4", "random"))) == STREAM


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["addresses", "prefixes"])
def test_sets_are_hit_and_missed(kind: SetKind, family: Family) -> None:
    held = entries(kind, 500, family)
    assert len(held) == 500
    assert len(set(held.texts())) == 500
    assert held.covered()[1] == 0
    wanted: tuple[Case, ...] = ("hit", "miss", "near")
    inside = {case: frames(kind, 500, family, case, 400) for case in wanted}
    assert {len(sent) for sent in inside.values()} == {400}
    known = [Rule.parse({"action": "drop", "src": text}) for text in held.texts()]
    assert min(decided(known, inside["hit"])) >= 0
    for case in wanted[1:]:
        assert set(decided(known, inside[case])) == {-1}
    assert {len(frame) for sent in inside.values() for frame in sent[:10]} == {SIZES[family]}


def test_near_misses_share_a_slash_24_with_a_member() -> None:
    members = {text.rpartition(".")[0] for text in entries("addresses", 500, "ipv4").texts()}
    near = [frame[26:29] for frame in frames("addresses", 500, "ipv4", "near", 200)]
    assert {".".join(map(str, source)) for source in near} <= members


def test_rules_as_nftables_and_iptables_users_write_them() -> None:
    rule = {
        "action": "drop",
        "proto": "tcp",
        "src": "10.0.0.0/8",
        "dport": "80-90",
        "tcp_flags": "syn/syn,ack",
    }
    line = nft_line(rule, "ipv4")
    assert line == "ip saddr 10.0.0.0/8 tcp dport 80-90 tcp flags & (syn|ack) == syn counter drop"
    assert nft_line({"action": "drop", "proto": "gre", "dst": "::1/128"}, "ipv6") == (
        "ip6 daddr ::1/128 meta l4proto gre counter drop"
    )
    assert "device v0 priority 0; policy drop" in nft_table("v0", [line], "drop")
    restored = iptables_file([rule], "accept").splitlines()
    assert restored[3] == (
        "-A PREROUTING -s 10.0.0.0/8 -p tcp --dport 80:90 --tcp-flags SYN,ACK SYN -j DROP"
    )
