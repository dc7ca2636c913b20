"""The two kinds of place that a program can stand at, and how it gets there and away.

`put` and `swap` pin first, attach, and then move the pin into place, so that a program that judges
packets always belongs to a pin, whatever moment the process dies at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from xdpwall.errors import Conflict, NeedsPrivileges, NotFound, Unsupported, XdpwallError
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.tc import (
    Direction,
    tc_add,
    tc_delete,
    tc_ensure_clsact,
    tc_filters,
    tc_replace,
)
from xdpwall.kernel.net.xdp import xdp_attach, xdp_detach, xdp_query
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Mode, Place

from .pins import Pins


@dataclass(frozen=True, slots=True)
class Holder:
    """The program at a place, as the kernel tells it."""

    program_id: int
    mode: Mode | None
    ours: bool
    prio: int = 0
    handle: int = 0
    """Of a tc filter."""


class _Place:
    """What both kinds share."""

    def __init__(self, pins: Pins, index: int, place: Place) -> None:
        self._pins = pins
        self._index = index
        self._place = place

    def _in(self, program: Program, attach: Callable[[int], None]) -> None:
        """Attach a program between its pin as the coming one and its pin as the one in place."""
        self._pins.put(program, self._index, self._place)
        try:
            attach(program.fileno())
        except XdpwallError:
            # The kernel refused; after any other end, settle() asks it what is there.
            self._pins.failed(self._index, self._place)
            raise
        self._pins.arrived(self._index, self._place)


class XdpPlace(_Place):
    """The one place for XDP on an interface."""

    def __init__(self, pins: Pins, index: int) -> None:
        super().__init__(pins, index, "xdp")

    def holder(self) -> Holder | None:
        """Who stands there. NotFound when the interface has gone."""
        state = xdp_query(self._index)
        ours = self._pins.ids() if state.ids else frozenset()
        if state.native is not None:
            return Holder(state.native, "native", state.native in ours)
        if state.generic is not None:
            return Holder(state.generic, "generic", state.generic in ours)
        if state.offload is not None:
            return Holder(state.offload, None, state.offload in ours)
        return None

    def put(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Callable[[bool], Program],
        other: Holder | None,
    ) -> Mode:
        """Attach in the first mode that the interface takes; `other` is whom to displace."""
        if other and other.mode is None:
            raise Conflict(
                f"{spec.iface} has an XDP program offloaded to the card (id {other.program_id})",
                code="occupied",
                hint="its owner has to detach it",
            )
        modes: tuple[Mode, ...] = ("native", "generic") if spec.mode == "auto" else (spec.mode,)
        with _Displaced(self._index, other) as displaced:
            for mode in modes:
                displaced.make_way(mode)
                try:
                    self._try(program, load, mode, partial(displaced.attach, mode=mode))
                except Unsupported as error:
                    refusal = error
                else:
                    displaced.settled = True
                    return mode
            if modes[-1] == "native":
                raise Unsupported(
                    f"{spec.iface} takes no native XDP: {refusal.message}",
                    code="no-native",
                    field="mode",
                    value="native",
                    hint="--mode generic works on every Ethernet interface",
                    detail=refusal.detail,
                ) from refusal
            raise refusal

    def _try(
        self,
        program: Program,
        load: Callable[[bool], Program],
        mode: Mode,
        attach: Callable[[int], None],
    ) -> None:
        try:
            self._in(program, attach)
        except Unsupported:
            if mode != "native":
                raise
            # The MTU may be too large for one buffer; drivers have no common errno for that.
            with load(True) as bigger:
                self._in(bigger, attach)

    def swap(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Callable[[bool], Program],
        mine: Holder,
    ) -> None:
        """Put another program of ours in the place of ours, if it is still there."""
        mode = mine.mode or "native"
        with _open_ours(self._pins, mine) as old:

            def attach(fd: int) -> None:
                xdp_attach(self._index, fd, mode, expected_fd=old.fileno())

            self._try(program, load, mode, attach)

    def remove(self, mine: Holder) -> None:
        """Detach ours, and only ours."""
        with _open_ours(self._pins, mine) as old:
            xdp_detach(self._index, mine.mode or "native", expected_fd=old.fileno())


class TcPlace(_Place):
    """One direction's filters; ours stands among others."""

    def __init__(self, pins: Pins, index: int, direction: Direction) -> None:
        super().__init__(pins, index, "tc-ingress" if direction == "ingress" else "tc-egress")
        self._direction: Direction = direction

    def holder(self) -> Holder | None:
        """Our filter. Others are not in its way."""
        ours = self._pins.ids()
        for one in tc_filters(self._index, self._direction):
            if one.prog_id is not None and one.prog_id in ours:
                return Holder(one.prog_id, None, True, one.prio, one.handle)
        return None

    def put(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Callable[[bool], Program],
        other: Holder | None,
    ) -> None:
        """Add a filter at the first free priority, so that it runs as early as may be."""
        tc_ensure_clsact(self._index, self._direction)
        taken = {f.prio for f in tc_filters(self._index, self._direction)}
        prio = next(n for n in range(1, 0xFFFF) if n not in taken)

        def attach(fd: int) -> None:
            tc_add(self._index, self._direction, fd, name=program.name, prio=prio)

        self._in(program, attach)

    def swap(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Callable[[bool], Program],
        mine: Holder,
    ) -> None:
        """Put another program of ours into our filter."""

        def attach(fd: int) -> None:
            tc_replace(
                self._index,
                self._direction,
                fd,
                name=program.name,
                prio=mine.prio,
                handle=mine.handle,
            )

        self._in(program, attach)

    def remove(self, mine: Holder) -> None:
        """Delete our filter; the qdisc stays."""
        tc_delete(self._index, self._direction, prio=mine.prio, handle=mine.handle)


class _Displaced:
    """Another owner's XDP program while ours takes its place; it is put back if ours cannot."""

    def __init__(self, index: int, other: Holder | None) -> None:
        self._index = index
        self._other = other
        self._program: Program | None = None
        self._removed = False
        self.settled = False

    def make_way(self, mode: Mode) -> None:
        """Two modes exclude each other: detach when ours will come in another one."""
        other = self._other
        if other and other.mode and other.mode != mode and not self._removed:
            expected = self._program.fileno() if self._program else None
            xdp_detach(self._index, other.mode, expected_fd=expected)
            self._removed = True

    def attach(self, fd: int, mode: Mode) -> None:
        """Attach to the free place, or swap with the other in one step."""
        swapping = self._other is not None and not self._removed
        expected = self._program.fileno() if swapping and self._program else None
        xdp_attach(self._index, fd, mode, expected_fd=expected, if_noexist=not swapping)

    def __enter__(self) -> Self:
        if self._other:
            self._program = open_program(self._other.program_id)
        return self

    def __exit__(self, *_: object) -> None:
        if self._program is None or self._other is None:
            return
        with self._program as program:
            if self._removed and not self.settled and self._other.mode:
                xdp_attach(self._index, program.fileno(), self._other.mode)


def _open_ours(pins: Pins, mine: Holder) -> Program:
    program = pins.open(mine.program_id)
    if program is None:
        raise NotFound(f"the pin of program {mine.program_id} has gone")
    return program


def open_program(program_id: int) -> Program | None:
    """Anybody's program by its id; None when it has gone or without CAP_SYS_ADMIN."""
    try:
        return Program.open_id(program_id)
    except (NotFound, NeedsPrivileges):
        return None


def program_name(program_id: int) -> str | None:
    """Anybody's program's name, where the kernel tells it."""
    try:
        program = open_program(program_id)
        if program is None:
            return None
        with program:
            return program.name or None
    except XdpwallError:
        return None
