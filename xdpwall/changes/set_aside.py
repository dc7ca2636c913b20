"""Set XDP programs aside that keep the kernel from changing XDP on an interface below.

Each of them, the uppermost first, is taken off its interface while a filter at tc judges in its
place, and put back, the lowest first, when the change below is made. No packet passes unjudged; one
that comes while program and filter are both in place is judged by both, and counted twice.
What a dead process left aside, the next command puts back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from xdpwall.errors import Conflict, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.kernel.net.links import LinkInfo, links
from xdpwall.kernel.net.rtnl import interface_name
from xdpwall.kernel.net.xdp import BELOW_XDP
from xdpwall.ruleset.attachment import Attachment
from xdpwall.values.terms import Mode, Place

from .crashpoints import crash_point
from .unrecorded import number_of, unrecorded_attachments

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane


class HeldByAnother(Conflict):
    """A program above that is not ours to take off keeps the kernel from changing one below."""

    default_code = BELOW_XDP


@contextmanager
def setting_aside(instance: Instance, dataplane: Dataplane | None) -> Iterator[SetAside]:
    """Put back at the end, whatever happens. One that cannot be put back goes on judging at tc, and
    is tried again by the next command."""
    aside = SetAside(instance, dataplane)
    try:
        yield aside
    finally:
        aside.put_back()


class SetAside:
    """The attachments that are set aside while the body of setting_aside() runs."""

    def __init__(self, instance: Instance, dataplane: Dataplane | None) -> None:
        self._instance = instance
        self._attacher = instance.attacher
        self._dataplane = dataplane
        self._rows: list[Attachment] = []

    def clear(self, index: int) -> None:
        """Let the kernel accept changes of XDP on that interface. Conflict "below-xdp" when that is
        not possible; then nothing has been changed."""
        for row in self.plan(index):
            self._set_aside(row)

    def clear_for(self, place: Place, index: int) -> None:
        """clear() for a change at that place: only XDP is held by what is above."""
        if place == "xdp":
            self.clear(index)

    def plan(self, index: int, under: frozenset[int] = frozenset()) -> list[Attachment]:
        """What clear() would set aside, the uppermost first."""
        if not self._attacher.is_held(index):
            return []
        found: list[Attachment] = []
        above = [one for one in links() if index in one.lower and one.xdp.ids]
        if not above:
            raise _refused(
                index,
                "an interface of another network namespace",
                "is above it and has an XDP program",
                kind=HeldByAnother,
            )
        for upper in above:
            if upper.index in under:
                raise _refused(index, upper.name, "is both above and below it")
            row = self._row(index, upper)
            for one in (*self.plan(upper.index, under | {index}), row):
                if one.index not in [known.index for known in found]:
                    found.append(one)
        return found

    def _row(self, index: int, upper: LinkInfo) -> Attachment:
        """Our attachment at XDP of that interface, with the mode that it has now."""
        ours = self._attacher.pins.ids()
        if not ours.issuperset(upper.xdp.ids):
            other = min(set(upper.xdp.ids) - ours)
            raise _refused(
                index,
                upper.name,
                f"has another owner's XDP program (id {other}), which is not ours to take off",
                f"its owner has to take it off {upper.name}: `ip link set dev {upper.name} xdp off`"
                " would, for a program in generic mode that no bpf_link holds",
                kind=HeldByAnother,
            )
        cure = (
            f"`xdpwall detach {upper.name} --hook xdp`, then this, then attach {upper.name} again"
        )
        if upper.xdp.generic is None:
            raise _refused(
                index,
                upper.name,
                "has our XDP program in native mode, which no filter at tc can stand in for",
                f"{cure} with --mode generic",
            )
        if self._dataplane is None:
            raise _refused(
                index,
                upper.name,
                "has an XDP program of ours, and without its maps nothing can stand in for it",
                f"`xdpwall detach --all`, or `xdpwall detach {upper.name} --hook xdp` first",
            )
        known = (*self._instance.attachments, *unrecorded_attachments(self._instance))
        for row in known:
            if (row.index, row.place) == (upper.index, "xdp"):
                return replace(row, iface=upper.name, wanted="generic", mode="generic")
        raise _refused(index, upper.name, "has an XDP program of ours that has no attachment", cure)

    def _set_aside(self, row: Attachment) -> None:
        assert self._dataplane is not None
        load = self._dataplane.programs.own_loader("tc-ingress", row.number)
        try:
            self._attacher.stand_ins.put(row.iface, row.index, load)
        except XdpwallError as error:
            raise Conflict(
                f"{row.iface} has our XDP program, which would be off for a moment, and no filter at"
                f" tc can judge in its place meanwhile: {error.message}",
                code=BELOW_XDP,
                field="iface",
                value=row.iface,
                hint=f"`xdpwall detach {row.iface} --hook xdp`, then this, then attach {row.iface}"
                " again",
                detail=error.detail,
            ) from error
        self._rows.append(row)
        crash_point("aside-judged")
        self._attacher.lift(row.index)
        crash_point("aside-off")

    def put_back(self) -> None:
        """Put back what was set aside, the lowest first."""
        rows, self._rows = self._rows[::-1], []
        back = [row for row in rows if self._put_back(row)]
        if back:
            crash_point("aside-back")
        for row in back:
            with suppress(XdpwallError):
                self._attacher.stand_ins.end(row.index)

    def _put_back(self, row: Attachment) -> bool:
        assert self._dataplane is not None
        load = self._dataplane.programs.loader("xdp", row.number)
        try:
            self._attacher.attach(row.spec, row.index, load)
        except XdpwallError:
            return False
        return True

    def take_up(self, index: int) -> None:
        """Take what another process left aside as set aside by this one."""
        program = self._attacher.stand_ins.open(index)
        if program is None:  # the interface has gone
            self._attacher.stand_ins.end(index)
            return
        with program:
            number = number_of(self._instance, program)
        mode: Mode = "generic"
        there = self._attacher.find(index, "xdp")
        for row in self._instance.attachments:
            if (row.index, row.place) != (index, "xdp"):
                continue
            number, mode = row.number, row.mode or mode
            if there is not None and there.ours and there.mode != mode:
                # A change of its mode was made, and not recorded.
                mode = there.mode or mode
                self._instance.store.attachments.put(replace(row, mode=mode, wanted=mode))
        self.clear(index)
        name = interface_name(index)
        self._rows.append(Attachment(name, "xdp", index, mode, number, "", mode))


def put_back_left(instance: Instance, dataplane: Dataplane) -> None:
    """Put back what a dead process, or an error, left aside; what cannot be goes on judging at tc."""
    for index in instance.attacher.stand_ins.indexes():
        with suppress(XdpwallError), setting_aside(instance, dataplane) as aside:
            aside.take_up(index)


def _refused(
    index: int, upper: str, why: str, hint: str | None = None, kind: type[Conflict] = Conflict
) -> Conflict:
    name = interface_name(index)
    return kind(
        f"the kernel changes no XDP program on {name} now: {upper} {why}",
        code=BELOW_XDP,
        field="iface",
        value=name,
        hint=hint or f"take XDP off what is above {name}, then try again: `ip -d link`",
    )
