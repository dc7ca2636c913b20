"""Attachments in place that judge no packet while their interface receives some.

A driver may take an XDP program and never run it: virtio_net without mergeable buffers, vmxnet3 after a
reset. What the interface has received is held against what the attachment has seen. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from xdpwall.ruleset.attachment import Attachment

INTERVAL = 5.0
"""Seconds between two samples of the service."""
WINDOW = 60.0
"""Seconds within which the packets must have come, and at least two samples have met new ones."""
ENOUGH = 20
"""Packets. A frame now and then that a card counts and keeps to itself (flow control) is none."""

_OTHERS_PACKETS = ("bond", "team")
"""Kinds whose received packets are the sum over their ports, with those that are for the ports alone:
LACP, and what comes by a backup port."""


class Sample(NamedTuple):
    """Packets by the counters of one moment, read in this order."""

    seen_before: int
    received: int
    seen: int


@dataclass(slots=True)
class _Wait:
    """An attachment whose SEEN stands still."""

    seen: int
    received: int
    since: float
    last: int
    """`received` in the sample before."""
    rises: int = 0
    """Samples in which the interface had received more than in the one before."""


class Sight:
    """Follows the samples of attachments, and tells which of them see nothing."""

    def __init__(self) -> None:
        self._waits: dict[tuple[str, str, int, str], _Wait] = {}
        self._unseen: dict[tuple[str, str, int, str], int] = {}

    def note(self, now: float, samples: Mapping[Attachment, Sample]) -> list[Attachment]:
        """Take the samples of one moment (seconds); returns the attachments that are found blind with
        them. Those that it has no sample of are forgotten: not in place, or switched off."""
        found = []
        waits, unseen = {}, {}
        for row, sample in samples.items():
            key = _key(row)
            wait = self._waits.get(key)
            if wait is None or sample.seen != wait.seen or sample.received < wait.last:
                waits[key] = _begin(sample, now)
                continue
            wait.rises += sample.received > wait.last
            wait.last = sample.received
            missed = sample.received - wait.received
            if key in self._unseen or (missed >= ENOUGH and wait.rises >= 2):
                unseen[key] = missed
                if key not in self._unseen:
                    found.append(row)
            elif now - wait.since > WINDOW:
                wait = _begin(sample, now)
            waits[key] = wait
        self._waits, self._unseen = waits, unseen
        return found

    def unseen(self, row: Attachment) -> int:
        """Packets that its interface has received since it saw its last one, once it is known to see
        nothing; 0 otherwise."""
        return self._unseen.get(_key(row), 0)


def _key(row: Attachment) -> tuple[str, str, int, str]:
    return row.iface, row.place, row.index, row.since


def _begin(sample: Sample, now: float) -> _Wait:
    # What was received between the two readings of SEEN is counted as received before: a packet that
    # was seen is never missed.
    return _Wait(sample.seen_before, sample.received, now, sample.received)


def can_be_compared(row: Attachment, *, xdp_beside: bool) -> bool:
    """Whether an attachment must see what its interface counts as received. `xdp_beside`: an XDP program
    is on it, which may take every packet before tc."""
    if row.direction == "egress" or row.kind in _OTHERS_PACKETS:
        return False
    return row.place == "xdp" or not xdp_beside


def sees_nothing(row: Attachment) -> str:
    """Say it in a warning, with what cures it."""
    again = f"xdpwall detach {row.iface} --hook {row.hook}"
    cure = (
        f"`{again}`, then `xdpwall attach {row.iface} --mode generic`"
        if row.mode == "native"
        else f"what takes its packets first: `bpftool net`, `tc filter show dev {row.iface} ingress`"
    )
    return (
        f"{row.iface} {row.place}: sees nothing: the interface receives packets, and this program is "
        f"handed none of them; {cure}"
    )
