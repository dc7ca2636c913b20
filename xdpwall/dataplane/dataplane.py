"""The instance in the kernel: its pinned maps, and the programs that are loaded on them.

BPFFS/maps/      the shared maps, such as control and counters: they live as long as the instance;
                 and identity, which says whose they are, and clock, by which endings were computed
BPFFS/maps-N/    one map set: two generations of the classifier; replaced when outgrown
BPFFS/progs/     programs, pinned by attach/pins.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from xdpwall.errors import Failed
from xdpwall.kernel.bpf.maps import Map
from xdpwall.views.events import EventSettings

from .control_word import ControlWord
from .counters import KernelCounters
from .event_maps import EventMaps
from .generations import Generations
from .kept_maps import forget_kept, open_kept
from .map_set import MapSet
from .member_numbers import MemberNumbers
from .pinned_clock import PinnedClock
from .pinned_identity import PinnedIdentity
from .pinned_maps import PinnedMaps, control_pin, maps_alive
from .program_loader import ProgramLoader
from .trace_taps import TapMaps


class Dataplane:
    """One instance's maps. Not thread-safe: the firewall holds its lock around every call.

    Its parts raise Failed "no-maps" before open() or create(), and after close().
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: _Parts | None = None

    def alive(self) -> bool:
        """Whether the instance's maps are in the kernel."""
        return maps_alive(self.folder)

    def is_newest(self, numbers: Sequence[int]) -> bool:
        """Whether the map set that is open is the newest of those pinned, `numbers`, and the
        instance alive. Another process may have grown the maps since, and not committed yet, or
        another state folder taken over."""
        if self._parts is None or not numbers:
            return False
        pin = control_pin(self.folder)
        return max(numbers) == self._parts.maps.number and pin == self._parts.control_pin

    def was_replaced(self) -> bool:
        """Whether other maps are pinned in the place of those that are open."""
        pin = control_pin(self.folder)
        return self._parts is not None and pin is not None and pin != self._parts.control_pin

    def create(self, identity: str | None = None) -> None:
        """Create and open maps that accept everything, revision 0. Conflict "maps-exist". What was
        kept for the instance with this id goes on in them (kept_maps.py)."""
        with ExitStack() as stack:
            kept = open_kept(self.folder, identity, stack)
            self._adopt(PinnedMaps.create(self.folder, kept))
        forget_kept(self.folder)
        self.events.write(EventSettings())

    def open(self) -> None:
        """Open the pinned maps, and those that lost their pin where a program of ours uses them.
        Failed "no-maps", "other-version" or "missing-pin"."""
        self._adopt(PinnedMaps.open(self.folder))

    def _adopt(self, maps: PinnedMaps) -> None:
        self.close()
        self._parts = _Parts(maps)

    def close(self) -> None:
        """Let go of descriptors and mappings; the pins stay."""
        if self._parts is not None:
            parts, self._parts = self._parts, None
            parts.programs.close()
            parts.clock.close()
            parts.maps.close()

    @property
    def lost_pins(self) -> list[Path]:
        """The pins that were removed; the maps are open all the same."""
        return self._opened.maps.lost

    def pin_lost(self) -> None:
        """Pin again the maps that lost their pin."""
        self._opened.maps.pin_lost()

    def unpin_outgrown(self) -> None:
        """Unpin all map sets but the newest; only when no program of ours is on the others."""
        self._opened.maps.unpin_outgrown()

    @property
    def _opened(self) -> _Parts:
        if self._parts is None:
            raise Failed("the data plane is not open", code="no-maps")
        return self._parts

    @property
    def map_set(self) -> MapSet:
        """The map set in use; another after it grew."""
        return self._opened.maps.map_set

    @property
    def shared(self) -> Mapping[str, Map]:
        """The maps that live as long as the instance, by name."""
        return self._opened.maps.shared

    @property
    def control(self) -> ControlWord:
        """The control word and the floor of features."""
        return self._opened.control

    @property
    def identity(self) -> PinnedIdentity:
        """The id of the instance that these maps belong to."""
        return self._opened.identity

    @property
    def clock(self) -> PinnedClock:
        """By which time of day the endings in these maps were computed."""
        return self._opened.clock

    @property
    def events(self) -> EventMaps:
        """Settings and counts of events, and their ring buffer."""
        return self._opened.events

    @property
    def taps(self) -> TapMaps:
        """The taps of `trace`; control.set_tapped() after a change of these."""
        return self._opened.taps

    @property
    def counters(self) -> KernelCounters:
        """The counters of rules and the totals of attachments."""
        return self._opened.counters

    @property
    def numbers(self) -> MemberNumbers:
        """The numbers of attachments whose program is shared."""
        return self._opened.numbers

    @property
    def programs(self) -> ProgramLoader:
        """Loads programs on these maps."""
        return self._opened.programs

    @property
    def generations(self) -> Generations:
        """The active and the idle copy."""
        return self._opened.generations


class _Parts:
    """The parts of a data plane whose maps are open."""

    def __init__(self, maps: PinnedMaps) -> None:
        self.maps = maps
        self.control_pin = control_pin(maps.folder)
        self.identity = PinnedIdentity(maps.folder)
        self.clock = PinnedClock(maps.folder)
        self.events = EventMaps(maps.shared)
        self.taps = TapMaps(maps.shared)
        self.counters = KernelCounters(maps.shared)
        self.numbers = MemberNumbers(maps.shared)
        self.control = ControlWord(maps.shared["control"], self.events, self.taps)
        self.programs = ProgramLoader(maps, self.control)
        self.generations = Generations(maps, self.control, self.programs)
