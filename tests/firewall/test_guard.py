"""The lock-out guard by the facade: logins, IPv6, bridges, adoption, restore, and where it cannot look."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.firewall.support import HOST6, Site, rules
from tests.firewall.test_state_folder import Folders
from tests.fuzz.lock_out import hall, run
from tests.support.net.live_session import LiveSession
from xdpwall.changes import guarded
from xdpwall.dataplane.explaining import Explainer
from xdpwall.errors import LockOut, Unsupported
from xdpwall.firewall.firewall import Firewall
from xdpwall.kernel.net.tcp_connections import TcpConnection
from xdpwall.ruleset.ruleset import Ruleset
from xdpwall.values.author import Author
from xdpwall.values.session import read_session

FILE: dict[str, Any] = {"version": 1, "sets": {}, "rules": ["count udp", "drop tcp/22"]}


def asker(session: LiveSession, **more: Any) -> Author:
    return Author("uid 0", session=read_session(session.text), **more)


@pytest.fixture
def session(site: Site) -> Iterator[LiveSession]:
    with LiveSession(site.host, site.box, "10.9.0.1") as made:
        yield made


def test_who_is_logged_in_is_guarded_whoever_asks(
    firewall: Firewall, session: LiveSession, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = ip_address("10.9.0.2")
    monkeypatch.setattr(guarded, "logged_in_addresses", lambda: {peer: "ann"})
    firewall.attach("veth0")
    before = site.kernel_revision()
    with pytest.raises(LockOut) as caught:
        firewall.add_rules(rules("drop tcp/22"))
    (told,) = caught.value.told["connections"]
    assert (told["whose"], told["user"], told["peer"]) == ("login", "ann", "10.9.0.2")
    assert "(ann, logged in there)" in caught.value.message
    assert caught.value.told["passed_by"] == ["force"]
    assert site.kernel_revision() == site.disk_revision() == before
    assert session.works()
    # He is known to have come from there: a rule that only keeps others out is none of his.
    firewall.add_rules(rules("drop tcp/22 from not 10.9.0.2"))
    # Nobody is cut who is not connected.
    monkeypatch.setattr(guarded, "logged_in_addresses", lambda: {ip_address("10.9.0.7"): "bob"})
    said = firewall.add_rules(rules("drop tcp/22")).warnings
    assert any("cuts 1 established connection: from 10.9.0.2" in one for one in said)


def test_ipv6_lives_by_neighbour_discovery(site6: Site) -> None:
    with LiveSession(site6.host, site6.box, HOST6) as session, site6.open() as firewall:
        firewall.attach("veth0")
        me = asker(session)
        for text in ("drop tcp/22 ipv6", "drop icmpv6/neighbor-solicitation", "drop icmpv6 in"):
            with pytest.raises(LockOut) as caught:
                firewall.add_rules(rules(text), by=me)
            assert ("neighbour discovery" in caught.value.message) is ("icmpv6" in text)
        firewall.add_rules(rules("drop icmpv6/echo-request"), by=me)
        firewall.set_policy({"neighbor_discovery": "judge"}, by=me)
        with pytest.raises(LockOut):
            firewall.set_policy({"ingress": "drop"}, by=me)
        firewall.add_rules(rules("accept tcp/22", "accept icmpv6"), by=me)
        firewall.set_policy({"ingress": "drop"}, by=me)
        assert session.works()


def test_neighbours_ask_by_multicast_and_a_gateway_from_its_own_address(site6: Site) -> None:
    with site6.open() as firewall:
        firewall.attach("veth0")

        def refused(session: LiveSession, text: str) -> None:
            with pytest.raises(LockOut) as caught:
                firewall.add_rules(rules(text), by=asker(session))
            assert "neighbour discovery" in caught.value.message

        with LiveSession(site6.host, site6.box, HOST6) as session:
            refused(session, "drop to ff00::/8")
            firewall.add_rules(rules("drop from fe80::/10"), by=asker(session))
            firewall.delete_rules([one.id for one in firewall.rules().rules])
        site6.box.ip("-6 addr add 2001:db8:7::7/128 dev lo")
        site6.box.ip("-6 addr add fe80::77/64 dev eth0 nodad")
        site6.host.ip("-6 route add 2001:db8:7::7/128 via fe80::77 dev veth0")
        site6.box.ip(f"-6 route replace {HOST6}/128 dev eth0 src 2001:db8:7::7")
        with LiveSession(site6.host, site6.box, HOST6) as session:
            assert session.text.startswith("2001:db8:7::7 ")
            refused(session, "drop from fe80::/10")
            assert session.works()


def test_a_port_of_the_bridge_that_is_the_way(site: Site) -> None:
    site.host.ip("addr del 10.9.0.1/24 dev veth0")
    site.lab.bridge(site.host, "br0", "10.9.0.1/24")
    site.host.ip("link set veth0 master br0")
    with LiveSession(site.host, site.box, "10.9.0.1") as session, site.open() as firewall:
        firewall.attach("veth0", mode="generic")
        with pytest.raises(LockOut) as caught:
            firewall.add_rules(rules("drop tcp/22 on veth0"), by=asker(session))
        assert caught.value.told["connections"][0]["iface"] == "veth0"
        firewall.add_rules(rules("drop tcp/22 on br0"), by=asker(session))
        with pytest.raises(LockOut):
            firewall.attach("br0", mode="generic", by=asker(session))
        assert [one.iface for one in firewall.status().attachments] == ["veth0"]
        assert session.works()


def test_segments_are_long_packets_where_they_are_merged(
    firewall: Firewall, session: LiveSession
) -> None:
    firewall.attach("veth0")
    firewall.add_rules(rules("drop length 1501-9000"), by=asker(session))
    with pytest.raises(LockOut):
        firewall.attach("veth0", hook="tc", direction="egress", by=asker(session))
    firewall.delete_rules([one.id for one in firewall.rules().rules])
    firewall.attach("veth0", hook="tc", direction="egress")
    with pytest.raises(LockOut) as caught:
        firewall.add_rules(rules("drop tcp length 2000-65535 out"), by=asker(session))
    assert caught.value.told["connections"][0]["place"] == "tc-egress"
    firewall.add_rules(rules("drop tcp length 2000-65535 in"), by=asker(session))
    assert session.works()


def test_entries_are_guarded_in_what_a_change_may_be_reverted_to(
    firewall: Firewall, session: LiveSession
) -> None:
    for name in ("bad", "good"):
        firewall.create_set(name)
    firewall.change_set("good", add=["10.9.0.2"])
    firewall.attach("veth0")
    firewall.add_rules(rules("drop from @bad", "drop tcp/22 from not @good"))
    me, ids = asker(session), [one.id for one in firewall.rules().rules]
    firewall.delete_rules(ids, by=asker(session, confirm=3600))
    with pytest.raises(LockOut) as caught:
        firewall.change_set("bad", add=["10.9.0.0/24"], by=me)
    assert (caught.value.told["rule"], caught.value.told["position"]) == (ids[0], 1)
    with pytest.raises(LockOut) as caught:
        firewall.change_set("good", remove=["10.9.0.2"], by=me)
    assert (caught.value.told["rule"], caught.value.told["position"]) == (ids[1], 2)
    firewall.change_set("bad", add=["10.9.1.0/24"], by=me)
    firewall.rollback(by=me)
    assert session.works()
    # Once it is confirmed that they go, the entries cut nobody.
    firewall.delete_rules(ids, by=asker(session, confirm=3600))
    firewall.confirm(by=me)
    firewall.change_set("bad", add=["10.9.0.0/24"], by=me)
    assert session.works()


def test_adoption_is_guarded_and_what_is_refused_changes_nothing(site: Site) -> None:
    folders = Folders(site)
    folders.put("lost")
    with LiveSession(site.host, site.box, "10.9.0.1") as session, site.open() as firewall:
        held = site.kernel_revision()
        with pytest.raises(LockOut) as caught:
            firewall.apply(Ruleset.parse(FILE), adopt=True, by=asker(session))
        assert (caught.value.told["position"], caught.value.told["text"]) == (2, "drop tcp/22")
        assert caught.value.message.startswith("rule 2 (drop tcp/22) would cut your own connection")
        assert (site.kernel_revision(), site.disk_revision()) == (held, 0)
        assert session.works()
        outcome = firewall.apply(Ruleset.parse(FILE), adopt=True, by=asker(session, force=True))
        assert outcome.adopted
        assert any("cuts your own connection" in one for one in outcome.warnings)


def test_restore_is_guarded_where_a_session_asks(
    firewall: Firewall, session: LiveSession, site: Site
) -> None:
    firewall.attach("veth0")
    firewall.add_rules(rules("drop tcp/22"), by=asker(session, force=True))
    site.host.ip("link set dev veth0 xdp off")
    with pytest.raises(LockOut):
        firewall.restore(by=asker(session))
    assert session.works()
    assert firewall.restore().attached == ["veth0 xdp"]


def test_the_explaining_program_is_loaded_once_and_only_for_what_may_cut(
    firewall: Firewall, session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads = []
    load = Explainer.load.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Explainer], *args: Any) -> Explainer:
        loads.append(args[0])
        made: Explainer = load(cls, *args)
        return made

    monkeypatch.setattr(Explainer, "load", classmethod(counted))
    firewall.attach("veth0", by=asker(session))
    assert loads == ["xdp"], "an attachment is always looked at"
    firewall.add_rules(rules("drop icmp", "accept tcp/22", "drop tcp/80"), by=asker(session))
    firewall.set_policy({"ingress": "drop"}, by=asker(session))
    assert loads == ["xdp"]
    firewall.attach("veth0", hook="tc", direction="egress", by=asker(session))
    with pytest.raises(LockOut):
        firewall.set_policy({"egress": "drop"}, by=asker(session))
    assert loads == ["xdp", "tc"]


def test_where_the_guard_cannot_look_the_change_is_made_and_that_is_told(
    firewall: Firewall, session: LiveSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Explainer:
        raise Unsupported("the kernel refuses it")

    firewall.attach("veth0")
    firewall.add_rules(rules("accept tcp/22 from 10.9.0.2"))
    monkeypatch.setattr(Explainer, "load", refuse)
    # The attachment's own has been loaded.
    firewall._instance.drop_dataplane()
    said = firewall.add_rules(rules("drop tcp/22"), by=asker(session)).warnings
    assert "whether it cuts your own connection is not known: the kernel refuses it" in said
    assert session.works()


def test_of_more_connections_than_are_looked_at_that_is_told(
    firewall: Firewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, box = ip_address("10.9.0.1"), ip_address("10.9.0.2")
    many = [TcpConnection(box, 1024 + n, host, 443) for n in range(300)]
    monkeypatch.setattr(guarded, "connections", lambda peer=None: iter(many))
    firewall.attach("veth0")
    said = firewall.add_rules(rules("drop tcp/443")).warnings
    (told,) = [one for one in said if one.startswith("cuts")]
    assert told.startswith("cuts 256 established connections of the 256 that were looked at: from")
    assert told.endswith("and 253 more; by rule r1 (drop tcp/443)")


def test_random_changes_lock_nobody_out(tmp_path: Path) -> None:
    """A short form of `make fuzz-guard`."""
    with hall(tmp_path, "tests/firewall/test_guard") as here:
        tally = run(here, 10, seed=4)
    assert tally.lock_outs == [], tally
    assert tally.false_refusals == [], tally
    assert min(tally.made, tally.refused) >= 2, tally
