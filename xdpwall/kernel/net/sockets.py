"""The sockets of this thread's network namespace, as /proc/net lists them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Literal

Address = IPv4Address | IPv6Address
Kind = Literal["tcp", "udp", "raw"]

PROC_NET = Path("/proc/thread-self/net")

# Linux's TCP_ESTABLISHED and so on; a UDP socket is "established" once it has a peer.
ESTABLISHED, SYN_SENT, CLOSE_WAIT, LISTEN = 1, 2, 8, 10


@dataclass(frozen=True, slots=True)
class SocketRow:
    """One socket. `port` of a raw one is its protocol; an address of zeros is any."""

    kind: Kind
    local: Address
    port: int
    peer: Address
    peer_port: int
    state: int
    inode: int
    """0: the kernel's own, such as WireGuard's, or one that no process holds any more."""


def sockets(
    kinds: Iterable[Kind] = ("tcp", "udp", "raw"), net: Path = PROC_NET
) -> Iterator[SocketRow]:
    """Those of both families; a table that cannot be read counts as empty."""
    for kind in kinds:
        for name in (kind, f"{kind}6"):
            with suppress(OSError):
                for line in (net / name).read_text("ascii").splitlines()[1:]:
                    yield _row(kind, line.split())


def joined_groups(net: Path = PROC_NET) -> set[tuple[str, IPv4Address]]:
    """(interface, group) of every IPv4 multicast group that is joined."""
    found = set()
    name = ""
    with suppress(OSError):
        for line in (net / "igmp").read_text("ascii").splitlines()[1:]:
            first, *rest = line.split()
            if line[0].isdigit():
                name = rest[0].removesuffix(":")
            else:
                found.add((name, IPv4Address(struct.pack("=I", int(first, 16)))))
    return found


def _row(kind: Kind, words: list[str]) -> SocketRow:
    (local, port), (peer, peer_port) = (word.split(":") for word in words[1:3])
    inode = int(words[9]) if len(words) > 9 else 0
    return SocketRow(
        kind,
        _address(local),
        int(port, 16),
        _address(peer),
        int(peer_port, 16),
        int(words[3], 16),
        inode,
    )


def _address(digits: str) -> Address:
    """From 32-bit words in the host's order, as /proc/net prints them."""
    words = [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]
    address = ip_address(struct.pack(f"={len(words)}I", *words))
    return getattr(address, "ipv4_mapped", None) or address
