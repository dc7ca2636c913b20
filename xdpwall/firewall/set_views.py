"""Sets as they are read back. What has expired is not shown, whether or not it was taken out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from xdpwall.ruleset.set_references import rules_by_set
from xdpwall.ruleset.state import State
from xdpwall.sets.entries import AddressEntry, Entries
from xdpwall.sets.names import SetRow
from xdpwall.store.sets import Held, SetData, SetStore
from xdpwall.values.times import epoch_text
from xdpwall.views.sets import SetEntries, SetEntry, SetTest, SetView

if TYPE_CHECKING:
    from xdpwall.sets.content import SetContent


def set_views(store: SetStore, state: State, rows: Iterable[SetRow]) -> list[SetView]:
    """Sets without their entries."""
    users = rules_by_set(entry.rule for entry in state.entries)
    return [_set_view(store, row, users.get(row.name, [])) for row in rows]


def _set_view(store: SetStore, row: SetRow, users: list[str]) -> SetView:
    held = store.held().get(row.number, Held())
    ends = store.next_expiry(row.number) if held.timed else None
    if ends is not None and ends <= time.time():
        over = store.expired(int(time.time()), sum(h.timed for h in store.held().values()))
        held = held.after(change for change in over if change.number == row.number)
        left = [ends for _, ends in _timed(store.read(row.number))]
        ends = min(left, default=None)
    return SetView(
        name=row.name,
        entries=held.total,
        addresses4=held.v4,
        prefixes4=held.p4,
        addresses6=held.v6,
        prefixes6=held.p6,
        timed=held.timed,
        next_expiry=None if ends is None else epoch_text(ends),
        created=row.created,
        rules=users,
    )


def entries_view(store: SetStore, row: SetRow, start: int, limit: int) -> SetEntries:
    """Some of the entries, in the order of `Entries`."""
    data = store.read(row.number)
    ends = dict(_timed(data))
    entries = data.entries.union(Entries.from_entries(ends)) if ends else data.entries
    return SetEntries(
        name=row.name,
        total=len(entries),
        start=start,
        entries=[
            SetEntry(entry=e.text, expires=epoch_text(ends[e]) if e in ends else None)
            for e in entries.part(start, limit)
        ],
    )


def content_of(store: SetStore, row: SetRow) -> SetContent:
    """All of it, as a ruleset file holds it."""
    from xdpwall.sets.content import SetContent

    data = store.read(row.number)
    ends = dict(_timed(data))
    entries = data.entries.union(Entries.from_entries(ends)) if ends else data.entries
    return SetContent(entries, {entry.text: epoch_text(at) for entry, at in ends.items()})


def membership_view(store: SetStore, row: SetRow, address: AddressEntry) -> SetTest:
    """Whether an address is in a set, and by which entries."""
    data = store.read(row.number)
    found: dict[AddressEntry, int] = dict.fromkeys(_containing(data.entries, address), 0)
    found |= {entry: ends for entry, ends in _timed(data) if contains(entry, address)}
    ends = found.values()
    return SetTest(
        name=row.name,
        address=address.text,
        found=bool(found),
        by=[entry.text for entry in sorted(found, key=lambda e: e.length)],
        expires=epoch_text(max(ends)) if found and 0 not in ends else None,
    )


def contains(entry: AddressEntry, address: AddressEntry) -> bool:
    """Whether one is inside the other, or the same."""
    bits = 32 if entry.family == 4 else 128
    same = entry.family == address.family and entry.length <= address.length
    return same and (entry.address ^ address.address) >> (bits - entry.length) == 0


def _containing(entries: Entries, address: AddressEntry) -> list[AddressEntry]:
    """The entries that an address is in: one search for each length that there is."""
    import numpy as np

    from xdpwall.sets.prefix_index import entries_of, keys_of
    from xdpwall.values.arrays import keys16

    bits = 32 if address.family == 4 else 128
    exact = Entries.from_entries([address])
    every, one = (entries.v4, exact.v4) if bits == 32 else (keys16(entries.v6), keys16(exact.v6))
    keys = keys_of(address.family, entries)
    found = (
        [address]
        if len(every) and every[np.searchsorted(every, one[0]) % len(every)] == one[0]
        else []
    )
    for length in range(bits if len(keys) else 0):
        network = address.address >> (bits - length) << (bits - length)
        wide = Entries.from_entries([AddressEntry(address.family, network, length)])
        key = keys_of(address.family, wide)[0]
        at = int(np.searchsorted(keys, key))
        if at < len(keys) and keys[at] == key:
            found += entries_of(address.family, keys[at : at + 1])
    return found


def _timed(data: SetData) -> list[tuple[AddressEntry, int]]:
    now = time.time()
    return [(entry, ends) for entry, ends in data.timed if ends > now]
