"""Attachments of shared programs have common rows, as far as no rule tells their interfaces apart."""

from __future__ import annotations

import numpy as np
import pytest

from xdpwall import abi
from xdpwall.compiler.compile import compile_ruleset, entries_of
from xdpwall.compiler.delta import Edit, apply_edit
from xdpwall.compiler.generation import Generation, KernelSets, NumberedAttachment
from xdpwall.compiler.group_attachment import AttachmentGroup
from xdpwall.rule.iface_selector import Relations, means
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy

FIRST = abi.ATTACHMENTS
NAMES = [f"veth{n}" for n in range(40)]
RULES = ["drop icmp on veth1", "drop tcp/22 on not veth*", "drop udp/53 on ports:br0", "drop icmp"]


def member(n: int, name: str = "", *relations: str, egress: bool = False) -> NumberedAttachment:
    return NumberedAttachment(
        FIRST + n, name or f"veth{n}", egress, Relations(frozenset(relations))
    )


def compiled(rules: list[str], attachments: list[NumberedAttachment]) -> Generation:
    entries = entries_of([(Rule.parse(text), n) for n, text in enumerate(rules)], boot=0)
    return compile_ruleset(entries, Policy(), attachments, KernelSets(), least=64)


def group_of(generation: Generation) -> AttachmentGroup:
    (found,) = (group for group in generation.groups if isinstance(group, AttachmentGroup))
    return found


def check(generation: Generation, attachments: list[NumberedAttachment]) -> None:
    """Each attachment's row has the rules that mean its interface and direction."""
    tables = generation.tables
    for one in attachments:
        row = generation.rows.data[
            int(tables["attachment"][one.number]) + int(tables["vlan"][abi.VLAN_NONE])
        ]
        bits = np.unpackbits(row.view(np.uint8), bitorder="little").astype(bool)
        found = bits[generation.positions].tolist()
        wanted = [
            (
                e.match.iface is None
                or means(e.match.iface[1], one.iface, one.relations) != e.match.iface[0]
            )
            and e.match.egress in (None, one.egress)
            for e in generation.entries
        ]
        assert found == wanted, one


def test_those_that_no_rule_tells_apart_share_rows() -> None:
    there = [member(n) for n in range(40)] + [member(50, "other"), member(51, "veth1", egress=True)]
    generation = compiled(RULES, there)
    check(generation, there)
    rows = {int(generation.tables["attachment"][one.number]) for one in there[2:40]}
    assert len(rows) == 1
    assert len(generation.rows.data) == len(compiled(RULES, [*there[:3], *there[40:]]).rows.data)


def test_one_that_comes_gets_the_rows_of_its_kind() -> None:
    there = [member(0), member(1)]
    generation = compiled(RULES, there)
    come = [member(2), member(3, "veth77"), member(4, "veth1")]
    for one in come:
        assert group_of(generation).place(generation, one)
    check(generation, [*there, *come])
    assert not group_of(generation).place(generation, member(5, "veth5", "ports:br0"))
    assert not group_of(generation).place(generation, member(5, egress=True, name="veth1"))


@pytest.mark.parametrize(
    ("text", "edited"),
    [("drop tcp/1 on veth9", True), ("drop tcp/1 on veth2", False), ("drop tcp/1 on *2", False)],
)
def test_a_rule_that_is_added(text: str, edited: bool) -> None:
    """It is put into the rows that there are, unless it tells two of a kind apart; what comes then is told
    from others by it."""
    there = [member(0), member(2)]
    generation = compiled(RULES, there)
    (entry,) = entries_of([(Rule.parse(text), 9)], boot=0)
    assert apply_edit(generation, Edit(0, 0, [entry])) is edited
    if edited:
        check(generation, there)
        assert not group_of(generation).place(generation, member(9))
        assert group_of(generation).place(generation, member(8))
        check(generation, [*there, member(8)])
