"""kill -9 between any two steps of a change on trial, of its confirmation and of its end, under traffic.

Three flows run all the while (tests/support/net/flood.py): one that both rulesets drop, one that both
accept, and one that the change turns round. Each process dies at one point; before anything of ours runs
again the flow has one verdict, and afterwards kernel, disk and what is listed agree on just that, the
ruleset of before or the new one. In the end no frame of the first flow got through, none of the second was
lost, and the rule behind all others, which only a mixture would reach, has counted nothing.

KILLS says how often (`make test-kills`: each point 10 times); three of them in the normal suite.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.firewall.support import Site, Step, revert_now, step
from tests.support.net.flood import Flood
from tests.support.net.netns import Lab, wait_for
from tests.support.packets import frames as f
from tests.support.packets.packets import Wire
from xdpwall.changes.crashpoints import POINTS
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author

ROUNDS = int(os.environ.get("KILLS", "0"))
LONG = Author("tester", confirm=3600)
ON_TRIAL = {"by": {"confirm": 3600}}
KILLED = -9
TURNED = [{"id": "c-drop", "text": "drop udp/1003"}, {"id": "c-accept", "text": "accept udp/1003"}]


def ruleset(*, turned: bool = False, fillers: int = 0) -> dict[str, Any]:
    """Rules for the three flows; `turned`: the changing one is accepted."""
    more = [f"count tcp/{port} from 10.7.0.0/16" for port in range(1, fillers + 1)]
    changing = TURNED[::-1] if turned else TURNED
    stay = [
        {"id": "dropped", "text": "drop udp/1001"},
        {"id": "accepted", "text": "accept udp/1002"},
    ]
    return {"version": 1, "rules": [*more, *stay, *changing, {"id": "last", "text": "drop udp"}]}


class Ground(Site):
    """A bridge of two cables, with a program on the first, and packets from end to end."""

    entry: Wire
    end: Wire
    numbers = itertools.count(1)

    def is_open(self) -> bool:
        """Whether frames get through yet."""
        frame = f.ether(f.Layer(0x88B5, bytes(46)))
        self.entry.send(frame)
        return self.end.receive(lambda came: came == frame, timeout=1) is not None


@pytest.fixture(params=["xdp", "tc"] if ROUNDS else ["xdp"])
def ground(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Iterator[Ground]:
    near, host, far = (lab.namespace(name) for name in ("near", "host", "far"))
    lab.bridge(host, "br0")
    lab.veth(host, "eth0", near, "eth0", master="br0")
    lab.veth(host, "out", far, "eth0", master="br0")
    # Linux stops a device's transmission while it gets its first clsact qdisc, whoever makes that.
    host.run("tc", "qdisc", "add", "dev", "out", "clsact")
    made = Ground(lab, host, near, tmp_path)
    with host.inside(), Wire(near, "eth0") as made.entry, Wire(far, "eth0") as made.end:
        with made.open() as firewall:
            firewall.attach("eth0", hook=request.param)
            firewall.create_set("many")
            firewall.change_set("many", add=["192.0.2.1"])
            firewall.apply(Ruleset.parse(ruleset()))
        wait_for(made.is_open, "the way is open")
        yield made


PENDING_MOVE = ("c-accept", 3)
"""A move that turns the third flow round."""


def change(ground: Ground, firewall: Firewall) -> Step:
    return step("move_rule", *PENDING_MOVE, **ON_TRIAL)


def confirmation(ground: Ground, firewall: Firewall) -> Step:
    firewall.move_rule(*PENDING_MOVE, by=LONG)
    return step("confirm")


def cancelled(ground: Ground, firewall: Firewall) -> Step:
    firewall.move_rule(*PENDING_MOVE, by=LONG)
    return step("cancel")


def expired(ground: Ground, firewall: Firewall) -> Step:
    firewall.move_rule(*PENDING_MOVE, by=LONG)
    revert_now(firewall)
    return step("add_rules", ["count tcp"])


def rolled_back(ground: Ground, firewall: Firewall) -> Step:
    firewall.move_rule(*PENDING_MOVE)
    return step("rollback", **ON_TRIAL)


def whole_ruleset(ground: Ground, firewall: Firewall) -> Step:
    """With a set that is loaded beside the old one, and more rules than the maps have room for."""
    file = ruleset(turned=True, fillers=300)
    number = next(ground.numbers)
    sets = {"many": {"entries": [f"192.0.2.{1 + number % 250}", "198.51.100.0/24"]}}
    return step("apply", {**file, "sets": sets}, **ON_TRIAL)


def entries(ground: Ground, firewall: Firewall) -> Step:
    """Of a set, while a change waits: they need rows that no copy has."""
    name = f"more{next(ground.numbers)}"
    firewall.create_set(name)
    firewall.move_rule(*PENDING_MOVE, by=LONG)
    return step("change_set", name, add=["192.0.2.1", "198.51.100.7"])


def attachment(ground: Ground, firewall: Firewall) -> Step:
    return step("attach", "out", hook="tc", direction="egress", **ON_TRIAL)


def detachment(ground: Ground, firewall: Firewall) -> Step:
    firewall.attach("out", hook="tc", direction="egress")
    firewall.detach("out", by=LONG)
    return step("confirm")


@dataclass(frozen=True)
class Kind:
    """What is done, the last of it in a process that dies at one of the points, and whether the changing
    flow may be accepted then."""

    prepare: Callable[[Ground, Firewall], Step]
    points: list[str]
    verdicts: tuple[bool, ...] = (False, True)


def points(*begin: str) -> list[str]:
    """All points whose names begin so."""
    return [point for point in POINTS if point.startswith(begin)]


KINDS = [
    Kind(change, points("after-")),
    Kind(confirmation, points("confirm-"), (True,)),
    Kind(cancelled, points("revert-"), (False,)),
    Kind(expired, points("revert-"), (False,)),
    Kind(rolled_back, points("after-")),
    Kind(whole_ruleset, points("after-", "set-staged", "set-loaded")),
    Kind(entries, points("rewrite-", "set-recorded", "set-written"), (True,)),
    Kind(attachment, points("after-", "trial-"), (False,)),
    Kind(detachment, [*points("confirm-"), "detach-recorded", "detach-detached"], (False,)),
]


IN_BRIEF = {"change": "after-switch", "expired": "revert-switched", "entries": "rewrite-pinned"}


def chosen() -> Iterator[tuple[Kind, str]]:
    """Every point, as often as is wanted; else some, at which most is half done."""
    for kind in KINDS:
        for point in kind.points * ROUNDS or [IN_BRIEF.get(kind.prepare.__name__, "")]:
            if point:
                yield kind, point


def test_no_flow_meets_a_mixture(ground: Ground) -> None:
    with Flood(ground) as flood:
        for number, (kind, point) in enumerate(chosen()):
            service = bool(ROUNDS) and number % 2 == 1
            try:
                with ground.open() as firewall:
                    call = kind.prepare(ground, firewall)
                assert ground.run(call, crash_at=point, service=service) == KILLED
                accepted = flood.verdict()
                assert accepted in kind.verdicts
                with ground.open() as firewall:
                    agree(ground, firewall, accepted)
                    assert flood.verdict() == accepted
                    begin_again(firewall)
                assert not flood.verdict()
            except BaseException as error:
                error.add_note(f"{kind.prepare.__name__} at {point}, service {service}")
                raise
        seen = flood.finish()
        assert min(seen.received[1:]) > 0, "both verdicts were given"
    with ground.open() as firewall:
        assert firewall.rule("last").packets == 0


def agree(ground: Ground, firewall: Firewall, accepted: bool) -> None:
    """Kernel and disk have one ruleset, and it is the one that packets meet."""
    listed = [rule.id for rule in firewall.rules().rules]
    assert (listed.index("c-accept") < listed.index("c-drop")) == accepted
    assert firewall.health().problems == []
    assert ground.kernel_revision() == ground.disk_revision() == firewall.rules().revision
    attached = {one.iface: one.state for one in firewall.status().attachments}
    assert attached.pop("eth0") == "attached" and set(attached.values()) <= {"attached"}


def begin_again(firewall: Firewall) -> None:
    """The ruleset of before. Sets stay: the next one has a number of its own, and needs rows of its own."""
    if firewall.pending() is not None:
        firewall.cancel()
    firewall.detach("out")
    firewall.apply(Ruleset.parse(ruleset()))
