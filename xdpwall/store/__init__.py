"""What survives a reboot: revisions, sets, attachments and the audit trail, in SQLite."""
