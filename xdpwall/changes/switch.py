"""`off` and `on`: one bit in the kernel, at once and without the lock, and then its record on disk.

A switch that cannot be recorded is in force all the same. The next writer finds it in the kernel and
records it; only a reboot before that forgets it.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass

from xdpwall.attach.orphans import ORPHANED, raise_if_orphaned
from xdpwall.dataplane.pinned_identity import PinnedIdentity
from xdpwall.dataplane.single_maps import open_other_switches, open_switch
from xdpwall.dataplane.switch import Switch
from xdpwall.errors import OTHER_NAMESPACE, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.values.author import Author

from .crashpoints import crash_point
from .guard import guard_on
from .ownership import another_state, standing
from .transactions import check_namespace, holding, writing
from .unrecorded_words import unrecorded_words

RECORD_SECONDS = 2.0
"""How long `off` and `on`, in force already, wait for the lock to record it."""


@dataclass(frozen=True, slots=True)
class Switched:
    """What a switch did."""

    changed: bool
    warnings: list[str]
    """What could not be recorded or looked at."""


def switch_firewall(instance: Instance, on: bool, *, by: Author) -> Switched:
    """Let everything pass, or filter again. Conflict "other-namespace"; Failed "orphaned-programs" when
    programs go on that this does not reach; an error of the disk only where nothing is loaded; LockOut
    where that would cut off who asks."""
    try:
        check_namespace(instance)
    except XdpwallError as error:
        if error.code == OTHER_NAMESPACE:
            raise
    warnings = _guard(instance, by) if on else []
    with open_switch(instance.settings.bpffs) as switch:
        changed = switch is not None and switch.set_switch(on)
        with open_other_switches(instance.settings.bpffs, switch) as others:
            for other in others:
                changed |= other.set_switch(on)
        crash_point("switch-set")
        try:
            changed |= _record(instance, switch, on, changed, by)
        except XdpwallError as error:
            if switch is None:
                raise
            warnings.append(unrecorded_words("on" if on else "off", error))
    if on:
        # What a dead process left is finished before packets are judged for long; nothing hangs on it.
        with suppress(XdpwallError), writing(instance, while_waiting=True, seconds=RECORD_SECONDS):
            pass
    else:
        try:
            with instance.lock.threads:
                raise_if_orphaned(instance.attacher, instance.attachments)
        except XdpwallError as error:
            if error.code == ORPHANED:
                raise
            if not warnings:
                warnings.append(f"whether it reaches every program is not known: {error.message}")
    return Switched(changed, warnings)


def _guard(instance: Instance, by: Author) -> list[str]:
    """Hold `on` back where it would cut the asker off; nothing else does, nor that it cannot be known."""
    with ExitStack() as held:
        try:
            held.enter_context(instance.lock.hold(RECORD_SECONDS))
        except XdpwallError:  # no disk, or somebody else keeps it
            held.enter_context(instance.lock.threads)
        instance.notices.clear()
        guard_on(instance, by=by)
        return list(instance.notices)


def _record(instance: Instance, switch: Switch | None, on: bool, changed: bool, by: Author) -> bool:
    """Record it. Returns whether the disk said otherwise while nothing is loaded."""
    with holding(instance, RECORD_SECONDS):
        store = instance.store
        if fault := instance.fault():
            raise fault
        disk = store.read()
        if switch is not None:
            held = switch.read()
            identity = PinnedIdentity(instance.settings.bpffs).read()
            if standing(identity, held.revision, disk) == "another":
                raise another_state(instance, identity, held.revision, disk)
            if held.on != on:
                return False  # another process was faster, and records its own
        differs = disk.on != on
        if differs or changed:
            store.set_switch(on, by=by, action="on" if on else "off", now=instance.clock.now_text())
        return differs and switch is None
