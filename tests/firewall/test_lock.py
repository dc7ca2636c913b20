"""The instance's lock is fair: who waits gets it, whatever the others do one after the other."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.net.netns import PATIENCE
from tests.support.paths import ROOT
from xdpwall.errors import Conflict
from xdpwall.instance.lock import InstanceLock

GREEDY = """
import sys, time
from pathlib import Path
from xdpwall.instance.lock import InstanceLock
lock = InstanceLock(Path(sys.argv[1]))
while True:
    with lock.hold():
        print(".", end="", flush=True)
        time.sleep(0.02)
"""


@pytest.mark.parametrize("greedy", [1, 3])
def test_who_changes_without_a_pause_shuts_nobody_out(tmp_path: Path, greedy: int) -> None:
    path = tmp_path / "lock"
    argv = [sys.executable, "-c", GREEDY, str(path)]
    others = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        for _ in range(greedy)
    ]
    try:
        for one in others:
            assert one.stdout is not None
            assert one.stdout.read(1) == b"."
        lock = InstanceLock(path, timeout=PATIENCE)
        begun = time.monotonic()
        for _ in range(20):
            with lock.hold():
                pass
        # Each time after one change of another at most, had there been no scheduler.
        assert time.monotonic() - begun < PATIENCE
        lock.close()
    finally:
        for one in others:
            one.kill()
            one.communicate()


def test_the_turn_is_given_back_by_who_gave_up(tmp_path: Path) -> None:
    first, second = (InstanceLock(tmp_path / "lock", timeout=0.05) for _ in range(2))
    with first.hold():
        for _ in range(3):
            with pytest.raises(Conflict) as caught, second.hold():
                pass
            assert caught.value.code == "busy"
    with second.hold():
        pass
    with first.hold(), first.hold():
        assert first.held
    first.close()
    second.close()


def test_without_a_turn_it_is_a_lock_still(tmp_path: Path) -> None:
    (tmp_path / "lock.turn").mkdir()
    lock = InstanceLock(tmp_path / "lock", timeout=PATIENCE)
    with lock.hold():
        other = InstanceLock(tmp_path / "lock", timeout=0.05)
        with pytest.raises(Conflict), other.hold():
            pass
        other.close()
    lock.close()
