"""The state that survives a reboot, in SQLite: revisions, sets, attachments and the audit trail."""
