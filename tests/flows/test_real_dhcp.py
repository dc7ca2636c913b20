"""An address by DHCP through the interface itself. Its answers come from elsewhere than was asked, so that
they are `new`; and unlike nftables' input hook, XDP drops what a client with a raw socket would have seen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.net.default_drop import DefaultDropHost
from tests.support.net.netns import wait_for
from tests.support.net.peers import dnsmasq

RULE = {"id": "dhcp", "text": "accept udp sport 67 dport 68 in"}
POOL = "10.9.0.100,10.9.0.120,255.255.255.0,1h"


@pytest.fixture(scope="module")
def served(
    home: DefaultDropHost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DefaultDropHost]:
    """A server of addresses next door."""
    options = ("--interface=near", "--bind-interfaces", "--dhcp-authoritative", "--no-ping")
    folder = tmp_path_factory.mktemp("dhcp")
    with dnsmasq(home.router, folder, *options, f"--dhcp-range={POOL}", port=67):
        yield home


def ask(home: DefaultDropHost, folder: Path, client: str) -> subprocess.Popen[str]:
    """The client, which asks until it has an address and tells it."""
    script = folder / "script"
    script.write_text('#!/bin/sh\necho "got $1 ${new_ip_address-$ip}"\\n')
    script.chmod(0o755)
    argv = {
        "dhclient": (
            *("dhclient", "-d", "-1", "-sf", str(script), "-lf", f"{folder}/leases"),
            *("-pf", f"{folder}/pid", "-cf", "/dev/null", "veth0"),
        ),
        "udhcpc": (
            *("busybox", "udhcpc", "-f", "-q", "-i", "veth0", "-s", str(script), "-T", "1"),
            *("-t", "60", "-p", f"{folder}/pid"),
        ),
    }[client]
    return subprocess.Popen(
        home.host.argv(*argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("client", ["dhclient", "udhcpc"])
def test_a_lease(served: DefaultDropHost, tmp_path: Path, client: str) -> None:
    served.reset()
    dropped = served.dropped()
    with ask(served, tmp_path, client) as process:
        try:
            assert process.stdout is not None
            # Without a rule the offers stay outside, and the client goes on asking.
            wait_for(lambda: served.dropped() > dropped, "an offer is dropped")
            served.reset(RULE)
            for line in process.stdout:
                if line.startswith("got ") and " 10.9.0.1" in line:
                    break
            else:
                raise AssertionError(f"{client} gave up")
        finally:
            process.kill()
    assert served.counted("dhcp") >= 2
