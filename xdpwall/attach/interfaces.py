"""The interfaces that exist: names, indexes, kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from xdpwall.errors import NotFound
from xdpwall.kernel.net.names import interface_index

T = TypeVar("T")


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


def lowest_first(wanted: Iterable[T], index_of_one: Callable[[T], int]) -> list[T]:
    """Sort by interface so that each stands before those above it, in which a program at XDP keeps
    the kernel from changing XDP below; otherwise as they are."""
    return _by_height(wanted, index_of_one, highest_first=False)


def highest_first(wanted: Iterable[T], index_of_one: Callable[[T], int]) -> list[T]:
    """Sort by interface so that each stands before those below it; otherwise as they are."""
    return _by_height(wanted, index_of_one, highest_first=True)


def _by_height(
    wanted: Iterable[T], index_of_one: Callable[[T], int], *, highest_first: bool
) -> list[T]:
    found = list(wanted)
    if len(found) < 2:
        return found
    from xdpwall.kernel.net.links import links

    lower = {link.index: link.lower for link in links()}
    height: dict[int, int] = {}

    def height_of(index: int, above: frozenset[int]) -> int:
        if index not in height:
            below = lower.get(index, frozenset()) - above - {index}
            above = above | {index}
            height[index] = max((height_of(one, above) + 1 for one in below), default=0)
        return height[index]

    return sorted(
        found, key=lambda one: height_of(index_of_one(one), frozenset()), reverse=highest_first
    )


def link_kind(index: int) -> str | None:
    """The link's kind ("bridge", "veth", ...); None for a physical one or when it has gone."""
    from xdpwall.kernel.net.links import link_at

    try:
        return link_at(index).kind
    except NotFound:
        return None
