"""Ask the kernel about one interface, in microseconds: the service asks every few seconds."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from .raw_rtnl import ask, attributes

# linux/rtnetlink.h, linux/if_link.h
_RTM_GETLINK = 18
_IFLA_MTU, _IFLA_STATS64, _IFLA_XDP, _IFLA_XDP_ATTACHED = 4, 23, 43, 2
_LINK = struct.Struct("=BxHiII")


@dataclass(frozen=True, slots=True)
class LinkState:
    """One interface at one moment."""

    received: int
    """Packets, as its driver counts them."""
    has_xdp: bool
    """Whether an XDP program of anybody is on it."""
    mtu: int


def link_state(index: int) -> LinkState:
    """OSError of the kernel, ENODEV without the interface."""
    body = _LINK.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    packets, has_xdp, mtu = 0, False, 0
    for message in ask(_RTM_GETLINK, 0, body):
        for kind, value in attributes(message[_LINK.size :]):
            if kind == _IFLA_STATS64:
                (packets,) = struct.unpack_from("=Q", value)  # rx_packets
            elif kind == _IFLA_MTU:
                (mtu,) = struct.unpack_from("=I", value)
            elif kind == _IFLA_XDP:
                has_xdp = any(
                    inner == _IFLA_XDP_ATTACHED and nested[:1] != b"\0"
                    for inner, nested in attributes(value)
                )
    return LinkState(packets, has_xdp, mtu)
