"""Names for the numbers in ring buffer records: a rule's slot, an attachment's number."""

from __future__ import annotations

from collections import OrderedDict

from xdpwall.store.store import Store

from .decode import AttachmentName

_REVISIONS = 16
"""Revisions whose slots are remembered."""


class RecordNames:
    """The names that rules and interfaces had when a packet was reported; it caches them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._slots: OrderedDict[int, dict[int, str]] = OrderedDict()
        self._attachments: dict[int, AttachmentName] = {}

    def refresh(self) -> None:
        """Read the attachments again; those that are gone stay known for their last packets."""
        for row in self._store.read().attachments:
            self._attachments[row.number] = row.iface, row.place

    def rule(self, slot: int, revision: int) -> str | None:
        """The id of the rule that had the slot in that revision."""
        if revision not in self._slots:
            self._slots[revision] = self._store.revisions.slots_at(revision)
            if len(self._slots) > _REVISIONS:
                self._slots.popitem(last=False)
        return self._slots[revision].get(slot)

    def attachment(self, number: int) -> AttachmentName:
        """Interface and place of the attachment with that number."""
        return self._attachments.get(number, (f"attachment {number}", None))
