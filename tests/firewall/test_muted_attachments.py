"""A program that cannot be detached is set to pass, and that is told: exit 1, namespace, interface."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.support import Instance
from tests.firewall.support import Site, dataplane_of, rules
from tests.support.net.netns import wait_for
from tests.support.net.ping import ping
from xdpwall.errors import Failed
from xdpwall.firewall.firewall import Firewall
from xdpwall.ruleset.ruleset import Ruleset


@contextmanager
def out_of_reach(site: Site) -> Iterator[socket.socket]:
    """Moves veth0 into a namespace that nothing holds but a socket, whose descriptor leads nowhere."""
    third = site.lab.namespace("third")
    with third.inside():
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with holder:
        site.host.ip(f"link set veth0 netns {third.name}")
        third.ip("addr add 10.9.0.1/24 dev veth0")
        third.ip("link set veth0 up")
        wait_for(lambda: "state UP" in third.ip("link show veth0"), "veth0 up")
        site.host.run("ip", "netns", "del", third.name)
        yield holder


def muted(firewall: Firewall) -> dict[int, int]:
    dataplane = dataplane_of(firewall)
    return dataplane.control.muted()


def test_a_namespace_out_of_reach(site: Site) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall, out_of_reach(site) as holder:
        (view,) = firewall.status().attachments
        assert view.state == "moved" and site.ping(1) == 0
        with pytest.raises(Failed) as caught:
            firewall.detach(None)
        assert caught.value.code == "still-attached"
        assert "veth0 in the network namespace with id " in caught.value.message
        assert "it lets every packet pass from now on" in caught.value.message
        assert site.ping(1) == 1
        status = firewall.status()
        assert status.attachments == []
        (told,) = [
            words for words in status.warnings if "could not be" in words or "still on" in words
        ]
        assert "still on veth0 in the network namespace with id " in told
        # Its number is not given to another attachment, and no change wakes it up again.
        other = site.lab.namespace("other")
        site.lab.veth(
            site.host, "veth0", other, "eth0", address="10.8.0.1/24", peer_address="10.8.0.2/24"
        )
        assert firewall.attach("veth0").attachment.number not in muted(firewall)
        firewall.add_rules(rules("drop icmp from 10.0.0.0/8"), at=1)
        assert ping(other, "10.8.0.1", 1, over=("eth0", "10.8.0.1")) == 0
        assert site.ping(1) == 1
        with pytest.raises(Failed):
            firewall.detach(None)
        holder.close()  # the namespace goes, and the interface with it
        wait_for(
            lambda: site.host.status("ip", "-n", site.box.name, "link", "show", "eth0"), "gone"
        )
        assert firewall.detach(None).detached == []
        assert firewall._instance.attacher.pins.entries() == []
        firewall.attach("veth0")
        assert muted(firewall) == {}


def test_the_command_line(site: Site) -> None:
    site.prepare("drop icmp")
    settings = site.settings
    wall = Instance(settings.state_dir, settings.bpffs, settings.socket, site.host)
    with out_of_reach(site):
        done = wall.run("detach", "--all")
        assert done.returncode == 1 and done.stdout == ""
        assert "not detached: veth0 xdp: it is now on veth0 in the network namespace" in done.stderr
        assert done.stderr.count("not detached") == done.stderr.count("veth0 xdp: ") == 1
        assert wall.run("detach", "--all").returncode == 1
        assert "lets every packet pass there" in wall.run("status").stderr
        assert site.ping(1) == 1


def test_another_interface_of_the_name_while_it_is_out_of_reach(site: Site) -> None:
    site.prepare("drop icmp on veth0")
    with site.open() as firewall, out_of_reach(site):
        other = site.lab.namespace("other")
        site.lab.veth(
            site.host, "veth0", other, "eth0", address="10.8.0.1/24", peer_address="10.8.0.2/24"
        )
        assert firewall.restore().attached == ["veth0 xdp"]
        (view,) = firewall.status().attachments
        assert view.state == "attached" and view.number not in muted(firewall)
        assert len(muted(firewall)) == 1
        assert ping(other, "10.8.0.1", 1, over=("eth0", "10.8.0.1")) == 0
        assert site.ping(1) == 1


def test_a_change_that_cannot_reach_it_mutes_it(site: Site) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall, out_of_reach(site):
        assert site.ping(1) == 0
        firewall.add_rules(rules("count icmp ttl 1-255"))  # needs another program
        assert len(muted(firewall)) == 1 and site.ping(1) == 1


def test_apply_says_so(site: Site) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall, out_of_reach(site):
        outcome = firewall.apply(Ruleset(attachments=()))
        assert outcome.detached == []
        assert any("not detached: veth0 xdp: it is now on" in one for one in outcome.warnings)
        assert site.ping(1) == 1
