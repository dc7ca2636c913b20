"""Take programs off, and read back that they are: also those whose interface was moved to another network
namespace, deleted or renamed."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from xdpwall.errors import Failed, NeedsPrivileges, NotFound, Unsupported, XdpwallError
from xdpwall.kernel.net.namespaces import run_in
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Place

from .hooks import Load, TcHook, XdpHook
from .pins import Pins
from .whereabouts import Whereabouts, find_programs


class StillAttached(Failed):
    """A program could not be detached, or is not known to be: it may go on judging packets."""

    default_code = "still-attached"

    def __init__(self, message: str, program_id: int, *, detail: str | None = None) -> None:
        super().__init__(message, detail=detail)
        self.program_id = program_id


def hook_of(pins: Pins, index: int, place: Place) -> XdpHook | TcHook:
    """The hook in this thread's network namespace."""
    if place == "xdp":
        return XdpHook(pins, index)
    return TcHook(pins, index, "ingress" if place == "tc-ingress" else "egress")


def remove_programs(pins: Pins, index: int, place: Place, searched: set[int] | None = None) -> bool:
    """Detach the programs of an attachment and unpin them. False when none was attached any more. `searched`
    is given for a member of a pattern, whose program others have, too, or had: those that were looked for in
    other network namespaces, for all that leave at once. Whether the kernel keeps one is not asked then.

    StillAttached when the kernel refuses, or a program is still somewhere: it stays pinned then.
    """
    pinned = pins.attached_ids(index, place)
    removed = _clear(hook_of(pins, index, place))
    for program_id in pinned:
        if program_id in removed:
            continue
        if searched is not None and program_id in searched:
            continue
        if searched is not None or pins.is_shared(program_id):
            while _remove_shared_elsewhere(pins, place, program_id):
                removed.add(program_id)
            if searched is not None:
                searched.add(program_id)
        elif _remove_elsewhere(pins, place, program_id):
            removed.add(program_id)
    with suppress(
        XdpwallError
    ):  # on a bpffs that is mounted read-only it stays, and judges nothing
        pins.drop(index, place)
    return bool(removed)


def _clear(hook: XdpHook | TcHook) -> set[int]:
    """Remove what is ours from a hook until the kernel says that nothing of ours is there."""
    removed: set[int] = set()
    while True:
        try:
            current = hook.program()
        except NotFound:  # the interface has gone, and its hooks with it
            return removed
        if current is None or not current.ours:
            return removed
        if current.program_id in removed:
            raise StillAttached("the kernel keeps it attached", current.program_id)
        try:
            hook.remove(current)
        except NotFound:
            continue
        except NeedsPrivileges:
            raise
        except XdpwallError as error:
            cure = f" ({error.hint})" if isinstance(error, Unsupported) and error.hint else ""
            raise StillAttached(
                f"{error.message}{cure}", current.program_id, detail=error.detail
            ) from error
        removed.add(current.program_id)


def _remove_shared_elsewhere(pins: Pins, place: Place, program_id: int) -> bool:
    """Detach a program that others have, too, from an interface that was moved away; which of them that was
    does not matter, since none of those is wanted any more."""
    found = find_programs([program_id], elsewhere=True) if place == "xdp" else {}
    if program_id not in found:
        return False
    if found[program_id].path is None:
        raise StillAttached(f"it is now on {found[program_id].words}", program_id)
    return _remove_at(pins, found[program_id], program_id)


def _remove_elsewhere(pins: Pins, place: Place, program_id: int) -> bool:
    """Detach a program that is not on its hook; False when it was on none."""
    where = find_programs([program_id]).get(program_id) if place == "xdp" else None
    if where is None:
        if pins.release(program_id):
            return False
        where = find_programs([program_id], thorough=True).get(program_id)
    if where is None:
        raise StillAttached(
            f"program {program_id} is still in the kernel, and no interface tells of it: it may be in"
            " a network namespace to which no path was found",
            program_id,
        )
    if where.path is None:
        raise StillAttached(f"it is now on {where.words}", program_id)
    return _remove_at(pins, where, program_id)


def _remove_at(pins: Pins, where: Whereabouts, program_id: int) -> bool:
    assert where.path is not None
    try:
        return bool(run_in(where.path, partial(_clear, XdpHook(pins, where.index))))
    except (OSError, XdpwallError) as error:
        said = error.message if isinstance(error, XdpwallError) else str(error)
        raise StillAttached(f"it is now on {where.words}: {said}", program_id) from error


def swap_moved(
    pins: Pins, where: Whereabouts, spec: AttachmentSpec, index: int, load: Load
) -> None:
    """Replace the XDP program of an interface that was moved; `index` is that of the pin. Failed when
    its namespace cannot be entered."""

    def swap() -> None:
        hook = XdpHook(pins, where.index, index)
        current = hook.program()
        if current is not None and current.ours:
            with load(False) as program:
                hook.swap(spec, program, load, current)

    if where.path is None:
        raise Failed(f"{where.words} cannot be reached")
    try:
        run_in(where.path, swap)
    except OSError as error:
        raise Failed(f"{where.words} cannot be reached: {error}") from error
