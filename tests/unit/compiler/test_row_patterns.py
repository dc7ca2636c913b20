"""Which fields define the patterns of a ruleset, and each rule's pattern."""

from __future__ import annotations

import numpy as np

from xdpwall.compiler.columns import Columns
from xdpwall.compiler.compile import entries_of
from xdpwall.compiler.row_patterns import pattern_fields, pattern_masks, patterns_of
from xdpwall.rule.rule import Rule


def columns(*texts: str) -> Columns:
    rules = [(Rule.parse(text), n) for n, text in enumerate(texts)]
    return Columns(entries_of(rules, boot=0))


def test_fields_that_some_rules_name_and_some_do_not() -> None:
    assert pattern_fields(columns("drop from 10.0.0.1", "drop to 10.0.0.1")) == ("src", "dst")
    assert pattern_fields(columns("drop tcp/22", "drop tcp", "drop udp")) == ("dport",)
    assert pattern_fields(columns("drop tcp", "drop from @bad", "drop icmp")) == ("src", "proto")
    assert pattern_fields(columns("drop from 10.0.0.1", "drop from 10.0.0.2")) == ()
    assert pattern_fields(columns()) == ()


def test_a_negated_value_counts_as_none() -> None:
    some = columns("drop from !10.0.0.1", "drop from 10.0.0.1", "drop from !@bad", "drop from @bad")
    assert patterns_of(some, ("src",)).tolist() == [0, 1, 0, 1]


def test_one_rule_in_hundreds_does_not_define_a_pattern() -> None:
    texts = [f"drop tcp from 10.0.{n >> 8}.{n & 255}" for n in range(600)]
    assert pattern_fields(columns(*texts, "drop udp to 10.0.0.1", "drop udp")) == ()
    assert pattern_fields(columns(*texts, *["drop udp to 10.0.0.1"] * 3)) == ("src", "dst")


def test_masks() -> None:
    found = pattern_masks(np.array([0, 1, 3, 2] * 32, dtype="u1"))
    assert found.shape == (4, 2)
    assert [hex(int(word)) for word in found[:, 1]] == [f"0x{digit * 16}" for digit in "1284"]
