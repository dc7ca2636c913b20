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
    boot: int = 0,
) -> Generation:
    """Compile (rule, slot)s for attachments (number, interface, direction). Raises Full.

    `boot` is the time of day at boot, in ns since 1970.
    """
    numbered = [
        NumberedAttachment(number, iface, direction == "egress")
        for number, iface, direction in attachments
    ]
    return compile_ruleset(entries_of(rules, boot=boot), policy, numbered)


def rules_in_row(generation: Generation, row: int) -> set[int]:
    """The indexes in `generation.entries` of the rules whose bit is set in a row."""
    bits = np.unpackbits(generation.rows.data[row].view(np.uint8), bitorder="little")
    return {n for n, position in enumerate(generation.positions) if bits[position]}
