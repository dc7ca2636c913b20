"""The attachments of which only the kernel tells, since the state folder was lost."""

from __future__ import annotations

from collections.abc import Iterable

from xdpwall.attach.interfaces import interface_names, link_kind
from xdpwall.attach.orphans import unrecorded_pins
from xdpwall.errors import XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.bpf.programs import Program
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.terms import Place


def unrecorded_attachments(instance: Instance) -> list[Attachment]:
    """The attachments of which only the kernel tells, since the state folder was lost, as rows:
    with the number that their program was loaded with, and since when it was. Not the muted ones,
    which were to be detached and judge nothing."""
    return attachments_in_kernel(instance, instance.attachments)


def attachments_in_kernel(instance: Instance, known: Iterable[Attachment] = ()) -> list[Attachment]:
    """The attachments of pinned programs, as the kernel tells of them, without those `known`."""
    attacher, found = instance.attacher, []
    pins = unrecorded_pins(attacher, known)
    names = {index: name for name, index in interface_names().items()} if pins else {}
    muted = _muted_ids(instance) if pins else frozenset()
    for index, place in pins:
        there = attacher.find(index, place)
        if there is None or not there.ours or there.program_id in muted:
            continue
        program = attacher.pins.open_attached(index, place)
        if program is None:
            continue
        with program:
            number = number_of(instance, program, index, place)
            since = instance.clock.text_at(program.info.load_time)
        iface = names.get(index, f"index{index}")
        found.append(
            Attachment(
                iface,
                place,
                index,
                None,
                number,
                since,
                there.mode,
                link_kind(index),
            )
        )
    return found


def _muted_ids(instance: Instance) -> frozenset[int]:
    try:
        dataplane = instance.dataplane()
    except XdpwallError:
        return frozenset()
    return frozenset(dataplane.control.muted().values() if dataplane else ())


def number_of(instance: Instance, program: Program, index: int = 0, place: Place = "xdp") -> int:
    """The number of the attachment that a program of ours was loaded for; of a shared one, that of the
    interface with this index."""
    from xdpwall.abi import SHARED, UNLISTED
    from xdpwall.dataplane.program_constants import read_constant

    number = read_constant(instance.settings.bpffs, program, "number") or 0
    if number != SHARED:
        return number
    dataplane = instance.dataplane()
    listed = None if dataplane is None else dataplane.numbers.find(index, place)
    return UNLISTED if listed is None else listed
