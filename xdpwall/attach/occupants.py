"""Other owners' programs and filters at tc, and which of them may let packets by ours."""

from __future__ import annotations

from typing import Literal

from xdpwall.kernel.net.tc import Direction, TcFilter, tc_filters, tcx_query
from xdpwall.values.terms import Place
from xdpwall.views.attachments import Occupant

from .hooks import HookProgram, program_name
from .owners import Owners


def xdp_occupant(program: HookProgram, owners: Owners) -> Occupant:
    """Another owner's XDP program, and whose it is where that can be known."""
    name = program_name(program.program_id)
    owner = owners.of(program.program_id, name)
    return Occupant(
        place="xdp",
        mode=program.mode,
        program_id=program.program_id,
        name=name,
        owner=owner.words if owner else None,
    )


def tc_occupants(index: int, direction: Direction, ours: frozenset[int]) -> list[Occupant]:
    """One for each tcx program and for each pref of a chain; `ours` are the ids of our programs.

    While a filter of ours is there, `bypasses_us` marks a tcx program, all of which run before the
    filters (kernel 6.6), and what runs before ours in its chain and may let packets pass. A filter
    of another chain is reached by one of these only, and from there no way leads to ours.
    """
    filters = tc_filters(index, direction)
    mine = next((n for n, one in enumerate(filters) if one.prog_id in ours), None)
    tcx: Literal["tcx-ingress", "tcx-egress"]
    tcx = "tcx-ingress" if direction == "ingress" else "tcx-egress"
    found = [
        Occupant(
            place=tcx, program_id=number, name=program_name(number), bypasses_us=mine is not None
        )
        for number in tcx_query(index, direction)
        if number not in ours
    ]
    place: Place = "tc-ingress" if direction == "ingress" else "tc-egress"
    prefs: dict[tuple[int, int, int | None], Occupant] = {}
    for n, one in enumerate(filters):
        if one.prog_id is not None and one.prog_id in ours:
            continue
        before = mine is not None and n < mine and one.chain == filters[mine].chain
        bypasses = before and one.lets_pass
        # One pref may hold thousands of u32 or flower filters.
        key = (one.chain, one.prio, one.prog_id)
        if key not in prefs:
            prefs[key] = _filter_occupant(place, one)
        if bypasses and not prefs[key].bypasses_us:
            prefs[key] = prefs[key].model_copy(update={"bypasses_us": True})
    return found + list(prefs.values())


def _filter_occupant(place: Place, one: TcFilter) -> Occupant:
    name = one.name if one.prog_id is None else program_name(one.prog_id) or one.name
    return Occupant(
        place=place,
        kind=one.kind,
        pref=one.prio,
        chain=one.chain,
        program_id=one.prog_id,
        name=name,
    )
