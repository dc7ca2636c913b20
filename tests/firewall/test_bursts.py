"""A hundred interfaces that are born at once, and leave at once: heard of by the service, or lost by netlink."""

from __future__ import annotations

from typing import Any

import pytest

from tests.firewall.support import Site, box_with, passes, rules
from tests.support.net.netns import Namespace, wait_for
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net import link_watch
from xdpwall.kernel.net.link_watch import LinkNews, LinkWatch
from xdpwall.ruleset.attachment import AttachmentSpec
from xdpwall.values.terms import Place


def batch(space: Namespace, lines: list[str]) -> None:
    space.run("sh", "-c", "ip -batch - <<'END'\n" + "\n".join(lines) + "\nEND")


def in_place(firewall: Firewall) -> dict[str, int | None]:
    """The interfaces that are filtered, as the kernel says, with the ids of their programs."""
    rows = firewall.status().attachments
    return {row.iface: row.program_id for row in rows if row.state == "attached"}


@pytest.mark.parametrize(
    ("place", "count", "overrun"),
    [("xdp", 100, False), ("xdp", 100, True), ("tc-ingress", 20, True)],
)
def test_all_are_filtered_and_let_go(
    site: Site, monkeypatch: pytest.MonkeyPatch, place: Place, count: int, overrun: bool
) -> None:
    names = [f"many{n}" for n in range(count)]
    lost: list[bool] = []

    def noting(watch: LinkWatch, *asked: Any) -> LinkNews:
        news = wait(watch, *asked)
        lost.append(news.lost)
        return news

    wait = LinkWatch.wait
    monkeypatch.setattr(LinkWatch, "wait", noting)
    if overrun:
        monkeypatch.setattr(link_watch, "_BUFFER", 1)  # the kernel makes it 2,304 bytes
    with site.open(service=True) as firewall:
        firewall.add_rules(rules("drop icmp"))
        spec = AttachmentSpec.at("many*", place)
        firewall.want(spec)
        firewall.watch()
        for round_ in range(2):  # the second time under names that it has known
            batch(site.host, [f"link add {one} type veth peer name p{one}" for one in names])
            wait_for(lambda: len(in_place(firewall)) == count, "all are filtered", every=0.1)
            now = in_place(firewall)
            assert len(set(now.values())) == 1, "they share one program"
            assert firewall.health().status == "ok", round_
            batch(site.host, [f"link del {one}" for one in names])
            wait_for(lambda: not in_place(firewall), "all are let go", every=0.1)
        wait_for(lambda: firewall.status().attachments == [], "none is left")
        box = box_with(site, "many7", 7)
        wait_for(lambda: list(in_place(firewall)) == ["many7"], "the next one is filtered")
        assert not passes(box, 7)
        firewall.detach(None)
        assert passes(box, 7) and firewall._instance.attacher.pins.entries() == []
    assert any(lost) is overrun
