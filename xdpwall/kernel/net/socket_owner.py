"""Whose a TCP socket of this host is, asked of the kernel by sock_diag(7)."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from ipaddress import ip_address

from .sockets import ESTABLISHED

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBBI")
# struct inet_diag_msg: family, state, timer, retrans; 48 bytes of ends; expires, rqueue, wqueue, uid,
# inode.
_ANSWER = struct.Struct("=BBBB48xIIIII")


class SocketOwners:
    """Asks by one netlink socket of this thread's network namespace, 6 us a question. Not thread-safe."""

    def __init__(self) -> None:
        self._netlink: socket.socket | None = None
        with suppress(OSError):
            self._netlink = _open()

    def owner_of(self, local: tuple[str, int], peer: tuple[str, int]) -> int | None:
        """The uid that made the established socket from `local` to `peer`.

        None when there is none, when its owner has closed it (what is left of it says uid 0), or
        when the kernel cannot be asked.
        """
        try:
            return self._ask(local, peer)
        except OSError:  # no inet_diag, or an answer got lost: the next question has a new socket
            self.close()
            return None

    def close(self) -> None:
        """Give the netlink socket back; the next question opens another one."""
        if self._netlink is not None:
            with suppress(OSError):
                self._netlink.close()
            self._netlink = None

    def _ask(self, local: tuple[str, int], peer: tuple[str, int]) -> int | None:
        if self._netlink is None:
            self._netlink = _open()
        ends = [ip_address(local[0]), ip_address(peer[0])]
        family = socket.AF_INET if ends[0].version == 4 else socket.AF_INET6
        asked = _ASKED.pack(family, socket.IPPROTO_TCP, 0, 0, _NO_COOKIE)
        asked += struct.pack("!HH", local[1], peer[1])
        asked += b"".join(one.packed.ljust(16, b"\0") for one in ends)
        asked += struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
        size = _HEADER.size + len(asked)
        self._netlink.send(_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + asked)
        answer = self._netlink.recv(8192)
        if len(answer) < _HEADER.size + _ANSWER.size:
            return None
        if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
            return None  # NLMSG_ERROR: there is no such socket
        _, state, *_, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
        return uid if state == ESTABLISHED and inode else None


def _open() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    made = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
    made.settimeout(1.0)
    return made
