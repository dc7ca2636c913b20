"""`make demo` shows what it says, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def test_the_demonstration_works_and_cleans_up() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/demo.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for fact in ("ping is dead", "HTTP is alive", "the rule counted 5 packets", "ping is back"):
        assert f"ok: {fact}" in done.stdout
    assert not Path("/run/netns/xdpwall-demo").exists()
    assert not Path("/run/netns/xdpwall-demo-box").exists()
    assert not Path("/sys/fs/bpf/xdpwall-demo").exists()
