"""A ruleset -> one generation of the classifier's tables. Pure: no kernel is touched here.

Each group of match fields is a class in groups.py, ports.py or addressgroups.py that writes its
tables and rows; bpf/rows.h looks them up. A new field joins one of the groups on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xdpwall import abi
from xdpwall.abi import Action, Feature, PolicyBit
from xdpwall.errors import Full
from xdpwall.rule.match import match_of
from xdpwall.ruleset.policy import Policy
from xdpwall.values.times import epoch_seconds

from .columns import Columns, CompilerRule
from .generation import AttachmentNumber, Compiled, SetWorld, Touched
from .group_addresses import Hidden, Prefixes, SetGroup, free_of
from .group_packet import AttachmentGroup, ProtocolGroup, SizeGroup, UnusedFieldsGroup
from .group_ports import Ports
from .row_packing import too_many
from .sizes import power_of_two

if TYPE_CHECKING:
    from xdpwall.rule.rule import Rule

NO_SETS = SetWorld()
MAX_ROW_MEMORY = 1 << 29
"""Bytes of one generation's rows: where too many different combinations end."""


def compile(
    rules: Sequence[tuple[Rule, int]],
    policy: Policy,
    attachments: Sequence[tuple[int, str, str]],
    *,
    now_boot_ns: int,
    world: SetWorld = NO_SETS,
) -> Compiled:
    """Compile enabled (rule, slot)s in order for attachments (number, iface, direction).

    `now_boot_ns` is CLOCK_BOOTTIME, the clock by which the kernel expires rules. Raises Full.
    """
    places = [
        AttachmentNumber(number, iface, direction == "egress")
        for number, iface, direction in attachments
    ]
    return compile_ruleset(entries_of(rules, now_boot_ns=now_boot_ns), policy, places, world)


def entries_of(rules: Sequence[tuple[Rule, int]], *, now_boot_ns: int) -> list[CompilerRule]:
    """What the compiler takes, of (rule, slot)s; `now_boot_ns` as for compile()."""
    boot = time.time_ns() - now_boot_ns
    return [
        CompilerRule(match_of(r), _ACTIONS[r.action], slot, _expires(r.expires, boot), bool(r.log))
        for r, slot in rules
    ]


_ACTIONS = {action.name.lower(): action for action in Action}


def _expires(text: str | None, boot: int) -> int:
    return 0 if text is None else max(1, epoch_seconds(text) * 10**9 - boot)


def compile_ruleset(
    entries: Sequence[CompilerRule],
    policy: Policy,
    places: Sequence[AttachmentNumber],
    world: SetWorld = NO_SETS,
    *,
    least: int = 0,
) -> Compiled:
    """Compile enabled rules in order. Raises Full when the ruleset is too large.

    `least`: how many positions there are in any case, as maps never shrink.
    """
    if len(entries) > abi.MAX_POSITIONS:
        raise Full(
            f"{len(entries)} enabled rules; at most {abi.MAX_POSITIONS} fit",
            code="too-many-rules",
        )
    g = Compiled(entries, max(least, _positions(len(entries))))
    columns = Columns(entries)
    g.class_rows = np.zeros(max(world.classes, default=0) + 1, dtype=abi.CLASS_ROWS)
    UnusedFieldsGroup(g, columns)
    ProtocolGroup(g, columns)
    if AttachmentGroup.wanted(columns):
        AttachmentGroup(g, columns, places)
    if columns.uses("length_low", "ttl_low"):
        SizeGroup(g, columns)
    for port in ("sport", "dport"):
        if Ports.wanted(columns, port):
            Ports(g, columns, port)
    for name in ("src", "dst"):
        if not free_of(columns, name).all():
            Hidden(g, columns, name)
            Prefixes(g, columns, name, 4)
            Prefixes(g, columns, name, 6)
            SetGroup(g, columns, name, world)
    g.features |= deciding(entries)
    g.tables["policy"] = int(_policy_bits(policy))
    rules = [(e.slot, e.kernel_action, e.expires) for e in entries]
    g.rules[g.positions] = np.array(rules, dtype=abi.RULE)
    g.set_patterns(columns)
    check_memory(g)
    g.pack()
    g.touched = Touched()
    return g


def _positions(count: int) -> int:
    """A power of two with an eighth to spare, so that a rule more finds its place."""
    wanted = min(count + count // 8 + 1, abi.MAX_POSITIONS)
    return max(abi.MIN_POSITIONS, 1 << (wanted - 1).bit_length())


def deciding(entries: Sequence[CompilerRule]) -> Feature:
    """What the rules' actions need of a program."""
    found = Feature.RULES if entries else Feature(0)
    if any(e.expires for e in entries):
        found |= Feature.EXPIRING | Feature.COUNTING
    if any(e.action is Action.COUNT for e in entries):
        found |= Feature.COUNTING
    return found


def _policy_bits(policy: Policy) -> PolicyBit:
    bits = PolicyBit(0)
    if policy.ingress == "drop":
        bits |= PolicyBit.DROP_INGRESS
    if policy.egress == "drop":
        bits |= PolicyBit.DROP_EGRESS
    if policy.non_ip == "drop":
        bits |= PolicyBit.DROP_NON_IP
    if policy.neighbor_discovery == "judge":
        bits |= PolicyBit.DROP_ND
    return bits


def check_memory(compiled: Compiled) -> None:
    """Full when its rows are too many. However the kernel has them, they are words here."""
    memory = power_of_two(compiled.rows.count) * compiled.capacity // 8
    if memory > MAX_ROW_MEMORY:
        raise too_many(f"{memory >> 20} MiB of rows; at most {MAX_ROW_MEMORY >> 20} MiB fit")
