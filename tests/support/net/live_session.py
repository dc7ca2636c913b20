"""A TCP connection between two namespaces, as a login over SSH is one: whether it still works is tried."""

from __future__ import annotations

import socket

from tests.support.net.netns import PATIENCE, Namespace
from xdpwall.closing import Closing


class LiveSession(Closing):
    """A connection from `box` to a port of `host`."""

    def __init__(
        self,
        host: Namespace,
        box: Namespace,
        address: str,
        port: int = 22,
        *,
        listens_on: str | None = None,
    ) -> None:
        """`listens_on`: another address than that which is called."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with host.inside():
            self._listener = socket.create_server((listens_on or address, port), family=family)
        with box.inside():
            self._client = socket.create_connection((address, port), PATIENCE)
        self._server, _ = self._listener.accept()
        for one in (self._client, self._server):
            one.settimeout(PATIENCE)

    @property
    def text(self) -> str:
        """As sshd puts it into SSH_CONNECTION."""
        peer, here = self._server.getpeername(), self._server.getsockname()
        return f"{peer[0]} {peer[1]} {here[0]} {here[1]}"

    @property
    def env(self) -> dict[str, str]:
        """The environment of what is run in this session."""
        return {"SSH_CONNECTION": self.text}

    def works(self) -> bool:
        """Whether something comes through in both directions, at the latest when it is sent again."""
        for one, other in ((self._client, self._server), (self._server, self._client)):
            one.sendall(b"?")
            if other.recv(1) != b"?":
                return False
        return True

    def knock(self) -> None:
        """Send something from outside, whatever becomes of it."""
        self._client.sendall(b"!")

    def hear(self) -> bytes:
        """What knock() sent, once it has come through."""
        return self._server.recv(1)

    def close(self) -> None:
        for one in (self._client, self._server, self._listener):
            one.close()
