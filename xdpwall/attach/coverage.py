"""The interfaces of this namespace, and in words the traffic that attachments on them see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from xdpwall.errors import Unsupported
from xdpwall.kernel.net.links import LinkInfo, links
from xdpwall.values.terms import Place
from xdpwall.views.attachments import InterfaceView, Occupant

from .attacher import check_ethernet, check_no_vrf


class HasPlace(Protocol):
    """Anything with an attachment's `place`: an Attachment or its view."""

    @property
    def place(self) -> Place: ...


class Coverage(NamedTuple):
    """In words, the traffic that the attachments on one interface see and do not see."""

    sees: list[str]
    blind: list[str]
    """Traffic that none of them sees, and which hook would."""
    suggestions: list[str]
    """The attachments that would cover the rest."""


class _TrafficPath(NamedTuple):
    """A direction of traffic through an interface."""

    words: str
    packets: str
    seen_at: tuple[Place, ...]
    by: str
    suggestion: str


_NAMED = 3
"""Others that are named in one sentence."""

BETWEEN = "between containers"
"""What goes from port to port of a bridge."""
_EGRESS_OPTIONS = "--hook tc --direction egress"
# A program on a bridge device sees the frames between bridge and host; those from port to port do
# not pass the device.
_BRIDGE = (
    _TrafficPath(
        "from containers",
        "packets from containers",
        ("xdp", "tc-ingress"),
        "xdp or tc ingress sees it",
        "xdp, or tc ingress (--hook tc), sees what comes from the containers",
    ),
    _TrafficPath(
        "to containers",
        "packets to containers",
        ("tc-egress",),
        "tc egress sees it",
        f"tc egress ({_EGRESS_OPTIONS}) sees what goes to the containers",
    ),
    _TrafficPath(
        BETWEEN,
        "packets between containers",
        (),
        "only the bridge's ports see it",
        "attachments on the bridge's ports see what goes between the containers",
    ),
)
# What is redirected to an ifb is counted as received, and meets tc egress alone on its way through.
_IFB = (
    _TrafficPath(
        "everything redirected to it",
        "packets redirected to it",
        ("tc-egress",),
        "tc egress sees it",
        f"tc egress ({_EGRESS_OPTIONS}) sees everything that is redirected to it",
    ),
)
_PATHS = {"bridge": _BRIDGE, "ifb": _IFB}
_ORDINARY = (
    _TrafficPath(
        "everything in",
        "incoming packets",
        ("xdp", "tc-ingress"),
        "xdp or tc ingress sees it",
        "xdp, or tc ingress (--hook tc), sees everything that comes in",
    ),
    _TrafficPath(
        "everything out",
        "outgoing packets",
        ("tc-egress",),
        "tc egress sees it",
        f"tc egress ({_EGRESS_OPTIONS}) sees everything that goes out",
    ),
)


def coverage(
    kind: str | None, attachments: Iterable[HasPlace], before: Sequence[Occupant] = ()
) -> Coverage:
    """Describe the traffic that these attachments on one interface see together.

    `kind` is the link's ("bridge", "veth", None for a physical one). On a bridge, "containers" are
    whatever is behind its ports. `before` may let packets by all of them.
    """
    places = {one.place for one in attachments}
    found = Coverage([], [], [])
    for way in _PATHS.get(kind or "", _ORDINARY):
        if places.intersection(way.seen_at):
            by = f"{way.packets} that {some_words(before)} does not let by"
            found.sees.append(by if before else way.words)
        else:
            found.blind.append(f"{way.words}: {way.by}")
            found.suggestions.append(way.suggestion)
    return found


def some_words(others: Sequence[Occupant]) -> str:
    """Name the first three of them: "u32 at pref 1, flower at pref 2 and 3 more"."""
    named = ", ".join(other.words for other in others[:_NAMED])
    return named + f" and {len(others) - _NAMED} more" * (len(others) > _NAMED)


def list_interfaces() -> list[InterfaceView]:
    """Every interface, by index, without the programs attached."""
    there = links()
    return [_view(link, there) for link in there]


def _view(link: LinkInfo, there: Sequence[LinkInfo]) -> InterfaceView:
    try:
        check_ethernet(link)
        check_no_vrf(link, there)
        why_not = None
    except Unsupported as error:
        why_not = error.message
    return InterfaceView(
        name=link.name,
        index=link.index,
        state=link.state,
        kind=link.kind,
        driver=link.driver,
        link_type=link.link_type,
        mtu=link.mtu,
        address=link.address,
        master=link.master,
        attachable=why_not is None,
        why_not=why_not,
    )
