"""What first fragments said, for the later ones of the same datagram."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.oracle.reference.packet import L4, TCP, Packet

SECONDS = 60
"""How long a first fragment is remembered."""

REMEMBERED = ("proto", *L4)


class FragmentMemory:
    """One memory is shared by all attachments, and outlives any change of rules."""

    def __init__(self) -> None:
        self._firsts: dict[tuple[int, ...], tuple[float, dict[str, Any]]] = {}

    def meet(self, packet: Packet, now: float = 0.0) -> Packet:
        """The packet as it is judged at `now` (seconds): a later fragment with its first one's L4.

        A first fragment is remembered, in the place of an older one of the same key.
        """
        if packet.key is None:
            return packet
        if packet.fragment == "first":
            said = {name: getattr(packet, name) for name in REMEMBERED}
            self._firsts[packet.key] = (now, said)
            return packet
        when, said = self._firsts.get(packet.key, (None, {}))
        if when is not None and now - when < SECONDS:
            packet = replace(packet, **said)
        if packet.proto == TCP and packet.offset == 1:
            return packet.hiding_l4("a TCP fragment at 8 bytes would overwrite the flags")
        return packet

    def forget(self) -> None:
        """As after a reboot."""
        self._firsts.clear()
