"""Judge at tc in the place of an XDP program that is off for a moment.

The kernel refuses every change of XDP on an interface while one above it has an XDP program. So the
one above is taken off meanwhile; a filter at tc ingress, which sees the packets that generic XDP
sees, is in place before that and until packets meet the program at XDP again.
"""

from __future__ import annotations

from xdpwall.errors import Conflict, NotFound
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.programs import Program
from xdpwall.kernel.net.tc import tc_filters, tcx_query
from xdpwall.ruleset.attachment import AttachmentSpec

from .hooks import Load, StandInHook
from .pins import Pins


class StandIns:
    """The filters that stand in, one for an interface; their pins tell of them after a crash."""

    def __init__(self, pins: Pins) -> None:
        self._pins = pins

    def indexes(self) -> list[int]:
        """The interfaces on which a filter stands in, or may."""
        return self._pins.stand_ins()

    def open(self, index: int) -> Program | None:
        """The program that stands in there, or was about to; None when there is none."""
        try:
            found = StandInHook(self._pins, index).program()
        except NotFound:
            return None
        ids = [found.program_id] if found else self._pins.attached_ids(index, "stand-in")
        return self._pins.open(ids[-1]) if ids else None

    def put(self, iface: str, index: int, load: Load) -> None:
        """Put a filter in place, or another one in its place, and read it back. Conflict "bypassed"
        when something else sees packets before it; then there is none."""
        hook, spec = StandInHook(self._pins, index), AttachmentSpec.at(iface, "tc-ingress")
        current = hook.program()
        with load(False) as program:
            if current:
                self._pins.finish_move(index, "stand-in", current.program_id)
                hook.swap(spec, program, load, current)
            else:
                hook.install(spec, program, load, None)
        if hook.program() is None:
            raise Conflict(
                f"our filter was attached to {iface} and is there no more",
                code="displaced",
                hint="another program is managing this interface at the same time",
            )
        if before := self._before(index):
            self.end(index)
            raise Conflict(f"{before} comes before it", code="bypassed")

    def _before(self, index: int) -> str | None:
        """What sees packets before the filter: it may let them pass, or send them elsewhere."""
        ours = self._pins.all_ids()
        for number in tcx_query(index, "ingress"):
            return f"the program {number} at tcx"
        for one in tc_filters(index, "ingress"):
            if one.chain == 0:
                return None if one.prog_id in ours else f"{one.kind} at pref {one.prio}"
        return None

    def end(self, index: int) -> bool:
        """Remove the filter, if there is one; every packet that met no XDP program before has met
        it. False when there was none."""
        if index not in self._pins.stand_ins():
            return False
        hook = StandInHook(self._pins, index)
        try:
            current = hook.program()
            if current:
                # A packet may have passed the XDP hook before a program was there.
                bpffs.wait_grace_period()
                hook.remove(current)
        except NotFound:  # the interface has gone
            current = None
        self._pins.drop(index, "stand-in")
        return current is not None
