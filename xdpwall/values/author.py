"""The author of a change, for the audit trail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a change: name, way in, and message."""

    name: str = "cli"
    """"uid 0", "token", ..."""
    via: str = "cli"
    """cli, socket, tcp"""
    message: str | None = None
