"""A pin of a map was removed: packets are judged as before, the truth is told, and restore pins it again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.firewall.support import Site, rules
from tests.firewall.test_upgrade import flood
from xdpwall.dataplane.map_set import MAP_SET_MAPS, SHARED_MAPS
from xdpwall.errors import MISSING_PIN, Failed, XdpwallError
from xdpwall.firewall.firewall import Firewall
from xdpwall.firewall.rule_list_fast import list_rules
from xdpwall.kernel.bpf import bpffs
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.settings import Settings

CHANGES: list[Callable[[Firewall], Any]] = [
    lambda fw: fw.add_rules(rules("accept icmp"), at=1),
    lambda fw: fw.delete_rules(["r1"]),
    lambda fw: fw.set_policy({"egress": "drop"}),
    lambda fw: fw.create_set("more"),
    lambda fw: fw.change_set("bad", add=["10.9.0.3"]),
    lambda fw: fw.replace_set("bad", ["10.9.0.3"]),  # type: ignore[arg-type]
    lambda fw: fw.set_events({"log_drops": True}),
    lambda fw: fw.attach("veth0", hook="tc"),
    lambda fw: fw.apply(Ruleset(tuple(rules("accept icmp")))),
    lambda fw: fw.reset_counters(),
]


@pytest.fixture
def filled(site: Site) -> Site:
    """Pings from the box are dropped by a set."""
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("bad")
        firewall.change_set("bad", add=["10.9.0.2"])
        firewall.add_rules(rules("drop icmp from @bad"))
    assert site.ping(1) == 0
    return site


def there(site: Site) -> list[str]:
    folder = site.settings.bpffs
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def map_pins(site: Site) -> list[str]:
    """The pins of the maps that programs use, relative to the instance's folder."""
    names = {*SHARED_MAPS, *MAP_SET_MAPS}
    found = [name for name in there(site) if name.partition("/")[2] in names]
    assert len(found) == len(names)
    return found


def test_each_pin_is_told_and_pinned_again_while_packets_are_judged(filled: Site) -> None:
    pins = there(filled)
    with flood(filled):
        for turn, name in enumerate(map_pins(filled)):
            bpffs.unlink(filled.settings.bpffs / name)
            with filled.open() as firewall:
                change = CHANGES[turn % len(CHANGES)]
                with pytest.raises(Failed) as caught:
                    change(firewall)
                assert caught.value.code == MISSING_PIN, name
                assert str(filled.settings.bpffs / name) in caught.value.message
                assert "xdpwall restore" in (caught.value.hint or "")
                status = firewall.status()
                assert [one.state for one in status.attachments] == ["attached"]
                assert status.attachments[0].totals.seen.packets > 0
                assert any(name in words for words in status.warnings), name
                assert firewall.rules().rules[0].packets > 0
                listed = list_rules(filled.settings)
                assert listed is None or listed["rules"][0]["packets"] > 0
                assert any(name in words for words in firewall.health().problems)
                before = firewall.rules().rules[0].packets
                assert firewall.restore().already == ["veth0 xdp"]
                assert there(filled) == pins, name
                assert firewall.rules().rules[0].packets >= before  # the same maps
                assert not any(name in words for words in firewall.status().warnings)
        with filled.open() as firewall:
            firewall.add_rules(rules("count udp"))
    with filled.open() as firewall:
        firewall.change_set("bad", remove=["10.9.0.2"])
    assert filled.ping(2) == 2


def test_many_pins_at_once(filled: Site) -> None:
    pins, maps = there(filled), map_pins(filled)
    with flood(filled):
        for gone in (maps[1:], maps[:-1], maps[:3], maps[-4:]):
            for name in gone:
                bpffs.unlink(filled.settings.bpffs / name)
            with filled.open() as firewall:
                with pytest.raises(Failed) as caught:
                    firewall.add_rules(rules("accept icmp"), at=1)
                assert caught.value.code == MISSING_PIN
                assert firewall.restore().already == ["veth0 xdp"]
                assert there(filled) == pins


def test_without_a_program_the_maps_are_made_anew_from_the_disk(filled: Site) -> None:
    with filled.open() as firewall:
        firewall.detach("veth0")
    tables = next(name for name in map_pins(filled) if name.endswith("/tables"))
    for name in (tables, "maps/counters", "maps/control"):
        assert bpffs.unlink(filled.settings.bpffs / name), there(filled)
        with filled.open() as firewall:
            if name != "maps/control":  # without it they count as a start that did not finish
                with pytest.raises(Failed) as caught:
                    firewall.add_rules(rules("accept icmp"), at=1)
                assert caught.value.code == MISSING_PIN
            firewall.restore()
            firewall.attach("veth0")
            assert filled.ping(1) == 0
            assert firewall.status().warnings == []
            firewall.detach("veth0")


def test_a_bpffs_that_is_mounted_read_only(site: Site, tmp_path: Path) -> None:
    """Pins open by the ids behind them: all works that makes no pin."""
    folder = tmp_path / "bpf"
    folder.mkdir()
    subprocess.run(["mount", "-t", "bpf", "none", folder], check=True)
    try:
        site.settings = Settings(site.settings.state_dir, folder / "fw", site.settings.socket)
        site.prepare("drop icmp")
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with site.open() as firewall:
            assert site.ping(1) == 0
            assert firewall.status().warnings == []
            firewall.add_rules(rules("accept icmp"), at=1)
            assert site.ping(1) == 1
            assert firewall.set_switch(False).changed and not firewall.status().on
            assert firewall.set_switch(True).changed and firewall.status().on
            assert [rule.packets for rule in firewall.rules().rules] == [1, 1]
            with pytest.raises(XdpwallError, match="Read-only"):
                firewall.attach("veth0", hook="tc")
    finally:
        subprocess.run(["umount", folder], check=True)
