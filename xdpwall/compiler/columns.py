"""The match fields of many rules as NumPy columns, with one element per rule. Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from xdpwall.abi import (
    RULE_COOKIE,
    RULE_KEEP,
    RULE_LIMIT,
    RULE_LOG,
    RULE_OVER,
    RULE_STATE_BIT,
    Action,
)
from xdpwall.abi import VLAN_NONE as UNTAGGED
from xdpwall.rule.match import VLAN_NONE, Match
from xdpwall.values.arrays import Array

ABSENT = -1
"""In place of a number: the rule does not name the field, and so accepts any value."""
FRAGMENTS = (None, "none", "any", "first", "later")
"""The values of Match.fragment; the column `fragment` holds indexes into these."""


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
    "state": ("state", int, ABSENT),
    "vlan": ("vlan", lambda v: UNTAGGED if v[1] == VLAN_NONE else v[1], ABSENT),
    "vlan_negated": ("vlan", itemgetter(0), 0),
    "length_low": ("length", itemgetter(0), ABSENT),
    "length_high": ("length", itemgetter(1), ABSENT),
    "ttl_low": ("ttl", itemgetter(0), ABSENT),
    "ttl_high": ("ttl", itemgetter(1), ABSENT),
}
"""By column: the field of Match that it comes from (`icmp` is (type, code)), a function from the
field's value to the number, and the number where a rule does not name the field."""


class CompilerRule(NamedTuple):
    """An enabled rule as the compiler takes it. `expires` is CLOCK_BOOTTIME in ns, 0 for never."""

    match: Match
    action: Action
    slot: int
    expires: int = 0
    log: bool = False
    keep: bool = False
    cookie: bool = False

    @property
    def kernel_action(self) -> int:
        """The field `action` of abi.RULE."""
        flags = (RULE_LOG if self.log else 0) | (RULE_KEEP if self.keep else 0)
        flags |= RULE_COOKIE if self.cookie else 0
        if self.match.rate is not None:
            flags |= RULE_OVER if self.match.rate[0] else RULE_LIMIT
        return int(self.action) | flags | (self.match.state or 0) << RULE_STATE_BIT

    @property
    def tracks(self) -> bool:
        """Whether it has `state` or `keep`, so that programs need flows."""
        return self.keep or self.match.state is not None


class DistinctValues(NamedTuple):
    """The distinct values of a field. Rules repeat most values, so a function of the value is called
    once for each distinct one."""

    values: list[Any]
    numbers: Array
    """(n,) i8: each rule's index into `values`; ABSENT where it does not name the field."""

    def map(self, function: Callable[[Any], Any], absent: Any, dtype: Any) -> Array:
        """(n,) of `dtype`: function(value) for each rule; `absent` where it has no value."""
        results = np.array([*map(function, self.values), absent], dtype=dtype)
        by_rule: Array = results[self.numbers]  # ABSENT, -1, takes the last one
        return by_rule


class Columns:
    """Rules as columns of shape (n,), int32. Attributes are the keys of _COLUMNS; where a rule does
    not name the field, the column has ABSENT, or 0 where _COLUMNS says so."""

    def __init__(self, entries: Sequence[CompilerRule]) -> None:
        self.entries = entries
        self._distinct: dict[str, DistinctValues] = {}
        self._absent: dict[str, Array] = {}
        columns = list(zip(*(e.match for e in entries), strict=True)) or [()] * len(Match._fields)
        self._values: dict[str, Sequence[Any]] = dict(zip(Match._fields, columns, strict=True))
        self._values["icmp"] = [
            None if kind is None else (kind, code)
            for kind, code in zip(self._values["icmp_type"], self._values["icmp_code"], strict=True)
        ]
        self._computed: dict[str, Array] = {}
        self.drop = np.array([e.action is Action.DROP for e in entries], dtype=bool)

    @functools.cached_property
    def named_fields(self) -> frozenset[str]:
        """The fields of Match that at least one rule names."""
        return frozenset(n for n, of in self._values.items() if of.count(None) < len(of))

    @functools.cached_property
    def interfaces(self) -> frozenset[str]:
        """The words for interfaces in the rules, negated or not: eth0, veth*, ports:docker0."""
        return frozenset(name for _, name in self.distinct("iface").values)

    @functools.cached_property
    def any_frame(self) -> Array:
        """(n,) bool: the rules with ethertype `any`, which match frames of every kind."""
        return np.array([v == "any" for v in self._values["ethertype"]], dtype=bool)

    def values(self, name: str) -> Sequence[Any]:
        """Each rule's value of a field of Match; None where it does not name the field."""
        return self._values[name]

    def distinct(self, name: str) -> DistinctValues:
        """The distinct values of a field of Match; `icmp` is (type, code)."""
        if name not in self._distinct:
            values = self._values[name]
            found = [value for value in dict.fromkeys(values) if value is not None]
            numbers: dict[Any, int] = {value: n for n, value in enumerate(found)}
            numbers[None] = ABSENT
            of = np.fromiter(map(numbers.__getitem__, values), np.int64, len(values))
            self._distinct[name] = DistinctValues(found, of)
        return self._distinct[name]

    def absent(self, name: str) -> Array:
        """(n,) bool: the rules that do not name the field."""
        if name not in self._absent:
            self._absent[name] = np.array([v is None for v in self.values(name)], dtype=bool)
        return self._absent[name]

    def __len__(self) -> int:
        return len(self.entries)

    def __getattr__(self, name: str) -> Array:
        if name not in _COLUMNS:
            raise AttributeError(name)
        if name not in self._computed:
            field, number, absent = _COLUMNS[name]
            self._computed[name] = self.distinct(field).map(number, absent, np.int32)
        return self._computed[name]

    def uses(self, *names: str) -> bool:
        """Whether a rule names a field of one of these columns."""
        return any(bool((getattr(self, name) != ABSENT).any()) for name in names)
