"""The arrays of a set's lasting entries, in pieces (table set_part)."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from xdpwall.errors import Failed
from xdpwall.sets.keys import KINDS, Kind

if TYPE_CHECKING:
    from xdpwall.sets.entries import Entries

_PIECE = 1 << 20
"""Entries in one row of the table."""


def write_arrays(connection: sqlite3.Connection, number: int, entries: Entries) -> int:
    """Insert the entries of set `number`, which has no arrays, and return their checksum."""
    checksum = 0
    for kind in sorted(KINDS):
        array = getattr(entries, kind)
        for part, start in enumerate(range(0, len(array), _PIECE)):
            data = array[start : start + _PIECE].tobytes()
            connection.execute(
                "INSERT INTO set_part VALUES (?, ?, ?, ?)", (number, kind, part, data)
            )
            checksum = _sum_up(checksum, kind, data)
    return checksum


def read_arrays(connection: sqlite3.Connection, number: int, checksum: int | None) -> Entries:
    """The lasting entries of set `number` as of the last fold, without the log. Failed "corrupt" where
    they have another checksum; None is of an earlier release."""
    import numpy as np

    from xdpwall.sets.entries import Entries
    from xdpwall.values.arrays import P6

    rows = connection.execute(
        "SELECT kind, data FROM set_part WHERE number = ? ORDER BY kind, part", (number,)
    )
    found: dict[Kind, list[bytes]] = {kind: [] for kind in KINDS}
    parts = rows.fetchall()
    check_arrays(number, parts, checksum)
    for kind, data in parts:
        found[kind].append(data)
    data4, data6, wide4, wide6 = (b"".join(found[kind]) for kind in KINDS)
    return Entries(
        v4=np.frombuffer(data4, "<u4"),
        v6=np.frombuffer(data6, "<u8").reshape(-1, 2),
        p4=np.frombuffer(wide4, "<u8"),
        p6=np.frombuffer(wide6, P6),
    )


def check_arrays(number: int, parts: Iterable[tuple[str, bytes]], checksum: int | None) -> None:
    """Raise Failed "corrupt" unless the parts, by kind and part, have the checksum of write_arrays."""
    there = 0
    for kind, data in parts:
        there = _sum_up(there, kind, data)
    if checksum is not None and checksum != there:
        raise Failed(
            f"the recorded entries of set number {number} are not what was written", code="corrupt"
        )


def _sum_up(checksum: int, kind: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(kind.encode(), checksum))
