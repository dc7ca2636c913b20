"""Who is at the other end of a connection to the service: a user of this host, by uid."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from contextlib import suppress

from xdpwall.kernel.net.socket_owner import SocketOwners

_UCRED = struct.Struct("3i")
_SO_PEERGROUPS = 59
"""asm-generic/socket.h, since Linux 4.13; the socket module has no name for it."""
_MOST_BYTES = 1024
"""What the socket module takes at most: 256 groups."""


class PeerOwners:
    """The uids of peers, by unix socket or TCP of this host. To be used by one thread."""

    def __init__(self) -> None:
        self._owners = SocketOwners()

    def uid_of(self, connection: socket.socket) -> int | None:
        """The uid at the other end of an accepted connection; None where it is not known."""
        if connection.family == socket.AF_UNIX:
            size = _UCRED.size
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            uid: int = _UCRED.unpack(credentials)[1]
            return uid
        try:
            peer, here = connection.getpeername()[:2], connection.getsockname()[:2]
        except OSError:  # It is gone already.
            return None
        return self._owners.owner_of(peer, here)

    def close(self) -> None:
        """Give the netlink socket back."""
        self._owners.close()


def peer_groups(connection: socket.socket) -> tuple[int, ...]:
    """The groups, its own one first, of the process that connected to a unix socket, as they were then."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, gid = _UCRED.unpack(credentials)
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
    except OSError:
        # More than fit: those that the user has by name.
        with suppress(KeyError, OSError):
            return (gid, *os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
        return (gid,)
    return (gid, *struct.unpack(f"{len(raw) // 4}I", raw))
