"""One instance: a state folder, a bpffs folder and a network namespace, opened in this process.

It holds what every change needs (store, lock, data plane, attacher) and sees to it that nobody
reads or writes half a change: `reading` and `writing` first make disk and kernel agree.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from . import namespace
from .errors import Conflict, XdpwallError
from .lock import InstanceLock
from .ruleset import State
from .settings import Settings
from .store import AttachmentRow, Binding, Snapshot, Store

if TYPE_CHECKING:
    from .attach import Attacher
    from .dataplane import Dataplane
    from .setengine import SetEngine


class Instance:
    """Not a firewall yet: what the parts of one share."""

    def __init__(self, settings: Settings, *, lock_seconds: float = 30.0) -> None:
        self.settings = settings
        self.store = Store(settings.state_dir)
        self.lock = InstanceLock(settings.state_dir / "lock", timeout=lock_seconds)
        self._dataplane: Dataplane | None = None
        self._attacher: Attacher | None = None
        self._sets: SetEngine | None = None
        self._version = 0
        self._here = namespace.Here()

    def close(self) -> None:
        """Give files and maps back; filtering goes on."""
        with self.lock.threads:
            self.drop_dataplane()
            self.store.close()
            self.lock.close()
            self._here.close()

    # -- reading and writing ---------------------------------------------------------------------
    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """The committed state; a change that a dead process left is ended first."""
        with self.lock.threads:
            snapshot = self.store.read()
            self._check_namespace(snapshot.binding)
            if snapshot.unfinished:
                # Somebody is in the middle of a change, or died there: the lock tells which.
                with self.lock.attempt() as got, suppress(XdpwallError):
                    if got:
                        self._recover()
                snapshot = self.store.read()
            yield snapshot

    @contextmanager
    def writing(self, *, in_need: bool = False, renew: bool = False) -> Iterator[Snapshot]:
        """The only writer of this instance; disk and kernel agree inside.

        `in_need` is for the ways out (off, detach): they go on when nothing can be mended. `renew`
        is for restore: maps of another version are no obstacle.
        """
        with self.lock.hold(), self.store.alone():
            netns, cookie = self._here.netns()
            binding, here = self.store.read().binding, Binding(netns, namespace.boot_id(), cookie)
            if binding != here:
                self._check_namespace(binding)
            try:
                if binding != here:
                    self.store.bind(here)
                self._recover(renew)
            except XdpwallError:
                if not in_need:
                    raise
            yield self.store.read()

    def _recover(self, renew: bool = False) -> None:
        from .recovery import leave_other_version, recover

        if renew:
            leave_other_version(self)
        recover(self)

    @property
    def state(self) -> State:
        """The committed ruleset."""
        return self.store.read().state

    @property
    def attachments(self) -> tuple[AttachmentRow, ...]:
        """The attachments by number."""
        return self.store.read().attachments

    # -- the kernel's side -----------------------------------------------------------------------
    def dataplane(self) -> Dataplane | None:
        """The maps when they are there; opened anew after another process wrote."""
        version = self.store.version()
        if self._dataplane is not None and version != self._version:
            self.drop_dataplane()
        if self._dataplane is None:
            from .dataplane import Dataplane

            found = Dataplane(self.settings.bpffs)
            if not found.alive():
                found.close()
                return None
            found.open()
            # The version from before: maps that were outgrown while they were opened (readers come
            # here without the lock) are opened anew the next time.
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

    def use_dataplane(self, dataplane: Dataplane, version: int | None = None) -> None:
        """These maps from now on, as they were when store.version() was `version`; None is now."""
        self._dataplane = dataplane
        self._version = self.store.version() if version is None else version

    def drop_dataplane(self) -> None:
        """Close the maps; the next use opens them again."""
        if self._dataplane is not None:
            self._dataplane.close()
            self._dataplane = None

    @property
    def attacher(self) -> Attacher:
        """Who attaches and detaches, made when first needed."""
        if self._attacher is None:
            from .attach import Attacher

            self._attacher = Attacher(self.settings.bpffs)
        return self._attacher

    @property
    def sets(self) -> SetEngine:
        """What changes of sets share, made when first needed."""
        if self._sets is None:
            from .setengine import SetEngine

            self._sets = SetEngine(self)
        return self._sets

    # -- which namespace -------------------------------------------------------------------------
    def _check_namespace(self, binding: Binding | None) -> None:
        if binding is None or binding.boot_id != namespace.boot_id():
            return
        here, cookie = self._here.netns()
        if binding.cookie in (0, cookie) and binding.netns == here:
            return
        if not namespace.netns_exists(binding.netns, binding.cookie):
            return
        settings = self.settings
        raise Conflict(
            f"this instance ({settings.state_dir}) belongs to the network namespace "
            f"{binding.netns}, and this is {here}",
            code="other-namespace",
            hint="run the command in that namespace (nsenter --net=...), or give this one an "
            "instance of its own: --state-dir DIR --bpffs DIR --socket PATH",
        )


def now_text() -> str:
    """This moment as the canonical time of rules: 2026-11-21T10:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
