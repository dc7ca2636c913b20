"""Events through the facade: settings that stay, one reader, and records that name their rule."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.firewall.support import Site
from tests.support.net.netns import wait_for
from xdpwall.errors import Conflict, InvalidInput
from xdpwall.events.reader import EventReader
from xdpwall.firewall.firewall import Firewall
from xdpwall.rule.rule import Rule
from xdpwall.values.author import Author
from xdpwall.views.events import EventSettings, PacketEvent

ME = Author("uid 7", "cli", "why not")


def collect(reader: EventReader, count: int) -> list[PacketEvent]:
    """So many events; they must come."""
    found: list[PacketEvent] = []

    def more() -> bool:
        found.extend(reader.decode(reader.read(0.1)))
        return len(found) >= count

    wait_for(more, f"{count} events")
    return found


def test_settings_change_by_name_and_are_in_the_history(site: Site) -> None:
    with site.open() as firewall:
        assert firewall.events().settings == EventSettings()
        outcome = firewall.set_events({"log_drops": "true", "rate": "500"}, by=ME)
        assert outcome.changed
        wanted = EventSettings(log_drops=True, rate=500)
        assert outcome.settings == firewall.events().settings == wanted
        assert not firewall.set_events({"rate": 500}).changed
        _, (entry,) = firewall._instance.store.audit.since(0, 0)
        assert entry.action == "events log_drops on, rate 500"
        assert (entry.author, entry.message) == ("uid 7", "why not")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample", 0), ("sample", 10_001), ("sample", "x"), ("sample", True), ("rate", 0),
        ("rate", 1_000_001), ("rate", 1.5), ("bytes", 257), ("bytes", -1), ("bytes", None),
        ("enabled", "on"), ("log_drops", 1), ("ratee", 5), ("", 5),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_by_name(site: Site, field: str, value: object) -> None:
    with site.open() as firewall:
        with pytest.raises(InvalidInput) as caught:
            firewall.set_events({"rate": 7, field: value})
        assert caught.value.field == (field or "''")
        assert firewall.events().settings == EventSettings(), "nothing is half done"


def test_settings_outlive_the_maps(site: Site) -> None:
    """A reboot takes the maps away; settings are on disk, and before any maps too."""
    wanted = EventSettings(log_drops=True, sample=3, rate=9, bytes=0)
    with site.open() as firewall:
        firewall.set_events(wanted.to_json())
        assert firewall.events().settings == wanted
    site.prepare("drop icmp")
    with site.open() as firewall:
        plane = firewall._instance.dataplane()
        assert plane is not None and plane.events.read() == wanted
        assert plane.control.read().events
    site.forget_kernel()
    with site.open() as firewall:
        firewall.restore()
        assert firewall.events().settings == wanted
        plane = firewall._instance.dataplane()
        assert plane is not None and plane.control.read().events


def test_the_reader_is_told_and_only_one(site: Site) -> None:
    with site.open() as firewall:
        assert firewall.events().reader is None
        with closing(firewall.event_reader("the first")):
            said = firewall.events().reader
            assert said is not None and said.startswith("the first (process ")
            with pytest.raises(Conflict) as caught:
                firewall.event_reader("the second")
            assert caught.value.code == "events-taken"
            assert "the first" in caught.value.message
        firewall.event_reader("the second").close()
        assert firewall.events().reader is None


def ping(site: Site) -> None:
    site.box.status("ping", "-c", "1", "-W", "0.2", "10.9.0.1")


def add(firewall: Firewall, rule_id: str, text: str) -> None:
    firewall.add_rules([Rule.parse({"text": text, "id": rule_id})], at=1)


def test_a_record_names_the_rule_that_it_was(site: Site) -> None:
    """Slots are given to other rules; a record that is read late means the rule of its revision."""
    site.prepare("count tcp")
    with site.open() as firewall, closing(firewall.event_reader("a test")) as reader:
        assert reader.read(0) == []
        for number in range(3):
            add(firewall, f"was{number}", "drop icmp log")
            ping(site)
            firewall.delete_rules([f"was{number}"])
        add(firewall, "other", "count udp")
        add(firewall, "last", "count icmp log")
        ping(site)
        events = [one for one in collect(reader, 4) if one.proto == "icmp"]
        assert [one.log for one in events][:4] == ["was0", "was1", "was2", "last"]
        assert [one.rule for one in events][:4] == ["was0", "was1", "was2", None]
        assert {(one.iface, one.place) for one in events} == {("veth0", "xdp")}


def test_log_comes_and_goes_and_the_counters_stay(site: Site) -> None:
    site.prepare("drop icmp")
    with site.open() as firewall, closing(firewall.event_reader("a test")) as reader:
        ping(site)
        for log in (True, None):
            counted = firewall.rule("r1").packets
            firewall.set_rule("r1", {"log": log})
            assert firewall.rule("r1").packets == counted > 0
            ping(site)
        assert [one.log for one in collect(reader, 1)] == ["r1"]
        assert reader.read(0.2) == []
        assert firewall.events().counts.sent == 1


def test_a_reader_sees_maps_that_were_made_anew(site: Site) -> None:
    with closing(EventReader(site.settings, "a test")) as reader:
        assert reader.read(0) == [], "no maps yet"
        site.prepare("drop icmp log")
        ping(site)
        assert collect(reader, 1)[0].rule == "r1"
        site.forget_kernel()
        with site.open() as firewall:
            firewall.restore()
        ping(site)
        assert collect(reader, 1)[0].rule == "r1"
