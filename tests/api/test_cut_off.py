"""Whom a drop rule would cut off is told before it is added."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.support.service.service import Service
from xdpwall.firewall.cut_off import (
    EVERY_PACKET,
    TcpSession,
    browser_connection,
    cut_off,
    interface_of,
    ssh_sessions,
)
from xdpwall.rule.rule import Rule

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1 0 100 0 0 10 0
   1: 016433C6:0016 076433C6:C350 01 00000000:00000000 02:000A0000 00000000 0 0 2 1 0 20 4 30 10 -1
   2: 016433C6:01BB 086433C6:C350 01 00000000:00000000 02:000A0000 00000000 0 0 3 1 0 20 4 30 10 -1
   3: 016433C6:0016 096433C6:C350 06 00000000:00000000 02:000A0000 00000000 0 0 4 1 0 20 4 30 10 -1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue
   0: B80D0120000000000000000001000000:0016 B80D0120000000000000000005000000:D431 01 0 0 0 0 0 0
   1: 0000000000000000FFFF0000016433C6:0016 0000000000000000FFFF00000A6433C6:D431 01 0 0 0 0 0 0
"""


def session(peer: str = "203.0.113.7", iface: str | None = "eth0") -> TcpSession:
    local = "198.51.100.1" if "." in peer else "2001:db8::1"
    return TcpSession(peer, ip_address(peer), 50_000, ip_address(local), 22, iface)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("drop from 203.0.113.0/24", True),
        ("drop tcp/22 in", True),
        ("drop tcp/20-30 from not 10.0.0.0/8 on eth0 in", True),
        ("drop tcp to 203.0.113.7 out", True),
        ("drop tcp sport 22 out", True),
        ("drop from 203.0.113.7 on not docker0", True),
        ("drop from not 203.0.113.0/24", True),  # What the host answers.
        ("drop from 203.0.113.7 disabled", False),
        ("count from 203.0.113.7", False),
        ("drop from 203.0.113.8", False),
        ("drop from not 203.0.113.0/24 in", False),
        ("drop from 203.0.113.7 on docker0", False),
        ("drop from 203.0.113.7 out", False),
        ("drop tcp/23", False),
        ("drop udp", False),
        ("drop icmp", False),
        ("drop ethertype arp", False),
        ("drop ipv6 from 2001:db8::/32", False),
        ("drop tcp flags syn/syn,ack", False),
    ],
)
def test_a_session_is_cut_off_by_what_covers_it(text: str, cut: bool) -> None:
    found = cut_off(Rule.parse(text), [session(), session()], set)
    assert found == (["203.0.113.7"] if cut else [])


@pytest.mark.parametrize("text", ["drop", "drop in", "drop ipv4 on eth0 in"])
def test_what_names_nothing_drops_everything(text: str) -> None:
    assert cut_off(Rule.parse(text), [], set) == [EVERY_PACKET]


def test_ipv6_and_unknown_interfaces() -> None:
    six = session("2001:db8::5", None)
    assert cut_off(Rule.parse("drop from 2001:db8::/64 on eth7"), [six], set) == ["2001:db8::5"]
    assert cut_off(Rule.parse("drop from 2001:db8::/64 on lo"), [six], set) == []


def test_a_browser_comes_over_loopback_which_is_judged_where_attached() -> None:
    [mine] = browser_connection(("127.0.0.1", 50_000), ("127.0.0.1", 8480))
    rule = Rule.parse("drop tcp from 127.0.0.0/8")
    assert cut_off(rule, [mine], set) == []
    assert cut_off(rule, [mine], lambda: {"lo"}) == ["this browser, at 127.0.0.1"]
    assert cut_off(Rule.parse("drop tcp from 127.0.0.0/8 on eth0"), [mine], lambda: {"lo"}) == []
    assert browser_connection(None, ("/run/xdpwall.sock", None)) == []


def test_open_sessions_are_read_as_the_kernel_prints_them(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "tcp6").write_text(TCP6)
    assert [(str(one.peer), one.port, str(one.local)) for one in ssh_sessions(tmp_path)] == [
        ("198.51.100.7", 50_000, "198.51.100.1"),
        ("2001:db8::5", 54_321, "2001:db8::1"),
        ("198.51.100.10", 54_321, "198.51.100.1"),
    ]
    assert ssh_sessions(tmp_path / "missing") == []


def test_an_address_is_found_at_its_interface() -> None:
    eth0 = {ip_address("192.0.2.1"): "eth0"}
    assert interface_of(ip_address("192.0.2.1"), eth0) == "eth0"
    assert interface_of(ip_address("192.0.2.2"), eth0) is None
    assert interface_of(ip_address("127.0.0.2"), {}) == "lo"


@pytest.fixture
def ssh(service: Service) -> Iterator[None]:
    """A connection to port 22 over loopback in the service's namespace, which lo is attached in."""
    attached = service.call("PUT", "/interfaces/lo/attachments/xdp", {"mode": "generic"})
    assert attached.status == 201, attached.content
    with ExitStack() as stack:
        with service.space.inside():
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 22)))
            stack.enter_context(socket.create_connection(("127.0.0.1", 22)))
        stack.enter_context(listener.accept()[0])
        yield


def test_the_service_tells_with_the_sentence(service: Service, ssh: None) -> None:
    def asked(text: str) -> list[str]:
        path, body = "/api/v1/rules/parse", b'{"text": "%s"}' % text.encode()
        sent = {"content-type": "application/json"}
        cuts: list[str] = service.tcp("POST", path, sent, body, token=service.token).json["cuts"]
        return cuts

    both = ["the SSH session from 127.0.0.1", "this browser, at 127.0.0.1"]
    assert asked("drop from 127.0.0.0/8") == both
    assert asked("drop tcp/22") == both[:1]
    assert asked(f"drop tcp/{service.port}") == both[1:]
    assert asked("drop from 127.0.0.0/8 on docker0") == []
