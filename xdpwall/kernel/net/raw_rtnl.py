"""Rtnetlink messages as bytes, for questions that must not import pyroute2 (0.2 to 0.4 s)."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

# linux/netlink.h
_NLM_F_REQUEST, _NLM_F_ACK, DUMP = 0x1, 0x4, 0x300
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_ACK_HEAD = 20  # struct nlmsgerr, without the request's own body
_ACK_MSG = 1  # NLMSGERR_ATTR_MSG
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_ATTRIBUTE = struct.Struct("=HH")
HEADER = struct.Struct("=IHHII")
"""Length with this header, type, flags, sequence number, port."""
RECEIVED = 1 << 17
"""Bytes that hold what the kernel puts into one datagram."""


def ask(
    kind: int, flags: int, body: bytes, *, family: int = socket.NETLINK_ROUTE
) -> Iterator[bytes]:
    """Send a request in this thread's network namespace and give the bodies of the messages that
    answer; OSError of the kernel. `flags`: 0, or DUMP; `family`: of netlink. Who has read enough closes
    the iterator."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as asking:
        asking.bind((0, 0))
        size = HEADER.size + len(body)
        asking.send(HEADER.pack(size, kind, _NLM_F_REQUEST | flags, 1, 0) + body)
        while True:
            for answer, content in messages(asking.recv(RECEIVED)):
                if answer in (_NLMSG_ERROR, _NLMSG_DONE):
                    (code,) = struct.unpack_from("=i", content)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return
                yield content
                if not flags & DUMP:
                    return


def change(kind: int, body: bytes) -> None:
    """Send a request in this thread's network namespace that the kernel carries out; OSError with its own
    words, where it has some."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asking:
        for option in (_CAP_ACK, _EXT_ACK):
            asking.setsockopt(_SOL_NETLINK, option, 1)
        asking.bind((0, 0))
        flags = _NLM_F_REQUEST | _NLM_F_ACK
        asking.send(HEADER.pack(HEADER.size + len(body), kind, flags, 1, 0) + body)
        ((_, content),) = messages(asking.recv(RECEIVED))
    (code,) = struct.unpack_from("=i", content)
    if code:
        said = dict(attributes(content[_ACK_HEAD:])).get(_ACK_MSG, b"").rstrip(b"\0")
        raise OSError(-code, said.decode(errors="replace") or os.strerror(-code))


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, body) of each message of a datagram."""
    at = 0
    while at < len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        yield kind, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(data: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each attribute, from byte `at` on."""
    last, unpack = len(data) - _ATTRIBUTE.size, _ATTRIBUTE.unpack_from
    while at <= last:
        length, kind = unpack(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
