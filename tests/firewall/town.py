"""Machines that an engine's word makes containers, on a bridge of the host."""

from __future__ import annotations

import subprocess

from tests.firewall.support import Site
from tests.support.net.netns import Namespace
from tests.support.net.ping import ping
from xdpwall.closing import Closing
from xdpwall.containers.handover import Handover
from xdpwall.firewall.firewall import Firewall
from xdpwall.views.containers import (
    Container,
    ContainerNetwork,
    ContainerSnapshot,
    EngineNetwork,
)

HOST = "10.8.0.1"


class Town(Closing):
    """A bridge br0, which is the engine's network `backend`, machines on it, and the file with their names."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.file = site.settings.containers
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.boxes: dict[str, Namespace] = {}
        self.hosts: dict[str, int] = {}
        self._made = 0
        site.lab.bridge(site.host, "br0", f"{HOST}/24")
        site.host.ip("link set br0 address 02:00:00:00:00:01")  # else it is that of some port
        self.handover: Handover | None = Handover(self.file)

    def start(self, name: str, address: int) -> str:
        """Start a machine, of which the engine has not told yet; the name of its port."""
        self._made += 1
        box, port = self.site.lab.namespace(f"{name}{self._made}"), f"veth{self._made}x"
        inside = f"10.8.0.{address}/24"
        self.site.lab.veth(self.site.host, port, box, "eth0", master="br0", peer_address=inside)
        self.processes[name] = subprocess.Popen(box.argv("sleep", "3600"))
        self.boxes[name], self.hosts[name] = box, address
        return port

    def stop(self, name: str) -> None:
        """End it; the engine has not told yet."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        self.boxes.pop(name).ip("link del eth0")

    def tell(self) -> None:
        """Hand over what runs now."""
        assert self.handover is not None
        running = [
            Container(
                id=f"{n:064x}",
                name=name,
                image="web:1",
                process=process.pid,
                networks=[ContainerNetwork(name="backend", address=f"10.8.0.{self.hosts[name]}")],
            )
            for n, (name, process) in enumerate(sorted(self.processes.items()))
        ]
        network = EngineNetwork(id="a" * 64, name="backend", driver="bridge", bridge="br0")
        self.handover.write(
            ContainerSnapshot(
                engine="/run/docker.sock",
                taken="2026-12-01T00:00:00Z",
                complete=True,
                containers=running,
                networks=[network],
            )
        )

    def lose(self) -> None:
        """From now on nobody asks the engine."""
        if self.handover is not None:
            self.handover.close()
            self.handover = None

    def passes(self, name: str) -> bool:
        """Whether its ping of the host is answered."""
        return ping(self.boxes[name], HOST, 1, over=("eth0", HOST)) == 1

    def close(self) -> None:
        self.lose()
        for process in self.processes.values():
            process.kill()
            process.wait()


def told(firewall: Firewall, word: str) -> list[str]:
    """The warnings of `status` with that word."""
    return [words for words in firewall.status().warnings if word in words]
