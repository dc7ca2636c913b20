"""An upgrade in the middle of a transfer: maps of another layout are replaced, and with them the flow table."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.firewall.support import Site, rules
from tests.firewall.test_upgrade import count_otherwise, read_otherwise
from tests.support.net.netns import wait_for
from xdpwall.views.flows import FlowFilter

HOST, BOX, PORT = "10.9.0.1", "10.9.0.2", 8080
SEND = "import socket\ns = socket.socket(fileno=0)\nwhile s.send(bytes(65536)): pass"
WAIT = 60.0


def read(end: socket.socket, size: int) -> None:
    """So many bytes."""
    while size > 0:
        more = end.recv(min(size, 1 << 20))
        assert more
        size -= len(more)


@pytest.mark.parametrize("other_version", [count_otherwise, read_otherwise])
def test_a_transfer_goes_on(site: Site, other_version: Callable[[Site], None]) -> None:
    """The host drops by default before and after; the socket vouches where the flow is not known any more."""
    with site.box.inside():
        listener = socket.create_server((BOX, PORT))
    with listener, site.open() as firewall:
        firewall.attach("veth0")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules("accept state established,related"))
        firewall.set_policy({"ingress": "drop", "egress": "accept keep"})
        with socket.create_connection((BOX, PORT), timeout=WAIT) as mine:
            theirs = listener.accept()[0]
            with (
                theirs,
                subprocess.Popen([sys.executable, "-c", SEND], stdin=theirs.fileno()) as sender,
            ):
                try:
                    read(mine, 1_000_000)
                    other_version(site)
                    read(mine, 10_000_000)
                    with site.open() as upgraded:
                        outcome = upgraded.restore()
                        assert not outcome.failed
                        read(mine, 10_000_000)
                        (flow,) = upgraded.flows(FlowFilter(port=PORT)).flows
                        assert (flow.state, flow.assured) == ("established", True)
                        assert site.ping(1) == 0
                        wait_for(lambda: upgraded.status().flows, "it tracks")
                finally:
                    sender.kill()
