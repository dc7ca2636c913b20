"""Requests over the unix socket as another user of this host."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
from collections.abc import Iterator, Sequence

from tests.support.service.service import START, Service


@contextlib.contextmanager
def connected_as(
    service: Service, uid: int, groups: Sequence[int] = ()
) -> Iterator[http.client.HTTPConnection]:
    """A connection that a process of this user, with these groups besides its own, made.

    The socket's own permission is out of the way: what the service makes of the peer is the question.
    """
    path = service.settings.socket
    os.chmod(path, 0o666)
    os.chmod(path.parent, 0o755)
    connection = http.client.HTTPConnection("localhost", timeout=START)
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(START)
    before, here = os.getgroups(), os.open(".", os.O_PATH)
    try:
        os.chdir(path.parent)  # Folders above it may be root's alone.
        os.setgroups(groups)
        os.setegid(uid)
        os.seteuid(uid)
        try:
            connection.sock.connect(path.name)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(before)
            os.fchdir(here)
        yield connection
    finally:
        os.close(here)
        connection.close()
