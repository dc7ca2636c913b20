"""Completion of sentences: what is offered, where, and that it never leads astray."""

from __future__ import annotations

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_complete import completions_of

INTERFACES = ("docker0", "eth0", "eth10", "not")


def offered(text: str) -> list[str]:
    return [one.text for one in completions_of(text, INTERFACES).completions]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ["drop", "accept", "count"]),
        ("  dr", ["drop"]),
        ("drop", []),
        ("drop t", ["tcp", "to", "ttl"]),
        ("drop icmp", ["icmpv6"]),
        ("drop tcp/44", ["443", "445"]),
        ("drop tcp/htt", ["80", "443", "8080"]),
        ("drop udp/53,12", ["123"]),
        ("drop tcp/80-", []),
        ("drop icmp/echo", ["echo-reply", "echo-request"]),
        ("drop icmpv6/packet", ["packet-too-big"]),
        ("drop icmp/destination-unreachable/po", ["port-unreachable"]),
        ("drop icmp/3/po", ["port-unreachable"]),
        ("drop gre/", []),
        ("drop icmp on ", [*INTERFACES, "not"]),
        ("drop icmp on eth", ["eth0", "eth10"]),
        ("drop icmp on eth1", ["eth10"]),
        ("drop icmp on not d", ["docker0"]),
        ("drop icmp on on ", ["ipv4", "from", "to", "in", "out", "vlan", "length", "ttl", "fragment",
                              "unfragmented", "state", "limit", "over", "log", "disabled",
                              "for", "until", "comment"]),
        ("drop tcp from ", ["not"]),
        ("drop tcp from not ", []),
        ("drop tcp sport !53", ["5353", "5355"]),
        ("drop tcp sport !51", ["514", "515", "51820"]),
        ("drop icmp s", ["state"]),
        ("drop icmp k", []),
        ("accept icmp k", ["keep"]),
        ("accept tcp/443 c", ["cookie", "comment"]),
        ("accept tcp dport 443 co", ["cookie", "comment"]),
        ("accept tcp co", ["comment"]),
        ("accept udp/53 co", ["comment"]),
        ("drop tcp/443 co", ["comment"]),
        ("accept tcp/443 state new co", ["comment"]),
        ("accept tcp/443 out co", ["comment"]),
        ("accept tcp/443 cookie o", ["on", "over"]),
        ("accept tcp/443 cookie st", []),
        ("drop state e", ["established,related"]),
        ("drop tcp s", ["sport", "state"]),
        ("drop tcp/80 d", ["disabled"]),
        ("drop tcp f", ["from", "flags", "fragment", "for"]),
        ("drop udp fl", []),
        ("drop vlan n", ["none", "not"]),
        ("drop in o", ["on", "over"]),
        ("drop fragment f", ["first", "from", "for"]),
        ("drop ethertype ", ["arp", "any"]),
        ("drop ethertype arp i", ["in"]),
        ("drop from 10.0.0.0/8 e", []),
        ("drop udp for 1", ["10m", "1h"]),
        ("drop comment \"no o", []),
        ("drop comment \"no\" o", ["on", "out", "over"]),
        ("drop \"unclosed x", []),
        ("nonsense o", []),
        ("drop proto ", []),
        ("drop icmp/" + "9" * 5000 + "/", []),
        ("drop proto 5 o", ["on", "out", "over"]),
        ("drop tcp limit ", ["50/s", "6/m", "10MB/s"]),
        ("drop tcp over 6/m b", ["burst"]),
        ("drop tcp over 6/m p", ["per"]),
        ("drop tcp over 6/m per ", ["src"]),
        ("drop tcp over 6/m burst ", []),
        ("drop tcp over 6/m burst 9 per src b", []),
        ("drop tcp over 6/m log b", []),
        ("drop tcp over 6/m li", []),
        ("drop tcp l", ["limit", "length", "log"]),
    ],
)  # fmt: skip
def test_what_is_offered(text: str, wanted: list[str]) -> None:
    assert sorted(offered(text)) == sorted(wanted)


@pytest.mark.parametrize("blank", ["\n", "\t", "\u3000"])
def test_any_blank_ends_a_word(blank: str) -> None:
    assert offered(f"drop in{blank}") == offered("drop in ") != []


def test_what_is_inserted_replaces_the_word() -> None:
    for text, index, whole in [
        ("dr", 0, "drop "),
        ("drop tc", 0, "drop tcp"),
        ("drop tcp/80,htt", 1, "drop tcp/80,443"),
        ("drop icmp/echo-re", 1, "drop icmp/echo-request "),
        ("drop icmp on d", 0, "drop icmp on docker0 "),
        ("drop icmp on n", 0, 'drop icmp on "not" '),
        ("drop icmp com", 0, 'drop icmp comment "'),
    ]:
        found = completions_of(text, INTERFACES)
        start, end = found.word
        assert end == len(text)
        assert text[:start] + found.completions[index].insert == whole


def test_an_interface_called_not_is_not_the_word() -> None:
    found = completions_of("drop on n", INTERFACES).completions
    assert [(one.kind, one.insert) for one in found] == [
        ("interface", '"not" '),
        ("value", "not "),
    ]
    assert Rule.parse("drop on " + found[0].insert).iface == "not"


FILLED = {
    "from": "10.0.0.0/8", "to": "10.0.0.0/8", "sport": "53", "dport": "53", "on": "eth0",
    "vlan": "5", "flags": "syn/syn", "length": "100", "ttl": "5", "ethertype": "arp", "for": "10m",
    "until": "2099-01-01T00:00:00Z", "comment": '"x"', "limit": "50/s", "over": "6/m burst 9",
    "state": "new",
}  # fmt: skip


@pytest.mark.parametrize(
    "first", ["", "icmp ", "icmpv6 ", "tcp ", "tcp/80 ", "udp ", "gre ", "proto 5 "]
)
def test_no_offered_clause_is_refused_afterwards(first: str) -> None:
    """Every clause that is offered, taken and filled in, gives a sentence that is taken."""
    begun = f"drop {first}"
    clauses = [one for one in completions_of(begun, INTERFACES).completions if one.kind == "clause"]
    assert len(clauses) > 10
    for one in clauses:
        sentence = begun + _filled(one.text)
        _must_be_taken(sentence)
        for two in completions_of(f"{sentence} ", INTERFACES).completions:
            if two.kind == "clause":
                _must_be_taken(f"{sentence} {_filled(two.text)}")


def _filled(clause: str) -> str:
    return f"{clause} {FILLED[clause]}" if clause in FILLED else clause


def _must_be_taken(sentence: str) -> None:
    if "v6" in sentence:
        sentence = sentence.replace("10.0.0.0/8", "2001:db8::/32")
    try:
        Rule.parse(sentence)
    except InvalidInput as error:
        raise AssertionError(f"{sentence!r}: {error}") from error


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("drop from ", ["@bad", "@best", "not"]),
        ("drop from @b", ["@bad", "@best"]),
        ("drop from @bad", []),
        ("drop tcp/22 to not @be", ["@best"]),
        ("drop from !@ba", ["@bad"]),
        ("drop on @b", []),
    ],
)
def test_sets_stand_where_addresses_do(text: str, wanted: list[str]) -> None:
    found = completions_of(text, INTERFACES, ["bad", "best"])
    assert [one.text for one in found.completions] == wanted
    for one in found.completions:
        if one.kind == "set":
            assert Rule.parse(text[: found.word[0]] + one.insert).text
