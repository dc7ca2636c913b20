"""A ruleset's match fields as NumPy columns, one element a rule. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from xdpwall.abi import RULE_LOG, Action
from xdpwall.abi import VLAN_NONE as UNTAGGED
from xdpwall.rule.match import VLAN_NONE, Match
from xdpwall.values.arrays import Array

ABSENT = -1
"""The rule does not name the field."""
FRAGMENTS = (None, "none", "any", "first", "later")
"""Match.fragment by code."""


def _icmp(last: int) -> Callable[[Any], int]:
    def number(value: tuple[int, int | None]) -> int:
        kind, code = value
        return kind << 8 | (code if code is not None else 0xFF * last)

    return number


_COLUMNS: Mapping[str, tuple[str, Callable[[Any], int], int]] = {
    "family": ("family", int, 0),
    "proto": ("proto", int, ABSENT),
    "flags_want": ("tcp_flags", itemgetter(0), 0),
    "flags_mask": ("tcp_flags", itemgetter(1), ABSENT),
    "icmp_first": ("icmp", _icmp(0), ABSENT),
    "icmp_last": ("icmp", _icmp(1), ABSENT),
    "fragment": ("fragment", FRAGMENTS.index, 0),
    "ethertype": ("ethertype", lambda v: v if isinstance(v, int) else ABSENT, ABSENT),
    "egress": ("egress", int, ABSENT),
    "vlan": ("vlan", lambda v: UNTAGGED if v[1] == VLAN_NONE else v[1], ABSENT),
    "vlan_negated": ("vlan", itemgetter(0), 0),
    "length_low": ("length", itemgetter(0), ABSENT),
    "length_high": ("length", itemgetter(1), ABSENT),
    "ttl_low": ("ttl", itemgetter(0), ABSENT),
    "ttl_high": ("ttl", itemgetter(1), ABSENT),
}
"""Which field of the matches, its number, and what it is where a rule does not name the field;
`icmp` is (type, code)."""


class CompilerRule(NamedTuple):
    """One enabled rule, in order. `expires` is CLOCK_BOOTTIME ns; 0 is never."""

    match: Match
    action: Action
    slot: int
    expires: int = 0
    log: bool = False

    @property
    def kernel_action(self) -> int:
        """abi.RULE's `action`."""
        return int(self.action) | (RULE_LOG if self.log else 0)


class Different(NamedTuple):
    """The different values of a field, of which rules repeat many: what is asked of a value is
    asked once."""

    values: list[Any]
    of: Array
    """(n,) i8: which of them each rule has; ABSENT where it does not name the field."""

    def each(self, ask: Callable[[Any], Any], absent: Any, dtype: Any) -> Array:
        """(n,) of `dtype`: what `ask` says about each rule's value; `absent` where there is none."""
        answers = np.array([*map(ask, self.values), absent], dtype=dtype)
        found: Array = answers[self.of]  # ABSENT is the last one
        return found


class Columns:
    """`entries` in columns of shape (n,): int32, ABSENT where a rule does not name the field."""

    def __init__(self, entries: Sequence[CompilerRule]) -> None:
        self.entries = entries
        self._different: dict[str, Different] = {}
        self._free: dict[str, Array] = {}
        columns = list(zip(*(e.match for e in entries), strict=True)) or [()] * len(Match._fields)
        self._values: dict[str, Sequence[Any]] = dict(zip(Match._fields, columns, strict=True))
        self._values["icmp"] = [
            None if kind is None else (kind, code)
            for kind, code in zip(self._values["icmp_type"], self._values["icmp_code"], strict=True)
        ]
        self._table: dict[str, Array] = {}
        self.drop = np.array([e.action is Action.DROP for e in entries], dtype=bool)

    @functools.cached_property
    def named(self) -> frozenset[str]:
        """The fields that some rule names."""
        return frozenset(n for n, of in self._values.items() if of.count(None) < len(of))

    @functools.cached_property
    def any_frame(self) -> Array:
        """The rules about all frames, whatever they are: bool."""
        return np.array([v == "any" for v in self._values["ethertype"]], dtype=bool)

    def values(self, name: str) -> Sequence[Any]:
        """A field of the rules' matches, as it is there."""
        return self._values[name]

    def different(self, name: str) -> Different:
        """The different values of a field; `icmp` is (type, code)."""
        if name not in self._different:
            values = self._values[name]
            found = [value for value in dict.fromkeys(values) if value is not None]
            numbers: dict[Any, int] = {value: n for n, value in enumerate(found)}
            numbers[None] = ABSENT
            of = np.fromiter(map(numbers.__getitem__, values), np.int64, len(values))
            self._different[name] = Different(found, of)
        return self._different[name]

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
        if name not in self._table:
            field, number, absent = _COLUMNS[name]
            self._table[name] = self.different(field).each(number, absent, np.int32)
        return self._table[name]

    def uses(self, *names: str) -> bool:
        """Does any rule name one of these columns?"""
        return any(bool((getattr(self, name) != ABSENT).any()) for name in names)
