"""The facade's methods that tell what is attached and in force, which ReadMethods inherits (reading.py)."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from xdpwall.attach.answering import cookie_warnings
from xdpwall.attach.flow_warnings import flow_warnings, policy_warnings
from xdpwall.attach.in_place import stand_in_warnings
from xdpwall.attach.relations import related, words_for_interfaces
from xdpwall.attach.warnings import (
    bypass_warnings,
    hook_warnings,
    rule_warnings,
    unsure_warnings,
)
from xdpwall.changes.ownership import foreign_kernel
from xdpwall.changes.transactions import reading
from xdpwall.changes.unrecorded import unrecorded_attachments
from xdpwall.containers.now import containers_now
from xdpwall.errors import OTHER_NAMESPACE, NeedsPrivileges, XdpwallError
from xdpwall.instance import namespace
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.flow_timeouts import FlowTimeouts
from xdpwall.store.records import Snapshot
from xdpwall.values.switched_off import SWITCHED_OFF
from xdpwall.version import __version__
from xdpwall.views.attachments import AttachmentView, InterfaceList, OpenSpell
from xdpwall.views.containers import ContainerList, PublishedList
from xdpwall.views.flows import FlowFill
from xdpwall.views.status import Status

from .container_names import behind, named
from .flows import flow_fill, tracks
from .native_warnings import native_warnings
from .pending import pending_view
from .sight_reader import SightReader
from .state_folder import copy_warnings, folder_problems, revision_problems


class StatusMethods:
    """Tells the state of an instance: what the disk and the kernel know, or the kernel alone."""

    def __init__(self, instance: Instance, *, service: bool) -> None:
        self._instance = instance
        self._settings = instance.settings
        self._service = service
        self._sight = SightReader(instance)
        self.copy_error: str | None = None  # why the second copy could not be written last

    def status(self) -> Status:
        """Switch, policy, attachments as the kernel has them, and warnings. Where the disk cannot be
        read, the kernel's part of it."""
        try:
            return self._status()
        except XdpwallError as error:
            if _is_final(error):
                raise
            from .kernel_status import kernel_status

            with self._instance.lock.threads:
                return kernel_status(self._instance, error, service=self._service)

    def _status(self) -> Status:
        from xdpwall.attach.orphans import describe_orphan, find_orphans

        from .attachment_views import (
            attachment_warnings,
            interface_views,
            passing_warnings,
            stray_warnings,
            unrecorded_warnings,
        )
        from .wanted_views import wanted_views, wanted_warnings

        with reading(self._instance) as now:
            self._instance.store.examine()
            ruleset = now.ruleset
            unjudged = self._unjudged(now)  # and what it finds is in the views
            unrecorded = unrecorded_attachments(self._instance)
            attacher, mine = self._instance.attacher, self._attachment_views(now, unrecorded)
            foreign = foreign_kernel(self._instance, now)
            others = [view for view in interface_views(attacher, mine) if view.others]
            names, old_names = behind(self._settings.containers)
            mine, others = named(mine, names), named(others, names)
            on, warnings = self._switch_state(now)
            warnings += copy_warnings(self._instance, self._service)
            warnings += attachment_warnings(mine)
            wanted = wanted_views(attacher, now.patterns, mine)
            warnings += wanted_warnings(wanted)
            warnings += stand_in_warnings(attacher)
            warnings += passing_warnings(self._instance.dataplane(), now.attachments)
            warnings += stray_warnings(attacher, self._instance.dataplane(), now.attachments)
            warnings += [*unjudged, *old_names]
            if foreign is None:
                warnings += unrecorded_warnings(unrecorded)
            warnings += [describe_orphan(row) for row in find_orphans(attacher, now.attachments)]
            warnings += hook_warnings(now.attachments)
            for view in others:
                warnings += bypass_warnings(view.name, view.others)
            rules = [entry.rule for entry in ruleset.entries if entry.rule.enabled]
            rows = related(now.attachments, rules, self._settings.containers)
            warnings += rule_warnings(
                rules, rows, words_for_interfaces(rules, rows, self._settings.containers)
            )
            warnings += unsure_warnings(rows)
            warnings += policy_warnings(ruleset.policy, rules)
            warnings += flow_warnings(rules, ruleset.policy, rows)
            warnings += cookie_warnings(rules, rows)
            return Status(
                version=__version__,
                host=socket.gethostname(),
                revision=ruleset.revision,
                on=on,
                rules=len(ruleset.entries),
                enabled_rules=len(rules),
                policy=ruleset.policy,
                attachments=mine,
                wanted=wanted,
                others=others,
                warnings=warnings,
                state_dir=str(self._settings.state_dir),
                bpffs=str(self._settings.bpffs),
                netns=namespace.netns_inode(),
                service=self._service,
                kernel=foreign[1] if foreign else None,
                pending=pending_view(self._instance, now.unconfirmed),
                flows=self._flow_fill(ruleset.timeouts),
            )

    def _flow_fill(self, timeouts: FlowTimeouts) -> FlowFill | None:
        dataplane = self._instance.dataplane()
        if dataplane is None or not tracks(dataplane):
            return None
        return flow_fill(dataplane, timeouts)

    def interfaces(self) -> InterfaceList:
        """Every interface of the namespace."""
        from .attachment_views import interface_views
        from .wanted_views import wanted_views, with_wanted

        try:
            with reading(self._instance) as now:
                unrecorded = unrecorded_attachments(self._instance)
                mine, attacher = self._attachment_views(now, unrecorded), self._instance.attacher
                wanted = wanted_views(attacher, now.patterns, mine)
                found = with_wanted(interface_views(attacher, mine), wanted)
                names, _ = behind(self._settings.containers)
                return InterfaceList(interfaces=named(found, names))
        except XdpwallError as error:
            if _is_final(error):
                raise
            from .kernel_status import kernel_interfaces

            with self._instance.lock.threads:
                return InterfaceList(interfaces=kernel_interfaces(self._instance))

    def containers(self) -> ContainerList:
        """The containers by the engine's names, and the interfaces that lead to them."""
        return containers_now(self._settings.containers)

    def published(self) -> PublishedList:
        """What containers publish to the outside, and which rules decide who comes to it."""
        from .check_instance import sets_held
        from .published import published_ports, with_verdicts

        with reading(self._instance) as now:
            found, judging = containers_now(self._settings.containers), self._judging(now)
            ports = published_ports(found, judging, on=now.on)
            if any(one.verdict == "undecided" for one in ports):
                rules = [entry.rule for entry in now.ruleset.entries]
                known = related(now.attachments, rules, self._settings.containers)
                rows = {(row.iface, row.place): row for row in known}
                judged = {name: rows[one.iface, one.place] for name, one in judging.items()}
                sets = sets_held(self._instance, now, rules)
                ports = with_verdicts(ports, rules, now.ruleset.policy, sets, judged)
        return PublishedList(
            engine=found.engine, complete=found.complete, problems=found.problems, ports=ports
        )

    def _unfiltered(self, now: Snapshot) -> list[str]:
        """In words, what containers publish to the outside where nothing filters it."""
        from .published import published_ports, unfiltered_words

        found = containers_now(self._settings.containers)
        if not found.containers:
            return []
        return unfiltered_words(published_ports(found, self._judging(now), on=now.on))

    def _judging(self, now: Snapshot) -> dict[str, AttachmentView]:
        """By interface: an attachment that the kernel has on what comes in."""
        return {
            view.called or view.iface: view
            for view in self._attachment_views(now, ())
            if view.direction == "ingress" and view.state == "attached"
        }

    # -- inside ----------------------------------------------------------------------------------
    def _attachment_views(
        self, now: Snapshot, unrecorded: Sequence[Attachment]
    ) -> list[AttachmentView]:
        rows = [*now.attachments, *unrecorded]
        if not rows:
            return []
        from .attachment_views import attachment_views, blind_view

        dataplane = self._instance.dataplane()
        found = attachment_views(self._instance.attacher, dataplane, rows)
        opened = [view.model_copy(update={"last_open": self._last_open(view)}) for view in found]
        return [
            blind_view(view, unseen) if (unseen := self._sight.unseen(row)) else view
            for view, row in zip(opened, rows, strict=True)
        ]

    def _last_open(self, view: AttachmentView) -> OpenSpell | None:
        """When its packets passed unjudged last; None when nobody watches. Firewall overrides it."""
        return None

    def _unjudged(self, now: Snapshot) -> list[str]:
        """Warn of attachments that are in place and do not see, or lose, what their interface receives."""
        if not self._service:  # whose thread looks by itself
            self._look(now)
        dataplane = self._instance.dataplane() if now.attachments else None
        return [
            *self._sight.warnings(now.attachments),
            *native_warnings(self._instance, dataplane, now.attachments),
        ]

    def _look(self, now: Snapshot) -> list[Attachment]:
        dataplane = self._instance.dataplane() if now.attachments else None
        on = dataplane is not None and dataplane.control.read().on
        return self._sight.look(dataplane, now.attachments, on=on)

    def look(self) -> list[Attachment]:
        """Compare what attachments have seen with what their interfaces received, now and when it was
        last done. Returns those that are found to see nothing with this one."""
        with reading(self._instance) as now:
            return self._look(now)

    def _switch_state(self, now: Snapshot) -> tuple[bool, list[str]]:
        """Whether the firewall is on, and the problems of what is loaded in the kernel."""
        dataplane = self._instance.dataplane()
        on = now.on if dataplane is None else dataplane.control.read().on
        problems = [*([] if on else [SWITCHED_OFF]), *self._instance.clock.warnings()]
        problems += folder_problems(self._instance, self.copy_error)
        if dataplane is None and (now.ruleset.revision or now.attachments):
            problems.append("nothing is loaded in the kernel: xdpwall restore")
        elif foreign := foreign_kernel(self._instance, now):
            problems.append(f"{foreign[0].message}; {foreign[0].hint}")
        elif dataplane is not None:
            problems += revision_problems(dataplane.control.in_force().revision, now)
        return on, problems


def _is_final(error: XdpwallError) -> bool:
    """Whether the kernel would not tell more: to no user without privileges, nor of another namespace."""
    unprivileged = isinstance(error, NeedsPrivileges) and os.geteuid() != 0
    return unprivileged or error.code == OTHER_NAMESPACE
