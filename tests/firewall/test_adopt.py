"""--adopt: another ruleset takes the place of one that the state folder does not know, without a gap."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

import pytest

from tests.firewall.support import Site, rules, step
from tests.firewall.test_crashes import ADOPT, KILLED
from tests.firewall.test_state_folder import KINDS, Folders, xdpwall
from tests.firewall.test_upgrade import count_otherwise, flood
from xdpwall.errors import ANOTHER_STATE, Conflict, Refused
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf import bpffs
from xdpwall.ruleset.ruleset import Ruleset

FILE: dict[str, Any] = {
    "version": 1,
    "policy": {"non_ip": "accept"},
    "sets": {"worse": {"entries": ["10.9.0.2", "198.51.100.0/24"]}},
    "rules": ["count udp", "drop icmp from @worse"],
}


@pytest.fixture
def folders(site: Site) -> Folders:
    return Folders(site)


def is_in_force(folders: Folders, firewall: Firewall, mine: Any = FILE["rules"]) -> None:
    """These rules are: told, judging, and nothing is left of what was before."""
    site = folders.site
    assert [rule.text for rule in firewall.rules().rules] == mine
    status = firewall.status()
    assert status.kernel is None
    assert [(one.iface, one.place, one.state) for one in status.attachments] == [
        ("veth0", "xdp", "attached")
    ]
    assert not any("xdpwall restore" in words for words in status.warnings)
    assert site.kernel_revision() == site.disk_revision()
    assert site.ping(2) == 0
    assert firewall.rules().rules[1].packets >= 2
    assert firewall.status().attachments[0].totals.dropped.packets >= 2
    assert [path.name for path in site.settings.bpffs.parent.iterdir()] == ["fw"]


def test_apply_takes_over_without_a_gap(folders: Folders) -> None:
    site = folders.site
    with flood(site):
        for kind in KINDS:
            folders.put(kind)
            with site.open() as firewall:
                held = site.kernel_revision()
                outcome = firewall.apply(Ruleset.parse(FILE), adopt=True)
                assert outcome.revision > held
                is_in_force(folders, firewall)
                firewall.change_set("worse", add=["10.9.0.3"])
            # The folder of before is another's now.
            shutil.rmtree(folders.state)
            folders.put_right()
            with site.open() as firewall, pytest.raises(Conflict) as caught:
                firewall.add_rules(rules("accept icmp"))
            assert caught.value.code == ANOTHER_STATE
            folders.take_right()
            # And takes over again.
            folders.put("right")
            with site.open() as firewall:
                assert firewall.restore(adopt=True).already == ["veth0 xdp"]
                assert [rule.text for rule in firewall.rules().rules] == [
                    "count tcp",
                    "drop icmp from @bad",
                ]
                assert site.ping(2) == 0
                firewall.change_set("bad", add=["10.9.0.9"])
                assert firewall.status().warnings == []
                assert firewall.apply(Ruleset.parse(FILE), adopt=True).kept == 0
                assert [row.name for row in firewall.sets().sets] == ["worse"]
    with site.open() as firewall:
        firewall.change_set("worse", remove=["10.9.0.2"])
        assert site.ping(2) == 2


def test_what_is_refused_changes_nothing(folders: Folders) -> None:
    site = folders.site
    with flood(site):
        folders.put("lost")
        with site.open() as firewall:
            with pytest.raises(Conflict) as nothing:
                firewall.restore(adopt=True)
            assert nothing.value.code == ANOTHER_STATE and "FILE --adopt" in str(nothing.value.hint)
            with pytest.raises(Refused) as bare:
                firewall.apply(replace(Ruleset.parse(FILE), sets=None), adopt=True)
            assert bare.value.code == "set-not-carried" and "@worse" in bare.value.message
            with pytest.raises(Refused):
                firewall.apply(Ruleset(tuple(rules("drop icmp from @bad"))), adopt=True)
            assert firewall.apply(Ruleset.parse(FILE), adopt=True, dry_run=True).dry_run
            assert site.disk_revision() == 0
            with pytest.raises(Conflict):
                firewall.restore()
        folders.put("right")
        with site.open() as firewall:
            firewall.create_set("friends")
            firewall.add_rules(rules("count icmp from not @friends"))
        folders.right.rename(folders.kept / "before")
        shutil.copytree(folders.state, folders.right)
        folders.put("foreign")
        with site.open() as firewall:
            firewall.apply(Ruleset.parse(FILE), adopt=True)
        folders.put("right")
        with site.open() as firewall:
            with pytest.raises(Refused) as empty:
                firewall.restore(adopt=True)
            assert empty.value.code == "empty-set" and "friends" in empty.value.message


@pytest.mark.parametrize("command", ["apply", "restore"])
def test_kill_at_every_point(folders: Folders, command: str) -> None:
    site = folders.site
    call = step("apply", FILE, adopt=True) if command == "apply" else step("restore", adopt=True)
    mine = FILE["rules"] if command == "apply" else ["count tcp", "drop icmp from @bad"]
    if command == "restore":
        _take_over_from_elsewhere(folders)
    for point in ADOPT:
        if (command, point) == ("restore", "adopt-recorded"):
            continue
        folders.put("right" if command == "restore" else "lost")
        with flood(site):
            assert site.run(call, crash_at=point) == KILLED
            taken = point in ("adopt-exchanged", "adopt-swapped")
            with site.open() as firewall:
                status = firewall.status()
                assert status.on and [one.iface for one in status.attachments] == ["veth0"]
                assert (status.kernel is None) is taken
        with site.open() as firewall:
            assert firewall.set_switch(False).changed
            assert site.ping(1) == 1
            assert firewall.set_switch(True).changed
        with flood(site), site.open() as firewall:
            if not taken:
                with pytest.raises(Conflict):
                    firewall.set_policy({"non_ip": "accept"})
                if command == "apply":
                    firewall.apply(Ruleset.parse(FILE), adopt=True)
                else:
                    firewall.restore(adopt=True)
            is_in_force(folders, firewall, mine)
        _take_over_from_elsewhere(folders)


def _take_over_from_elsewhere(folders: Folders) -> None:
    """So that there is something to take over again."""
    folders.put("foreign")
    with folders.site.open() as firewall:
        firewall.apply(Ruleset.parse(FILE), adopt=True)


def test_detach_after_a_kill(folders: Folders) -> None:
    site = folders.site
    for point in ADOPT:
        folders.put("lost")
        assert site.run(step("apply", FILE, adopt=True), crash_at=point) == KILLED
        with site.open() as firewall:
            assert firewall.detach(None).detached == ["veth0 xdp"]
            assert site.ping(1) == 1
        folders.put("right")
        with site.open() as firewall:
            firewall.restore(adopt=True)
            if not firewall.status().attachments:  # it followed the detachment
                firewall.attach("veth0")
            assert site.ping(1) == 0


def test_who_has_the_maps_open_sees_that_others_took_over(folders: Folders) -> None:
    site = folders.site
    folders.put_right()
    with site.open(service=True) as before:
        assert before.add_rules(rules("count sctp")).revision == 6
        assert before.status().kernel is None
        folders.take_right()
        folders.put("foreign")
        with site.open() as firewall:
            firewall.apply(Ruleset.parse(FILE), adopt=True)
        assert before.status().kernel is not None
        with pytest.raises(Conflict) as caught:
            before.add_rules(rules("accept icmp"))
        assert caught.value.code == ANOTHER_STATE
        assert site.ping(1) == 0


def test_the_switch_is_the_kernels(folders: Folders) -> None:
    site = folders.site
    folders.put("foreign")
    with site.open() as firewall:
        firewall.set_switch(False)
        assert site.ping(1) == 1
    folders.put("lost")
    with site.open() as firewall:
        firewall.apply(Ruleset.parse(FILE), adopt=True)
        assert not firewall.status().on
        assert site.ping(1) == 1
        firewall.set_switch(True)
        assert site.ping(1) == 0


def test_maps_of_another_version_and_of_another_state(folders: Folders) -> None:
    site = folders.site
    count_otherwise(site)
    with flood(site):
        for kind in ("lost", "foreign"):
            folders.put(kind)
            with site.open() as firewall:
                with pytest.raises(Conflict) as caught:
                    firewall.restore()
                assert caught.value.code == ANOTHER_STATE
        with site.open() as firewall:
            firewall.apply(Ruleset.parse(FILE), adopt=True)
            is_in_force(folders, firewall)


def test_the_command_line(folders: Folders) -> None:
    site = folders.site
    folders.put("lost")
    with flood(site):
        refused = xdpwall(site, "restore", "--adopt")
        assert refused.returncode == 5 and "apply FILE --adopt" in refused.stderr
        path = folders.kept / "file.json"
        path.write_text(json.dumps(FILE))
        assert xdpwall(site, "apply", str(path)).returncode == 5
        done = xdpwall(site, "apply", str(path), "--adopt")
        assert done.returncode == 0, done.stderr
        with site.open() as firewall:
            is_in_force(folders, firewall)
        assert not bpffs.pin_names(site.settings.bpffs.with_name("fw-next"))


def test_what_took_the_place_of_another_is_not_called_unchanged(folders: Folders) -> None:
    site, path = folders.site, folders.kept / "file.json"
    folders.put("lost")
    path.write_text(json.dumps({"version": 1, "rules": []}))
    for words in ("in the place of what the state folder did not know", "unchanged: "):
        done = xdpwall(site, "apply", str(path), "--adopt")
        assert done.returncode == 0 and words in done.stderr, done.stderr
