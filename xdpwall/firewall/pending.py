"""The facade's methods about a change that waits for its confirmation, which Firewall inherits."""

from __future__ import annotations

from xdpwall.changes.confirm import already_reverted, confirm_change, take_back
from xdpwall.changes.transactions import reading, writing
from xdpwall.errors import NotFound
from xdpwall.instance.instance import Instance
from xdpwall.store.records import Unconfirmed
from xdpwall.values.author import Author
from xdpwall.values.times import epoch_seconds, epoch_text
from xdpwall.views.pending import PendingOutcome, PendingView

_ANYONE = Author()
_SAME_SECONDS = 2
"""By so much may two readings of one deadline differ."""


class PendingMethods:
    """Confirms and cancels the pending change of `_instance`."""

    _instance: Instance

    def _changed(self) -> None:
        """Called after a change; Firewall overrides it to wake its background threads."""

    def pending(self) -> PendingView | None:
        """The change that waits, None when none does."""
        with reading(self._instance) as now:
            return pending_view(self._instance, now.unconfirmed)

    def confirm(self, revision: int | None = None, *, by: Author = _ANYONE) -> PendingOutcome:
        """Keep the change that waits; with `revision` only if it is that one."""
        with self._instance.lock.threads:
            asked = self._instance.store.read().unconfirmed
        with writing(self._instance, while_waiting=True) as now:
            if asked is not None and now.unconfirmed is None:
                if now.ruleset.revision >= asked.revision:  # somebody else was faster
                    return PendingOutcome(revision=asked.revision, confirmed=True)
                raise already_reverted(asked.revision, f"within {asked.seconds} s")
            waits = confirm_change(self._instance, revision, by=by)
            self._changed()
            return PendingOutcome(revision=waits.revision, confirmed=True)

    def cancel(self, revision: int | None = None, *, by: Author = _ANYONE) -> PendingOutcome:
        """Take the change that waits back at once; with `revision` only if it is that one."""
        with writing(self._instance, while_waiting=True) as now:
            waits, dataplane = now.unconfirmed, self._instance.dataplane()
            if waits is None or dataplane is None or revision not in (None, waits.revision):
                raise NotFound("no such change waits for its confirmation", code="nothing-pending")
            take_back(self._instance, dataplane, waits, by=by, why="was cancelled")
            self._changed()
            return PendingOutcome(revision=waits.revision - 1, confirmed=False)


def pending_now(instance: Instance) -> PendingView | None:
    """The model of the change that waits in the store, for the answer to a change."""
    return pending_view(instance, instance.store.read().unconfirmed)


def pending_view(instance: Instance, waits: Unconfirmed | None) -> PendingView | None:
    """The model of a change that waits, with the seconds that the kernel gives it yet."""
    dataplane = None if waits is None else instance.dataplane()
    left = None if dataplane is None else dataplane.control.seconds_left()
    if waits is None or left is None:
        return None
    return PendingView(
        revision=waits.revision,
        action=waits.action,
        seconds=waits.seconds,
        seconds_left=max(0, round(left)),
        until=_shown_until(instance, waits, left),
    )


def _shown_until(instance: Instance, waits: Unconfirmed, left: float) -> str:
    """The deadline by the wall clock: as it was told first, unless that clock was set since, or the
    machine slept."""
    now = int(instance.clock.seconds() + left)
    told = epoch_seconds(waits.until)
    return waits.until if abs(now - told) <= _SAME_SECONDS else epoch_text(now)
