"""One instance: a state folder, a bpffs folder and a network namespace, opened in this process.

It holds what every change needs: store, lock, data plane, attacher, sets. changes/transactions.py
reads and writes it consistently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from xdpwall.dataplane.pinned_clock import PinnedClock
from xdpwall.errors import XdpwallError
from xdpwall.kernel.clock import Clock, SystemClock
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.settings import Settings
from xdpwall.store.store import Store

from .clock import InstanceClock
from .lock import InstanceLock
from .namespace import CurrentNamespace

if TYPE_CHECKING:
    from xdpwall.attach.attacher import Attacher
    from xdpwall.dataplane.dataplane import Dataplane

    from .set_cache import SetCache


class Instance:
    """The parts of a firewall, each opened when first needed."""

    def __init__(
        self, settings: Settings, *, lock_seconds: float = 30.0, clock: Clock | None = None
    ) -> None:
        """`clock`: the machine's when it is None."""
        self.settings = settings
        self._store: Store | None = None
        self.reached: Callable[[str], None] | None = None
        """Called at the steps of the second copy's writing (changes/crashpoints.py)."""
        self.clock = InstanceClock(
            clock or SystemClock(), self._newest_change, PinnedClock(settings.bpffs)
        )
        self.lock = InstanceLock(settings.state_dir / "lock", timeout=lock_seconds)
        self._dataplane: Dataplane | None = None
        self._attacher: Attacher | None = None
        self._sets: SetCache | None = None
        self._version = 0
        self.namespace = CurrentNamespace()
        self.notices: list[str] = []
        """What the answer to the change under way has to say besides; emptied when the next begins."""

    def close(self) -> None:
        """Close files and maps; filtering goes on."""
        with self.lock.threads:
            self.drop_dataplane()
            self.clock.close()
            if self._store is not None:
                self._store.close()
            self.lock.close()
            self.namespace.close()

    # -- the disk's side ---------------------------------------------------------------------------
    @property
    def store(self) -> Store:
        """The state folder, opened (or made) when first needed: the ways out do without. Raises what
        Store() does."""
        if self._store is None:
            with self.lock.threads:
                if self._store is None:
                    opened = Store(self.settings.state_dir)
                    if self.reached is not None:
                        opened.second_copy.reached = self.reached
                    self._store = opened
        return self._store

    @property
    def has_store(self) -> bool:
        """Whether this process has the state folder open already."""
        return self._store is not None

    def _newest_change(self) -> str | None:
        # The clock alone tells the time where the disk does not; whoever asks may hold no lock.
        with suppress(XdpwallError), self.lock.threads:
            return self.store.newest_change()
        return None

    @property
    def ruleset(self) -> CommittedRuleset:
        """The committed ruleset."""
        return self.store.read().ruleset

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments by number."""
        return self.store.read().attachments

    def fault(self) -> XdpwallError | None:
        """The error that a change meets: of the database, or of a lock that is no longer the file at its
        path, so that others would not see that it is held."""
        return self.store.fault() or self.lock.fault()

    # -- the kernel's side -----------------------------------------------------------------------
    def dataplane(self) -> Dataplane | None:
        """The data plane, None when no maps are pinned; reopened after other processes commit."""
        version = self.store.version()
        if self._dataplane is not None and version != self._version:
            self.drop_dataplane()
        if self._dataplane is None:
            from xdpwall.dataplane.dataplane import Dataplane

            found = Dataplane(self.settings.bpffs)
            if not found.alive():
                found.close()
                return None
            found.open()
            # The version before opening: readers come here without the lock, and maps that were
            # replaced meanwhile must be opened anew the next time.
            self.use_dataplane(found, version)
        return self._dataplane

    @property
    def has_dataplane(self) -> bool:
        """Whether this process has the maps open already."""
        return self._dataplane is not None

    def holds_newest(self, numbers: Sequence[int]) -> bool:
        """Whether the maps that this process has open are the newest of the pinned map sets
        `numbers`; True when it has none."""
        return self._dataplane is None or self._dataplane.is_newest(numbers)

    def drop_replaced(self) -> None:
        """Close maps in whose place another state folder has pinned its own."""
        if self._dataplane is not None and self._dataplane.was_replaced():
            self.drop_dataplane()

    def use_dataplane(self, dataplane: Dataplane, version: int | None = None) -> None:
        """Use a data plane that was opened when store.version() was `version`; None is now."""
        self._dataplane = dataplane
        self._version = self.store.version() if version is None else version

    def drop_dataplane(self) -> None:
        """Close the maps; the next use opens them again."""
        if self._dataplane is not None:
            self._dataplane.close()
            self._dataplane = None

    @property
    def attacher(self) -> Attacher:
        """The attacher, made when first needed."""
        if self._attacher is None:
            from xdpwall.attach.attacher import Attacher

            self._attacher = Attacher(self.settings.bpffs)
        return self._attacher

    @property
    def sets(self) -> SetCache:
        """The cache of what changes of sets share, made when first needed."""
        if self._sets is None:
            from .set_cache import SetCache

            self._sets = SetCache(self.store, lambda: self.clock.offset)
        return self._sets
