"""One entry of a set that comes, goes or gets another timeout."""

from __future__ import annotations

from typing import NamedTuple

from .entries import AddressEntry


class EntryChange(NamedTuple):
    """One entry of one set: there until `expires` (seconds since 1970, 0 for good) or, with None,
    not there; `was` likewise."""

    number: int
    entry: AddressEntry
    expires: int | None
    was: int | None = None
