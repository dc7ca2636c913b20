"""CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough for a user of his own, and each of them is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.support import Instance
from tests.support.service.nobody import ID, as_nobody

NEEDED = ("bpf", "net_admin", "perfmon")
WORK = [
    "attach veth0",
    "attach veth0 --hook tc --direction egress",
    "rule add drop icmp",
    "set create bad",
    "rule add drop tcp/22 from @bad",
    "set add bad 10.0.0.0/8 2001:db8::1",
    "rule add drop vlan 7 length 100-200 --confirm 600",
    "confirm",
    "status",
    "explain icmp on veth0 in",
    "off",
    "on",
    "restore",
    "rollback 1 --allow-empty --yes",
    "detach veth0 --hook xdp",
    "attach veth0 --mode generic",
    "detach --all",
]
"""With the answers that others cannot have: of programs on each hook, of maps that grow, of features that change."""


@pytest.fixture
def own(direct: Instance) -> Iterator[Instance]:
    """The instance with both of its folders belonging to that user."""
    # Not below pytest's own folder, which each start of another pytest closes to other users.
    with TemporaryDirectory(prefix="xdpwall-test-") as folder:
        Path(folder).chmod(0o755)
        made = replace(direct, state_dir=Path(folder) / "state", socket=Path(folder) / "none.sock")
        for one in (made.state_dir, made.bpffs):
            one.mkdir(mode=0o700, parents=True)
            os.chown(one, ID, ID)
        yield made


def test_the_three_are_enough(own: Instance) -> None:
    wrap = as_nobody(NEEDED, own.bpffs)
    for line in WORK:
        done = own.run(*line.split(), wrap=wrap)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


@pytest.mark.parametrize("missing", NEEDED)
def test_each_of_them_is_needed_and_named(own: Instance, missing: str) -> None:
    wrap = as_nobody([one for one in NEEDED if one != missing], own.bpffs)
    done = own.run("attach", "veth0", wrap=wrap)
    assert done.returncode == 4, (done.stdout, done.stderr)
    assert f"CAP_{missing.upper()}" in done.stderr


def test_what_takes_root_is_told_with_roots_command(own: Instance) -> None:
    wrap = as_nobody(NEEDED, own.bpffs)
    assert own.run("attach", "veth0", wrap=wrap).returncode == 0
    (own.bpffs / "maps" / "totals").unlink()
    done = own.run("restore", wrap=wrap)
    assert done.returncode == 4, (done.stdout, done.stderr)
    assert "takes CAP_SYS_ADMIN" in done.stderr
    assert "--socket /run/xdpwall/none.sock" in done.stderr
    assert own.run("detach", "--all", wrap=wrap).returncode == 0


@pytest.mark.parametrize("command", ["appeared veth0", "restore"])
def test_an_interface_that_comes_again_is_attached(own: Instance, command: str) -> None:
    """As docker0 is, made anew: the kernel does not tell this user whether the former one's program has gone."""
    assert own.space is not None
    wrap = as_nobody(NEEDED, own.bpffs)
    assert own.run("attach", "veth0", wrap=wrap).returncode == 0
    before = sorted(path.name for path in (own.bpffs / "progs").iterdir())
    own.space.ip("link del veth0")
    own.space.ip("link add veth0 type veth peer name veth1")
    done = own.run(*command.split(), wrap=wrap)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "attached: veth0 xdp"
    after = sorted(path.name for path in (own.bpffs / "progs").iterdir())
    assert len(after) == len(before) and after != before
