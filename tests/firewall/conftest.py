"""A host and a box on one cable, and a firewall on the host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.firewall.support import BOX6, HOST6, Site
from tests.firewall.town import Town
from tests.support.net.netns import Lab, wait_for
from xdpwall.firewall.firewall import Firewall


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    """`host` with veth0 (10.9.0.1), `box` with eth0 (10.9.0.2); this thread is in `host`."""
    host, box = lab.namespace("host"), lab.namespace("box")
    lab.veth(host, "veth0", box, "eth0", address="10.9.0.1/24", peer_address="10.9.0.2/24")
    made = Site(lab, host, box, tmp_path)
    with host.inside():
        yield made


@pytest.fixture
def site6(site: Site) -> Site:
    """The site with IPv6 on the cable as well."""
    site.host.ip(f"addr add {HOST6}/64 dev veth0 nodad")
    site.box.ip(f"addr add {BOX6}/64 dev eth0 nodad")
    wait_for(lambda: site.ping(1, HOST6) == 1, "IPv6 on the cable")
    return site


@pytest.fixture
def firewall(site: Site) -> Iterator[Firewall]:
    """The host's firewall, open."""
    with site.open() as opened:
        yield opened


@pytest.fixture
def town(site: Site, tmp_path: Path) -> Iterator[Town]:
    """Machines on the bridge br0 of the site's host; the file with their names is the site's."""
    site.settings = replace(site.settings, containers=tmp_path / "names" / "containers.json")
    with Town(site) as made:
        yield made
