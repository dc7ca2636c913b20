"""The numbers of attachments whose program is shared, by interface: the map `numbers`."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from xdpwall.abi import ATTACHMENTS, UNLISTED
from xdpwall.kernel.bpf.maps import Map
from xdpwall.values.terms import Place

# enum xw_place of bpf/abi.h
_PLACES: dict[Place, int] = {"xdp": 0, "tc-ingress": 1, "tc-egress": 2}
_WORD = struct.Struct("=I")


def is_shared(number: int) -> bool:
    """Whether attachments of that number have a program that others have, too."""
    return ATTACHMENTS <= number < UNLISTED


class MemberNumbers:
    """Lists an attachment before its program is attached, and until it is detached."""

    def __init__(self, shared: Mapping[str, Map]) -> None:
        self._map = shared["numbers"]

    def put(self, index: int, place: Place, number: int) -> None:
        """List the number of an interface's attachment; nothing for one whose program has its own."""
        if is_shared(number):
            self._map.update(_key(index, place), _WORD.pack(number))

    def drop(self, index: int, place: Place) -> None:
        """List it no more."""
        self._map.delete(_key(index, place))

    def find(self, index: int, place: Place) -> int | None:
        """The number that is listed."""
        found = self._map.lookup(_key(index, place))
        return None if found is None else int(_WORD.unpack(found)[0])


def _key(index: int, place: Place) -> bytes:
    return _WORD.pack(index << 2 & 0xFFFFFFFF | _PLACES[place])
