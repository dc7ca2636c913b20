"""The arrays of a set's lasting entries, in pieces (table set_part)."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from xdpwall.sets.keys import KINDS, Kind

if TYPE_CHECKING:
    from xdpwall.sets.entries import Entries

_PIECE = 1 << 20
"""Entries in one row of the table."""


def write_arrays(connection: sqlite3.Connection, number: int, entries: Entries) -> None:
    """Insert the entries of set `number`, which has no arrays."""
    for kind in KINDS:
        array = getattr(entries, kind)
        for part, start in enumerate(range(0, len(array), _PIECE)):
            connection.execute(
                "INSERT INTO set_part VALUES (?, ?, ?, ?)",
                (number, kind, part, array[start : start + _PIECE].tobytes()),
            )


def read_arrays(connection: sqlite3.Connection, number: int) -> Entries:
    """The lasting entries of set `number` as of the last fold, without the log."""
    import numpy as np

    from xdpwall.sets.entries import Entries
    from xdpwall.values.arrays import P6

    rows = connection.execute(
        "SELECT kind, data FROM set_part WHERE number = ? ORDER BY kind, part", (number,)
    )
    found: dict[Kind, list[bytes]] = {kind: [] for kind in KINDS}
    for kind, data in rows:
        found[kind].append(data)
    data4, data6, wide4, wide6 = (b"".join(found[kind]) for kind in KINDS)
    return Entries(
        v4=np.frombuffer(data4, "<u4"),
        v6=np.frombuffer(data6, "<u8").reshape(-1, 2),
        p4=np.frombuffer(wide4, "<u8"),
        p6=np.frombuffer(wide6, P6),
    )
