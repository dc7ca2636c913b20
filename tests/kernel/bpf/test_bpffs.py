"""The BPF file system: found, mounted in a fresh mount namespace, refused with words; grace."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from tests.support.net.netns import BPFFS, Lab
from tests.support.service.fds import open_fds
from tests.support.service.unprivileged import as_nobody
from xdpwall.errors import InvalidInput, NeedsPrivileges, NotFound
from xdpwall.kernel.bpf import bpffs, pin_path
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map


def in_fresh_mounts(script: str) -> str:
    """Run Python in a mount namespace whose /sys/fs/bpf is a plain folder; returns its stdout."""
    shell = 'while umount -q /sys/fs/bpf; do :; done; exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-ec", shell, "sh"]
        + [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_a_bpffs(lab: Lab, tmp_path: Path) -> None:
    assert pin_path.is_bpffs(lab.bpffs)
    assert not pin_path.is_bpffs(tmp_path)
    assert not pin_path.is_bpffs(lab.bpffs / "absent")


def test_mounts_when_missing() -> None:
    script = """
from xdpwall.kernel.bpf import bpffs, pin_path
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import Map, create_map
assert not pin_path.is_bpffs("/sys/fs/bpf")
folder = bpffs.ensure_mounted("/sys/fs/bpf/xwt-mount/deep")
assert bpffs.ensure_mounted(folder) == folder
create_map(MapType.ARRAY, "a", 4, 8, 1).pin(folder / "table")
print(Map.open_pinned(folder / "table").info.name, oct(folder.stat().st_mode & 0o777))
"""
    assert in_fresh_mounts(script) == "a 0o700\n"
    assert not (BPFFS / "xwt-mount").exists()  # that mount was the namespace's own


def test_may_not_mount() -> None:
    script = """
import os
from xdpwall.errors import NeedsPrivileges
from xdpwall.kernel.bpf import bpffs
os.setresuid(65534, 65534, 65534)
try:
    bpffs.ensure_mounted("/sys/fs/bpf/xwt-mount")
except NeedsPrivileges as error:
    print(error.message, "|", error.hint, "|", error.detail)
"""
    message, hint, detail = in_fresh_mounts(script).split(" | ")
    assert message == "no BPF file system at /sys/fs/bpf, and it cannot be mounted"
    assert "root" in hint
    assert detail.startswith("EPERM (1)")


def test_may_not_make_the_folder(lab: Lab) -> None:
    target = lab.bpffs / "inner"
    error = as_nobody(lambda: bpffs.ensure_mounted(target))
    assert isinstance(error, NeedsPrivileges)
    assert f"{target}: cannot be made" in error.message


def test_folders_are_made(lab: Lab) -> None:
    target = lab.bpffs / "a" / "b"
    assert bpffs.ensure_mounted(str(target)) == target
    assert target.is_dir()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("relative/path", "must be an absolute path"),
        ("/tmp/xwt-nowhere/bpf", "/tmp is not on a BPF file system"),
    ],
)
def test_folders_that_cannot_be(name: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        bpffs.ensure_mounted(name)
    assert caught.value.field == "bpffs"
    assert not Path("/tmp/xwt-nowhere").exists()


def test_a_dot_is_explained(lab: Lab) -> None:
    with pytest.raises(InvalidInput, match="has no dot"):
        bpffs.ensure_mounted(lab.bpffs / "v1.2")


def test_a_pin_in_the_folders_place(lab: Lab) -> None:
    with create_map(MapType.ARRAY, "a", 4, 8, 1) as table:
        table.pin(lab.bpffs / "taken")
    with pytest.raises(InvalidInput, match="taken is not a folder"):
        bpffs.ensure_mounted(lab.bpffs / "taken")


def test_names_renames_and_removals(lab: Lab) -> None:
    folder = bpffs.ensure_mounted(lab.bpffs / "pins")
    with (
        create_map(MapType.ARRAY, "old", 4, 8, 1) as old,
        create_map(MapType.ARRAY, "new", 4, 8, 1) as new,
    ):
        old.pin(folder / "map")
        new.pin(folder / "map-next")
    assert bpffs.pin_names(folder) == ["map", "map-next"]
    bpffs.rename(folder / "map-next", folder / "map")  # in one step over the old one
    assert bpffs.pin_names(folder) == ["map"]
    with Map.open_pinned(folder / "map") as found:
        assert found.info.name == "new"
    assert bpffs.unlink(folder / "map") is True
    assert bpffs.unlink(folder / "map") is False
    assert bpffs.pin_names(folder) == []
    assert bpffs.pin_names(folder / "absent") == []
    with pytest.raises(NotFound):
        bpffs.rename(folder / "absent", folder / "map")


def test_a_whole_tree_is_removed(lab: Lab) -> None:
    bpffs.ensure_mounted(lab.bpffs / "tree" / "inner")
    with create_map(MapType.ARRAY, "a", 4, 8, 1) as table:
        table.pin(lab.bpffs / "tree" / "one")
        table.pin(lab.bpffs / "tree" / "inner" / "two")
    bpffs.remove_tree(lab.bpffs / "tree")
    assert bpffs.pin_names(lab.bpffs) == []
    bpffs.remove_tree(lab.bpffs / "tree")


def duration(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_grace_period_takes_its_time_and_no_descriptors() -> None:
    """An RCU grace period, even a hastened one, takes many times as long as a plain update."""
    bpffs.wait_grace_period()  # makes its maps
    before = set(open_fds())
    with create_map(MapType.ARRAY, "a", 4, 4, 1) as table:
        update = median(duration(lambda: table.update(0, bytes(4))) for _ in range(101))
    assert min(duration(bpffs.wait_grace_period) for _ in range(3)) > 5 * update
    assert set(open_fds()) == before
