"""Compile a ruleset into one generation of the classifier's tables. Pure.

Each group of match fields is a class in a module group_*.py that writes its tables and rows;
bpf/rows.h looks them up. A new field is added to one of the groups on both sides. generation.py
defines the terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xdpwall import abi
from xdpwall.abi import Action, Feature, PolicyBit
from xdpwall.errors import Full
from xdpwall.rule.match import match_of
from xdpwall.ruleset.policy import KEEP, Policy, TrackedVerdict
from xdpwall.values.times import boottime_ns, epoch_seconds

from .columns import Columns, CompilerRule
from .containers import NO_ADDRESSES, ContainerAddresses, addressed_matches
from .generation import Generation, KernelSets, NumberedAttachment, Touched
from .group_addresses import HiddenAddressGroup, PrefixGroup, SetGroup, any_address
from .group_attachment import AttachmentGroup
from .group_ports import PortGroup
from .group_protocol import ProtocolGroup
from .group_size import SizeGroup
from .group_state import StateGroup
from .group_unused import UnusedFieldsGroup
from .row_packing import too_many
from .sizes import power_of_two

if TYPE_CHECKING:
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.flow_timeouts import FlowTimeouts

NO_SETS = KernelSets()
MAX_ROW_MEMORY = 1 << 29
"""Bytes of one generation's rows, as words: more combinations of fields' classes are refused."""


def entries_of(
    rules: Sequence[tuple[Rule, int]], *, boot: int, containers: ContainerAddresses = NO_ADDRESSES
) -> list[CompilerRule]:
    """The compiler's form of (rule, slot)s; `boot` is the time of day at boot, in ns since 1970. A rule on a
    container's address becomes one for each of `containers` that it has."""
    return [
        CompilerRule(
            match,
            _ACTIONS[r.action],
            slot,
            _expires(r.expires, boot),
            r.log,
            r.keep,
            r.cookie,
        )
        for r, slot in rules
        for match in addressed_matches(match_of(r), containers, drops=r.action == "drop")
    ]


_ACTIONS = {action.name.lower(): action for action in Action}


def _expires(text: str | None, boot: int) -> int:
    """CLOCK_BOOTTIME in ns, 0 for never."""
    return 0 if text is None else boottime_ns(epoch_seconds(text), boot)


def compile_ruleset(
    entries: Sequence[CompilerRule],
    policy: Policy,
    attachments: Sequence[NumberedAttachment],
    sets: KernelSets = NO_SETS,
    *,
    least: int = 0,
    timeouts: FlowTimeouts | None = None,
) -> Generation:
    """Compile enabled rules in their order. Raises Full when the ruleset is too large.

    `least`: the smallest number of positions, a power of two; maps never shrink. `timeouts` None are
    the usual ones.
    """
    if len(entries) > abi.MAX_POSITIONS:
        raise Full(
            f"{len(entries)} enabled rules; at most {abi.MAX_POSITIONS} fit",
            code="too-many-rules",
        )
    check_rated(entries)
    generation = Generation(entries, max(least, _position_count(len(entries))))
    columns = Columns(entries)
    generation.class_rows = np.zeros(max(sets.classes, default=0) + 1, dtype=abi.CLASS_ROWS)
    UnusedFieldsGroup(generation, columns)
    ProtocolGroup(generation, columns)
    if AttachmentGroup.wanted(columns):
        AttachmentGroup(generation, columns, attachments)
    if columns.uses("length_low", "ttl_low"):
        SizeGroup(generation, columns)
    if Feature.FLOWS in action_features(entries) | policy_features(policy):
        StateGroup(generation, columns)
    for port in ("sport", "dport"):
        if PortGroup.wanted(columns, port):
            PortGroup(generation, columns, port)
    for name in ("src", "dst"):
        if not any_address(columns, name).all():
            HiddenAddressGroup(generation, columns, name)
            PrefixGroup(generation, columns, name, 4)
            PrefixGroup(generation, columns, name, 6)
            SetGroup(generation, columns, name, sets)
    generation.features |= action_features(entries)
    generation.features |= policy_features(policy)
    generation.tables["policy"] = int(_policy_bits(policy))
    generation.timeouts = timeouts or generation.timeouts
    rules = [(e.slot, e.kernel_action, e.expires) for e in entries]
    generation.rules[generation.positions] = np.array(rules, dtype=abi.RULE)
    generation.set_patterns(columns)
    check_memory(generation)
    generation.build_kernel_rows()
    generation.touched = Touched()
    return generation


def _position_count(count: int) -> int:
    """Positions for `count` rules: a power of two with an eighth to spare, for rules inserted later."""
    wanted = min(count + count // 8 + 1, abi.MAX_POSITIONS)
    return max(abi.MIN_POSITIONS, 1 << (wanted - 1).bit_length())


def action_features(entries: Sequence[CompilerRule]) -> Feature:
    """The features that a program needs for the rules' actions and expiry."""
    found = Feature.RULES if entries else Feature(0)
    if any(e.expires for e in entries):
        found |= Feature.EXPIRING | Feature.COUNTING
    if any(e.action is Action.COUNT for e in entries):
        found |= Feature.COUNTING
    if any(e.match.rate is not None for e in entries):
        found |= Feature.RATES | Feature.COUNTING
    if any(e.tracks for e in entries):
        found |= Feature.FLOWS
    if any(e.cookie for e in entries):
        found |= Feature.COOKIES
    return found


def check_rated(entries: Sequence[CompilerRule]) -> None:
    """Raise Full when more rules have a rate than a packet can be led past."""
    rated = sum(e.match.rate is not None for e in entries)
    if rated > abi.RATED_RULES:
        raise Full(
            f"{rated} enabled rules have a rate; at most {abi.RATED_RULES} may",
            code="too-many-rates",
            hint="join them: one rule per src counts each source by itself",
        )


def policy_features(policy: Policy) -> Feature:
    """The features that a program needs for the policy."""
    return Feature.FLOWS if KEEP in (policy.ingress, policy.egress) else Feature(0)


def policy_of(bits: int) -> Policy:
    """The policy of compiled tables, from their bits."""
    return Policy(
        ingress=_verdict(bits, PolicyBit.DROP_INGRESS, PolicyBit.KEEP_INGRESS),
        egress=_verdict(bits, PolicyBit.DROP_EGRESS, PolicyBit.KEEP_EGRESS),
        non_ip="drop" if bits & PolicyBit.DROP_NON_IP else "accept",
        neighbor_discovery="judge" if bits & PolicyBit.DROP_ND else "accept",
    )


def _verdict(bits: int, drop: PolicyBit, keep: PolicyBit) -> TrackedVerdict:
    if bits & drop:
        return "drop"
    return KEEP if bits & keep else "accept"


def _policy_bits(policy: Policy) -> PolicyBit:
    bits = PolicyBit(0)
    if policy.ingress != "accept":
        bits |= PolicyBit.DROP_INGRESS if policy.ingress == "drop" else PolicyBit.KEEP_INGRESS
    if policy.egress != "accept":
        bits |= PolicyBit.DROP_EGRESS if policy.egress == "drop" else PolicyBit.KEEP_EGRESS
    if policy.non_ip == "drop":
        bits |= PolicyBit.DROP_NON_IP
    if policy.neighbor_discovery == "judge":
        bits |= PolicyBit.DROP_ND
    return bits


def check_memory(generation: Generation) -> None:
    """Raise Full when the words of all rows take more than MAX_ROW_MEMORY."""
    memory = power_of_two(generation.rows.count) * generation.capacity // 8
    if memory > MAX_ROW_MEMORY:
        raise too_many(f"{memory >> 20} MiB of rows; at most {MAX_ROW_MEMORY >> 20} MiB fit")
