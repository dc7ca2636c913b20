"""The facade's methods that attach and detach, which Firewall inherits (firewall.py)."""

from __future__ import annotations

from contextlib import ExitStack, suppress

from xdpwall.attach.answering import cookie_warnings
from xdpwall.attach.in_place import former_name
from xdpwall.attach.interfaces import highest_first, index_of
from xdpwall.attach.length_warnings import length_warnings
from xdpwall.attach.merging import left_off, merging_of, turned_off
from xdpwall.attach.relations import related
from xdpwall.attach.warnings import bypass_warnings, hook_warnings, vlan_warnings
from xdpwall.changes import attachments, patterns
from xdpwall.changes.confirm import change_pending
from xdpwall.changes.detach import detach_in_need, detach_unrecorded
from xdpwall.changes.detached import (
    detach_outcome,
    detach_unlocked,
    undisturbed,
    unrecorded,
)
from xdpwall.changes.transactions import writing
from xdpwall.changes.trial import attach_on_trial, detach_on_trial, refuse_to_confirm
from xdpwall.errors import OTHER_NAMESPACE, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.rule.iface_selector import parse_iface_name
from xdpwall.ruleset.attachment import AttachmentSpec, attachment_places
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook, WantedMode
from xdpwall.views.attachments import AttachOutcome, DetachOutcome, WantOutcome

from .change_warnings import off_warnings
from .default_drop import missing_now
from .detached_flows import empty_flows, what_flows_lose
from .native_warnings import native_warnings
from .pending import pending_now
from .real_names import real_name

_ANYONE = Author()
LOCK_SECONDS = 5.0
"""How long a detach waits for another process that changes this instance, before it goes past it."""


class AttachmentMethods:
    """Attaches and detaches the programs of `_instance`."""

    _instance: Instance

    def _changed(self) -> None:
        """Called after a change; Firewall overrides it to wake its background threads."""

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

        parse_iface_name("iface", iface)
        given, iface = iface, real_name(iface)
        spec = AttachmentSpec(iface, hook, direction, mode)
        merging = merging_of(iface) if hook == "xdp" else {}
        if replace:
            refuse_to_confirm(by, "--replace")
        with writing(self._instance) as before:
            there = {(one.iface, one.place) for one in before.attachments}
            if by.confirm is None or (spec.iface, spec.place) in there:
                row, changed = attachments.attach_interface(
                    self._instance, spec, replace_other=replace, guarded=True, by=by
                )
                patterns.own_by_name(self._instance, row)
            else:
                row, changed = attach_on_trial(self._instance, spec, by=by), True
            self._changed()
            now = self._instance.store.read()
            pending = pending_now(self._instance)
            beside = [other for other in now.attachments if other.iface == iface]
            rules = [entry.rule for entry in now.ruleset.entries if entry.rule.enabled]
            views = attachment_views(self._instance.attacher, self._instance.dataplane(), beside)
            view = next(one for one in views if one.place == row.place)
            known = related([row], rules, self._instance.settings.containers)
            warnings = [
                *self._instance.notices,
                *off_warnings(self._instance),
                *(turned_off(iface, merging, merging_of(iface)) if row.mode == "generic" else []),
                *([] if given == iface else [f"{given} is another name of {iface}"]),
                *bypass_warnings(iface, self._instance.attacher.bypasses(row.index, row.place)),
                *hook_warnings(beside),
                *native_warnings(self._instance, self._instance.dataplane(), [row]),
                *vlan_warnings(rules, known),
                *length_warnings(rules, known),
                *cookie_warnings(rules, known),
            ]
        offer, unread = missing_now(
            self._instance,
            now.ruleset.policy,
            rules,
            attachment_places([row]) if changed else (),
            attached=attachment_places(now.attachments),
        )
        return AttachOutcome(
            attachment=view,
            changed=changed,
            why_generic=row.why_generic,
            pending=pending,
            warnings=[*warnings, *offer.warnings, *unread],
        )

    def want(self, spec: AttachmentSpec, *, by: Author = _ANYONE) -> WantOutcome:
        """Want `veth*`, `ports:docker0` or a name from now on, and attach what there is."""
        from .attachment_views import attachment_views
        from .wanted_views import wanted_views, wanted_warnings

        refuse_to_confirm(by, "an attachment by policy")
        with writing(self._instance) as before:
            pattern, changed, done = patterns.want_pattern(self._instance, spec, by=by)
            if done.attached:
                self._changed()
            now, attacher = self._instance.store.read(), self._instance.attacher
            beside = attachment_views(attacher, self._instance.dataplane(), now.attachments)
            (view,) = wanted_views(attacher, [pattern], beside)
            rules = [entry.rule for entry in now.ruleset.entries if entry.rule.enabled]
            known = related(done.attached, rules, self._instance.settings.containers)
            warnings = [
                *self._instance.notices,
                *off_warnings(self._instance),
                *hook_warnings(now.attachments),
                *native_warnings(self._instance, self._instance.dataplane(), done.attached),
                *vlan_warnings(rules, known),
                *length_warnings(rules, known),
                *wanted_warnings([view]),
            ]
        offer, unread = missing_now(
            self._instance,
            before.ruleset.policy,
            rules,
            attachment_places(done.attached),
            attached=attachment_places(now.attachments),
        )
        return WantOutcome(
            wanted=view,
            attached=[row.words for row in done.attached],
            changed=changed or bool(done.attached),
            warnings=[*warnings, *offer.warnings, *unread],
        )

    def detach(
        self,
        iface: str | None,
        *,
        hook: Hook | None = None,
        direction: Direction | None = None,
        by: Author = _ANYONE,
    ) -> DetachOutcome:
        """Only ours; an attachment that is not there is no error, an unknown interface is. Where the disk
        or the lock cannot be used, by the kernel alone, and said so. Failed "still-attached", when all
        else is done, where a program could not be detached."""
        with ExitStack() as held:
            try:
                now = held.enter_context(
                    writing(self._instance, while_waiting=True, seconds=LOCK_SECONDS)
                )
            except XdpwallError as error:
                if error.code == OTHER_NAMESPACE or by.confirm is not None:
                    raise
                with undisturbed(self._instance) as instance:
                    return detach_unlocked(instance, iface, hook, direction, error)
            ends = patterns.matching_patterns(now.patterns, iface, hook, direction)
            if (
                iface is not None
                and not ends
                and not any(row.iface == iface for row in now.attachments)
            ):
                iface = real_name(iface)
                iface = former_name(iface, now.attachments) or iface
            rows = attachments.matching_attachments(now.attachments, iface, hook, direction)
            rows += [row for row in patterns.members_of(ends, now.attachments) if row not in rows]
            patterns.check_not_wanted(self._instance, rows, ends)
            if ends:
                refuse_to_confirm(by, "the end of an attachment by policy")
                patterns.forget_patterns(self._instance, ends, by=by)
            # What is above goes first: until then the kernel keeps what is below.
            rows = highest_first(rows, lambda one: one.index)
            if by.confirm is not None and rows:
                if now.unconfirmed is not None:
                    raise change_pending(now.unconfirmed, None)
                detach_on_trial(self._instance, rows, by=by)
                self._changed()
                return DetachOutcome(detached=[], pending=pending_now(self._instance))
            gone: list[str] = []
            left: list[str] = []
            warnings: list[str] = []
            for one in detach_in_need(self._instance, rows, by=by):
                if one.left is not None:
                    left.append(one.left)
                    continue
                gone.append(one.row.words)
                if one.unrecorded is not None:
                    words = f"detached {one.row.words}"
                    warnings.append(unrecorded(self._instance, [one.row], words, one.unrecorded))
            tried = {(row.index, row.place) for row in rows}
            more, remaining = detach_unrecorded(self._instance, iface, hook, direction, tried)
            if iface is not None and not (rows or more or remaining or ends):
                index_of(iface)
            gone += [one.words for one in ends if one.words not in gone]
            generic = dict.fromkeys(row.iface for row in rows if row.mode == "generic")
            for name in generic:
                warnings += left_off(name, merging_of(name))
            with suppress(XdpwallError):  # the programs are off, whatever becomes of this
                warnings += what_flows_lose(self._instance, {row.iface for row in rows})
                if iface is None:
                    empty_flows(self._instance)
            return detach_outcome([*gone, *more], [*left, *remaining], warnings)
