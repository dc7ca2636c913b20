"""What explaining says of a SYN that a rule with `cookie` accepts: it answers none itself."""

from __future__ import annotations

from xdpwall.rule.rule import Rule
from xdpwall.values.terms import Place

from .near_miss import ReadPacket

_SYN, _OPENS = 0x02, 0x17
"""SYN; and with it ACK, RST and FIN, none of which a SYN that opens a connection has."""


def cookie_note(rule: Rule | None, packet: ReadPacket, place: Place) -> str | None:
    """A note on a SYN that the rule accepts at XDP; None for any other packet."""
    if rule is None or not rule.cookie or place != "xdp":
        return None
    flags = packet.tcp_flags
    if not isinstance(flags, int) or flags & _OPENS != _SYN:
        return None
    return (
        "it would be answered at XDP when the listener's queue is full, if its checksums are right and it"
        " has neither options nor extension headers; else it passes to the listener"
    )
