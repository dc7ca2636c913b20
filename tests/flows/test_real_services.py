"""What people do all day, by the programs that they do it with, from and to a host that drops by default."""

from __future__ import annotations

import filecmp
import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.net.default_drop import FAMILIES, HOST, PATH_MTU, WORLD, DefaultDropHost, Family
from tests.support.net.netns import Namespace, wait_for
from tests.support.net.peers import FTP, HTTP1, HTTP2, SSH, SshKeys, dnsmasq, nginx, vsftpd

SIZE = 3_000_000
pytestmark = pytest.mark.host  # packages are downloaded


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, which servers offer."""
    folder = tmp_path_factory.mktemp("files")
    folder.chmod(0o755)
    (folder / "data").write_bytes(random.Random(17).randbytes(SIZE))
    return folder


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> SshKeys:
    return SshKeys(tmp_path_factory.mktemp("ssh"))


@pytest.fixture(scope="module")
def served(
    home: DefaultDropHost, ssh: SshKeys, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DefaultDropHost]:
    """Servers of everything in the world; on the host of ssh and HTTP."""
    with ExitStack() as stack:
        for space in (home.host, home.world):
            stack.enter_context(ssh.serve(space))
            stack.enter_context(nginx(space, tmp_path_factory.mktemp("nginx"), files))
        stack.enter_context(vsftpd(home.world, tmp_path_factory.mktemp("ftp"), files))
        stack.enter_context(dnsmasq(home.world, tmp_path_factory.mktemp("dns")))
        yield home


@pytest.fixture(autouse=True)
def fresh(served: DefaultDropHost) -> None:
    served.reset()
    served.forget_paths()


def url(scheme: str, address: str, port: int, name: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}:{port}/{name}"


def curl(space: Namespace, *words: str) -> str:
    """curl, patient with a busy machine."""
    return space.run("curl", "-sS", "--fail", "--max-time", "60", *words)


def closed(home: DefaultDropHost, port: int) -> dict[str, Any]:
    """The one flow of the port, when both ends have been told of its end."""
    wait_for(lambda: home.flow(port=port)["state"] == "closed", "both FINs")
    return home.flow(port=port)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("version", "port"), [("--http1.1", HTTP1), ("--http2-prior-knowledge", HTTP2)]
)
def test_http_downloads(
    served: DefaultDropHost, files: Path, tmp_path: Path, version: str, port: int, family: Family
) -> None:
    got = tmp_path / "got"
    source = url("http", WORLD[family], port, "data")
    asked = curl(served.host, version, "-o", str(got), "-w", "%{http_version}", source)
    assert asked == ("2" if port == HTTP2 else "1.1")
    assert filecmp.cmp(got, files / "data", shallow=False)
    flow = closed(served, port)
    assert (flow["src"], flow["assured"]) == (HOST[family], True)
    # The host's own web server is not offered to the world.
    refused = served.world.status(
        "curl", "-sS", "--connect-timeout", "0.3", url("http", HOST[family], port, "data")
    )
    assert refused == 28
    assert not served.flows(**{"from": WORLD[family]})


@pytest.mark.parametrize("family", FAMILIES)
def test_an_upload_finds_the_narrow_path(
    served: DefaultDropHost, files: Path, family: Family
) -> None:
    target = url("http", WORLD[family], HTTP1, f"up-{family}")
    curl(served.host, "-T", str(files / "data"), target)
    assert filecmp.cmp(files / f"up-{family}", files / "data", shallow=False)
    assert served.counted("related") > 0
    version = ["-6"] if family == "ipv6" else []
    assert f"mtu {PATH_MTU}" in served.host.run("ip", *version, "route", "get", WORLD[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_ssh_both_ways(served: DefaultDropHost, ssh: SshKeys, family: Family) -> None:
    out = served.host.run(
        *ssh.client(WORLD[family], "echo I am in the world; head -c 200000 /dev/zero")
    )
    assert out == "I am in the world\n" + "\0" * 200_000
    flow = closed(served, SSH)
    assert (flow["src"], flow.get("rule")) == (HOST[family], None)
    served.flush()
    inside = served.world.run(
        *ssh.client(HOST[family], "echo I am at home; head -c 200000 /dev/zero")
    )
    assert inside == "I am at home\n" + "\0" * 200_000
    flow = closed(served, SSH)
    assert (flow["src"], flow["rule"]) == (WORLD[family], "ssh")


@pytest.mark.parametrize("family", FAMILIES)
def test_passive_ftp(served: DefaultDropHost, files: Path, family: Family) -> None:
    """Its data connection is one more that the host opens: nothing must be expected."""
    source = url("ftp", WORLD[family], FTP, "data")
    digest = hashlib.sha256()
    got = files.parent / f"ftp-{os.getpid()}"
    curl(served.host, "--ftp-pasv", "-o", str(got), source)
    digest.update(got.read_bytes())
    got.unlink()
    assert digest.digest() == hashlib.sha256((files / "data").read_bytes()).digest()
    tcp = served.flows(proto="tcp", to=WORLD[family])
    assert len(tcp) == 2 and {one["src"] for one in tcp} == {HOST[family]}
    # The other way round the server calls, which is a stranger's connection.
    dropped = served.dropped()
    argv = ["curl", "-sS", "--ftp-port", "-", "-o", "/dev/null", source]
    with subprocess.Popen(served.host.argv(*argv), stderr=subprocess.DEVNULL) as active:
        wait_for(lambda: served.dropped() > dropped, "the server's SYN is dropped")
        active.kill()
    assert not served.flows(**{"from": WORLD[family]})


@pytest.mark.parametrize("family", FAMILIES)
def test_names_are_found(served: DefaultDropHost, family: Family) -> None:
    said = served.host.run("busybox", "nslookup", "-type=a", "www.answer.test", WORLD[family])
    assert "192.0.2.7" in said
    flows = served.flows(proto="udp", port=53)
    assert flows and {one["state"] for one in flows} == {"established"}
