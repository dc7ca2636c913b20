"""Mute attachments whose program cannot be detached, and give their numbers back when it is gone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from xdpwall.errors import NeedsPrivileges, NotFound, XdpwallError
from xdpwall.instance.instance import Instance

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


def mute_program(instance: Instance, program_id: int) -> bool:
    """Let every packet pass that the program still meets. False when it does not read the maps of this
    instance, or these cannot be opened."""
    from xdpwall.abi import SHARED
    from xdpwall.kernel.bpf.programs import Program

    try:
        dataplane = instance.dataplane()
        if dataplane is None:
            return False
        with instance.attacher.pins.open(program_id) or Program.open_id(program_id) as program:
            number = dataplane.programs.constant(program, "number")
            # One that is shared judges elsewhere, too.
            if number in (None, SHARED) or not dataplane.programs.runs_on_these_maps(program):
                return False
    except XdpwallError:
        return False
    dataplane.control.mute(number, program_id)
    return True


def muted_numbers(dataplane: Dataplane) -> dict[int, int]:
    """The numbers that a muted program still has, and the program's id; those of programs that are
    gone are given back, by whoever may ask for them (CAP_SYS_ADMIN)."""
    from xdpwall.kernel.bpf.programs import Program

    found = dataplane.control.muted()
    for number, program_id in list(found.items()):
        try:
            with suppress(NeedsPrivileges):
                Program.open_id(program_id).close()
        except NotFound:
            dataplane.control.unmute(number)
            del found[number]
    return found
