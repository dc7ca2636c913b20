"""A ruleset's match fields as NumPy columns, one element a rule. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .layout import RULE_LOG, Action, Array
from .layout import VLAN_NONE as UNTAGGED
from .match import VLAN_NONE, Match

ABSENT = -1
"""The rule does not name the field."""
FRAGMENTS = (None, "none", "any", "first", "later")
"""Match.fragment by code."""


def _flag(at: int) -> Callable[[Any], int]:
    return lambda flags: (0, ABSENT)[at] if flags is None else flags[at]


def _end(at: int) -> Callable[[Any], int]:
    return lambda span: ABSENT if span is None else span[at]


def _icmp(last: int) -> Callable[[Any], int]:
    def number(value: tuple[int | None, int | None]) -> int:
        kind, code = value
        if kind is None:
            return ABSENT
        return kind << 8 | (code if code is not None else 0xFF * last)

    return number


def _vlan(vlan: tuple[bool, int] | None) -> int:
    if vlan is None:
        return ABSENT
    return UNTAGGED if vlan[1] == VLAN_NONE else vlan[1]


def _or_absent(value: int | None) -> int:
    return ABSENT if value is None else value


_COLUMNS: Mapping[str, tuple[str, Callable[[Any], int]]] = {
    "family": ("family", lambda family: family or 0),
    "proto": ("proto", _or_absent),
    "flags_want": ("tcp_flags", _flag(0)),
    "flags_mask": ("tcp_flags", _flag(1)),
    "icmp_first": ("icmp", _icmp(0)),
    "icmp_last": ("icmp", _icmp(1)),
    "fragment": ("fragment", FRAGMENTS.index),
    "ethertype": ("ethertype", lambda value: value if isinstance(value, int) else ABSENT),
    "egress": ("egress", lambda egress: ABSENT if egress is None else int(egress)),
    "vlan": ("vlan", _vlan),
    "vlan_negated": ("vlan", lambda vlan: int(vlan is not None and vlan[0])),
    "length_low": ("length", _end(0)),
    "length_high": ("length", _end(1)),
    "ttl_low": ("ttl", _end(0)),
    "ttl_high": ("ttl", _end(1)),
}
"""Which field of the matches, and its number; `icmp` is (type, code)."""


class Entry(NamedTuple):
    """One enabled rule, in order. `expires` is CLOCK_BOOTTIME ns; 0 is never."""

    match: Match
    action: Action
    slot: int
    expires: int = 0
    log: bool = False

    @property
    def kernel_action(self) -> int:
        """layout.RULE's `action`."""
        return int(self.action) | (RULE_LOG if self.log else 0)


class Columns:
    """`entries` in columns of shape (n,): int32, ABSENT where a rule does not name the field."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._free: dict[str, Array] = {}
        columns = list(zip(*(e.match for e in entries), strict=True)) or [()] * len(Match._fields)
        self._values: dict[str, Sequence[Any]] = dict(zip(Match._fields, columns, strict=True))
        self._values["icmp"] = list(
            zip(self._values["icmp_type"], self._values["icmp_code"], strict=True)
        )
        self._table: dict[str, Array] = {}
        self.drop = np.array([e.action is Action.DROP for e in entries], dtype=bool)
        self.any_frame = self._numbers("ethertype", lambda value: value == "any") == 1

    def values(self, name: str) -> Sequence[Any]:
        """A field of the rules' matches, as it is there."""
        return self._values[name]

    def free(self, name: str) -> Array:
        """The rules that do not name that field: bool."""
        if name not in self._free:
            self._free[name] = np.array([v is None for v in self.values(name)], dtype=bool)
        return self._free[name]

    def _numbers(self, field: str, number: Callable[[Any], int]) -> Array:
        """A number for each rule's value of the field; rules repeat values."""
        values = self._values[field]
        numbers = {value: number(value) for value in set(values)}
        return np.array([numbers[value] for value in values], dtype=np.int32)

    def __len__(self) -> int:
        return len(self.entries)

    def __getattr__(self, name: str) -> Array:
        if name not in _COLUMNS:
            raise AttributeError(name)
        if name not in self._table:
            self._table[name] = self._numbers(*_COLUMNS[name])
        return self._table[name]

    def uses(self, *names: str) -> bool:
        """Does any rule name one of these columns?"""
        return any(bool((getattr(self, name) != ABSENT).any()) for name in names)
