"""The offered rules in force: what this host does goes on by real stacks, what a stranger tries does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.firewall.support import BOX6, HOST6, Site
from tests.support.net.live_session import LiveSession
from tests.support.net.ping import ping
from xdpwall.errors import LockOut
from xdpwall.firewall import host_use
from xdpwall.firewall.firewall import Firewall
from xdpwall.values.author import Author
from xdpwall.values.session import read_session

HOST, BOX = "10.9.0.1", "10.9.0.2"
WAIT = 20.0


def datagrams(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind((address, port))
    made.settimeout(WAIT)
    return made


@dataclass
class Life:
    """What goes on between host and box: a login, a web and a name service here, a name service there."""

    site: Site
    session: LiveSession
    web: socket.socket
    names_here: socket.socket
    names_there: socket.socket
    away: tuple[socket.socket, socket.socket]

    def goes_on(self) -> None:
        """Fails where something does not."""
        assert self.session.works()
        one, other = self.away
        for near, far in ((one, other), (other, one)):
            near.sendall(b"on")
            assert far.recv(2) == b"on", "a connection from here"
        with self.site.box.inside():
            caller = socket.create_connection((HOST6, 8080), timeout=WAIT)
            asking = datagrams(BOX, 0)
        with caller, self.web.accept()[0] as called:
            called.sendall(b"page")
            assert caller.recv(4) == b"page", "who comes to a service"
        with asking:
            asking.sendto(b"?", (HOST, 53))
            _, peer = self.names_here.recvfrom(1)
            self.names_here.sendto(b"!", peer)
            assert asking.recv(1) == b"!", "who asks a service over UDP"
        with datagrams(HOST, 0) as mine:
            mine.sendto(b"?", (BOX, 53))
            _, peer = self.names_there.recvfrom(1)
            self.names_there.sendto(b"!", peer)
            assert mine.recv(1) == b"!", "the resolver's answer"
        assert self.site.ping(2) == 2
        assert self.site.ping(2, HOST6) == 2

    def strangers_stay_out(self) -> None:
        """Nothing is told of a service that is not there to be offered."""
        with self.site.host.inside():
            secret = socket.create_server((HOST, 7))
            hidden = datagrams(HOST, 7)
        with secret, hidden, self.site.box.inside():
            hidden.setblocking(False)
            with datagrams(BOX, 0) as asking, socket.socket() as caller:
                asking.sendto(b"?", (HOST, 7))
                caller.setblocking(False)
                caller.connect_ex((HOST, 7))
                assert self.site.ping(1) == 1, "who came behind them has arrived"
                with pytest.raises(BlockingIOError):
                    hidden.recv(1)
                secret.setblocking(False)
                with pytest.raises(BlockingIOError):
                    secret.accept()


@pytest.fixture
def life(site6: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    names = tmp_path / "resolv.conf"
    names.write_text(f"nameserver {BOX}\n")
    monkeypatch.setattr(host_use, "RESOLV_CONF", (names, tmp_path / "none"))
    with ExitStack() as stack, LiveSession(site6.host, site6.box, HOST) as session:
        with site6.box.inside():
            far = stack.enter_context(socket.create_server((BOX6, 443), family=socket.AF_INET6))
            there = stack.enter_context(datagrams(BOX, 53))
        web = socket.create_server(("::", 8080), family=socket.AF_INET6)
        stack.enter_context(web).settimeout(WAIT)
        here = stack.enter_context(datagrams("0.0.0.0", 53))
        mine = stack.enter_context(socket.create_connection((BOX6, 443), timeout=WAIT))
        theirs = stack.enter_context(far.accept()[0])
        theirs.settimeout(WAIT)
        yield Life(site6, session, web, here, there, (mine, theirs))


def asker(life: Life) -> Author:
    return Author("uid 0", session=read_session(life.session.text))


@pytest.mark.parametrize("closed", [False, True], ids=["ingress", "both"])
@pytest.mark.parametrize("egress", [False, True], ids=["xdp", "xdp-and-tc"])
def test_it_goes_on(life: Life, firewall: Firewall, egress: bool, closed: bool) -> None:
    firewall.attach("veth0")
    if egress:
        firewall.attach("veth0", hook="tc", direction="egress")
    policy = {"ingress": "drop"} | ({"egress": "drop"} if closed else {})
    with pytest.raises(LockOut):
        firewall.set_policy(policy, by=asker(life))
    before = firewall.policy()
    dry = firewall.set_policy(policy, dry_run=True, add_missing=True)
    assert (firewall.policy(), firewall.rules().rules) == (before, [])
    done = firewall.set_policy(policy, add_missing=True, by=asker(life))
    assert [rule.text for rule in firewall.rules().rules] == done.added_rules == dry.added_rules
    assert (done.missing_rules, done.missing_policy) == ([], {})
    kept = egress and not closed
    assert done.policy.egress == ("accept keep" if kept else policy.get("egress", "accept"))
    assert not any("no rule accepts" in one for one in done.warnings)
    life.goes_on()
    life.strangers_stay_out()
    if kept:
        # Pings from here, and errors, are answers too. Strangers have made no flow.
        assert ping(life.site.host, BOX, 2) == 2
        made = firewall.flows().flows
        assert made and all(f.src in (HOST, HOST6) or f.dport in (22, 8080) for f in made)
        assert firewall.check().findings == []
    # Connections and all: nothing more is missing, and the guard sees nothing cut.
    again = firewall.set_policy(policy, by=asker(life))
    assert (again.missing_rules, again.added_rules) == ([], [])
