"""What is wrong with an instance's state folder, and what is known all the same."""

from __future__ import annotations

from xdpwall.changes.ownership import foreign_kernel
from xdpwall.dataplane.lost_pins import missing_pins_error
from xdpwall.errors import Failed
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.policy import Policy
from xdpwall.store.records import Snapshot
from xdpwall.values.switched_off import HELD_BY_KERNEL


def folder_problems(instance: Instance, copy_error: str | None) -> list[str]:
    """What every change would be refused with, pins that were removed, or why the second copy could not
    be written."""
    problems, dataplane = [], instance.dataplane()
    if dataplane is not None and dataplane.lost_pins:
        lost = missing_pins_error(dataplane.lost_pins)
        problems.append(f"{lost.message}; {lost.hint}")
    if fault := instance.fault():
        problems.append(f"{fault.message}; {fault.hint}" if fault.hint else fault.message)
    elif copy_error:
        problems.append(copy_error)
    return problems


def revision_problems(judges: int, now: Snapshot) -> list[str]:
    """That packets are judged by another revision, `judges`, than the last on disk."""
    last, waits = now.ruleset.revision, now.unconfirmed
    if judges == last:
        return []
    if waits is not None and judges == waits.revision - 1:
        said = f"revision {last} was not confirmed in time, and revision {judges} is in force again"
        return [f"{said}: the state folder could not record it"]
    return [f"{HELD_BY_KERNEL} {judges}, the disk {last}: xdpwall restore"]


def copy_warnings(instance: Instance, service: bool) -> list[str]:
    """That the second copy lacks what a process wrote which has ended: the service writes it a moment
    after a change, so there only a failure counts."""
    store = instance.store
    if service or store.fault() or not store.lacks_copy():
        return []
    path = store.second_copy.path
    return [f"the second copy of the state ({path}) is an older one: the next change writes it"]


def known_policy(instance: Instance, now: Snapshot) -> Policy:
    """The policy on disk; where the disk says nothing, that in force. The fault where there is neither."""
    if not instance.store.is_blank:
        return now.ruleset.policy
    foreign = foreign_kernel(instance, now)
    if foreign is None:
        raise instance.store.fault() or Failed("nothing is known of the policy")
    return foreign[1].policy
