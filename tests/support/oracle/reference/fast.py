"""The reference for many packets and many rules: judge() of judge.py, a rule at a time in NumPy.

It shares decode and memory with the slow one, and a test holds it against that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import MappingProxyType

import numpy as np

from tests.support.oracle.reference.columns import (
    ABSENT,
    FRAGMENTS,
    HIDDEN,
    Addresses,
    Columns,
)
from tests.support.oracle.reference.judge import Attachment, in_force
from tests.support.oracle.reference.members import SetMembers, Sets
from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.values.addresses import Prefix
from xdpwall.values.arrays import Array
from xdpwall.values.ranges import Ranges

Question = Callable[[Array], tuple[Array, Array]]
"""Indices of packets -> (agrees, can't be read), booleans for each."""
_SHRINK_EVERY = 256


@dataclass(frozen=True)
class Rulings:
    """What n packets met, and by what the counters of r rules rise."""

    decider: Array
    """(n,) index of the rule that decided, -1 for the policy."""
    dropped: Array
    policy_dropped: Array
    packets: Array
    """(r,) of every rule, those that only count included."""
    bytes: Array


def judge_many(
    columns: Columns,
    rules: Sequence[Rule],
    policy: Policy,
    where: Attachment,
    *,
    date: datetime | None = None,
    sets: Sets = MappingProxyType({}),
) -> Rulings:
    """Judge every packet at one place."""
    holds = {
        (side, name): _members(columns, addresses, members)
        for name, members in sets.items()
        for side, addresses in (("src", columns.src), ("dst", columns.dst))
    }
    date = date or datetime.now(UTC)
    decider = np.full(len(columns), -1)
    packets = np.zeros(len(rules), dtype=np.int64)
    sizes = np.zeros(len(rules), dtype=np.int64)
    sides = (_Side(columns, columns.src), _Side(columns, columns.dst))
    left = np.arange(len(columns))
    for index, rule in enumerate(rules):
        m = match_of(rule)
        if not in_force(rule, date) or not _meant_here(m, where):
            continue
        if index % _SHRINK_EVERY == 0:
            left = left[decider[left] < 0]
        some = left
        for side, prefix in zip(sides, (m.src, m.dst), strict=True):
            if prefix is not None and not prefix[0]:
                some = min(some, side.near(prefix[1]), key=len)
        some = some[decider[some] < 0]
        some = _matching(_questions(m, columns, holds), some, rule.action == "drop")
        packets[index] = len(some)
        sizes[index] = columns.size[some].sum()
        if rule.action != "count":
            decider[some] = index
    by_policy = (decider < 0) & _policy_drops(columns, policy, where)
    drops = np.array([rule.action == "drop" for rule in rules] + [False])
    return Rulings(decider, drops[decider] | by_policy, by_policy, packets, sizes)


def matches_of(columns: Columns, rules: Sequence[Rule], where: Attachment) -> list[list[int]]:
    """For each packet the rules that match it at one place, in order, whatever their states and rates say."""
    found: list[list[int]] = [[] for _ in range(len(columns))]
    everyone = np.arange(len(columns))
    for index, rule in enumerate(rules):
        m = match_of(rule)
        if _meant_here(m, where):
            for packet in _matching(_questions(m, columns, {}), everyone, rule.action == "drop"):
                found[packet].append(index)
    return found


def _matching(questions: Iterator[Question], some: Array, is_drop: bool) -> Array:
    """Those of `some` that match: what can't be read agrees with a drop rule, and with no other."""
    for question in questions:
        if not len(some):
            break
        agrees, hidden = question(some)
        some = some[agrees | hidden] if is_drop else some[agrees & ~hidden]
    return some


def _meant_here(m: Match, where: Attachment) -> bool:
    if m.iface is not None and fnmatchcase(where.iface, m.iface[1]) == m.iface[0]:
        return False
    return m.egress is None or m.egress == (where.direction == "egress")


def _questions(
    m: Match, columns: Columns, holds: Mapping[tuple[str, str], Array]
) -> Iterator[Question]:
    def about(name: str, agrees: Callable[[Array], Array]) -> Question:
        column = columns.numbers[name]

        def answer(some: Array) -> tuple[Array, Array]:
            values = column[some]
            return agrees(values) & (values > ABSENT), values == HIDDEN

        return answer

    if m.vlan is not None:
        negated, number = m.vlan
        yield about("vlan", lambda values: (values == number) != negated)
    if m.ethertype is not None:
        if m.ethertype != "any":
            wanted_type = m.ethertype
            yield about("ethertype", lambda values: values == wanted_type)
        return
    yield about("family", lambda values: (values == 4) | (values == 6))
    if m.family is not None:
        yield about("family", lambda values: values == m.family)
    for side, chosen, addresses in (
        ("src", m.src_set, columns.src),
        ("dst", m.dst_set, columns.dst),
    ):
        if chosen is not None:
            yield _held(addresses, holds[side, chosen[1]], chosen[0])
    for given, addresses in ((m.src, columns.src), (m.dst, columns.dst)):
        if given is not None:
            yield about("family", _equals(given[1].family))
            yield _within(addresses, *given)
    for name, span in (("length", m.length), ("ttl", m.ttl)):
        if span is not None:
            yield about(name, _among(False, (span,)))
    if m.fragment is not None:
        kinds = {"any": ("first", "later")}.get(m.fragment, (m.fragment,))
        numbers = [FRAGMENTS[kind] for kind in kinds]
        yield about("fragment", lambda values: np.isin(values, numbers))
    if m.proto is not None:
        yield about("proto", _equals(m.proto))
    for name, ports in (("sport", m.sport), ("dport", m.dport)):
        if ports is not None:
            yield about(name, _among(*ports))
    for name, wanted in (("icmp_type", m.icmp_type), ("icmp_code", m.icmp_code)):
        if wanted is not None:
            yield about(name, _equals(wanted))
    if m.tcp_flags is not None:
        want, mask = m.tcp_flags
        yield about("tcp_flags", lambda values: values & mask == want)


def _equals(wanted: int) -> Callable[[Array], Array]:
    return lambda values: values == wanted


def _among(negated: bool, ranges: Ranges) -> Callable[[Array], Array]:
    def agrees(values: Array) -> Array:
        found = np.zeros(len(values), dtype=bool)
        for low, high in ranges:
            found |= (low <= values) & (values <= high)
        return np.asarray(found != negated)

    return agrees


def _within(addresses: Addresses, negated: bool, prefix: Prefix) -> Question:
    bits = 32 if prefix.family == 4 else 128
    mask = ((1 << prefix.length) - 1) << (bits - prefix.length)
    high, low = (np.uint64(mask >> 64), np.uint64(mask & _U64))
    want_high, want_low = np.uint64(prefix.address >> 64), np.uint64(prefix.address & _U64)

    def answer(some: Array) -> tuple[Array, Array]:
        known = addresses.known[some]
        same = (addresses.low[some] & low) == want_low
        same &= (addresses.high[some] & high) == want_high
        return (same != negated) & (known > ABSENT), known == HIDDEN

    return answer


def _held(addresses: Addresses, holds: Array, negated: bool) -> Question:
    def answer(some: Array) -> tuple[Array, Array]:
        known = addresses.known[some]
        return (holds[some] != negated) & (known > ABSENT), known == HIDDEN

    return answer


def _members(columns: Columns, addresses: Addresses, members: SetMembers) -> Array:
    """Which packets have an address in the set."""
    rows = zip(columns.numbers["family"], addresses.high, addresses.low, strict=True)
    return np.array([members.holds(int(f), int(h) << 64 | int(low)) for f, h, low in rows], bool)


class _Side:
    """Sources or destinations in order, so that a rule looks only at those that may fit."""

    def __init__(self, columns: Columns, addresses: Addresses) -> None:
        family = columns.numbers["family"]
        self._hidden = np.flatnonzero(addresses.known == HIDDEN)
        self._order, self._keys = {}, {}
        for number, key in ((4, addresses.low), (6, addresses.high)):
            mine = np.flatnonzero((family == number) & (addresses.known > ABSENT))
            self._order[number] = mine[np.argsort(key[mine], kind="stable")]
            self._keys[number] = key[self._order[number]]

    def near(self, prefix: Prefix) -> Array:
        """Every packet whose address is in the prefix or can't be read, and maybe others."""
        bits, address = (32, prefix.address) if prefix.family == 4 else (64, prefix.address >> 64)
        span = (1 << max(0, bits - prefix.length)) - 1
        keys = self._keys[prefix.family]
        first = np.searchsorted(keys, np.uint64(address), "left")
        last = np.searchsorted(keys, np.uint64(address | span), "right")
        found = self._order[prefix.family][first:last]
        return np.concatenate([found, self._hidden]) if len(self._hidden) else found


def _policy_drops(columns: Columns, policy: Policy, where: Attachment) -> Array:
    verdict = policy.egress if where.direction == "egress" else policy.ingress
    drops = np.full(len(columns), verdict == "drop")
    if policy.neighbor_discovery == "accept":
        drops &= ~columns.neighbor_discovery
    drops[columns.numbers["family"] == ABSENT] = policy.non_ip == "drop"
    return drops


_U64 = (1 << 64) - 1
