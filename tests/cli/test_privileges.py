"""Without privileges: each command says so, with exit 4, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cli.support import Instance
from tests.support.service.nobody import as_nobody

NOBODY = as_nobody()
COMMANDS = [
    "status",
    "rule list",
    "rule add drop icmp",
    "export",
    "attach veth0",
    "restore",
    "trace",
]


def open_up(folder: Path) -> None:
    """Let nobody walk to the folder, as far as pytest's own folders go."""
    for one in (folder, *folder.parents):
        if one.stat().st_uid == os.getuid() and one.name.startswith(("pytest", "test_")):
            one.chmod(0o755)


def test_roots_instance_is_closed_to_nobody(direct: Instance) -> None:
    direct.done("rule", "add", "drop", "icmp", "--id", "one")
    open_up(direct.state_dir.parent)
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
    open_up(direct.state_dir.parent)
    mine = Instance(own / "state", direct.bpffs, own / "socket", direct.space)
    done = mine.run("attach", "veth0", wrap=NOBODY)
    assert done.returncode == 4, (done.stdout, done.stderr)
    assert "hint: " in done.stderr


def test_the_service_answers_nobody_only_by_the_group(served: Instance) -> None:
    open_up(served.state_dir.parent)
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
