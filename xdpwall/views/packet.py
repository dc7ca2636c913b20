"""A packet's headers, as both an event and a drop give them."""

from __future__ import annotations

from typing import Literal

from .base import View


class PacketFields(View):
    """The headers of one packet. What does not apply to it, or could not be read, is absent.

    JSON has the fields of a model's bases first, the last base's before the others': an event or a
    drop puts a base with its own fields behind this one.
    """

    vlan: int | None = None
    ethertype: str | None = None
    family: Literal["ipv4", "ipv6"] | None = None
    proto: str | int | None = None
    src: str | None = None
    dst: str | None = None
    sport: int | None = None
    dport: int | None = None
    icmp_type: str | int | None = None
    icmp_code: int | None = None
    tcp_flags: str | None = None
    ttl: int | None = None
    fragment: Literal["first", "later"] | None = None
    state: str | None = None
    """What flows say of it; absent: no rule asked."""
