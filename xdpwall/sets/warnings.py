"""Warnings about what a set is to hold: allowed, and yet perhaps not meant. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .entries import Entries
from .timed import TimedEntries

if TYPE_CHECKING:
    from .content import SetContent


def set_warnings(
    wanted: Mapping[str, SetContent] | None, contents: Mapping[str, TimedEntries] | None
) -> list[str]:
    """Warnings about the sets of a ruleset by name. `contents`: without what has expired."""
    return [
        text
        for name, content in (wanted or {}).items()
        for text in content_warnings(name, content, len((contents or {})[name]))
    ]


def content_warnings(name: str, content: SetContent, kept: int) -> list[str]:
    """Warnings about one set, of which `kept` entries have not expired."""
    found = everything_warnings(name, content.entries)
    if over := len(content) - kept:
        found.append(f"set {name}: {over:,} entries are left out: their time is over")
    if not kept and not content.allow_empty:
        found.append(f"set {name}: the list holds no entry, and the set is empty")
    return found


def everything_warnings(name: str, entries: Entries) -> list[str]:
    """A prefix of length 0 is every address of its family."""
    found = []
    if len(entries.p4) and not entries.p4[0]:
        found.append(f"set {name}: 0.0.0.0/0 is every IPv4 address")
    if len(entries.p6) and not entries.p6[0]["length"] and not entries.p6[0]["hi"]:
        found.append(f"set {name}: ::/0 is every IPv6 address")
    return found
