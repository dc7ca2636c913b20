"""The names of interfaces that a person could type."""

from __future__ import annotations

import socket


def typable_names() -> list[str]:
    """Those of this thread's network namespace, without any that holds control characters or is no
    UTF-8: a rule could not name it, and no terminal should show it."""
    return [name for _, name in socket.if_nameindex() if name.isprintable()]
