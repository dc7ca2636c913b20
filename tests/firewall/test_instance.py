"""One instance among processes, threads, namespaces and reboots."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.firewall.support import PATIENCE, Site, rules, step
from xdpwall.changes.transactions import writing
from xdpwall.errors import Conflict, Failed, Full
from xdpwall.firewall.firewall import Firewall
from xdpwall.instance.instance import Instance
from xdpwall.instance.namespace import instance_digest, netns_cookie, netns_inode
from xdpwall.kernel.bpf import bpffs
from xdpwall.settings import Settings


def test_reading_needs_neither_maps_nor_programs(site: Site) -> None:
    with site.open() as firewall:
        assert firewall.rules().rules == [] and firewall.stats().on
        assert firewall.health().status == "ok"
        assert firewall.status().attachments == []
    assert not site.settings.bpffs.exists()


def test_another_namespace_is_refused(site: Site) -> None:
    site.prepare("drop icmp")
    with site.box.inside(), site.open() as firewall:
        for call in (firewall.rules, firewall.flush, lambda: firewall.detach(None)):
            with pytest.raises(Conflict) as caught:
                call()
            assert caught.value.code == "other-namespace"
            assert "nsenter" in (caught.value.hint or "")
    assert site.ping() == 0


def test_programs_whose_pins_were_removed_are_not_passed_over(site: Site) -> None:
    site.prepare("drop icmp")
    with site.host.inside(), site.open() as firewall:
        firewall.attach("veth0", hook="tc")
        bpffs.remove_tree(site.settings.bpffs)
    assert site.ping() == 0
    with site.host.inside(), site.open() as firewall:
        with pytest.raises(Failed) as caught:
            firewall.set_switch(False)
        assert caught.value.code == "orphaned-programs"
        assert caught.value.value == ["veth0 xdp", "veth0 tc-ingress"]
        told = "\n".join(firewall.status().warnings)
        assert "ip link set dev veth0 xdp off" in told
        assert "tc filter show dev veth0 ingress" in told
        outcome = firewall.restore()
        assert outcome.attached == [] and len(outcome.failed) == 2
        site.host.ip("link set veth0 xdp off")
        site.host.run("tc", "filter", "del", "dev", "veth0", "ingress")
        assert site.ping() == 3
        firewall.set_switch(True)
        assert firewall.restore().attached == ["veth0 xdp", "veth0 tc-ingress"]
    assert site.ping() == 0


def test_a_program_whose_pin_was_removed_is_not_said_to_be_detached(site: Site) -> None:
    site.prepare("drop icmp")
    with site.host.inside(), site.open() as firewall:
        firewall.attach("veth0", hook="tc")
        bpffs.remove_tree(site.settings.bpffs)
    cures = {"xdp": "ip link set dev veth0 xdp off", "tc-ingress": "tc filter show dev veth0"}
    with site.host.inside(), site.open() as firewall:
        with pytest.raises(Failed) as caught:
            firewall.detach(None)
        assert caught.value.code == "still-attached" and site.ping() == 0
        for place, cure in cures.items():
            assert f"veth0 {place}: a program" in caught.value.message
            assert cure in caught.value.message
        site.host.ip("link set veth0 xdp off")
        site.host.run("tc", "filter", "del", "dev", "veth0", "ingress")
        assert firewall.detach("veth0").detached == []
        assert site.ping() == 3
        firewall.attach("veth0")
    assert site.ping() == 0


@pytest.mark.parametrize("where", ["host", "box"])
def test_an_inode_that_was_given_away_again_is_not_the_namespace_that_had_it(
    site: Site, where: str
) -> None:
    """The kernel numbers namespaces twice in a boot; cookies it gives once."""
    site.prepare("drop icmp")
    with getattr(site, where).inside():
        inode = netns_inode()
    with site.host.inside(), site.open() as firewall:
        store = firewall._instance.store
        bound = store.read().binding
        assert bound is not None and bound.cookie == netns_cookie()
        store.bind(replace(bound, netns=inode, cookie=bound.cookie + 1000))
        firewall.add_rules(rules("drop udp"))
        assert store.read().binding == bound


def test_a_namespace_that_is_gone_binds_anew(site: Site) -> None:
    gone = site.lab.namespace("gone")
    with gone.inside(), site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
    site.host.status("ip", "netns", "del", gone.name)
    with site.open() as firewall:
        firewall.attach("veth0")
        assert site.ping() == 0


def test_health_names_the_instance(site: Site) -> None:
    with site.open() as firewall:
        health = firewall.health()
    assert health.netns == site.host.inode
    assert health.state_dir_id == instance_digest(site.settings.state_dir, site.host.inode)
    assert health.state_dir_id != instance_digest(site.settings.state_dir, site.box.inode)


def test_a_reboot_is_said_and_restored(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules("drop icmp", "accept udp"))
        firewall.set_policy({"egress": "drop"})
        site.ping(3)
        firewall.reset_counters()
    site.forget_kernel()
    with site.open() as firewall:
        assert firewall.health().status == "degraded"
        assert any("xdpwall restore" in words for words in firewall.status().warnings)
        assert [rule.packets for rule in firewall.rules().rules] == [0, 0]
        outcome = firewall.restore()
        assert (outcome.revision, outcome.rules) == (2, 2)
        assert outcome.attached == ["veth0 xdp", "veth0 tc-egress"]
        assert site.ping(2) == 0
        assert firewall.rule("r1").packets == 2
        assert firewall.policy().egress == "drop"
        assert firewall.status().warnings[0].startswith("the ruleset is stateless")


def test_an_index_of_the_boot_before_is_no_interface(site: Site) -> None:
    """`late` had the index that `early` has now: nobody takes the one for the other, renamed."""
    for name in ("early", "late"):
        site.host.ip(f"link add {name} type veth peer name {name}-peer")
    with site.open() as firewall:
        for name in ("veth0", "early", "late"):
            firewall.attach(name)
        firewall.add_rules(rules("drop icmp on late"))
    index = site.host.index("late")
    site.host.ip("link del early")
    site.host.ip("link del late")
    site.forget_kernel()
    site.host.ip(f"link add early index {index} type veth peer name early-peer")
    with site.open() as firewall:
        outcome = firewall.restore()
        assert outcome.attached == ["veth0 xdp", "early xdp"]
        assert (outcome.already, outcome.waiting) == ([], ["late xdp"])
        assert {one.iface: one.state for one in firewall.status().attachments} == {
            "early": "attached",
            "late": "no interface",
            "veth0": "attached",
        }
        firewall.detach("late")
    assert "xdp" in site.host.ip("link show early")


def test_off_survives_a_reboot(site: Site) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall:
        firewall.set_switch(False)
    site.forget_kernel()
    with site.open() as firewall:
        assert "switched off" in firewall.restore().warnings[0]
        assert not firewall.status().on
        assert site.ping() == 3


def test_processes_change_one_after_the_other(site: Site) -> None:
    one = [step("add_rules", [f"drop tcp/{n}"]) for n in range(1, 9)]
    two = [step("add_rules", [f"drop udp/{n}"]) for n in range(1, 9)]
    processes = [site.start(*one), site.start(*two)]
    with site.open() as firewall:
        for number in range(1, 9):
            firewall.add_rules(rules(f"drop sctp/{number}"))
        for process in processes:
            assert process.communicate(timeout=PATIENCE)[1] == ""
            assert process.returncode == 0
        listed = firewall.rules()
        assert len({rule.id for rule in listed.rules}) == 24
        assert {rule.text for rule in listed.rules} == {
            f"drop {proto}/{n}" for proto in ("tcp", "udp", "sctp") for n in range(1, 9)
        }
        assert listed.revision == site.kernel_revision() == 24


def test_threads_change_one_after_the_other(site: Site) -> None:
    with site.open(service=True) as firewall:
        firewall.rules()
        problems: list[BaseException] = []

        def work(proto: str) -> None:
            try:
                with site.host.inside():
                    for number in range(1, 6):
                        firewall.add_rules(rules(f"drop {proto}/{number}"))
                        firewall.stats()
            except BaseException as error:  # noqa: BLE001 - shown by the assertion
                problems.append(error)

        threads = [threading.Thread(target=work, args=(proto,)) for proto in ("tcp", "udp", "sctp")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(firewall.rules().rules) == 15
        assert firewall.status().service


def test_a_process_sees_maps_that_another_made_bigger(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        assert site.run(step("add_rules", [f"drop tcp/{n}" for n in range(1, 1501)])) == 0
        site.ping(2)
        assert firewall.rule("r1").packets == 2
        firewall.delete_rules(["r1"])
        assert site.ping() == 3


def test_maps_that_another_made_bigger_and_then_changed_nothing(site: Site) -> None:
    """There is nothing on disk then by which this process would know."""
    addresses = [f"192.0.{n >> 8}.{n & 255}" for n in range(700)]
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.create_set("one")
        firewall.change_set("one", add=addresses)
        firewall.add_rules(rules("drop icmp"))
        before = [path.name for path in site.settings.bpffs.glob("maps-*")]
        assert site.run(step("change_set", "one", add=addresses)) == 0
        assert [path.name for path in site.settings.bpffs.glob("maps-*")] != before
        for turn in range(2):
            firewall.set_rule("r1", {"comment": f"turn {turn}"})
            assert site.ping(1) == 0


def test_a_lock_that_nobody_gives_back(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
        patient = Instance(site.settings, lock_seconds=0.05)
        with firewall._instance.lock.hold():
            with pytest.raises(Conflict) as caught, writing(patient):
                pass
            assert caught.value.code == "busy"
        with writing(patient):
            pass
        patient.close()


def test_files_are_private(site: Site) -> None:
    site.prepare("drop icmp")
    assert stat.S_IMODE(site.settings.state_dir.stat().st_mode) == 0o700
    for path in site.settings.state_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_damaged_store_leaves_the_kernel_filtering(site: Site) -> None:
    site.prepare("drop icmp")
    (site.settings.state_dir / "xdpwall.db").write_bytes(b"\xa5" * 40960)
    (site.settings.state_dir / "xdpwall.copy").unlink()
    with site.open() as firewall:
        with pytest.raises(Failed) as caught:
            firewall.rules()
        assert caught.value.code == "corrupt" and "FILE --adopt" in str(caught.value.hint)
        assert firewall.status().kernel is not None
    assert site.ping() == 0


@pytest.fixture
def small_disk(site: Site, tmp_path: Path) -> Iterator[Settings]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=768k,mode=0700", "xwt-small", str(folder)]
    subprocess.run(mount, check=True)
    yield Settings(folder, site.settings.bpffs, site.settings.socket)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Not a byte is left."""
    with open(folder / "filler", "wb", buffering=0) as filler:
        for size in (4096, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return folder / "filler"


def test_a_full_disk_leaves_the_old_ruleset_in_force(site: Site, small_disk: Settings) -> None:
    with Firewall.open(small_disk) as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        filler = fill(small_disk.state_dir)
        with pytest.raises(Full) as caught:
            for _ in range(200):  # what SQLite has in hand lasts for some
                firewall.delete_rules(["r1"])
                firewall.add_rules([rules("drop icmp")[0].with_id("r1")])
        assert caught.value.code == "disk-full"
        listed = [rule.id for rule in firewall.rules().rules]
        assert site.ping() == (0 if listed == ["r1"] else 3)
        assert firewall.rules().revision == site.kernel_revision()
        # The way out works without a byte of disk.
        assert firewall.set_switch(False).changed
        assert site.ping() == 3
        assert firewall.status().on is False
        os.unlink(filler)
        firewall.set_switch(True)
        firewall.flush()
        firewall.add_rules(rules("drop icmp"))
        assert site.ping() == 0
        assert firewall.rules().revision == site.kernel_revision()
