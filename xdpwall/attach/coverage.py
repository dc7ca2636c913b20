"""The interfaces of this namespace, and in words what attachments on them see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from xdpwall.errors import Unsupported
from xdpwall.kernel.net.links import LinkInfo, links
from xdpwall.values.terms import Place
from xdpwall.views.attachments import InterfaceView

from .attacher import check_ethernet


class HasPlace(Protocol):
    """Anything that stands at a place: an attachment's row or its view."""

    @property
    def place(self) -> Place: ...


class Coverage(NamedTuple):
    """What a set of attachments on one interface amounts to, in words."""

    sees: list[str]
    blind: list[str]
    """What passes them by, and what would see it."""
    suggestions: list[str]
    """The attachments that would cover the rest."""


class _TrafficPath(NamedTuple):
    """One way that packets take through an interface."""

    words: str
    seen_at: tuple[Place, ...]
    by: str
    suggestion: str


_EGRESS_OPTIONS = "--hook tc --direction egress"
# A program on a bridge stands where frames leave the bridge for the host and where the host puts
# frames into the bridge; what goes from port to port passes below both.
_BRIDGE = (
    _TrafficPath(
        "from containers",
        ("xdp", "tc-ingress"),
        "xdp or tc ingress sees it",
        "xdp, or tc ingress (--hook tc), sees what comes from the containers",
    ),
    _TrafficPath(
        "to containers",
        ("tc-egress",),
        "tc egress sees it",
        f"tc egress ({_EGRESS_OPTIONS}) sees what goes to the containers",
    ),
    _TrafficPath(
        "between containers",
        (),
        "only the bridge's ports see it",
        "attachments on the bridge's ports see what goes between the containers",
    ),
)
_ORDINARY = (
    _TrafficPath(
        "everything in",
        ("xdp", "tc-ingress"),
        "xdp or tc ingress sees it",
        "xdp, or tc ingress (--hook tc), sees everything that comes in",
    ),
    _TrafficPath(
        "everything out",
        ("tc-egress",),
        "tc egress sees it",
        f"tc egress ({_EGRESS_OPTIONS}) sees everything that goes out",
    ),
)


def coverage(kind: str | None, attachments: Iterable[HasPlace]) -> Coverage:
    """What these attachments on one interface of that kind see together.

    `kind` is the link's ("bridge", "veth", None for a physical one). On a bridge "containers" are
    whatever hangs on its ports.
    """
    places = {one.place for one in attachments}
    found = Coverage([], [], [])
    for way in _BRIDGE if kind == "bridge" else _ORDINARY:
        if places.intersection(way.seen_at):
            found.sees.append(way.words)
        else:
            found.blind.append(f"{way.words}: {way.by}")
            found.suggestions.append(way.suggestion)
    return found


def list_interfaces() -> list[InterfaceView]:
    """Every interface, by index, without what is attached (ours and others')."""
    return [_view(link) for link in links()]


def _view(link: LinkInfo) -> InterfaceView:
    try:
        check_ethernet(link)
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
