"""The group of fields that say where a packet is: interface, direction, VLAN. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

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
_NOT_KNOWN = 2
"""Whether a rule means an interface cannot be told: it counts as a field that cannot be read."""


class AttachmentGroup(Group):
    """Interface, direction and VLAN: a composed group with a row for each kind of attachment and each VLAN
    class. Those of shared programs are of one kind where the same words in rules mean their interfaces."""

    fields = ("iface", "egress", "vlan")
    packed = False

    def __init__(
        self, generation: Generation, columns: Columns, attachments: Sequence[NumberedAttachment]
    ) -> None:
        self._words = set(columns.interfaces)
        self._kinds: list[list[NumberedAttachment]] = []
        self._known: dict[Hashable, int] = {}
        """By what a kind has in common: its place in `_kinds`."""
        every = (*attachments, *_UNLISTED)
        for attachment in every:
            n = self._known.setdefault(self._kind(attachment), len(self._kinds))
            if n == len(self._kinds):
                self._kinds.append([])
            self._kinds[n].append(attachment)
        low = columns.vlan
        table, values = value_classes(low, low, abi.VLAN_NONE + 1)
        self._vlans = np.append(values, VLAN_HIDDEN)
        self._known_vlans = {ABSENT, *low.tolist()}
        generation.features |= Feature.ATTACHMENT
        generation.tables["attachment"] = 0
        generation.tables["vlan"] = np.append(table, np.uint16(len(values)))
        self._first = generation.rows.count
        for n, kind in enumerate(self._kinds):
            for attachment in kind:
                self._give_rows(generation, attachment, n)
        generation.add_group(self, columns)

    def place(self, generation: Generation, attachment: NumberedAttachment) -> bool:
        """Give an attachment the rows of its kind; False where there is none of that kind yet."""
        n = self._known.get(self._kind(attachment))
        if n is None:
            return False
        self._kinds[n].append(attachment)
        self._give_rows(generation, attachment, n)
        return True

    def _give_rows(self, generation: Generation, attachment: NumberedAttachment, kind: int) -> None:
        first = self._first + kind * len(self._vlans)
        generation.tables["attachment"][attachment.number] = first

    def _kind(self, attachment: NumberedAttachment) -> Hashable:
        """What the attachment has in common with those that rules do not tell from it."""
        name, relations, egress = attachment.iface, attachment.relations, attachment.egress
        if attachment.number < abi.ATTACHMENTS:
            return name, egress
        answers = ((one, means(one, name, relations)) for one in self._words)
        return frozenset(answer for answer in answers if answer[1] is not False), egress

    def satisfied(self, columns: Columns) -> Array:
        c, vlan = columns, self._vlans[:, None]
        on_vlan = (
            (c.vlan == ABSENT)
            | ((vlan != VLAN_HIDDEN) & ((c.vlan == vlan) != (c.vlan_negated != 0)))
            | ((vlan == VLAN_HIDDEN) & c.drop)
        )
        runs = [_names_attachment(c, kind[0]) & on_vlan for kind in self._kinds]
        return np.concatenate(runs)

    def can_add(self, columns: Columns) -> bool:
        new = columns.interfaces - self._words
        return set(columns.vlan.tolist()) <= self._known_vlans and all(
            len({means(word, one.iface, one.relations) for one in kind}) == 1
            for word in new
            for kind in self._kinds
        )

    def prepare(self, generation: Generation, columns: Columns) -> None:
        if not columns.interfaces <= self._words:  # which tell no two of a kind apart: can_add()
            self._words |= columns.interfaces
            self._known = {self._kind(kind[0]): n for n, kind in enumerate(self._kinds)}

    @staticmethod
    def wanted(columns: Columns) -> bool:
        """Whether a rule names a field of this group."""
        return not columns.named_fields.isdisjoint(AttachmentGroup.fields)


def _names_attachment(columns: Columns, attachment: NumberedAttachment) -> Array:
    """(n,) bool: the rules whose interface and direction, if named, are those of the attachment."""
    name, relations = attachment.iface, attachment.relations

    def answer(value: tuple[bool, str]) -> int:
        meant = means(value[1], name, relations)
        return _NOT_KNOWN if meant is None else int(meant != value[0])

    answers = columns.distinct("iface").map(answer, 1, np.int8)
    satisfied: Array = (answers == 1) | ((answers == _NOT_KNOWN) & columns.drop)
    satisfied &= (columns.egress == ABSENT) | (columns.egress == attachment.egress)
    return satisfied
