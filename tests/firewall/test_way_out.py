"""status, off, on and detach whatever became of the state folder, and what the disk learns of it later."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.firewall.support import PATIENCE, Site, rules, trail
from tests.firewall.test_instance import fill
from tests.firewall.test_state_folder import Folders
from tests.firewall.test_upgrade import flood
from xdpwall.api.server import _restore
from xdpwall.errors import ANOTHER_STATE, XdpwallError
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf import bpffs

DAMAGED = b"not a database, not even nearly" * 400


class Conditions(Folders):
    """State folders in nine conditions; the right one can always be put back."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._mounted = False
        for kind in ("damaged", "directory", "without-wal"):
            shutil.copytree(self.right, self.kept / kind)
        (self.kept / "damaged" / "xdpwall.db").write_bytes(DAMAGED)
        (self.kept / "directory" / "xdpwall.db").unlink()
        (self.kept / "directory" / "xdpwall.db").mkdir()
        self.put_right()
        with site.open() as firewall:
            firewall.add_rules(rules("count tcp/1"))
            shutil.copytree(self.right, self.kept / "without-wal", dirs_exist_ok=True)
        (self.kept / "without-wal" / "xdpwall.db-wal").unlink()
        self.take_right()

    def put(self, kind: str) -> None:
        if kind not in ("full", "read-only"):
            super().put(kind)
            return
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()
        self._mount("size=768k,mode=700")
        for name in os.listdir(self.right):
            shutil.copy(self.right / name, self.state / name)
        with self.site.open() as firewall:
            assert firewall.status().kernel is None
        if kind == "full":
            fill(self.state)
        else:
            self._mount("remount,ro")

    def mend(self, kind: str) -> None:
        """Let the disk be as it should, with what was written meanwhile."""
        if kind == "full":
            (self.state / "filler").unlink()
        elif kind == "read-only":
            self._mount("remount,rw")
        else:
            self.put_right()
            return
        for name in os.listdir(self.state):
            shutil.copy(self.state / name, self.right / name)
        self.close()
        self.put_right()

    def close(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", self.state], check=True)
            self.state.rmdir()
        self._mounted = False

    def _mount(self, options: str) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", options, "xwt-state", str(self.state)]
        subprocess.run(mount, check=True)
        self._mounted = True


@pytest.fixture
def conditions(site: Site) -> Iterator[Conditions]:
    made = Conditions(site)
    yield made
    made.close()


KINDS = (
    "lost", "empty", "foreign", "older", "without-wal", "damaged", "directory", "full", "read-only",
)  # fmt: skip
FAILS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("lost", "empty", "foreign", "older", "without-wal"), (ANOTHER_STATE,)),
    "damaged": ("corrupt",),
    "directory": ("untrusted-file",),
    "full": ("disk-full",),
    "read-only": ("failed",),
}
"""The code of the error that changes meet."""


def test_each_condition_times_each_command(conditions: Conditions) -> None:
    site = conditions.site
    for kind in KINDS:
        conditions.put(kind)
        revision, pins = site.kernel_revision(), pinned(site)
        with flood(site), Firewall(site.settings) as firewall:
            _truth_is_told(firewall, kind)
            for change in (_change, Firewall.restore, _service_start):
                _is_refused(firewall, change, kind)
            assert (site.kernel_revision(), pinned(site)) == (revision, pins), kind
        with Firewall(site.settings) as firewall:
            off = firewall.set_switch(False)
            assert off.changed and not firewall.status().on
            assert site.ping(1) == 1, kind
            on = firewall.set_switch(True)
            assert on.changed and firewall.status().on
            assert site.ping(1) == 0, kind
            for outcome in (off, on):
                assert kind == "full" or "not recorded" in outcome.warnings[0], kind
            gone = firewall.detach(None)
            assert gone.detached == ["veth0 xdp"]
            assert kind == "full" or "not recorded" in gone.warnings[0], kind
            assert site.ping(1) == 1, kind
            assert "attached" not in [one.state for one in firewall.status().attachments]
            if kind not in ("older", "full", "read-only"):  # these still have it on disk
                assert firewall.detach("veth0").detached == []
        # The kernel's truth wins: what was taken off is not attached again by the disk.
        conditions.mend(kind)
        with site.open() as firewall:
            again = firewall.restore()
            assert (again.attached, again.already, again.failed) == ([], [], []), kind
            assert trail(firewall)[-1] == "found detached: veth0 xdp" or kind == "full", kind
            firewall.attach("veth0")
            assert firewall.status().warnings == []
            assert site.ping(1) == 0
        conditions.take_right()


def _truth_is_told(firewall: Firewall, kind: str) -> None:
    status = firewall.status()
    assert status.on, kind
    assert [(one.iface, one.state) for one in status.attachments] == [("veth0", "attached")], kind
    if kind != "full":
        assert status.kernel is not None and status.kernel.policy.ingress == "accept"
        assert status.warnings, kind
        assert firewall.health().status == "degraded"
    assert [one.name for one in firewall.interfaces().interfaces if one.attachments] == ["veth0"]


def _change(firewall: Firewall) -> None:
    for _ in range(200):  # what SQLite has in hand on a full disk lasts for some
        firewall.change_set("bad", add=["10.9.0.77"])
        firewall.change_set("bad", remove=["10.9.0.77"])


def _service_start(firewall: Firewall) -> None:
    with Firewall.open(firewall._settings, service=True) as service:
        _restore(service)
        assert service.health().status == "degraded"


def _is_refused(firewall: Firewall, change: Callable[[Firewall], object], kind: str) -> None:
    try:
        change(firewall)
    except XdpwallError as error:
        assert error.code in FAILS[kind], (kind, change, error.code, error.message)
    else:
        # Nothing is to be written for a restore of what is in force.
        assert kind == "full" and change is not _change or change is _service_start, (kind, change)


def pinned(site: Site) -> list[str]:
    return sorted(str(path) for path in site.settings.bpffs.rglob("*"))


def test_a_switch_that_was_not_recorded_is_recorded_by_the_next_who_can(
    conditions: Conditions,
) -> None:
    site = conditions.site
    for kind in ("damaged", "foreign", "read-only"):
        for on in (False, True):
            conditions.put(kind)
            with Firewall(site.settings) as firewall:
                assert firewall.set_switch(on).changed
            conditions.mend(kind)
            with site.open() as firewall:
                assert firewall.status().on is on
                firewall.restore()  # as the service's start does
                assert firewall.status().on is on
                assert firewall._instance.store.read().on is on
                assert trail(firewall)[-1] == f"found switched {'on' if on else 'off'}"
            assert site.ping(1) == (0 if on else 1)
            conditions.take_right()


def test_the_lock_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds it and does not go on, as a service that hangs."""
    monkeypatch.setattr("xdpwall.changes.switch.RECORD_SECONDS", 0.05)
    monkeypatch.setattr("xdpwall.firewall.attachments.LOCK_SECONDS", 0.05)
    site.prepare("drop icmp")
    fd = os.open(site.settings.state_dir / "lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        with site.open() as firewall:
            assert "another xdpwall has been changing" in firewall.set_switch(False).warnings[0]
            assert site.ping(1) == 1
            assert firewall.set_switch(True).changed
            assert site.ping(1) == 0
            gone = firewall.detach("veth0")
            assert gone.detached == ["veth0 xdp"] and "another xdpwall" in gone.warnings[0]
            assert site.ping(1) == 1
    finally:
        os.close(fd)
    with site.open() as firewall:
        assert firewall.restore().attached == []
        assert firewall.status().attachments == []
        assert not bpffs.pin_names(site.settings.bpffs / "detached")
        firewall.attach("veth0")
        assert firewall.restore().already == ["veth0 xdp"]


def test_a_thread_that_hangs_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has open is not touched: the detach opens the instance anew."""
    monkeypatch.setattr("xdpwall.firewall.attachments.LOCK_SECONDS", 0.05)
    monkeypatch.setattr("xdpwall.changes.detached._GIVE_WAY", 0.05)
    site.prepare("drop icmp")
    hangs, end = threading.Event(), threading.Event()

    with site.open() as firewall:
        instance = firewall._instance
        monkeypatch.setattr(instance, "dataplane", None)  # fails when it is called

        def hang() -> None:
            with instance.lock.threads:
                hangs.set()
                end.wait()

        thread = threading.Thread(target=hang)
        thread.start()
        try:
            assert hangs.wait(PATIENCE)
            assert firewall.detach("veth0").detached == ["veth0 xdp"]
            assert site.ping(1) == 1
        finally:
            end.set()
            thread.join()


def test_a_missing_pin_keeps_nobody_in(site: Site) -> None:
    site.prepare("drop icmp")
    for name in ("control", "counters", "totals"):
        bpffs.unlink(site.settings.bpffs / "maps" / name)
        with Firewall(site.settings) as firewall:
            assert firewall.set_switch(False).changed
            assert site.ping(1) == 1
            assert firewall.set_switch(True).changed
            assert site.ping(1) == 0
    bpffs.unlink(site.settings.bpffs / "maps" / "control")
    with Firewall(site.settings) as firewall:
        assert firewall.detach(None).detached == ["veth0 xdp"]
        assert site.ping(1) == 1
        firewall.restore()
        assert firewall.status().attachments == []
        firewall.attach("veth0")
        assert site.ping(1) == 0
