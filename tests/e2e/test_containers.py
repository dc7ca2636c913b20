"""Containers of a real Docker by name: beside the interfaces that lead to them, through restarts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Instance
from tests.support.net.docker import Docker, fetch
from tests.support.net.netns import Lab, Namespace, wait_for
from tests.support.paths import ROOT


@contextmanager
def follow(wall: Instance, docker: Docker, file: Path) -> Iterator[None]:
    """`xdpwall container follow`, a process of its own."""
    engine = docker.folder / "docker.sock"
    words = ("container", "follow", "--engine", str(engine))
    with beside(wall, docker, *words, containers=file):
        yield


@contextmanager
def beside(wall: Instance, docker: Docker, *words: str, containers: Path) -> Iterator[None]:
    """A command that runs while the context lasts, among the daemon's processes."""
    line = [*docker.beside(), sys.executable, "-m", "xdpwall", *words]
    environ = {**os.environ, **wall.env, "XDPWALL_CONTAINERS": str(containers)}
    with subprocess.Popen(line, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            # nsenter waits for the child that is in the other process namespace.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            os.kill(int(children), signal.SIGTERM)


def listed(wall: Instance, docker: Docker) -> dict[str, Any]:
    """`container list`, by name."""
    done = wall.run("container", "list", "-o", "json", wrap=docker.beside())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {one["container"]["name"]: one for one in found["containers"]}


def ports(wall: Instance, docker: Docker, name: str) -> dict[str, str]:
    """Network -> interface of a container."""
    return {one["network"]: one["iface"] for one in listed(wall, docker)[name]["ports"]}


def published(wall: Instance, docker: Docker) -> list[tuple[str, str]]:
    """`status --ports`: interface and verdict of each published port."""
    found = wall.run("status", "--ports", "-o", "json", wrap=docker.beside())
    assert found.returncode == 0, found.stderr
    return [(one["iface"], one["verdict"]) for one in json.loads(found.stdout)["ports"]]


def follow_a_published_port(wall: Instance, docker: Docker, client: Namespace) -> None:
    """What is told of it is what a client meets: open, with nothing to filter it; closed by a rule."""
    serve = ("web:1", "/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www")
    docker("run", "-d", "--name", "shop", "-p", "8080:80", *serve)
    wait_for(lambda: "shop" in listed(wall, docker), "the container's name")
    assert published(wall, docker) == [("out0", "not filtered")]
    check = wall.run("check", wrap=docker.beside())
    assert check.returncode == 1
    assert "tcp/8080 of container shop comes in by out0, and nothing filters it" in check.stdout
    wait_for(lambda: fetch(client, "198.51.100.1", 8080) == b"hello\n", "the page from outside")
    wall.done("attach", "out0")
    assert published(wall, docker) == [("out0", "open")]
    assert fetch(client, "198.51.100.1", 8080) == b"hello\n"
    wall.done("rule", "add", "drop tcp/8080 on out0 in")
    assert published(wall, docker) == [("out0", "closed")]
    assert fetch(client, "198.51.100.1", 8080, seconds=3.0) == b""
    docker("rm", "--force", "shop")


@pytest.mark.host  # the daemon's control groups
def test_real_containers_have_names(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = lab.namespace("docker")
    client = lab.namespace("client")
    lab.veth(
        host, "out0", client, "eth0", address="198.51.100.1/24", peer_address="198.51.100.2/24"
    )
    host.ip("-6 addr flush dev out0")  # Docker publishes to both families
    file = tmp_path / "names" / "containers.json"
    monkeypatch.setenv("XDPWALL_CONTAINERS", str(file))
    wall = Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "sock", host)
    assert "nobody asks" in wall.here("container", "list").stdout
    with Docker(host, lab.tag) as docker, host.inside():
        with follow(wall, docker, file):
            docker.serve_page()
            wait_for(lambda: "web" in listed(wall, docker), "the container's name")
            (port,) = listed(wall, docker)["web"]["ports"]
            assert (port["bridge"], port["network"]) == ("docker0", "bridge")
            assert host.index(port["iface"]) == port["index"]
            wall.done("attach", port["iface"], "--hook", "tc")
            words = "container web (web:1)"
            status = wall.run("status", wrap=docker.beside())
            assert f"{port['iface']}: {words}" in status.stdout, status.stderr
            packet = ("explain", "icmp", "from", "172.17.0.2", "on", port["iface"])
            assert f"{port['iface']}: {words}" in wall.run(*packet, wrap=docker.beside()).stdout
            # A second network is a second interface.
            docker("network", "create", "backend")
            docker("network", "connect", "backend", "web")
            wait_for(
                lambda: set(ports(wall, docker, "web")) == {"bridge", "backend"},
                "the second network",
            )
            # A restart gives it other interfaces; what is told are the new ones.
            before = ports(wall, docker, "web")
            docker("restart", "--time", "0", "web")

            def moved() -> bool:
                now = ports(wall, docker, "web") if "web" in listed(wall, docker) else {}
                return set(now) == {"bridge", "backend"} and all(
                    f"{iface}@" in host.ip("-o link show") for iface in now.values()
                )

            wait_for(moved, "the names of the new interfaces")
            assert set(ports(wall, docker, "web").values()).isdisjoint(before.values())
            # One in the host's namespace has no interface, and takes none of another.
            docker(
                "run",
                "-d",
                "--name",
                "inside",
                "--network",
                "host",
                "web:1",
                "/bin/busybox",
                "sleep",
                "600",
            )
            wait_for(
                lambda: "inside" in listed(wall, docker), "the container in the host's namespace"
            )
            assert listed(wall, docker)["inside"]["ports"] == []
            docker("rm", "--force", "inside")
            follow_a_published_port(wall, docker, client)
            docker("stop", "--time", "0", "web")
            wait_for(lambda: listed(wall, docker) == {}, "that nothing runs")
        old = wall.json("container", "list")
        assert not old["complete"]
