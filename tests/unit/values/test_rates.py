"""Rates as a rule has them: every spelling in one, and the least burst that works."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.rules import rates
from xdpwall.errors import InvalidInput
from xdpwall.rule.known_packet import KnownPacket, matches
from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule
from xdpwall.values.rates import rate_of

SETTINGS = settings(max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("limit 20/s", "limit 20/s burst 5"),
        ("limit 60/m burst 9", "limit 1/s burst 9"),
        ("limit 90/m", "limit 90/m burst 5"),
        ("limit 48/d", "limit 2/h burst 5"),
        ("limit 10/second burst 20", "limit 10/s burst 20"),
        ("limit 10/minute", "limit 10/m burst 5"),
        ("limit 1000000/s", "limit 1000000/s burst 20001"),
        ("limit per src burst 6 6/m", None),
        ("over 6/m per src burst 6", "over 6/m burst 6 per src"),
        ("over 1000kB/s", "over 1MB/s burst 86kB"),
        ("over 1MB/s burst 100000", "over 1MB/s burst 100kB"),
        ("over 1500B/s burst 1545B", "over 1500B/s burst 1545B"),
        ("ipv4 over 6/m per src/32", "ipv4 over 6/m burst 5 per src"),
        ("ipv6 over 6/m per src/64", "ipv6 over 6/m burst 5 per src"),
        ("ipv6 over 6/m per src/48", "ipv6 over 6/m burst 5 per src/48"),
        ("from 10.0.0.0/8 over 6/m per src/24", "from 10.0.0.0/8 over 6/m burst 5 per src/24"),
        ("ethertype arp over 100/s", "ethertype arp over 100/s burst 5"),
    ],
)
def test_a_rate_has_one_spelling(said: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(InvalidInput):
            Rule.parse(f"drop {said}")
    else:
        assert Rule.parse(f"drop {said}").text == f"drop {text}"


@SETTINGS
@given(rates())
def test_text_and_object_say_the_same(rate: object) -> None:
    rule = Rule.parse({"action": "drop", "over": rate})
    stated = rule.to_json()["over"]
    assert Rule.parse({"action": "drop", "over": stated}) == rule
    assert Rule.parse(rule.text) == rule
    assert set(stated) <= {"rate", "burst", "per"}


@SETTINGS
@given(st.integers(1, 50_000_000), st.sampled_from("smhd"))
def test_the_least_burst_that_is_named_works(number: int, time: str) -> None:
    with pytest.raises(InvalidInput, match=r"burst \d+ or more") as caught:
        Rule.parse({"action": "drop", "limit": {"rate": f"{number}/{time}", "burst": 1}})
    least = int(caught.value.message.split("burst ")[-1].split()[0])
    second = Fraction(number, {"s": 1, "m": 60, "h": 3600, "d": 86400}[time])
    assert least == ceil(second / 50) + 1
    rule = Rule.parse({"action": "drop", "limit": {"rate": f"{number}/{time}", "burst": least}})
    assert rate_of(str(rule.limit)).burst == least
    with pytest.raises(InvalidInput):
        Rule.parse({"action": "drop", "limit": {"rate": f"{number}/{time}", "burst": least - 1}})


def test_another_rate_is_another_match() -> None:
    one, same, other = (Rule.parse(f"drop tcp over {r}") for r in ("60/m", "1/s", "2/s"))
    assert one.match_key() == same.match_key() != other.match_key()
    assert match_of(one) == match_of(same) != match_of(other)
    assert Rule.parse("drop tcp over 1/s").match_key() != Rule.parse("drop tcp").match_key()


def test_nobody_is_sure_what_a_rule_with_a_rate_matches() -> None:
    packet = KnownPacket(egress=False, family=4, proto=6)
    assert matches(match_of(Rule.parse("drop tcp")), packet) is True
    assert matches(match_of(Rule.parse("drop tcp over 1/s")), packet) is None
    assert matches(match_of(Rule.parse("drop udp over 1/s")), packet) is False


def test_what_other_firewalls_call_it() -> None:
    for text, hint in [
        ("drop tcp rate 5/s", "limit"),
        ("drop tcp hashlimit 5/s", "limit"),
        ("drop tcp burst 5", "follows a rate"),
        ("drop tcp per src", "follows a rate"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            Rule.parse(text)
        assert hint in (caught.value.hint or "")
