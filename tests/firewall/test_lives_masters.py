"""Lives of an attached interface that goes from master to master, and takes larger packets."""

from __future__ import annotations

from tests.firewall import test_lives
from tests.firewall.test_lives import ADDRESS, Life
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
