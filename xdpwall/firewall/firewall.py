"""The facade in this process: every change of an instance; those of rules, sets and attachments are in
rules.py, sets.py and attachments.py.

Each method takes the lock, plans the next ruleset (ruleset/edits.py), puts it into force
(changes/commit.py) and answers with what is in force then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from xdpwall.changes.adopt import adopt_stored
from xdpwall.changes.apply import adopt_and_apply, apply_ruleset
from xdpwall.changes.copy_keeper import CopyKeeper
from xdpwall.changes.crashpoints import crash_point
from xdpwall.changes.expirer import Expirer
from xdpwall.changes.programs import drop_unused_features
from xdpwall.changes.restore import restore
from xdpwall.changes.tidier import Tidier
from xdpwall.changes.transactions import mending, writing
from xdpwall.changes.trial import refuse_to_confirm
from xdpwall.errors import XdpwallError
from xdpwall.events.settings import describe_settings, merge_settings
from xdpwall.gcpause import no_collections
from xdpwall.instance.instance import Instance
from xdpwall.kernel.clock import Clock
from xdpwall.ruleset.attachment import attachment_places
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.settings import Settings
from xdpwall.values.author import Author
from xdpwall.views.attachments import AttachmentView, OpenSpell
from xdpwall.views.events import EventsOutcome
from xdpwall.views.metrics import PatternSpells
from xdpwall.views.status import (
    ApplyOutcome,
    RepairOutcome,
    RestoreOutcome,
    SwitchOutcome,
)

from .attachments import AttachmentMethods
from .audited import audited
from .blocks import BlockMethods
from .change_warnings import off_warnings
from .check_instance import CheckMethods
from .default_drop import missing_now
from .explain import ExplainMethods
from .flow_advice import advice_warnings
from .flows import FlowMethods
from .history import HistoryMethods
from .pending import pending_now
from .policy import PolicyMethods
from .real_names import ruleset_with_real_names
from .sight_reader import SightWatcher
from .tokens import TokenMethods

if TYPE_CHECKING:
    from xdpwall.changes.watcher import Watcher

_ANYONE = Author()


@audited(
    *("add_rules", "set_rule", "replace_rule", "delete_rules", "move_rule", "enable_rules"),
    *("create_set", "replace_set", "change_set", "delete_set", "block", "unblock"),
    *(
        "set_policy",
        "apply",
        "attach",
        "want",
        "detach",
        "set_switch",
        "set_events",
        "reset_counters",
    ),
    *("flush", "flush_flows", "confirm", "rollback", "restore", "appeared", "repair"),
    *("add_token", "rotate_token", "revoke_tokens"),
)
class Firewall(
    BlockMethods,
    AttachmentMethods,
    HistoryMethods,
    CheckMethods,
    ExplainMethods,
    FlowMethods,
    PolicyMethods,
    TokenMethods,
):
    """One instance, in this process; keeps `facade.Facade`. Safe to call from several threads."""

    def __init__(
        self, settings: Settings, *, service: bool = False, clock: Clock | None = None
    ) -> None:
        """`service`: tidy up in the background after each change, and report so in status().
        `clock`: the machine's when it is None."""
        super().__init__(Instance(settings, clock=clock), service=service)
        self._instance.reached = crash_point
        if service:
            _ = self._instance.store  # before the threads that need it
        self._tidier = Tidier(self._instance) if service else None
        self._expirer = Expirer(self._instance) if service else None
        self._watcher: Watcher | None = None
        self._sight_watcher: SightWatcher | None = None
        self._keeper = CopyKeeper(self._instance, self.update_copy) if service else None

    @classmethod
    def open(cls, settings: Settings, *, service: bool = False, clock: Clock | None = None) -> Self:
        """Open the instance, making its state folder when there is none.

        NeedsPrivileges, Conflict "other-namespace" (at the first call), Failed "corrupt". Firewall(...)
        opens the folder when a call needs it: status, set_switch and detach do without.
        """
        opened = cls(settings, service=service, clock=clock)
        try:
            _ = opened._instance.store
        except BaseException:
            opened.close()
            raise
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give files and maps back; filtering goes on."""
        for thread in (
            *(self._watcher, self._sight_watcher, self._tidier, self._expirer),
            self._keeper,
        ):
            if thread is not None:
                thread.close()
        if self._keeper is None and self.has_news:
            self.update_copy()
        self._instance.close()

    def watch(self) -> None:
        """Watch over the attachments in this thread's network namespace until close(): attach interfaces
        that appear, log what is not in place or sees nothing. To be called after restore()."""
        from xdpwall.changes.watcher import Watcher

        if self._watcher is None:
            self._watcher = Watcher(self._instance, self._changed)
            self._sight_watcher = SightWatcher(self._instance, self.look)

    def _open_seconds(self, view: AttachmentView) -> float | None:
        return None if self._watcher is None else self._watcher.open_seconds(view.iface, view.place)

    def _last_open(self, view: AttachmentView) -> OpenSpell | None:
        return None if self._watcher is None else self._watcher.last_open(view.iface, view.place)

    def _pattern_spells(self) -> dict[str, PatternSpells]:
        return {} if self._watcher is None else self._watcher.pattern_spells()

    def seconds(self) -> float:
        """Now, in seconds since 1970, as this instance believes it."""
        return self._instance.clock.seconds()

    @property
    def has_news(self) -> bool:
        """Whether close() has to write the second copy of the state."""
        return self._instance.has_store and self._instance.store.has_news

    def update_copy(self, large: bool = True) -> bool:
        """Bring the second copy of the state to what was written; whether a large set is left for later. A
        failure is kept in `copy_error`."""
        try:
            left = self._instance.store.update_copy(large=large)
        except (OSError, XdpwallError) as error:
            self.copy_error = f"the second copy of the state could not be written: {error}"
            return False
        self.copy_error = None
        return left

    def set_switch(self, on: bool, *, by: Author = _ANYONE) -> SwitchOutcome:
        """Off: everything passes. In force at once, also where the disk cannot be used; what could not be
        recorded is among the warnings."""
        from xdpwall.changes.switch import switch_firewall

        done = switch_firewall(self._instance, on, by=by)
        return SwitchOutcome(on=on, changed=done.changed, warnings=done.warnings)

    def set_events(self, changes: Mapping[str, Any], *, by: Author = _ANYONE) -> EventsOutcome:
        """In force with the next packet; no program is touched."""
        with writing(self._instance, while_waiting=True) as now:
            dataplane = self._instance.dataplane()
            old = now.events if dataplane is None else dataplane.events.read()
            wanted = merge_settings(old, changes)
            if wanted != old or wanted != now.events:
                action = f"events {describe_settings(wanted, changes)}"
                self._instance.store.set_events(
                    wanted, by=by, action=action, now=self._instance.clock.now_text()
                )
            if dataplane is not None:
                logging = now.unconfirmed is not None  # its fallback may have a rule with `log`
                logging = logging or any(rule.log for rule, _ in now.ruleset.kernel_rules())
                dataplane.control.set_events(wanted, logging=logging)
            found = self.events()
            return EventsOutcome(
                settings=wanted, counts=found.counts, reader=found.reader, changed=wanted != old
            )

    def apply(
        self,
        wanted: Ruleset,
        *,
        dry_run: bool = False,
        adopt: bool = False,
        by: Author = _ANYONE,
    ) -> ApplyOutcome:
        """Make the kernel hold exactly this ruleset, in one switch. `adopt`: also in the place of what
        the state folder does not know."""
        if adopt:
            refuse_to_confirm(by, "--adopt")
        wanted, said = ruleset_with_real_names(wanted)
        if adopt and not dry_run:
            self._mend(adopt=True, anew=True, by=by)
        with writing(self._instance, renew=adopt and not dry_run, adopt=adopt), no_collections():
            if adopt and not dry_run:
                outcome = adopt_and_apply(self._instance, wanted, by=by)
            else:
                outcome = apply_ruleset(self._instance, wanted, dry_run=dry_run, by=by)
            self._changed()
            rows = attachment_places(self._instance.attachments)
            off = [*self._instance.notices, *off_warnings(self._instance)]
            outcome = outcome.model_copy(update={"pending": pending_now(self._instance)})
        flows = advice_warnings(wanted.rules, wanted.policy)
        outcome = outcome.model_copy(update={"warnings": [*off, *said, *outcome.warnings, *flows]})
        if not outcome.policy_changed:
            return outcome
        if dry_run and wanted.attachments is not None:
            rows = attachment_places(wanted.attachments)
        sets = wanted.sets if dry_run else None
        offer, unread = missing_now(self._instance, wanted.policy, wanted.rules, rows, sets)
        return outcome.model_copy(
            update={
                "missing_rules": offer.sentences,
                "missing_policy": offer.policy,
                "warnings": [*outcome.warnings, *offer.warnings, *unread],
            }
        )

    def restore(self, *, adopt: bool = False, by: Author = _ANYONE) -> RestoreOutcome:
        """After a reboot, or an upgrade to maps that are laid out otherwise: rules, policy and
        attachments as they were. `adopt`: also in the place of what the state folder does not know."""
        said = self._mend(adopt=adopt, by=by)
        with writing(self._instance, renew=True, adopt=adopt, while_waiting=not adopt):
            if adopt:
                adopt_stored(self._instance, by=by)
            done = restore(self._instance, by=by)
            said += self._instance.notices
        return done.model_copy(update={"warnings": [*said, *done.warnings]})

    def appeared(self, ifaces: Collection[str], *, by: Author = _ANYONE) -> RestoreOutcome:
        """Attach what is wanted on interfaces that have just come."""
        from xdpwall.changes.appeared import attach_appeared

        with writing(self._instance, while_waiting=True):
            return attach_appeared(self._instance, ifaces, by=by)

    def repair(self, *, by: Author = _ANYONE) -> RepairOutcome:
        """Make the database anew from its second copy; the kernel goes on as it is."""
        from xdpwall.changes.repair import repair

        with mending(self._instance):
            return repair(self._instance, by=by)

    def _mend(self, *, adopt: bool, anew: bool = False, by: Author) -> list[str]:
        """Put a state folder right before what is asked for needs it, and say so. With maps in the kernel
        that is done for `adopt` alone, since nobody asked for more; `anew`: where it cannot be, begin an
        empty one."""
        with mending(self._instance) as fault:
            store = self._instance.store
            if fault is None or not (adopt or not self._has_maps()):
                return []
            if adopt and store.lacks_changes:
                store.reopen(take_older=True)
                return []
            from xdpwall.changes.repair import repair, set_aside

            try:
                done = repair(self._instance, by=by)
            except XdpwallError:
                if not anew:
                    raise
                set_aside(self._instance)
                return []
            return [f"{fault.message.partition(':')[0]}; it was made anew from its second copy"] + (
                done.warnings
            )

    def _has_maps(self) -> bool:
        try:
            return self._instance.dataplane() is not None
        except XdpwallError:
            return True  # of another version

    def note(self, action: str, *, by: Author) -> None:
        """Write an entry of the audit trail about what changes nothing, such as a refusal."""
        with writing(self._instance, in_need=True):
            self._instance.store.note(by=by, action=action, now=self._instance.clock.now_text())

    def _changed(self) -> None:
        dataplane = self._instance.dataplane() if self._tidier is None else None
        if dataplane is not None:
            # This process ends soon. If it fails, programs do more than they need, and filter.
            with suppress(XdpwallError):
                drop_unused_features(self._instance, dataplane)
        for thread in (self._tidier, self._expirer):
            if thread is not None:
                thread.wake()
