"""The interfaces that rules can tell apart, as values of a field. Pure.

A kind is a name that rules name, or none of them, and which of the rules' selectors mean it. Kinds that no
interface can be are kept where that is not plain: they may hide a fault of a rule, and never invent one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from xdpwall.rule.iface_selector import is_pattern, is_relation, matches

_MOST_SETS = 1 << 10
"""Of patterns that may mean one interface together; further patterns are taken to mean none with others."""


class InterfaceKind(NamedTuple):
    """Interfaces that the rules do not tell apart."""

    name: str | None
    """As rules name it, or an example; None where the rules name none like it."""
    selectors: frozenset[str] = frozenset()
    """The rules' selectors with `*` or a colon that mean it."""

    @property
    def shown(self) -> str | None:
        """A word for it in a packet's sentence."""
        return self.name or min(self.selectors, default=None)

    def is_meant(self, selector: str) -> bool:
        """Whether a rule's `iface`, without its `!`, means it."""
        return selector in self.selectors if is_pattern(selector) else selector == self.name


NO_RULES = InterfaceKind(None)
"""What no rule means."""


def interface_kinds(named: Iterable[str]) -> list[InterfaceKind]:
    """The kinds of the `iface` of rules, without their `!`. The last one is what no rule means."""
    words = list(dict.fromkeys(named))
    names = [one for one in words if not is_pattern(one)]
    patterns = [one for one in words if is_pattern(one) and not is_relation(one)]
    by_name: list[tuple[str | None, frozenset[str]]] = [
        (name, frozenset(p for p in patterns if matches(p, name, None))) for name in names
    ]
    by_name += [(_example(some, patterns, names), some) for some in _together(patterns) if some]
    by_name.append((None, frozenset()))
    related = _relations([one for one in words if is_relation(one)])
    found = [InterfaceKind(name, some | more) for more, (name, some) in product(related, by_name)]
    return [*(one for one in found if one != NO_RULES), NO_RULES]


def kind_at(
    kinds: Collection[InterfaceKind], name: str | None, relations: Collection[str]
) -> InterfaceKind:
    """The kind of an interface, of which `relations` are the selectors with a colon that mean it."""
    selectors = {one for kind in kinds for one in kind.selectors}
    if name is None:
        meant = frozenset[str]()
    else:
        meant = frozenset(
            one
            for one in selectors
            if (one in relations if is_relation(one) else matches(one, name, None))
        )
    alike = [kind for kind in kinds if kind.selectors == meant]
    by_name = [kind for kind in alike if kind.name == name]
    return next(iter((*by_name, *reversed(alike))), NO_RULES)


def _relations(selectors: Collection[str]) -> list[frozenset[str]]:
    """Which of them may mean one interface together: it is a port of one master at most."""
    alike: dict[str, list[str | None]] = {}
    for one in selectors:
        alike.setdefault(one.partition(":")[0], [None]).append(one)
    return [frozenset(one for one in some if one is not None) for some in product(*alike.values())]


def _together(patterns: list[str]) -> list[frozenset[str]]:
    """Which patterns may mean one name together."""
    found = [frozenset[str]()]
    for pattern in patterns:
        more = [some | {pattern} for some in found if not any(_apart(pattern, p) for p in some)]
        if len(found) + len(more) > _MOST_SETS:
            more = [frozenset(p for p in patterns if matches(p, pattern, None))]
        found += more
    return [some for some in found if all(_wider(some, patterns))]


def _wider(some: frozenset[str], patterns: list[str]) -> Iterator[bool]:
    """For each pattern that means whatever one of `some` does: whether it is among them."""
    for pattern in patterns:
        if any(matches(pattern, one, None) for one in some):
            yield pattern in some


def _apart(one: str, other: str) -> bool:
    """Whether plainly no name is meant by both: by how they begin or end."""
    first, second = one.partition("*")[0], other.partition("*")[0]
    last, end = one.rpartition("*")[2], other.rpartition("*")[2]
    begins = first.startswith(second) or second.startswith(first)
    return not begins or not (last.endswith(end) or end.endswith(last))


def _example(some: frozenset[str], patterns: Collection[str], names: Collection[str]) -> str | None:
    """A name that just these patterns mean and rules do not name; None where none is found."""
    parts = [part for one in some for part in one.split("*") if part]
    for pattern, filling in product(sorted(some), ("0", "1", "x", "", *parts)):
        name = pattern.replace("*", filling)
        meant = frozenset(one for one in patterns if matches(one, name, None))
        if name and meant == some and name not in names:
            return name
    return None
