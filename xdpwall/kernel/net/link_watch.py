"""Hear of changes of interfaces and of tc from rtnetlink, in this thread's network namespace."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field

from xdpwall.closing import Closing

from .raw_rtnl import RECEIVED, messages

# linux/rtnetlink.h
_GROUPS = 0x1 | 0x8  # RTMGRP_LINK | RTMGRP_TC
_RTM_NEWLINK, _RTM_DELLINK = 16, 17
_BUFFER = 1 << 20
"""Bytes of messages that wait: a thousand interfaces that come at once."""


@dataclass(slots=True)
class LinkNews:
    """What was heard; hints where to look, never what is."""

    gone: set[int] = field(default_factory=set)
    """Indexes of interfaces that left: deleted, or moved to another network namespace."""
    changed: set[int] = field(default_factory=set)
    """Indexes of interfaces that came or changed, and of those whose tc did."""
    lost: bool = False
    """Messages were lost: only a full look tells what has changed."""
    waited: bool = False
    """Some had come before they were waited for."""


class LinkWatch(Closing):
    """A subscription, from construction to close(). wake() and close() may be called by any thread."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind((0, _GROUPS))
        self._socket.setblocking(False)
        self._waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def wake(self) -> None:
        """End the wait of another thread."""
        os.eventfd_write(self._waker, 1)

    def wait(self, seconds: float, others: Collection[int] = ()) -> LinkNews:
        """Wait until something is heard or one of `others` is readable, at most so long, and return all that
        was heard."""
        waiting = select.poll()  # select() has no room for descriptors past 1023
        for one in (self._socket.fileno(), self._waker, *others):
            waiting.register(one, select.POLLIN)
        heard = self._socket.fileno()
        news = LinkNews(waited=any(fd == heard for fd, _ in waiting.poll(0)))
        if not news.waited:
            waiting.poll(seconds * 1000)
        with suppress(BlockingIOError):
            os.eventfd_read(self._waker)
        while True:
            try:
                data = self._socket.recv(RECEIVED)
            except BlockingIOError:
                return news
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                news.lost = True
                continue
            for kind, body in messages(data):
                family, index = struct.unpack_from("=Bxxxi", body)
                if kind == _RTM_DELLINK and family == socket.AF_UNSPEC:
                    news.gone.add(index)
                else:  # of a bridge's port, RTM_DELLINK says only that it left the bridge
                    news.changed.add(index)

    def close(self) -> None:
        """End the subscription."""
        self._socket.close()
        os.close(self._waker)
