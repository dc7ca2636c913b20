"""Names of services: ports of input, the same on every host."""

from __future__ import annotations

import socket

import pytest

from xdpwall.errors import InvalidInput
from xdpwall.rule.rule import Rule
from xdpwall.values.services import SERVICE_PORTS, SERVICES


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("drop tcp/ssh", "drop tcp/22"),
        ("accept udp/dns,ntp", "accept udp/53,123"),
        ("drop tcp/https,http,8000-8100", "drop tcp/80,443,8000-8100"),
        ("accept tcp sport https", "accept tcp sport 443"),
        ("drop tcp dport not ssh", "drop tcp dport not 22"),
        ("drop udp/ftp-data", "drop udp/20"),
    ],
)
def test_a_name_is_read_and_the_number_printed(said: str, printed: str) -> None:
    assert Rule.parse(said).text == Rule.parse(printed).text == printed


def test_fields_take_names_too() -> None:
    rule = Rule.parse({"action": "drop", "proto": "tcp", "dport": "!ssh,http"})
    assert rule.dport == "!22,80"


@pytest.mark.parametrize("text", ["ssh-http", "SSH", "ssh:22", "", "ssh,"])
def test_a_range_of_names_is_none(text: str) -> None:
    with pytest.raises(InvalidInput, match="dport"):
        Rule.parse({"action": "drop", "proto": "tcp", "dport": text})


@pytest.mark.parametrize("name", sorted(SERVICE_PORTS))
def test_no_name_means_another_port_than_in_the_hosts_own_list(name: str) -> None:
    assert Rule.parse(f"drop tcp/{name}").text == f"drop tcp/{SERVICE_PORTS[name]}"
    for proto in ("tcp", "udp"):
        try:
            known = socket.getservbyname(name, proto)
        except OSError:  # not in /etc/services
            continue
        assert known == SERVICE_PORTS[name]


def test_each_port_is_completed_by_a_name_that_is_read() -> None:
    assert all(SERVICE_PORTS[name] == port for port, name in SERVICES.items())
