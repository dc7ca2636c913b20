"""What survives a reboot: rules, policy, attachments, revisions and the audit trail, in SQLite."""

from .records import AttachmentRow, Binding, Pending, Snapshot
from .store import Store

__all__ = ["AttachmentRow", "Binding", "Pending", "Snapshot", "Store"]
