"""A folder of pins that is listed only after a change: no change is missed, however soon it comes."""

from __future__ import annotations

from tests.support.net.netns import Lab, wait_for
from xdpwall.dataplane.pinned_clock import KeptClock, PinnedClock
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import create_map
from xdpwall.kernel.bpf.pin_folder import PinFolder


def wait_until_settled(folder: PinFolder) -> None:
    """Until the folder is not listed any more."""
    wait_for(
        lambda: folder.inodes() is folder.inodes() and folder._inodes is not None, "no listing"
    )


def test_every_change_is_seen_at_once(lab: Lab) -> None:
    folder = PinFolder(lab.bpffs / "progs")
    assert folder.inodes() == {}
    bpffs.ensure_mounted(folder.path)
    with create_map(MapType.ARRAY, "one", 4, 8, 1) as one:
        for settled in (False, True):
            for number in range(50 if not settled else 2):
                for change, names in (
                    (lambda: one.pin(folder.path / "a"), ("a",)),
                    (lambda: bpffs.rename(folder.path / "a", folder.path / "b"), ("b",)),
                    (lambda: one.pin(folder.path / "c"), ("b", "c")),
                    (lambda: bpffs.rename(folder.path / "b", folder.path / "c"), ("c",)),
                    (lambda: bpffs.unlink(folder.path / "c"), ()),
                ):
                    if settled:
                        wait_until_settled(folder)
                    change()
                    assert tuple(folder.inodes()) == names, (settled, number)


def test_another_folder_in_its_place(lab: Lab) -> None:
    here, there = lab.bpffs / "here", lab.bpffs / "there"
    for path in (here, there):
        bpffs.ensure_mounted(path)
    with create_map(MapType.ARRAY, "one", 4, 8, 1) as one:
        one.pin(here / "a")
    folder = PinFolder(here)
    wait_until_settled(folder)
    bpffs.exchange(here, there)
    assert folder.inodes() == {}
    bpffs.exchange(here, there)
    assert tuple(folder.inodes()) == ("a",)


def test_the_clock_follows_the_pin(lab: Lab) -> None:
    (lab.bpffs / "maps").mkdir(parents=True)
    mine, other = PinnedClock(lab.bpffs), PinnedClock(lab.bpffs)
    with mine, other:
        assert mine.read() is None
        other.write(KeptClock(1))
        assert mine.read() == KeptClock(1)
        other.write(KeptClock(2, 3, True))
        assert mine.read() == KeptClock(2, 3, True)
        bpffs.unlink(lab.bpffs / "maps" / "clock")
        assert mine.read() is None
        other.write(KeptClock(4))
        assert mine.read() == KeptClock(4), "the one that is pinned, not the one that is open"
