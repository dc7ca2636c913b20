"""Join the two records of one drop: our program's verdict, and the kernel freeing the packet. Pure.

The kernel frees it on the same CPU right after the verdict. No field identifies the packet in both
records, so they are joined by its interface, addresses, protocol and ports.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from xdpwall.views.drops import Drop
from xdpwall.views.events import PacketEvent
from xdpwall.views.packet import PacketFields

REASONS = {"xdp": "XDP", "tc-ingress": "TC_INGRESS", "tc-egress": "TC_EGRESS"}
"""An attachment's place -> the kernel's reason for a drop there."""
_ANY_REASON = "NOT_SPECIFIED"
_NEAR_NS = 100_000_000
"""At most so long after the verdict: a virtual machine may be stopped between the two records."""
_MOST = 256
"""Records examined for one partner: a bound in a flood between the same two hosts."""
_FIELDS = (
    "time",
    "rule",
    "place",
    "revision",
    "iface",
    "length",
    "bytes",
    *PacketFields.model_fields,
)
_Key = tuple[str | None, str | None, str | None]


class Pairing:
    """Holds drops back until both records of each must have come."""

    def __init__(self, begun: int = 0) -> None:
        """`begun` (ns): our programs report from then on. What the kernel freed before is left out, and
        shortly after also what may be ours: of that our record may be missing."""
        self.begun = begun
        self._start = begun
        self._waiting: list[tuple[int, Drop | PacketEvent]] = []
        self._freed: defaultdict[_Key, list[tuple[int, Drop]]] = defaultdict(list)
        self._taken: set[int] = set()

    def add(self, drops: Iterable[tuple[int, Drop | PacketEvent]]) -> None:
        """(ns, drop): the kernel's as Drop, ours as PacketEvent. In any order."""
        for at, drop in drops:
            if at < self._start:
                continue
            insort(self._waiting, (at, drop), key=_time)
            if isinstance(drop, Drop) and _may_be_own(drop):
                insort(self._freed[_key(drop)], (at, drop), key=_time)

    def ready(self, until: int) -> list[Drop]:
        """The drops before `until` (ns), oldest first, two records of one drop joined."""
        end = bisect_left(self._waiting, until, key=_time)
        old = self._waiting[:end]
        del self._waiting[:end]
        found = []
        for at, drop in old:
            if isinstance(drop, PacketEvent):
                found.append(_merge(drop, self._partner(at, drop)))
            elif id(drop) in self._taken:
                self._taken.discard(id(drop))
            else:
                if not (self.begun and at < self.begun + _NEAR_NS and _may_be_own(drop)):
                    found.append(drop)
                self._forget(at, drop)
        return found

    def _partner(self, at: int, ours: PacketEvent) -> Drop | None:
        queue = self._freed.get(_key(ours), [])
        index = None
        # Nearly always it is the first.
        for n, (freed, drop) in enumerate(queue[:_MOST]):
            if freed > at + _NEAR_NS:
                break
            if freed < at or drop.reason not in (REASONS[_place(ours)], _ANY_REASON):
                continue
            if _ports(drop) == _ports(ours):
                index = n
                break
            if index is None and (drop.reason != _ANY_REASON or _may_be_one(drop, ours)):
                index = n
        if index is None:
            return None
        _, drop = queue.pop(index)
        self._taken.add(id(drop))
        return drop

    def _forget(self, at: int, drop: Drop) -> None:
        key = _key(drop)
        queue = self._freed.get(key)
        if queue is not None:
            del queue[: bisect_right(queue, at, key=_time)]
            if not queue:
                del self._freed[key]


def _time(one: tuple[int, object]) -> int:
    return one[0]


def _may_be_own(drop: Drop) -> bool:
    return drop.netns is None and drop.reason in {*REASONS.values(), _ANY_REASON}


def _place(ours: PacketEvent) -> str:
    return ours.place or "xdp"


def _key(drop: Drop | PacketEvent) -> _Key:
    return drop.iface, drop.src if drop.family else drop.ethertype, drop.dst


def _ports(drop: Drop | PacketEvent) -> tuple[Any, ...]:
    return drop.proto, drop.sport, drop.dport, drop.icmp_type


def _may_be_one(drop: Drop, ours: PacketEvent) -> bool:
    """Whether the fields that both records have agree: only ours knows a later fragment's ports."""
    pairs = zip(_ports(drop), _ports(ours), strict=True)
    return all(one == other or one is None or other is None for one, other in pairs)


def _merge(ours: PacketEvent, freed: Drop | None) -> Drop:
    fields = {name: getattr(ours, name) for name in _FIELDS}
    found: dict[str, Any] = {
        **fields,
        "by": "rule" if ours.rule else "policy",
        "reason": REASONS[_place(ours)],
        "ethertype": None if ours.family else ours.ethertype,
        "packets": ours.packets if ours.packets > 1 else None,
    }
    if freed is not None:
        for name in ("function", "pid", "process", "stack"):
            found[name] = getattr(freed, name)
    return Drop.model_construct(**found)
