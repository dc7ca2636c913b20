"""The interfaces that exist: names, indexes, kinds."""

from __future__ import annotations

from xdpwall.errors import NotFound
from xdpwall.kernel.net.names import interface_index


def interface_names() -> dict[str, int]:
    """Name -> index of every interface in this thread's namespace; no netlink library needed."""
    return {name: index for index, name in interface_index()}


def index_of(iface: str) -> int:
    """The interface's index; NotFound names those that exist."""
    names = interface_names()
    if iface not in names:
        raise NotFound(
            f"no interface called {iface}",
            code="no-interface",
            field="iface",
            value=iface,
            hint=f"these exist: {', '.join(sorted(names)[:20])}",
        )
    return names[iface]


def link_kind(index: int) -> str | None:
    """The link's kind ("bridge", "veth", ...); None for a physical one or when it has gone."""
    from xdpwall.kernel.net.links import links

    return next((link.kind for link in links() if link.index == index), None)
