"""`xdpwall restore`: load and attach again what a reboot or a re-created interface lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache

from xdpwall.attach.in_place import out_of_place
from xdpwall.attach.interfaces import interface_names, lowest_first
from xdpwall.attach.orphans import describe_orphan, find_orphans
from xdpwall.attach.wanted import all_links, is_member
from xdpwall.attach.warnings import generic_warnings
from xdpwall.errors import NotFound, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.limits import ATTACHMENTS
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.author import Author
from xdpwall.values.switched_off import SWITCHED_OFF
from xdpwall.views.status import RestoreOutcome

from .attachments import attach_interface, guard_attach_again
from .bringup import ensure_loaded
from .patterns import attach_matching, unmatched
from .programs import reload_programs
from .relations import follow_relations


def restore(instance: Instance, *, by: Author) -> RestoreOutcome:
    """Load the committed ruleset and attach what was attached. An attachment that fails is
    reported, as one whose interface is not there, and the others go on. LockOut, with nothing
    attached, where that would cut off an author with a session."""
    # Programs of another version may be on maps that were unpinned.
    reload_programs(instance, ensure_loaded(instance))
    if by.session is not None:
        _guard(instance, by)
    outcome: dict[str, list[str]] = {"attached": [], "already": [], "failed": [], "waiting": []}
    made: list[Attachment] = []
    patterns = instance.store.read().patterns
    lost = find_orphans(instance.attacher, instance.attachments)
    names, ours = interface_names(), cache(instance.attacher.pins.ids)
    for row in lowest_first(instance.attachments, lambda one: one.index):
        if row in lost:
            # A second filter beside an orphan would run two rulesets on each packet.
            outcome["failed"].append(describe_orphan(row))
            continue
        if row.number >= ATTACHMENTS and _is_in_place(instance, row, names, ours):
            outcome["already"].append(row.words)
            made.append(row)
            continue
        try:
            now, changed = attach_interface(instance, row.spec, by=by)
        except XdpwallError as error:
            if error.code == "no-interface" and _goes_on(instance, row):
                outcome["already"].append(row.words)
                continue
            if error.code == "no-interface" and is_member(patterns, row):
                continue  # attach_matching() ends it
            where = instance.attacher.whereabouts(row.index, row.place)
            if where is not None:
                outcome["failed"].append(out_of_place(row.iface, row.place, "moved", where.words))
            elif error.code != "no-interface":
                outcome["failed"].append(f"{row.words}: {error.message}")
            else:
                outcome["waiting"].append(row.words)
        else:
            outcome["attached" if changed else "already"].append(row.words)
            made.append(now)
    matched = attach_matching(instance, by=by)
    outcome["attached"] += [row.words for row in matched.attached]
    outcome["failed"] += matched.failed
    made += matched.attached
    follow_relations(instance)
    instance.attacher.prune()
    outcome["waiting"] += unmatched(instance.store.read().patterns, all_links())
    ruleset, on = instance.ruleset, instance.store.read().on
    return RestoreOutcome(
        revision=ruleset.revision,
        rules=len(ruleset.entries),
        warnings=[
            *([] if on else [SWITCHED_OFF]),
            *matched.left_out,
            *generic_warnings(made),
            *instance.clock.warnings(),
        ],
        **outcome,
    )


def _is_in_place(
    instance: Instance,
    row: Attachment,
    names: Mapping[str, int],
    ours: Callable[[], frozenset[int]],
) -> bool:
    """Whether one of many attachments is as it was, by one question."""
    if names.get(row.iface) != row.index:
        return False
    try:
        return instance.attacher.in_place(row.index, row.place, ours)
    except OSError:
        return False


def _guard(instance: Instance, by: Author) -> None:
    """Hold back what would cut off the person who asks; a boot and a service have no such session."""
    for row in instance.attachments:
        with suppress(NotFound):
            guard_attach_again(instance, row, by=by)


def _goes_on(instance: Instance, row: Attachment) -> bool:
    """Whether an interface that was renamed is filtered as before."""
    found = instance.attacher.find(row.index, row.place)
    return found is not None and found.ours
