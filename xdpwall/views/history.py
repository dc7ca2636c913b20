"""Entries of the audit trail as they are read back."""

from __future__ import annotations

from .base import View


class Change(View):
    """One entry of the audit trail: who did what, and by which way."""

    time: str
    author: str
    """"uid 0", "token", "service", ..."""
    via: str
    """cli, socket, tcp, serve"""
    action: str
    """"add r7", "move r2 to 1", "off", ..."""
    message: str | None = None
    revision: int | None = None
