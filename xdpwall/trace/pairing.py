"""One packet that we dropped and the kernel then freed is one drop, and ours. Pure.

The kernel frees it on the same CPU right after our program's verdict. Nothing names the packet in
both records, so they are matched by what is in it: interface, addresses, protocol and ports.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

from ..views_packets import PacketEvent
from ..views_trace import Drop

REASONS = {"xdp": "XDP", "tc-ingress": "TC_INGRESS", "tc-egress": "TC_EGRESS"}
"""By our attachment's place: what the kernel calls it."""
_ANY_REASON = "NOT_SPECIFIED"
_NEAR_NS = 10_000_000
"""Between the two; a virtual machine may stop in between."""
_FIELDS = (
    "time", "rule", "place", "revision", "iface", "vlan", "family", "proto", "src", "dst", "sport",
    "dport", "icmp_type", "icmp_code", "tcp_flags", "ttl", "fragment", "length", "bytes",
)  # fmt: skip
_Key = tuple[str | None, str | None, str | None]


class Pairing:
    """Holds drops back for a moment, so that both records of one have come."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, Drop | PacketEvent]] = []
        self._freed: defaultdict[_Key, deque[tuple[int, Drop]]] = defaultdict(deque)
        self._taken: set[int] = set()
        self._count = 0

    def add(self, drops: Iterable[tuple[int, Drop | PacketEvent]]) -> None:
        """(ns, drop): the kernel's as Drop, ours as PacketEvent. In any order."""
        for at, drop in drops:
            self._count += 1
            insort(self._waiting, (at, self._count, drop), key=lambda one: one[:2])
            if isinstance(drop, Drop) and _may_be_ours(drop):
                self._freed[_key(drop)].append((at, drop))

    def ready(self, until: int) -> list[Drop]:
        """Those of before `until` (ns), oldest first; both records of a drop as one."""
        found = []
        while self._waiting and self._waiting[0][0] < until:
            at, _, drop = self._waiting.pop(0)
            if isinstance(drop, PacketEvent):
                found.append(_ours(drop, self._partner(at, drop)))
            elif id(drop) in self._taken:
                self._taken.discard(id(drop))
            else:
                found.append(drop)
                self._forget(drop)
        return found

    def _partner(self, at: int, ours: PacketEvent) -> Drop | None:
        queue = self._freed.get(_key(ours), ())
        near = [
            one
            for one in queue
            if at <= one[0] <= at + _NEAR_NS
            and one[1].reason in (REASONS[_place(ours)], _ANY_REASON)
        ]
        same = [one for one in near if _ports(one[1]) == _ports(ours)]
        sure = [one for one in near if one[1].reason != _ANY_REASON]
        if not (same or sure):
            return None
        _, drop = min(same or sure, key=lambda one: one[0])
        self._taken.add(id(drop))
        self._forget(drop)
        return drop

    def _forget(self, drop: Drop) -> None:
        key = _key(drop)
        queue = self._freed.get(key)
        if queue is None:
            return
        self._freed[key] = deque(one for one in queue if one[1] is not drop)
        if not self._freed[key]:
            del self._freed[key]


def _may_be_ours(drop: Drop) -> bool:
    return drop.netns is None and drop.reason in {*REASONS.values(), _ANY_REASON}


def _place(ours: PacketEvent) -> str:
    return ours.place or "xdp"


def _key(drop: Drop | PacketEvent) -> _Key:
    return drop.iface, drop.src if drop.family else drop.ethertype, drop.dst


def _ports(drop: Drop | PacketEvent) -> tuple[Any, ...]:
    return drop.proto, drop.sport, drop.dport, drop.icmp_type


def _ours(ours: PacketEvent, freed: Drop | None) -> Drop:
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
