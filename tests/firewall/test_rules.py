"""Rules through the facade, on a real cable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.firewall.support import Site, rules
from tests.support.paths import ROOT
from xdpwall.errors import Conflict, Full, InvalidInput, NotFound
from xdpwall.rule.rule import Rule
from xdpwall.values.author import Author


def test_a_rule_drops_counts_and_goes(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        assert site.ping() == 3
        outcome = firewall.add_rules(rules("drop icmp on veth0"))
        assert (outcome.revision, outcome.rules[0].id, outcome.warnings) == (1, "r1", [])
        assert site.ping(5) == 0
        assert firewall.rule("r1").packets == 5
        assert firewall.rule("r1").bytes == 5 * 98
        assert firewall.delete_rules(["r1"]).deleted == ["r1"]
        assert site.ping() == 3


def test_counters_belong_to_the_id(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp", "count udp"))
        site.ping(4)
        firewall.move_rule("r1", 2)
        firewall.set_rule("r1", {"comment": "no pings"})
        firewall.enable_rules(["r1"], False)
        assert site.ping() == 3
        firewall.enable_rules(["r1"], True)
        assert firewall.rule("r1").packets == 4
        assert firewall.rule("r1").position == 2
        firewall.set_rule("r1", {"src": "10.9.0.2"})
        assert firewall.rule("r1").packets == 0
        assert site.ping(2) == 0
        assert firewall.rule("r1").packets == 2


def test_reset_counters_and_another_process(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        site.ping(3)
        outcome = firewall.reset_counters(["r1"])
        assert (outcome.revision, outcome.rules[0].packets) == (1, 0)
        site.ping(2)
    with site.open() as again:
        assert again.rule("r1").packets == 2
        assert [count.packets for count in again.stats().rules] == [2]


def test_a_deleted_id_may_be_given_again_and_counts_anew(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules([Rule.parse({"id": "a", "action": "drop", "proto": "icmp"})])
        site.ping(3)
        firewall.delete_rules(["a"])
        firewall.add_rules([Rule.parse({"id": "a", "action": "drop", "proto": "icmp"})])
        assert firewall.rule("a").packets == 0


def test_the_order_decides(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        firewall.add_rules(rules("accept icmp from 10.9.0.2"), at=1)
        assert site.ping() == 3
        firewall.move_rule("r2", 2)
        assert site.ping() == 0


def test_what_changes_nothing_makes_no_revision(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp", "drop udp"))
        assert firewall.move_rule("r1", 1).revision == 1
        assert firewall.enable_rules(["r1"], True).revision == 1
        assert firewall.set_rule("r1", {"proto": "icmp"}).revision == 1
        assert firewall.set_policy({"ingress": "accept"}).revision == 1


def test_refusals_change_nothing(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
        before = firewall.rules()
        with pytest.raises(NotFound):
            firewall.delete_rules(["r1", "r9"])
        with pytest.raises(Conflict):
            firewall.add_rules([Rule.parse("drop udp"), Rule.parse({"id": "r1", "action": "drop"})])
        with pytest.raises(InvalidInput) as caught:
            firewall.set_rule("r1", {"dport": "80"})
        assert caught.value.field == "dport"
        with pytest.raises(InvalidInput) as caught:
            firewall.set_policy({"ingress": "reject"})
        assert caught.value.field == "ingress"
        with pytest.raises(InvalidInput):
            firewall.move_rule("r1", 2)
        assert firewall.rules() == before
        assert site.kernel_revision() == 1


def test_policy_drops_what_no_rule_decides(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        outcome = firewall.set_policy({"ingress": "drop"})
        assert "stateless" in outcome.warnings[0]
        assert site.ping() == 0
        totals = firewall.stats().attachments[0].totals
        assert totals.policy_dropped.packets == 3
        firewall.add_rules(rules("accept icmp"))
        assert site.ping() == 3


def test_off_lets_everything_pass_and_is_shouted(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        assert firewall.set_switch(False).changed
        assert not firewall.set_switch(False).changed
        assert site.ping() == 3
        assert "off" in firewall.status().warnings[0]
        firewall.set_switch(True)
        assert site.ping() == 0


def test_expired_rules_are_shown_expired(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules([Rule.parse({"text": "drop icmp", "expires": "2020-01-01T00:00:00Z"})])
        assert firewall.rule("r1").expired
        assert site.ping() == 3


def test_flush_leaves_the_policy(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp", "drop udp"))
        firewall.set_policy({"egress": "drop"})
        assert firewall.flush().deleted == ["r1", "r2"]
        assert firewall.rules().rules == []
        assert firewall.policy().egress == "drop"


def test_the_author_is_remembered(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"), by=Author("uid 7", "socket", "test"))
        _, (entry,) = firewall._instance.store.audit.since(0, 1)
    assert (entry.author, entry.via, entry.message) == ("uid 7", "socket", "test")
    assert (entry.action, entry.revision) == ("add r1", 1)


def test_many_rules_outgrow_the_maps_without_a_gap(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules("drop icmp"))
        programs = [one.program_id for one in firewall.status().attachments]
        firewall.add_rules([Rule.parse(f"drop tcp/{port}") for port in range(1, 1501)])
        assert site.ping() == 0
        assert firewall.rule("r1").packets == 3
        after = [one.program_id for one in firewall.status().attachments]
        assert not set(programs) & set(after)
        firewall.delete_rules(["r1"])
        assert site.ping() == 3


def test_listing_a_few_rules_takes_neither_numpy_nor_netlink(site: Site) -> None:
    site.prepare("drop icmp", "count udp")
    site.ping(3)
    code = (
        "import sys; from pathlib import Path; from xdpwall.firewall.firewall import Firewall;"
        "from xdpwall.settings import Settings;"
        "firewall = Firewall.open(Settings(*map(Path, sys.argv[1:])));"
        "print([rule.packets for rule in firewall.rules().rules]);"
        "print(sorted({'numpy', 'pyroute2', 'fastapi'} & set(sys.modules)))"
    )
    paths = (site.settings.state_dir, site.settings.bpffs, site.settings.socket)
    argv = site.host.argv(sys.executable, "-c", code, *map(str, paths))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["[3, 0]", "[]"], done.stderr


def test_one_rule_too_many_leaves_no_trace(site: Site) -> None:
    """It is recorded before it is compiled, and then does not fit: 251 TTLs times 262 lengths."""
    texts = [f"drop ttl {n}" for n in range(0, 250, 2)]
    texts += [f"drop length {n}" for n in range(100, 358, 2)]
    with site.open() as firewall:
        firewall.add_rules(rules(*texts))
        store = firewall._instance.store
        for turn in range(2):
            with pytest.raises(Full) as caught:
                firewall.add_rules(rules("drop length 1001"))
            assert caught.value.code == "too-many-combinations"
            assert store.read().pending is None
            assert site.kernel_revision() == site.disk_revision() == 1 + turn
            # What fits goes on as if nothing had been.
            firewall.add_rules(rules("drop ttl 2"))
            assert site.kernel_revision() == site.disk_revision() == 2 + turn
        assert firewall.health().problems == []
