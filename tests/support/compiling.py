"""Compile rules without a store, and read the rows of a compiled generation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdpwall.compiler.compile import compile_ruleset, entries_of
from xdpwall.compiler.generation import Generation, NumberedAttachment
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy


def compile_rules(
    rules: Sequence[tuple[Rule, int]],
    policy: Policy,
    attachments: Sequence[tuple[int, str, str]],
    *,
    now_boot_ns: int,
) -> Generation:
    """Compile (rule, slot)s for attachments (number, interface, direction). Raises Full.

    `now_boot_ns` is CLOCK_BOOTTIME, the clock by which the kernel expires rules.
    """
    numbered = [
        NumberedAttachment(number, iface, direction == "egress")
        for number, iface, direction in attachments
    ]
    return compile_ruleset(entries_of(rules, now_boot_ns=now_boot_ns), policy, numbered)


def rules_in_row(generation: Generation, row: int) -> set[int]:
    """The indexes in `generation.entries` of the rules whose bit is set in a row."""
    bits = np.unpackbits(generation.rows.data[row].view(np.uint8), bitorder="little")
    return {n for n, position in enumerate(generation.positions) if bits[position]}
