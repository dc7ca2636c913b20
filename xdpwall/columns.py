"""A ruleset's match fields as NumPy columns, one element a rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from .layout import RULE_LOG, Action, Array
from .layout import VLAN_NONE as UNTAGGED
from .match import VLAN_NONE, Match

ABSENT = -1
"""The rule does not name the field."""
FRAGMENTS = (None, "none", "any", "first", "later")
"""Match.fragment by code."""

_COLUMNS = (
    "family", "proto", "flags_want", "flags_mask", "icmp_first", "icmp_last", "fragment",
    "ethertype", "egress", "vlan", "vlan_negated", "length_low", "length_high", "ttl_low",
    "ttl_high",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One enabled rule, in order. `expires` is CLOCK_BOOTTIME ns; 0 is never."""

    match: Match
    action: Action
    slot: int
    expires: int = 0
    log: bool = False

    @property
    def kernel_action(self) -> int:
        """struct xw_rule's `action`."""
        return int(self.action) | (RULE_LOG if self.log else 0)


class Columns:
    """`entries` in columns of shape (n,): int32, ABSENT where a rule does not name the field."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._values: dict[str, list[Any]] = {}
        self._free: dict[str, Array] = {}
        self.matches = [e.match for e in entries]
        self.drop = np.array([e.action is Action.DROP for e in entries], dtype=bool)
        self.any_frame = np.array([m.ethertype == "any" for m in self.matches], dtype=bool)
        flat = list(chain.from_iterable(map(_numbers, self.matches)))
        self._table = np.array(flat, dtype=np.int32).reshape(len(entries), len(_COLUMNS)).T

    def values(self, name: str) -> list[Any]:
        """A field of the rules' matches, as it is there."""
        if name not in self._values:
            self._values[name] = list(map(attrgetter(name), self.matches))
        return self._values[name]

    def free(self, name: str) -> Array:
        """The rules that do not name that field: bool."""
        if name not in self._free:
            self._free[name] = np.array([v is None for v in self.values(name)], dtype=bool)
        return self._free[name]

    def __len__(self) -> int:
        return len(self.entries)

    def __getattr__(self, name: str) -> Array:
        if name not in _COLUMNS:
            raise AttributeError(name)
        found: Array = self._table[_COLUMNS.index(name)]
        return found

    def uses(self, *names: str) -> bool:
        """Does any rule name one of these columns?"""
        return any(bool((getattr(self, name) != ABSENT).any()) for name in names)


def _numbers(m: Match) -> tuple[Any, ...]:
    want, mask = m.tcp_flags or (0, ABSENT)
    if m.icmp_type is None:
        first = last = ABSENT
    else:
        first = m.icmp_type << 8 | (m.icmp_code or 0)
        last = first if m.icmp_code is not None else first | 0xFF
    negated, vlan = m.vlan or (False, ABSENT)
    if m.vlan is not None and vlan == VLAN_NONE:
        vlan = UNTAGGED
    length = m.length or (ABSENT, ABSENT)
    ttl = m.ttl or (ABSENT, ABSENT)
    return (
        m.family or 0,
        ABSENT if m.proto is None else m.proto,
        want,
        mask,
        first,
        last,
        FRAGMENTS.index(m.fragment),
        m.ethertype if isinstance(m.ethertype, int) else ABSENT,
        ABSENT if m.egress is None else int(m.egress),
        vlan,
        int(negated),
        *length,
        *ttl,
    )
