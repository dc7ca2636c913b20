"""Sets as they are read back: the models that the command line prints and the API answers."""

from __future__ import annotations

from pydantic import Field

from .base import View


class SetView(View):
    """A set, without its entries."""

    name: str
    entries: int
    addresses4: int = 0
    prefixes4: int = 0
    addresses6: int = 0
    prefixes6: int = 0
    timed: int = 0
    """How many of the entries have a time at which they expire."""
    next_expiry: str | None = None
    created: str
    rules: list[str] = Field(default_factory=list)
    """The ids of the rules that name it."""


class SetList(View):
    """GET /sets, by name."""

    sets: list[SetView]


class SetEntry(View):
    """One entry as read back."""

    entry: str
    expires: str | None = None


class SetEntries(View):
    """A part of a set's entries: IPv4 addresses, IPv4 prefixes, IPv6 addresses, IPv6 prefixes."""

    name: str
    total: int
    start: int = 0
    entries: list[SetEntry]


class SetShown(View):
    """GET /sets/{name}: the set, and its entries from `start` on."""

    set: SetView
    start: int = 0
    entries: list[SetEntry]


class SetOutcome(View):
    """The answer to creating a set or replacing its entries."""

    revision: int
    set: SetView
    changed: bool
    warnings: list[str] = []


class SetChange(View):
    """The answer to adding and removing entries."""

    name: str
    added: int
    removed: int
    unchanged: int
    """Entries that already were as asked: there with the same timeout, or not there to remove."""
    entries: int
    """How many the set has now."""
    warnings: list[str] = []


class SetTest(View):
    """Whether an address is in a set."""

    name: str
    address: str
    found: bool
    by: list[str] = Field(default_factory=list)
    """The entries that contain it, the widest first."""
    expires: str | None = None
    """When it leaves the set; absent when it stays."""
