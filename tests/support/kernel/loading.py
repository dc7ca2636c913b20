"""Load rules into a data plane without a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.support.compiling import compile_rules
from xdpwall.compiler.generation import Generation
from xdpwall.dataplane.control_word import Trial
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.kernel.clock import SystemClock
from xdpwall.rule.rule import Rule
from xdpwall.ruleset.policy import Policy


def load(
    dataplane: Dataplane,
    rules: Sequence[Rule],
    policy: Policy | None,
    attachments: Sequence[tuple[int, str, str]],
    *,
    revision: int,
    reload: Callable[[], None],
    trial: Trial | None = None,
) -> None:
    """Make these the rules in force, with slots as positions, counters at 0 and full buckets.

    `attachments`: (number, interface, direction). `reload` and `trial` are as for activate().
    """
    compiled = compile_rules(
        [(rule, slot) for slot, rule in enumerate(rules)],
        policy or Policy(),
        attachments,
        boot=SystemClock().offset_ns(),
    )
    dataplane.map_set.rates.clear(range(len(rules)))
    activate(dataplane, compiled, revision, reload, trial)
    dataplane.counters.zero(range(len(rules)))


def activate(
    dataplane: Dataplane,
    compiled: Generation,
    revision: int,
    reload: Callable[[], None],
    trial: Trial | None = None,
) -> None:
    """Write a generation and switch to it. `reload` is called where the programs have to be loaded
    anew: on larger maps, or with more features. With `trial` it waits for its confirmation."""
    dataplane.generations.expect(compiled)
    if not dataplane.map_set.sizes.holds(compiled.needed_sizes):
        with dataplane.generations.growing(compiled.needed_sizes):
            reload()
    elif dataplane.generations.wants_reload():
        reload()
    dataplane.generations.fill(compiled)
    dataplane.generations.switch(revision, trial=trial)
