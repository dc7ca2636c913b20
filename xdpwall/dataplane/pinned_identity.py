"""Which instance pinned maps belong to: its id, in a map of its own beside the shared ones.

The map is no part of the BPF object and of no check of versions: maps without it are of a release
that gave none, or of a restore that did not finish.
"""

from __future__ import annotations

from pathlib import Path

from xdpwall.errors import NotFound
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map

_BYTES = 16


class PinnedIdentity:
    """The pinned map `identity`: one element, 128 random bits. It is never changed, only made anew."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the instance on the bpffs."""
        self._path = folder / "maps" / "identity"
        self._known: str | None = None

    def read(self) -> str | None:
        """The id as 32 hexadecimal digits; None when there is none."""
        if self._known is None:
            try:
                with Map.open_pinned(self._path) as pinned:
                    value = pinned.lookup(0)
            except NotFound:
                return None
            self._known = None if value is None else value[:_BYTES].hex()
        return self._known

    def write(self, identity: str) -> None:
        """Give maps without an id this one; a crash leaves none or all of it."""
        with create_map(MapType.ARRAY, "xw_identity", 4, _BYTES, 1) as made:
            made.update(0, bytes.fromhex(identity))
            made.pin(self._path)
        self._known = identity
