"""The state folder was lost, emptied, exchanged or is an old copy: the kernel's ruleset stays in force."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.firewall.support import Site, rules
from tests.firewall.test_upgrade import flood
from tests.support.paths import ROOT
from tests.support.service.service import Service
from xdpwall.errors import ANOTHER_STATE, Conflict, Failed
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf import bpffs
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.settings import Settings

KINDS = ("lost", "empty", "foreign", "older")
RULES = "drop icmp from @bad"


class Folders:
    """The right state folder, and others that may stand in its place."""

    def __init__(self, site: Site) -> None:
        """veth0 attached, and pings from the box dropped by a set, as revision 4."""
        self.site, self.state = site, site.settings.state_dir
        self.kept = self.state.with_name("kept")
        self.kept.mkdir()
        with site.open() as firewall:
            firewall.attach("veth0")
            firewall.add_rules(rules("count tcp"))
        shutil.copytree(self.state, self.kept / "older")
        with site.open() as firewall:
            firewall.create_set("bad")
            firewall.change_set("bad", add=["10.9.0.2"])
            firewall.add_rules(rules(RULES))
            firewall.set_policy({"egress": "drop"})
            firewall.set_policy({"egress": "accept"})
        (self.kept / "empty").mkdir()
        (self.kept / "empty" / "xdpwall.db").touch()
        other = Settings(
            self.kept / "foreign", site.settings.bpffs.with_name("other"), site.settings.socket
        )
        with Firewall.open(other) as firewall:
            for turn in range(5):  # as many revisions as in the kernel
                firewall.add_rules(rules(f"accept tcp/{turn + 1}"))
        bpffs.remove_tree(other.bpffs)
        assert site.kernel_revision() == site.disk_revision() == 5
        self.right = self.kept / "right"
        self.state.rename(self.right)

    def put(self, kind: str) -> None:
        """Let this folder be the state folder."""
        shutil.rmtree(self.state, ignore_errors=True)
        if kind != "lost":
            shutil.copytree(self.kept / kind, self.state)

    def put_right(self) -> None:
        """Let the right folder, which goes on, be the state folder."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.symlink_to(self.right)

    def take_right(self) -> None:
        """Keep the right folder for later."""
        self.state.unlink()


@pytest.fixture
def folders(site: Site) -> Folders:
    return Folders(site)


CHANGES: list[Callable[[Firewall], Any]] = [
    lambda fw: fw.add_rules(rules("accept icmp"), at=1),
    lambda fw: fw.delete_rules(["r1"]),
    lambda fw: fw.set_policy({"ingress": "accept"}),
    lambda fw: fw.create_set("more"),
    lambda fw: fw.change_set("bad", remove=["10.9.0.2"]),
    lambda fw: fw.set_events({"drops": True}),
    lambda fw: fw.attach("veth0", hook="tc"),
    lambda fw: fw.apply(Ruleset(tuple(rules("accept icmp")))),
    lambda fw: fw.restore(),
]


def test_every_change_is_refused_and_the_truth_told(folders: Folders) -> None:
    site = folders.site
    pins = sorted(path.name for path in site.settings.bpffs.rglob("*"))
    with flood(site):
        for kind in KINDS:
            folders.put(kind)
            with site.open() as firewall:
                for change in CHANGES:
                    with pytest.raises(Conflict) as caught:
                        change(firewall)
                    assert caught.value.code == ANOTHER_STATE, kind
                    assert "the kernel holds revision 5" in caught.value.message
                status = firewall.status()
                assert status.kernel is not None and status.kernel.revision == 5
                assert [(one.iface, one.state) for one in status.attachments] == [
                    ("veth0", "attached")
                ]
                assert status.attachments[0].totals.seen.packets > 0
                assert any("the kernel holds revision 5" in words for words in status.warnings)
                assert firewall.health().status == "degraded"
            said = xdpwall(site, "status").stdout
            assert "revision 5 of another state" in said and "nothing is attached" not in said
            assert xdpwall(site, "rule", "add", "accept", "icmp").returncode == 5
            assert xdpwall(site, "restore").returncode == 5
            assert site.kernel_revision() == 5
        assert sorted(path.name for path in site.settings.bpffs.rglob("*")) == pins
        folders.put_right()
        with site.open() as firewall:
            assert firewall.status().warnings == []
            firewall.change_set("bad", add=["10.9.0.3"])
            assert firewall.add_rules(rules("count udp")).revision == 6
    with site.open() as firewall:
        firewall.change_set("bad", remove=["10.9.0.2"])
    assert site.ping() == 3


def test_a_service_serves_reads_and_refuses_changes(folders: Folders) -> None:
    site = folders.site
    with flood(site):
        for kind in ("lost", "foreign"):
            folders.put(kind)
            service = Service(site.host, folders.kept, site.lab.bpffs)
            service.settings = site.settings
            with service:
                refused = service.call("POST", "/rules", {"text": "accept icmp"})
                assert (refused.status, refused.json["code"]) == (409, ANOTHER_STATE)
                assert service.call("POST", "/restore").status == 409
                healthy = service.call("GET", "/healthz").json
                assert healthy["status"] == "degraded"
                assert "the kernel holds revision 5" in healthy["problems"][0]
                assert service.call("GET", "/rules").status == 200
                assert service.call("GET", "/status").json["kernel"]["revision"] == 5
                assert service.call("POST", "/restore?adopt=maybe").status == 422
                if kind == "foreign":
                    wanted = {"version": 1, "rules": ["drop icmp"]}
                    assert service.call("PUT", "/ruleset", wanted).status == 409
                    assert service.call("PUT", "/ruleset?adopt=true", wanted).status == 200
                    assert service.call("POST", "/restore?adopt=true").json["rules"] == 1
                    assert service.call("GET", "/healthz").json["status"] == "ok"
            assert "the kernel holds revision 5" in service.log()


def test_off_on_and_detach_work_all_the_same(folders: Folders) -> None:
    site = folders.site
    for kind in KINDS:
        folders.put(kind)
        with site.open() as firewall:
            assert site.ping(1) == 0
            assert firewall.set_switch(False).changed
            assert not firewall.status().on
            assert site.ping(1) == 1
            assert firewall.set_switch(True).changed
            assert site.ping(1) == 0
            firewall.detach("veth0")
            assert site.ping(1) == 1
            assert "attached" not in [one.state for one in firewall.status().attachments]
        folders.put_right()
        with site.open() as firewall:
            assert firewall.restore().attached == []  # what was detached stays so
            assert firewall.attach("veth0").changed
        folders.take_right()


def test_an_id_that_is_missing_on_one_side_is_written_there(site: Site) -> None:
    """As an earlier release left them; and as many revisions do not make two instances one."""
    pin = site.settings.bpffs / "maps" / "identity"
    site.prepare("drop icmp")
    with site.open() as firewall:
        store = firewall._instance.store
        first = store.read().identity
    bpffs.unlink(pin)
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp"))
        assert pin.exists()
    with site.open() as firewall:
        dataplane = firewall._instance.dataplane()
        assert dataplane is not None and dataplane.identity.read() == first is not None
        with firewall._instance.store._session.write() as connection:
            connection.execute("DELETE FROM meta WHERE key = 'identity'")
        firewall.add_rules(rules("count udp"))
        assert firewall._instance.store.read().identity == first
        store = firewall._instance.store
        store.set_identity("0" * 32)
        with pytest.raises(Conflict):
            firewall.add_rules(rules("count sctp"))
    assert site.ping(1) == 0


def test_a_change_that_failed_on_the_disk_is_not_in_force_later(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall:
        firewall.create_set("bad")

        def broken(fd: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", broken)
        with pytest.raises(Failed):
            firewall.delete_rules(["r1"])
        monkeypatch.undo()
        assert site.ping(1) == 0
        assert [rule.id for rule in firewall.rules().rules] == ["r1"]
        assert firewall.status().warnings == []
        assert firewall.add_rules(rules("count udp")).revision == 4
        assert site.ping(1) == 0
    with site.open() as firewall:
        assert [rule.id for rule in firewall.rules().rules] == ["r1", "r2"]
        assert site.kernel_revision() == site.disk_revision() == 4
        # And where it could not even be taken back, the next writer does.
        instance = firewall._instance
        old = instance.ruleset
        new = type(old)(5, old.policy, (), old.next_number)
        from xdpwall.values.author import Author

        instance.store.revisions.record(old, new, by=Author(), action="test", now="now")
        instance.store.revisions.commit(5, lambda slots: [(0, 0)] * len(slots))
    assert (site.kernel_revision(), site.disk_revision()) == (4, 5)
    with site.open() as firewall:
        firewall.add_rules(rules("count tcp"))
        assert [rule.id for rule in firewall.rules().rules] == ["r1", "r2", "r3"]
        assert site.ping(1) == 0


def xdpwall(site: Site, *args: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a process."""
    paths = site.settings
    places = ["--state-dir", str(paths.state_dir), "--bpffs", str(paths.bpffs)]
    argv = site.host.argv(sys.executable, "-m", "xdpwall", *args, *places)
    return subprocess.run(
        [*argv, "--socket", str(paths.socket)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
