"""The instance in the kernel: its maps, pinned, and the programs that are loaded on them.

    BPFFS/maps/      control, counters, totals, fragments: one set for as long as the instance lives
    BPFFS/maps-N/    one map set: two generations of the classifier; replaced when outgrown
    BPFFS/progs/     programs, pinned by attach/pins.py

A change writes the copy that no packet is judged by and switches with one store. The copy left
behind is written again only after a grace period.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from xdpwall import abi
from xdpwall.abi import Control, Feature
from xdpwall.compiler.generation import Generation, Touched
from xdpwall.compiler.sizes import Sizes
from xdpwall.errors import Conflict, Failed
from xdpwall.kernel.bpf import atomic_words, bpffs
from xdpwall.kernel.bpf.cpus import cpu_ids
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import load_object, object_path, read_btf
from xdpwall.kernel.bpf.programs import BPF_F_XDP_HAS_FRAGS, Program
from xdpwall.values.arrays import Array
from xdpwall.values.terms import Place
from xdpwall.views.attachments import Totals
from xdpwall.views.events import EventSettings

from .event_maps import EventMaps
from .mapset import SHARED, MapSet
from .percpu_counters import totals
from .pinned_counters import other_version
from .trace_taps import TapMaps


class Dataplane:
    """One instance's maps. Not thread-safe: the firewall holds its lock around every call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shared: dict[str, Map] = {}
        self._sets: MapSet | None = None
        self._number: int | None = None  # of the map set
        self._control: memoryview | None = None
        self._counters: memoryview | None = None
        self._events: EventMaps | None = None
        self._logging = False
        self._settled = False
        self._wanted = Feature(0)
        self._written: Generation | None = None  # what is in the idle copy, to be switched to
        self._from_force = False  # it is the generation in force, changed in place
        self._force: Generation | None = None
        self._lag: Touched | None = None  # what the idle copy lacks of it, where that is known

    # -- life ------------------------------------------------------------------------------------

    def alive(self) -> bool:
        """Are the instance's maps in the kernel?"""
        return bool(bpffs.numbered(self.folder, "maps-")) and self._has_control()

    def is_newest(self, numbers: Sequence[int]) -> bool:
        """Are these maps alive and, of the map sets pinned, the newest? Another process may have made
        bigger ones since they were opened, and no more than that, which nothing on disk tells."""
        return bool(numbers) and max(numbers) == self._number and self._has_control()

    def _has_control(self) -> bool:
        return os.path.exists(f"{self.folder}/maps/control")

    def create(self) -> None:
        """Fresh maps: switched on, revision 0, accepting everything. Conflict when there are some."""
        if self.alive():
            raise Conflict(f"{self.folder} holds maps already", code="maps-exist")
        bpffs.ensure_mounted(self.folder)
        for name in bpffs.names(self.folder):
            if name == "maps" or name.startswith("maps-"):
                bpffs.remove_tree(self.folder / name)  # left by a start that did not finish
        sets, shared = MapSet.create(Sizes(), {})
        sets.write(0, _accept_everything())
        sets.write(1, _accept_everything())
        sets.pin(self.folder, 1)
        bpffs.ensure_mounted(self.folder / "maps")
        for name in reversed(SHARED):  # control last: with it, the instance is alive
            shared[name].pin(self.folder / "maps" / name)
        self._adopt(shared, sets, 1)
        self.events.write(EventSettings())

    def open(self) -> None:
        """Open the pinned maps. Failed when there are none, or they are of another version."""
        number = self._newest()
        if number is None or not self.alive():
            raise Failed(f"no maps are pinned in {self.folder}", code="no-maps")
        found = set(bpffs.names(self.folder / "maps"))
        shared = {
            name: Map.open_pinned(self.folder / "maps" / name) for name in SHARED if name in found
        }
        control, counters, totals = (shared[n].info for n in ("control", "counters", "totals"))
        if len(shared) < len(SHARED) or (
            control.max_entries,
            (counters.type, counters.max_entries),
            counters.value_size,
            totals.max_entries,
            totals.value_size,
        ) != (
            abi.CONTROL_WORDS,
            (MapType.ARRAY, cpu_ids()),
            abi.SLOTS * abi.COUNT.itemsize,
            abi.ATTACHMENTS,
            abi.TOTALS.itemsize,
        ):
            raise other_version(self.folder)
        self._adopt(shared, MapSet.open(self.folder, number), number)

    def _adopt(self, shared: dict[str, Map], sets: MapSet, number: int) -> None:
        self.close()
        self._shared, self._sets, self._number = shared, sets, number
        self._control = shared["control"].mmap()
        self._events = EventMaps(shared)

    def close(self) -> None:
        """Let go of descriptors and mappings; the pins stay."""
        self._control = self._counters = self._events = None
        for m in self._shared.values():
            m.close()
        self._shared = {}
        if self._sets is not None:
            self._sets.close()
            self._sets = None
        self._settled = False
        self.forget()

    def _newest(self) -> int | None:
        return max(bpffs.numbered(self.folder, "maps-"), default=None)

    @property
    def sets(self) -> MapSet:
        """The map set in use."""
        if self._sets is None:
            raise Failed("the data plane is not open", code="no-maps")
        return self._sets

    # -- the control word ------------------------------------------------------------------------

    @property
    def control(self) -> Control:
        """What packets are judged by at this moment."""
        return Control.unpack(atomic_words.load_u64(self._word(), 0))

    def _word(self) -> memoryview:
        if self._control is None:
            raise Failed("the data plane is not open", code="no-maps")
        return self._control

    def _store(self, control: Control) -> None:
        atomic_words.store_u64(self._word(), 0, control.pack())

    @property
    def features(self) -> Feature:
        """What every program in place can judge by, at least; new ones are loaded with these."""
        return Feature(atomic_words.load_u64(self._word(), 8))

    def _store_features(self, features: Feature) -> None:
        atomic_words.store_u64(self._word(), 8, int(features))

    def set_switch(self, on: bool) -> None:
        """Off: everything passes, by one word."""
        self._store(replace(self.control, on=on))

    # -- events ----------------------------------------------------------------------------------

    @property
    def events(self) -> EventMaps:
        """Settings, counts and the ring buffer."""
        if self._events is None:
            raise Failed("the data plane is not open", code="no-maps")
        return self._events

    def set_events(self, wanted: EventSettings, *, logging: bool) -> None:
        """Change what is reported. `logging`: some rule in force has `log`."""
        self.events.write(wanted)
        self._store(replace(self.control, events=self.events.needed(logging=logging)))

    @property
    def taps(self) -> TapMaps:
        """Who traces what we drop; set_tapped() after a change of these."""
        return TapMaps(self._shared)

    def set_tapped(self, *, logging: bool) -> None:
        """Make programs look at the taps, or not. `logging`: some rule in force has `log`."""
        self.events.set_tapped(bool(self.taps.in_use()))
        self._store(replace(self.control, events=self.events.needed(logging=logging)))

    # -- a change --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until no packet can be judged by the copy left behind (8 to 30 ms, or nothing)."""
        if not self._settled:
            bpffs.grace()
            self._settled = True

    def unsettle(self) -> None:
        """Somebody else may have switched: the next change waits again."""
        self._settled = False

    def expect(self, compiled: Generation) -> None:
        """Before a generation: wait until the idle copy may be written, and load programs from now
        on with its features. Then growing(), where it does not fit, or else new programs, where
        wants_reload(); then fill() and switch()."""
        self.settle()
        if compiled.capacity < self.sets.sizes.positions:
            compiled.widen(self.sets.sizes.positions)
        self._wanted |= self.features | compiled.features

    def wants_reload(self) -> bool:
        """Whether programs in place may lack a feature of the generation that is expected."""
        return self._wanted != self.features

    @contextmanager
    def growing(self, need: Sizes) -> Iterator[None]:
        """Replace the maps by copies that are large enough; also by copies as large. Raises Full.

        The body loads every attachment's program anew, on the copies; no verdict changes. Only then
        are the old maps unpinned: if the body raises, both stay, and the next writer's recovery
        goes on from there.
        """
        self.settle()
        old, copy = self.sets, self.control.copy
        number = (self._newest() or 0) + 1
        bigger = old.grown(old.sizes.grown_to(need), self._shared, copy)
        bigger.pin(self.folder, number)
        self._sets, self._number, self._lag = bigger, number, None
        yield
        old.close()
        self.retire()

    def fill(self, compiled: Generation) -> None:
        """Write the generation that was expected into the idle copy. Packets go on by the active
        one."""
        if self._wanted != self.features:
            # Every program in place has them by now.
            self._store_features(self._wanted)
        known = compiled is self._force
        lag, self._lag = self._lag, None
        if known and lag is not None:
            self.sets.write_touched(1 - self.control.copy, compiled, lag | compiled.touched)
        else:
            self.sets.write(1 - self.control.copy, compiled)
        self._written, self._from_force = compiled, known
        self._logging = bool((compiled.rules["action"] & abi.RULE_LOG).any())

    @property
    def in_force(self) -> Generation | None:
        """The generation in force, when it was this object that wrote it. Whoever changes it in
        place (delta.py) gives it to fill() and switch(), or calls forget()."""
        return self._force

    def forget(self) -> None:
        """What is in memory may not be what is in force; the next change is compiled whole."""
        self._force, self._lag = None, None

    @property
    def untidy(self) -> bool:
        """Would prime() or narrow() do anything?"""
        force = self._force
        if force is None:
            return False
        return self._lag is None or force.shrunk or force.features != self.features

    def prime(self) -> None:
        """Bring the copy left behind up to the generation in force, so that the next change writes
        only what it touches. Waits for a grace period if need be."""
        if self._force is None or self._lag is not None:
            return
        self.settle()
        self.sets.write(1 - self.control.copy, self._force)
        self._lag = Touched()

    def narrow(self) -> bool:
        """Load programs from now on with no more features than the generation in force has, where
        this process knows it. True: every attachment's program is to be loaded anew. Not while
        packets may be judged by the copy that was left behind."""
        if self._force is None or self._force.features == self.features:
            return False
        self.settle()
        self._wanted = self._force.features
        self._store_features(self._wanted)
        return True

    def switch(self, revision: int) -> None:
        """Judge by the copy that fill() wrote: one store, every attachment at once."""
        now, events = self.control, self.events.needed(logging=self._logging)
        self._store(Control(1 - now.copy, now.on, revision, events))
        self._settled = False
        force = self._written
        if force is not None:
            self._lag = force.touched if self._from_force else None
            force.touched = Touched()
        self._force, self._written = force, None

    def retire(self) -> None:
        """Unpin map sets that were outgrown; to be called when no program of ours uses them."""
        newest = self._newest()
        for name in bpffs.names(self.folder):
            if name.startswith("maps-") and name != f"maps-{newest}":
                bpffs.remove_tree(self.folder / name)

    # -- programs --------------------------------------------------------------------------------

    def load_program(
        self, place: Place, number: int, *, frags: bool = False, features: Feature | None = None
    ) -> Program:
        """A program for one attachment on the present maps. Unsupported when the kernel refuses.

        `features`: what it can judge by; None is what the generation in force, and the one that is
        about to be, use.
        """
        name = "xdpwall_xdp" if place == "xdp" else "xdpwall_tc"
        rodata: dict[str, int | bytes] = {
            **self.sets.constants,
            "features": int(self.features | self._wanted if features is None else features),
            "number": number,
            "egress": int(place == "tc-egress"),
        }
        if place == "xdp":
            rodata["fragmented"] = int(frags)
        loaded = load_object(
            object_path("xdp" if place == "xdp" else "tc"),
            rodata=rodata,
            sizes=self.sets.map_sizes,
            reuse={**self._shared, **self.sets.maps},
            flags={name: BPF_F_XDP_HAS_FRAGS} if frags else {},
        )
        program = loaded.programs.pop(name)
        loaded.close()
        return program

    def is_current(self, program: Program) -> bool:
        """Was it loaded on the present maps, with the features that are wanted now?"""
        if not self.steers(program) or self.sets.maps["rows"].info.id not in program.map_ids:
            return False
        return self.constant(program, "features") == self.features | self._wanted

    def steers(self, program: Program) -> bool:
        """Does it judge by this control word? Others are on maps that were unpinned meanwhile."""
        return self._shared["control"].info.id in program.map_ids

    @staticmethod
    def constant(program: Program, name: str) -> int | None:
        """What a program of ours was loaded with (bpf/maps.h)."""
        source = object_path("xdp" if program.info.name.startswith("xdpwall_xdp") else "tc")
        place = read_btf(source).section(".rodata")[name]
        for number in program.map_ids:
            with Map.open_id(number) as m:
                if m.info.name.endswith(".rodata") and (value := m.lookup(0)):
                    found = value[place.offset : place.offset + place.size]
                    return int.from_bytes(found, "little")
        return None

    # -- counters --------------------------------------------------------------------------------

    def read_counters(self, slots: Sequence[int]) -> list[tuple[int, int]]:
        """(packets, bytes) of each slot, summed over CPUs."""
        if not slots:
            return []
        return [(p, size) for p, size in self._counts[:, slots].sum(axis=0).tolist()]

    @property
    def _counts(self) -> Array:
        """(CPUs, SLOTS, 2) u64: packets and bytes, as they are at this moment."""
        self._counters = self._counters or self._shared["counters"].mmap()
        return np.frombuffer(self._counters, dtype="<u8").reshape(-1, abi.SLOTS, 2)

    def read_totals(self, numbers: Sequence[int]) -> list[Totals]:
        """The totals of each attachment number."""
        return totals(self._shared["totals"], numbers) if numbers else []

    def zero_slot(self, slots: Sequence[int]) -> None:
        """Zero counters that no generation in use counts on; settle() comes first."""
        self._counts[:, slots] = 0

    def zero_totals(self, number: int) -> None:
        """Zero an attachment's totals before its number is used again."""
        self._shared["totals"].zero_percpu(number)


def _accept_everything() -> Generation:
    from xdpwall.compiler.compile import compile_ruleset
    from xdpwall.ruleset.policy import Policy

    return compile_ruleset([], Policy(), [])
