"""Writing to disk in the background."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.net.netns import PATIENCE
from xdpwall.kernel.fdatasync import BackgroundFdatasync


def test_a_forked_process_writes_by_itself(tmp_path: Path) -> None:
    """The thread of the C library stays in the process that was forked."""
    with (tmp_path / "file").open("wb") as file:
        disk = BackgroundFdatasync()
        disk.begin(file.fileno())
        disk.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(int(PATIENCE))
            for one in (disk, BackgroundFdatasync()):
                one.begin(file.fileno())
                one.wait()
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
