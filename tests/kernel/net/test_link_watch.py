"""What is heard of interfaces and tc, and that lost messages are known to be lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tests.support.net.netns import PATIENCE, Lab, wait_for
from xdpwall.kernel.net.link_watch import LinkNews, LinkWatch


def heard(watch: LinkWatch, wanted: Callable[[LinkNews], bool]) -> None:
    wait_for(lambda: wanted(watch.wait(PATIENCE)), "the news")


def test_interfaces_and_filters(lab: Lab) -> None:
    here, other = lab.namespace("here"), lab.namespace("other")
    with here.inside(), LinkWatch() as watch:
        here.ip("link add veth0 type veth peer name veth1")
        index = here.index("veth0")
        heard(watch, lambda news: index in news.changed)
        here.tc("qdisc add dev veth0 clsact")
        heard(watch, lambda news: index in news.changed)
        here.ip(f"link set veth0 netns {other.name}")
        heard(watch, lambda news: index in news.gone)
        peer = here.index("veth1")
        other.ip("link del veth0")
        heard(watch, lambda news: peer in news.gone)


def test_leaving_a_bridge_is_not_leaving(lab: Lab) -> None:
    here = lab.namespace("here")
    lab.bridge(here, "br0")
    here.ip("link add veth0 type veth peer name veth1")
    here.ip("link set veth0 master br0")
    index = here.index("veth0")
    with here.inside(), LinkWatch() as watch:
        here.ip("link set veth0 nomaster")
        here.ip("link del br0")
        left = LinkNews()
        while not left.gone:  # the bridge
            left = watch.wait(PATIENCE)
            assert index not in left.gone


def test_an_overrun_is_told(lab: Lab) -> None:
    here = lab.namespace("here")
    with here.inside(), LinkWatch() as watch:
        here.ip("link add veth0 type veth peer name veth1")
        for n in range(20):
            lines = "\n".join(f"link set veth0 mtu {1400 + n + i}" for i in range(500))
            batch = ["sh", "-c", f"ip -batch - <<'END'\n{lines}\nEND"]
            here.run(*batch)
        assert watch.wait(0).lost
        here.ip("link del veth0")
        heard(watch, lambda news: bool(news.gone))


def test_another_thread_ends_the_wait(lab: Lab) -> None:
    with lab.namespace("here").inside(), LinkWatch() as watch:
        threading.Timer(0.01, watch.wake).start()
        assert watch.wait(PATIENCE) == LinkNews()
