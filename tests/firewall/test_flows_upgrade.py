"""An upgrade in the middle of transfers, of a host that drops by default: flows go on where both versions have
the same table; where they do not, sockets vouch for TCP of the host itself."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from tests.firewall.support import Site, rules, step
from tests.firewall.test_crashes import KILLED
from tests.firewall.test_upgrade import count_otherwise, read_otherwise
from tests.support.net.netns import wait_for
from xdpwall.dataplane.flow_maps import LAYOUT
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.bpf import bpffs
from xdpwall.kernel.bpf.maps import Map
from xdpwall.rule.rule import Rule
from xdpwall.views.flows import FlowFilter, FlowView

HOST, BOX, PORT = "10.9.0.1", "10.9.0.2", 8080
SEND = "import socket\ns = socket.socket(fileno=0)\nwhile s.send(bytes(65536)): pass"
WAIT = 60.0


def lay_out_otherwise(site: Site) -> None:
    """The flow table is that of a version with another layout."""
    read_otherwise(site)
    newest = max(bpffs.pin_numbers(site.settings.bpffs, "maps-"))
    with Map.open_pinned(site.settings.bpffs / f"maps-{newest}" / "flow_index4") as index:
        memory = np.frombuffer(index.mmap(), "<u8")
        (behind,) = np.flatnonzero(memory[-8:] == LAYOUT)
        memory[-8:][behind] = LAYOUT + 1


def read(end: socket.socket, size: int) -> None:
    """So many bytes."""
    while size > 0:
        more = end.recv(min(size, 1 << 20))
        assert more
        size -= len(more)


@contextmanager
def transfer(site: Site) -> Iterator[socket.socket]:
    """A connection to the box, which sends for as long as it is read."""
    with ExitStack() as stack:
        with site.box.inside():
            listener = stack.enter_context(socket.create_server((BOX, PORT)))
        mine = stack.enter_context(socket.create_connection((BOX, PORT), timeout=WAIT))
        theirs = stack.enter_context(listener.accept()[0])
        sender = subprocess.Popen([sys.executable, "-c", SEND], stdin=theirs.fileno())
        try:
            yield mine
        finally:
            sender.kill()
            sender.wait()


@contextmanager
def question(site: Site) -> Iterator[tuple[socket.socket, Callable[[], None]]]:
    """A UDP question that the box has received; the second makes the box answer it."""
    with ExitStack() as stack:
        with site.box.inside():
            server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            server.bind((BOX, PORT))
        asking = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        asking.settimeout(WAIT)
        asking.connect((BOX, PORT))
        asking.send(b"?")
        sender = server.recvfrom(1)[1]
        yield asking, lambda: (server.sendto(b"!", sender), None)[1]


def prepare(firewall: Firewall) -> None:
    """Both directions, default drop, and nothing but answers let in."""
    firewall.attach("veth0")
    firewall.attach("veth0", hook="tc", direction="egress")
    known = Rule.parse("accept state established,related")
    firewall.add_rules([known, *rules("count udp in")])
    firewall.set_policy({"ingress": "drop", "egress": "accept keep"})


@pytest.mark.parametrize(
    ("other_version", "point"),
    [
        (read_otherwise, None),
        (count_otherwise, None),
        *((read_otherwise, f"restore-{when}") for when in ("kept", "unpinned", "created")),
    ],
)
def test_flows_go_on(site: Site, other_version: Callable[[Site], None], point: str | None) -> None:
    """Also where the first try to upgrade dies. The answer to UDP has nothing else to vouch for it."""
    with site.open() as firewall:
        prepare(firewall)
        with question(site) as (asking, answer), transfer(site) as mine:
            read(mine, 1_000_000)
            before = flow_of(firewall, "tcp")
            made = firewall.flows(FlowFilter()).fill.counts.made
            other_version(site)
            read(mine, 1_000_000)
            if point is not None:
                assert site.run(step("restore"), crash_at=point) == KILLED
                read(mine, 1_000_000)
            with site.open() as upgraded:
                assert not upgraded.restore().failed
                read(mine, 10_000_000)
                answer()
                assert asking.recv(1) == b"!"
                flow = flow_of(upgraded, "tcp")
                assert (flow.sport, flow.state) == (before.sport, "established")
                assert flow.packets > before.packets
                assert upgraded.flows(FlowFilter()).fill.counts.made == made
                assert site.ping(1) == 0
                assert not [n for n in bpffs.pin_names(site.settings.bpffs) if "kept" in n]
                # A change of the rules is one of these tables, too.
                upgraded.add_rules(rules("drop tcp/9"))
                read(mine, 1_000_000)
                assert flow_of(upgraded, "tcp").packets > flow.packets


def test_another_table_is_made_anew(site: Site) -> None:
    """The transfer goes on by its socket; the answer to what was asked of the old table is dropped."""
    with site.open() as firewall:
        prepare(firewall)
        with question(site) as (asking, answer), transfer(site) as mine:
            read(mine, 1_000_000)
            lay_out_otherwise(site)
            read(mine, 1_000_000)
            with site.open() as upgraded:
                assert not upgraded.restore().failed
                read(mine, 10_000_000)
                flow = flow_of(upgraded, "tcp")
                assert (flow.state, flow.assured) == ("established", True)
                answer()
                wait_for(lambda: upgraded.rules().rules[1].packets, "the answer is dropped")
                asking.setblocking(False)
                with pytest.raises(BlockingIOError):
                    asking.recv(1)
                assert upgraded.flows(FlowFilter(proto="udp")).total == 0


def flow_of(firewall: Firewall, proto: str) -> FlowView:
    """The only one with the port."""
    (flow,) = firewall.flows(FlowFilter(proto=proto, port=PORT)).flows
    return flow
