"""Without privileges: each command says so, with exit 4, and leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.service.nobody import as_nobody, open_folder

NOBODY = as_nobody()
COMMANDS = [
    "status",
    "rule list",
    "rule add drop icmp",
    "export",
    "attach veth0",
    "restore",
    "appeared veth0",
    "trace",
]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not pytest's own, which others may not enter."""
    with open_folder() as folder:
        yield folder


def test_roots_instance_is_closed_to_nobody(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp", "--id", "one")
    before = direct.json("rule", "list")
    for line in COMMANDS:
        done = direct.run(*line.split(), wrap=NOBODY)
        assert done.returncode == 4, (line, done.stdout, done.stderr)
        assert done.stderr.startswith("error: "), line
        assert "hint: " in done.stderr, line
        assert done.stdout == "", line
    assert direct.json("rule", "list") == before


def test_nobodys_own_state_does_not_open_the_kernel(direct: Instance) -> None:
    own = direct.state_dir.parent / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    mine = Instance(own / "state", direct.bpffs, own / "socket", direct.space)
    done = mine.run("attach", "veth0", wrap=NOBODY)
    assert done.returncode == 4, (done.stdout, done.stderr)
    assert "hint: " in done.stderr


def test_the_service_answers_nobody_only_by_the_group(served: Instance) -> None:
    done = served.run("rule", "list", wrap=NOBODY)
    assert done.returncode == 4
    assert "join the group xdpwall" in done.stderr


def test_a_service_of_another_namespace_is_refused(served: Instance) -> None:
    elsewhere = Instance(served.state_dir, served.bpffs, served.socket, served.box)
    done = elsewhere.run("rule", "list", "-v")
    assert done.returncode == 5, (done.stdout, done.stderr)
    assert "another network namespace" in done.stderr
    assert "hint: " in done.stderr
    assert "code: other-namespace" in done.stderr


def test_an_instance_of_another_namespace_is_refused(direct: Instance) -> None:
    direct.done("attach", "veth0")
    elsewhere = Instance(direct.state_dir, direct.bpffs, direct.socket, direct.box)
    for line in ("rule list", "rule add drop icmp"):
        done = elsewhere.run(*line.split(), "-v")
        assert done.returncode == 5, (done.stdout, done.stderr)
        assert "code: other-namespace" in done.stderr
