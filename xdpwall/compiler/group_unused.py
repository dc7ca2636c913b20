"""The group of fields that no rule names. Pure."""

from __future__ import annotations

import numpy as np

from xdpwall.values.arrays import Array

from .columns import Columns
from .generation import NEUTRAL_ROW, Generation, Group

_TABLES = (
    "size_row", "sport_row", "sport_hidden", "dport_row", "dport_hidden", "attachment",
    "src_hidden", "dst_hidden", "src6_row", "dst6_row", "src4", "dst4", "src6", "dst6",
    "src_unlisted", "dst_unlisted", "state",
)  # fmt: skip
"""Fields of abi.TABLES that other groups overwrite, if rules name their fields."""


class UnusedFieldsGroup(Group):
    """One row with the bits of all rules. A program with more features than the generation needs may
    look up fields that no rule names: it finds this row."""

    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        generation.add_group(self, columns)
        assert self.rows.tolist() == [NEUTRAL_ROW]
        for name in _TABLES:
            generation.tables[name] = NEUTRAL_ROW
        for name in ("src", "dst"):
            generation.class_rows[name] = NEUTRAL_ROW

    def satisfied(self, columns: Columns) -> Array:
        return np.ones((1, len(columns)), dtype=bool)

    def can_add(self, columns: Columns) -> bool:
        return True
