"""Who makes a change, for the audit trail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, for the history."""

    name: str = "cli"
    """"uid 0", "token", ..."""
    via: str = "cli"
    """cli, socket, tcp"""
    message: str | None = None
