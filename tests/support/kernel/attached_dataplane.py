"""A data plane attached to one real interface: load rules, send frames through the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from tests.support.kernel.loading import load
from tests.support.net.netns import Namespace
from xdpwall.attach.attacher import Attacher
from xdpwall.closing import Closing
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.kernel.bpf.maps import Map
from xdpwall.kernel.bpf.programs import Program
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.ruleset.policy import Policy
from xdpwall.values.terms import Place, WantedMode

Hook = Literal["xdp native", "xdp generic", "tc ingress"]
HOOKS: tuple[Hook, ...] = ("xdp native", "xdp generic", "tc ingress")
NUMBER = 1
_PLACES: dict[Hook, tuple[Place, WantedMode]] = {
    "xdp native": ("xdp", "native"),
    "xdp generic": ("xdp", "generic"),
    "tc ingress": ("tc-ingress", "auto"),
}


class AttachedDataplane(Closing):
    """One attachment in a namespace; slots are the rules' positions. It stays attached when closed."""

    def __init__(self, space: Namespace, iface: str, hook: Hook, folder: Path) -> None:
        self.iface = iface
        self.hook = hook
        self.folder = folder
        self.rules: tuple[Rule, ...] = ()
        self._revision = 0
        self._place, mode = _PLACES[hook]
        self._space = space
        self._spec = AttachmentSpec.at(iface, self._place, mode)
        self._index = space.index(iface)
        self._attacher = Attacher(folder)
        self.dataplane = Dataplane(folder)
        self.dataplane.create()
        with space.inside():
            attached = self._attacher.attach(self._spec, self._index, self._load)
        self.mode = attached.mode

    def _load(self, frags: bool) -> Program:
        return self.dataplane.programs.load(self._place, NUMBER, frags=frags)

    def _reload(self) -> None:
        with self._space.inside():
            self._attacher.swap(self._spec, self._index, self.mode, self._load)

    def load(self, rules: Iterable[Rule | str], policy: Policy | None = None) -> None:
        """Make these the rules in force, with counters at 0 and no fragment remembered."""
        self.rules = tuple(r if isinstance(r, Rule) else Rule.parse(r) for r in rules)
        self._revision += 1
        where = [(NUMBER, self.iface, "ingress")]
        revision, reload = self._revision, self._reload
        load(self.dataplane, self.rules, policy, where, revision=revision, reload=reload)
        self.forget_fragments()

    def switch(self, on: bool) -> None:
        """Switch filtering on or off."""
        self.dataplane.control.set_switch(on)

    def counters(self) -> Sequence[int]:
        """Packets of every rule."""
        return [packets for packets, _ in self.dataplane.counters.read(range(len(self.rules)))]

    def forget_fragments(self) -> None:
        """Empty the fragment memory."""
        with Map.open_pinned(self.folder / "maps" / "fragments") as fragments:
            for key in list(fragments.keys()):
                fragments.delete(key)

    def close(self) -> None:
        """Close the maps; the lab removes pins and attachments."""
        self.dataplane.close()
