"""Which program may go where: the policy of attaching, above the netlink commands.

"Ours" is a program whose id is that of one pinned in this instance, never one of a certain name.
Nobody else's program is replaced or removed unless `replace` says so, and then only at XDP, where
there is one place. At tc ours stands beside the others and `replace` changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xdpwall.errors import Conflict, NotFound, Unsupported
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.links import LinkInfo, links
from xdpwall.kernel.net.tc import Direction, tc_filters, tcx_query
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Mode, Place
from xdpwall.views.attachments import Occupant

from .hooks import Holder, TcPlace, XdpPlace, program_name
from .pins import Pins

Load = Callable[[bool], Program]
"""Gives a freshly loaded program; True asks for one that takes packets in fragments (jumbo MTU)."""

ETHERNET = ("ether", "loopback")
"""The link types whose frames begin with an Ethernet header."""


@dataclass(frozen=True, slots=True)
class Attached:
    """What the kernel said after attaching."""

    mode: Mode | None
    """None at tc."""
    program_id: int
    changed: bool
    """False when ours was there already."""


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a place."""

    program_id: int
    mode: Mode | None
    ours: bool


class Attacher:
    """Attaches programs and knows them again, by what is pinned under `pins` / "progs"."""

    def __init__(self, pins: Path) -> None:
        self.pins = Pins(pins / "progs")

    def attach(
        self, spec: AttachmentSpec, index: int, load: Load, *, replace: bool = False
    ) -> Attached:
        """Put a program on the interface of that index; what is already so is left as it is.

        Unsupported: "not-ethernet", or "no-native" when the driver refuses (auto goes on to
        generic). Conflict: "occupied" by another owner's, "other-mode" when ours is attached in a
        mode that was not asked for. NotFound "no-interface". After any of them what was attached
        before still is.
        """
        check_ethernet(_link(index, spec.iface))
        place = self._place(spec.place, index)
        holder = place.holder()
        if holder and holder.ours:
            self.pins.settle(index, spec.place, holder.program_id)
            if holder.mode is not None and spec.mode not in ("auto", holder.mode):
                raise Conflict(
                    f"{spec.iface} has our XDP program in {holder.mode} mode,"
                    f" {spec.mode} was asked for",
                    code="other-mode",
                    field="mode",
                    value=spec.mode,
                    hint=f"`xdpwall detach {spec.iface} --hook xdp` first, or ask for --mode auto",
                )
            return Attached(holder.mode, holder.program_id, changed=False)
        if holder and not replace:
            raise _occupied(spec.iface, holder)
        with load(False) as program:
            mode = place.put(spec, program, load, holder)
        return self._confirm(spec, index, mode, changed=True)

    def check(self, spec: AttachmentSpec, index: int) -> None:
        """Raise what attach() would raise before it tries; whether a driver takes a mode only the
        attempt can tell."""
        check_ethernet(_link(index, spec.iface))
        holder = self._place(spec.place, index).holder()
        if holder and not holder.ours:
            raise _occupied(spec.iface, holder)

    def swap(self, spec: AttachmentSpec, index: int, mode: Mode | None, load: Load) -> Attached:
        """Replace our own program; each packet is judged by the old one or by the new one.

        Conflict "displaced" when ours is not attached there (any more) in that mode. At tc the
        kernel cannot compare and swap: a filter of ours is looked up just before.
        """
        place = self._place(spec.place, index)
        holder = place.holder()
        if not holder or not holder.ours or holder.mode != mode:
            raise Conflict(
                f"our program is no longer attached to {spec.iface} ({spec.place})",
                code="displaced",
                hint=f"`xdpwall attach {spec.iface}` puts it back",
            )
        self.pins.settle(index, spec.place, holder.program_id)
        with load(False) as program:
            place.swap(spec, program, load, holder)
        return self._confirm(spec, index, mode, changed=True)

    def detach(self, spec: AttachmentSpec, index: int) -> bool:
        """Take ours away; False when it was not there. The clsact qdisc stays: others may use it."""
        place = self._place(spec.place, index)
        try:
            holder = place.holder()
            removed = bool(holder and holder.ours)
            if holder and removed:
                place.remove(holder)
        except NotFound:  # the interface has gone, and the attachment with it
            removed = False
        self.pins.drop(index, spec.place)
        return removed

    def find(self, index: int, place: Place) -> Found | None:
        """What stands at a place; at tc only ours, since others may stand beside it."""
        try:
            holder = self._place(place, index).holder()
        except NotFound:
            return None
        if holder is None:
            return None
        if holder.ours:
            self.pins.settle(index, place, holder.program_id)
        return Found(holder.program_id, holder.mode, holder.ours)

    def occupants(self, index: int) -> list[Occupant]:
        """Every program on the interface that is not ours, at XDP, tc and tcx."""
        ours = self.pins.ids()
        found: list[Occupant] = []
        try:
            xdp = XdpPlace(self.pins, index).holder()
            if xdp and not xdp.ours:
                found.append(_occupant("xdp", xdp.program_id, mode=xdp.mode))
            for direction in ("ingress", "egress"):
                found += _tc_occupants(index, direction, ours)
        except NotFound:
            return []
        return found

    def pinned(self) -> list[tuple[int, Place, Program]]:
        """Every attachment's (interface index, place, program); the caller closes the programs."""
        found = []
        for index, place in self.pins.entries():
            try:
                found.append((index, place, Program.open_pinned(self.pins.path(index, place))))
            except NotFound:  # only a program that was about to be attached
                continue
        return found

    def prune(self) -> list[tuple[int, Place]]:
        """Let go of pins whose program is attached no more: the interface was deleted, or another
        owner took the place. A pin left behind holds the program and its maps in memory."""
        gone = []
        for index, place in self.pins.entries():
            found = self.find(index, place)
            if found is None or not found.ours:
                self.pins.drop(index, place)
                gone.append((index, place))
        return gone

    def _place(self, place: Place, index: int) -> XdpPlace | TcPlace:
        if place == "xdp":
            return XdpPlace(self.pins, index)
        return TcPlace(self.pins, index, "ingress" if place == "tc-ingress" else "egress")

    def _confirm(
        self, spec: AttachmentSpec, index: int, mode: Mode | None, *, changed: bool
    ) -> Attached:
        found = self.find(index, spec.place)
        if found is None or not found.ours or found.mode != mode:
            raise Conflict(
                f"our program was attached to {spec.iface} and is there no more",
                code="displaced",
                hint="another program is managing this interface at the same time",
                detail=f"found {found}",
            )
        return Attached(found.mode, found.program_id, changed)


def check_ethernet(link: LinkInfo) -> None:
    """Unsupported (code "not-ethernet") unless frames begin with an Ethernet header."""
    if link.link_type not in ETHERNET:
        raise Unsupported(
            f"{link.name} has no Ethernet header (link type {link.link_type}):"
            " every packet would be misread",
            code="not-ethernet",
            field="iface",
            value=link.name,
            hint="attach to the interface that carries it",
        )


def _link(index: int, iface: str) -> LinkInfo:
    for link in links():
        if link.index == index:
            return link
    raise NotFound(
        f"interface {iface} (index {index}) has gone",
        code="no-interface",
        field="iface",
        value=iface,
    )


def _occupied(iface: str, holder: Holder) -> Conflict:
    name = program_name(holder.program_id)
    called = f"{name!r} (id {holder.program_id})" if name else f"id {holder.program_id}"
    return Conflict(
        f"{iface} already has another owner's XDP program: {called}, {holder.mode or 'offloaded'}",
        code="occupied",
        field="iface",
        value=iface,
        hint="--replace puts ours in its place;"
        f" `bpftool prog show id {holder.program_id}` tells more",
    )


def _occupant(
    place: str,
    program_id: int,
    *,
    mode: Mode | None = None,
    name: str | None = None,
    bypasses: bool = False,
) -> Occupant:
    return Occupant.model_validate(
        {
            "place": place,
            "mode": mode,
            "program_id": program_id,
            "name": program_name(program_id) or name,
            "bypasses_us": bypasses,
        }
    )


def _tc_occupants(index: int, direction: Direction, ours: frozenset[int]) -> list[Occupant]:
    found = [
        _occupant(f"tcx-{direction}", number, bypasses=True)
        for number in tcx_query(index, direction)
        if number not in ours
    ]
    filters = [f for f in tc_filters(index, direction) if f.prog_id is not None]
    mine = [n for n, f in enumerate(filters) if f.prog_id in ours]
    for n, one in enumerate(filters):
        if one.prog_id is not None and one.prog_id not in ours:
            first = bool(mine) and n < mine[0]
            found.append(_occupant(f"tc-{direction}", one.prog_id, name=one.name, bypasses=first))
    return found
