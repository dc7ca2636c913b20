"""Classifiers to ask: the instance's maps as they are in force, and a ruleset in maps of its own."""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from xdpwall import abi
from xdpwall.closing import Closing
from xdpwall.compiler.compile import compile_ruleset, entries_of
from xdpwall.compiler.containers import NO_ADDRESSES, ContainerAddresses
from xdpwall.compiler.generation import KernelSets, NumberedAttachment
from xdpwall.compiler.sizes import Sizes
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.dataplane.explaining import Answer, Explainer, Explainers, Hook
from xdpwall.dataplane.map_set import SET_MAPS, MapSet
from xdpwall.dataplane.set_bulk import BulkWriter, OtherSet
from xdpwall.dataplane.set_maps import SetMaps
from xdpwall.errors import InvalidInput
from xdpwall.rule.iface_selector import Relations
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy
from xdpwall.sets.classes import Classes
from xdpwall.sets.entries import Entries
from xdpwall.sets.keys import Kind
from xdpwall.sets.prefix_index import PrefixIndex, prefix_keys
from xdpwall.values.terms import Place, hook_of

from .frame import Frame

_MOST_INTERFACES = 32
_MIN_ADDRESSES = 1024


class Classifier(Closing):
    """Runs frames. Not thread-safe."""

    def __init__(self) -> None:
        self._explainers = Explainers()

    @abstractmethod
    def run(self, frame: Frame, iface: str, place: Place, copy: int | None = None) -> Answer:
        """Run a frame where it is met. `copy`: judge it by that one, whatever is in force."""

    @abstractmethod
    def load(self, hook: Hook) -> Explainer:
        """Load the hook's explaining program."""

    def explainer(self, hook: Hook) -> Explainer:
        """The hook's program, loaded when first asked for."""
        return self._explainers.of(hook, self.load)

    def close(self) -> None:
        """Unload the programs, and free what is this classifier's own."""
        self._explainers.close()


class InForce(Classifier):
    """The attached programs' maps, with counters, sets and fragment memory as they are."""

    def __init__(self, dataplane: Dataplane, numbers: Mapping[tuple[str, Place], int]) -> None:
        """`numbers`: of the attachments."""
        super().__init__()
        self._dataplane = dataplane
        self._numbers = numbers

    def load(self, hook: Hook) -> Explainer:
        return self._dataplane.programs.load_explainer(hook)

    def run(self, frame: Frame, iface: str, place: Place, copy: int | None = None) -> Answer:
        data, question = frame.run_at(place, self._numbers[iface, place], copy)
        with suppress(OSError):
            question = replace(question, ifindex=socket.if_nametoindex(iface))
        return self.explainer(hook_of(place)).ask(data, question)


class Planned(Classifier):
    """A ruleset that nothing is attached with, in maps of its own; a rule's slot is its index. Its
    memory of first fragments is empty."""

    def __init__(
        self,
        rules: Sequence[Rule],
        policy: Policy,
        sets: Mapping[str, Entries],
        interfaces: Mapping[str, Relations],
        boot: int,
        containers: tuple[Mapping[str, tuple[str, ...]], bool] = NO_ADDRESSES,
    ) -> None:
        """`sets`: what those that rules name hold; `interfaces`: where frames are met, \"\" for one that no
        rule names, and what these are to others; `boot`: the time of day at boot, in ns since
        1970; `containers`: as ContainerAddresses. Raises Full."""
        super().__init__()
        if len(interfaces) > _MOST_INTERFACES:
            raise InvalidInput(
                f"packets of {len(interfaces)} interfaces; at most {_MOST_INTERFACES} at once",
                field="iface",
            )
        self._interfaces = list(interfaces)
        enabled = [(rule, index) for index, rule in enumerate(rules) if rule.enabled]
        places = [
            NumberedAttachment(2 * index + egress, name, bool(egress), relations)
            for index, (name, relations) in enumerate(interfaces.items())
            for egress in (0, 1)
        ]
        room = [
            max(_MIN_ADDRESSES, sum(len(getattr(held, kind)) for held in sets.values()))
            for kind in ("v4", "v6")
        ]
        first = Sizes().grown_to(Sizes(set4=room[0], set6=room[1])) if sets else Sizes()
        made, self._shared = MapSet.create(first, {})
        self._map_sets = [made]
        try:
            numbers = _write_sets(made, sets, boot)
            compiled = compile_ruleset(
                entries_of(enabled, boot=boot, containers=ContainerAddresses(*containers)),
                policy,
                places,
                numbers,
            )
            compiled.flow_places = abi.FLOW_BUCKET  # no packet makes a flow here
            if not made.sizes.holds(compiled.needed_sizes):
                sizes = made.sizes.grown_to(compiled.needed_sizes)
                kept = {name: made.maps[name] for name in SET_MAPS} if sets else {}
                made, _ = MapSet.create(sizes, self._shared, kept)
                self._map_sets.append(made)
            if compiled.capacity < made.sizes.positions:
                compiled.widen(made.sizes.positions)
            made.write(0, compiled)
        except BaseException:
            self.close()
            raise

    def load(self, hook: Hook) -> Explainer:
        return Explainer.load(hook, self._shared, self._map_sets[-1])

    def run(self, frame: Frame, iface: str, place: Place, copy: int | None = None) -> Answer:
        number = 2 * self._interfaces.index(iface) + (place == "tc-egress")
        data, question = frame.run_at(place, number, 0)
        return self.explainer(hook_of(place)).ask(data, question)

    def close(self) -> None:
        super().close()
        for map_set in self._map_sets:
            map_set.close()
        for one in self._shared.values():
            one.close()


def _write_sets(map_set: MapSet, sets: Mapping[str, Entries], boot: int) -> KernelSets:
    """Write entries into maps that have none. Raises Full."""
    if not sets:
        return KernelSets()
    maps = SetMaps(map_set.maps, lambda: boot)
    classes = Classes({}, {}, lambda: None)
    indexes: dict[int, PrefixIndex] = {}

    def index(family: Literal[4, 6]) -> PrefixIndex:
        if family not in indexes:
            indexes[family] = PrefixIndex(family, prefix_keys(family, Entries.empty()))
        return indexes[family]

    numbers = {name: number for number, name in enumerate(sorted(sets), 1)}
    classes.set_visible(frozenset(numbers.values()))
    loaded: list[tuple[int, Entries]] = []

    def others(kind: Kind) -> list[OtherSet]:
        nothing: Entries = Entries.empty()
        return [
            OtherSet(number, getattr(held, kind), getattr(nothing, kind)) for number, held in loaded
        ]

    for name, number in numbers.items():
        bulk = BulkWriter(maps, classes, index, others)
        bulk.write(bulk.plan(number, sets[name], 0))
        loaded.append((number, sets[name]))
    return KernelSets(numbers, dict(classes.set_numbers), classes.has_timed)
