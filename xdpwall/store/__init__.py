"""What survives a reboot: rules, policy, attachments, revisions and the audit trail, in SQLite."""

from .records import AttachmentRow, Binding, Pending, Snapshot
from .sets import EntryChange, Held, SetData, SetStore
from .store import Store

__all__ = [
    "AttachmentRow",
    "Binding",
    "Change",
    "Held",
    "Pending",
    "SetData",
    "SetStore",
    "Snapshot",
    "Store",
]
