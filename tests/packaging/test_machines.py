"""The machines of Vagrantfile and lima.yaml: what they run is there, and the demonstration shows what it says.

`make test-machines` runs the whole of it in bare Debian roots.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from scripts.test_machines import LAST_WORDS
from tests.cli.support import PATIENCE, clean_environment
from tests.support.net.netns import Lab, Namespace
from tests.support.paths import ROOT

MACHINES = ROOT / "scripts" / "machines"
IFACE, WALL, PEER = "eth1", "192.168.56.10", "192.168.56.11"


def test_vagrant_runs_scripts_that_are_there_and_make_targets() -> None:
    text = (ROOT / "Vagrantfile").read_text("utf-8")
    paths = re.findall(r'path: "([^"]+)"', text)
    assert sorted(paths) == [
        f"scripts/machines/{name}" for name in ("client", "demonstrate", "wall")
    ]
    assert all(os.access(ROOT / path, os.X_OK) for path in paths)
    assert f'WALL = "{WALL}"' in text and f'CLIENT = "{PEER}"' in text
    assert f'args: ["{IFACE}", CLIENT]' in text
    # The client is up when the wall's demonstration pings it.
    assert text.index('define "client"') < text.index('define "wall"')
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for path in paths:
        for said in re.findall(r"make -s -C \S+ (.+)", (ROOT / path).read_text("utf-8")):
            assert set(said.split()) <= targets, said


def test_lima_makes_the_wall_on_either_processor() -> None:
    text = (ROOT / "lima.yaml").read_text("utf-8")
    found = YAML(typ="safe", pure=True).load(text)
    assert {one["arch"] for one in found["images"]} == {"x86_64", "aarch64"}
    (step,) = found["provision"]
    assert step["mode"] == "system"
    assert "/srv/xdpwall/scripts/machines/wall" in step["script"]
    assert "make -s -C /srv/xdpwall demo" in step["script"]
    assert set(re.findall(r"PARAM_(\w+)", step["script"])) == set(found["param"])
    assert subprocess.run(["sh", "-n"], input=step["script"], text=True, check=True)


@pytest.fixture
def pair(lab: Lab) -> tuple[Namespace, Namespace]:
    wall, client = lab.namespace("wall"), lab.namespace("client")
    outside = f"{PEER}/24"
    lab.veth(wall, IFACE, client, "eth1", address=f"{WALL}/24", peer_address=outside)
    return wall, client


def test_the_demonstration(pair: tuple[Namespace, Namespace], lab: Lab, tmp_path: Path) -> None:
    """On a real interface; `make demo`, which it begins with, has a test of its own."""
    wall, _ = pair
    (tmp_path / "Makefile").write_text("demo:\n\t@echo the demo\n")
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "xdpwall"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m xdpwall "$@"\n')
    shim.chmod(0o755)
    env = clean_environment(
        XDPWALL_STATE_DIR=str(tmp_path / "state"),
        XDPWALL_BPFFS=str(lab.bpffs / "xdpwall"),
        XDPWALL_SOCKET=str(tmp_path / "socket"),
        PATH=f"{tmp_path}/bin:{os.environ['PATH']}",
    )

    def demonstrate() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            wall.argv(str(MACHINES / "demonstrate"), IFACE, PEER, str(tmp_path)),
            env=env, capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip

    done = demonstrate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(LAST_WORDS)
    assert "3 received" in done.stdout and "0 received" in done.stdout
    wall.ip(f"addr del {WALL}/24 dev {IFACE}")  # it is able to fail
    done = demonstrate()
    assert done.returncode == 1 and "expected 3 of 3 answers" in done.stderr
