"""A host and a box on one cable, and a firewall on the host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firewall.support import Site
from tests.support.net.netns import Lab


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """`host` with veth0 (10.9.0.1), `box` with eth0 (10.9.0.2); this thread is in `host`."""
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.veth(host, "veth0", box, "eth0", address="10.9.0.1/24", peer_address="10.9.0.2/24")
    made = Site(lab, host, box, tmp_path)
    with host.inside():
        yield made
