"""The group of the states of flows. Pure."""

from __future__ import annotations

import numpy as np

from xdpwall.rule.states import STATES
from xdpwall.values.arrays import Array

from .columns import ABSENT, Columns
from .generation import Generation, Group

_FIRST = 1
"""The first state in enum xw_state: before it is that of packets whose state nobody has asked for."""


class StateGroup(Group):
    """A row for each state, and one for a state that cannot be read. The classifier asks none of them
    until a rule with `state` is reached: until then a packet is led by the other groups alone."""

    fields = ("state",)
    packed = False

    def __init__(self, generation: Generation, columns: Columns) -> None:
        first = generation.rows.count
        generation.add_group(self, columns)
        generation.tables["state"][_FIRST:][: len(self.rows)] = first + np.arange(len(self.rows))

    def satisfied(self, columns: Columns) -> Array:
        state = columns.state
        bits = np.int32(1) << np.arange(len(STATES), dtype=np.int32)[:, None]
        named = (state & bits) != 0
        satisfied: Array = (state == ABSENT) | np.concatenate([named, columns.drop[None]])
        return satisfied

    def can_add(self, columns: Columns) -> bool:
        return True
