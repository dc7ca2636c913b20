"""What is wrong with a ruleset as a whole, rule by rule, each with a packet that shows it. Pure.

A rule with an expiry is never a reason, since what it hides comes back, nor is one with a rate, which
matches only now and then; a rule that is disabled is left out. Frames that cannot be read whole are left out too: a drop rule takes those with hidden
fields even where an accept rule above takes all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from xdpwall.rule.match import Match, match_of
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import KEEP, Policy
from xdpwall.values.arrays import Array

from .dimension import Spans, intersect
from .members import Members
from .search import GaveUp, bits_of, find_frame, with_usual_values
from .space import DISCOVERY, KINDS, Kind, Space
from .witness import Witness, witness_of

Fault = Literal["equal", "contradiction", "shadowed", "impossible", "redundant"]
"""equal and contradiction: a rule in front has the same match, and the same or the other action;
shadowed: those in front decide all its packets; impossible: there are no such packets;
redundant: it decides packets, and all would be decided the same without it, their flows included."""

MOST_REASONS = 64
"""Rules that together hide one, up to which the fewest that do are looked for."""
MOST_FOLLOWERS = 64
"""Later rules of the other action that are asked whether a rule keeps packets from them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of one rule. `rule` and `because` are indexes into the rules that were asked about."""

    fault: Fault
    rule: int
    because: tuple[int, ...] = ()
    """The rules that are the reason: those that decide first, or those that would decide the same."""
    policy: bool = False
    """Whether the policy is among the reasons."""
    witness: Witness | None = None
    """A frame that the rule matches; None where none can be named, as for "impossible"."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings in the order of the rules, and the rules that took too long to ask about."""

    findings: list[Finding]
    undecided: list[int] = field(default_factory=list)


def find_faults(rules: Sequence[Rule], policy: Policy, members: Members) -> Report:
    """Ask of each enabled rule whether it can ever decide, and whether that changes anything."""
    numbers = [n for n, rule in enumerate(rules) if rule.enabled]
    analysis = _Analysis([rules[n] for n in numbers], policy, members)
    findings, undecided = [], []
    for place, number in enumerate(numbers):
        try:
            found = analysis.fault_of(place)
        except GaveUp:
            undecided.append(number)
            continue
        if found is not None:
            because = tuple(numbers[n] for n in found.because)
            findings.append(Finding(found.fault, number, because, found.policy, found.witness))
    return Report(findings, undecided)


class _Analysis:
    """The enabled rules of one ruleset, in the spaces of all kinds of frame."""

    def __init__(self, rules: Sequence[Rule], policy: Policy, members: Members) -> None:
        self._rules = rules
        self._policy = policy
        self._members = members
        matches = [match_of(rule) for rule in rules]
        self._matches = matches
        self._spaces: dict[Kind, Space] = {kind: Space(kind, matches, members) for kind in KINDS}
        lasting = [
            rule.expires is None and match.rate is None
            for rule, match in zip(rules, matches, strict=True)
        ]
        self._deciding = _bits(
            stays and rule.action != "count" for rule, stays in zip(rules, lasting, strict=True)
        )
        self._first_counting: dict[Match, int] = {}
        for number, rule in enumerate(rules):
            if rule.action == "count" and lasting[number]:
                self._first_counting.setdefault(matches[number], number)
        self._acting = _bits(rule.action != "count" for rule in rules)
        self._outcomes = [outcome_of(rule) for rule in rules]
        self._alike = {
            outcome: _bits(one == outcome for one in self._outcomes)
            for outcome in set(self._outcomes)
        }

    def fault_of(self, rule: int) -> Finding | None:
        """The worst that can be said of a rule, if anything."""
        first = self._first_counting.get(self._matches[rule], rule)
        if first < rule and self._rules[rule].action == "count":
            return Finding("equal", rule, (first,), witness=self._any_witness(rule))
        reasons: dict[int, None] = {}
        witness = None
        reached = False
        possible = False
        for space in self._kinds(rule):
            earlier = self._earlier(space, rule)
            box = space.box(rule)
            if find_frame(space, box, _row(space.overlapping, rule) & space.impossible) is None:
                continue
            possible = True
            always = self._always(space, rule)
            hiding = self._hiding(space, rule, earlier)
            if not hiding:
                reached = True
                break
            reasons.update(dict.fromkeys(hiding))
            if witness is None:
                hides = sum(1 << one for one in hiding)
                ahead = earlier & ~hides & (1 << hiding[-1]) - 1
                witness = self._witness(space, rule, ahead | always)
        if not possible:
            return Finding("impossible", rule)
        if reached:
            return self._redundant(rule)
        return Finding(
            self._name(rule, list(reasons)), rule, tuple(sorted(reasons)), False, witness
        )

    def _kinds(self, rule: int) -> Iterator[Space]:
        return (space for space in self._spaces.values() if space.here[rule])

    def _always(self, space: Space, rule: int) -> int:
        return _row(space.overlapping, rule) & space.impossible

    def _earlier(self, space: Space, rule: int) -> int:
        """The deciding rules in front of a rule that meet it."""
        return _row(space.overlapping, rule) & self._deciding & (1 << rule) - 1

    def _name(self, rule: int, reasons: list[int]) -> Fault:
        if len(reasons) == 1 and self._matches[reasons[0]] == self._matches[rule]:
            if self._outcomes[reasons[0]] == self._outcomes[rule]:
                return "equal"
            if self._rules[reasons[0]].action != self._rules[rule].action:
                return "contradiction"
        return "shadowed"

    def _hiding(self, space: Space, rule: int, earlier: int) -> list[int]:
        """The rules that decide all that `rule` matches, one if one does alone; [] if it is reached."""
        box, always = space.box(rule), self._always(space, rule)
        covering = _row(space.covering, rule) & earlier
        first = covering & -covering
        if first and find_frame(space, box, earlier & first - 1 | always) is not None:
            return bits_of(first)
        if not first and find_frame(space, box, earlier | always) is not None:
            return []
        # A rule that has all of them, and never decides itself, is no reason.
        return self._fewest(space, rule, earlier & first - 1 if first else earlier)

    def _fewest(self, space: Space, rule: int, earlier: int) -> list[int]:
        """Rules that hide `rule` together, none of them without need where they are few."""
        box, always = space.box(rule), self._always(space, rule)
        needed, some = earlier, bits_of(earlier)
        if len(some) > MOST_REASONS:
            return some
        for one in reversed(some):
            without = needed & ~(1 << one)
            with suppress(GaveUp):
                if find_frame(space, box, without | always) is None:
                    needed = without
        return bits_of(needed)

    def _shows(self, space: Space, rule: int) -> Witness | None:
        """A frame that the rule matches, and the rules that it meets on its way."""
        return self._witness(space, rule, self._always(space, rule))

    def _any_witness(self, rule: int) -> Witness | None:
        return next(filter(None, (self._shows(space, rule) for space in self._kinds(rule))), None)

    def _witness(self, space: Space, rule: int, avoid: int) -> Witness | None:
        box = space.box(rule)
        found = find_frame(space, box, avoid)
        if found is None:
            return None
        return witness_of(space, with_usual_values(space, box, avoid, found), self._members)

    def _redundant(self, rule: int) -> Finding | None:
        """Whether all that a rule decides would be decided the same without it."""
        mine = self._rules[rule]
        if mine.action == "count" or mine.log or mine.expires is not None:
            return None
        reasons: dict[int, None] = {}
        by_policy, witness = False, None
        for space in self._kinds(rule):
            box, always = space.box(rule), self._always(space, rule)
            earlier = self._earlier(space, rule) | always
            if find_frame(space, box, earlier) is None:
                continue  # of this kind it decides none
            same = self._later(space, rule) & self._deciding & self._acting_like(rule)
            if self._matters(space, rule, earlier, same):
                return None
            alone = self._one_that_would(space, rule, same)
            reasons.update(dict.fromkeys(bits_of(alone or same)))
            # Where no rule of the same action has all of them, the rest comes to the policy.
            by_policy = by_policy or find_frame(space, box, earlier | alone | same) is not None
            witness = witness or self._witness(space, rule, earlier)
        return Finding("redundant", rule, tuple(sorted(reasons)), by_policy, witness)

    def _one_that_would(self, space: Space, rule: int, same: int) -> int:
        """The bit of one later rule that has all frames of `rule`, before any of the other action."""
        all_of_them = _row(space.covering, rule) & same
        first = all_of_them & -all_of_them
        others = self._later(space, rule) & ~self._acting_like(rule) & self._acting
        return 0 if others & first - 1 else first

    def _matters(self, space: Space, rule: int, earlier: int, same: int) -> bool:
        """Whether some frame that the rule decides would be decided otherwise without it."""
        for box, action in self._policies(space, rule):
            differs = action != self._outcomes[rule]
            if differs and find_frame(space, box, earlier | same) is not None:
                return True
        box = space.box(rule)
        others = bits_of(self._later(space, rule) & ~self._acting_like(rule) & self._acting)
        for tried, other in enumerate(others):
            if tried == MOST_FOLLOWERS:
                raise GaveUp
            both = [intersect(mine, its) for mine, its in zip(box, space.box(other), strict=True)]
            if find_frame(space, both, earlier | same & (1 << other) - 1) is not None:
                return True
        return False

    def _policies(self, space: Space, rule: int) -> Iterator[tuple[list[Spans], str]]:
        """The parts of a rule's box that fall to one policy each, with its verdict."""
        box = space.box(rule)
        if space.kind == "other":
            yield box, self._policy.non_ip
            return
        for value, verdict in enumerate((self._policy.ingress, self._policy.egress)):
            part = space.limited(box, {"direction": ((value, value),)})
            yield part, verdict
            spared = self._policy.neighbor_discovery == "accept"
            if space.kind == "ipv6" and verdict == "drop" and spared:
                for frames in DISCOVERY:
                    yield space.limited(part, frames), "accept"

    def _later(self, space: Space, rule: int) -> int:
        return _row(space.overlapping, rule) & -(2 << rule) & (1 << len(self._rules)) - 1

    def _acting_like(self, rule: int) -> int:
        return self._alike[self._outcomes[rule]]


def outcome_of(rule: Rule) -> str:
    """What a rule makes of a packet that it decides: its verdict and, where that is to accept, whether
    the packet makes and refreshes a flow ("accept keep") or is looked up ("accept, looked up")."""
    if rule.action != "accept":
        return rule.action
    if rule.keep:
        return KEEP
    return "accept" if rule.state is None else "accept, looked up"


def _row(table: Array, number: int) -> int:
    return int.from_bytes(table[number].tobytes(), "little")


def _bits(flags: Iterable[bool]) -> int:
    """Bit n is set where flag n is true."""
    text = "".join("1" if flag else "0" for flag in flags)
    return int(text[::-1] or "0", 2)
