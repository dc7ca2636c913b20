"""The facade in this process: every change of an instance.

Each method takes the lock, plans the next ruleset (ruleset/edits.py), puts it into force
(changes/commit.py) and answers with what is in force then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from xdpwall.attach.interfaces import index_of
from xdpwall.attach.orphans import raise_if_orphaned
from xdpwall.attach.warnings import (
    bypass_warnings,
    hook_warnings,
    policy_warnings,
    vlan_warnings,
)
from xdpwall.changes import attachments
from xdpwall.changes.adopt import adopt_stored
from xdpwall.changes.apply import adopt_and_apply, apply_ruleset
from xdpwall.changes.commit import commit
from xdpwall.changes.crashpoints import crash_point
from xdpwall.changes.expirer import Expirer
from xdpwall.changes.programs import drop_unused_features
from xdpwall.changes.restore import restore
from xdpwall.changes.tidier import Tidier
from xdpwall.changes.transactions import reading, writing
from xdpwall.errors import XdpwallError
from xdpwall.events.settings import describe_settings, merge_settings
from xdpwall.gcpause import no_collections
from xdpwall.instance.instance import Instance
from xdpwall.rule.rule import Rule
from xdpwall.ruleset import edits
from xdpwall.ruleset.attachment import Attachment, AttachmentSpec, check_direction
from xdpwall.ruleset.committed import CommittedRuleset, find_rule
from xdpwall.ruleset.policy import check_policy
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.settings import Settings
from xdpwall.store.records import Snapshot
from xdpwall.values.author import Author
from xdpwall.values.inputs import first_few
from xdpwall.values.terms import Direction, Hook, WantedMode
from xdpwall.values.times import now_text
from xdpwall.views.attachments import AttachOutcome, DetachOutcome
from xdpwall.views.events import EventsOutcome
from xdpwall.views.rules import DeleteOutcome, RuleOutcome
from xdpwall.views.status import ApplyOutcome, PolicyOutcome, RestoreOutcome, SwitchOutcome

from .change_warnings import policy_change_warnings, rule_change_warnings
from .default_drop import missing_now
from .drop_advice import warnings_of
from .reading import ReadMethods
from .sets import SetMethods

_ANYONE = Author()


class Firewall(SetMethods, ReadMethods):
    """One instance, in this process; keeps `facade.Facade`. Safe to call from several threads."""

    def __init__(self, settings: Settings, *, service: bool = False) -> None:
        """`service`: tidy up in the background after each change, and report so in status()."""
        super().__init__(Instance(settings), service=service)
        self._tidier = Tidier(self._instance) if service else None
        self._expirer = Expirer(self._instance) if service else None

    @classmethod
    def open(cls, settings: Settings, *, service: bool = False) -> Self:
        """Open the instance, making its state folder when there is none.

        NeedsPrivileges, Conflict "other-namespace" (at the first call), Failed "corrupt".
        """
        return cls(settings, service=service)

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
        for thread in (self._tidier, self._expirer):
            if thread is not None:
                thread.close()
        self._instance.close()

    # -- rules -----------------------------------------------------------------------------------
    def add_rules(
        self, rules: Sequence[Rule], *, at: int | None = None, by: Author = _ANYONE
    ) -> RuleOutcome:
        """One commit."""
        with writing(self._instance) as now:
            self._check_directions(rules, now)
            new = edits.insert_rules(now.ruleset, rules, at=at, now=now_text())
            first = len(now.ruleset.entries) if at is None else at - 1
            ids = [entry.id for entry in new.entries[first : first + len(rules)]]
            return self._commit(new, ids, by, f"add {first_few(ids)}")

    def set_rule(
        self, rule_id: str, changes: Mapping[str, Any], *, by: Author = _ANYONE
    ) -> RuleOutcome:
        """Only the named fields change."""
        with writing(self._instance) as now:
            new = edits.change_rule(now.ruleset, rule_id, changes)
            self._check_directions([find_rule(new, rule_id).rule], now)
            return self._commit(new, [rule_id], by, f"set {rule_id}")

    def replace_rule(self, rule_id: str, rule: Rule, *, by: Author = _ANYONE) -> RuleOutcome:
        """Another rule under the same id at the same place."""
        with writing(self._instance) as now:
            self._check_directions([rule], now)
            new = edits.replace_rule(now.ruleset, rule_id, rule)
            return self._commit(new, [rule_id], by, f"replace {rule_id}")

    def delete_rules(self, rule_ids: Sequence[str], *, by: Author = _ANYONE) -> DeleteOutcome:
        """All of them or none."""
        ids = list(dict.fromkeys(rule_ids))
        with writing(self._instance) as now:
            new = edits.delete_rules(now.ruleset, ids)
            ruleset = commit(self._instance, new, by=by, action=f"delete {first_few(ids)}")
            self._changed()
            return DeleteOutcome(revision=ruleset.revision, deleted=ids)

    def flush(self, *, by: Author = _ANYONE) -> DeleteOutcome:
        """No rule is left; the policy stays."""
        with writing(self._instance) as now:
            ids = [entry.id for entry in now.ruleset.entries]
            ruleset = commit(
                self._instance, edits.delete_rules(now.ruleset, ids), by=by, action="flush"
            )
            self._changed()
            return DeleteOutcome(revision=ruleset.revision, deleted=ids)

    def move_rule(self, rule_id: str, position: int, *, by: Author = _ANYONE) -> RuleOutcome:
        """The place after the move, from 1."""
        with writing(self._instance) as now:
            new = edits.move_rule(now.ruleset, rule_id, position)
            return self._commit(new, [rule_id], by, f"move {rule_id} to {position}")

    def enable_rules(
        self, rule_ids: Sequence[str], enabled: bool, *, by: Author = _ANYONE
    ) -> RuleOutcome:
        """Counters stay."""
        ids = list(dict.fromkeys(rule_ids))
        with writing(self._instance) as now:
            new = edits.enable_rules(now.ruleset, ids, enabled)
            verb = "enable" if enabled else "disable"
            return self._commit(new, ids, by, f"{verb} {first_few(ids)}")

    def reset_counters(
        self, rule_ids: Sequence[str] | None = None, *, by: Author = _ANYONE
    ) -> RuleOutcome:
        """These rules count from 0 again, all of them for None. No revision."""
        with writing(self._instance) as now:
            known = now.ruleset.by_id()
            ids = list(known) if rule_ids is None else list(dict.fromkeys(rule_ids))
            entries = [known.get(i) or find_rule(now.ruleset, i) for i in ids]
            dataplane = self._instance.dataplane()
            if dataplane is not None and entries:
                raw = dataplane.counters.read([entry.slot for entry in entries])
                self._instance.store.set_baselines(
                    dict(zip(ids, raw, strict=True)),
                    by=by,
                    action=f"reset-counters {first_few(ids)}",
                    now=now_text(),
                )
            ruleset = self._instance.ruleset
            return RuleOutcome(revision=ruleset.revision, rules=self._views(ruleset, ids))

    # -- everything else -------------------------------------------------------------------------
    def set_policy(
        self, changes: Mapping[str, str], *, dry_run: bool = False, by: Author = _ANYONE
    ) -> PolicyOutcome:
        """Only the named parts change. What a drop would cost this host is looked up unlocked."""
        for name, value in changes.items():
            check_policy(name, value)
        with (reading if dry_run else writing)(self._instance) as now:
            policy = now.ruleset.policy.model_copy(update=dict(changes))
            ruleset, rows = edits.with_policy(now.ruleset, policy), now.attachments
            if not dry_run:
                words = ", ".join(f"{name} {value}" for name, value in changes.items())
                ruleset = commit(self._instance, ruleset, by=by, action=f"policy {words}")
                self._changed()
        rules = [entry.rule for entry in ruleset.entries]
        stricter = {"drop", "judge"}.intersection(changes.values())
        missing, unread = missing_now(
            self._instance, policy, rules, _places(rows) if stricter else ()
        )
        return PolicyOutcome(
            revision=now.ruleset.revision if dry_run else ruleset.revision,
            dry_run=dry_run,
            policy=policy,
            missing_rules=[one.sentence for one in missing],
            warnings=[
                *policy_warnings(policy),
                *policy_change_warnings(self._instance, changes),
                *warnings_of(missing),
                *unread,
            ],
        )

    def set_switch(self, on: bool, *, by: Author = _ANYONE) -> SwitchOutcome:
        """Off: everything passes. Works also when the disk is full."""
        with writing(self._instance, in_need=True) as now:
            dataplane = self._instance.dataplane()
            was = now.on if dataplane is None else dataplane.control.read().on
            if dataplane is not None and was != on:
                dataplane.control.set_switch(on)
            crash_point("switch-set")
            if was != on or now.on != on:
                action = "on" if on else "off"
                self._instance.store.set_switch(on, by=by, action=action, now=now_text())
            if not on:
                raise_if_orphaned(self._instance.attacher, now.attachments)
            return SwitchOutcome(on=on, changed=was != on)

    def set_events(self, changes: Mapping[str, Any], *, by: Author = _ANYONE) -> EventsOutcome:
        """In force with the next packet; no program is touched."""
        with writing(self._instance) as now:
            dataplane = self._instance.dataplane()
            old = now.events if dataplane is None else dataplane.events.read()
            wanted = merge_settings(old, changes)
            if wanted != old or wanted != now.events:
                action = f"events {describe_settings(wanted, changes)}"
                self._instance.store.set_events(wanted, by=by, action=action, now=now_text())
            if dataplane is not None:
                logging = any(rule.log for rule, _ in now.ruleset.kernel_rules())
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
        with writing(self._instance, renew=adopt and not dry_run, adopt=adopt), no_collections():
            if adopt and not dry_run:
                outcome = adopt_and_apply(self._instance, wanted, by=by)
            else:
                outcome = apply_ruleset(self._instance, wanted, dry_run=dry_run, by=by)
            self._changed()
            rows = _places(self._instance.attachments)
        if not outcome.policy_changed:
            return outcome
        if dry_run and wanted.attachments is not None:
            rows = _places(wanted.attachments)
        sets = wanted.sets if dry_run else None
        missing, unread = missing_now(self._instance, wanted.policy, wanted.rules, rows, sets)
        return outcome.model_copy(
            update={
                "missing_rules": [one.sentence for one in missing],
                "warnings": [*outcome.warnings, *warnings_of(missing), *unread],
            }
        )

    def attach(
        self,
        iface: str,
        *,
        hook: Hook = "xdp",
        direction: Direction = "ingress",
        mode: WantedMode = "auto",
        replace: bool = False,
        by: Author = _ANYONE,
    ) -> AttachOutcome:
        """Attach, read back, and say which mode it got."""
        from .attachment_views import attachment_views

        spec = AttachmentSpec(iface, hook, direction, mode)
        with writing(self._instance):
            row, changed = attachments.attach_interface(
                self._instance, spec, replace_other=replace, by=by
            )
            self._changed()
            now = self._instance.store.read()
            beside = [other for other in now.attachments if other.iface == iface]
            rules = [entry.rule for entry in now.ruleset.entries if entry.rule.enabled]
            (view,) = attachment_views(self._instance.attacher, self._instance.dataplane(), [row])
            warnings = [
                *bypass_warnings(iface, self._instance.attacher.bypasses(row.index, row.place)),
                *hook_warnings(beside),
                *vlan_warnings(rules, [row]),
            ]
        missing, unread = missing_now(
            self._instance, now.ruleset.policy, rules, _places([row]) if changed else ()
        )
        return AttachOutcome(
            attachment=view,
            changed=changed,
            warnings=[*warnings, *warnings_of(missing), *unread],
        )

    def detach(
        self,
        iface: str | None,
        *,
        hook: Hook | None = None,
        direction: Direction | None = None,
        by: Author = _ANYONE,
    ) -> DetachOutcome:
        """Only ours; an attachment that is not there is no error, an unknown interface is."""
        with writing(self._instance, in_need=True) as now:
            rows = attachments.matching_attachments(now.attachments, iface, hook, direction)
            if iface is not None and not rows:
                index_of(iface)
            for row in rows:
                attachments.detach_interface(self._instance, row, by=by)
            unknown = attachments.detach_unrecorded(self._instance, iface, hook, direction)
            return DetachOutcome(detached=[row.words for row in rows] + unknown)

    def restore(self, *, adopt: bool = False, by: Author = _ANYONE) -> RestoreOutcome:
        """After a reboot, or an upgrade to maps that are laid out otherwise: rules, policy and
        attachments as they were. `adopt`: also in the place of what the state folder does not know."""
        with writing(self._instance, renew=True, adopt=adopt):
            if adopt:
                adopt_stored(self._instance, by=by)
            return restore(self._instance, by=by)

    # -- inside ----------------------------------------------------------------------------------
    def _commit(
        self, new: CommittedRuleset, ids: Sequence[str], by: Author, action: str
    ) -> RuleOutcome:
        ruleset = commit(self._instance, new, by=by, action=action)
        self._changed()
        known = ruleset.by_id()
        rules = [known[rule_id].rule for rule_id in ids if known[rule_id].rule.enabled]
        return RuleOutcome(
            revision=ruleset.revision,
            rules=self._views(ruleset, ids),
            warnings=rule_change_warnings(self._instance, rules),
        )

    def _changed(self) -> None:
        dataplane = self._instance.dataplane() if self._tidier is None else None
        if dataplane is not None:
            # This process ends soon. If it fails, programs do more than they need, and filter.
            with suppress(XdpwallError):
                drop_unused_features(self._instance, dataplane)
        for thread in (self._tidier, self._expirer):
            if thread is not None:
                thread.wake()

    def _check_directions(self, rules: Sequence[Rule], now: Snapshot) -> None:
        specs = [row.spec for row in now.attachments]
        for rule in rules:
            check_direction(rule, specs)


def _places(rows: Iterable[Attachment | AttachmentSpec]) -> list[tuple[str, bool]]:
    """(interface, whether egress) of each."""
    return [(row.iface, row.direction == "egress") for row in rows]
