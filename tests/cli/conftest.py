"""An instance on a host with a cable to a box; with the service and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import Instance
from tests.support.net.netns import Lab
from tests.support.service.service import Service


@pytest.fixture
def direct(lab: Lab, tmp_path: Path) -> Iterator[Instance]:
    """No service. `host` has veth0 10.9.0.1, `box` has eth0 10.9.0.2; this thread is in host."""
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.veth(host, "veth0", box, "eth0", address="10.9.0.1/24", peer_address="10.9.0.2/24")
    made = Instance(tmp_path / "state", lab.bpffs / "xdpwall", tmp_path / "xdpwall.sock", host, box)
    with host.inside():
        yield made


@pytest.fixture
def served(direct: Instance, lab: Lab, tmp_path: Path) -> Iterator[Instance]:
    """The same, with its service running."""
    assert direct.space is not None
    with Service(direct.space, tmp_path, lab.bpffs) as service:
        assert service.settings.socket == direct.socket
        direct.service = service
        yield direct


@pytest.fixture(params=["direct", "service"])
def wall(request: pytest.FixtureRequest) -> Instance:
    """Once without the service and once with it: a command must behave the same."""
    name = "direct" if request.param == "direct" else "served"
    made: Instance = request.getfixturevalue(name)
    return made
