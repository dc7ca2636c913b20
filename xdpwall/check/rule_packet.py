"""A packet for a rule: one that it decides, or at least matches. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal, NamedTuple

from xdpwall.rule.match import match_of
from xdpwall.rule.rule import Rule

from .dimension import Spans
from .interface_kinds import kind_at
from .members import Members
from .search import GaveUp, find_frame, with_usual_values
from .space import KINDS, Space
from .witness import Witness, witness_of


class Side(NamedTuple):
    """An interface with a program."""

    iface: str
    egress: bool
    """Whether what goes out of it is meant."""
    relations: frozenset[str] = frozenset()
    """The selectors with a colon in rules that mean it."""


def packet_of_rule(
    rules: Sequence[Rule], number: int, members: Members, sides: Collection[Side] = ()
) -> Witness | None:
    """A frame that the rule decides at one of `sides`; else one that it matches there; else the same anywhere.
    None where none was found. Its own `enabled` does not matter; disabled ones in front of it do not count."""
    ahead = [rule for rule in rules[:number] if rule.enabled]
    asked = len(ahead)
    matches = [match_of(rule) for rule in (*ahead, rules[number])]
    spaces = [Space(kind, matches, members) for kind in KINDS]
    deciding = sum(1 << n for n, rule in enumerate(ahead) if rule.action != "count")
    for some in (tuple(sides), (None,)):
        for avoided, side, space in itertools.product((deciding, 0), some, spaces):
            if space.here[asked] and (found := _frame(space, asked, avoided, side, members)):
                return found
    return None


def _frame(
    space: Space, rule: int, avoided: int, side: Side | None, members: Members
) -> Witness | None:
    box = space.box(rule)
    if side is not None:
        box = space.limited(box, _values(space, side))
    avoid = (avoided & space.present) | space.impossible
    with suppress(GaveUp):
        choice = find_frame(space, box, avoid) if all(box) else None
        if choice is not None:
            found = witness_of(space, with_usual_values(space, box, avoid, choice), members)
            return found if found is None else _at(found, side)
    return None


def _values(space: Space, side: Side) -> Mapping[str, Spans]:
    kind = kind_at(space.interfaces, side.iface, side.relations)
    number, egress = space.interfaces.index(kind), int(side.egress)
    return {"iface": ((number, number),), "direction": ((egress, egress),)}


def _at(found: Witness, side: Side | None) -> Witness:
    if side is None:  # no interface is called like a selector
        return found if found.interface.name is not None else replace(found, iface=None)
    direction: Literal["ingress", "egress"] = "egress" if side.egress else "ingress"
    return replace(found, iface=side.iface, direction=direction)
