"""One instance's state folder: what is read of it, and every write, each one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from xdpwall.values.author import Author
from xdpwall.values.terms import Counts
from xdpwall.views.events import EventSettings

from . import metrics
from .attachments import AttachmentTable
from .audit import AuditEntry, AuditTrail, write_audit
from .database import Database
from .records import Binding, Snapshot
from .revisions import Revisions
from .session import Session
from .sets import SetStore
from .statements import write_meta

FILE = "xdpwall.db"
"""In the state folder."""


class Store:
    """One instance's state folder. Callers hold the instance's lock while they write."""

    def __init__(self, state_dir: Path, *, busy_seconds: float = 5.0) -> None:
        self._database = Database(state_dir / FILE, busy_seconds=busy_seconds)
        self.sets = SetStore(self._database)
        """The entries of sets."""
        self._session = Session(self._database, self.sets)
        self.revisions = Revisions(self._session)
        self.attachments = AttachmentTable(self._session)
        self.audit = AuditTrail(self._database)

    def newest_change(self) -> str | None:
        """The canonical time of the newest change on disk; None when there was none."""
        return self.audit.newest()

    def version(self) -> int:
        """A number that changes when another process has written."""
        return self._database.data_version()

    def alone(self) -> AbstractContextManager[None]:
        """Assume inside it that no other process writes: the instance's lock is held."""
        return self._database.alone()

    def stretch(self) -> None:
        """Lengthen the write-ahead log ahead of time, so that a commit need not."""
        self._database.stretch()

    def synced(self) -> None:
        """Wait for the disk to have what was written without waiting."""
        self._database.synced()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def read(self) -> Snapshot:
        """The committed snapshot now; from memory when nobody has written since."""
        return self._session.read()

    # -- switch, events, binding -----------------------------------------------------------------
    def set_switch(self, on: bool, *, by: Author, action: str, now: str) -> None:
        """Record whether the firewall filters at all."""
        self._write_meta({"on": "1" if on else "0"}, AuditEntry.of(by, action, now))

    def set_events(self, wanted: EventSettings, *, by: Author, action: str, now: str) -> None:
        """Record which packets become events."""
        self._write_meta({"events": wanted.model_dump_json()}, AuditEntry.of(by, action, now))

    def note(self, *, by: Author, action: str, now: str) -> None:
        """Record in the audit trail what changed nothing."""
        with self._session.write() as connection:
            write_audit(connection, AuditEntry.of(by, action, now))

    def bind(self, binding: Binding) -> None:
        """Record the namespace and the boot that the instance belongs to from now on."""
        self._write_meta(
            {
                "netns": str(binding.netns),
                "boot_id": binding.boot_id,
                "netns_cookie": str(binding.cookie),
            }
        )

    def set_identity(self, identity: str) -> None:
        """Record the instance's id, 32 hexadecimal digits."""
        self._write_meta({"identity": identity})

    # -- counters --------------------------------------------------------------------------------
    def set_baselines(
        self, baselines: Mapping[str, Counts], *, by: Author, action: str, now: str
    ) -> None:
        """Record the counters of these rules at their reset, by rule id."""
        with self._session.write() as connection:
            connection.executemany(
                "UPDATE rules SET base_packets = ?, base_bytes = ? WHERE id = ?",
                [(packets, size, rule_id) for rule_id, (packets, size) in baselines.items()],
            )
            write_audit(connection, AuditEntry.of(by, action, now))

    def clear_baselines(self, identity: str) -> None:
        """The kernel's maps are gone, so what belongs to them goes: baselines, carried counts and
        the classes of sets. An instance without an id gets this one."""
        self.sets.class_rows.clear()
        with self._session.write() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (identity,))
            connection.execute("DELETE FROM classes")
            connection.execute("DELETE FROM carried")
            connection.execute(
                "UPDATE rules SET base_packets = 0, base_bytes = 0"
                " WHERE base_packets != 0 OR base_bytes != 0"
            )

    def figures(self) -> metrics.Figures:
        """The figures that /metrics adds to the kernel's counters."""
        with self._database.read() as connection:
            return metrics.read_figures(connection)

    def _write_meta(self, values: Mapping[str, str], entry: AuditEntry | None = None) -> None:
        with self._session.write() as connection:
            write_meta(connection, values)
            if entry is not None:
                write_audit(connection, entry)
