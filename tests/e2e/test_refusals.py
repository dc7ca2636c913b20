"""What the machine cannot or may not do: each has its error, its exit code and a way out.

Through the real command line, a process each. Tested elsewhere in the same way: an unknown
interface (cli/test_commands.py), root's instance and the kernel closed to nobody, another
namespace's service and another namespace's instance (cli/test_privileges.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.kernel.tinybpf import tiny
from tests.support.net.netns import Lab
from tests.support.service.nobody import as_nobody, open_folder
from xdpwall.kernel.net.xdp import Mode, xdp_attach

WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Not pytest's own, which others may not enter."""
    with open_folder() as folder:
        yield folder


@pytest.fixture
def wall(lab: Lab, tmp_path: Path) -> Iterator[Instance]:
    """A host with a cable (veth0), a bridge (br0) and a tunnel (tun0), and one rule."""
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.veth(host, "veth0", box, "eth0")
    lab.bridge(host, "br0")
    host.ip("tuntap add tun0 mode tun")
    made = Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "xdpwall.sock", host, box)
    with host.inside():
        made.done("rule", "add", "drop", "icmp", "--id", "one")
        yield made


def refused(
    wall: Instance, line: str, exit_code: int, code: str, *words: str, wrap: list[str] | None = None
) -> None:
    """The command ends with that exit code, these words and a hint, and changes nothing."""
    before = wall.json("export"), wall.json("status"), links(wall)
    done = wall.run(*shlex.split(line), "-v", wrap=wrap or [])
    said = done.stderr
    assert done.returncode == exit_code, (line, said)
    assert done.stdout == "" and said.startswith("error: "), (line, said)
    # What is wrong in the line itself says what was wanted; all else says what to do about it.
    assert ("; wanted " if exit_code == 2 else "\nhint: ") in said, (line, said)
    assert f"code: {code}\n" in said, (line, said)
    for word in words:
        assert word in said, (line, said)
    assert (wall.json("export"), wall.json("status"), links(wall)) == before


def links(wall: Instance) -> str:
    """Which programs the kernel says are attached."""
    assert wall.space is not None
    return wall.space.run("bpftool", "net", "show")


@pytest.mark.parametrize("how", ["", "--mode native", "--hook tc", "--hook tc --direction egress"])
def test_an_interface_without_ethernet_is_refused(wall: Instance, how: str) -> None:
    refused(wall, f"attach tun0 {how}", 6, "not-ethernet", "tun0")


def test_a_mode_that_is_not_possible(wall: Instance) -> None:
    refused(wall, "attach br0 --mode native", 6, "no-native", "--mode generic", "errno 95")
    assert "xdp generic attached" in wall.done("attach", "br0", "--mode", "auto")
    refused(wall, "attach br0 --mode native", 5, "other-mode", "generic")
    refused(wall, "attach veth0 --direction egress", 2, "invalid", "xdp")
    refused(wall, "attach veth0 --hook tc --mode native", 2, "invalid", "mode")


@pytest.mark.parametrize("theirs", ["native", "generic"])
def test_an_occupied_hook(wall: Instance, theirs: Mode) -> None:
    assert wall.space is not None
    with tiny("xdp_pass") as other:
        xdp_attach(wall.space.index("veth0"), other.fileno(), theirs)
        for mode in ("auto", "native", "generic"):
            line = f"attach veth0 --mode {mode}"
            refused(wall, line, 5, "occupied", f"id {other.id}", "xdp_pass", "--replace")
        assert wall.json("detach", "--all") == {"detached": [], "warnings": []}
        assert f"id {other.id}" in links(wall)
    # What belongs to another instance of ours is as foreign.
    wall.done("attach", "br0")
    folder = wall.state_dir.parent / "other"
    stranger = Instance(folder, wall.bpffs.parent / "other", folder / "socket", wall.space)
    stranger.done("rule", "add", "drop", "icmp", "--id", "one")
    refused(stranger, "attach br0", 5, "occupied", "--replace")
    wall.done("detach", "br0")


def test_an_interface_that_went_after_it_was_attached(wall: Instance) -> None:
    assert wall.space is not None
    wall.done("attach", "veth0")
    wall.done("attach", "br0")
    wall.space.ip("link del veth0")
    states = {one["iface"]: one["state"] for one in wall.json("status")["attachments"]}
    assert states == {"veth0": "no interface", "br0": "attached"}
    assert "veth0" in wall.here("status").stderr
    refused(wall, "attach veth0", 3, "no-interface", "veth0", "br0")
    done = wall.run("restore")  # what is not there cannot be open
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "waiting: veth0 xdp" in done.stderr and "already attached: br0 xdp" in done.stderr
    # The rules go on to be changed, and the lost attachment can be given up.
    wall.done("rule", "add", "drop", "udp")
    assert wall.json("detach", "veth0") == {"detached": ["veth0 xdp"], "warnings": []}
    assert wall.run("restore").returncode == 0
    refused(wall, "detach veth0", 3, "no-interface", "veth0")


def test_no_bpffs(wall: Instance) -> None:
    folder = wall.state_dir.parent
    elsewhere = Instance(wall.state_dir, folder / "pins", wall.socket, wall.space)
    done = elsewhere.run("attach", "veth0", "-v")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ") and "hint: " in done.stderr
    assert str(folder) in done.stderr and "not on a BPF file system" in done.stderr
    # None is mounted, and whoever asks may not mount one.
    # Several may be mounted over one another.
    inner = f'while umount -l /sys/fs/bpf 2>&-; do :; done; exec {shlex.join(WITHOUT_CAPABILITIES)} "$@"'
    wrap = ["unshare", "--mount", "--propagation", "private", "sh", "-c", inner, "sh"]
    refused(wall, "attach veth0", 4, "needs-privileges", "no BPF file system", wrap=wrap)


def test_root_without_capabilities(wall: Instance) -> None:
    for line in ("attach veth0", "attach veth0 --hook tc"):
        refused(wall, line, 4, "needs-privileges", "CAP_BPF", wrap=WITHOUT_CAPABILITIES)


@pytest.mark.parametrize(
    "line", ["detach --all", "off", "rule delete one", "policy set egress drop", "serve --port 0"]
)
def test_nobody_may_not_change_anything(wall: Instance, line: str) -> None:
    """Beside the commands of cli/test_privileges.py."""
    refused(wall, line, 4, "needs-privileges", wrap=as_nobody())
