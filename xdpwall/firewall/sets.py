"""The facade's methods about sets, which Firewall inherits (firewall.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xdpwall.changes.transactions import reading, writing
from xdpwall.errors import InvalidInput
from xdpwall.instance.instance import Instance
from xdpwall.sets.entries import Entries, parse_entry
from xdpwall.sets.names import find_set
from xdpwall.sets.timed import TimedEntries
from xdpwall.sets.warnings import content_warnings, everything_warnings
from xdpwall.values.addresses import parse_set_name
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few
from xdpwall.values.time_read import parse_expiry
from xdpwall.values.times import epoch_seconds
from xdpwall.views.rules import DeleteOutcome
from xdpwall.views.sets import SetChange, SetEntries, SetList, SetOutcome, SetTest, SetView

from .change_warnings import off_warnings
from .set_views import covering_entries, entries_view, membership_view, set_views

if TYPE_CHECKING:
    from xdpwall.sets.entries import AddressEntry
    from xdpwall.sets.names import SetRow
    from xdpwall.store.sets import SetStore

_ANYONE = Author()
_LOOKED_AT = 200
"""Removed entries that are looked up in what is left of the set."""
_TOLD = 20
"""Of those, how many get a sentence."""


class SetMethods:
    """Reads and changes the sets of `_instance`."""

    _instance: Instance

    def _changed(self) -> None:
        """Called after a change; Firewall overrides it to wake its background thread."""

    def _now(self) -> float:
        return self._instance.clock.seconds()

    def sets(self) -> SetList:
        """All sets by name, without their entries."""
        with reading(self._instance) as now:
            store = self._instance.store.sets
            return SetList(sets=set_views(store, now.ruleset, now.ruleset.sets, self._now()))

    def set(self, name: str) -> SetView:
        """One set without its entries. Raises NotFound."""
        with reading(self._instance) as now:
            row = find_set(now.ruleset.sets, name)
            return set_views(self._instance.store.sets, now.ruleset, [row], self._now())[0]

    def set_entries(self, name: str, *, start: int = 0, limit: int = 1000) -> SetEntries:
        """Up to `limit` entries from `start` on. Raises NotFound, InvalidInput."""
        for field, value in (("start", start), ("limit", limit)):
            if value < 0:
                raise InvalidInput(
                    f"{field} must be at least 0, got {value}", field=field, value=value
                )
        with reading(self._instance) as now:
            row = find_set(now.ruleset.sets, name)
            return entries_view(self._instance.store.sets, row, start, limit, self._now())

    def test_set(self, name: str, address: str) -> SetTest:
        """Whether an address is in a set, and by which entries. Raises NotFound, InvalidInput."""
        wanted = parse_entry(address, "address")
        if not wanted.exact:
            raise InvalidInput(
                f"address: {address!r} is a prefix; wanted one address",
                field="address",
                value=address,
            )
        with reading(self._instance) as now:
            row = find_set(now.ruleset.sets, name)
            return membership_view(self._instance.store.sets, row, wanted, self._now())

    def create_set(self, name: str, *, by: Author = _ANYONE) -> SetOutcome:
        """Create an empty set; one that exists stays as it is."""
        from xdpwall.changes.set_load import create_set

        name = parse_set_name("name", name)
        with writing(self._instance):
            return self._outcome(name, create_set(self._instance, name, by=by))

    def replace_set(
        self,
        name: str,
        entries: Entries,
        *,
        timeouts: Mapping[str, str] | None = None,
        allow_empty: bool = True,
        most_shrink: int | None = None,
        by: Author = _ANYONE,
    ) -> SetOutcome:
        """Replace all entries of a set at once, or create it. `timeouts`: expiries by the entry's text.

        Raises Refused "set-emptied" without `allow_empty` where no entry would replace some,
        "set-shrunk" where more than `most_shrink` percent of them would go.
        """
        from xdpwall.changes.set_load import replace_set
        from xdpwall.changes.set_loss import check_loss
        from xdpwall.sets.content import SetContent

        name = parse_set_name("name", name)
        wanted = SetContent(entries, timeouts or {}, allow_empty, most_shrink)
        with writing(self._instance):
            content = TimedEntries.from_timeouts(entries, timeouts, self._now())
            check_loss(self._instance, name, wanted, len(content))
            changed = replace_set(self._instance, name, content, by=by)
            return self._outcome(name, changed, content_warnings(name, wanted, len(content)))

    def change_set(
        self,
        name: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        expires: str | None = None,
        by: Author = _ANYONE,
    ) -> SetChange:
        """Add and remove entries, all or none. `expires`: when the added ones expire."""
        from xdpwall.changes.set_entries import change_entries

        coming, leaving = _parsed("add", add), _parsed("remove", remove)
        if both := coming.keys() & leaving.keys():
            text = min(entry.text for entry in both)
            raise InvalidInput(
                f"{text} is to be added and removed at once", field="remove", value=text
            )
        # 0 is for good: the beginning of 1970 and what was before it are over as well a second later.
        ends = 0 if expires is None else max(1, epoch_seconds(parse_expiry("expires", expires)))
        with writing(self._instance, while_waiting=True) as now:
            over = 0 < ends <= self._now()
            added, removed, unchanged = change_entries(
                self._instance, name, list(coming), list(leaving), expires=ends, by=by
            )
            row = find_set(now.ruleset.sets, name)
            store = self._instance.store.sets
            count = store.entry_count(row.number)
            covered = _still_covered(store, row, list(leaving), self._now())
            notices = list(self._instance.notices)
            if over:
                count = self._outcome(name, changed=True).set.entries
            if ends:
                self._changed()
            off = off_warnings(self._instance)
        return SetChange(
            name=name,
            added=added,
            removed=removed,
            unchanged=unchanged,
            entries=count,
            warnings=[
                *notices,
                *off,
                *everything_warnings(name, Entries.from_entries(coming)),
                *covered,
                *(
                    [f"expires: {expires} is over: what was added matches no packet"]
                    if over
                    else []
                ),
            ],
        )

    def delete_set(self, name: str, *, by: Author = _ANYONE) -> DeleteOutcome:
        """Delete a set. Raises NotFound, or Conflict "set-in-use" while a rule names it."""
        from xdpwall.changes.set_load import delete_set

        with writing(self._instance):
            delete_set(self._instance, name, by=by)
            self._changed()
            return DeleteOutcome(
                revision=self._instance.ruleset.revision,
                deleted=[name],
                warnings=list(self._instance.notices),
            )

    def _outcome(self, name: str, changed: bool, warnings: Sequence[str] = ()) -> SetOutcome:
        self._changed()
        ruleset = self._instance.ruleset
        row = find_set(ruleset.sets, name)
        view = set_views(self._instance.store.sets, ruleset, [row], self._now())[0]
        return SetOutcome(
            revision=ruleset.revision,
            set=view,
            changed=changed,
            warnings=[*self._instance.notices, *off_warnings(self._instance), *warnings],
        )


def _parsed(field: str, texts: Sequence[str]) -> dict[AddressEntry, str]:
    return {_entry(field, i, text, len(texts)): text for i, text in enumerate(texts)}


def _entry(field: str, index: int, text: str, count: int) -> AddressEntry:
    """One of `count` entries; the error's field has its index, its message is for people."""
    try:
        return parse_entry(text)
    except InvalidInput as error:
        if count > 1:
            error.message = f"entry {index + 1}{error.message.removeprefix('entry')}"
            error.args = (error.message,)
        error.field = f"{field}[{index}]"
        raise


def _still_covered(
    store: SetStore, row: SetRow, removed: Sequence[AddressEntry], now: float
) -> list[str]:
    """Warn of what was to be removed and is in the set all the same, by a wider entry."""
    found = []
    for entry, wider in covering_entries(store, row, removed[:_LOOKED_AT], now):
        names = [one.text for one in wider]
        found.append(
            f"{entry.text} is still in {row.name}, by {first_few(names, 3)}: "
            f"xdpwall set remove {row.name} {' '.join(names[:3])}"
        )
    if len(found) > _TOLD:
        found[_TOLD:] = [f"... and {len(found) - _TOLD} more that wider entries cover"]
    return found
