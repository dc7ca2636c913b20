"""The quick ways of reading give what the careful ones give, or leave it to them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.rules import rules
from xdpwall.errors import InvalidInput
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.rule.sentence_read import read_sentence
from xdpwall.rule.sentence_read_fast import read_sentence_fast
from xdpwall.rule.sentence_words import CLAUSES
from xdpwall.values.addresses import canonical_address, parse_prefix, prefix_text

SETTINGS = settings(max_examples=200, deadline=None)
WORDS = st.sampled_from(
    [
        *(word for word in CLAUSES if word not in ("for", "until")),
        *("drop", "accept", "not", "!", "tcp", "tcp/22", "tcp/", "udp/!53", "icmp/8", "icmp/8/0"),
        *("icmp/", "icmp/8/", "icmpv6/echo-request", "gre", "gre/1", "proto", "6", "80,443", "!22"),
        *("10.0.0.0/8", "10.0.0.1/8", "!10.0.0.1", "2001:db8::/32", "::1", "@friends", "!@friends"),
        *('"', '"a b"', "first", "none", "100", "syn", "syn/syn,ack", "0x88cc", "eth0", "\u2003"),
    ]
)
BLANKS = st.sampled_from([" ", "  ", "\t", "\u2003", "\x1f", "\n"])
SENTENCES = st.builds(
    lambda action, words: action + "".join(blank + word for blank, word in words),
    st.sampled_from(["drop", "accept", "count", " drop", "log"]),
    st.lists(st.tuples(BLANKS, WORDS), max_size=6),
)
ADDRESSES = st.one_of(
    st.builds(lambda n: str(IPv4Address(n)), st.integers(0, 2**32 - 1)),
    st.builds(lambda n: str(IPv6Address(n)), st.integers(0, 2**128 - 1)),
    st.builds(lambda n, low: str(IPv6Address(n << low)), st.integers(0, 2**48), st.integers(0, 80)),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}", fullmatch=True),
    st.from_regex(r"[0-9a-fA-F]{0,5}(:[0-9a-fA-F]{0,5}){2,7}(\.[0-9]{1,3}){0,3}", fullmatch=True),
)
VALUES = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(["", "!", "! ", " ", "!!"]),
    ADDRESSES,
    st.one_of(st.just(""), st.integers(0, 140).map("/{}".format), st.sampled_from(["/", "/08"])),
)


def outcome(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except InvalidInput as error:
        return error.message, error.field, error.value, error.span


@SETTINGS
@given(SENTENCES)
@example("drop on ipv4 in")
@example("drop comment drop")
def test_a_sentence_is_read_alike(text: str) -> None:
    found = read_sentence_fast(text)
    assert found is None or found == read_sentence(text)


@SETTINGS
@given(rules())
def test_what_rules_print_is_read_alike(rule: Rule) -> None:
    found = read_sentence_fast(rule.text)
    assert found is None or found == read_sentence(rule.text)


@pytest.mark.parametrize(
    "text",
    [
        "drop tcp/22 from 10.0.0.0/8 to not 192.0.2.1 sport 1024-65535 on eth0 in",
        "accept icmp/echo-request/0 ipv4 length 64-128 ttl 1 log disabled",
        "count icmpv6 from 2001:db8::/32 to @friends vlan not 100 comment web",
        "drop ethertype 0x88cc vlan none",
        "drop tcp flags syn/syn,ack unfragmented out",
    ],
)
def test_what_is_often_written_is_read_quickly(text: str) -> None:
    assert read_sentence_fast(text) == read_sentence(text)


@SETTINGS
@given(VALUES)
@example("::ffff:10.0.0.1")
@example("::10.0.0.1/128")
@example("2001:db8::0:1")
@example("64:ff9b::192.0.2.1")
@example("1:0:2:3:4:5:6:7")
@example("10.0.0.1\0")
def test_an_address_is_spelled_alike(value: str) -> None:
    def careful() -> str:
        negated, prefix = parse_prefix("src", value)
        return "!" * negated + prefix_text(prefix)

    assert outcome(canonical_address, "src", value) == outcome(careful)


@SETTINGS
@given(VALUES)
def test_an_address_has_the_same_numbers(value: str) -> None:
    try:
        rule = Rule.parse({"action": "drop", "src": value})
    except InvalidInput:
        return
    assert match_of(rule).src == parse_prefix("src", value)


@SETTINGS
@given(rules(), rules())
def test_rules_are_alike_whose_sentences_are(one: Rule, other: Rule) -> None:
    assert (one.text_key() == other.text_key()) == (one.text == other.text)
    assert one.with_id("a").text_key() == one.text_key()
    assert (one == other) <= (hash(one) == hash(other))
