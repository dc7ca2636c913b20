"""The names that rules and interfaces had when a packet was reported."""

from __future__ import annotations

from collections import OrderedDict

from xdpwall.store.store import Store

from .decode import AttachmentName

_REVISIONS = 16
"""Revisions whose slots are remembered."""


class Names:
    """Numbers in the records of a ring buffer -> names. Keeps what it has seen."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slots: OrderedDict[int, dict[int, str]] = OrderedDict()
        self._places: dict[int, AttachmentName] = {}

    def refresh(self) -> None:
        """Look at the attachments; those that are gone stay known for their last packets."""
        for row in self._store.read().attachments:
            self._places[row.number] = row.iface, row.place

    def rule(self, slot: int, revision: int) -> str | None:
        """The id of the rule that had the slot in that revision."""
        if revision not in self._slots:
            self._slots[revision] = self._store.revisions.slots_at(revision)
            if len(self._slots) > _REVISIONS:
                self._slots.popitem(last=False)
        return self._slots[revision].get(slot)

    def where(self, number: int) -> AttachmentName:
        """Interface and place of an attachment."""
        return self._places.get(number, (f"attachment {number}", None))
