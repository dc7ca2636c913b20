"""The group of fields that say where a packet is: interface, direction, VLAN. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdpwall import abi
from xdpwall.abi import VLAN_HIDDEN, Feature
from xdpwall.rule.iface_selector import means
from xdpwall.values.arrays import Array

from .columns import ABSENT, Columns
from .generation import Generation, Group, NumberedAttachment
from .value_classes import value_classes


class AttachmentGroup(Group):
    """Interface, direction and VLAN: a composed group with a row for each attachment and VLAN class."""

    fields = ("iface", "egress", "vlan")
    packed = False

    def __init__(
        self, generation: Generation, columns: Columns, attachments: Sequence[NumberedAttachment]
    ) -> None:
        self._attachments = attachments
        low = columns.vlan
        table, values = value_classes(low, low, abi.VLAN_NONE + 1)
        self._vlans = np.append(values, VLAN_HIDDEN)
        self._known_vlans = {ABSENT, *low.tolist()}
        generation.features |= Feature.ATTACHMENT
        generation.tables["attachment"] = 0
        generation.tables["vlan"] = np.append(table, np.uint16(len(values)))
        first = generation.rows.count
        for n, attachment in enumerate(attachments):
            generation.tables["attachment"][attachment.number] = first + n * len(self._vlans)
        generation.add_group(self, columns)

    def satisfied(self, columns: Columns) -> Array:
        c, vlan = columns, self._vlans[:, None]
        on_vlan = (
            (c.vlan == ABSENT)
            | ((vlan != VLAN_HIDDEN) & ((c.vlan == vlan) != (c.vlan_negated != 0)))
            | ((vlan == VLAN_HIDDEN) & c.drop)
        )
        runs = [_names_attachment(c, attachment) & on_vlan for attachment in self._attachments]
        return np.concatenate(runs) if runs else np.zeros((0, len(c)), dtype=bool)

    def can_add(self, columns: Columns) -> bool:
        return set(columns.vlan.tolist()) <= self._known_vlans

    @staticmethod
    def wanted(columns: Columns) -> bool:
        """Whether a rule names a field of this group."""
        return not columns.named_fields.isdisjoint(AttachmentGroup.fields)


def _names_attachment(columns: Columns, attachment: NumberedAttachment) -> Array:
    """(n,) bool: the rules whose interface and direction, if named, are those of the attachment."""
    name, relations = attachment.iface, attachment.relations
    satisfied = columns.distinct("iface").map(
        lambda v: means(v[1], name, relations) != v[0], True, bool
    )
    satisfied &= (columns.egress == ABSENT) | (columns.egress == attachment.egress)
    return satisfied
