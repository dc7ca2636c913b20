"""Sets as they are read back. Expired entries are not shown, even before they are removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.ruleset.set_references import rules_by_set
from xdpwall.sets.entries import AddressEntry
from xdpwall.sets.membership import entries_containing
from xdpwall.sets.names import SetRow
from xdpwall.store.set_counts import EntryCounts
from xdpwall.store.sets import SetStore
from xdpwall.values.times import epoch_text
from xdpwall.views.sets import SetEntries, SetEntry, SetTest, SetView

if TYPE_CHECKING:
    from xdpwall.sets.content import SetContent


def set_views(
    store: SetStore, ruleset: CommittedRuleset, rows: Iterable[SetRow], now: float
) -> list[SetView]:
    """The views of sets, without their entries, at `now`, in seconds since 1970."""
    users = rules_by_set(entry.rule for entry in ruleset.entries)
    return [_set_view(store, row, users.get(row.name, []), now) for row in rows]


def _set_view(store: SetStore, row: SetRow, users: list[str], now: float) -> SetView:
    counts = store.entry_counts().get(row.number, EntryCounts())
    next_expiry = store.next_expiry(row.number) if counts.timed else None
    if next_expiry is not None and next_expiry <= now:
        timed = sum(one.timed for one in store.entry_counts().values())
        expired = store.expired_entries(int(now), timed)
        counts = counts.after(change for change in expired if change.number == row.number)
        left = store.read_set(row.number).unexpired(now)
        next_expiry = min(left.expiring.values(), default=None)
    return SetView(
        name=row.name,
        entries=counts.total,
        addresses4=counts.v4,
        prefixes4=counts.p4,
        addresses6=counts.v6,
        prefixes6=counts.p6,
        timed=counts.timed,
        next_expiry=None if next_expiry is None else epoch_text(next_expiry),
        created=row.created,
        rules=users,
    )


def entries_view(store: SetStore, row: SetRow, start: int, limit: int, now: float) -> SetEntries:
    """Up to `limit` of a set's entries from `start` on, in the order of `Entries.part`."""
    content = store.read_set(row.number).unexpired(now)
    entries, expiring = content.all(), content.expiring
    return SetEntries(
        name=row.name,
        total=len(entries),
        start=start,
        entries=[
            SetEntry(entry=e.text, expires=epoch_text(expiring[e]) if e in expiring else None)
            for e in entries.part(start, limit)
        ],
    )


def content_of(store: SetStore, row: SetRow, now: float) -> SetContent:
    """All entries of a set, as a ruleset file has them."""
    from xdpwall.sets.content import SetContent

    content = store.read_set(row.number).unexpired(now)
    timeouts = {entry.text: epoch_text(expires) for entry, expires in content.expiring.items()}
    return SetContent(content.all(), timeouts)


def membership_view(store: SetStore, row: SetRow, address: AddressEntry, now: float) -> SetTest:
    """Whether an address is in a set, by which entries, and until when."""
    content = store.read_set(row.number).unexpired(now)
    found: dict[AddressEntry, int] = dict.fromkeys(entries_containing(content.lasting, address), 0)
    found |= {entry: at for entry, at in content.expiring.items() if entry.contains(address)}
    expiries = found.values()
    return SetTest(
        name=row.name,
        address=address.text,
        found=bool(found),
        by=[entry.text for entry in sorted(found, key=lambda e: e.length)],
        expires=epoch_text(max(expiries)) if found and 0 not in expiries else None,
    )


def covering_entries(
    store: SetStore, row: SetRow, looked_up: Iterable[AddressEntry], now: float
) -> Iterator[tuple[AddressEntry, list[AddressEntry]]]:
    """Each of these that lies inside entries of a set, with those, the widest first."""
    counts = store.entry_counts().get(row.number)
    if counts is None or not (counts.p4 or counts.p6):
        return
    content = store.read_set(row.number).unexpired(now)
    for entry in looked_up:
        found = set(entries_containing(content.lasting, entry))
        found |= {one for one in content.expiring if one.contains(entry)}
        if found:
            yield entry, sorted(found, key=lambda one: one.length)
