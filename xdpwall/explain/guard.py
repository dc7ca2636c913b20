"""The lock-out guard: which connections would be cut by what is about to be in force.

Their packets are run through the classifier as it is and as it would be. One that passes and would be
dropped cuts its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xdpwall.dataplane.explaining import Answer
from xdpwall.errors import LockOut
from xdpwall.rule.rule import Rule
from xdpwall.values.inputs import first_few
from xdpwall.values.terms import Place

from .connections import FULL, GuardedConnection, frame_of, is_tcp, lengths_told_apart, packets_of
from .frame import Frame
from .words import AskedPacket

LOOPBACK = "lo"
MOST_NAMED = 16
"""Connections in one refusal."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One attachment on a connection's way."""

    iface: str
    place: Place
    number: int
    vlan: int | None
    """The id of the packets' tag there; None: they have none."""
    merged: bool = False
    """TCP segments are met as one packet there, longer than any on the wire."""


@dataclass(frozen=True, slots=True)
class Judges:
    """How packets are judged before and after, and by what."""

    passes: Callable[[Frame, Spot], bool]
    """Whether it passes there now."""
    judge: Callable[[Frame, Spot], Answer]
    """What becomes of it then."""
    rule_of: Callable[[int], tuple[int, Rule] | None]
    """(position from 1, rule) of a slot."""
    rules: Callable[[], Sequence[Rule]]
    """Those then in force, in order."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A connection that would be cut, by the first of its packets that would be dropped."""

    connection: GuardedConnection
    spot: Spot
    packet: AskedPacket
    slot: int | None
    """Of the rule that drops it; None: the policy does."""


def find_cut(connection: GuardedConnection, spots: Sequence[Spot], judges: Judges) -> Cut | None:
    """How a connection would be cut; None where it would not."""
    if not spots:
        return None
    told_apart = connection.whose != "other"
    packets = packets_of(connection, lengths_told_apart(judges.rules()) if told_apart else ())
    for spot in spots:
        for packet in packets:
            if not _meets(packet, spot):
                continue
            for vlan in _tags(spot):
                frame = frame_of(packet, vlan)
                answer = judges.judge(frame, spot)
                if answer.dropped and judges.passes(frame, spot):
                    slot = None if answer.by is None else answer.by.slot
                    return Cut(connection, spot, packet, slot)
    return None


def _meets(packet: AskedPacket, spot: Spot) -> bool:
    if (packet.length or 0) > FULL and not spot.merged:
        return False
    if spot.iface == LOOPBACK:  # both directions leave by it, and come in by it
        return packet.family is not None and packet.proto is not None and is_tcp(packet)
    return (packet.direction == "egress") == (spot.place == "tc-egress")


def _tags(spot: Spot) -> tuple[int | None, ...]:
    """XDP meets the tag in the frame, or not at all where the card has taken it off."""
    return (spot.vlan, None) if spot.place == "xdp" and spot.vlan is not None else (spot.vlan,)


def lock_out(cuts: Sequence[Cut], judges: Judges, *, confirmable: bool) -> LockOut:
    """The refusal, with all that a page needs to show it."""
    first = cuts[0]
    cause = _cause(first, judges)
    more = f", and {len(cuts) - 1} more" if len(cuts) > 1 else ""
    where = f" on {first.spot.iface} ({first.spot.place})"
    confirm = "; --confirm 60 has the kernel take it back unless it is confirmed"
    return LockOut(
        f"{_cause_words(cause)} would cut {first.connection.words}{where}{more}"
        f"{_needed(first.packet)}",
        hint="--force does it all the same" + (confirm if confirmable else ""),
        told={
            **cause,
            "connections": [_connection(one) for one in cuts[:MOST_NAMED]],
            "count": len(cuts),
            "passed_by": ["force", "confirm"] if confirmable else ["force"],
        },
    )


def own_words(cuts: Sequence[Cut], judges: Judges) -> str:
    """A warning about connections that are cut since the asker will have it so."""
    more = f", and {len(cuts) - 1} more" if len(cuts) > 1 else ""
    return f"{_cause_words(_cause(cuts[0], judges))} cuts {cuts[0].connection.words}{more}"


def other_words(cuts: Sequence[Cut], judges: Judges, *, looked: int, all_of_them: bool) -> str:
    """A warning about connections of others."""
    count = len(cuts)
    which = "1 established connection" if count == 1 else f"{count} established connections"
    seen = "" if all_of_them else f" of the {looked} that were looked at"
    by = list(dict.fromkeys(_cause_words(_cause(one, judges)) for one in cuts))
    ends = first_few([one.connection.words for one in cuts], 3)
    return f"cuts {which}{seen}: {ends}; by {first_few(by, 3)}"


def _cause(cut: Cut, judges: Judges) -> dict[str, Any]:
    found = None if cut.slot is None else judges.rule_of(cut.slot)
    if found is not None:
        position, rule = found
        return {"rule": rule.id, "position": position, "text": rule.text}
    if cut.slot is not None:
        return {"text": "a rule that is not known here"}
    if cut.packet.family is None:
        return {"policy": "non_ip drop"}
    return {"policy": "egress drop" if cut.spot.place == "tc-egress" else "ingress drop"}


def _cause_words(cause: Mapping[str, Any]) -> str:
    if "policy" in cause:
        return f"the policy {cause['policy']}"
    if "rule" in cause:
        name = cause["position"] if cause["rule"] is None else cause["rule"]
        return f"rule {name} ({cause['text']})"
    return str(cause["text"])


def _needed(packet: AskedPacket) -> str:
    if is_tcp(packet):
        return ""
    what = "ARP" if packet.family is None else "IPv6 neighbour discovery"
    return f", which {what} keeps reachable"


def _connection(cut: Cut) -> dict[str, Any]:
    one = cut.connection
    told: dict[str, Any] = {
        "whose": one.whose,
        "peer": str(one.peer),
        "peer_port": one.peer_port,
        "local": str(one.local),
        "local_port": one.local_port,
        "iface": cut.spot.iface,
        "place": cut.spot.place,
        "words": one.words,
    }
    return {**told, "user": one.user} if one.user else told
