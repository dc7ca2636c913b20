"""Rules into a data plane of a test's own, without a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from xdpwall.compiler.compile import compile
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy


def load(
    dataplane: Dataplane,
    rules: Sequence[Rule],
    policy: Policy | None,
    attachments: Sequence[tuple[int, str, str]],
    *,
    revision: int,
    swap: Callable[[], None],
) -> None:
    """Make these the rules in force, with slots as positions and counters at 0.

    `attachments`: (number, interface, direction). `swap` is called when the maps have to grow.
    """
    compiled = compile(
        [(rule, slot) for slot, rule in enumerate(rules)],
        policy or Policy(),
        attachments,
        now_boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    )
    dataplane.commit(compiled, revision, swap)
    dataplane.zero_slot(range(len(rules)))
