"""A change of one entry of a set: it is added, removed or gets another expiry."""

from __future__ import annotations

from typing import NamedTuple

from .entries import AddressEntry


class EntryChange(NamedTuple):
    """The entry's expiry in set `number` after the change and, as `was`, before it: seconds since
    1970, 0 for never, None if the set does not have the entry."""

    number: int
    entry: AddressEntry
    expires: int | None
    was: int | None = None
