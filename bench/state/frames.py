"""Packets of many flows, and those of the other direction."""

from __future__ import annotations

import functools
from ipaddress import IPv4Address

from tests.support.packets.frames import ether, ipv4, tcp, udp

HERE = "10.0.1.1"
PORT = 53
_FIRST = int(IPv4Address("10.128.0.0"))
_STRIDE = 40503  # odd: i * _STRIDE goes through every number below 2**16 once


def peer(number: int) -> str:
    """The address of a flow's other end; sources are scattered, and no two are alike."""
    return str(IPv4Address(_FIRST + (number >> 16 << 16) + (number * _STRIDE & 0xFFFF)))


@functools.lru_cache(maxsize=16)
def asking(count: int, first: int = 0) -> tuple[bytes, ...]:
    """One UDP packet of each flow, from its peer: 60 bytes."""
    return tuple(
        ether(ipv4(udp(bytes(18), sport=4000, dport=PORT), src=peer(n), dst=HERE))
        for n in range(first, first + count)
    )


@functools.lru_cache(maxsize=16)
def answering(count: int) -> tuple[bytes, ...]:
    """The same flows' other direction."""
    return tuple(
        ether(ipv4(udp(bytes(18), sport=PORT, dport=4000), src=HERE, dst=peer(n)))
        for n in range(count)
    )


@functools.lru_cache(maxsize=16)
def stray(count: int) -> tuple[bytes, ...]:
    """TCP in the middle of connections that nobody has."""
    return tuple(
        ether(ipv4(tcp(bytes(6), sport=4000, flags="ack"), src=peer(n), dst=HERE))
        for n in range(count)
    )
