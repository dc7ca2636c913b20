"""Names of interfaces as text: the kernel takes any bytes but blanks, '/' and ':'."""

from __future__ import annotations

import os
import socket


def name_text(name: str | bytes | None) -> str:
    """The name, with bytes that are no UTF-8 written as `\\xff`. pyroute2 gives such a name as bytes,
    Python with half surrogates, which no output takes."""
    if isinstance(name, str) and name.isascii():
        return name
    raw = os.fsencode(name) if isinstance(name, str) else name or b""
    return raw.rstrip(b"\0").decode("utf-8", "backslashreplace")


def interface_index() -> list[tuple[int, str]]:
    """(index, name) of every interface of this thread's network namespace."""
    return [(index, name_text(name)) for index, name in socket.if_nameindex()]
