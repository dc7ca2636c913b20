"""What goes wrong with sets: kill -9, full maps, a full disk, Ctrl-C. Old or new, never half."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.firewall.support import PATIENCE, Site, dataplane_of, in_kernel, rules, step
from tests.support.net.netns import Lab, Namespace, wait_for
from xdpwall import abi
from xdpwall.changes import set_entries, set_kernel
from xdpwall.changes.bringup import ensure_loaded
from xdpwall.changes.crashpoints import POINTS
from xdpwall.changes.transactions import writing
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.errors import Full
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf.maps import Map
from xdpwall.sets.entries import Entries
from xdpwall.sets.keys import KINDS

KILLED = -9
ENTRY = [point for point in POINTS if point in ("set-recorded", "set-written")]
LOAD = [point for point in POINTS if point in ("set-staged", "set-loaded", "set-swept")]
CHANGE = [point for point in POINTS if point.startswith("after-")]


def test_every_point_of_sets_is_here() -> None:
    assert {*ENTRY, *LOAD, "set-expired"} == {p for p in POINTS if p.startswith("set-")}


@pytest.fixture
def ready(site: Site) -> Site:
    """10.0.0.1 is bad, and so far the box is not."""
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("bad", Entries.of(["10.0.0.1", "10.0.0.0/24"]))
        firewall.add_rules(rules("drop icmp from @bad"))
    assert site.ping(1) == 1
    return site


def is_bad_everywhere(site: Site, firewall: Firewall) -> bool:
    """Whether 10.9.0.2 is in the set. Asserts that disk, kernel and packets agree on all entries, and
    that nothing is left of an interrupted change."""
    firewall.create_set("writer")  # every writer first finishes what was left
    firewall.delete_set("writer")
    bad = firewall.test_set("bad", "10.9.0.2").found
    assert (site.ping(1) == 0) is bad
    assert firewall.health().problems == []
    numbers = {row.number for row in firewall._instance.ruleset.sets}
    assert set(firewall._instance.store.sets.entry_counts()) <= numbers
    assert firewall._instance.store.sets.unapplied_changes() == []
    held = firewall._instance.store.sets.entry_counts().values()
    dataplane = dataplane_of(firewall)
    counts = {kind: sum(getattr(one, kind) for one in held) for kind in KINDS}
    assert in_kernel(dataplane) == counts
    assert expiry_steps_are_written(firewall, dataplane)
    return bad


def expiry_steps_are_written(firewall: Firewall, dataplane: Dataplane) -> bool:
    """Whether the kernel has the expiry steps of all classes that entries have."""
    classes, maps = firewall._instance.sets.classes, firewall._instance.sets.maps(dataplane)
    values = [table.lookup_batch()[1].view("<u4")[:, 0] for table in maps.tables.values()]
    wanted = [
        (n, *classes.expiry_step(n))
        for n in classes.with_successors(np.concatenate(values).tolist())
    ]
    return all(
        (maps.classes[n]["expires"] > 0, maps.classes[n]["after"]) == (ends > 0, after)
        for n, ends, after in wanted
    )


@pytest.mark.parametrize("point", ENTRY)
@pytest.mark.parametrize("entry", ["10.9.0.2", "10.0.0.0/8"])
@pytest.mark.parametrize("expires", [None, "1h"])
def test_killed_while_an_entry_comes(
    ready: Site, point: str, entry: str, expires: str | None
) -> None:
    coming = step("change_set", "bad", add=[entry], expires=expires)
    assert ready.run(coming, crash_at=point) == KILLED
    with ready.open() as firewall:
        # It was on disk: the disk wins.
        assert is_bad_everywhere(ready, firewall)
        firewall.change_set("bad", remove=[entry])
        assert not is_bad_everywhere(ready, firewall)


@pytest.mark.parametrize("point", [*LOAD, *CHANGE])
def test_killed_while_a_set_is_replaced(ready: Site, point: str) -> None:
    new = step("replace_set", "bad", ["10.9.0.2", "10.0.0.0/24", "10.0.0.0/25"])
    assert ready.run(new, crash_at=point) == KILLED
    dropped = ready.ping(1) == 0
    with ready.open() as firewall:
        assert is_bad_everywhere(ready, firewall) is dropped
        assert firewall.set("bad").entries == (3 if dropped else 2)
        firewall.replace_set("bad", Entries.of(["10.9.0.2"]))
        assert is_bad_everywhere(ready, firewall)


def test_killed_while_expired_entries_are_taken_out(ready: Site) -> None:
    with ready.open() as firewall:
        firewall.change_set("bad", add=["10.9.0.2", "10.9.0.0/24"], expires="1s")
        wait_for(lambda: not firewall.test_set("bad", "10.9.0.2").found, "the entry's end")
    assert ready.run(step("create_set", "x"), crash_at="set-expired") == KILLED
    with ready.open() as firewall:
        assert not is_bad_everywhere(ready, firewall)
        assert firewall.set("bad").entries == 2


def test_expired_entries_stay_out(ready: Site) -> None:
    """Who took them out told the disk; who comes next does not write them again."""
    with ready.open() as firewall:
        firewall.change_set("bad", add=["10.9.0.2", "10.9.0.0/24"], expires="1s")
        wait_for(lambda: not firewall.test_set("bad", "10.9.0.2").found, "the entry's end")
    for _ in range(3):
        with ready.open() as firewall:
            assert not is_bad_everywhere(ready, firewall)


def test_a_second_begins_while_entries_are_taken_out(
    ready: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends in it keeps its class until it is taken out itself."""
    end = int(time.time()) + 3600
    with ready.open() as firewall:
        for i, entry in enumerate(("10.9.0.2", "10.0.0.9")):
            moment = datetime.fromtimestamp(end + i, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            firewall.change_set("bad", add=[entry], expires=moment)
        with writing(firewall._instance):
            dataplane = ensure_loaded(firewall._instance)
            monkeypatch.setattr(firewall._instance.clock, "seconds", count(end).__next__)
            assert set_entries.remove_expired(firewall._instance, dataplane) == 1
            assert set_entries.remove_expired(firewall._instance, dataplane, end + 1) == 1
        monkeypatch.undo()
        assert not is_bad_everywhere(ready, firewall)


def test_killed_while_sets_are_restored(ready: Site) -> None:
    with ready.open() as firewall:
        firewall.change_set("bad", add=["10.9.0.2"])
        firewall.change_set("bad", add=["10.9.0.0/24"], expires="1h")
    for point in ("restore-created", "restore-sets", "restore-loaded"):
        ready.forget_kernel()
        assert ready.run(step("restore"), crash_at=point) == KILLED
        with ready.open() as firewall:
            firewall.restore()
            assert is_bad_everywhere(ready, firewall)
            assert firewall.set("bad").timed == 1


def test_more_addresses_than_there_is_room_for(ready: Site) -> None:
    with ready.open() as firewall:
        many = [f"192.0.{i >> 8}.{i & 255}" for i in range(3000)]
        assert firewall.change_set("bad", add=many[:1500]).added == 1500
        firewall.replace_set("other", Entries.of(["2001:db8::1", *many[1500:]]))
        firewall.change_set("bad", add=["10.9.0.2"])
        assert is_bad_everywhere(ready, firewall)


def test_no_more_addresses_than_programs_reach(
    ready: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other than those that are in several sets."""
    monkeypatch.setattr(abi, "MAX_SET4", 2048)
    many = ["10.9.0.2", *(f"192.0.{i >> 8}.{i & 255}" for i in range(1499))]
    more = [f"198.51.{i >> 8}.{i & 255}" for i in range(549)]
    with ready.open() as firewall:
        firewall.replace_set("bad", Entries.of(many))
        firewall.replace_set("other", Entries.of(many))
        firewall.change_set("other", add=["10.9.0.3"])
        for change in (
            lambda: firewall.change_set("bad", add=more),
            lambda: firewall.replace_set("bad", Entries.of([*many, *more])),
        ):
            with pytest.raises(Full, match="2,050 IPv4 .* at most 2,048"):
                change()
            assert firewall.health().problems == [] and firewall.set("bad").entries == 1500
            assert in_kernel(ensure_loaded(firewall._instance))["v4"] == 1501
        firewall.change_set("bad", add=more[:-2])
        assert in_kernel(ensure_loaded(firewall._instance))["v4"] == 2048
        assert ready.ping(1) == 0


def test_full_maps_leave_what_there_was(ready: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (set_entries, set_kernel):
        monkeypatch.setattr(module, "make_room", lambda *_, **__: None)
    many = ["10.9.0.2", *(f"192.0.{i >> 8}.{i & 255}" for i in range(6000))]
    with ready.open() as firewall:
        with pytest.raises(Full) as caught:
            firewall.replace_set("bad", Entries.of(many))
        assert "set4_rest is full" in caught.value.message
        assert not is_bad_everywhere(ready, firewall) and firewall.set("bad").entries == 2
        with pytest.raises(Full):
            firewall.change_set("bad", add=many)
        assert not is_bad_everywhere(ready, firewall) and firewall.set("bad").entries == 2
        firewall.change_set("bad", add=["10.9.0.2"])
        assert is_bad_everywhere(ready, firewall)


def test_ctrl_c_leaves_the_old_set(ready: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    update, calls = Map.update_batch, []

    def interrupted(self: Map, keys: object, values: object, count: int, flags: int = 0) -> None:
        calls.append(self.info.name)
        if calls[-1] == "set6":  # IPv4 has been written
            raise KeyboardInterrupt
        update(self, keys, values, count, flags)  # type: ignore[arg-type]

    with ready.open() as firewall:
        with monkeypatch.context() as patched:
            patched.setattr(Map, "update_batch", interrupted)
            with pytest.raises(KeyboardInterrupt):
                firewall.replace_set("bad", Entries.of(["10.9.0.2", "::1", "10.9.0.0/24"]))
        assert calls[-1] == "set6"
        assert not is_bad_everywhere(ready, firewall) and firewall.set("bad").entries == 2


@pytest.fixture
def small(site: Site, tmp_path: Path) -> Iterator[Site]:
    """The site with its state folder on a disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "xwt-small-sets", str(folder)]
    subprocess.run(mount, check=True)
    yield Site(site.lab, site.host, site.box, folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_what_there_was(small: Site) -> None:
    with small.open() as firewall:
        firewall.attach("veth0")
        firewall.replace_set("bad", Entries.of(["10.0.0.1"]))
        firewall.add_rules(rules("drop icmp from @bad"))
        filler = os.open(small.settings.state_dir.parent / "filler", os.O_WRONLY | os.O_CREAT)
        try:
            with pytest.raises(OSError):
                while True:
                    os.write(filler, b"x" * 4096)
        finally:
            os.close(filler)
        many = ["10.9.0.2", *(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(200_000))]
        with pytest.raises(Full) as caught:
            firewall.replace_set("bad", Entries.of(many[:100_000]))
        assert caught.value.code == "disk-full"
        with pytest.raises(Full):
            firewall.change_set("bad", add=many[:20_000])
        assert small.ping(1) == 1 and firewall.set("bad").entries == 1
        (small.settings.state_dir.parent / "filler").unlink()
        assert not is_bad_everywhere(small, firewall)
        firewall.change_set("bad", add=["10.9.0.2"])
        assert is_bad_everywhere(small, firewall)


def test_another_namespace_may_not(ready: Site, lab: Lab) -> None:
    other: Namespace = lab.namespace("other")
    process = ready.start(step("change_set", "bad", add=["10.9.0.2"]), space=other)
    _, words = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "network namespace" in words
    assert ready.ping(1) == 1
