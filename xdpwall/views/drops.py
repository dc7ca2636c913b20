"""The drops that `xdpwall trace` prints, and the counts of a run."""

from __future__ import annotations

import builtins
from typing import Literal

from xdpwall.values.terms import Place

from .base import View
from .packet import PacketFields


class _Cause(View):
    """The part of a drop in front of the packet's headers: who dropped it, where and why."""

    time: str
    """UTC with microseconds."""
    by: Literal["rule", "policy", "kernel", "xdp-exception"]
    """rule and policy: ours; kernel: anything else in it; xdp-exception: an XDP program, ours or
    not, failed or gave a verdict that could not be carried out."""
    rule: str | None = None
    place: Place | None = None
    """Of our attachment."""
    revision: int | None = None
    reason: str | None = None
    """The kernel's name for it, without SKB_DROP_REASON_; for an XDP exception the action. Absent
    where a driver drops for our XDP program, of which the kernel has no packet yet."""
    function: str | None = None
    """Where in the kernel: function+0xoffset."""
    program: int | None = None
    """The id of the program that failed."""
    iface: str | None = None
    behind: str | None = None
    """What lies behind it by the engine's names: "container web (nginx:1)"."""
    netns: int | None = None
    """The network namespace's inode, where it is not the one of this command."""


class Drop(PacketFields, _Cause):
    """A packet that ended. What does not apply to it, or could not be read, is absent."""

    length: int | None = None
    """Of the IP packet, by its header."""
    bytes: builtins.int | None = None
    """Of what was left of it: headers that were taken off already do not count."""
    packets: int | None = None
    """Of a super-packet (GSO, GRO) at tc: the number of packets in it."""
    pid: int | None = None
    process: str | None = None
    """The process on the CPU: the sender of outgoing packets, an interrupted one for incoming."""
    stack: list[str] | None = None
    """Innermost first."""


class DropCount(View):
    """A line of `xdpwall trace --summary`."""

    by: Literal["rule", "policy", "kernel", "xdp-exception"]
    rule: str | None = None
    reason: str | None = None
    function: str | None = None
    packets: int
    last: str
    """UTC."""


class DropSummary(View):
    """`xdpwall trace --summary`."""

    seconds: float
    drops: list[DropCount]
    """Most first."""
    packets: int
    lost: int
    """Drops that were not seen: more came than could be read."""
