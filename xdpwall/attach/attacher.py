"""Attach, swap and detach programs by rules that netlink does not know.

Our program is one whose id is that of a program pinned in this instance, never one of a certain
name. Another owner's program is replaced only if `replace` says so, and only at XDP, whose hook
takes one program. At tc programs run one after the other, and `replace` changes nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path

from xdpwall.errors import Conflict, NeedsPrivileges, NotFound, Unsupported
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.attached import attached_ids
from xdpwall.kernel.net.links import LinkInfo, link_at, links
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Mode, Place
from xdpwall.views.attachments import Occupant

from .hooks import HookProgram, Load, TcHook, XdpHook
from .interfaces import interface_names
from .native_traps import native_trap, refuse_native
from .occupants import tc_occupants, xdp_occupant
from .owners import Owners, occupied
from .pins import Pins
from .removal import hook_of, remove_programs
from .stand_in import StandIns
from .whereabouts import Whereabouts, find_programs

ETHERNET = ("ether", "loopback")
"""The link types whose frames begin with an Ethernet header."""


@dataclass(frozen=True, slots=True)
class AttachResult:
    """Our program as the kernel reports it after attach() or swap()."""

    mode: Mode | None
    """None at tc."""
    program_id: int
    changed: bool
    """False when ours was there already."""
    why_generic: str | None = None
    """Why `auto` took generic mode."""


class Attacher:
    """Attaches programs and recognises them by their pins, in the folder `pins` / "progs"."""

    def __init__(self, pins: Path) -> None:
        self.pins = Pins(pins / "progs")
        self.stand_ins = StandIns(self.pins)
        self._owners = Owners()

    def attach(
        self, spec: AttachmentSpec, index: int, load: Load, *, replace: bool = False
    ) -> AttachResult:
        """Attach a program to the interface of that index, unless ours is attached already.

        Unsupported: "not-ethernet", or "no-native" when the driver refuses (auto goes on to
        generic). Conflict: "occupied" by another owner's, "other-mode" when ours is attached in a
        mode that was not asked for. NotFound "no-interface". After any of them what was attached
        before still is.
        """
        link = _check_link(index, spec.iface)
        hook = self._hook(spec.place, index)
        current = hook.program()
        if current and current.ours:
            self.pins.finish_move(index, spec.place, current.program_id)
            self.pins.claim(index, spec.place, current.program_id)
            if current.mode is not None and spec.mode not in ("auto", current.mode):
                raise Conflict(
                    f"{spec.iface} has our XDP program in {current.mode} mode,"
                    f" {spec.mode} was asked for",
                    code="other-mode",
                    field="mode",
                    value=spec.mode,
                    hint=f"`xdpwall detach {spec.iface} --hook xdp` first, or ask for --mode auto",
                )
            return AttachResult(current.mode, current.program_id, changed=False)
        if current and not replace:
            raise occupied(spec.iface, current)
        trap = native_trap(link.name, link.driver) if spec.hook == "xdp" else None
        with load(False) as program:
            mode, why_generic = hook.install(spec, program, load, current, trap)
        done = self._confirm(spec, index, mode, changed=True)
        return replaced(done, why_generic=why_generic if mode == "generic" else None)

    def check(self, spec: AttachmentSpec, index: int) -> None:
        """Raise what attach() would raise before it tries; whether a driver takes a mode only the
        attempt can tell."""
        link = _check_link(index, spec.iface)
        trap = native_trap(link.name, link.driver) if spec.mode == "native" else None
        if trap and trap.certain:
            raise refuse_native(spec.iface, trap)
        current = self._hook(spec.place, index).program()
        if current and not current.ours:
            raise occupied(spec.iface, current)

    def swap(self, spec: AttachmentSpec, index: int, mode: Mode | None, load: Load) -> AttachResult:
        """Replace our own program; each packet runs through the old one or the new one.

        Conflict "displaced" when ours is not attached there (any more) in that mode. At tc the
        kernel has no compare-and-swap: our filter is looked up just before.
        """
        hook = self._hook(spec.place, index)
        current = hook.program()
        if not current or not current.ours or current.mode != mode:
            raise Conflict(
                f"our program is no longer attached to {spec.iface} ({spec.place})",
                code="displaced",
                hint=f"`xdpwall attach {spec.iface}` puts it back",
            )
        self.pins.finish_move(index, spec.place, current.program_id)
        with load(False) as program:
            hook.swap(spec, program, load, current)
        return self._confirm(spec, index, mode, changed=True)

    def detach(self, spec: AttachmentSpec, index: int, searched: set[int] | None = None) -> bool:
        """Detach our program, wherever its interface is now; False when it was attached nowhere.
        The clsact qdisc stays for others. StillAttached when it may still judge. `searched`: as for
        remove_programs()."""
        removed = remove_programs(self.pins, index, spec.place, searched)
        return spec.place == "xdp" and self.stand_ins.end(index) or removed

    def is_held(self, index: int) -> bool:
        """Whether the kernel refuses any change of XDP there, since an interface above has a
        program; False when the interface has gone."""
        try:
            return XdpHook(self.pins, index).is_held()
        except NotFound:
            return False

    def lift(self, index: int) -> None:
        """Take our XDP program off its interface while another of ours stands in. It keeps its pin."""
        hook = XdpHook(self.pins, index)
        current = hook.program()
        if current and current.ours:
            hook.remove(current)

    def find(self, index: int, place: Place) -> HookProgram | None:
        """The program on a hook; at tc only ours, since others may run beside it."""
        try:
            current = self._hook(place, index).program()
        except NotFound:
            return None
        if current is None:
            return None
        if current.ours:
            self.pins.finish_move(index, place, current.program_id)
        return current

    def occupants(self, index: int) -> list[Occupant]:
        """Every program and filter of another owner on the interface, at XDP, tc and tcx."""
        ours = self.pins.all_ids()
        found: list[Occupant] = []
        try:
            xdp = XdpHook(self.pins, index).program()
            if xdp and not xdp.ours:
                found.append(xdp_occupant(xdp, self._owners))
            found += tc_occupants(index, "ingress", ours)
            found += tc_occupants(index, "egress", ours)
        except NotFound:
            return []
        return found

    def in_place(self, index: int, place: Place, ours: Callable[[], frozenset[int]]) -> bool:
        """Whether a program of ours is on that hook; OSError when the kernel does not tell. `ours`
        gives pins.ids(): who asks for many hooks reads them once."""
        try:
            found = attached_ids(index, place)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.EINVAL):  # EINVAL: tc without a qdisc
                return False
            raise
        return not found.isdisjoint(ours()) if found else False

    def bypasses(self, index: int, place: Place) -> list[Occupant]:
        """What may let packets pass before our program on this hook sees them; none at XDP, which
        comes before tc."""
        if place == "xdp":
            return []
        try:
            found = tc_occupants(
                index, "ingress" if place == "tc-ingress" else "egress", self.pins.all_ids()
            )
        except NotFound:
            return []
        return [one for one in found if one.bypasses_us]

    def pinned(self) -> list[tuple[int, Place, Program]]:
        """(ifindex, place, program) of every attachment; the caller closes the programs."""
        found = []
        for index, place in self.pins.entries():
            try:
                found.append((index, place, Program.open_pinned(self.pins.path(index, place))))
            except NotFound:  # only a program that was about to be attached
                continue
        return found

    def prune(self, only: tuple[int, Place] | None = None) -> list[tuple[int, Place]]:
        """Unpin programs that are no longer attached: the interface was deleted, or another owner
        replaced ours. A pin left behind holds the program and its maps in memory; it stays where only
        CAP_SYS_ADMIN may ask whether the program is attached somewhere, as to an interface that was moved."""
        gone = []
        for index, place in self.pins.entries() if only is None else [only]:
            found = self.find(index, place)
            if found is None or not found.ours:
                ids = self.pins.attached_ids(index, place)
                own = [one for one in ids if not self.pins.is_shared(one)]
                with suppress(NeedsPrivileges):
                    if not self.whereabouts(index, place) and all(map(self.pins.release, own)):
                        self.pins.drop(index, place)
                        gone.append((index, place))
        return gone

    def whereabouts(self, index: int, place: Place) -> Whereabouts | None:
        """The interface that carries an attachment's program; None when none does. To be asked when
        the program is not on its hook."""
        if place != "xdp":
            return None
        for program_id in self.pins.attached_ids(index, place):
            shared = self.pins.is_shared(program_id)
            if shared and index in interface_names().values():
                continue  # it is on others: of this interface that says nothing
            found = find_programs([program_id], elsewhere=shared)
            if found:
                return found[program_id]
        return None

    def _hook(self, place: Place, index: int) -> XdpHook | TcHook:
        return hook_of(self.pins, index, place)

    def _confirm(
        self, spec: AttachmentSpec, index: int, mode: Mode | None, *, changed: bool
    ) -> AttachResult:
        found = self.find(index, spec.place)
        if found is None or not found.ours or found.mode != mode:
            raise Conflict(
                f"our program was attached to {spec.iface} and is there no more",
                code="displaced",
                hint="another program is managing this interface at the same time",
                detail=f"found {found}",
            )
        return AttachResult(found.mode, found.program_id, changed)


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


def check_no_vrf(link: LinkInfo, there: Iterable[LinkInfo]) -> None:
    """Unsupported (code "vrf") for a VRF device; `there` are all interfaces."""
    if link.kind != "vrf":
        return
    members = [one.name for one in there if one.master == link.name]
    attach = " and ".join(f"`xdpwall attach {name}`" for name in members)
    raise Unsupported(
        f"{link.name} is a VRF device: its packets come in and go out by its members"
        f" ({', '.join(members) or 'it has none'}), and a program on it would not see them",
        code="vrf",
        field="iface",
        value=link.name,
        hint=attach
        or f"attach to an interface once it is a member: `ip link set IFACE vrf {link.name}`",
    )


def _check_link(index: int, iface: str) -> LinkInfo:
    try:
        link = link_at(index)
    except NotFound as error:
        raise NotFound(
            f"interface {iface} (index {index}) has gone",
            code="no-interface",
            field="iface",
            value=iface,
        ) from error
    check_ethernet(link)
    if link.kind == "vrf":
        check_no_vrf(link, links())
    return link
