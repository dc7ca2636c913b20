"""The TCP connections of this thread's network namespace, by sock_diag(7): the kernel picks out those of a
peer, and a list of a hundred thousand is not read to its end."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from .raw_rtnl import DUMP, ask
from .sockets import ESTABLISHED, LISTEN

Address = IPv4Address | IPv6Address

NETLINK_SOCK_DIAG = 4
_TCPDIAG_GETSOCK = 18
"""Asks for both families: each question is a walk over the kernel's whole hash table."""
# struct inet_diag_req: 52 bytes of what is not asked, states, tables.
_ASKED = struct.Struct("=52xI4x")
# struct inet_diag_msg: family, state; ports; both ends; the interface that it is bound to.
_ANSWER = struct.Struct("!BBxxHH16s16s")
_BOUND = struct.Struct("=I")
_ATTRIBUTE = struct.Struct("=HH")
_REQ_BYTECODE = 1
# struct inet_diag_bc_op: code, offset when true, offset when false.
_OPERATION = struct.Struct("=BBH")
_D_COND = 8
# struct inet_diag_hostcond: family, length of the prefix, port.
_HOST = struct.Struct("=BBxxi")


@dataclass(frozen=True, slots=True)
class TcpConnection:
    """One connection."""

    peer: Address
    peer_port: int
    local: Address
    local_port: int
    bound: int = 0
    """The index of the interface that its socket is bound to; 0: none."""


def connections(peer: Address | None = None) -> Iterator[TcpConnection]:
    """Those that are established; with `peer` only its own. OSError of the kernel."""
    return _dump(ESTABLISHED, _with_peer(peer))


def listening_ports() -> set[int]:
    """The ports on which this host takes connections. OSError of the kernel."""
    return {one.local_port for one in _dump(LISTEN)}


def _dump(state: int, condition: bytes = b"") -> Iterator[TcpConnection]:
    body = _ASKED.pack(1 << state) + condition
    for message in ask(_TCPDIAG_GETSOCK, DUMP, body, family=NETLINK_SOCK_DIAG):
        kind, _, port, peer_port, local, peer = _ANSWER.unpack_from(message)
        (bound,) = _BOUND.unpack_from(message, _ANSWER.size)
        size = 4 if kind == socket.AF_INET else 16
        yield TcpConnection(_address(peer[:size]), peer_port, _address(local[:size]), port, bound)


def _with_peer(peer: Address | None) -> bytes:
    """The attribute by which the kernel picks them out (inet_diag_bc_run()): one condition, whose
    "no" leads behind the end."""
    if peer is None:
        return b""
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    host = _HOST.pack(family, peer.max_prefixlen, -1) + peer.packed
    size = _OPERATION.size + len(host)
    code = _OPERATION.pack(_D_COND, size, size + 4) + host
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(code), _REQ_BYTECODE) + code


def _address(data: bytes) -> Address:
    address = ip_address(data)
    return getattr(address, "ipv4_mapped", None) or address
