"""The data of the events of GET /events, one model for each event."""

from __future__ import annotations

from typing import Literal

from xdpwall.ruleset.policy import Policy

from .attachments import AttachmentTotals, AttachmentView, InterfaceView, WantedView
from .base import Count, View
from .events import EventCounts, Packets
from .history import Change
from .pending import PendingView
from .rules import RuleView
from .status import Status


class RuleDelta(View):
    """A rule whose counters are others than in the event before; the counts are the whole ones."""

    id: str
    packets: int
    bytes: int
    limited: int | None = None
    answered: int | None = None
    last_hit: str | None = None


class Counters(View):
    """`counters`, once a second. Rates: divide the differences by that of `time`."""

    revision: int
    time: float
    """Seconds, monotonic clock of the host."""
    rules: list[RuleDelta]
    """Only those that changed."""
    attachments: list[AttachmentTotals]
    """All of them."""
    policy_dropped: Count
    """Dropped because no rule decided, on all attachments together."""
    events: EventCounts = EventCounts()
    """What became of the packets that should have been reported."""


class RulesChanged(View):
    """`rules`: the ruleset is another one, or a rule has expired.

    To follow: take the rules of `removed` and of `rules` out, then put those of `rules` in, each
    at its `position`, in the order given.
    """

    revision: int
    added: list[str]
    removed: list[str]
    changed: list[str]
    moved: list[str]
    rules: list[RuleView]
    """Those added, changed and moved, in order."""
    by: list[Change]
    """Who made the changes since the event before; empty when a rule expired by itself."""


class AttachmentsChanged(View):
    """`attachments`: ours, or the interfaces, or others' programs on them."""

    attachments: list[AttachmentView]
    interfaces: list[InterfaceView]
    wanted: list[WantedView]
    """By policy."""
    by: list[Change]
    """Empty when the interface itself changed."""


class PolicyChanged(View):
    """`policy`."""

    revision: int
    policy: Policy
    by: list[Change]


class SwitchChanged(View):
    """`switch`: the firewall was turned on or off."""

    on: bool
    by: list[Change]


class PendingChanged(View):
    """`pending`: a change waits for its confirmation, or none does any more.

    A revision below that of the change which waited: it was taken back; else it was confirmed.
    """

    revision: int
    """In force now."""
    time: float
    """When `seconds_left` was read: seconds, monotonic clock of the host, as in `counters`."""
    pending: PendingView | None = None
    """Absent when nothing waits."""
    by: list[Change]
    """The `action` of the last one says how it ended."""


class WarningsChanged(View):
    """`warnings`: those of GET /status, when they are others than before."""

    warnings: list[str]


class EventsSnapshot(View):
    """`snapshot`, the first event unless the stream was resumed: everything at one moment."""

    status: Status
    rules: list[RuleView]
    interfaces: list[InterfaceView]
    counters: Counters
    """Its `rules` is empty: each rule above has its counts."""


class StreamEnd(View):
    """`end`: the last event of a stream that the service ends."""

    reason: Literal["slow", "stopping", "refused"]
    detail: str


EVENTS: dict[str, type[View]] = {
    "snapshot": EventsSnapshot,
    "counters": Counters,
    "rules": RulesChanged,
    "attachments": AttachmentsChanged,
    "policy": PolicyChanged,
    "switch": SwitchChanged,
    "pending": PendingChanged,
    "warnings": WarningsChanged,
    "packets": Packets,
    "end": StreamEnd,
}
"""Event name -> its data."""
