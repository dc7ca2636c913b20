"""A ruleset -> one generation of the classifier's tables. Pure: no kernel is touched here.

Each group of match fields has a function in groups.py or addressgroups.py that writes its tables
and rows; bpf/match.h looks them up. A new field joins one of the groups on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from . import layout
from .addressgroups import addresses
from .errors import Full
from .generation import Compiled, Draft, Entry, Place, SetWorld
from .groups import header, ports, what, where
from .layout import Action, Feature, PolicyBit
from .match import match_of
from .views import Policy

if TYPE_CHECKING:
    from .model import Rule

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
    boot = time.time_ns() - now_boot_ns
    entries = [
        Entry(match_of(r), Action[r.action.upper()], slot, _expires(r.expires, boot), bool(r.log))
        for r, slot in rules
    ]
    places = [
        Place(number, iface, direction == "egress") for number, iface, direction in attachments
    ]
    return compile_ruleset(entries, policy, places, world)


def _expires(text: str | None, boot: int) -> int:
    if text is None:
        return 0
    return max(1, int(datetime.fromisoformat(text).timestamp()) * 10**9 - boot)


def compile_ruleset(
    entries: Sequence[Entry],
    policy: Policy,
    places: Sequence[Place],
    world: SetWorld = NO_SETS,
) -> Compiled:
    """Compile enabled rules in order. Raises Full when the ruleset is too large."""
    if len(entries) > layout.MAX_POSITIONS:
        raise Full(
            f"{len(entries)} enabled rules; at most {layout.MAX_POSITIONS} fit",
            code="too-many-rules",
        )
    draft = Draft.of(entries)
    what(draft)
    where(draft, places)
    header(draft)
    ports(draft)
    addresses(draft, world)
    _deciding(draft)
    draft.tables["policy"] = int(_policy_bits(policy))
    compiled = Compiled(
        tables=draft.tables,
        blocks=np.array(draft.blocks, dtype="<u4").reshape(-1, 256),
        leaves=_leaves(draft.leaves),
        vectors=draft.rows.vectors,
        rules=np.array([(e.slot, e.kernel_action, e.expires) for e in entries], dtype=layout.RULE),
        src6=draft.src6,
        dst6=draft.dst6,
        class_rows=draft.class_rows,
        features=draft.features,
    )
    _check_memory(compiled)
    return compiled


def _deciding(d: Draft) -> None:
    if d.entries:
        d.features |= Feature.RULES
    if any(e.expires for e in d.entries):
        d.features |= Feature.EXPIRING | Feature.COUNTING
    if any(e.action is Action.COUNT for e in d.entries):
        d.features |= Feature.COUNTING


def _leaves(found: list[tuple[bytes, bytes, int, int]]) -> np.ndarray:
    leaves = np.zeros(len(found), dtype=layout.LEAVES)
    for i, (address, mask, inside, outside) in enumerate(found):
        leaves[i] = (np.frombuffer(address, "u1"), np.frombuffer(mask, "u1"), inside, outside)
    return leaves


def _policy_bits(policy: Policy) -> PolicyBit:
    bits = PolicyBit(0)
    if policy.ingress == "drop":
        bits |= PolicyBit.DROP_INGRESS
    if policy.egress == "drop":
        bits |= PolicyBit.DROP_EGRESS
    if policy.non_ip == "drop":
        bits |= PolicyBit.DROP_NON_IP
    if policy.neighbor_discovery == "judge":
        bits |= PolicyBit.JUDGE_ND
    return bits


def _check_memory(compiled: Compiled) -> None:
    sizes = layout.Sizes().grown_to(compiled.need)
    memory = sizes.rows * sizes.row_bytes
    if memory > MAX_ROW_MEMORY:
        raise Full(
            f"the ruleset needs {memory >> 20} MiB of rows; at most {MAX_ROW_MEMORY >> 20} MiB fit",
            code="too-many-combinations",
            hint="rules on many different VLANs and interfaces, or lengths and TTLs, multiply;"
            " use fewer different values of one of them",
        )
