"""`apply` and `export`: exactly that ruleset, in one switch."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.firewall.support import Site, rules
from xdpwall.errors import InvalidInput, NotFound, Unsupported
from xdpwall.firewall.firewall import Firewall
from xdpwall.formats import ruleset_file
from xdpwall.ruleset.ruleset import Ruleset

VETH = {"iface": "veth0", "hook": "xdp"}


def ruleset(*texts: object, **others: object) -> Ruleset:
    return Ruleset.parse({"version": 1, "rules": list(texts), **others})


def test_rules_that_stay_the_same_keep_id_and_counters(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp", "drop tcp/22", "count udp"))
        site.ping(3)
        outcome = firewall.apply(
            ruleset("count udp", "drop icmp", "drop sctp", policy={"egress": "drop"})
        )
        assert (outcome.added, outcome.removed, outcome.changed) == (["r4"], ["r2"], [])
        assert (outcome.moved, outcome.kept, outcome.policy_changed) == (["r3"], 1, True)
        assert outcome.revision == 2
        listed = firewall.rules().rules
        assert [rule.id for rule in listed] == ["r3", "r1", "r4"]
        assert [rule.packets for rule in listed] == [0, 3, 0]
        assert firewall.policy().egress == "drop"


def test_dry_run_changes_nothing(site: Site) -> None:
    with site.open() as firewall:
        firewall.add_rules(rules("drop icmp"))
        outcome = firewall.apply(ruleset("drop udp", attachments=[VETH]), dry_run=True)
        assert outcome.dry_run and outcome.revision == 1
        assert (outcome.added, outcome.removed) == (["r2"], ["r1"])
        assert outcome.attached == ["veth0 xdp"]
        assert [rule.text for rule in firewall.rules().rules] == ["drop icmp"]
        assert firewall.status().attachments == []


@pytest.mark.parametrize("loaded", [False, True])
def test_a_dry_run_says_what_it_takes(site: Site, loaded: bool) -> None:
    texts = [f"accept tcp/{port} from 10.{port}.0.0/16 on veth0" for port in range(1, 200)]
    wanted = ruleset(
        *texts, "drop ipv6 from 2001:db8::/32", "drop from @bad", attachments=[VETH],
        sets={"bad": {"entries": [f"192.0.{n}.1" for n in range(256)]}},
    )  # fmt: skip
    with site.open() as firewall:
        if loaded:
            firewall.add_rules(rules("drop udp/53"))
            firewall.attach("veth0", hook="tc")
        before = memory(firewall)
        pins = sorted(path for path in firewall._settings.bpffs.rglob("*"))
        needs = firewall.apply(wanted, dry_run=True).needs
        assert needs is not None and needs.map_bytes_now == before
        assert sorted(path for path in firewall._settings.bpffs.rglob("*")) == pins
        assert (memory(firewall), firewall.status().revision) == (before, int(loaded))
        assert firewall.apply(wanted).needs is None
        assert memory(firewall) == needs.map_bytes
        (found,) = [one for one in needs.programs if one.attachment == "veth0 xdp"]
        row = firewall._instance.attachments[0]
        program = firewall._instance.attacher.pins.open_attached(row.index, row.place)
        assert program is not None
        with program:
            assert program.info.xlated_len // 8 == found.instructions
        again = firewall.apply(wanted, dry_run=True).needs
        assert again is not None and again.programs == []
        assert again.map_bytes == again.map_bytes_now == needs.map_bytes


def memory(firewall: Firewall) -> int:
    """Bytes of the instance's maps, as the kernel tells."""
    dataplane = firewall._instance.dataplane()
    if dataplane is None:
        return 0
    maps = [*dataplane.map_set.maps.values(), *dataplane.shared.values()]
    return sum(one.memory for one in maps)


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_what_export_writes_apply_takes_back_unchanged(site: Site, format: str) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", mode="generic")
        firewall.attach("veth0", hook="tc", direction="egress")
        firewall.add_rules(rules('drop icmp comment "no: pings"', "accept tcp/80,443 out disabled"))
        revision, exported = firewall.ruleset()
        text = ruleset_file.dump_ruleset(exported, format=format)  # type: ignore[arg-type]
        outcome = firewall.apply(ruleset_file.load_ruleset(text, name="export"))
        assert outcome.revision == revision
        assert (outcome.added, outcome.removed, outcome.changed, outcome.moved) == ([], [], [], [])
        assert (outcome.attached, outcome.detached, outcome.kept) == ([], [], 2)


def test_attachments_become_exactly_these(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0", hook="tc")
        outcome = firewall.apply(ruleset("drop icmp", attachments=[VETH]))
        assert (outcome.attached, outcome.detached) == (["veth0 xdp"], ["veth0 tc-ingress"])
        assert [view.place for view in firewall.status().attachments] == ["xdp"]
        assert site.ping() == 0
        outcome = firewall.apply(ruleset("drop icmp"))
        assert (outcome.attached, outcome.detached) == ([], [])
        outcome = firewall.apply(ruleset("drop icmp", attachments=[]))
        assert outcome.detached == ["veth0 xdp"]
        assert site.ping() == 3


def test_a_dry_run_refuses_what_attaching_would(site: Site) -> None:
    site.host.ip("tuntap add tun0 mode tun")
    with site.open() as firewall:
        with pytest.raises(Unsupported) as caught:
            firewall.apply(ruleset("drop udp", attachments=[{"iface": "tun0"}]), dry_run=True)
        assert caught.value.code == "not-ethernet"


def test_an_attachment_that_somebody_took_off_is_put_back(site: Site) -> None:
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        site.host.ip("link set veth0 xdp off")
        assert site.ping() == 3
        outcome = firewall.apply(ruleset("drop icmp", attachments=[VETH]), dry_run=True)
        assert outcome.attached == ["veth0 xdp"]
        assert site.ping() == 3
        outcome = firewall.apply(ruleset("drop icmp", attachments=[VETH]))
        assert outcome.attached == ["veth0 xdp"]
        assert site.ping() == 0


def test_a_refused_attachment_leaves_all_as_it_was(site: Site) -> None:
    site.lab.bridge(site.host, "br0")
    with site.open() as firewall:
        firewall.attach("veth0")
        firewall.add_rules(rules("drop icmp"))
        before = firewall.ruleset()
        with pytest.raises(NotFound):
            firewall.apply(ruleset("drop udp", attachments=[VETH, {"iface": "nosuch0"}]))
        wanted = [VETH, {"iface": "br0", "hook": "tc"}, {"iface": "br0", "mode": "native"}]
        with pytest.raises(Exception, match="br0"):
            firewall.apply(ruleset("drop udp", attachments=wanted))
        assert firewall.ruleset() == before
        assert [view.iface for view in firewall.status().attachments] == ["veth0"]
        assert site.ping() == 0


def test_a_place_that_stands_twice_is_refused(site: Site) -> None:
    with site.open() as firewall, pytest.raises(InvalidInput, match="twice"):
        firewall.apply(ruleset(attachments=[VETH, VETH]))


def test_a_mode_that_is_refused_leaves_the_old_one_filtering(site: Site) -> None:
    site.lab.bridge(site.host, "br0")
    with site.open() as firewall:
        firewall.attach("br0")
        firewall.add_rules(rules("drop icmp"))
        before = firewall.ruleset()
        with pytest.raises(Unsupported):
            firewall.apply(ruleset("drop udp", attachments=[{"iface": "br0", "mode": "native"}]))
        (view,) = firewall.status().attachments
        assert (view.mode, view.wanted_mode, view.state) == ("generic", "auto", "attached")
        assert firewall.ruleset() == before


@pytest.mark.parametrize(
    "wanted",
    [
        ruleset("drop icmp", "accept tcp/22"),
        ruleset(
            {"id": "a", "action": "drop", "proto": "icmp"}, {"id": "b", "text": "accept tcp/22"}
        ),
        ruleset("drop from @bad", sets={"bad": {"entries": ["10.0.0.1", "10.1.0.0/16"]}}),
        ruleset("drop tcp/ssh", policy={"egress": "drop"}, attachments=[VETH]),
        ruleset(),
    ],
    ids=["sentences", "ids", "sets", "policy and attachments", "nothing"],
)
def test_applying_what_is_in_force_writes_nothing(site: Site, wanted: Ruleset) -> None:
    with site.open() as firewall:
        firewall.apply(wanted)
        before = firewall.ruleset(sets=True)
        database = site.settings.state_dir / "xdpwall.db"
        with closing(sqlite3.connect(database)) as reader:
            version = reader.execute("PRAGMA data_version").fetchone()
            dump = list(reader.iterdump())
            again = firewall.apply(wanted)
            assert reader.execute("PRAGMA data_version").fetchone() == version, "nobody wrote"
            assert list(reader.iterdump()) == dump
        assert firewall.ruleset(sets=True) == before and again.revision == before[0]
        assert not (again.added or again.removed or again.changed or again.moved)
        assert not (again.sets_added or again.sets_replaced or again.attached or again.detached)
