"""Rules on the addresses of containers, as rules on those addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from itertools import product
from typing import Literal, NamedTuple

from xdpwall.rule.match import Match
from xdpwall.values.addresses import CONTAINER, Prefix


class ContainerAddresses(NamedTuple):
    """The addresses of containers, by container:NAME."""

    addresses: Mapping[str, tuple[str, ...]]
    sure: bool
    """Whether they are kept up to date. If not, accept and count rules match none, and drop rules these."""


NO_ADDRESSES = ContainerAddresses({}, True)


def addressed_matches(
    match: Match, containers: ContainerAddresses, *, drops: bool
) -> Iterator[Match]:
    """The matches of a rule, one for each address, or pair of addresses, of its containers; itself where it
    names none."""
    named = [_container(match.src_set), _container(match.dst_set)]
    if named == [None, None]:
        yield match
        return
    if not (containers.sure or drops):
        return
    sides = [
        [None] if name is None else [_prefix(one) for one in containers.addresses.get(name, ())]
        for name in named
    ]
    for src, dst in product(*sides):
        families = {match.family, *(one.family for one in (src, dst) if one is not None)} - {None}
        if len(families) == 1:
            one = match._replace(family=families.pop())
            if src is not None:
                one = one._replace(src=(False, src), src_set=None)
            if dst is not None:
                one = one._replace(dst=(False, dst), dst_set=None)
            yield one


def _container(used: tuple[bool, str] | None) -> str | None:
    return used[1] if used is not None and used[1].startswith(CONTAINER) else None


def _prefix(text: str) -> Prefix:
    address = ip_address(text)
    family: Literal[4, 6] = 4 if address.version == 4 else 6
    return Prefix(family, int(address), address.max_prefixlen)
