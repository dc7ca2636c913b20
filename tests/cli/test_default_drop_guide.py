"""The guide "A host that drops by default" does what it says: its commands, in order, with the answers that it shows."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.net.live_session import LiveSession
from tests.support.net.netns import Lab
from tests.support.net.ping import ping
from tests.support.paths import ROOT
from xdpwall.firewall import host_use

GUIDE = ROOT / "docs/guides/default-drop-host.md"
HOST, ADMIN = "192.0.2.10", "192.0.2.77"
RESOLVER = "192.0.2.53"


@dataclass
class Command:
    """One line behind a prompt, and what is shown below it."""

    line: str
    shown: list[str]


def commands(text: str) -> list[Command]:
    """The commands of a page: indented, behind `# xdpwall`."""
    found: list[Command] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("    # xdpwall "):
            found.append(Command(line[6:], []))
            inside = True
        elif line.startswith("    ") and inside:
            found[-1].shown.append(line[4:])
        elif line:
            inside = False
    return found


@pytest.fixture
def host(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """A host with sshd, a resolver, a lease and an administrator who is logged in; this thread is on it."""
    here, world = lab.namespace("host"), lab.namespace("world")
    lab.veth(here, "eth0", world, "eth0", peer_address=f"{ADMIN}/24")
    here.ip(f"addr add {HOST}/24 dev eth0 valid_lft 3600 preferred_lft 3600")
    world.ip(f"addr add {RESOLVER}/24 dev eth0")
    names = tmp_path / "resolv.conf"
    names.write_text(f"nameserver {RESOLVER}\n")
    monkeypatch.setattr(host_use, "RESOLV_CONF", (names, tmp_path / "none"))
    made = Instance(tmp_path / "state", lab.bpffs / "fw", tmp_path / "socket", here, world)
    monkeypatch.chdir(tmp_path)
    with here.inside():
        yield made


def ask_the_resolver(host: Instance) -> None:
    """A question by the host, and its answer."""
    assert host.box is not None
    with ExitStack() as stack:
        with host.box.inside():
            names = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            names.bind((RESOLVER, 53))
        mine = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for one in (names, mine):
            one.settimeout(20)
        mine.sendto(b"?", (RESOLVER, 53))
        _, peer = names.recvfrom(1)
        names.sendto(b"!", peer)
        assert mine.recv(1) == b"!"


def alike(line: str) -> str:
    """Without what differs from one day to the next: counts, and the room between columns."""
    line = re.sub(r"\s\d+\s+[\d.]+k?B\b", " COUNTED", line)
    return " ".join(line.split())


def test_each_command_does_what_is_shown(host: Instance) -> None:
    assert host.space is not None and host.box is not None
    steps = commands(GUIDE.read_text(encoding="utf-8"))
    assert len(steps) > 12
    with LiveSession(host.space, host.box, HOST, listens_on="0.0.0.0") as session:
        for step in steps:
            program, *words = shlex.split(step.line)
            assert program == "xdpwall", step.line
            done = host.here(*words, SSH_CONNECTION=session.text)
            shown = [alike(line) for line in step.shown]
            said = [alike(line) for line in (done.stderr + done.stdout).splitlines()]
            assert done.exit_code == 0, (step.line, done.output)
            assert said == shown, step.line
            if "--add-missing" in words:
                ask_the_resolver(host)
            assert session.works(), step.line
        assert ping(host.space, ADMIN) == 1
