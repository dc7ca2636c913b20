"""Who is at the other end of a connection to the service: a user of this host, by uid."""

from __future__ import annotations

import socket
import struct

from xdpwall.kernel.net.socket_owner import SocketOwners

_UCRED = struct.Struct("3i")


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
