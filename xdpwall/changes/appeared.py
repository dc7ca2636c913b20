"""Attach interfaces that have appeared, as a boot's hook tells of them where no service watches."""

from __future__ import annotations

from collections.abc import Collection

from xdpwall.attach.in_place import out_of_place
from xdpwall.attach.interfaces import interface_names
from xdpwall.attach.orphans import describe_orphan, is_orphaned
from xdpwall.attach.warnings import generic_warnings
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.author import Author
from xdpwall.values.switched_off import SWITCHED_OFF
from xdpwall.views.status import RestoreOutcome

from .attachments import attach_interface
from .bringup import ensure_loaded
from .patterns import attach_matching
from .relations import follow_relations


def attach_appeared(instance: Instance, ifaces: Collection[str], *, by: Author) -> RestoreOutcome:
    """Attach what is wanted on these interfaces and not in place. What is not wanted is not looked at, and
    maps are loaded only where something is. An attachment that fails is reported, and the others go on."""
    outcome: dict[str, list[str]] = {"attached": [], "already": [], "failed": []}
    made: list[Attachment] = []
    names = interface_names()
    for row in instance.attachments:
        if row.iface not in ifaces:
            continue
        index = names.get(row.iface)
        if index is None:
            outcome["failed"].append(out_of_place(row.iface, row.place, "no interface"))
        elif is_orphaned(instance.attacher, index, row.place):
            outcome["failed"].append(describe_orphan(row))
        else:
            try:
                ensure_loaded(instance)
                now, changed = attach_interface(instance, row.spec, by=by)
            except XdpwallError as error:
                outcome["failed"].append(f"{row.words}: {error.message}")
            else:
                outcome["attached" if changed else "already"].append(row.words)
                made.append(now)
    matched = attach_matching(instance, by=by, only=ifaces)
    outcome["attached"] += [row.words for row in matched.attached]
    outcome["failed"] += matched.failed
    made += matched.attached
    follow_relations(instance)
    ruleset, on = instance.ruleset, instance.store.read().on
    return RestoreOutcome(
        revision=ruleset.revision,
        rules=len(ruleset.entries),
        warnings=[
            *([] if on else [SWITCHED_OFF]),
            *matched.left_out,
            *generic_warnings(made),
        ],
        **outcome,
    )
