"""Load programs on the maps of an instance, with the features that its generations need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from xdpwall.abi import SHARED, Feature
from xdpwall.errors import XdpwallError
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.objects import load_object, object_path
from xdpwall.kernel.bpf.programs import BPF_F_XDP_HAS_FRAGS, Program
from xdpwall.values.terms import Place

from .control_word import ControlWord
from .explaining import Explainer, Explainers, Hook
from .flow_maps import FLOW_MAPS
from .map_set import MapSet
from .member_numbers import is_shared
from .pinned_maps import PinnedMaps
from .program_constants import keep_constants, read_constant
from .rate_maps import RATE_MAPS


def load_program(
    map_set: MapSet,
    shared: Mapping[str, Map],
    place: Place,
    number: int,
    *,
    features: Feature,
    frags: bool = False,
    folder: Path | None = None,
) -> Program:
    """Load a program on these maps, and keep its constants in `folder`. Unsupported when the kernel refuses
    it."""
    name = "xdpwall_xdp" if place == "xdp" else "xdpwall_tc"
    rodata: dict[str, int | bytes] = {
        **map_set.constants,
        "features": int(features),
        "number": number,
        "egress": int(place == "tc-egress"),
    }
    if place == "xdp":
        rodata["fragmented"] = int(frags)
    loaded = load_object(
        object_path(_object_name(place == "xdp", features, shared=number == SHARED)),
        rodata=rodata,
        sizes=map_set.map_sizes,
        reuse={**shared, **map_set.maps},
        flags={name: BPF_F_XDP_HAS_FRAGS} if frags else {},
    )
    with loaded:
        if folder is not None and loaded.constants is not None:
            keep_constants(folder, loaded.constants)
        program = loaded.programs.pop(name)
    # Its code does not name them, and by programs in place are maps found that lost their pin.
    for feature, maps in ((Feature.RATES, RATE_MAPS), (Feature.FLOWS, FLOW_MAPS)):
        if feature not in features:
            for one in maps:
                program.bind_map(map_set.maps[one])
    if number != SHARED and shared:
        program.bind_map(shared["numbers"])
    return program


def _object_name(xdp: bool, features: Feature, *, shared: bool) -> str:
    """The object to load: those with flows, rates or cookies are for whoever needs them, so that the
    others pay nothing. tc answers no SYN."""
    if xdp and features & Feature.COOKIES:
        more = features & (Feature.FLOWS | Feature.RATES)
        return "xdp_cookies_flows_rated" if more else "xdp_cookies"
    flows = "_flows" if features & Feature.FLOWS else ""
    rated = "_rated" if features & Feature.RATES else ""
    return ("xdp" if xdp else "tc") + flows + rated + ("_shared" if shared else "")


_NEVER_SHARED = Feature.FLOWS | Feature.COOKIES
"""Features of which there are no shared programs."""


class ProgramLoader:
    """Loads programs, and tells which of those in place are out of date."""

    def __init__(self, maps: PinnedMaps, control: ControlWord) -> None:
        self._maps = maps
        self._control = control
        self.wanted = Feature(0)
        """Features that programs are loaded with besides those that all in place have."""
        self._explainers = Explainers()
        self._shared: dict[tuple[Place, bool], Program] = {}
        self._shared_for: tuple[int, Feature] | None = None
        """The map `rows` and the features that those were loaded for."""
        self._prepared: set[Place] = set()
        """Where that was tried before a member came."""

    def load(
        self,
        place: Place,
        number: int,
        *,
        frags: bool = False,
        features: Feature | None = None,
    ) -> Program:
        """Load a program for one attachment. Unsupported when the kernel refuses it.

        `features`: None is those of the active generation and of the one that is expected.
        """
        wanted = self.features if features is None else features
        return load_program(
            self._maps.map_set,
            self._maps.shared,
            place,
            number,
            features=wanted,
            frags=frags,
            folder=self._maps.folder,
        )

    def loader(self, place: Place, number: int) -> Callable[[bool], Program]:
        """Return the function `load(frags)` that the attacher calls for a program: one that is shared,
        where the number is that of a member and there is one for these features."""
        if is_shared(number) and not self.features & _NEVER_SHARED:
            return lambda frags: self._load_shared(place, frags)
        return self.own_loader(place, number)

    def own_loader(self, place: Place, number: int) -> Callable[[bool], Program]:
        """loader() of a program that no other attachment has: it judges by that number wherever it is."""
        return lambda frags: self.load(place, number, frags=frags)

    def prepare(self, place: Place) -> None:
        """Load the program that members will share there, if there is one: the verifier takes up to a second,
        in which the first of them would be open. Errors are for whoever attaches."""
        if not self.is_prepared(place):
            self._keep_current()
            self._prepared.add(place)
            with suppress(XdpwallError):
                self._load_shared(place, frags=False).close()

    def is_prepared(self, place: Place) -> bool:
        """Whether prepare() has nothing to do."""
        if self.features & _NEVER_SHARED:
            return True
        return self._shared_for == self._shared_now() and place in self._prepared

    def _shared_now(self) -> tuple[int, Feature]:
        return self._maps.map_set.maps["rows"].info.id, self.features

    def _keep_current(self) -> None:
        """Let go of shared programs for other maps or features."""
        if self._shared_for != (now := self._shared_now()):
            self.drop_shared()
            self._shared_for = now

    def _load_shared(self, place: Place, frags: bool) -> Program:
        """The program for all members of this kind, loaded once for these maps and features."""
        self._keep_current()
        if (place, frags) not in self._shared:
            self._shared[place, frags] = self.load(place, SHARED, frags=frags)
        return self._shared[place, frags].duplicate()

    def drop_shared(self) -> None:
        """Let go of the shared programs, which hold maps; those that are attached stay."""
        for program in self._shared.values():
            program.close()
        self._shared.clear()
        self._prepared.clear()

    def close(self) -> None:
        """Let go of what is kept in between."""
        self.drop_explainers()
        self.drop_shared()

    def load_explainer(self, hook: Hook) -> Explainer:
        """Load the program that explains, on the newest maps. It is not pinned nor attached, and
        goes with close()."""
        return Explainer.load(hook, self._maps.shared, self._maps.map_set)

    def explainer(self, hook: Hook) -> Explainer:
        """The program that explains, loaded when first asked for, and kept."""
        return self._explainers.of(hook, self.load_explainer)

    def drop_explainers(self) -> None:
        """Unload those that are kept: they hold maps that were outgrown."""
        self._explainers.close()

    @property
    def features(self) -> Feature:
        """Those that programs are loaded with now."""
        return self._control.features | self.wanted

    def is_current(self, program: Program) -> bool:
        """Whether it is on the newest map set, with the features that are wanted now."""
        rows = self._maps.map_set.maps["rows"].info.id
        if not self.runs_on_these_maps(program) or rows not in program.map_ids:
            return False
        return self.constant(program, "features") == self.features

    def constant(self, program: Program, name: str) -> int | None:
        """A constant that a program of ours was loaded with; None where it cannot be read."""
        return read_constant(self._maps.folder, program, name)

    def runs_on_these_maps(self, program: Program) -> bool:
        """Whether it reads this control word; else its maps were unpinned and made anew."""
        return self._maps.shared["control"].info.id in program.map_ids
