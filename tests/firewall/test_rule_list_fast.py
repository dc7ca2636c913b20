"""The list that is read without models is the firewall's own, to the byte, or there is none."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules, step
from xdpwall.firewall import rule_list_fast, rule_list_shape
from xdpwall.firewall.rule_list_fast import list_rules
from xdpwall.rule.rule import Rule
from xdpwall.store.schema import SCHEMA_VERSION
from xdpwall.views.rules import RuleView

SENTENCES = (
    "drop icmp",
    "accept tcp/22,80-90 from not 10.0.0.0/8 to 10.1.2.3 sport not 53 on veth0 in flags syn",
    "drop proto 99 ttl 1-5 length 100-200 unfragmented vlan not 7 until 2020-01-01T00:00:00Z",
    "count udp log disabled until 2999-01-01T00:00:00Z",
    'drop icmp/echo-request/0 ipv4 comment "a \\"quoted\\" \\\\ w\u00f6rd"',
    "drop ethertype 0x88cc",
    'accept tcp on "not" fragment later',
)


def test_names_are_those_of_the_model() -> None:
    assert set(RuleView.model_fields) == rule_list_shape.VIEW_FIELDS
    needed = {name for name, field in RuleView.model_fields.items() if field.is_required()}
    assert needed < set(rule_list_shape.REQUIRED_TYPES)
    assert rule_list_fast.SCHEMA == SCHEMA_VERSION


def test_the_list_is_the_firewalls(site: Site) -> None:
    assert list_rules(site.settings) is None  # nothing is there yet
    site.prepare(*SENTENCES)
    with site.open() as firewall:
        firewall.add_rules(
            [Rule.parse({"text": "drop gre", "id": "named", "enabled": False})], at=2
        )
        assert site.ping(2) == 0
        firewall.reset_counters(["r1"])
        assert site.ping(3) == 0
        whole = firewall.rules()
    assert whole.rules[0].packets == 3
    found = list_rules(site.settings)
    assert json.dumps(found) == json.dumps(whole.to_json())
    assert rule_list_shape.is_rule_list(found)
    site.forget_kernel()
    with site.open() as firewall:
        assert json.dumps(list_rules(site.settings)) == json.dumps(firewall.rules().to_json())


@pytest.mark.parametrize("point", ["after-record", "after-switch"])
def test_a_change_that_did_not_end_is_the_firewalls_business(site: Site, point: str) -> None:
    site.prepare("accept udp")
    assert list_rules(site.settings) is not None
    site.run(step("add_rules", ["drop icmp"]), crash_at=point)
    assert list_rules(site.settings) is None
    with site.open() as firewall:
        assert len(firewall.rules().rules) == (2 if point == "after-switch" else 1)
    assert list_rules(site.settings) is not None


def test_an_attachment_that_did_not_end(site: Site) -> None:
    site.prepare("accept udp")
    site.run(step("detach", "veth0"), crash_at="detach-recorded")
    assert list_rules(site.settings) is None


def test_another_namespaces_instance(site: Site) -> None:
    site.prepare("accept udp")
    with site.box.inside():
        assert list_rules(site.settings) is None
    assert list_rules(site.settings) is not None


def test_very_many_rules(site: Site) -> None:
    site.prepare(*(f"drop tcp/{port}" for port in range(1, rule_list_fast.MOST + 1)))
    with site.open() as firewall:
        found = list_rules(site.settings)
        assert json.dumps(found) == json.dumps(firewall.rules().to_json())
        firewall.add_rules(rules("drop icmp"))
    assert list_rules(site.settings) is None


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = 99",
        "UPDATE rules SET rule = '{'",
        """UPDATE rules SET rule = '{"action": "drop", "colour": "red"}'""",
        "DROP TABLE rules",
    ],
)
def test_a_store_that_is_odd(site: Site, statement: str) -> None:
    site.prepare("drop icmp")
    with closing(sqlite3.connect(database(site), isolation_level=None)) as connection:
        connection.execute(statement)
    assert list_rules(site.settings) is None


def test_a_file_that_others_may_read_is_tightened_by_the_firewall(site: Site) -> None:
    site.prepare("drop icmp")
    database(site).chmod(0o644)
    assert list_rules(site.settings) is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"revision": 1},
        {"revision": 1, "rules": {}},
        {"revision": 1, "rules": [None]},
        {"revision": 1, "rules": [{"id": "r1"}]},
    ],
)
def test_what_is_no_list(body: object) -> None:
    assert not rule_list_shape.is_rule_list(body)


@pytest.mark.parametrize(
    "change", [{"packets": "1"}, {"id": None}, {"action": "reject"}, {"colour": "red"}]
)
def test_what_is_no_rule_of_a_list(change: dict[str, object]) -> None:
    rule = RuleView(id="r1", action="drop", text="drop", position=1, created="then").to_json()
    assert rule_list_shape.is_rule_list({"revision": 1, "rules": [rule]})
    assert not rule_list_shape.is_rule_list({"revision": 1, "rules": [rule, {**rule, **change}]})


def database(site: Site) -> Path:
    return site.settings.state_dir / "xdpwall.db"
