"""http.client over a connected unix socket. Apart, since http.client costs 30 ms to import."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping

HttpError = http.client.HTTPException


def exchange(
    connected: socket.socket,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> tuple[int, str, bytes]:
    """Send one request and read its answer: status, ETag (may be empty), content.

    Raises OSError and HttpError. The socket is closed in any case.
    """
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.getheader("ETag") or "", response.read()
    finally:
        connection.close()
        connected.close()
