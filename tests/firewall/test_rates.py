"""Rates through the facade: buckets that outlive changes, LIMITED, and what explains them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.firewall.support import Site, rules
from tests.support.packets import frames as f
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf.programs import Program
from xdpwall.rule.rule import Rule

UDP = f.ether(f.ipv4(f.udp()))


class Traffic:
    """The instance's program for veth0, by test-run: as the attached one, it counts and takes tokens."""

    def __init__(self, site: Site) -> None:
        self._dataplane = Dataplane(site.settings.bpffs)

    def passed(self, frame: bytes, times: int) -> int:
        """How many of so many frames pass."""
        self._dataplane.open()
        with self._program() as program:
            found = sum(program.test_run(frame).retval == 2 for _ in range(times))
        self._dataplane.close()
        return found

    def _program(self) -> Program:
        return self._dataplane.programs.load("xdp", 1)


@pytest.fixture
def traffic(site: Site) -> Iterator[Traffic]:
    yield Traffic(site)


def shown(firewall: Firewall) -> dict[str, tuple[int, int | None]]:
    """(packets, limited) of each rule."""
    return {one.id: (one.packets, one.limited) for one in firewall.rules().rules}


def test_a_bucket_outlives_every_change_but_that_of_its_rate(
    firewall: Firewall, traffic: Traffic
) -> None:
    firewall.add_rules(rules("accept udp limit 6/h burst 6", "drop udp"))
    assert traffic.passed(UDP, 4) == 4
    firewall.add_rules(rules("drop tcp over 6/h per src"), at=1)
    firewall.move_rule("r1", 1)
    firewall.set_rule("r1", {"comment": "slowly"})
    firewall.enable_rules(["r1"], False)
    assert traffic.passed(UDP, 1) == 0
    firewall.enable_rules(["r1"], True)
    assert traffic.passed(UDP, 4) == 2
    assert shown(firewall) == {"r1": (6, 2), "r3": (0, 0), "r2": (3, None)}
    firewall.set_rule("r1", {"limit": "6/h burst 7"})
    assert shown(firewall)["r1"] == (0, 0)
    assert traffic.passed(UDP, 9) == 7
    assert shown(firewall)["r1"] == (7, 2)


def test_a_slot_that_is_given_again_has_full_buckets(firewall: Firewall, traffic: Traffic) -> None:
    for _ in range(3):
        firewall.add_rules(rules("drop udp over 6/h burst 3 per src"))
        assert traffic.passed(UDP, 5) == 3
        firewall.delete_rules([firewall.rules().rules[0].id])


def test_limited_counts_anew_after_a_reset_and_metrics_do_not(
    firewall: Firewall, traffic: Traffic
) -> None:
    firewall.add_rules(rules("accept udp limit 6/h burst 2", "drop udp"))
    traffic.passed(UDP, 9)
    assert shown(firewall)["r1"] == (2, 7)
    firewall.reset_counters(["r1"])
    assert shown(firewall)["r1"] == (0, 0)
    traffic.passed(UDP, 3)
    assert shown(firewall)["r1"] == (0, 3)
    assert firewall.metrics().limited == {"r1": 10}
    (stats,) = [one for one in firewall.stats().rules if one.id == "r1"]
    assert (stats.packets, stats.limited) == (0, 3)


def test_explain_says_that_only_the_rate_keeps_a_rule_from_matching(
    firewall: Firewall, traffic: Traffic
) -> None:
    firewall.attach("veth0", mode="generic")
    firewall.add_rules(rules("drop udp over 6/h burst 2", "accept udp limit 6/h burst 9", "drop"))
    for _ in range(5):
        (hook,) = firewall.explain(["udp/53 from 10.9.0.2 on veth0"]).packets[0].hooks
        assert (hook.verdict, hook.by) == ("pass", "rule")
        assert [(one.rule.id, one.tokens) for one in hook.limited] == [("r1", "left")]
    assert traffic.passed(UDP, 20) == 2
    (hook,) = firewall.explain(["udp/53 from 10.9.0.2 on veth0"]).packets[0].hooks
    assert hook.rule is not None
    assert (hook.verdict, hook.rule.id, hook.limited) == ("drop", "r1", [])


def test_rates_are_in_export_diff_and_history(firewall: Firewall) -> None:
    firewall.add_rules([Rule.parse("drop tcp/22 over 6/m burst 6 per src")])
    _, stated = firewall.ruleset()
    assert stated.to_json()["rules"][0]["over"] == {"rate": "6/m", "burst": 6, "per": "src"}
    firewall.set_rule("r1", {"over": {"rate": "7/m"}})
    firewall.rollback(1)
    assert firewall.rule("r1").text == "drop tcp/22 over 6/m burst 6 per src"


def test_a_rule_with_a_rate_hides_no_other(firewall: Firewall) -> None:
    """And is hidden by one without, as any is."""
    firewall.add_rules(
        rules(
            "drop udp over 6/m", "drop udp", "drop tcp limit 6/m", "drop tcp limit 6/m", "count tcp"
        )
    )
    firewall.add_rules(rules("accept udp limit 5/s", "drop tcp"))
    found = [(one.kind, one.rule.id) for one in firewall.check().findings if one.kind != "unseen"]
    assert found == [
        ("redundant", "r1"),
        ("redundant", "r3"),
        ("redundant", "r4"),
        ("shadowed", "r6"),
    ]
