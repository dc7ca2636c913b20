"""Lives of an attached interface that goes from master to master, takes larger packets, is reset by its driver,
and stands below others.
"""

from __future__ import annotations

import pytest

from tests.firewall import test_lives
from tests.firewall.support import Site, rules
from tests.firewall.test_lives import ADDRESS, HOOKS, Life
from tests.support.net.netns import Namespace, wait_for

life, watched = test_lives.life, test_lives.watched


def test_masters_and_sizes(life: Life) -> None:
    mtu_raised(life)
    enslaved_and_given_to_another_master(life)


def mtu_raised(life: Life) -> None:
    """The kernel refuses what native XDP could not take, or the program goes on."""
    taken = life.site.box.status("ip", "link", "set", "eth0", "mtu", "9000") == 0
    assert taken or life.mode == "native"
    assert life.site.host.status("ip", "link", "set", "veth0", "mtu", "9000") == 0
    assert life.well() and life.dropped()
    life.site.host.ip("link set veth0 mtu 1500")
    if taken:
        life.site.box.ip("link set eth0 mtu 1500")
    assert life.well() and life.dropped()


def enslaved_and_given_to_another_master(life: Life) -> None:
    host = life.site.host
    host.ip(f"addr del {ADDRESS} dev veth0")
    before = None
    for bridge in ("br0", "br1"):
        host.ip(f"link add {bridge} type bridge")
        host.ip(f"link set {bridge} up")
        if before:
            host.ip(f"addr del {ADDRESS} dev {before}")
        host.ip(f"addr add {ADDRESS} dev {bridge}")
        host.ip(f"link set veth0 master {bridge}")
        wait_for(lambda: forwards(host, "veth0"), "the port forwards")
        assert life.well() and life.dropped(), bridge
        before = bridge
    host.ip("link set veth0 nomaster")
    host.ip(f"addr del {ADDRESS} dev br1")
    host.ip(f"addr add {ADDRESS} dev veth0")
    assert life.well() and life.dropped()
    host.ip(f"addr del {ADDRESS} dev veth0")
    host.ip(f"addr add {ADDRESS} dev br1")
    host.ip("link set veth0 master br1")
    wait_for(lambda: forwards(host, "veth0"), "the port forwards")
    life.firewall.detach(None)
    wait_for(lambda: not life.dropped(), "nothing else dropped them")


def forwards(space: Namespace, port: str) -> bool:
    return "state forwarding" in space.run("bridge", "link", "show", "dev", port)


def test_driver_reset_and_stacked(life: Life) -> None:
    driver_reset(life)
    under_a_macvlan_that_comes_and_goes(life)
    renamed_while_a_port(life)


def driver_reset(life: Life) -> None:
    """Other queues and offloads: the driver stops and makes its rings anew."""
    host = life.site.host
    for settings in (
        "-L veth0 rx 2 tx 2",
        "-K veth0 gro on tso off",
        "-L veth0 rx 1 tx 1",
        "-K veth0 gro off tso on",
    ):
        # While native XDP runs, veth wants as many queues to receive as its peer has to send.
        host.status("ethtool", *settings.split())
        assert life.well() and life.dropped(), settings
    host.ip("link set veth0 down")
    host.ip("link set veth0 mtu 1400")
    host.ip("link set veth0 address 02:00:00:00:09:01")
    host.ip("link set veth0 mtu 1500")
    host.ip("link set veth0 up")
    wait_for(lambda: "state UP" in host.ip("link show veth0"), "veth0 up")
    assert life.well() and life.dropped()


def under_a_macvlan_that_comes_and_goes(life: Life) -> None:
    host = life.site.host
    for mode in ("bridge", "passthru"):
        host.ip(f"link add link veth0 name upper0 type macvlan mode {mode}")
        host.ip("link set upper0 up")
        assert life.well() and life.dropped(), mode
        host.ip("link del upper0")
        assert life.well() and life.dropped(), mode


def renamed_while_a_port(life: Life) -> None:
    """The index is what is filtered: neither another name nor another master opens it."""
    host = life.site.host
    host.ip("link add br2 type bridge")
    host.ip("link set veth0 master br2")
    host.ip("link set veth0 name veth8")
    host.ip("link set veth8 nomaster")
    assert life.dropped()
    host.ip("link set veth8 name veth0")
    assert life.well() and life.dropped()
    host.ip("link del br2")
    assert life.firewall.detach(None).detached == [f"veth0 {life.place}"]
    wait_for(lambda: not life.dropped(), "nothing else dropped them")


@pytest.mark.parametrize("hook", ["generic", "tc-ingress", "tc-egress"])
def test_a_macvlan_goes_with_its_parent(site: Site, watched: bool, hook: str) -> None:
    """It takes no native XDP. Made again on another parent, it is another interface of the same name."""
    where, direction, mode = HOOKS[hook]
    with site.open(service=watched) as firewall:
        life = Life(site, firewall, where, direction, mode, watched)
        stacked(site)
        firewall.attach("upper0", hook=where, direction=direction, mode=mode)
        firewall.add_rules(rules("drop icmp on upper0"))
        if watched:
            firewall.watch()
        assert life.well() and life.dropped()
        site.host.ip("link del veth0")
        wait_for(lambda: life.state() == "no interface", "it is seen to be gone")
        assert [one for one in firewall.status().warnings if one.startswith("upper0 ")]
        life.made_again()
        stacked(site)
        if not watched:
            assert life.state() == "displaced" and not life.dropped()
            assert firewall.restore().attached == [f"upper0 {life.place}"]
        wait_for(life.well, "it is filtered again")
        assert life.dropped()
        assert firewall.detach(None).detached == [f"upper0 {life.place}"]
        assert not life.dropped()


def stacked(site: Site) -> None:
    """The host's address on a macvlan on veth0, which alone answers for it."""
    site.host.ip(f"addr del {ADDRESS} dev veth0")
    site.host.ip("link add link veth0 name upper0 type macvlan mode bridge")
    site.host.ip(f"addr add {ADDRESS} dev upper0")
    site.host.ip("link set upper0 up")
    wait_for(lambda: "state UP" in site.host.ip("link show upper0"), "upper0 up")
    site.host.ip("link set veth0 arp off")
    site.box.ip("neigh flush dev eth0")
