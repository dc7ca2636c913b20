"""Which rule made a flow. A flow has its rule's slot, which goes to another rule when the first has left it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from xdpwall.instance.instance import Instance
from xdpwall.values.times import epoch_seconds, epoch_text

if TYPE_CHECKING:
    from xdpwall.dataplane.flow_table import MadeBy
    from xdpwall.store.records import Snapshot

_EXACT = 3
"""Seconds to which it is known when a flow was made (ticks) and a slot given (commits)."""


class _Tenure(NamedTuple):
    """A rule had the slot of flows of these ages, in seconds."""

    rule: str
    youngest: float
    oldest: float | None

    def made(self, age: float) -> bool:
        return self.youngest <= age and (self.oldest is None or age <= self.oldest)


class FlowMakers:
    """The rules that have slots, and those that had them, as far as the history of revisions goes."""

    def __init__(self, instance: Instance, now: Snapshot, oldest: float | None = None) -> None:
        """Those who may have made flows up to `oldest` seconds old; None for all that is recorded."""
        self._seconds = instance.clock.seconds()
        since = None if oldest is None else epoch_text(max(0, int(self._seconds - oldest) - _EXACT))
        self._left: dict[int, list[tuple[float, str]]] = defaultdict(list)
        for time, rule, slot in instance.store.history.slots_left(since):
            self._left[slot].append((self._seconds - epoch_seconds(time), rule))
        self._present = {entry.slot: entry for entry in now.ruleset.entries}
        self._tenures: dict[int, list[_Tenure]] = {}

    def rule_of(self, slot: int, age: float | None) -> str | None:
        """Who made a flow; None when it is not known, or not for sure. A flow without an age is young."""
        found = {one.rule for one in self._of(slot) if one.made(age or 0)}
        return found.pop() if len(found) == 1 else None

    def flows_of(self, rule: str) -> tuple[MadeBy, ...]:
        """Which flows a rule may have made; none: no rule had this id."""
        from xdpwall.dataplane.flow_table import MadeBy

        slots = {slot for slot, entry in self._present.items() if entry.id == rule}
        slots.update(slot for slot, left in self._left.items() if any(rule in one for one in left))
        return tuple(
            MadeBy(slot, one.youngest, one.oldest)
            for slot in slots
            for one in self._of(slot)
            if one.rule == rule
        )

    def _of(self, slot: int) -> list[_Tenure]:
        if slot not in self._tenures:
            entry, left = self._present.get(slot), self._left.get(slot, [])
            present = None
            if entry is not None:
                present = entry.id, self._seconds - epoch_seconds(entry.created)
            self._tenures[slot] = _tenures(left, present)
        return self._tenures[slot]


def _tenures(left: list[tuple[float, str]], present: tuple[str, float] | None) -> list[_Tenure]:
    """Of one slot: who left it how long ago, newest first, and who has had it at most how long."""
    found: list[_Tenure] = []
    if present is not None:
        rule, age = present
        since = min([age, *(ago for ago, _ in left[:1])])
        found.append(_Tenure(rule, 0, since + _EXACT))
    for number, (ago, rule) in enumerate(left):
        # Nobody after it: a younger flow cannot be another's.
        youngest = max(0, ago - _EXACT) if found else 0
        before = left[number + 1][0] + _EXACT if number + 1 < len(left) else None
        found.append(_Tenure(rule, youngest, before))
    return found
