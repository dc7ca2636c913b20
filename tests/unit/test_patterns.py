"""Which fields tell rules apart, and that a pattern is of the fields a rule names."""

from __future__ import annotations

import numpy as np

from xdpwall.match import Match, match_of
from xdpwall.model import Rule
from xdpwall.patterns import masks, pattern_of, telling


def matches(*texts: str) -> list[Match]:
    return [match_of(Rule.parse(text)) for text in texts]


def test_fields_that_some_rules_name_and_some_do_not() -> None:
    assert telling(matches("drop from 10.0.0.1", "drop to 10.0.0.1")) == ("src", "dst")
    assert telling(matches("drop tcp/22", "drop tcp", "drop udp")) == ("dport",)
    assert telling(matches("drop tcp", "drop from @bad", "drop icmp")) == ("src", "proto")
    assert telling(matches("drop from 10.0.0.1", "drop from 10.0.0.2")) == ()
    assert telling(matches()) == ()


def test_what_most_packets_satisfy_counts_as_open() -> None:
    some = matches("drop from !10.0.0.1", "drop from 10.0.0.1", "drop from !@bad", "drop from @bad")
    assert [pattern_of(one, ("src",)) for one in some] == [0, 1, 0, 1]
    assert [pattern_of(one, ("dst", "src")) for one in some] == [0, 2, 0, 2]


def test_one_rule_in_hundreds_does_not_tell() -> None:
    texts = [f"drop tcp from 10.0.{n >> 8}.{n & 255}" for n in range(600)]
    assert telling(matches(*texts, "drop udp to 10.0.0.1", "drop udp")) == ()
    assert telling(matches(*texts, *["drop udp to 10.0.0.1"] * 3)) == ("src", "dst")


def test_masks() -> None:
    found = masks(np.array([0, 1, 3, 2] * 32, dtype="u1"))
    assert found.shape == (4, 2)
    assert [hex(int(word)) for word in found[:, 1]] == [f"0x{digit * 16}" for digit in "1284"]
