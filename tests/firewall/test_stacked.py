"""Interfaces above one another, all attached: nothing jams, and nothing passes that must not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules, step
from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import Lab
from tests.support.net.stack_flood import BAD, ENDS, SEEN_BY, Stack, StackFlood
from xdpwall.attach.stand_in import StandIns
from xdpwall.errors import Conflict, Failed
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net.attached import attached_ids
from xdpwall.kernel.net.xdp import xdp_attach
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.terms import Hook, Place

KILLED = -9
PLACES: tuple[Place, ...] = ("xdp", "tc-ingress", "tc-egress")
LINKS = ("p1", "p2", "br0", "top")
FIRST = (f"drop udp/{BAD}", "accept udp/1002")


@pytest.fixture
def stack(lab: Lab) -> Iterator[Stack]:
    made = Stack(lab)
    with made.host.inside():
        yield made


@pytest.fixture
def site(stack: Stack, tmp_path: Path) -> Site:
    return Site(stack.lab, stack.host, stack.box, tmp_path)


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    with site.open() as opened:
        opened.add_rules(rules(*FIRST))
        yield opened


def in_kernel(stack: Stack) -> dict[tuple[str, Place], int]:
    """The program on each hook, as the kernel tells; no hook may have two."""
    found = {}
    for link in LINKS:
        for place in PLACES:
            try:
                ids = attached_ids(stack.indexes[link], place)
            except OSError:  # tc without a qdisc
                continue
            assert len(ids) < 2, (link, place, ids)
            for one in ids:
                found[link, place] = one
    return found


def told(firewall: Firewall) -> dict[tuple[str, Place], int | None]:
    """The same, as status tells."""
    views = firewall.status().attachments
    assert {view.state for view in views} <= {"attached"}, views
    return {(view.iface, view.place): view.program_id for view in views}


class Watch:
    """Which ends must get no packet to BAD, by what is attached; held after every step."""

    def __init__(self, stack: Stack, flood: StackFlood) -> None:
        self._stack, self._flood = stack, flood
        self._shut: frozenset[str] = frozenset()
        self._bad = flood.bad()

    def step(self, attached: set[tuple[str, Place]], on: bool, what: str) -> None:
        seeing = {link for link, place in attached if place != "tc-egress"} if on else set()
        shut = frozenset(end for end in ENDS if seeing.intersection(SEEN_BY[end]))
        self._flood.pass_rounds()
        now = self._flood.bad()
        passed = {end: now[end] - self._bad[end] for end in ENDS}
        assert not any(passed[end] for end in shut & self._shut), (what, passed)
        # What it opens or shuts takes effect somewhere within it; from here on it counts.
        self._flood.pass_rounds()
        self._shut, self._bad = shut, self._flood.bad()
        assert all(self._bad[end] == now[end] for end in shut), (what, now, self._bad)


def test_two_hundred_random_operations(stack: Stack, firewall: Firewall) -> None:
    dice = random.Random(14)
    more = [
        "drop tcp/22",
        "drop from 192.0.2.0/24",
        "count icmp",
        "drop ttl 1",
        "drop length 1400-1500",
    ]
    more += [
        "drop udp sport 99 on p1",
        "count to 198.51.100.1",
        "drop tcp flags syn",
        "drop fragment",
    ]
    attached: set[tuple[str, Place]] = set()
    on, joined, added = True, True, []
    with StackFlood(stack) as flood:
        watch = Watch(stack, flood)
        for n in range(200):
            link = dice.choice(LINKS)
            place: Place = "xdp" if dice.random() < 0.75 else "tc-ingress"
            hook: Hook = "xdp" if place == "xdp" else "tc"
            do = dice.choice(
                ["attach"] * 4
                + ["detach"] * 2
                + ["rule"] * 3
                + ["less", "restore"]
                + ["switch", "port"]
            )
            what = f"{n}: {do} {link} {place} {more}"
            if n < len(LINKS):
                do, link, place, hook = "attach", ("top", "br0", "p1", "p2")[n], "xdp", "xdp"
            if do == "attach":
                firewall.attach(link, hook=hook)
                attached.add((link, place))
            elif do == "detach":
                firewall.detach(link, hook=hook, direction="ingress")
                attached.discard((link, place))
            elif do == "rule":
                added += [rule.id for rule in firewall.add_rules(rules(dice.choice(more))).rules]
            elif do == "less" and added:
                firewall.delete_rules([added.pop(dice.randrange(len(added)))])
            elif do == "restore":
                assert firewall.restore().failed == []
            elif do == "switch":
                on = not on
                firewall.set_switch(on)
            elif do == "port":
                joined = not joined
                stack.host.ip(f"link set p2 {'master br0' if joined else 'nomaster'}")
            there = in_kernel(stack)
            assert told(firewall) == there, what
            assert set(there) == attached, what
            watch.step(attached, on, what)
        assert min(flood.good().values()) > 0


def attach_all(firewall: Firewall) -> None:
    for link in LINKS:
        firewall.attach(link)


OPERATIONS = {
    "a rule that needs other programs": step("add_rules", ["drop from 192.0.2.0/24"]),
    "rules that outgrow the maps": step("add_rules", [f"drop tcp/{n}" for n in range(1, 1501)]),
    "attach below": step("attach", "p1"),
    "detach below": step("detach", "p2"),
}


KILLS = (
    ("aside-judged", "a rule that needs other programs"),
    ("aside-off", "a rule that needs other programs"),
    ("aside-back", "a rule that needs other programs"),
    ("aside-off", "rules that outgrow the maps"),
    ("aside-back", "attach below"),
    ("aside-off", "detach below"),
)


@pytest.mark.parametrize(("point", "operation"), KILLS)
def test_killed_while_a_program_is_aside(
    stack: Stack, site: Site, point: str, operation: str
) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules(*FIRST))
        attach_all(firewall)
        if operation == "attach below":
            firewall.detach("p1")
        before = set(in_kernel(stack))
    with StackFlood(stack) as flood:
        flood.pass_rounds()
        bad = flood.bad()
        assert site.run(OPERATIONS[operation], crash_at=point) == KILLED
        flood.pass_rounds()
        with site.open() as firewall:
            now = told(firewall)
            assert now == in_kernel(stack)
            assert before - {("p2", "xdp")} <= set(now) <= before | {("p1", "xdp")}
            firewall.add_rules(rules("count ttl 1"))
            firewall.attach("p1")
            firewall.attach("p2")
            assert set(told(firewall)) == {(link, "xdp") for link in LINKS}
            assert told(firewall) == in_kernel(stack)
        flood.pass_rounds()
        passed = flood.bad()
    assert (passed["br0"], passed["top"]) == (bad["br0"], bad["top"])
    if operation != "attach below":
        assert passed == bad


def test_a_program_that_is_not_ours_is_above(stack: Stack, site: Site, firewall: Firewall) -> None:
    """Nothing is changed, nothing waits, and what needs no other programs goes on. A detach has the
    program pass everything, and then no rule change needs to replace it."""
    firewall.attach("p1")
    with tiny("xdp_pass") as other:
        xdp_attach(stack.indexes["br0"], other.fileno(), "generic")
    there = in_kernel(stack)
    for refused in (
        lambda: firewall.add_rules(rules("drop from 192.0.2.0/24")),
        lambda: firewall.add_rules(rules(*(f"drop tcp/{n}" for n in range(1, 1501)))),
        lambda: firewall.attach("p2"),
    ):
        for _ in range(2):
            with pytest.raises(Conflict) as caught:
                refused()
            assert caught.value.code == "below-xdp"
            assert "br0 has another owner's XDP program" in caught.value.message
            assert "ip link set dev br0 xdp off" in (caught.value.hint or "")
            assert in_kernel(stack) == there
            assert {view.iface for view in firewall.status().attachments} == {"p1"}
            assert len(firewall.rules().rules) == len(FIRST)
        firewall.set_switch(False)
        firewall.set_switch(True)
        (added,) = firewall.add_rules(rules("accept udp/1003")).rules
        firewall.delete_rules([added.id])
    with pytest.raises(Failed) as left:
        firewall.detach("p1")
    assert left.value.code == "still-attached"
    assert "br0 has another owner's XDP program" in left.value.message
    assert left.value.message.count("it lets every packet pass from now on") == 1
    status = firewall.status()
    assert status.attachments == []
    assert [text for text in status.warnings if "on p1, and lets every packet pass" in text]
    firewall.add_rules(rules("drop from 192.0.2.0/24"))
    firewall.add_rules(rules(*(f"drop tcp/{n}" for n in range(1, 1501))))
    stack.host.ip("link set br0 xdp off")
    assert firewall.detach(None).detached == ["p1 xdp"]
    assert in_kernel(stack) == {}
    attach_all(firewall)
    assert told(firewall) == in_kernel(stack)


GENERIC = {"version": 1, "rules": [], "attachments": [{"iface": "p1", "mode": "generic"}]}


def test_a_program_above_in_another_namespace(stack: Stack, firewall: Firewall) -> None:
    firewall.attach("p1")
    stack.host.ip("link set p1 nomaster")
    stack.host.ip("link add link p1 name away type macvlan mode passthru")
    stack.host.ip(f"link set away netns {stack.far.name}")
    with stack.far.inside(), tiny("xdp_pass") as other:
        xdp_attach(stack.far.index("away"), other.fileno(), "generic")
    for refused in (
        lambda: firewall.add_rules(rules("drop from 192.0.2.0/24")),
        lambda: firewall.apply(Ruleset.parse(GENERIC)),
    ):
        with pytest.raises(Conflict) as caught:
            refused()
        assert "another network namespace" in caught.value.message
        assert told(firewall) == in_kernel(stack)


BEFORE = {
    "passes": "u32 match u32 0 0 flowid 1:1",
    "sends elsewhere": "u32 match u32 0 0 action mirred egress redirect dev top",
}


@pytest.mark.parametrize("case", BEFORE)
def test_what_sees_packets_before_a_stand_in(stack: Stack, firewall: Firewall, case: str) -> None:
    attach_all(firewall)
    stack.host.tc("qdisc add dev br0 clsact")
    stack.host.tc(f"filter add dev br0 ingress pref 1 {BEFORE[case]}")
    there = {key: value for key, value in in_kernel(stack).items() if key[1] == "xdp"}
    with StackFlood(stack) as flood:
        with pytest.raises(Conflict) as caught:
            firewall.detach("p1")
        flood.pass_rounds()
        assert not any(flood.bad().values())
    assert "u32 at pref 1 comes before it" in caught.value.message
    assert caught.value.hint and "`xdpwall detach br0 --hook xdp`" in caught.value.hint
    now = {(view.iface, view.place) for view in firewall.status().attachments}
    assert now == set(there)
    assert {view.state for view in firewall.status().attachments} == {"attached"}
    stack.host.tc("filter del dev br0 ingress")
    firewall.detach("p1")


def test_all_are_detached_without_maps(stack: Stack, firewall: Firewall, site: Site) -> None:
    """The way out: what is above goes first, so that nothing has to stand in."""
    attach_all(firewall)
    (site.settings.bpffs / "maps" / "control").unlink()
    firewall.close()
    with site.open() as again:
        assert sorted(again.detach(None).detached) == sorted(f"{link} xdp" for link in LINKS)
    assert in_kernel(stack) == {}


def test_a_place_that_another_took_meanwhile(stack: Stack, site: Site) -> None:
    """Ours cannot come back: its stand-in goes on judging, and is told of."""
    with site.open() as firewall:
        firewall.add_rules(rules(*FIRST))
        attach_all(firewall)
        firewall.detach("top")
    with StackFlood(stack) as flood:
        flood.pass_rounds()
        bad = flood.bad()
        needs_others = step("add_rules", ["drop from 192.0.2.0/24"])
        assert site.run(needs_others, crash_at="aside-off") == KILLED
        with tiny("xdp_pass") as other:
            xdp_attach(stack.indexes["br0"], other.fileno(), "generic")
        with site.open() as firewall:
            firewall.add_rules(rules("accept udp/1003"))
            firewall.set_switch(True)
            (warning,) = [text for text in firewall.status().warnings if "in its place" in text]
            assert warning.startswith("br0 xdp: ")
            states = {view.iface: view.state for view in firewall.status().attachments}
            assert states["br0"] == "displaced"
            stack.host.ip("link set br0 xdp off")
            assert told(firewall) == in_kernel(stack)
            assert ("br0", "xdp") in in_kernel(stack)
        flood.pass_rounds()
        now = flood.bad()
    assert (now["br0"], now["top"]) == (bad["br0"], bad["top"])


def test_a_deep_stack(stack: Stack, firewall: Firewall) -> None:
    """A macvlan on a veth is a port of a bridge with a macvlan on top."""
    stack.host.ip("link set p2 nomaster")
    stack.host.ip("link add link p2 name mid type macvlan mode passthru")
    stack.host.ip("link set mid up")
    stack.host.ip("link set mid master br0")
    stack.indexes["mid"] = stack.host.index("mid")
    for link in ("top", "br0", "mid", "p2", "p1"):
        firewall.attach(link)
    firewall.add_rules(rules("drop from 192.0.2.0/24"))
    assert {view.state for view in firewall.status().attachments} == {"attached"}
    for link in ("p2", "br0"):
        firewall.detach(link)
        firewall.attach(link)
        assert {view.state for view in firewall.status().attachments} == {"attached"}
    assert len(firewall.status().attachments) == 5
    assert {"p2", "mid", "br0", "top", "p1"} == {
        link for link, index in stack.indexes.items() if attached_ids(index, "xdp")
    }
    assert firewall._instance.attacher.stand_ins.indexes() == []


def test_nothing_stands_in_where_nothing_above_has_xdp(
    stack: Stack, firewall: Firewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewall.attach("p1")
    firewall.attach("br0", hook="tc")
    monkeypatch.setattr(StandIns, "put", None)
    firewall.add_rules(rules("drop from 192.0.2.0/24"))
    firewall.detach("p1")
    assert set(told(firewall)) == {("br0", "tc-ingress")}
