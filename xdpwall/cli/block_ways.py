"""Block in every direction through an interface: by its own hooks and, of a bridge, those of its ports."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from xdpwall.errors import InvalidInput, NotFound, XdpwallError
from xdpwall.values.terms import Place, direction_of, hook_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xdpwall.firewall.facade import Facade
    from xdpwall.values.author import Author
    from xdpwall.views.attachments import InterfaceView
    from xdpwall.views.blocks import BlockOutcome
    from xdpwall.views.explain import ExplainReport


@dataclass(frozen=True, slots=True)
class Way:
    """A direction of traffic, and the hook that sees it."""

    words: str
    iface: str
    """The interface, or `ports:` and its name."""
    place: Place
    there: bool
    """Whether a program of ours is attached there already, or wanted by policy."""

    @property
    def hook(self) -> str:
        """ "docker0 xdp"."""
        return f"{self.iface} {self.place}"


@dataclass(frozen=True, slots=True)
class WaysOutcome:
    """What was done."""

    blocks: list[BlockOutcome]
    attached: list[str]
    warnings: list[str]


def ways_through(fw: Facade, iface: str) -> list[Way]:
    """Every direction of traffic through an interface. NotFound "no-interface"."""
    there = {one.name: one for one in fw.interfaces().interfaces}
    view = there.get(iface)
    if view is None:
        raise NotFound(
            f"there is no interface called {iface}", code="no-interface", field="iface", value=iface
        )
    bridge = view.kind == "bridge"
    inside, outside = ("from containers", "to containers") if bridge else ("in", "out")
    found = [
        _incoming(view, inside),
        Way(outside, iface, "tc-egress", _has(view, "tc-egress")),
    ]
    if bridge:
        ports = f"ports:{iface}"
        wanted = [one.place for one in fw.status().wanted if one.iface == ports]
        place = next((one for one in wanted if one != "tc-egress"), None)
        found.append(Way("between containers", ports, place or "xdp", place is not None))
    return found


def block_all_ways(
    fw: Facade,
    target: str,
    ways: Sequence[Way],
    *,
    lasts: str | None,
    spared: str | None,
    by: Author,
) -> WaysOutcome:
    """Attach what is missing and block at each; when something is refused, nothing of it stays."""
    blocks, attached, warnings = [], [], []
    with ExitStack() as undo:
        for way in ways:
            if not way.there:
                warnings += _attach(fw, way, by)
                attached.append(way.hook)
                undo.callback(_detach, fw, way, by)
        for iface in reversed(dict.fromkeys(way.iface for way in ways)):
            outcome = fw.block(target, lasts=lasts, iface=iface, spared=spared, by=by)
            blocks.append(outcome)
            warnings += outcome.warnings
            if outcome.changed:
                take_back = partial(fw.unblock, target, iface=iface, spared=spared, by=by)
                undo.callback(_quietly, take_back)
        undo.pop_all()
    return WaysOutcome(blocks, attached, list(dict.fromkeys(warnings)))


def unblock_all_ways(
    fw: Facade, target: str, ways: Sequence[Way], *, spared: str | None, by: Author
) -> list[BlockOutcome]:
    """Take back what block_all_ways() blocked; what is attached stays. NotFound "not-blocked" where none is."""
    found, missing = [], None
    for iface in dict.fromkeys(way.iface for way in ways):
        try:
            found.append(fw.unblock(target, iface=iface, spared=spared, by=by))
        except NotFound as error:
            missing = error
    if missing is not None and not found:
        raise missing
    return found


def explain_ways(fw: Facade, target: str, ways: Sequence[Way]) -> list[tuple[Way, ExplainReport]]:
    """What becomes of such a packet on each way, as the kernel tells it; of a port the first one stands for
    all. Nothing where the words are those of no single packet."""
    found = []
    for way in ways:
        names = [way.iface]
        if way.iface.startswith("ports:"):
            names = [
                n for one in fw.status().wanted if one.iface == way.iface for n in one.in_place
            ]
        way_out = "out" if way.place == "tc-egress" else "in"
        for name in names[:1]:
            with suppress(InvalidInput):
                found.append((way, fw.explain([f"{target} on {name} {way_out}"])))
    return found


def _incoming(view: InterfaceView, words: str) -> Way:
    """XDP, or tc ingress where that is attached or another owner has XDP."""
    if _has(view, "xdp"):
        return Way(words, view.name, "xdp", True)
    if _has(view, "tc-ingress"):
        return Way(words, view.name, "tc-ingress", True)
    taken = any(one.place == "xdp" for one in view.others)
    return Way(words, view.name, "tc-ingress" if taken else "xdp", False)


def _has(view: InterfaceView, place: Place) -> bool:
    return any(one.place == place and one.state == "attached" for one in view.attachments)


def _attach(fw: Facade, way: Way, by: Author) -> list[str]:
    from xdpwall.ruleset.attachment import AttachmentSpec

    spec = AttachmentSpec.at(way.iface, way.place)
    if spec.by_policy:
        return fw.want(spec, by=by).warnings
    return fw.attach(way.iface, hook=spec.hook, direction=spec.direction, by=by).warnings


def _detach(fw: Facade, way: Way, by: Author) -> None:
    hook, direction = hook_of(way.place), direction_of(way.place)
    _quietly(partial(fw.detach, way.iface, hook=hook, direction=direction, by=by))


def _quietly(undo: Callable[[], object]) -> None:
    with suppress(XdpwallError):
        undo()
