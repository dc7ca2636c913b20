"""The two kinds of hook, XDP and tc: how a program is attached to it, swapped and detached.

`install` and `swap` pin a program, attach it, and then rename the pin, so that a program that
filters packets has a pin at whatever moment the process dies.
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
from xdpwall.kernel.net.xdp import xdp_attach, xdp_detach, xdp_is_held, xdp_query
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Mode

from .large_packets import mtu_hint
from .native_traps import NativeTrap, refuse_native
from .pins import PinPlace, Pins

Load = Callable[[bool], Program]
"""Loads a program; True asks for XDP with frags, for an MTU of more than one buffer."""


@dataclass(frozen=True, slots=True)
class HookProgram:
    """The program on a hook, as the kernel tells it."""

    program_id: int
    mode: Mode | None
    ours: bool
    prio: int = 0
    handle: int = 0
    """Of a tc filter."""


class _Hook:
    """The order of pinning and attaching that both kinds share."""

    def __init__(
        self, pins: Pins, index: int, place: PinPlace, pinned_as: int | None = None
    ) -> None:
        """`pinned_as`: the index that the pin has, where it is another: the interface was moved."""
        self._pins = pins
        self._index = index
        self._pinned_as = index if pinned_as is None else pinned_as
        self._place = place

    def _pin_and_attach(self, program: Program, attach: Callable[[int], None]) -> None:
        """Pin the program as the next one, attach it, and make its pin that of the attachment."""
        self._pins.pin_next(program, self._pinned_as, self._place)
        try:
            attach(program.fileno())
        except XdpwallError:
            # The kernel refused. After any other error Pins.finish_move() asks what is attached.
            self._pins.discard_next(self._pinned_as, self._place)
            raise
        self._pins.confirm_next(self._pinned_as, self._place)


class XdpHook(_Hook):
    """The XDP hook of an interface, which takes one program."""

    def __init__(self, pins: Pins, index: int, pinned_as: int | None = None) -> None:
        super().__init__(pins, index, "xdp", pinned_as)

    def program(self) -> HookProgram | None:
        """The program on the hook. NotFound when the interface has gone."""
        state = xdp_query(self._index)
        ours = self._pins.ids() if state.ids else frozenset()
        if state.native is not None:
            return HookProgram(state.native, "native", state.native in ours)
        if state.generic is not None:
            return HookProgram(state.generic, "generic", state.generic in ours)
        if state.offload is not None:
            return HookProgram(state.offload, None, state.offload in ours)
        return None

    def is_held(self) -> bool:
        """Whether the kernel refuses a change, since an interface above has an XDP program."""
        current = self.program()
        if current is None or not current.ours or current.mode is None:
            return xdp_is_held(self._index, "generic", -1)
        with _open_ours(self._pins, current) as ours:
            return xdp_is_held(self._index, current.mode, ours.fileno())

    def install(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Load,
        other: HookProgram | None,
        trap: NativeTrap | None = None,
    ) -> tuple[Mode | None, str | None]:
        """Attach in the first mode that the interface takes, in place of `other`. Returns it, and why
        `auto` took generic. `trap`: why native mode is not to be used."""
        if other and other.mode is None:
            raise Conflict(
                f"{spec.iface} has an XDP program offloaded to the card (id {other.program_id})",
                code="occupied",
                hint="its owner has to detach it",
            )
        modes: tuple[Mode, ...] = ("native", "generic") if spec.mode == "auto" else (spec.mode,)
        why_generic = None
        if trap and spec.mode == "auto":
            modes, why_generic = ("generic",), trap.reason
        elif trap and trap.certain and spec.mode == "native":
            raise refuse_native(spec.iface, trap)
        with _DisplacedProgram(self._index, other) as displaced:
            for mode in modes:
                displaced.make_way(mode)
                try:
                    self._try(program, load, mode, partial(displaced.attach, mode=mode))
                except Unsupported as error:
                    refusal = error
                    why_generic = f"native was refused: {error.message.partition(': ')[2]}"
                else:
                    displaced.settled = True
                    return mode, why_generic
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
        load: Load,
        mode: Mode,
        attach: Callable[[int], None],
    ) -> None:
        try:
            self._pin_and_attach(program, attach)
        except Unsupported:
            if mode != "native":
                raise
            # The MTU may be too large for one buffer; drivers have no common errno for that.
            with load(True) as bigger:
                self._pin_and_attach(bigger, attach)

    def swap(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Load,
        current: HookProgram,
    ) -> None:
        """Replace our program by another one of ours, if it is still attached."""
        mode = current.mode or "native"
        with _open_ours(self._pins, current) as old:

            def attach(fd: int) -> None:
                xdp_attach(self._index, fd, mode, expected_fd=old.fileno())

            with mtu_hint(self._index):
                self._try(program, load, mode, attach)

    def remove(self, current: HookProgram) -> None:
        """Detach our program, and no other."""
        with _open_ours(self._pins, current) as old, mtu_hint(self._index):
            xdp_detach(self._index, current.mode or "native", expected_fd=old.fileno())


class TcHook(_Hook):
    """The clsact hook of one direction, where our filter is one of several."""

    def __init__(self, pins: Pins, index: int, direction: Direction) -> None:
        super().__init__(pins, index, "tc-ingress" if direction == "ingress" else "tc-egress")
        self._direction: Direction = direction

    def _ours(self) -> frozenset[int]:
        """The ids of the programs that this hook may have."""
        return self._pins.ids()

    def program(self) -> HookProgram | None:
        """Our filter; others do not matter, since all of them run."""
        ours = self._ours()
        for one in tc_filters(self._index, self._direction):
            if one.prog_id is not None and one.prog_id in ours:
                return HookProgram(one.prog_id, None, True, one.prio, one.handle)
        return None

    def install(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Load,
        other: HookProgram | None,
        trap: NativeTrap | None = None,
    ) -> tuple[Mode | None, str | None]:
        """Add a filter at the first free priority, so that it runs as early as may be."""
        tc_ensure_clsact(self._index, self._direction)
        taken = {f.prio for f in tc_filters(self._index, self._direction) if f.chain == 0}
        prio = next(n for n in range(1, 0xFFFF) if n not in taken)

        def attach(fd: int) -> None:
            tc_add(self._index, self._direction, fd, name=program.name, prio=prio)

        self._pin_and_attach(program, attach)
        return None, None

    def swap(
        self,
        spec: AttachmentSpec,
        program: Program,
        load: Load,
        current: HookProgram,
    ) -> None:
        """Replace the program of our filter."""

        def attach(fd: int) -> None:
            tc_replace(
                self._index,
                self._direction,
                fd,
                name=program.name,
                prio=current.prio,
                handle=current.handle,
            )

        self._pin_and_attach(program, attach)

    def remove(self, current: HookProgram) -> None:
        """Delete our filter; the qdisc stays."""
        tc_delete(self._index, self._direction, prio=current.prio, handle=current.handle)


class StandInHook(TcHook):
    """The filter at tc ingress that judges while the interface's XDP program is off."""

    def __init__(self, pins: Pins, index: int) -> None:
        super().__init__(pins, index, "ingress")
        self._place = "stand-in"

    def _ours(self) -> frozenset[int]:
        return frozenset(self._pins.attached_ids(self._index, "stand-in"))


class _DisplacedProgram:
    """Another owner's XDP program while ours replaces it; it is attached again if ours fails."""

    def __init__(self, index: int, other: HookProgram | None) -> None:
        self._index = index
        self._other = other
        self._program: Program | None = None
        self._removed = False
        self.settled = False

    def make_way(self, mode: Mode) -> None:
        """Detach it if it runs in another mode: the kernel allows one mode at a time."""
        other = self._other
        if other and other.mode and other.mode != mode and not self._removed:
            expected = self._program.fileno() if self._program else None
            xdp_detach(self._index, other.mode, expected_fd=expected)
            self._removed = True

    def attach(self, fd: int, mode: Mode) -> None:
        """Attach to the empty hook, or replace the other program in one step."""
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


def _open_ours(pins: Pins, current: HookProgram) -> Program:
    program = pins.open(current.program_id)
    if program is None:
        raise NotFound(f"the pin of program {current.program_id} has gone")
    return program


def open_program(program_id: int) -> Program | None:
    """Open any owner's program by its id; None when it has gone or without CAP_SYS_ADMIN."""
    try:
        return Program.open_id(program_id)
    except (NotFound, NeedsPrivileges):
        return None


def program_name(program_id: int) -> str | None:
    """The name of any owner's program, if the kernel tells it."""
    try:
        program = open_program(program_id)
        if program is None:
            return None
        with program:
            return program.name or None
    except XdpwallError:
        return None
