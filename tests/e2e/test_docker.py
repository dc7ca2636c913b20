"""Block ICMP on a real docker0 with a real container behind it: the first use, for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.net.docker import Docker, fetch
from tests.support.net.netns import Lab, wait_for
from tests.support.net.ping import ping
from tests.support.service.service import Service

PINGS = 5


@pytest.mark.host  # the daemon's control groups
def test_icmp_is_blocked_on_a_real_docker0(lab: Lab, tmp_path: Path) -> None:
    host = lab.namespace("docker")
    with Docker(host, lab.tag) as docker, Service(host, tmp_path, lab.bpffs) as service:
        container = docker.serve_page()
        way = ("docker0", container)
        wait_for(lambda: fetch(host, container) == b"hello\n", "the container's page")
        place = "/interfaces/docker0/attachments/xdp"
        attached = service.call("PUT", place, {"mode": "auto"})
        assert attached.status == 201, attached.content
        assert attached.json["attachment"]["mode"] == "generic"
        assert ping(host, container, PINGS, over=way) == PINGS

        rule = {"action": "drop", "iface": "docker0", "proto": "icmp"}
        added = service.call("POST", "/rules", rule)
        assert added.status == 201, added.content
        (warning,) = added.json["warnings"]
        assert "to containers: tc egress sees it" in warning
        path = f"/rules/{added.json['id']}"
        assert ping(host, container, PINGS, over=way) == 0
        assert fetch(host, container) == b"hello\n"
        counted = service.call("GET", path).json
        # A ping from the host dies of its answer, 98 bytes, which enters docker0 from the port.
        assert (counted["packets"], counted["bytes"]) == (PINGS, PINGS * 98)
        # The other way round, what the container asks for is dropped too.
        inner = docker(
            "exec", "web", "/bin/busybox", "sh", "-c", "busybox ping -c1 -W1 172.17.0.1 || true"
        )
        assert "0 packets received" in inner
        assert service.call("GET", path).json["packets"] == PINGS + 1

        assert service.call("DELETE", path).status == 200
        assert ping(host, container, PINGS, over=way) == PINGS
        assert service.call("DELETE", place).status == 200
