"""The instance's maps in bpffs: made once, opened again, refused when they are another version's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.net.netns import Lab
from xdpwall import abi
from xdpwall.dataplane.dataplane import Dataplane
from xdpwall.dataplane.pinned_counters import read_pinned
from xdpwall.errors import Conflict, Failed
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.map_info import MapType
from xdpwall.kernel.bpf.maps import create_map


@pytest.fixture
def folder(lab: Lab) -> Path:
    return lab.bpffs


def test_made_once_and_opened_again(folder: Path) -> None:
    first, second = Dataplane(folder), Dataplane(folder)
    assert not first.alive()
    first.create()
    with pytest.raises(Conflict):
        second.create()
    second.open()
    assert second.control.read() == abi.Control(copy=0, on=True, revision=0)
    first.control.set_switch(False)
    assert not second.control.read().on
    first.close()
    second.close()


def test_nothing_to_open(folder: Path) -> None:
    with pytest.raises(Failed) as caught:
        Dataplane(folder).open()
    assert caught.value.code == "no-maps"


def test_another_versions_maps_are_refused(folder: Path) -> None:
    plane = Dataplane(folder)
    plane.create()
    plane.close()
    bpffs.unlink(folder / "maps" / "counters")
    with create_map(MapType.PERCPU_ARRAY, "counters", 4, 24, 16) as other:
        other.pin(folder / "maps" / "counters")
    with pytest.raises(Failed) as caught:
        plane.open()
    assert caught.value.code == "other-version"
    assert "restore" in (caught.value.hint or "")
    with pytest.raises(Failed) as caught:
        read_pinned(folder, [0])
    assert caught.value.code == "other-version"


@pytest.mark.parametrize("later", ["maps/event_settings", "maps-1/set4_rest"])
def test_maps_without_a_pin_of_which_no_program_tells_are_refused(folder: Path, later: str) -> None:
    plane = Dataplane(folder)
    plane.create()
    plane.close()
    bpffs.unlink(folder / later)
    with pytest.raises(Failed) as caught:
        plane.open()
    assert caught.value.code == "missing-pin"


def test_a_start_that_did_not_finish_is_cleared_away(folder: Path) -> None:
    plane = Dataplane(folder)
    plane.create()
    plane.close()
    bpffs.unlink(folder / "maps" / "control")  # pinned last: without it nothing is alive
    assert not plane.alive()
    plane.create()
    assert plane.alive()
    plane.close()
