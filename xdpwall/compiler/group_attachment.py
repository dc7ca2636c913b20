"""The group of fields that say where a packet is: interface, direction, VLAN. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from xdpwall import abi
from xdpwall.abi import VLAN_HIDDEN, Feature
from xdpwall.rule.iface_selector import means
from xdpwall.values.arrays import Array

from .columns import ABSENT, Columns
from .generation import Generation, Group, NumberedAttachment
from .value_classes import value_classes

_UNLISTED = (
    NumberedAttachment(abi.UNLISTED, "", False),
    NumberedAttachment(abi.UNLISTED + 1, "", True),
)
"""What a shared program judges by on an interface that is not listed: no rule names it."""


class AttachmentGroup(Group):
    """Interface, direction and VLAN: a composed group with a row for each kind of attachment and each VLAN
    class. Those of shared programs that no rule names are of one kind in each direction."""

    fields = ("iface", "egress", "vlan")
    packed = False

    def __init__(
        self, generation: Generation, columns: Columns, attachments: Sequence[NumberedAttachment]
    ) -> None:
        self._named = columns.interfaces
        self._alike = {one.iface for one in attachments if _kind(one, self._named)[0] is None}
        self._kinds = {_kind(one, self._named): one for one in (*attachments, *_UNLISTED)}
        low = columns.vlan
        table, values = value_classes(low, low, abi.VLAN_NONE + 1)
        self._vlans = np.append(values, VLAN_HIDDEN)
        self._known_vlans = {ABSENT, *low.tolist()}
        generation.features |= Feature.ATTACHMENT
        generation.tables["attachment"] = 0
        generation.tables["vlan"] = np.append(table, np.uint16(len(values)))
        self._first = generation.rows.count
        for attachment in (*attachments, *_UNLISTED):
            self.place(generation, attachment)
        generation.add_group(self, columns)

    def place(self, generation: Generation, attachment: NumberedAttachment) -> bool:
        """Give an attachment the rows of its kind; False where there is none of that kind yet."""
        for n, kind in enumerate(self._kinds):
            if kind == _kind(attachment, self._named):
                if kind[0] is None:
                    self._alike.add(attachment.iface)
                generation.tables["attachment"][attachment.number] = self._first + n * len(
                    self._vlans
                )
                return True
        return False

    def satisfied(self, columns: Columns) -> Array:
        c, vlan = columns, self._vlans[:, None]
        on_vlan = (
            (c.vlan == ABSENT)
            | ((vlan != VLAN_HIDDEN) & ((c.vlan == vlan) != (c.vlan_negated != 0)))
            | ((vlan == VLAN_HIDDEN) & c.drop)
        )
        runs = [_names_attachment(c, attachment) & on_vlan for attachment in self._kinds.values()]
        return np.concatenate(runs)

    def can_add(self, columns: Columns) -> bool:
        known = set(columns.vlan.tolist()) <= self._known_vlans
        return known and columns.interfaces.isdisjoint(self._alike)

    @staticmethod
    def wanted(columns: Columns) -> bool:
        """Whether a rule names a field of this group."""
        return not columns.named_fields.isdisjoint(AttachmentGroup.fields)


def _kind(attachment: NumberedAttachment, named: Collection[str]) -> tuple[str | None, bool]:
    """What tells the attachment from others."""
    own = attachment.number < abi.ATTACHMENTS or attachment.iface in named
    return attachment.iface if own else None, attachment.egress


def _names_attachment(columns: Columns, attachment: NumberedAttachment) -> Array:
    """(n,) bool: the rules whose interface and direction, if named, are those of the attachment."""
    name, relations = attachment.iface, attachment.relations
    satisfied = columns.distinct("iface").map(
        lambda v: means(v[1], name, relations) != v[0], True, bool
    )
    satisfied &= (columns.egress == ABSENT) | (columns.egress == attachment.egress)
    return satisfied
