"""A database that is damaged, gone, empty or older than it was costs nothing, and `repair` makes it anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firewall.support import Site, rules, step
from tests.firewall.test_crashes import COPY, KILLED, REPAIR
from tests.firewall.test_state_folder import xdpwall
from tests.firewall.test_upgrade import flood
from xdpwall.errors import Conflict, Refused, XdpwallError
from xdpwall.firewall.firewall import Firewall
from xdpwall.sets.entries import Entries

FILE = {
    "version": 1,
    "sets": {"bad": {"entries": ["10.9.0.2"]}},
    "rules": ["drop icmp from @bad", "count udp"],
}
TEXTS = ["drop icmp from @bad", "count tcp", "drop udp from not @friends"]


def prepare(site: Site) -> Path:
    """veth0 attached, pings from the box dropped by a set; the database's path."""
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("bad")
        firewall.replace_set("friends", Entries.of(["192.0.2.0/24", "192.0.2.7", "2001:db8::7"]))
        firewall.change_set("bad", add=["10.9.0.2", "198.51.100.0/24"])
        firewall.change_set("bad", add=["198.51.100.9"], expires="2090-01-01T00:00:00Z")
        firewall.add_rules(rules(*TEXTS))
        firewall.set_events({"log_drops": True})
    return site.settings.state_dir / "xdpwall.db"


def content(firewall: Firewall) -> object:
    """All that a repair must bring back."""
    return (
        [rule.text for rule in firewall.rules().rules],
        [firewall.set_entries(name).entries for name in ("bad", "friends")],
        firewall.events().settings,
        [(one.iface, one.place, one.state) for one in firewall.status().attachments],
        firewall.ruleset(sets=True)[0],
    )


def zeroed(path: Path) -> None:
    path.write_bytes(b"")


def scribbled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


def changed_in_a_rule(path: Path) -> None:
    data = path.read_bytes()
    assert b"count" in data
    path.write_bytes(data.replace(b'"count"', b'"couNt"'))


HARMS: list[Callable[[Path], object]] = [
    Path.unlink,
    zeroed,
    scribbled,
    changed_in_a_rule,
    lambda path: path.write_bytes(b"\xa5" * 40960),
    lambda path: os.truncate(path, 5000),
]


CHANGES: list[Callable[[Firewall], object]] = [
    lambda fw: fw.add_rules(rules("accept icmp"), at=1),
    lambda fw: fw.change_set("bad", remove=["10.9.0.2"]),
    lambda fw: fw.set_policy({"ingress": "accept"}),
    lambda fw: fw.restore(),
]


def test_it_is_told_reads_go_on_and_repair_puts_it_right(site: Site) -> None:
    path = prepare(site)
    with site.open() as firewall:
        before = content(firewall)
    with flood(site):
        for harm in HARMS:
            harm(path)
            left = path.read_bytes() if path.exists() else None
            with site.open() as firewall:
                assert content(firewall) == before
                status = firewall.status()
                assert any("xdpwall repair" in words for words in status.warnings)
                assert firewall.health().status == "degraded" and status.kernel is None
                for change in CHANGES:
                    with pytest.raises(XdpwallError) as caught:
                        change(firewall)
                    assert caught.value.code in ("corrupt", "another-state")
                    assert "xdpwall repair" in str(caught.value.hint)
            assert (path.read_bytes() if path.exists() else None) == left
            with site.open() as firewall:
                done = firewall.repair()
                assert done.repaired and done.warnings == [] and done.rules == 3
                assert content(firewall) == before
                assert firewall.status().warnings == []
                assert not firewall.repair().repaired
            with site.open() as firewall:
                assert content(firewall) == before
                firewall.set_rule("r2", {"comment": harm.__name__})
                before = content(firewall)
    assert site.ping(2) == 0
    with site.open() as firewall:
        firewall.change_set("bad", remove=["10.9.0.2"])
        assert site.ping(2) == 2


def test_a_log_that_was_removed_reverts_nothing_silently(site: Site) -> None:
    """As after a crash of the machine, when someone removes what looks like a temporary file."""
    path = prepare(site)
    kept = path.with_name("kept")
    shutil.copyfile(path, kept)
    with site.open() as firewall:
        for change in (
            lambda: firewall.change_set("bad", add=["10.9.0.77"]),
            lambda: firewall.set_switch(False),
            lambda: firewall.add_rules(rules("drop tcp/23")),
        ):
            change()
            firewall.update_copy()
            aside = path.with_name("aside")
            shutil.copyfile(path, aside)
    with site.open() as firewall:
        firewall.set_switch(True)
        before = content(firewall)
    shutil.copyfile(kept, path)
    with flood(site):
        with site.open() as firewall:
            assert content(firewall) == before
            with pytest.raises(Conflict) as caught:
                firewall.add_rules(rules("accept icmp"), at=1)
            assert caught.value.code == "another-state" and "lacks changes" in caught.value.message
            assert firewall.repair().repaired
            assert content(firewall) == before
        # And the older one is there for whoever wants that.
        shutil.copyfile(kept, path)
        with site.open() as firewall:
            firewall.restore(adopt=True)
            assert [rule.text for rule in firewall.rules().rules] == TEXTS
            assert firewall.status().warnings == []
            assert site.ping(1) == 0
        with site.open() as firewall:
            assert [rule.text for rule in firewall.rules().rules] == TEXTS
            assert firewall.status().warnings == []


def test_after_a_reboot_restore_takes_the_second_copy(site: Site) -> None:
    path = prepare(site)
    with site.open() as firewall:
        before = content(firewall)
    for harm in HARMS[:4]:
        harm(path)
        site.forget_kernel_alone()
        assert site.ping(1) == 1
        with site.open() as firewall:
            done = firewall.restore()
            assert done.attached == ["veth0 xdp"]
            assert any("second copy" in words for words in done.warnings)
            assert site.ping(1) == 0
            assert content(firewall) == before


def test_adopt_takes_the_second_copy_too(site: Site) -> None:
    path = prepare(site)
    with flood(site):
        for harm in HARMS[:3]:
            harm(path)
            with site.open() as firewall:
                assert firewall.restore(adopt=True).already == ["veth0 xdp"]
                assert [rule.text for rule in firewall.rules().rules] == TEXTS
                assert firewall.status().warnings == []
        # And a file's ruleset where both are gone.
        for name in ("xdpwall.db", "xdpwall.copy"):
            (path.parent / name).write_bytes(b"\xa5" * 40960)
        with site.open() as firewall:
            with pytest.raises(XdpwallError) as caught:
                firewall.repair()
            assert "apply FILE --adopt" in str(caught.value.hint)
            with pytest.raises(XdpwallError):
                firewall.rules()
            assert firewall.status().kernel is not None
            from xdpwall.ruleset.ruleset import Ruleset

            firewall.apply(Ruleset.parse(FILE), adopt=True)
            assert [rule.text for rule in firewall.rules().rules] == FILE["rules"]
            assert firewall.status().warnings == []
    assert site.ping(1) == 0


@pytest.mark.parametrize("point", [*COPY, *REPAIR])
def test_kill_at_every_point(site: Site, point: str) -> None:
    path = prepare(site)
    with flood(site):
        if point in COPY:
            change = step("replace_set", "friends", ["192.0.2.0/24", "203.0.113.1"])
            assert site.run(change, crash_at=point) == KILLED
        else:
            scribbled(path)
            assert site.run(step("repair"), crash_at=point) == KILLED
        with site.open() as firewall:
            if point in COPY:
                assert firewall.status().kernel is None
                firewall.set_rule("r2", {"comment": "more"})
                assert len(firewall.set_entries("friends").entries) == 2
            else:
                firewall.repair()
            before = content(firewall)
        path.unlink()
        with site.open() as firewall:
            assert firewall.repair().warnings == []
            assert content(firewall) == before
    assert site.ping(1) == 0


def test_entries_are_read_back_from_the_kernel(site: Site) -> None:
    path = prepare(site)
    with site.open() as firewall:
        before = content(firewall)
    for lost in path.parent.glob("xdpwall.copy.set-*"):
        lost.write_bytes(b"")
    path.unlink()
    with flood(site), site.open() as firewall:
        done = firewall.repair()
        assert len(done.warnings) == 1 and "3 entries were read back" in done.warnings[0]
        assert content(firewall) == before
        firewall.change_set("friends", add=["10.9.0.99"])
    # Without the kernel they are lost: a rule about `not @friends` is not restored without a word.
    for lost in path.parent.glob("xdpwall.copy.set-*"):
        lost.write_bytes(b"")
    path.unlink()
    site.forget_kernel_alone()
    with site.open() as firewall:
        with pytest.raises(Refused) as caught:
            firewall.restore()
        assert caught.value.code == "empty-set" and "friends" in caught.value.message


def test_a_full_disk_takes_no_second_copy_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(site)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with site.open() as firewall:
        monkeypatch.setattr(os, "fsync", full)
        firewall.add_rules(rules("count sctp"))
        firewall.update_copy()
        assert any("No space left" in words for words in firewall.status().warnings)
        monkeypatch.undo()
        monkeypatch.setattr(firewall._instance.store._database, "written", False)
    with site.open() as firewall:
        assert any("is an older one" in words for words in firewall.status().warnings)
        firewall.set_rule("r1", {"comment": "again"})
    with site.open() as firewall:
        assert firewall.status().warnings == []
        assert not list(site.settings.state_dir.glob("*.new"))


def test_the_command_line(site: Site) -> None:
    path = prepare(site)
    nothing = xdpwall(site, "repair")
    assert (nothing.returncode, nothing.stderr) == (0, "nothing to repair: revision 3, 3 rules\n")
    scribbled(path)
    refused = xdpwall(site, "rule", "add", "accept", "icmp")
    assert refused.returncode == 1 and "xdpwall repair" in refused.stderr
    assert "drop icmp from @bad" in xdpwall(site, "rule", "list").stdout
    assert "is damaged" in xdpwall(site, "status").stderr
    off = xdpwall(site, "off")
    assert "OFF" in off.stderr and site.ping(1) == 1
    assert "on: filtering" in xdpwall(site, "on").stderr and site.ping(1) == 0
    done = xdpwall(site, "repair")
    assert done.returncode == 0 and f"{path}.damaged" in done.stderr, done.stderr
    assert xdpwall(site, "rule", "add", "count", "icmp").returncode == 0
    assert xdpwall(site, "status").stderr == ""
